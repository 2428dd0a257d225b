//! Ceilings: how much of something is kept or done at most, each under a name by which a user raises it. This owns how they are
//! declared and set. It refuses to know any: they stand with what they bound.

use std::fmt;

/// Declares ceilings: a structure with a field for each, its name, the value it has by default and, where more would do harm, the most
/// it can be set to. What is no ceiling stands behind them, in a block of its own.
///
/// ```
/// farshore_model::ceilings! {
///     /// Ceilings of a kitchen.
///     #[derive(Clone, Debug, PartialEq, Eq)]
///     pub struct Limits {
///         /// Cups on the table.
///         "cups" cups: usize = 12;
///         /// Cups in a pile; a higher one falls.
///         "piled-cups" piled_cups: usize = 4, at most 7;
///     }
/// }
/// let mut limits = Limits::default();
/// limits.set("cups", 30)?;
/// assert_eq!(limits.cups, 30);
/// assert!(limits.set("piled-cups", 8).is_err());
/// # Ok::<(), farshore_model::ceilings::CannotSet>(())
/// ```
#[macro_export]
macro_rules! ceilings {
    (
        $(#[$attribute:meta])*
        $visible:vis struct $Limits:ident {
            $($(#[$why:meta])* $name:literal $field:ident: $number:ty = $value:expr $(, at most $most:expr)?;)+
        }
        $(and { $($(#[$what:meta])* $other:ident: $kind:ty = $usual:expr;)+ })?
    ) => {
        $(#[$attribute])*
        $visible struct $Limits {
            $($(#[$why])* pub $field: $number,)+
            $($($(#[$what])* pub $other: $kind,)+)?
        }

        impl Default for $Limits {
            fn default() -> Self {
                Self {
                    $($field: $value,)+
                    $($($other: $usual,)+)?
                }
            }
        }

        impl $Limits {
            /// The names that [`Self::set`] takes, and under which hits are counted.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Sets one ceiling by its name.
            pub fn set(&mut self, name: &str, value: u64) -> Result<(), $crate::ceilings::CannotSet> {
                match name {
                    $($name => {
                        $($crate::ceilings::CannotSet::beyond($name, value, $most)?;)?
                        self.$field = <$number>::try_from(value).unwrap_or(<$number>::MAX);
                    })+
                    _ => return Err($crate::ceilings::CannotSet::Unknown(name.to_owned(), Self::NAMES)),
                }
                Ok(())
            }
        }
    };
}

/// A ceiling that cannot be set so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotSet {
    /// None has that name; those that there are.
    Unknown(String, &'static [&'static str]),
    /// More than this would do harm.
    TooHigh {
        /// Which.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// What it can be at most.
        most: u64,
    },
}

impl CannotSet {
    /// Whether a value is more than a ceiling can be.
    pub const fn beyond(name: &'static str, value: u64, most: usize) -> Result<(), Self> {
        let most = most as u64;
        if value > most {
            return Err(Self::TooHigh { name, value, most });
        }
        Ok(())
    }
}

impl fmt::Display for CannotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name, all) => write!(f, "no limit is named `{name}`; there are: {}", all.join(", ")),
            Self::TooHigh { name, value, most } => write!(f, "{name} cannot be {value}: {most} is the most"),
        }
    }
}

impl std::error::Error for CannotSet {}

#[cfg(test)]
mod tests {
    use super::CannotSet;

    crate::ceilings! {
        /// Of two kinds, and something else.
        #[derive(Clone, Debug, PartialEq, Eq)]
        struct Limits {
            /// Usual.
            "cups" cups: usize = 12;
            /// With an end.
            "piled-cups" piled_cups: usize = 4, at most 7;
        }
        and {
            /// No ceiling.
            open: bool = true;
        }
    }

    #[test]
    fn each_name_sets_its_own_ceiling_as_high_as_it_can_be() {
        let mut limits = Limits::default();
        assert_eq!((limits.cups, limits.piled_cups, limits.open), (12, 4, true));
        assert_eq!(Limits::NAMES, ["cups", "piled-cups"]);
        assert_eq!(limits.set("piled-cups", 7), Ok(()));
        assert_eq!((limits.cups, limits.piled_cups), (12, 7));
        assert_eq!(limits.set("cups", u64::MAX), Ok(()));
        assert_eq!(limits.cups, usize::MAX);
        let told = [limits.set("piled-cups", 8), limits.set("piled_cups", 1)].map(|it| it.err().map(|it| it.to_string()));
        assert_eq!(
            told.each_ref().map(Option::as_deref),
            [
                Some("piled-cups cannot be 8: 7 is the most"),
                Some("no limit is named `piled_cups`; there are: cups, piled-cups")
            ]
        );
        assert_eq!(limits.piled_cups, 7, "what is refused changes nothing");
        assert_eq!(CannotSet::beyond("cups", 3, 3), Ok(()));
    }
}
