//! The page of alerts.

use askama::Template;
use http::StatusCode;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::address::Address;
use crate::lists::alerts::{Alerts, list};
use crate::matcher::{Matcher, Op};

/// Labels that alerts can be grouped by with one click; the address takes any.
const GROUPS: [&str; 6] = ["alertname", "severity", "cluster", "instance", "check", "job"];

#[derive(Template)]
#[template(path = "alerts.html")]
struct Page<'a> {
    frame: Frame<'a>,
    list: Alerts<'a>,
    group: &'a str,
}

pub(super) async fn page(asked: Asked) -> Shown {
    let list = match list(&asked.snapshot, &asked.address) {
        Ok(list) => list,
        Err(error) => return Err(asked.refuse(error)),
    };
    Ok(html(StatusCode::OK, &Page { frame: asked.frame("alerts"), list, group: asked.address.get("group") }))
}

impl Page<'_> {
    /// The alerts of one group.
    fn within(&self, value: &str) -> Address {
        let all = self.frame.address.with("group", "");
        match self.group {
            "cluster" => all.with("cluster", value),
            label => {
                let matcher = Matcher::new(label, Op::Equal, value).expect("it is no regular expression");
                let before = all.get("filter").trim().to_owned();
                all.with(
                    "filter",
                    &if before.is_empty() { matcher.to_string() } else { format!("{before}, {matcher}") },
                )
            }
        }
    }
}
