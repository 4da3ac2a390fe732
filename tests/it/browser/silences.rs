//! Silences, from the alert to their end, over both clusters; what is muted is asked of the Alertmanagers themselves.

use e2e::{Member, Pair, get_json, until};
use serde_json::Value;

use super::{no_complaints, world};
use crate::PATIENCE;

/// Waits until both Alertmanagers of a pair have silences as wanted, and gives those of the first.
pub(super) async fn silences(pair: &Pair, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut all = Vec::new();
    for member in [Member::Alertmanager(1), Member::Alertmanager(0)] {
        let url = format!("{}/api/v2/silences", pair.url(member));
        all = until(what, PATIENCE, || async {
            let silences = get_json(&url).await?;
            let silences = silences.as_array().cloned().unwrap_or_default();
            anyhow::ensure!(wanted(&silences), "{silences:?}");
            Ok(silences)
        })
        .await
        .unwrap();
    }
    all
}

pub(super) fn active(silences: &[Value]) -> usize {
    silences.iter().filter(|silence| silence["status"]["state"] == "active").count()
}

#[tokio::test]
async fn a_silence_is_made_from_an_alert_and_ended() {
    let (world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: full").unwrap();
    world.tokyo.set_check(1, "check_disk", 2, "CheckDisk CRITICAL: full as well").unwrap();
    browser.open(&world.page("/?filter=check%3Dcheck_disk")).await.unwrap();
    browser.see("td.output", "full as well").await.unwrap();
    let node = world.tokyo.instance(0);
    browser.see("a.open", &node).await.unwrap();
    let link = format!(
        "return [...document.querySelectorAll('#rows tbody tr')].find((row) => row.innerText.includes('{node}')).querySelector('a.silence').click()"
    );
    browser.eval(&link).await.unwrap();
    browser.see("h1", "New silence").await.unwrap();

    // It says in a sentence what would be muted, and exactly that alert.
    browser.see("#preview .sentence", "check_disk").await.unwrap();
    browser.see("#preview .muted li", &node).await.unwrap();
    assert_eq!(browser.texts("#preview .muted li").await.unwrap().len(), 1);
    browser.see_no("#preview .muted li", &world.tokyo.instance(1)).await.unwrap();
    assert_eq!(browser.barriers().await.unwrap(), [""; 0]);

    // Without a reason there is none.
    browser.click("button[value=create]", "").await.unwrap();
    browser.wait("the form to stay", "return location.pathname === '/silences/new'").await.unwrap();
    browser.click("#comment", "").await.unwrap();
    browser.press("a larger disk comes <b>today</b>").await.unwrap();
    browser.click("#author", "").await.unwrap();
    browser.press("hanako").await.unwrap();
    browser.click("button[value=create]", "").await.unwrap();
    let made = silences(&world.tokyo, "the silence", |silences| active(silences) == 1).await;
    assert_eq!(made[0]["createdBy"], "hanako", "{made:?}");
    assert_eq!(made[0]["comment"], "a larger disk comes <b>today</b>");
    silences(&world.osaka, "none in the other cluster", <[Value]>::is_empty).await;

    // The alert is shown as silenced, and leads to its silence; the other one is not.
    browser.open(&world.page("/?told=silenced")).await.unwrap();
    browser.see("tr.silenced a.open", &node).await.unwrap();
    assert_eq!(browser.texts("tr.silenced").await.unwrap().len(), 1);
    browser.click("tr.silenced .told a", "silenced").await.unwrap();
    browser.see("dd", "a larger disk comes <b>today</b>").await.unwrap();
    assert_eq!(browser.barriers().await.unwrap(), [""; 0]);
    // Extended, then ended.
    let ends = made[0]["endsAt"].as_str().unwrap().to_owned();
    browser.click("button[name=by]", "+1h").await.unwrap();
    silences(&world.tokyo, "a later end", |silences| {
        let later = |silence: &Value| silence["endsAt"].as_str().is_some_and(|end| end > ends.as_str());
        active(silences) == 1 && silences.iter().any(|silence| silence["status"]["state"] == "active" && later(silence))
    })
    .await;
    browser.open(&world.page("/silences")).await.unwrap();
    browser.click("#rows a.open", "").await.unwrap();
    browser.click("button[value=expire]", "").await.unwrap();
    silences(&world.tokyo, "its end", |silences| active(silences) == 0).await;
    browser.open(&world.page("/")).await.unwrap();
    browser.see("tr.active a.open", &node).await.unwrap();
    no_complaints(&browser).await;
}

#[tokio::test]
async fn what_is_chosen_in_both_clusters_is_silenced_and_nothing_else() {
    let (world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: one").unwrap();
    world.tokyo.set_check(1, "check_memory", 2, "CheckMemory CRITICAL: two").unwrap();
    world.tokyo.set_check(0, "check_memory", 1, "CheckMemory WARNING: three").unwrap();
    world.osaka.set_check(0, "check_http", 2, "CheckHttp CRITICAL: four").unwrap();
    browser.open(&world.page("/?severity=critical,warning")).await.unwrap();
    for output in ["one", "two", "three", "four"] {
        browser.see("td.output", output).await.unwrap();
    }
    for output in ["one", "two", "four"] {
        let choose = format!(
            "[...document.querySelectorAll('#rows tbody tr')].find((row) => row.innerText.includes(': {output}')).querySelector('td.pick input').click()"
        );
        browser.eval(&choose).await.unwrap();
    }
    browser.see("#chosen", "3").await.unwrap();
    browser.click(".bulk button", "").await.unwrap();
    browser.see("h1", "New silence").await.unwrap();
    browser.see("#preview .muted li", "CheckHttp CRITICAL: four").await.unwrap();
    // A cross product of nodes and checks would mute the third as well.
    assert_eq!(browser.texts("#preview .muted li").await.unwrap().len(), 3);
    browser.see_no("#preview .muted li", "three").await.unwrap();
    browser.click("#comment", "").await.unwrap();
    browser.press("maintenance").await.unwrap();
    browser.click("#author", "").await.unwrap();
    browser.press("taro").await.unwrap();
    browser.click("button[value=create]", "").await.unwrap();
    silences(&world.tokyo, "silences in tokyo", |silences| active(silences) == 2).await;
    silences(&world.osaka, "a silence in osaka", |silences| active(silences) == 1).await;
    browser.open(&world.page("/?told=active&severity=critical,warning")).await.unwrap();
    browser.see("td.output", "three").await.unwrap();
    for output in ["one", "two", "four"] {
        browser.see_no("td.output", &format!(": {output}")).await.unwrap();
    }
    // All of them end at once.
    browser.open(&world.page("/silences")).await.unwrap();
    browser.see("#rows td", "maintenance").await.unwrap();
    assert_eq!(browser.barriers().await.unwrap(), [""; 0]);
    browser
        .eval("document.querySelectorAll('#rows tbody input[type=checkbox]').forEach((box) => box.click())")
        .await
        .unwrap();
    browser.click("button[value=expire]", "").await.unwrap();
    for pair in [&world.tokyo, &world.osaka] {
        silences(pair, "no silence", |silences| active(silences) == 0).await;
    }
    no_complaints(&browser).await;
}
