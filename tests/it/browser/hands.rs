//! Many rows at once, notifications, and a page that says when it is not live.

use serde_json::json;

use super::{no_complaints, world};

/// Stands in for the browser's own notifications, which need a screen.
pub(super) const NOTIFICATIONS: &str = "
    window.told = [];
    window.Notification = class {
        static permission = 'granted';
        static requestPermission = async () => 'granted';
        constructor(title, { body }) { window.told.push(`${title}: ${body}`); }
    }";

#[tokio::test]
async fn rows_are_chosen_together_and_new_alerts_are_told() {
    let (world, browser, _data) = world().await;
    for (node, check) in [(0, "check_disk"), (0, "check_http"), (0, "check_memory"), (1, "check_disk")] {
        world.tokyo.set_check(node, check, 2, &format!("{check} CRITICAL: bad")).unwrap();
    }
    browser.open(&world.page("/?severity=critical&sort=node")).await.unwrap();
    browser.wait("four rows", "return document.querySelectorAll('#rows tbody tr').length === 4").await.unwrap();

    // From here to there with Shift, all of them by the box in the head, and none.
    let click = "const boxes = document.querySelectorAll('td.pick input');
        boxes[arguments[0]].dispatchEvent(new MouseEvent('click', { bubbles: true, shiftKey: arguments[1] }))";
    browser.eval_with(click, vec![json!(0), json!(false)]).await.unwrap();
    browser.see("#chosen", "1").await.unwrap();
    browser.eval_with(click, vec![json!(2), json!(true)]).await.unwrap();
    browser.see("#chosen", "3").await.unwrap();
    browser.click("th.pick input", "").await.unwrap();
    browser.see("#chosen", "4").await.unwrap();
    // They stay chosen when the page changes, and one that is over is no more among them.
    world.tokyo.set_check(1, "check_disk", 0, "check_disk OK: good").unwrap();
    browser.see("#chosen", "3").await.unwrap();
    let silence = "document.getElementById('picking').addEventListener('submit', (event) => {
        event.preventDefault();
        window.asked = new FormData(event.target).getAll('alert');
    })";
    browser.eval(silence).await.unwrap();
    browser.press("s").await.unwrap();
    browser.wait("what is silenced", "return window.asked?.length === 3").await.unwrap();
    browser.press("\u{e00c}").await.unwrap();
    browser.wait("nothing to be chosen", "return document.getElementById('chosen').textContent === ''").await.unwrap();

    // Only what is new and matches is told, several at once; and nothing more after the button says so.
    browser.eval(NOTIFICATIONS).await.unwrap();
    browser.click("#notify[aria-pressed=false]", "").await.unwrap();
    browser.wait("what is known", "return Boolean(localStorage.getItem('notify-known'))").await.unwrap();
    world.tokyo.set_check(1, "check_memory", 1, "check_memory WARNING: little").unwrap();
    world.osaka.set_check(0, "check_http", 2, "check_http CRITICAL: refused").unwrap();
    browser.wait("a notification", "return window.told.length > 0").await.unwrap();
    let told = browser.eval("return window.told").await.unwrap();
    let text = told[0].as_str().unwrap();
    assert!(text.starts_with("1 new alert: check_http · ") && text.contains("refused"), "{told}");
    browser.click("#notify[aria-pressed=true]", "").await.unwrap();
    assert_eq!(browser.eval("return localStorage.getItem('notify')").await.unwrap(), json!(null));
    browser.wait("the title", "return document.title.startsWith('(4) ')").await.unwrap();
    no_complaints(&browser).await;

    // While it cannot be fetched the page says since when it shows nothing new, and goes on by itself afterwards.
    browser
        .eval("window.fetched = window.fetch; window.fetch = () => Promise.reject(new TypeError('off'))")
        .await
        .unwrap();
    browser.see("#lost:not([hidden])", "Not live since ").await.unwrap();
    browser.eval("window.fetch = window.fetched").await.unwrap();
    browser.wait("the page to be live", "return document.getElementById('lost').hidden").await.unwrap();
    world.osaka.set_check(0, "check_http", 2, "check_http CRITICAL: refused again").unwrap();
    browser.see("td.output", "refused again").await.unwrap();
}
