//! The `process_*` metrics that Prometheus's client libraries agree on, read from `/proc/self` at each scrape.

use std::fmt::Error;

use procfs::process::Process;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Collects the metrics of this process. What cannot be read (a hardened `/proc`) is left out.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    /// Seconds since the epoch. Read once: the clock may be set later, the process does not start again.
    started: Option<f64>,
}

impl ProcessCollector {
    pub(crate) fn new() -> Self {
        Self { started: started() }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), Error> {
        if let Some(started) = self.started {
            gauge(&mut out, "process_start_time_seconds", "Start time of the process since the Unix epoch", started)?;
        }
        let Ok(process) = Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            let cpu = ConstCounter::new((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64);
            let help = "User and system CPU time spent by the process";
            cpu.encode(out.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
            let resident = (stat.rss * procfs::page_size()) as f64;
            gauge(&mut out, "process_resident_memory_bytes", "Resident memory size", resident)?;
            gauge(&mut out, "process_virtual_memory_bytes", "Virtual memory size", stat.vsize as f64)?;
        }
        if let Ok(open) = process.fd_count() {
            gauge(&mut out, "process_open_fds", "Open file descriptors", open as f64)?;
        }
        if let Ok((soft, _)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
            gauge(&mut out, "process_max_fds", "File descriptors that may be open at most", soft as f64)?;
        }
        Ok(())
    }
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(out.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn started() -> Option<f64> {
    let ticks = Process::myself().and_then(|process| process.stat()).ok()?.starttime;
    let boot = procfs::boot_time_secs().ok()?;
    Some(boot as f64 + ticks as f64 / procfs::ticks_per_second() as f64)
}
