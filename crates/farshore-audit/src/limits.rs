//! Every ceiling of judging, in one place. What is beyond one is counted under its name.

/// Ceilings of one audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Destinations that are told apart, each in some kilobyte; a scan of addresses makes millions. What went to further ones is
    /// put together.
    pub destinations: usize,
    /// Links that are told.
    pub links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            destinations: 1 << 17,
            links: 10_000,
        }
    }
}

impl Limits {
    /// Sets one ceiling by name; says what names there are when there is none of that name.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), UnknownLimit> {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match name {
            "destinations" => self.destinations = size,
            "links" => self.links = size,
            _ => return Err(UnknownLimit(name.to_owned())),
        }
        Ok(())
    }

    /// The names [`Limits::set`] takes, and under which hits are counted.
    pub const NAMES: &'static [&'static str] = &["destinations", "links"];
}

/// No ceiling has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no limit is named `{0}`; there are: {names}", names = Limits::NAMES.join(", "))]
pub struct UnknownLimit(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_sets_its_own_ceiling() {
        for name in Limits::NAMES {
            let mut limits = Limits::default();
            limits.set(name, 7).unwrap();
            assert_ne!(limits, Limits::default(), "{name}");
        }
        let wrong = Limits::default().set("link", 7).unwrap_err().to_string();
        assert_eq!(wrong, "no limit is named `link`; there are: destinations, links");
    }
}
