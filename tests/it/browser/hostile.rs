//! What checks print is anybody's text: it is shown, and does nothing.

use super::{no_complaints, world};

/// Each would change the page, its title or the browser if it were taken for anything but text.
const HOSTILE: [&str; 6] = [
    "<script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    "</pre><h1>taken</h1><style>body { display: none }</style>",
    "\"><svg onload=\"document.title='taken'\">",
    "<a href=\"javascript:document.title='taken'\">taken</a>",
    "{{ 7 * 7 }} ${7 * 7} &lt;b&gt;",
];

#[tokio::test]
async fn hostile_output_is_text_on_every_page() {
    let (world, browser, _data) = world().await;
    let lines = HOSTILE.join("\n");
    // Terminal escapes and an override of the text's direction are left out; the rest is shown as it is.
    world
        .tokyo
        .set_check(0, "check_disk", 2, &format!("\u{1b}[31mred\u{1b}[0m \u{202e}{lines}\n{}", "long ".repeat(40_000)))
        .unwrap();
    for (check, hostile) in [("check_memory", HOSTILE[0]), ("check_http", HOSTILE[1])] {
        world.tokyo.set_check(0, check, 1, hostile).unwrap();
    }
    world.osaka.set_check(0, "check_disk", 2, HOSTILE[2]).unwrap();

    browser.open(&world.page("/")).await.unwrap();
    for hostile in [&format!("red {}", HOSTILE[0])[..], HOSTILE[0], HOSTILE[1], HOSTILE[2]] {
        browser.see("td.output", hostile).await.unwrap();
    }
    unharmed(&browser).await;
    let node = format!("/nodes/tokyo/checkscript/{}", world.tokyo.instance(0));
    browser.open(&world.page(&format!("{node}?check=check_disk"))).await.unwrap();
    for hostile in HOSTILE {
        browser.see("pre.now", hostile).await.unwrap();
    }
    let shown = browser.text("pre.now").await.unwrap();
    assert!(!shown.contains(['\u{1b}', '\u{202e}']) && shown.len() <= 70_000, "{} bytes", shown.len());
    unharmed(&browser).await;
    for page in ["/nodes", "/checks", "/checks/check_disk", "/?group=instance", "/silences"] {
        browser.open(&world.page(page)).await.unwrap();
        unharmed(&browser).await;
    }
    // What somebody puts into an address for others is text as well.
    let hostile = "%22%3E%3Cscript%3Edocument.title%3D'taken'%3C%2Fscript%3E";
    for page in ["/?find=", "/?group=", "/nodes?find=", "/checks?find=", "/silences?find=", "/?sort=check&told="] {
        browser.open(&world.page(&format!("{page}{hostile}"))).await.unwrap();
        unharmed(&browser).await;
    }
    no_complaints(&browser).await;
}

/// The page's title is its own, and nothing in it runs, loads or is styled that the templates did not put there.
async fn unharmed(browser: &e2e::Browser) {
    let script = "return !document.title.includes('taken')
        && !document.querySelector('script:not([src^=\"/assets/\"]), style, [onerror], [onload], a[href^=\"javascript:\"], #live img, #live svg[onload]')
        && ![...document.querySelectorAll('h1')].some((found) => found.textContent === 'taken')
        && getComputedStyle(document.body).display !== 'none'";
    assert_eq!(
        browser.eval(script).await.unwrap(),
        true,
        "{}",
        browser.eval("return document.body.outerHTML").await.unwrap()
    );
}
