//! How much is in a result, told before it is parsed.
//!
//! Texts take as much memory as they have bytes, but every other JSON value takes a hundred times its two: their number has a
//! bound, which no real check comes near.

use serde_json::Value;

/// JSON values in a result, or in the answer about a check; those of a check have some dozens.
pub const MOST_VALUES: usize = 10_000;

/// Whether the JSON in `body` has more values than a result may have. Only one that is long enough for it is looked at.
pub fn too_many(body: &[u8]) -> bool {
    body.len() > MOST_VALUES && values(body) > MOST_VALUES
}

/// How many values there are in `value`, itself included: at most as many as [`values`] says of its text.
pub fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(values) => values.values().map(count).sum(),
        _ => 0,
    }
}

/// How many values the JSON in `body` has at most: all but the outermost come behind a bracket or a comma.
pub fn values(body: &[u8]) -> usize {
    let (mut values, mut bytes) = (1, body.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' | b',' => values += 1,
            b'"' => skip_text(&mut bytes),
            _ => {}
        }
    }
    values
}

/// Goes on behind the end of a text.
fn skip_text<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(null)), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((".*", inner), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn values_are_too_many_and_bytes_are_not() {
        let of = |values: usize| json!(vec![0; values - 1]).to_string();
        assert!(!too_many(of(MOST_VALUES).as_bytes()) && too_many(of(MOST_VALUES + 1).as_bytes()));
        assert!(!too_many(json!(",".repeat(2 * MOST_VALUES)).to_string().as_bytes()));
    }

    proptest! {
        #[test]
        fn no_value_is_missed_and_no_text_counts(value in json()) {
            let (values, text) = (values(value.to_string().as_bytes()), value.to_string());
            prop_assert!(values >= count(&value));
            // Beside them only empty lists and objects count twice.
            prop_assert!(values <= 2 * count(&value), "{values} {text}");
        }
    }
}
