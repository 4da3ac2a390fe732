//! How much is in a result, told before it is parsed.
//!
//! Texts take as much memory as they have bytes, but every other JSON value takes a hundred times its two: their number has a
//! bound, which no real check comes near.

use serde_json::Value;

use crate::Object;

/// JSON values in a result, or in the answer about a check; those of a check have some dozens.
pub const MOST_VALUES: usize = 10_000;

/// What a member of an object takes besides what its name and value point at: hash, name, value, and its place in the table.
const MEMBER: usize = size_of::<(usize, String, Value)>() + size_of::<usize>() + 1;

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

/// How much memory the members of `object` take, in bytes, about.
pub fn weight(object: &Object) -> usize {
    let members = object.iter().map(|(name, value)| allocated(name.len()) + of_value(value));
    slots(object.len()) * MEMBER + members.sum::<usize>()
}

/// What `value` takes besides its own place.
fn of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => allocated(number.as_str().len()),
        Value::String(text) => allocated(text.len()),
        Value::Array(values) => {
            allocated(values.capacity() * size_of::<Value>()) + values.iter().map(of_value).sum::<usize>()
        }
        Value::Object(object) => weight(object),
    }
}

/// What an allocation of so many bytes takes.
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).max(32) }
}

/// For how many members an object that has so many has room: it grows by doubling, and is never filled to the last eighth.
fn slots(members: usize) -> usize {
    match members {
        0 => 0,
        1..=3 => 4,
        _ => (members * 8).div_ceil(7).next_power_of_two(),
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

    #[test]
    fn what_is_small_as_text_may_weigh_much() {
        let of = |text: &str| weight(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap());
        let numbers = format!(r#"{{"x":[{}0]}}"#, "0,".repeat(9_999));
        assert!((1 << 20..2 << 20).contains(&of(&numbers)), "{}", of(&numbers));
        let objects = format!(r#"{{"x":[{}{{"a":0}}]}}"#, "{\"a\":0},".repeat(999));
        assert!((400_000..1 << 20).contains(&of(&objects)), "{}", of(&objects));
        let text = format!(r#"{{"x":"{}"}}"#, "y".repeat(60_000));
        assert!((60_000..61_000).contains(&of(&text)), "{}", of(&text));
        assert_eq!(of("{}"), 0);
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
