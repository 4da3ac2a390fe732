//! All of it without a mouse, and without a hand of one's own: what a screen reader follows is the focus.

use super::{no_complaints, world};

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";
const SPACE: &str = " ";

#[tokio::test]
async fn the_keyboard_alone_does_everything() {
    let (world, browser, _data) = world().await;
    let outputs = ["CheckDisk CRITICAL: full", "CheckHttp CRITICAL: refused", "CheckMemory WARNING: little"];
    world.tokyo.set_check(0, "check_disk", 2, outputs[0]).unwrap();
    world.tokyo.set_check(0, "check_http", 2, outputs[1]).unwrap();
    world.tokyo.set_check(0, "check_memory", 1, outputs[2]).unwrap();
    let list = "/?sort=check&severity=critical,warning";
    browser.open(&world.page(list)).await.unwrap();
    for output in outputs {
        browser.see("td.output", output).await.unwrap();
    }
    // j and k move the focus, which a screen reader follows.
    let row = "return document.activeElement.closest('tr')?.querySelector('td.output').innerText";
    for (key, output) in [("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)] {
        browser.press(key).await.unwrap();
        assert_eq!(browser.eval(row).await.unwrap(), outputs[output], "after {key}");
    }
    // x chooses, and what is chosen stays so while the page changes.
    browser.press("x").await.unwrap();
    browser.wait("the chosen row", "return document.querySelectorAll('tr.picked').length === 1").await.unwrap();
    world.tokyo.set_check(0, "check_memory", 1, "CheckMemory WARNING: less").unwrap();
    browser.see("#chosen", "1").await.unwrap();
    world.tokyo.set_check(1, "check_disk", 1, "CheckDisk WARNING: 88%").unwrap();
    browser.see("td.output", "CheckDisk WARNING: 88%").await.unwrap();
    assert_eq!(browser.texts("tr.picked td.output").await.unwrap(), [outputs[1]]);
    assert_eq!(browser.eval(row).await.unwrap(), outputs[1], "the focus stays where it was");
    browser.press(ESCAPE).await.unwrap();
    browser.wait("no chosen row", "return !document.querySelector('tr.picked')").await.unwrap();
    // Enter opens the node.
    browser.press(ENTER).await.unwrap();
    browser.see("h2.opened", "check_http").await.unwrap();
    // j goes through its checks, Enter opens one.
    browser.wait("the page's script", "return document.readyState === 'complete'").await.unwrap();
    browser.press("j").await.unwrap();
    browser
        .wait("a check to have the focus", "return Boolean(document.activeElement.closest('.checks li'))")
        .await
        .unwrap();
    browser.press("k").await.unwrap();
    browser.press(ENTER).await.unwrap();
    browser.see("h1", &world.tokyo.instance(0)).await.unwrap();
    // g goes elsewhere, / to the search, where letters are letters.
    browser.press("gn").await.unwrap();
    browser.see("nav [aria-current]", "Nodes").await.unwrap();
    browser.press("/").await.unwrap();
    browser.press(&format!("db jx{ENTER}")).await.unwrap();
    browser.wait("the search", "return location.search.includes('find=db')").await.unwrap();
    assert_eq!(browser.eval("return document.querySelector('input[name=find]').value").await.unwrap(), "db jx");
    // ? helps, and Escape takes it away.
    browser.press("?").await.unwrap();
    browser.wait("the help", "return document.querySelector('#help').open").await.unwrap();
    assert_eq!(browser.barriers().await.unwrap(), [""; 0]);
    browser.press(ESCAPE).await.unwrap();
    browser.wait("no help", "return !document.querySelector('#help').open").await.unwrap();
    no_complaints(&browser).await;
}

#[tokio::test]
async fn s_silences_the_check_that_is_looked_at_and_not_its_node() {
    let (world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_http", 2, "CheckHttp CRITICAL: refused").unwrap();
    let node = world.page(&format!("/nodes/tokyo/checkscript/{}", world.tokyo.instance(0)));
    let ready = "return document.readyState === 'complete'";
    let form = "return location.pathname === '/silences/new'";
    let check = "return new URLSearchParams(location.search).get('check')";
    // Nothing has the focus: the check that is open.
    browser.open(&node).await.unwrap();
    browser.see("h2.opened", "check_http").await.unwrap();
    browser.wait("the page's script", ready).await.unwrap();
    browser.press("s").await.unwrap();
    browser.wait("the form", form).await.unwrap();
    assert_eq!(browser.eval(check).await.unwrap(), "check_http");
    // Another check has it than the one that is open.
    browser.open(&format!("{node}?check=check_http")).await.unwrap();
    browser.see("h2.opened", "check_http").await.unwrap();
    browser.wait("the page's script", ready).await.unwrap();
    browser.press("jj").await.unwrap();
    let focus = "return document.activeElement.closest('.checks li')?.querySelector('b').textContent";
    assert_eq!(browser.eval(focus).await.unwrap(), "check_disk");
    browser.press("s").await.unwrap();
    browser.wait("the form", form).await.unwrap();
    assert_eq!(browser.eval(check).await.unwrap(), "check_disk");
    // No check is open: the node.
    let other = world.page(&format!("/nodes/tokyo/checkscript/{}", world.tokyo.instance(1)));
    browser.open(&other).await.unwrap();
    browser.see(".checks li", "check_disk").await.unwrap();
    browser.wait("the page's script", ready).await.unwrap();
    browser.press("s").await.unwrap();
    browser.wait("the form", form).await.unwrap();
    assert_eq!(browser.eval(check).await.unwrap(), serde_json::Value::Null);
    no_complaints(&browser).await;
}

#[tokio::test]
async fn tab_reaches_everything_in_the_order_of_the_page() {
    let (world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: full").unwrap();
    browser.open(&world.page("/?find=full")).await.unwrap();
    browser.see("td.output", "CheckDisk CRITICAL: full").await.unwrap();
    // Every link, button and field that is seen, as they stand in the page.
    let all = "window.all = [...document.querySelectorAll('a[href], button, input:not([type=hidden])')]
        .filter((found) => found.checkVisibility({visibilityProperty: true}) && !found.closest('dialog')); return window.all.length";
    let all = browser.eval(all).await.unwrap().as_u64().unwrap();
    let at = "return window.all.indexOf(document.activeElement)";
    for number in 0..all {
        browser.press(TAB).await.unwrap();
        assert_eq!(browser.eval(at).await.unwrap(), number, "of {all}");
        let seen = browser
            .eval("const style = getComputedStyle(document.activeElement); return style.outlineStyle")
            .await
            .unwrap();
        assert_ne!(seen, "none", "the focus on {number} is seen");
    }
    // The checkbox of a row, by Space.
    browser.eval("document.querySelector('td.pick input').focus()").await.unwrap();
    browser.press(SPACE).await.unwrap();
    browser.see("tr.picked td.output", "full").await.unwrap();
    no_complaints(&browser).await;
}
