//! A check's definition as its results have it.

use jiff::Timestamp;

use super::hook;
use super::tokens::{self, Substituted};
use crate::definitions::{Check, Client};

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
