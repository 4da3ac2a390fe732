//! What becomes of a file that a crash, a disk or a person has spoilt.

/// How a file is spoilt; a place in it is a number of any size, of which the rest by its length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Something else stands in it.
    Nonsense,
    /// Nothing stands in it.
    Emptied,
    /// It ends at that place.
    Cut(usize),
    /// The byte at that place is another one.
    Changed(usize),
}

// === impl Damage ===

impl Damage {
    /// What stands in a file then that had these bytes.
    pub(super) fn done_to(self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Nonsense => b"\0nonsense{\"".to_vec(),
            Self::Emptied => Vec::new(),
            Self::Cut(place) => {
                bytes.truncate(place.checked_rem(bytes.len()).unwrap_or_default());
                bytes
            }
            Self::Changed(place) => {
                let place = place.checked_rem(bytes.len()).unwrap_or_default();
                bytes.get_mut(place).into_iter().for_each(|byte| *byte ^= 0x10);
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaves_something_else_and_a_file_of_nothing_takes_each() {
        let whole = b"whole".to_vec();
        assert_eq!(Damage::Cut(7).done_to(whole.clone()), b"wh");
        assert_eq!(Damage::Changed(9).done_to(whole.clone()), b"whol\x75");
        for damage in [Damage::Nonsense, Damage::Emptied, Damage::Cut(5), Damage::Changed(0)] {
            assert_ne!(damage.done_to(whole.clone()), whole, "{damage:?}");
            assert!(damage.done_to(Vec::new()).is_empty() || damage == Damage::Nonsense, "{damage:?}");
        }
    }
}
