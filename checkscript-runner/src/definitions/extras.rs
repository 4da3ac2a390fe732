//! The attributes that sensu-client does not know, for those who asked for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use check_result::Object;
use jiff::tz::TimeZone;
use nix::unistd::User;
use serde_json::Value;

use super::{Attribute, Client, Features, text};

/// What a check has of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// Whether the definition's `env` is given to its commands.
    pub env: bool,
    /// Whom its commands run as, where that is not the runner's own user.
    pub account: Option<Account>,
    /// What a status is to be replaced by.
    pub exit_map: BTreeMap<i32, i32>,
    /// The time zone of its `cron` and `subdue`; none is the machine's.
    pub timezone: Option<TimeZone>,
}

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
}

// === impl Extras ===

impl Extras {
    /// Takes a valid definition.
    pub(super) fn of(client: &Client, definition: &Object, features: &Features) -> Self {
        let on = |attribute, name| definition.get(name).filter(|_| features.has(attribute));
        let exit_map = on(Attribute::ExitMap, "exit_map").and_then(Value::as_object).into_iter().flatten();
        let zone = || text(definition, "timezone").or_else(|| text(&client.attributes, "timezone"));
        Self {
            env: on(Attribute::Env, "env").is_some_and(Value::is_object),
            account: on(Attribute::User, "user").and_then(Value::as_str).and_then(Account::find),
            exit_map: exit_map.filter_map(|(from, to)| Some((from.parse().ok()?, status(to)?))).collect(),
            timezone: features.has(Attribute::Timezone).then(zone).flatten().and_then(|name| TimeZone::get(&name).ok()),
        }
    }
}

/// An exit status.
pub(super) fn status(value: &Value) -> Option<i32> {
    value.as_u64().and_then(|status| u8::try_from(status).ok()).map(i32::from)
}

// === impl Account ===

impl Account {
    /// Asks the system's user database, which may be slow where it is a network's.
    pub(super) fn find(name: &str) -> Option<Self> {
        let User { name, uid, gid, dir, .. } = User::from_name(name).ok().flatten()?;
        Some(Self { name, uid: uid.as_raw(), gid: gid.as_raw(), home: dir })
    }
}
