//! Block rules as text, for packet filters, resolvers and inspectors; and what they do, on a screen or as JSON.
//!
//! [`FORMATS`] is the table of writers; to add one, write a file and add a line there. Each writes what a [`RuleSet`] says and
//! nothing else, and beside each rule, in a comment, why it is there. It refuses to choose, and to let a name through that is no
//! plain host name: those are checked when rules are made, and again here.

mod cilium;
mod hosts;
mod nftables;
mod notes;
mod rpz;
mod suricata;
pub mod told;

use std::io::{Result, Write};

use farshore_model::Audit;
use farshore_model::rules::{Abilities, Action, RuleSet, Selection, Target};

use notes::Notes;

/// One way to write rules down.
pub trait Format: Sync {
    /// The name `--format` takes.
    fn id(&self) -> &'static str;
    /// What its rules can look at.
    fn abilities(&self) -> Abilities;
    /// What may happen to what a rule fits, the usual first.
    fn actions(&self) -> &'static [Action];
    /// Writes the whole file.
    fn write(&self, it: &Written<'_>, out: &mut dyn Write) -> Result<()>;
}

/// All formats, sorted by id.
pub static FORMATS: &[&dyn Format] = &[&cilium::Cilium, &hosts::Hosts, &nftables::Nftables, &rpz::Rpz, &suricata::Suricata];

/// The format of that id.
pub fn format(id: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|it| it.id() == id)
}

/// What is written, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The audit.
    pub audit: &'a Audit,
    /// Which parties are denied.
    pub selection: &'a Selection,
    /// The rules.
    pub rules: &'a RuleSet,
}

impl<'a> Written<'a> {
    /// Its comments, behind a mark.
    fn notes(&self, mark: &'static str) -> Notes<'a> {
        Notes { it: *self, mark }
    }
}

/// Whether nothing in a target has a meaning beside its own in any format: letters, digits, `-`, `_` and dots.
fn is_plain(target: &Target) -> bool {
    match target {
        Target::Address(_) => true,
        Target::Name(name) | Target::Below(name) => {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
            !name.is_empty() && name.len() <= 253 && name.bytes().all(plain)
        }
    }
}
