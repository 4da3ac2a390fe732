//! Several people: who may do what, and two who do it to the same silence.

use e2e::{Browser, Looks, World};
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use super::silences::{active, silences};
use super::{goes_on, no_complaints, world};

const ENTER: &str = "\u{e007}";

/// Whatever would change something.
const ACTIONS: &str = "a.silence, a[href^='/silences/new'], a[href$='/edit'], td.pick, th.pick, #picking, #bulk, form[action^='/silences']";

#[tokio::test]
async fn everybody_does_what_they_may_and_nobody_overwrites_another() {
    let (mut world, ann, _data) = world().await;
    let carol = Browser::start().await.unwrap();
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: full").unwrap();
    world.sign_in(&["ann", "carol"], &["bob"]).await.unwrap();
    let silence = make(&world, &ann).await;
    edit_both(&world, (&ann, &carol), &silence).await;
    end_by_enter(&world, &ann).await;
    // Her browser is somebody else's now.
    let bob = carol;
    look_alone(&world, &bob, &silence).await;
}

/// An operator silences an alert; gives the address of the silence.
async fn make(world: &World, ann: &Browser) -> String {
    ann.open(&world.page_of("ann", "/?filter=check%3Dcheck_disk")).await.unwrap();
    ann.see(".user", "ann").await.unwrap();
    ann.see("td.output", "CheckDisk CRITICAL: full").await.unwrap();
    ann.click("#rows a.silence", "").await.unwrap();
    // Who signs in is asked for no other name.
    ann.see("form.silence b", "ann").await.unwrap();
    assert_eq!(ann.texts("#author").await.unwrap(), [""; 0]);
    write(ann, "a larger disk").await;
    ann.click("button[value=create]", "").await.unwrap();
    ann.see(".done", "Silences made: 1").await.unwrap();
    assert_eq!(ann.texts("dl:not(#help dl) dd").await.unwrap()[..2], ["ann", "a larger disk"]);
    let made = silences(&world.tokyo, "the silence", |silences| active(silences) == 1).await;
    assert_eq!(made[0]["createdBy"], "ann", "{made:?}");
    no_complaints(ann).await;
    ann.eval("return location.pathname").await.unwrap().as_str().unwrap().to_owned()
}

/// Writes another reason into the form.
async fn write(browser: &Browser, reason: &str) {
    browser.wait("the form", "return document.querySelector('#comment') !== null").await.unwrap();
    browser.eval("document.querySelector('#comment').select()").await.unwrap();
    browser.press(reason).await.unwrap();
}

/// Whoever saves last is shown what the first has made of it, with their own words, and may go on from there.
async fn edit_both(world: &World, (ann, carol): (&Browser, &Browser), silence: &str) {
    ann.open(&world.page(&format!("{silence}/edit"))).await.unwrap();
    carol.open(&world.page_of("carol", &format!("{silence}/edit"))).await.unwrap();
    carol.see("form.silence b", "carol").await.unwrap();
    write(carol, "carol's reason").await;
    carol.click("button[value=create]", "").await.unwrap();
    carol.see(".done", "changed").await.unwrap();
    carol.see("dd", "carol's reason").await.unwrap();

    write(ann, "ann's reason").await;
    ann.click("button[value=create]", "").await.unwrap();
    ann.see(".theirs .problem", "changed meanwhile, now by carol").await.unwrap();
    ann.see(".theirs .sentence", "carol's reason").await.unwrap();
    assert_eq!(ann.eval("return document.querySelector('#comment').value").await.unwrap(), "ann's reason");
    let now = silences(&world.tokyo, "the reason", |all| reasons(all) == ["carol's reason"]).await;
    assert_eq!(now[0]["createdBy"], "carol", "nothing is overwritten: {now:?}");
    usable(ann).await;
    refused(ann, "409").await;

    ann.click("button[value=create]", "").await.unwrap();
    ann.see("dd", "ann's reason").await.unwrap();
    let now = silences(&world.tokyo, "the reason", |all| reasons(all) == ["ann's reason"]).await;
    assert!(now.iter().any(|silence| silence["createdBy"] == "ann"), "{now:?}");
    no_complaints(ann).await;
    no_complaints(carol).await;
}

