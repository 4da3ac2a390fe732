//! A check's definition as its results have it.

use check_result::CheckKey;
use jiff::Timestamp;
use serde_json::Value;

use super::hook;
use super::tokens::{self, Substituted};
use crate::definitions::{Check, Client};

/// What the results are known by.
pub(crate) fn key(check: &Check, client: &Client) -> CheckKey {
    let text = |attribute: &str| {
        let text = check.definition.get(attribute).and_then(Value::as_str).unwrap_or_default();
        tokens::substitute_text(text, &client.attributes).0
    };
    CheckKey { check: text("name"), source: Some(text("source")).filter(|source| !source.is_empty()) }
}

/// Tokens replaced, except in what is given to commands, as it is defined: what the tokens stand for there may be secret.
/// With when the run was asked for (epoch seconds) and that it is now.
pub(super) fn definition(check: &Check, client: &Client, issued: i64) -> Substituted {
    let Substituted { mut definition, unmatched } = tokens::substitute(&check.definition, &client.attributes);
    definition.insert("command".to_owned(), check.command.as_str().into());
    hook::conceal(&mut definition, &check.definition);
    if let Some(env) = check.definition.get("env").filter(|_| check.extras.env) {
        definition.insert("env".to_owned(), env.clone());
    }
    definition.entry("issued").or_insert(issued.into());
    definition.insert("executed".to_owned(), Timestamp::now().as_second().into());
    Substituted { definition, unmatched }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::execute::overdue::test::check;

    #[test]
    fn the_key_is_the_published_results() {
        let attributes = json!({"name": "web-1", "site": "tokyo", "mount": "/"});
        let client = Client { name: "web-1".to_owned(), attributes: attributes.as_object().unwrap().clone() };
        for (source, known) in
            [(json!("router-:::site:::"), Some("router-tokyo")), (json!(""), None), (json!(null), None)]
        {
            let mut check = check("disk-:::site|x:::");
            check.definition.insert("source".to_owned(), source);
            let key = key(&check, &client);
            assert_eq!((&*key.check, key.source.as_deref()), ("disk-tokyo", known));
            let mut published = definition(&check, &client, 0).definition;
            published.extend([("output".to_owned(), json!("")), ("status".to_owned(), json!(0))]);
            assert_eq!(check_result::CheckResult::new("web-1", published).unwrap().key(), key);
        }
    }
}
