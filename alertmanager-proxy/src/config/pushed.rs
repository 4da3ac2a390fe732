//! The default source of what was pushed: a pushgateway-ex, which has every check's detail under the labels of its alert.

use ipnet::IpNet;
use regex::Regex;
use service::config::Place;
use service::http::base_url;

use super::{UrlTemplate, check, networks};

/// The `job` that pushgateway-agent gives its results.
const JOB: &str = "checkscript-push";

/// The URL of the details. A group without an instance gives alerts without that label.
pub(super) fn url(place: &Place<'_>) -> Option<UrlTemplate> {
    let template = |text: &str| {
        let base = base_url(text)?;
        let base = base.as_str().trim_end_matches('/');
        let labels = "job={{ labels.job }}&instance={{ labels.instance | default('') }}";
        let text = format!("{base}/api/v1/checks/{{{{ labels.check }}}}?{labels}");
        UrlTemplate::new(&text).map_err(|error| error.to_string())
    };
    place.value(template)
}

/// What alerts it has, where the source does not say.
pub(super) fn matchers() -> Vec<(String, Regex)> {
    let matcher = |(name, regex): (&str, &str)| Some((name.to_owned(), check::anchored(regex).ok()?));
    [("check", ".+"), ("job", JOB)].into_iter().filter_map(matcher).collect()
}

/// Who may be asked, where the source does not say: its host stands in the configuration, no label has a say in it.
pub(super) fn everybody() -> Vec<IpNet> {
    ["0.0.0.0/0", "::/0"].into_iter().filter_map(|network| networks::parse(network).ok()).collect()
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use crate::alert::Texts;

    fn config(source: &str) -> Result<Config, String> {
        let text = format!("alertmanagers: [{{url: \"http://a\"}}]\nsources:\n  - {source}\n");
        Config::parse(&text).map_err(|error| error.to_string())
    }

    fn labels(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().copied().collect()
    }

    #[test]
    fn one_line_is_enough_for_what_the_agent_pushes() {
        let config = config("pushgateway: http://push:9091/x/").unwrap();
        let pushed = [("check", "disk & co"), ("job", "checkscript-push")];
        let urls = [&[("instance", "web-1:80")][..], &[("instance", "a"), ("source", "router")], &[]].map(|more| {
            let labels = labels(&[&pushed[..], more].concat());
            config.source_for(&labels).unwrap().1.url.render(&labels).unwrap().to_string()
        });
        let start = "http://push:9091/x/api/v1/checks/disk%20%26%20co?job=checkscript-push&instance=";
        assert_eq!(urls, ["web-1:80", "a&source=router", ""].map(|end| format!("{start}{end}")));
        assert!(config.source_for(&labels(&[("check", "disk"), ("job", "checkscript")])).is_none());
        let (_, source) = config.source_for(&labels(&pushed)).unwrap();
        assert!(source.allow.allow("192.0.2.1".parse().unwrap()) && source.allow.allow("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn what_the_source_says_itself_counts() {
        let config = config("{pushgateway: http://p, match: {job: batch}, allow: [10.0.0.0/8]}").unwrap();
        let (_, source) = config.source_for(&labels(&[("check", "disk"), ("job", "batch")])).unwrap();
        assert!(!source.allow.allow("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_source_has_one_url() {
        let told = config("{pushgateway: http://p, url: http://q}").unwrap_err();
        assert!(told.starts_with("3: sources[0].url: unknown field; known here: pushgateway, "), "{told}");
        let told = config("pushgateway: push:9091").unwrap_err();
        assert!(told.starts_with("3: sources[0].pushgateway: `push:9091` must begin with http://"), "{told}");
    }
}
