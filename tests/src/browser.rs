//! Debian's Chromium, driven as a person does: it opens pages, clicks, presses keys and looks.
//!
//! Nothing that it asks leaves this machine: every name but loopback's address is unknown to it. It and its driver end with
//! their owner, also when the test's process is killed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use service::http::{ClientOptions, upstream_client};
use tempfile::TempDir;
use thirtyfour::common::capabilities::desiredcapabilities::CapabilitiesHelper;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement};
use tokio::process::Command;

use crate::{Process, free_port, repository, tool, until};

/// How long the browser may take to start, and a page to become as wanted.
const PATIENCE: Duration = Duration::from_secs(60);

/// For one request to the driver: axe-core looks for long on a busy machine.
const ANSWER: Duration = Duration::from_secs(120);

/// The browser's flags: no screen, no sandbox (root in a container has none), nothing asked of anybody by itself.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// How wide a page is, and whether it is dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// Pixels.
    pub width: u32,
    /// What the system says it prefers.
    pub dark: bool,
}

impl Looks {
    /// A desktop and a phone, both light and dark.
    pub const ALL: [Self; 4] = [
        Self { width: 1280, dark: false },
        Self { width: 1280, dark: true },
        Self { width: 390, dark: false },
        Self { width: 390, dark: true },
    ];
}

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    driver: WebDriver,
    _chromedriver: Process,
    _chromium: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with an empty profile.
    pub async fn start() -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let (chromium, debugger) = start_chromium(profile.path()).await?;
        let (chromedriver, url) = start_chromedriver(profile.path()).await?;
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_debugger_address(&debugger)?;
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        wanted.set("unhandledPromptBehavior", "ignore")?;
        let options = ClientOptions { timeout: ANSWER, ..ClientOptions::new(service::build_info!()) };
        let client = upstream_client(&options).context("no files are named")?;
        let driver = WebDriver::builder(&*url, wanted).client(client).connect().await?;
        // The session ends with the processes; to end it before would need somebody who waits.
        driver.clone().leak()?;
        driver.set_script_timeout(ANSWER).await?;
        let browser = Self { driver, _chromedriver: chromedriver, _chromium: chromium, _profile: profile };
        browser.look(Looks::ALL[0]).await?;
        Ok(browser)
    }

    /// What the driver can do beyond what is here.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.driver.goto(url).await.with_context(|| format!("cannot open {url}"))
    }

    /// The address of the page, without scheme, host and port.
    pub async fn address(&self) -> anyhow::Result<String> {
        Ok(text(self.eval("return location.pathname + location.search").await?))
    }

    /// Changes the window and what the system prefers.
    pub async fn look(&self, looks: Looks) -> anyhow::Result<()> {
        self.resize(looks.width, 900).await?;
        let scheme = if looks.dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.driver.cdp().send_raw("Emulation.setEmulatedMedia", features).await?;
        Ok(())
    }

    async fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let emulation = self.driver.cdp();
        Ok(emulation.emulation().set_device_metrics_override(width, height, 1.0, width < 600).await?)
    }

    /// What the script returns; it is the body of a function.
    pub async fn eval(&self, script: &str) -> anyhow::Result<Value> {
        self.eval_with(script, vec![]).await
    }

    /// What the script returns for these `arguments`.
    pub async fn eval_with(&self, script: &str, arguments: Vec<Value>) -> anyhow::Result<Value> {
        let result = self.driver.execute(script, arguments).await.with_context(|| script.to_owned())?;
        Ok(result.json().clone())
    }

    /// The texts, as a person sees them, of all elements that the CSS selector names.
    pub async fn texts(&self, css: &str) -> anyhow::Result<Vec<String>> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.innerText.trim())";
        let found = self.eval_with(script, vec![css.into()]).await?;
        Ok(found.as_array().into_iter().flatten().map(|found| text(found.clone())).collect())
    }

    /// The text of the first such element; an error where there is none.
    pub async fn text(&self, css: &str) -> anyhow::Result<String> {
        self.texts(css).await?.into_iter().next().with_context(|| format!("there is no {css}"))
    }

    /// Waits until the page's script says that it is so.
    pub async fn wait(&self, what: &str, script: &str) -> anyhow::Result<()> {
        until(what, PATIENCE, || async {
            let said = self.eval(script).await?;
            ensure!(said == true, "{script}: {said}\n{}", self.text("body").await?);
            Ok(())
        })
        .await
    }

    /// Waits until an element that the selector names has this in its text.
    pub async fn see(&self, css: &str, wanted: &str) -> anyhow::Result<()> {
        until(&format!("{css} with {wanted:?}"), PATIENCE, || async {
            let texts = self.texts(css).await?;
            ensure!(texts.iter().any(|text| text.contains(wanted)), "there is {texts:?}");
            Ok(())
        })
        .await
    }

    /// Waits until there is no such element whose text has this in it.
    pub async fn see_no(&self, css: &str, unwanted: &str) -> anyhow::Result<()> {
        until(&format!("no {css} with {unwanted:?}"), PATIENCE, || async {
            let texts = self.texts(css).await?;
            ensure!(!texts.iter().any(|text| text.contains(unwanted)), "there is {texts:?}");
            Ok(())
        })
        .await
    }

    /// The first element that the selector names and whose text has this in it.
    pub async fn find(&self, css: &str, wanted: &str) -> anyhow::Result<WebElement> {
        let script = "return [...document.querySelectorAll(arguments[0])].find((found) => found.innerText.includes(arguments[1]))";
        until(&format!("{css} with {wanted:?}"), PATIENCE, || async {
            let found = self.driver.execute(script, vec![css.into(), wanted.into()]).await?;
            found.element().with_context(|| format!("there is no {css} with {wanted:?}"))
        })
        .await
    }

    /// Clicks on it. Pages change while one looks: what is gone meanwhile is looked for again.
    pub async fn click(&self, css: &str, wanted: &str) -> anyhow::Result<()> {
        until(&format!("a click on {css} with {wanted:?}"), PATIENCE, || async {
            let found = self.find(css, wanted).await?;
            found.click().await.context("it cannot be clicked")
        })
        .await
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub async fn press(&self, keys: &str) -> anyhow::Result<()> {
        self.driver.action_chain().send_keys(keys).perform().await.with_context(|| format!("cannot press {keys:?}"))
    }

    /// Runs a script in each page that this tab opens from now on, before any other.
    pub async fn before_pages(&self, script: &str) -> anyhow::Result<()> {
        let source = json!({"source": script});
        self.driver.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", source).await?;
        Ok(())
    }

    /// Goes on in a new tab, which is in front.
    pub async fn new_tab(&self) -> anyhow::Result<()> {
        let tab = self.driver.new_tab().await?;
        Ok(self.driver.switch_to_window(tab).await?)
    }

    /// Clicks on a link to a file, and gives the file's name and text.
    pub async fn download(&self, css: &str, wanted: &str) -> anyhow::Result<(String, String)> {
        let folder = tempfile::tempdir()?;
        let allowed = json!({"behavior": "allow", "downloadPath": folder.path()});
        self.driver.cdp().send_raw("Browser.setDownloadBehavior", allowed).await?;
        self.click(css, wanted).await?;
        // It has its name as soon as it is whole.
        until(&format!("the file of {css} with {wanted:?}"), PATIENCE, || async {
            let names = std::fs::read_dir(folder.path())?.map(|file| Ok(file?.file_name().into_string().ok()));
            let names = names.collect::<std::io::Result<Vec<_>>>()?;
            let is_whole = |name: &String| !name.starts_with('.') && !name.ends_with(".crdownload");
            let name = names.into_iter().flatten().find(is_whole).context("it is not there")?;
            let text = std::fs::read_to_string(folder.path().join(&name))?;
            Ok((name, text))
        })
        .await
    }

    /// What pages complained of since the last time: errors of scripts, what the policy refused, what could not be loaded.
    pub async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.driver.browser_log().await?;
        let bad = log.into_iter().filter(|entry| matches!(&*entry.level, "SEVERE" | "WARNING"));
        Ok(bad.map(|entry| entry.message).collect())
    }

    /// What is wider than the window, so that one would have to scroll sideways: its tag and class each.
    pub async fn too_wide(&self) -> anyhow::Result<Vec<String>> {
        let script = "
            const room = document.documentElement.clientWidth;
            const scrolls = (found) => found && (getComputedStyle(found).overflowX !== 'visible' || scrolls(found.parentElement));
            if (document.documentElement.scrollWidth <= room) return [];
            return [...document.body.querySelectorAll('*')]
                .filter((found) => found.getBoundingClientRect().right > room + 1 && !scrolls(found.parentElement))
                .map((found) => `${found.tagName}.${found.className}: ${found.innerText?.slice(0, 60)}`)";
        let found = self.eval(script).await?;
        Ok(found.as_array().into_iter().flatten().map(|found| text(found.clone())).collect())
    }

    /// What axe-core finds that is serious or critical: rule, element and why.
    pub async fn barriers(&self) -> anyhow::Result<Vec<String>> {
        let axe = repository().join("target/tools/axe-core.js");
        let axe = tokio::fs::read_to_string(&axe).await.with_context(|| format!("{}: make tools", axe.display()))?;
        self.eval(&axe).await?;
        let script = "
            const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations
                .filter((rule) => rule.impact === 'serious' || rule.impact === 'critical')
                .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`))),
                (error) => done([String(error)]))";
        let found = self.driver.execute_async(script, vec![]).await?.json().clone();
        let found = found.as_array().context("axe-core gives a list")?;
        Ok(found.iter().cloned().map(text).collect())
    }

    /// The whole page as PNG, at most `height` pixels of it.
    pub async fn screenshot(&self, looks: Looks, height: u32) -> anyhow::Result<Vec<u8>> {
        self.look(looks).await?;
        let whole = self.eval("return Math.ceil(document.documentElement.getBoundingClientRect().height)").await?;
        let whole = whole.as_u64().and_then(|whole| u32::try_from(whole).ok()).unwrap_or(height);
        self.resize(looks.width, whole.clamp(300, height)).await?;
        let png = self.driver.screenshot_as_png().await?;
        self.look(looks).await?;
        Ok(png)
    }
}

/// Starts Chromium and waits until it says where it can be driven.
async fn start_chromium(profile: &Path) -> anyhow::Result<(Process, String)> {
    let mut command = ending_with_us("chromium");
    command.args(FLAGS).arg("--remote-debugging-port=0");
    command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank").env("TZ", "UTC");
    let mut chromium = Process::start("chromium", command, &profile.join("chromium.out"))?;
    let file = profile.join("DevToolsActivePort");
    let port = until("chromium", PATIENCE, || {
        let running = chromium.check_running();
        let said = std::fs::read_to_string(&file);
        async move {
            running?;
            let said = said?;
            // Its second line is the path, so that one line that ends is whole.
            let (port, _) = said.split_once('\n').context("half of it is written")?;
            Ok(port.parse::<u16>()?)
        }
    })
    .await?;
    Ok((chromium, format!("127.0.0.1:{port}")))
}

/// Starts the driver and waits until it listens.
async fn start_chromedriver(folder: &Path) -> anyhow::Result<(Process, String)> {
    let (mut command, log) = (ending_with_us("chromedriver"), folder.join("chromedriver.out"));
    // A port of the system's choice, for IPv4, it wants for IPv6 too, where another may have it.
    let port = free_port()?;
    command.arg(format!("--port={port}"));
    let mut chromedriver = Process::start("chromedriver", command, &log)?;
    until("chromedriver", PATIENCE, || {
        let (running, said) = (chromedriver.check_running(), std::fs::read_to_string(&log));
        async move {
            running?;
            anyhow::ensure!(said?.contains("started successfully on port"), "it does not say that it listens");
            Ok(())
        }
    })
    .await?;
    Ok((chromedriver, format!("http://127.0.0.1:{port}")))
}

/// A tool that is killed when the thread that starts it ends, in whatever way: nobody would drive it any more.
fn ending_with_us(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(tool(name));
    command
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
