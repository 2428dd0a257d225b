//! Owns the table of worlds. Refuses to know what happens in one.
//!
//! Another world is one module and one line in [`WORLDS`].

use crate::truth::Truth;

mod clubhouse;

/// Which telling of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// As first found.
    Leaky,
    /// After the fix.
    Fixed,
}

impl Edition {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Leaky, Self::Fixed];

    /// Its name in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaky => "leaky",
            Self::Fixed => "fixed",
        }
    }
}

/// A capture file in memory.
#[derive(Debug, Clone)]
pub struct Capture {
    /// `user-<name>.<edition>.pcapng`.
    pub file: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What one edition of a world left behind.
#[derive(Debug, Clone)]
pub struct Recording {
    /// One per user.
    pub captures: Vec<Capture>,
    /// NSS key log of all TLS sessions.
    pub keylog: String,
    /// What is true of the captures.
    pub truth: Truth,
}

/// A world.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Its name on the command line.
    pub id: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// Runs it; the outcome depends on the edition alone.
    pub record: fn(Edition) -> Recording,
}

/// All worlds, sorted by id.
pub static WORLDS: &[World] = &[clubhouse::WORLD];
