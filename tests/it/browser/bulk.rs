//! Many at once in both clusters, with the keyboard: silenced, extended, ended; and what cannot be done in one is told while
//! the other goes on.

use e2e::{Browser, Member};
use serde_json::Value;

use super::silences::{active, silences};
use super::{no_complaints, world};

/// Chooses the first two rows.
async fn choose_two(browser: &Browser) {
    browser.wait("two rows", "return document.querySelectorAll('#rows tbody tr').length === 2").await.unwrap();
    browser.wait("the page's script", "return document.readyState === 'complete'").await.unwrap();
    browser.press("jxjx").await.unwrap();
    browser.wait("two chosen rows", "return document.querySelectorAll('tr.picked').length === 2").await.unwrap();
}

fn ends(silences: &[Value]) -> Vec<String> {
    let active = silences.iter().filter(|silence| silence["status"]["state"] == "active");
    active.filter_map(|silence| silence["endsAt"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_cannot_be_done_in_one_cluster_is_told_and_the_other_goes_on() {
    let (mut world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: one").unwrap();
    world.osaka.set_check(0, "check_http", 2, "CheckHttp CRITICAL: two").unwrap();
    browser.open(&world.page("/?severity=critical&sort=check")).await.unwrap();
    for output in ["one", "two"] {
        browser.see("td.output", output).await.unwrap();
    }
    choose_two(&browser).await;
    browser.see("#chosen", "2").await.unwrap();
    browser.press("s").await.unwrap();
    browser.see("#preview .muted li", "CheckDisk CRITICAL: one").await.unwrap();
    browser.see("#preview .muted li", "CheckHttp CRITICAL: two").await.unwrap();
    browser.eval("document.querySelector('#comment').focus()").await.unwrap();
    browser.press("maintenance\u{e004}taro").await.unwrap();
    browser.click("button[value=create]", "").await.unwrap();
    browser.see(".done", "Silences made: 2").await.unwrap();
    let mut made = Vec::new();
    for pair in [&world.tokyo, &world.osaka] {
        made.push(ends(&silences(pair, "a silence", |silences| active(silences) == 1).await).remove(0));
    }

    choose_two(&browser).await;
    browser.click("#bulk button[name=by]", "+4h").await.unwrap();
    browser.see(".done", "Silences extended: 2").await.unwrap();
    for (pair, made) in [&world.tokyo, &world.osaka].into_iter().zip(made) {
        silences(pair, "a later end", |silences| ends(silences).iter().any(|end| *end > made)).await;
    }
    no_complaints(&browser).await;

    let osaka = [0, 1].map(Member::Alertmanager);
    for member in osaka {
        world.osaka.stop(member).await.unwrap();
    }
    choose_two(&browser).await;
    browser.click("#bulk button[value=expire]", "").await.unwrap();
    browser.see("h1", "Not everything could be done").await.unwrap();
    browser.see(".outcomes .done", "tokyo").await.unwrap();
    browser.see(".outcomes .problem", "osaka").await.unwrap();
    assert_eq!(browser.texts(".outcomes > p").await.unwrap().len(), 2);
    silences(&world.tokyo, "its end", |silences| active(silences) == 0).await;

    // The page stays as it is, but hears that they are back; what failed is done alone.
    browser.see(".trouble", "Alertmanager, osaka").await.unwrap();
    for member in osaka {
        world.osaka.spawn(member).await.unwrap();
    }
    browser.see_no(".trouble", "").await.unwrap();
    browser.click("main button", "Try again (1)").await.unwrap();
    browser.see(".done", "Silences ended: 1").await.unwrap();
    silences(&world.osaka, "its end", |silences| active(silences) == 0).await;
    let complaints = browser.complaints().await.unwrap();
    assert!(complaints.iter().all(|said| said.contains("status of 502")), "{complaints:#?}");
}
