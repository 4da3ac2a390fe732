//! Which language is spoken, and how what is counted and measured is said in it.

use std::fmt::Display;

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};

use super::{ENGLISH, JAPANESE, Say, Texts};

impl Texts {
    /// The texts of the language that a request asks for: by the cookie `lang`, or else as its browser says.
    pub fn of(headers: &HeaderMap) -> &'static Self {
        let values = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let cookies = values(COOKIE).flat_map(|cookies| cookies.split(';'));
        let chosen = cookies.filter_map(|cookie| cookie.trim().strip_prefix("lang=")).find_map(Self::by_code);
        let accepted = || {
            let ranges = values(ACCEPT_LANGUAGE).flat_map(|languages| languages.split(',')).filter_map(range);
            // Of those that are liked as well as each other the first.
            ranges.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(texts, _)| texts)
        };
        chosen.or_else(accepted).unwrap_or(&ENGLISH)
    }

    /// The texts of a language; English where there is no such one.
    pub fn in_language(code: &str) -> &'static Self {
        Self::by_code(code).unwrap_or(&ENGLISH)
    }

    /// The code of the other language.
    pub fn other(&self) -> &'static str {
        if self.code == "en" { "ja" } else { "en" }
    }

    /// The texts of a language.
    pub(crate) fn by_code(code: &str) -> Option<&'static Self> {
        [&ENGLISH, &JAPANESE].into_iter().find(|texts| texts.code == code)
    }

    /// The word for a severity, a state or a status; as it is where there is none.
    pub fn word<'a>(&'a self, word: &'a str) -> &'a str {
        match word {
            "active" => self.active,
            "pending" => self.pending,
            "expired" => self.expired,
            "silenced" => self.silenced,
            "inhibited" => self.inhibited,
            "stale" => self.stale,
            "down" => self.is_down,
            other => other,
        }
    }

    /// Seconds in their two largest units: `45 s`, `3 min`, `2 h 5 min`, `4 d 3 h`.
    pub fn duration(&self, seconds: i64) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        let units = match seconds {
            ..60 => [(self.seconds, seconds.max(0)), (self.seconds, 0)],
            60..3600 => [(self.minutes, minutes), (self.minutes, 0)],
            3600..86_400 => [(self.hours, hours), (self.minutes, minutes % 60)],
            _ if days > 30 => [(self.days, days), (self.hours, 0)],
            _ => [(self.days, days), (self.hours, hours % 24)],
        };
        let [largest, next] = units.map(|(unit, count)| fill(unit, &[&count]));
        if units[1].1 == 0 { largest } else { [largest, next].join(self.gap) }
    }
}

/// The texts that a language range as `ja-JP;q=0.8` asks for, and how much (RFC 9110, 12.5.4); none where they are not wanted, or the
/// weight is none.
fn range(text: &str) -> Option<(&'static Texts, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let code = parts.next()?.split('-').next()?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.parse().ok())?;
    let is_wanted = weight > 0.0 && weight <= 1.0;
    Texts::by_code(&code).filter(|_| is_wanted).map(|texts| (texts, weight))
}

/// A text with `values` in the places that it has for them: `{0}`, `{1}` and so on.
pub fn fill(text: &str, values: &[&dyn Display]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let (index, behind) = behind.split_once('}').unwrap_or((behind, ""));
        if let Some(value) = index.parse().ok().and_then(|index: usize| values.get(index)) {
            filled.push_str(&value.to_string());
        }
        rest = behind;
    }
    filled + rest
}

/// What a text has before and behind its first place; what a page shows there is more than text.
pub fn around(text: &'static str) -> (&'static str, &'static str) {
    text.split_once("{0}").unwrap_or((text, ""))
}

/// Several things in a row.
pub fn list(all: &[impl Say], t: &Texts) -> String {
    all.iter().map(|one| one.say(t)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_chosen() {
        for (cookie, accepted, want) in [
            ("", "", "en"),
            ("", "ja,en;q=0.9", "ja"),
            ("", "de-DE, en;q=0.8, ja;q=0.1", "en"),
            ("a=b; lang=ja", "en", "ja"),
            ("lang=xx", "ja-JP", "ja"),
            ("", "*", "en"),
            ("", "jam, en-GB;q=0.1", "en"),
            ("", "EN;q=0.3, JA-jp;Q=0.5", "ja"),
            ("", "ja;q=0, en;q=0.1", "en"),
            ("", "ja;q=2, en", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Texts::of(&headers).code, want, "{cookie} {accepted}");
        }
    }

    #[test]
    fn values_stand_where_the_language_wants_them() {
        assert_eq!(fill("{1}の{0}", &[&"{1}", &2]), "2の{1}", "a value is no text of ours");
        assert_eq!(fill("no place", &[&1]), "no place");
    }

    #[test]
    fn durations_have_two_units() {
        let told = |t: &Texts| [-3, 59, 180, 7_500, 7_200, 97_200, 40 * 86_400 + 3_600].map(|at| t.duration(at));
        assert_eq!(told(&ENGLISH), ["0 s", "59 s", "3 min", "2 h 5 min", "2 h", "1 d 3 h", "40 d"]);
        assert_eq!(told(&JAPANESE), ["0秒", "59秒", "3分", "2時間5分", "2時間", "1日3時間", "40日"]);
    }

    /// What is called the same in both languages: products, formats, what is written in addresses, files and fields.
    const SAME: &str = "English Prometheus Alertmanager Thanos Mimir VictoriaMetrics IP OK localhost access hosts proxy user header \
                        silences longest filter sort job instance targets node jobs api v env prod web m h d w T Q E i s U P name pL";

    #[test]
    fn every_text_is_there_in_japanese() {
        for (name, english, japanese) in super::super::ALL {
            let places = |text: &str| {
                let mut places: Vec<_> =
                    text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0.to_owned()).collect();
                places.sort();
                places
            };
            assert!(!english.is_empty(), "{name}");
            assert_eq!(places(english), places(japanese), "{name} has the same places in both languages");
            let words = japanese.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
            let strange: Vec<_> = words.filter(|word| !SAME.split(' ').any(|known| known == *word)).collect();
            assert!(strange.is_empty(), "{name}: {strange:?} in {japanese}");
        }
    }
}
