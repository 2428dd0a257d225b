//! Three-valued logic (Kleene's strong one): what is unknown stays unknown unless it cannot matter.

/// True, false, or not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// A fact is missing.
    Unknown,
}

impl Truth {
    /// Both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    /// At least one.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    /// The opposite.
    pub fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(it: bool) -> Self {
        if it { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, True, Unknown};

    /// The tables of S. C. Kleene, Introduction to Metamathematics (1952), section 64.
    #[test]
    fn the_tables() {
        let and = [
            (True, True, True),
            (True, False, False),
            (True, Unknown, Unknown),
            (False, Unknown, False),
            (Unknown, Unknown, Unknown),
        ];
        let or = [
            (True, Unknown, True),
            (False, Unknown, Unknown),
            (False, False, False),
            (Unknown, Unknown, Unknown),
            (True, False, True),
        ];
        for (a, b, c) in and {
            assert_eq!((a.and(b), b.and(a)), (c, c), "{a:?} and {b:?}");
        }
        for (a, b, c) in or {
            assert_eq!((a.or(b), b.or(a)), (c, c), "{a:?} or {b:?}");
        }
        assert_eq!([True, False, Unknown].map(Truth::negated), [False, True, Unknown]);
    }

    /// Replacing a known operand by an unknown one never turns one definite answer into the other.
    #[test]
    fn less_knowledge_never_flips() {
        for a in [True, False] {
            for b in [True, False, Unknown] {
                for (known, less) in [(a.and(b), Unknown.and(b)), (a.or(b), Unknown.or(b))] {
                    assert!(less == known || less == Unknown, "{a:?} {b:?}");
                }
            }
        }
    }
}
