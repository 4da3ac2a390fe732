//! What our scheduler is measured against: tokio-cron-scheduler, starting the same shell command in the same way.
//!
//! usage: tokio_cron_scheduler cron|repeated JOBS SECONDS COMMAND
//!
//! Job N of kind `cron` runs at the seconds that leave N when divided by SECONDS (at most 60), of kind `repeated` every SECONDS from the
//! second in which it was added: its slots have no fractions. Jobs are added evenly over one interval. Prints `grid JOB NANOSECONDS` (a slot, since the epoch) for each job and
//! `ran JOB OUTPUT` for each run.

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::process::Command;
use tokio_cron_scheduler::{Job, JobScheduler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, jobs, seconds, command] = &arguments[..] else {
        anyhow::bail!("usage: cron|repeated JOBS SECONDS COMMAND")
    };
    let (jobs, seconds): (u64, u64) = (jobs.parse()?, seconds.parse()?);
    let scheduler = JobScheduler::new().await?;
    scheduler.start().await?;
    for job in 0..jobs {
        let command = command.clone();
        if kind == "cron" {
            let second = job % seconds;
            let expression = format!("{second}/{seconds} * * * * *");
            println!("grid {job} {}", second * 1_000_000_000);
            scheduler.add(Job::new_async(expression, move |_, _| Box::pin(run(job, command.clone())))?).await?;
        } else {
            let interval = Duration::from_secs(seconds);
            println!("grid {job} {}000000000", SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
            scheduler.add(Job::new_repeated_async(interval, move |_, _| Box::pin(run(job, command.clone())))?).await?;
            tokio::time::sleep(interval / u32::try_from(jobs)?).await;
        }
    }
    std::future::pending().await
}

async fn run(job: u64, command: String) {
    let ran = Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).process_group(0).output().await;
    match ran.context("cannot run sh") {
        Ok(ran) => println!("ran {job} {}", String::from_utf8_lossy(&ran.stdout).trim_end()),
        Err(error) => eprintln!("{error:#}"),
    }
}
