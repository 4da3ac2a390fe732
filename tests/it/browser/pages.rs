//! Every page shows what the clusters really have, on every screen, and for everybody.

use e2e::{Browser, Looks, World, get_json};

use super::{no_complaints, world};

/// A node of each kind of trouble, as both clusters really have it.
async fn fail(world: &World) {
    let disk = "CheckDisk CRITICAL: / is 97% full\n/dev/vda1  50G  48G  2G  97%  /";
    world.tokyo.set_check(0, "check_disk", 2, disk).unwrap();
    world.tokyo.set_check(1, "check_memory", 1, "CheckMemory WARNING: 8% free").unwrap();
    world.osaka.set_check(0, "check_http", 3, "CheckHttp UNKNOWN: no route to host").unwrap();
}

#[tokio::test]
async fn an_alert_leads_to_its_node_with_all_its_checks() {
    let (world, browser, _data) = world().await;
    let node = world.tokyo.instance(0);
    browser.open(&world.page(&format!("/nodes/tokyo/checkscript/{node}?check=check_disk"))).await.unwrap();
    browser.see("pre.now.ok", "check_disk OK: fine").await.unwrap();
    fail(&world).await;
    browser.open(&world.page("/")).await.unwrap();
    browser.see("tr.critical .output", "CheckDisk CRITICAL: / is 97% full").await.unwrap();
    browser.see("tr.warning .output", "CheckMemory WARNING: 8% free").await.unwrap();
    browser.see("tr.unknown .output", "CheckHttp UNKNOWN: no route to host").await.unwrap();
    let failing = browser.texts("tr.critical, tr.warning, tr.unknown").await.unwrap();
    assert_eq!(
        failing.len(),
        3,
        "each is shown once, although two Prometheus tell two Alertmanagers of it: {failing:#?}"
    );

    browser.click("tr.critical a.open", &node).await.unwrap();
    browser.see("h1", &node).await.unwrap();
    browser.see("h2.opened", "check_disk").await.unwrap();
    browser.see("pre.now", "/dev/vda1  50G  48G  2G  97%  /").await.unwrap();
    for check in ["check_disk", "check_memory", "check_http"] {
        browser.see(".checks li", check).await.unwrap();
    }
    how_it_was(&browser).await;
    // A check that passes opens as well.
    browser.click(".checks a", "check_http").await.unwrap();
    browser.see("pre.now.ok", "check_http OK: fine").await.unwrap();

    browser.click("nav a", "Nodes").await.unwrap();
    for (state, pair, node) in
        [("critical", &world.tokyo, 0), ("warning", &world.tokyo, 1), ("unknown", &world.osaka, 0)]
    {
        browser.see(&format!("tr.{state} a.open"), &pair.instance(node)).await.unwrap();
    }
    browser.see("tr.critical .chip", "check_disk").await.unwrap();
    browser.click("nav a", "Checks").await.unwrap();
    // All nodes of one check, and from there to one of them.
    browser.click("tr.critical a.open", "check_disk").await.unwrap();
    for (state, pair, node) in [("critical", &world.tokyo, 0), ("ok", &world.tokyo, 1), ("ok", &world.osaka, 0)] {
        browser.see(&format!("tr.{state} a.open"), &pair.instance(node)).await.unwrap();
    }
    browser.click("tr.critical a.open", &node).await.unwrap();
    browser.see("h2.opened", "check_disk").await.unwrap();
    browser.click("nav a", "Silences").await.unwrap();
    browser.see("nav [aria-current]", "Silences").await.unwrap();
    no_complaints(&browser).await;
}

/// What the page of a check that has just failed says of before.
async fn how_it_was(browser: &Browser) {
    browser.see(".difference .gone", "check_disk OK: fine").await.unwrap();
    browser.see(".difference .new", "CheckDisk CRITICAL: / is 97% full").await.unwrap();
    browser.see(".history .ok .line", "check_disk OK: fine").await.unwrap();
    browser.see(".history .critical.changed .line", "CheckDisk CRITICAL: / is 97% full").await.unwrap();
    let strip = "return [...document.querySelectorAll('#strip svg rect')].at(-1)?.textContent.startsWith('CRITICAL')";
    browser.wait("the strip to end in what is now", &format!("{strip} === true")).await.unwrap();
    browser.see("#strip figcaption", "CheckCritical 1×").await.unwrap();
}

