//! How definition files become one: sensu-settings' deep merge, and the difference that it logs.

use check_result::Object;
use serde_json::{Value, json};

/// Merges `later` into `base`: objects key by key, arrays by concatenation without repetition, anything else by
/// replacement. Keys that `base` has keep their place.
pub(crate) fn merge(base: &mut Object, later: &Object) {
    for (key, value) in later {
        match (base.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => {
                old.extend(new.iter().cloned());
                *old = unique(std::mem::take(old));
            }
            (Some(old), new) => *old = new.clone(),
            (None, new) => {
                base.insert(key.clone(), new.clone());
            }
        }
    }
}

/// The values without those that stand earlier already.
pub(crate) fn unique(values: Vec<Value>) -> Vec<Value> {
    let mut kept = Vec::with_capacity(values.len());
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// What changed: `{key: [old, new]}`, nested where both are objects; null stands for a key that is not there.
pub(crate) fn changes(old: &Object, new: &Object) -> Object {
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    let changed = keys.filter(|key| old.get(*key).unwrap_or(&Value::Null) != new.get(*key).unwrap_or(&Value::Null));
    changed
        .map(|key| {
            let change = match (old.get(key), new.get(key)) {
                (Some(Value::Object(old)), Some(Value::Object(new))) => Value::Object(changes(old, new)),
                (old, new) => json!([old, new]),
            };
            (key.clone(), change)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merged(base: Value, later: Value) -> Value {
        let (Value::Object(mut base), Value::Object(later)) = (base, later) else { panic!("objects") };
        merge(&mut base, &later);
        Value::Object(base)
    }

    /// Upstream `spec/utilities_spec.rb` 27 (A43).
    #[test]
    fn objects_arrays_scalars_and_the_order_of_keys() {
        let base = json!({"a": {"x": 1, "list": ["default", "mailer"]}, "b": 1, "c": [1]});
        let later = json!({"d": 0, "b": null, "a": {"list": ["mailer", "slack"], "x": {"deep": true}}, "c": 2});
        assert_eq!(
            merged(base, later).to_string(),
            r#"{"a":{"x":{"deep":true},"list":["default","mailer","slack"]},"b":null,"c":2,"d":0}"#
        );
    }

    #[test]
    fn changes_are_nested_only_where_both_sides_are_objects() {
        let old = json!({"a": {"x": 1, "y": 2}, "b": 1, "same": [1]});
        let new = json!({"a": {"x": 1, "y": 3}, "b": {"now": 1}, "same": [1], "added": {"z": 1}});
        let (Value::Object(old), Value::Object(new)) = (old, new) else { panic!("objects") };
        let want = json!({"a": {"y": [2, 3]}, "b": [1, {"now": 1}], "added": [null, {"z": 1}]});
        assert_eq!(Value::Object(changes(&old, &new)), want);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..9i64).prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|values| Value::Array(unique(values))),
                prop::collection::vec(("[a-d]", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Object> {
        prop::collection::vec(("[a-d]", value()), 0..4).prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn merging_the_same_twice_changes_nothing_more(base in object(), later in object()) {
            let mut once = base;
            merge(&mut once, &later);
            let mut twice = once.clone();
            merge(&mut twice, &later);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn every_later_key_is_there_and_no_earlier_key_moves(base in object(), later in object()) {
            let mut both = base.clone();
            merge(&mut both, &later);
            prop_assert!(later.keys().all(|key| both.contains_key(key)));
            prop_assert!(base.keys().eq(both.keys().take(base.len())));
        }

        #[test]
        fn nothing_is_merged_without_a_trace(base in object()) {
            let mut same = base.clone();
            merge(&mut same, &Object::new());
            prop_assert_eq!(&same, &base);
            let mut copy = Object::new();
            merge(&mut copy, &base);
            prop_assert_eq!(&copy, &base);
        }

        /// What `check-config` need not warn of: files that speak of different keys, side by side in common objects.
        #[test]
        fn files_that_share_no_key_may_come_in_any_order(one in object(), other in object(), depth in 0..4usize) {
            let nested = |object: &Object, prefix: &str| {
                let own: Object = object.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())).collect();
                let wrap = |inner: Object, _| Object::from_iter([("checks".to_owned(), Value::Object(inner))]);
                (0..depth).fold(own, wrap)
            };
            let (one, other) = (nested(&one, "one-"), nested(&other, "other-"));
            let merged = |files: [&Object; 2]| {
                let mut all = Object::new();
                files.iter().for_each(|file| merge(&mut all, file));
                all
            };
            // Maps are equal whatever the order of their keys.
            prop_assert_eq!(merged([&one, &other]), merged([&other, &one]));
        }

        #[test]
        fn an_array_keeps_what_was_there_first_and_nothing_twice(
            one in prop::collection::vec(value(), 0..6), other in prop::collection::vec(value(), 0..6),
        ) {
            let list = |values: &[Value]| Object::from_iter([("list".to_owned(), Value::Array(values.to_vec()))]);
            let mut both = list(&one);
            merge(&mut both, &list(&other));
            let both = both["list"].as_array().unwrap();
            prop_assert_eq!(both, &unique([one.clone(), other.clone()].concat()));
            prop_assert_eq!(&unique(both.clone()), both);
            prop_assert!(one.iter().chain(&other).all(|value| both.contains(value)));
        }

        #[test]
        fn no_difference_means_equal(old in object(), new in object()) {
            prop_assert!(changes(&old, &old).is_empty());
            if changes(&old, &new).is_empty() {
                // A key that is null and a key that is not there are the same, as in Ruby's `hash[key]`.
                prop_assert!(new.iter().all(|(key, value)| old.get(key).unwrap_or(&Value::Null) == value));
            }
        }
    }
}
