//! Which other sites' pages may change things through the proxy.

use url::{Origin, Url};

/// A list of origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// Whether this is one of them, as a browser writes it in the header `Origin`.
    pub fn have(&self, origin: &str) -> bool {
        !self.0.is_empty() && parse(origin).is_ok_and(|origin| self.0.contains(&origin))
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}

/// Reads `https://karma.example.org:8080`.
pub(super) fn parse(text: &str) -> Result<Origin, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let whole = url.filter(|url| text.trim_end_matches('/').len() == text.len() && is_bare(url));
    whole.map(|url| url.origin()).ok_or_else(|| {
        format!("`{text}` is not an origin such as https://karma.example.org:8080, which has a scheme, a host and a port at most")
    })
}

/// Whether it has nothing but an origin.
fn is_bare(url: &Url) -> bool {
    let (user, rest) = ((url.username(), url.password()), (url.path(), url.query(), url.fragment()));
    (user, rest) == (("", None), ("/", None, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_of_them_as_browsers_write_it() {
        let origins: Origins =
            ["https://Karma.example.org", "http://karma:8080"].map(|text| parse(text).unwrap()).into_iter().collect();
        for (origin, is_one) in [
            ("https://karma.example.org", true),
            ("https://karma.example.org:443", true),
            ("http://karma:8080", true),
            ("http://karma.example.org", false),
            ("https://karma.example.org:8443", false),
            ("https://karma.example.org.evil.example.org", false),
            ("https://karma", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins.have(origin), is_one, "{origin}");
        }
        assert!(!Origins::default().have("null"));
    }

    #[test]
    fn more_than_an_origin_is_none() {
        for text in [
            "*",
            "karma",
            "karma:8080",
            "ftp://karma",
            "https://karma/",
            "https://karma/x",
            "https://me@karma",
            "http://karma?x",
            "",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