#[tokio::test]
async fn what_is_chosen_stands_in_the_address() {
    let (world, browser, _data) = world().await;
    fail(&world).await;
    browser.open(&world.page("/")).await.unwrap();
    for output in ["97% full", "8% free", "no route to host"] {
        browser.see("td.output", output).await.unwrap();
    }
    browser.click(".choice", "critical").await.unwrap();
    browser.see_no("td.output", "8% free").await.unwrap();
    assert_eq!(browser.address().await.unwrap(), "/?severity=critical");
    browser.click(".choice", "warning").await.unwrap();
    browser.see("td.output", "8% free").await.unwrap();
    assert_eq!(browser.address().await.unwrap(), "/?severity=critical,warning");
    // A colleague who opens the address sees the same.
    let address = browser.address().await.unwrap();
    browser.open(&world.page("/nodes")).await.unwrap();
    browser.open(&world.page(&address)).await.unwrap();
    browser.see(".choice[aria-current]", "critical").await.unwrap();
    browser.see_no("td.output", "no route to host").await.unwrap();

    browser.open(&world.page("/?cluster=osaka")).await.unwrap();
    browser.see("td.output", "no route to host").await.unwrap();
    browser.see_no("td.output", "97% full").await.unwrap();
    // Found by words of the output, then by matchers; both by typing.
    browser.open(&world.page("/")).await.unwrap();
    browser.click("input[name=find]", "").await.unwrap();
    browser.press("route to\u{e007}").await.unwrap();
    browser.wait("the search", "return location.search.includes('find=route')").await.unwrap();
    browser.see("td.output", "no route to host").await.unwrap();
    browser.see_no("td.output", "97% full").await.unwrap();
    browser.open(&world.page("/")).await.unwrap();
    browser.click("input[name=filter]", "").await.unwrap();
    browser.press("check=~\"check_(disk|memory)\"\u{e007}").await.unwrap();
    browser.wait("the filter", "return location.search.includes('filter=check')").await.unwrap();
    browser.see("td.output", "97% full").await.unwrap();
    browser.see_no("td.output", "no route to host").await.unwrap();
    // Sorted both ways round.
    for (clicks, order) in [(1, ["check_disk", "check_memory"]), (2, ["check_memory", "check_disk"])] {
        browser.click("th a", "Check").await.unwrap();
        let sorted = format!("return location.search.includes('sort={}check')", if clicks == 1 { "" } else { "-" });
        browser.wait("the order", &sorted).await.unwrap();
        let checks = browser.texts(".rows tbody td.name + td.name").await.unwrap();
        assert_eq!(checks, order, "after {clicks} clicks");
    }
    // By groups, and into one.
    browser.click(".groupby a", "instance").await.unwrap();
    browser.click("tbody a", &world.tokyo.instance(1)).await.unwrap();
    browser.see("td.output", "8% free").await.unwrap();
    browser.see_no("td.output", "97% full").await.unwrap();
    // Page by page.
    browser.open(&world.page("/nodes?limit=1&sort=node")).await.unwrap();
    browser.see("a.open", &world.tokyo.instance(1)).await.unwrap();
    browser.click("a[rel=next]", "").await.unwrap();
    browser.see("a.open", &world.tokyo.instance(0)).await.unwrap();
    browser.see(".pages", "2 of 3").await.unwrap();
    no_complaints(&browser).await;
}

/// Every page of which nothing needs to be written first.
fn pages(world: &World) -> Vec<String> {
    let node = world.page(&format!("/nodes/tokyo/checkscript/{}", world.tokyo.instance(0)));
    let form = "/silences/new?cluster=tokyo,osaka&filter=check%3D%22check_disk%22";
    let lists = [form, "/", "/?group=check", "/?find=nowhere", "/nodes", "/checks", "/checks/check_disk", "/silences"]
        .map(|path| world.page(path));
    lists.into_iter().chain([format!("{node}?check=check_disk"), node]).collect()
}

