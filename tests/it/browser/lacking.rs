//! Browsers that lack something, or in which something goes wrong: pages go on all the same.

use e2e::{Browser, Member, World};

use super::hands::NOTIFICATIONS;
use super::{goes_on, no_complaints, world};

const ESCAPE: &str = "\u{e00c}";

/// As a browser that may keep nothing: a policy, a private window.
const NO_STORAGE: &str =
    "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } })";

/// As Chrome on Android before version 148, Safari before 16.
const NO_SHARED_WORKER: &str = "delete window.SharedWorker";

/// Tabs behind others that are hidden when the test says so: Chromium without a screen, from version 156 on, takes all for seen.
const HIDDEN: &str = "let hidden = false;
    Object.defineProperty(document, 'hidden', { get: () => hidden });
    window.hide = (now) => { hidden = now; document.dispatchEvent(new Event('visibilitychange')); }";

/// As Chrome on Android, which has notifications for service workers alone.
const NO_NOTIFICATION: &str = "window.Notification = class {
    static permission = 'granted';
    static requestPermission = async () => 'granted';
    constructor() { window.tried = true; throw new TypeError('Illegal constructor'); }
}";

/// What is asked from now on is never answered, and is given up at its limit, which comes soon.
const HANG: &str = "window.fetched = window.fetch;
    window.hanging = 0;
    const limit = AbortSignal.timeout;
    AbortSignal.timeout = (time) => limit.call(AbortSignal, time / 100);
    window.fetch = (address, { signal } = {}) => new Promise((_, reject) => {
        window.hanging += 1;
        signal?.addEventListener('abort', () => reject(signal.reason));
    })";

/// Counts updates of the page, and what a screen reader would say of them.
const LISTEN: &str = "window.shown = 0;
    window.said = [];
    document.addEventListener('shown', () => { window.shown += 1; });
    const regions = '[role=status], [role=alert], [aria-live], output';
    const isChange = ({ type, target, attributeName, oldValue }) =>
        type !== 'attributes' || oldValue !== target.getAttribute(attributeName);
    new MutationObserver((changes) => {
        for (const node of changes.filter(isChange).flatMap(({ target, addedNodes }) => [target, ...addedNodes])) {
            const region = (node.closest ? node : node.parentElement)?.closest(regions);
            if (region && region.ariaLive !== 'off') window.said.push(region.textContent);
        }
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributeOldValue: true })";

#[tokio::test]
async fn pages_are_live_without_what_a_browser_may_lack() {
    let (world, browser, _data) = world().await;
    let driver = browser.driver();
    let first = driver.window().await.unwrap();
    browser.before_pages(NO_STORAGE).await.unwrap();
    without_storage(&world, &browser).await;
    browser.new_tab().await.unwrap();
    without_notifications(&world, &browser).await;
    // The first tab has told it, from behind and with nothing kept.
    driver.switch_to_window(first).await.unwrap();
    browser.wait("a notification", "return window.told.length === 1").await.unwrap();
    browser.new_tab().await.unwrap();
    without_answers(&world, &browser).await;
    without_shared_workers(&world, &browser).await;
    no_complaints(&browser).await;
}

/// What a person chooses holds for as long as the page stands.
async fn without_storage(world: &World, browser: &Browser) {
    browser.open(&world.page("/")).await.unwrap();
    browser.eval(NOTIFICATIONS).await.unwrap();
    browser.click("#notify[aria-pressed=false]", "").await.unwrap();
    browser.see("#notify[aria-pressed=true]", "Notifying").await.unwrap();
    browser.press("?").await.unwrap();
    browser.click("#keys-on", "").await.unwrap();
    browser.press(ESCAPE).await.unwrap();
    browser.wait("no help", "return !document.querySelector('#help').open").await.unwrap();
    browser.press("?").await.unwrap();
    goes_on(browser).await;
    assert_eq!(browser.eval("return document.querySelector('#help').open").await.unwrap(), false, "keys are off");
    browser.see("#notify[aria-pressed=true]", "Notifying").await.unwrap();
}

