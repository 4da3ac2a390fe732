//! Pages that stay open: what changes comes to them, and servers that die take nothing with them.

use e2e::Member;

use super::{no_complaints, world};

/// A mark in the page, which a reload would take away.
const MARK: &str = "window.mark = 'mine'; document.querySelector('nav').dataset.mark = 'mine'";
const MARKED: &str = "return window.mark === 'mine'";

#[tokio::test]
async fn what_changes_is_shown_without_a_reload() {
    let (world, browser, _data) = world().await;
    browser.open(&world.page("/")).await.unwrap();
    browser.eval(MARK).await.unwrap();
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: / is 97% full").unwrap();
    browser.see("tr.critical td.output", "97% full").await.unwrap();
    browser.see(".tabs-main .count.critical", "1").await.unwrap();
    assert_eq!(browser.eval(MARKED).await.unwrap(), true);
    world.tokyo.set_check(0, "check_disk", 0, "CheckDisk OK: / is 20% full").unwrap();
    browser.see_no("td.output", "97% full").await.unwrap();
    assert_eq!(browser.eval(MARKED).await.unwrap(), true);

    // The node's page follows its checks.
    let node = format!("/nodes/osaka/checkscript/{}?check=check_http", world.osaka.instance(0));
    browser.open(&world.page(&node)).await.unwrap();
    browser.see("pre.now.ok", "check_http OK: fine").await.unwrap();
    browser.eval(MARK).await.unwrap();
    world.osaka.set_check(0, "check_http", 1, "CheckHttp WARNING: 3 s").unwrap();
    browser.see("pre.now.warning", "CheckHttp WARNING: 3 s").await.unwrap();
    assert_eq!(browser.eval(MARKED).await.unwrap(), true);
    no_complaints(&browser).await;
}

#[tokio::test]
async fn servers_that_die_are_told_of_and_the_others_go_on() {
    let (mut world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: / is 97% full").unwrap();
    world.osaka.set_check(0, "check_http", 2, "CheckHttp CRITICAL: refused").unwrap();
    browser.open(&world.page("/")).await.unwrap();
    browser.see("td.output", "97% full").await.unwrap();
    browser.see("td.output", "refused").await.unwrap();
    browser.eval(MARK).await.unwrap();

    // One Alertmanager of a pair: nothing is missing, and it is said.
    world.tokyo.kill(Member::Alertmanager(0)).await.unwrap();
    browser.see(".trouble:not(.old)", "Alertmanager, tokyo").await.unwrap();
    browser.see("td.output", "97% full").await.unwrap();
    world.tokyo.set_check(1, "check_memory", 1, "CheckMemory WARNING: 8% free").unwrap();
    browser.see("td.output", "8% free").await.unwrap();

    // The whole cluster: what it said last is shown with its age, and the other one goes on.
    for member in [Member::Alertmanager(1), Member::Prometheus(0), Member::Prometheus(1)] {
        world.tokyo.kill(member).await.unwrap();
    }
    browser.see(".trouble.old", "Alertmanager, tokyo").await.unwrap();
    browser.see(".trouble.old", "Prometheus, tokyo").await.unwrap();
    browser.see(".trouble.old time", " s").await.unwrap();
    browser.see("td.output", "97% full").await.unwrap();
    world.osaka.set_check(0, "check_disk", 1, "CheckDisk WARNING: 88%").unwrap();
    browser.see("tr.warning td.output", "CheckDisk WARNING: 88%").await.unwrap();

    // Back again.
    for member in [Member::Alertmanager(0), Member::Alertmanager(1), Member::Prometheus(0), Member::Prometheus(1)] {
        world.tokyo.spawn(member).await.unwrap();
    }
    browser.see_no(".trouble", "").await.unwrap();
    browser.see("td.output", "97% full").await.unwrap();
    assert_eq!(browser.eval(MARKED).await.unwrap(), true);
    no_complaints(&browser).await;
}

/// What the focus did since then.
const WATCH_FOCUS: &str = "window.moves = 0;
    for (const name of ['focusin', 'focusout']) document.addEventListener(name, () => { window.moves += 1; })";

#[tokio::test]
async fn more_tabs_than_connections_are_live() {
    let (world, browser, _data) = world().await;
    let driver = browser.driver();
    browser.open(&world.page("/")).await.unwrap();
    let mut tabs = vec![driver.window().await.unwrap()];
    // HTTP/1.1 has six connections to a server.
    for _ in 0..7 {
        let tab = driver.new_tab().await.unwrap();
        driver.switch_to_window(tab.clone()).await.unwrap();
        browser.open(&world.page("/")).await.unwrap();
        browser.eval(MARK).await.unwrap();
        tabs.push(tab);
    }
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: / is 97% full").unwrap();
    for tab in tabs.into_iter().rev() {
        driver.switch_to_window(tab).await.unwrap();
        browser.see("tr.critical td.output", "97% full").await.unwrap();
    }
    no_complaints(&browser).await;
}

#[tokio::test]
async fn a_row_that_goes_takes_no_focus_from_those_behind() {
    let (world, browser, _data) = world().await;
    for check in ["check_disk", "check_http", "check_memory"] {
        world.tokyo.set_check(0, check, 2, &format!("{check} CRITICAL: bad")).unwrap();
    }
    browser.open(&world.page("/?severity=critical&sort=check")).await.unwrap();
    browser.wait("three rows", "return document.querySelectorAll('#rows tbody tr').length === 3").await.unwrap();
    browser.eval("document.querySelectorAll('#rows a.open')[1].focus()").await.unwrap();
    browser.eval(WATCH_FOCUS).await.unwrap();
    world.tokyo.set_check(0, "check_disk", 0, "check_disk OK: good").unwrap();
    browser.see_no("td.output", "check_disk CRITICAL").await.unwrap();
    assert_eq!(browser.eval("return window.moves").await.unwrap(), 0);
    let row = "return document.activeElement.closest('tr')?.querySelector('td.output').innerText";
    assert_eq!(browser.eval(row).await.unwrap(), "check_http CRITICAL: bad");
    no_complaints(&browser).await;
}
