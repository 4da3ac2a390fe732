//! `make screenshots`: web-ui's pages as PNG, on a desktop and a phone, light and dark, before two clusters that look as
//! clusters do.

mod scene;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use e2e::{Browser, Looks, World};

/// A longer page is cut.
const HEIGHT: u32 = 1000;

#[derive(Parser)]
#[command(about = "Screenshots of web-ui's pages, desktop and phone, light and dark")]
struct Flags {
    /// Folder for the pictures
    #[arg(long, default_value = "target/screenshots")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    std::fs::create_dir_all(&flags.out).with_context(|| flags.out.display().to_string())?;
    let data = tempfile::tempdir()?;
    let (world, browser) = tokio::join!(World::start(data.path(), &scene::TOKYO, &scene::OSAKA), Browser::start());
    let (world, browser) = (world?, browser?);
    scene::play(&world).await?;
    for (name, path) in scene::pages(&world) {
        browser.open(&world.page(&path)).await?;
        for looks in Looks::ALL {
            let file =
                flags.out.join(format!("{name}-{}-{}.png", looks.width, if looks.dark { "dark" } else { "light" }));
            let png = browser.screenshot(looks, HEIGHT).await?;
            std::fs::write(&file, png).with_context(|| file.display().to_string())?;
            println!("{}", file.display());
        }
    }
    Ok(())
}
