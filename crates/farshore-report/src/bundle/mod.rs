//! A bundle: an audit as signed evidence, in one archive that says which bytes it speaks of.
//!
//! The first member of the archive is the envelope ([`envelope`], DSSE). It holds the statement ([`statement`], in-toto), which
//! tells the digest of every input and of every other member. The archive ([`archive`]) has exactly one form for given members,
//! and so have the statement and the envelope: what is read is written anew and compared, so that no byte of a bundle is without
//! meaning. It refuses to hold keys, to make or to check a signature, and to touch a file: those are handed in.

pub mod archive;
pub mod envelope;
pub mod statement;

use std::collections::BTreeSet;

/// Name of the first member.
pub const ENVELOPE: &str = "audit.intoto.jsonl";
/// Name of the audit in JSON, with flows and observations.
pub const REPORT: &str = "report.json";
/// Name of the audit as a page.
pub const PAGE: &str = "report.html";
/// What the names of files that users gave begin with.
pub const FILES: &str = "files/";

/// What a bundle is held to, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The archive has the one form a bundle has.
    Archive,
    /// The envelope is one, in its one form.
    Envelope,
    /// The statement is one, in its one form.
    Statement,
    /// The signature is the stated key's.
    Signature,
    /// That key is the one expected.
    Signer,
    /// Every member is the one stated: none is missing, none is added.
    Members,
    /// The inputs given are those stated.
    Inputs,
    /// The files given beside them are those stated, and all that are needed.
    Files,
    /// The program and its data are those stated.
    Tool,
    /// The audit, run anew, is the one in the bundle.
    Report,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Archive,
        Self::Envelope,
        Self::Statement,
        Self::Signature,
        Self::Signer,
        Self::Members,
        Self::Inputs,
        Self::Files,
        Self::Tool,
        Self::Report,
    ];

    /// Its name, as outputs tell it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Envelope => "envelope",
            Self::Statement => "statement",
            Self::Signature => "signature",
            Self::Signer => "signer",
            Self::Members => "members",
            Self::Inputs => "inputs",
            Self::Files => "files",
            Self::Tool => "tool",
            Self::Report => "report",
        }
    }
}

/// Why a bundle does not stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {because}", check.id())]
pub struct Refusal {
    /// What it failed.
    pub check: Check,
    /// In which way. Text of the bundle is in it, not yet made visible.
    pub because: String,
}

impl Refusal {
    /// A bundle that fails that check.
    pub fn new(check: Check, because: impl Into<String>) -> Self {
        Self {
            check,
            because: because.into(),
        }
    }
}

/// A name that is not taken: the one wished for, or the same with a number behind it. It is taken then.
pub fn unique(taken: &mut BTreeSet<String>, wish: &str) -> String {
    let numbered = (2_u32..).map(|it| format!("{wish} ({it})"));
    let name = std::iter::once(wish.to_owned())
        .chain(numbered)
        .find(|it| !taken.contains(it))
        .unwrap_or_default();
    taken.insert(name.clone());
    name
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