/// The page of an alert.
async fn alert(world: &World) -> String {
    let alerts = get_json(&world.page("/api/v1/alerts?limit=1")).await.unwrap();
    let [cluster, fingerprint] = ["cluster", "fingerprint"].map(|name| alerts["rows"][0][name].as_str().unwrap());
    world.page(&format!("/alerts/{cluster}/{fingerprint}"))
}

#[tokio::test]
async fn every_page_can_be_used_by_everybody_on_every_screen() {
    let (world, browser, _data) = world().await;
    fail(&world).await;
    browser.open(&world.page("/")).await.unwrap();
    for output in ["97% full", "8% free", "no route to host"] {
        browser.see("td.output", output).await.unwrap();
    }
    let mut found = Vec::new();
    for page in pages(&world).into_iter().chain([alert(&world).await]) {
        browser.open(&page).await.unwrap();
        for looks in Looks::ALL {
            browser.look(looks).await.unwrap();
            found.extend(wrong(&browser).await.into_iter().map(|wrong| format!("{page}, {looks:?}: {wrong}")));
        }
    }
    found.extend(wrong_on_rarer_pages(&world, &browser).await);
    assert!(found.is_empty(), "{found:#?}");
    japanese(&world, &browser).await;
    no_complaints(&browser).await;
}

/// What is wrong, on a phone at night, with pages that one comes to by doing something first.
async fn wrong_on_rarer_pages(world: &World, browser: &Browser) -> Vec<String> {
    let node = format!("/nodes/tokyo/checkscript/{}?check=check_disk&range=7d", world.tokyo.instance(0));
    let look = "document.querySelectorAll('details').forEach((details) => { details.open = true; })";
    let show = "document.querySelector('#filter').value = 'check=~\"('; document.querySelector('button[value=preview]').click()";
    let mut found = Vec::new();
    browser.look(Looks::ALL[3]).await.unwrap();
    for (page, script, css) in [
        (&*node, look, "#strip details[open] li"),
        ("/checks/check_disk?state=ok", "", "tr.ok a.open"),
        ("/silences/new", show, "form .problem"),
        ("/nowhere", "", "p.nothing"),
    ] {
        browser.open(&world.page(page)).await.unwrap();
        browser.eval(script).await.unwrap();
        browser.see(css, "").await.unwrap();
        found.extend(wrong(browser).await.into_iter().map(|wrong| format!("{page}: {wrong}")));
    }
    let complaints = browser.complaints().await.unwrap();
    found.extend(complaints.into_iter().filter(|said| !said.contains("/nowhere - Failed to load resource")));
    found
}

async fn wrong(browser: &Browser) -> Vec<String> {
    let mut wrong = browser.barriers().await.unwrap();
    wrong.extend(browser.too_wide().await.unwrap().into_iter().map(|wide| format!("wider than the window: {wide}")));
    wrong
}

async fn japanese(world: &World, browser: &Browser) {
    browser.open(&world.page("/")).await.unwrap();
    browser.click("footer button", "日本語").await.unwrap();
    browser.see("nav [aria-current]", "アラート").await.unwrap();
    assert_eq!(browser.eval("return document.documentElement.lang").await.unwrap(), "ja");
    for looks in Looks::ALL {
        browser.look(looks).await.unwrap();
        for page in pages(world) {
            browser.open(&page).await.unwrap();
            assert_eq!(browser.too_wide().await.unwrap(), [""; 0], "{page}, {looks:?}");
            let broken = "return [...document.querySelectorAll('td.act a')].filter((link) => link.getClientRects().length > 1).length";
            assert_eq!(browser.eval(broken).await.unwrap(), 0, "words that are broken on {page}, {looks:?}");
        }
    }
    // The choice stays, and can be taken back.
    browser.open(&world.page("/silences")).await.unwrap();
    browser.click("footer button", "English").await.unwrap();
    browser.see("nav [aria-current]", "Silences").await.unwrap();
}
