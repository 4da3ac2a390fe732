//! Basic authentication against bcrypt hashes.
//!
//! A verification costs 50 ms to seconds of a core by design, so it runs on a blocking thread, one at a time, and its
//! outcome is remembered: Prometheus sends the same password at every scrape. As exporter-toolkit does, wrong passwords are
//! remembered too, and a user that does not exist costs a verification like any other. Unlike it, right and wrong ones
//! are remembered apart, so that somebody who guesses cannot push the right ones out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// Outcomes remembered, right and wrong ones each; exporter-toolkit's size.
const REMEMBERED: usize = 100;
/// Salt and digest of the hash that exporter-toolkit verifies unknown users against. Whether it matches does not matter: they
/// are refused either way.
const NOBODY: &str = "QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// Users and the bcrypt hashes of their passwords.
#[derive(Default)]
pub(crate) struct Users {
    hashes: BTreeMap<String, String>,
    /// What unknown users are verified against: as costly as the costliest known one.
    nobody: String,
}

/// What came of asking who sends a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// There are no users: nobody is asked.
    Unasked,
    /// A user with the right password.
    User(String),
    /// No user's name and password.
    Refused,
}

impl Users {
    /// Takes checked hashes and the highest of their costs.
    pub(crate) fn new(hashes: BTreeMap<String, String>, cost: u32) -> Self {
        Self { hashes, nobody: format!("$2b${cost:02}${NOBODY}") }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub(crate) fn has(&self, user: &str) -> bool {
        self.hashes.contains_key(user)
    }
}

/// Verifies passwords and remembers the outcomes.
pub(crate) struct Verifier {
    right: Remembered,
    wrong: Remembered,
    turn: Arc<Semaphore>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { right: Remembered::default(), wrong: Remembered::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Verifier {
    /// Which of the users the request comes from.
    pub(crate) async fn login(&self, users: &Users, headers: &HeaderMap) -> Login {
        if users.is_empty() {
            return Login::Unasked;
        }
        let Some((user, password)) = headers.get(AUTHORIZATION).and_then(credentials) else { return Login::Refused };
        if self.is_right(users, &user, password).await { Login::User(user) } else { Login::Refused }
    }

    async fn is_right(&self, users: &Users, user: &str, password: String) -> bool {
        let (known, hash) = match users.hashes.get(user) {
            Some(hash) => (true, hash),
            None => (false, &users.nobody),
        };
        let key = key(&[user, hash, &password]);
        if self.right.holds(&key) {
            return known;
        }
        if self.wrong.holds(&key) {
            return false;
        }
        let right = self.verify(password, hash.clone(), &key).await && known;
        if right { &self.right } else { &self.wrong }.add(key);
        right
    }

    async fn verify(&self, password: String, hash: String, key: &Key) -> bool {
        let turn = Arc::clone(&self.turn).acquire_owned().await.expect("the semaphore is never closed");
        // The same password may have been verified while this request waited: ten clients behind one proxy that start
        // together cost one verification, not ten.
        if self.right.holds(key) || self.wrong.holds(key) {
            return self.right.holds(key);
        }
        let verified = tokio::task::spawn_blocking(move || {
            // Goes along, so that a client that goes away does not let a second verification start beside this one.
            let _turn = turn;
            bcrypt::verify(password, &hash)
        });
        match verified.await {
            Ok(Ok(right)) => right,
            Ok(Err(error)) => {
                tracing::error!(%error, "Could not verify a password: {error}");
                false
            }
            Err(_) => false,
        }
    }
}

/// The answer to a request without valid credentials, as exporter-toolkit gives it.
pub(crate) fn refusal() -> Response {
    let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"))];
    (StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response()
}

/// User and password of a header `Basic base64(user:password)` (RFC 7617). One with a NUL is none: bcrypt reads a password round and round with
/// a NUL at its end, so that `secret` and `secret\0secret` are the same to it.
fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok().filter(|text| !text.contains('\0'))?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

type Key = [u8; 32];

/// A digest of the parts and of where each ends, so that no password is kept.
fn key(parts: &[&str]) -> Key {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

/// The last keys added. A hundred are looked through in less time than a hash of one takes.
#[derive(Default)]
struct Remembered(Mutex<VecDeque<Key>>);

impl Remembered {
    fn holds(&self, key: &Key) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn add(&self, key: Key) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.contains(&key) {
            return;
        }
        if keys.len() == REMEMBERED {
            keys.pop_front();
        }
        keys.push_back(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest cost that bcrypt has, to be quick.
    const COST: u32 = 4;

    fn users() -> Users {
        let hash = bcrypt::hash("secret", COST).unwrap();
        Users::new(BTreeMap::from([("prometheus".to_owned(), hash)]), COST)
    }

    fn basic(credentials: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(credentials));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    async fn allows(verifier: &Verifier, users: &Users, headers: &HeaderMap) -> bool {
        verifier.login(users, headers).await == Login::User("prometheus".to_owned())
    }

    #[tokio::test]
    async fn only_a_known_user_with_the_right_password_passes_also_when_asked_again() {
        let (verifier, users) = (Verifier::default(), users());
        for _ in 0..2 {
            assert!(allows(&verifier, &users, &basic("prometheus:secret")).await);
            assert!(!allows(&verifier, &users, &basic("prometheus:wrong")).await);
            assert!(!allows(&verifier, &users, &basic("nobody:secret")).await);
            assert!(!allows(&verifier, &users, &basic("prometheus:secret\0secret")).await);
            assert!(!allows(&verifier, &users, &HeaderMap::new()).await);
        }
    }

    #[tokio::test]
    async fn wrong_guesses_do_not_push_right_passwords_out() {
        let (verifier, users) = (Verifier::default(), users());
        assert!(allows(&verifier, &users, &basic("prometheus:secret")).await);
        for guess in 0..=REMEMBERED {
            assert!(!allows(&verifier, &users, &basic(&format!("prometheus:{guess}"))).await);
        }
        assert_eq!(verifier.wrong.0.lock().unwrap().len(), REMEMBERED);
        assert_eq!(verifier.right.0.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_changed_hash_is_verified_anew() {
        let verifier = Verifier::default();
        assert!(allows(&verifier, &users(), &basic("prometheus:secret")).await);
        let hash = bcrypt::hash("other", COST).unwrap();
        let changed = Users::new(BTreeMap::from([("prometheus".to_owned(), hash)]), COST);
        assert!(!allows(&verifier, &changed, &basic("prometheus:secret")).await);
    }

    #[tokio::test]
    async fn without_users_nobody_is_asked() {
        assert_eq!(Verifier::default().login(&Users::default(), &HeaderMap::new()).await, Login::Unasked);
    }

    #[test]
    fn the_hash_for_unknown_users_can_be_verified_against() {
        assert!(!bcrypt::verify("secret", &users().nobody).unwrap());
    }

    #[test]
    fn credentials_are_read_as_rfc_7617_says() {
        let read = |text: &str| credentials(&HeaderValue::from_str(text).unwrap());
        let expected = Some(("Aladdin".to_owned(), "open:sesame".to_owned()));
        let encoded = STANDARD.encode("Aladdin:open:sesame");
        assert_eq!(read(&format!("Basic {encoded}")), expected);
        assert_eq!(read(&format!("bAsIc {encoded}")), expected);
        for bad in ["", "Basic", "Basic %%%", &format!("Bearer {encoded}"), &format!("Basic {}", STANDARD.encode("x"))]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_know_where_parts_end() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }
}