async fn without_notifications(world: &World, browser: &Browser) {
    browser.before_pages(NO_NOTIFICATION).await.unwrap();
    browser.open(&world.page("/")).await.unwrap();
    browser.click("#notify[aria-pressed=false]", "").await.unwrap();
    browser.wait("what is known", "return Boolean(localStorage.getItem('notify-known'))").await.unwrap();
    world.osaka.set_check(0, "check_http", 2, "CheckHttp CRITICAL: refused").unwrap();
    browser.wait("a notification that fails", "return window.tried === true").await.unwrap();
    goes_on(browser).await;
    browser.see("#notify[aria-pressed=false]", "The browser does not allow notifications").await.unwrap();
}

async fn without_answers(world: &World, browser: &Browser) {
    browser.open(&world.page("/")).await.unwrap();
    browser.eval(HANG).await.unwrap();
    browser.wait("a request that hangs", "return window.hanging > 0").await.unwrap();
    browser.see("#lost:not([hidden])", "Not live since ").await.unwrap();
    browser.eval("window.fetch = window.fetched").await.unwrap();
    goes_on(browser).await;
    browser.wait("the page to be live", "return document.getElementById('lost').hidden").await.unwrap();
}

/// HTTP/1.1 has six connections to a server.
async fn without_shared_workers(world: &World, browser: &Browser) {
    let mut tabs = Vec::new();
    for number in 0..8 {
        if number > 0 {
            browser.eval("window.hide(true)").await.unwrap();
        }
        browser.new_tab().await.unwrap();
        browser.before_pages(&[NO_SHARED_WORKER, HIDDEN].join(";")).await.unwrap();
        browser.open(&world.page("/")).await.unwrap();
        tabs.push(browser.driver().window().await.unwrap());
    }
    goes_on(browser).await;
    // One from behind is live when it is in front.
    browser.eval("window.hide(true)").await.unwrap();
    browser.driver().switch_to_window(tabs.swap_remove(0)).await.unwrap();
    browser.eval("window.hide(false)").await.unwrap();
    goes_on(browser).await;
}

#[tokio::test]
async fn what_is_heard_is_what_is_new_and_nothing_typed_is_lost() {
    let (mut world, browser, _data) = world().await;
    world.osaka.set_check(0, "check_http", 2, "CheckHttp CRITICAL: refused").unwrap();
    browser.open(&world.page("/silences/new?filter=check%3D%22check_http%22&cluster=osaka")).await.unwrap();
    // What is answered to a form stands at an address of which the browser gets something else.
    browser.click("button[value=preview]", "").await.unwrap();
    browser.wait("the answer", "return location.pathname === '/silences'").await.unwrap();
    browser.click("#comment", "").await.unwrap();
    browser.press("a reason that is lo").await.unwrap();
    for member in [0, 1].map(Member::Alertmanager) {
        world.tokyo.kill(member).await.unwrap();
    }
    browser.see("#troubles .trouble.old", "Alertmanager, tokyo").await.unwrap();
    browser.press("ng").await.unwrap();
    assert_eq!(browser.eval("return document.querySelector('#comment').value").await.unwrap(), "a reason that is long");
    browser.wait("its own title", "return document.title.endsWith('New silence')").await.unwrap();

    // A trouble whose age grows, rows whose ages do, one that is chosen: of all that there is nothing new.
    browser.open(&world.page("/")).await.unwrap();
    browser.see("td.output", "refused").await.unwrap();
    browser.press("jx").await.unwrap();
    browser.see("#chosen", "1").await.unwrap();
    browser.see("#troubles .trouble.old", "Alertmanager, tokyo").await.unwrap();
    browser.eval(LISTEN).await.unwrap();
    browser.wait("three updates", "return window.shown >= 3").await.unwrap();
    assert_eq!(browser.eval("return window.said").await.unwrap(), serde_json::json!([]));
    // What is new is heard.
    world.osaka.kill(Member::Alertmanager(0)).await.unwrap();
    let heard = "return window.said.some((said) => said.includes('Alertmanager, osaka'))";
    browser.wait("it to be said", heard).await.unwrap();
    no_complaints(&browser).await;
}
