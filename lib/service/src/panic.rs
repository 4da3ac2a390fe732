//! What a panic says.

use std::any::Any;

/// The message of a panic that was caught.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_panic_are_found() {
        for (panic, message) in [
            (std::panic::catch_unwind(|| panic!("plain")), "plain"),
            (std::panic::catch_unwind(|| panic!("number {}", 3)), "number 3"),
            (std::panic::catch_unwind(|| std::panic::panic_any(3)), "no message"),
        ] {
            assert_eq!(panic_message(panic.unwrap_err().as_ref()), message);
        }
    }
}