fn reasons(silences: &[Value]) -> Vec<&str> {
    let active = silences.iter().filter(|silence| silence["status"]["state"] == "active");
    active.filter_map(|silence| silence["comment"].as_str()).collect()
}

/// Enter in the field of an end sets that end, and does not press another button.
async fn end_by_enter(world: &World, ann: &Browser) {
    let tokyo = jiff::tz::offset(9).to_time_zone();
    let end =
        Timestamp::now().checked_add(72.hours()).unwrap().to_zoned(tokyo).strftime("%Y-%m-%dT%H:%M:00").to_string();
    let fill = "const until = document.querySelector('input[name=until]'); until.value = arguments[0]; until.focus()";
    ann.eval_with(fill, vec![end.clone().into()]).await.unwrap();
    ann.press(ENTER).await.unwrap();
    ann.see(".done", "Silences extended: 1").await.unwrap();
    ann.see("dd", &end.replace('T', " ")).await.unwrap();
    let end: Timestamp = format!("{end}+09:00").parse().unwrap();
    let ends = |silence: &Value| silence["endsAt"].as_str().and_then(|end| end.parse().ok());
    silences(&world.tokyo, "that end", |all| active(all) == 1 && all.iter().any(|one| ends(one) == Some(end))).await;
    no_complaints(ann).await;
}

/// Who may only look sees everything and finds nothing to press; what is sent by hand is refused, in words.
async fn look_alone(world: &World, bob: &Browser, silence: &str) {
    let node = format!("/nodes/tokyo/checkscript/{}?check=check_disk", world.tokyo.instance(0));
    bob.open(&world.page_of("bob", "/")).await.unwrap();
    bob.see(".user", "bob").await.unwrap();
    bob.see(".user .badge", "READ ONLY").await.unwrap();
    for (page, css, shown) in [
        ("/", "td.output", "CheckDisk CRITICAL: full"),
        ("/nodes", "a.open", &world.tokyo.instance(0)),
        (&node, "pre.now", "CheckDisk CRITICAL: full"),
        ("/checks", "a.open", "check_disk"),
        ("/checks/check_disk", "a.open", &world.tokyo.instance(0)),
        ("/silences", "a.open", "check_disk"),
        (silence, "dd", "ann's reason"),
    ] {
        bob.open(&world.page(page)).await.unwrap();
        bob.see(css, shown).await.unwrap();
        bob.see(".user", "bob").await.unwrap();
        let found = bob.eval_with("return document.querySelectorAll(arguments[0]).length", vec![ACTIONS.into()]).await;
        assert_eq!(found.unwrap(), 0, "{page}");
    }
    no_complaints(bob).await;
    let send = "const form = document.createElement('form');
        Object.assign(form, { method: 'post', action: '/silences' });
        form.innerHTML = '<input name=do value=create><input name=filter value=check=~\".+\"><input name=comment value=mine>'
            + '<input name=duration value=1h><input name=cluster value=tokyo>';
        document.body.append(form);
        form.submit()";
    bob.eval(send).await.unwrap();
    bob.see("main", "You may look, but not change anything.").await.unwrap();
    // The list, which is at the same address, does not take its place.
    goes_on(bob).await;
    assert!(bob.text("main").await.unwrap().contains("You may look, but not change anything."));
    let status = "return performance.getEntriesByType('navigation')[0].responseStatus";
    assert_eq!(bob.eval(status).await.unwrap(), 403);
    usable(bob).await;
    refused(bob, "403").await;
    let now = silences(&world.tokyo, "no other silence", |all| active(all) == 1).await;
    assert!(now.iter().all(|silence| silence["comment"] != "mine"), "{now:?}");
}

/// A page that says no is one for everybody as well, also on a phone at night.
async fn usable(browser: &Browser) {
    browser.look(Looks::ALL[3]).await.unwrap();
    assert_eq!(browser.barriers().await.unwrap(), [""; 0]);
    assert_eq!(browser.too_wide().await.unwrap(), [""; 0]);
    browser.look(Looks::ALL[0]).await.unwrap();
}

/// The browser's log tells of a page with this status, and of nothing else.
async fn refused(browser: &Browser, status: &str) {
    let complaints = browser.complaints().await.unwrap();
    assert!(complaints.iter().all(|said| said.contains(&format!("status of {status}"))), "{complaints:#?}");
}
