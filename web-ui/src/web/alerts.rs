//! The page of alerts.

use askama::Template;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::address::Address;
use crate::lists::alerts::{Alerts, list};
use crate::matcher::{Matcher, Op};

/// Labels that alerts can be grouped by with one click; the address takes any.
const GROUPS: [&str; 6] = ["alertname", "severity", "cluster", "instance", "check", "job"];

/// Alerts that are named which keep one from being told.
const NAMED: usize = 3;

/// How many alerts a browser looks through for new ones.
const NEWS: &str = "200";

#[derive(Template)]
#[template(path = "alerts.html")]
struct Page<'a> {
    frame: Frame<'a>,
    list: Alerts<'a>,
    group: &'a str,
    /// Where the script asks for what is told anew.
    news: Address,
}

pub(super) async fn page(asked: Asked) -> Shown {
    let (frame, list) = asked.listed("alerts", |address| list(&asked.snapshot, address));
    let (group, news) = (asked.address.get("group"), news(&asked.address));
    Ok(html(frame.status(), &Page { frame, list, group, news }))
}

/// The alerts that are told and are as the address wants them, the newest first.
fn news(address: &Address) -> Address {
    let news = Address::at("/api/v1/alerts").with("told", "active").with("sort", "since").with("limit", NEWS);
    let narrowed = ["cluster", "severity", "filter", "find"].into_iter();
    narrowed.fold(news, |news, name| news.with(name, address.get(name)))
}

impl Page<'_> {
    /// The alerts of one group.
    fn within(&self, value: &str) -> Address {
        let all = self.frame.address.with("group", "");
        match self.group {
            "cluster" => all.with("cluster", value),
            label => {
                let matcher = Matcher::new(label, Op::Equal, value).expect("it is no regular expression");
                all.with("filter", &Matcher::added(all.get("filter"), &matcher))
            }
        }
    }
}
