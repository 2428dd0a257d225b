//! What a bundle states: digests of inputs and members, and all it takes to do the audit again.
//!
//! An in-toto Statement (version 1) whose predicate is ours. It has one spelling, that of [`Statement::write`]; anything else is
//! refused, unknown keys too. Values of people do not stand in it: files that hold such are told by their digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::archive::Member;
use super::{Check, Refusal};

/// The type in-toto gives its statements.
pub const TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of our predicate. It is a name, not a place.
pub const PREDICATE_TYPE: &str = "https://example.org/farshore/audit-bundle/v1";

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The inputs in their order, then the members behind the envelope in theirs.
    pub subject: Vec<Subject>,
    predicate_type: String,
    /// What was done to them.
    pub predicate: Predicate,
}

/// A thing the statement speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name: of an input the base name, with a number behind it where that is taken.
    pub name: String,
    /// What it is known by.
    pub digest: Digest,
}

impl Subject {
    /// Of that name and SHA-256.
    pub fn new(name: impl Into<String>, sha256: impl Into<String>) -> Self {
        let (name, sha256) = (name.into(), sha256.into());
        Self {
            name,
            digest: Digest { sha256 },
        }
    }
}

/// A digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// What was done, by what, with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
    /// The key that signs.
    pub signer: Signer,
    /// The program and what it judged with.
    pub tool: Tool,
    /// The command line, without what changes no byte of the report; files by base name.
    pub command: Vec<String>,
    /// The inputs: as many as there are, these are the first subjects.
    pub inputs: Vec<Input>,
    /// The files the command line names beside the inputs.
    pub files: Vec<File>,
    /// Ceilings that were set.
    pub limits: BTreeMap<String, u64>,
    /// Whether values stand in the report as they are.
    pub show_pii: bool,
}

/// A public key. That it stands here proves nothing: whoever makes a bundle writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// As OpenSSH writes it, without comment.
    pub key: String,
    /// SHA-256 fingerprint, as OpenSSH writes it.
    pub fingerprint: String,
}

/// The program and what it judged with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The data sets.
    pub data: Vec<Edition>,
    /// The packs.
    pub packs: Vec<Pack>,
}

impl Tool {
    /// As an audit tells.
    pub fn of(tool: &farshore_model::audit::Tool) -> Self {
        let edition = |it: &farshore_model::audit::DataEdition| Edition {
            name: it.name.clone(),
            edition: it.edition.clone(),
            sha256: it.sha256.clone(),
        };
        let pack = |it: &farshore_model::audit::PackEdition| Pack {
            id: it.id.clone(),
            version: it.version.clone(),
        };
        Self {
            name: "farshore".to_owned(),
            version: tool.version.clone(),
            data: tool.data.iter().map(edition).collect(),
            packs: tool.packs.iter().map(pack).collect(),
        }
    }
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// Its name.
    pub name: String,
    /// Its edition.
    pub edition: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its base name.
    pub path: String,
    /// What the user said of it.
    pub labels: BTreeMap<String, String>,
}

/// A file the command line names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in the command line.
    pub name: String,
    /// The flags that name it.
    pub flag: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// The member that is it; `null`: it stayed with whoever made the bundle.
    pub member: Option<String>,
    /// Whether it takes the file to do the audit again: what labels say stands with the inputs.
    pub needed: bool,
}

impl Statement {
    /// Of these subjects.
    pub fn new(subject: Vec<Subject>, predicate: Predicate) -> Self {
        Self {
            kind: TYPE.to_owned(),
            subject,
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        }
    }

    /// As JSON, in its one spelling.
    pub fn write(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// Of such JSON, and of no other spelling of it.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let refused = |because: String| Refusal::new(Check::Statement, because);
        let it: Self = serde_json::from_slice(bytes).map_err(|why| refused(format!("no statement of a bundle: {why}")))?;
        if it.kind != TYPE {
            return Err(refused(format!("_type is `{}`; expected `{TYPE}`", it.kind)));
        }
        if it.predicate_type != PREDICATE_TYPE {
            return Err(refused(format!(
                "predicateType is `{}`; expected `{PREDICATE_TYPE}`",
                it.predicate_type
            )));
        }
        if it.write().ok().as_deref() != Some(bytes) {
            return Err(refused(
                "not spelled as a bundle spells it: other blanks, order or escapes".to_owned(),
            ));
        }
        if it.predicate.inputs.is_empty() || it.subject.len() < it.predicate.inputs.len() {
            return Err(refused("it names fewer subjects than inputs, or no input".to_owned()));
        }
        let digests = it.subject.iter().map(|it| &it.digest.sha256);
        if digests
            .chain(it.predicate.files.iter().map(|it| &it.sha256))
            .any(|it| !is_digest(it))
        {
            return Err(refused("a digest is not 64 small hexadecimal digits".to_owned()));
        }
        let names: std::collections::BTreeSet<_> = it.subject.iter().map(|it| &it.name).collect();
        if names.len() != it.subject.len() {
            return Err(refused("two subjects have one name".to_owned()));
        }
        Ok(it)
    }

    /// The inputs, each with its subject.
    pub fn inputs(&self) -> impl Iterator<Item = (&Subject, &Input)> {
        self.subject.iter().zip(&self.predicate.inputs)
    }

    /// The members that must stand behind the envelope, in this order.
    pub fn members(&self) -> &[Subject] {
        self.subject.get(self.predicate.inputs.len()..).unwrap_or_default()
    }

    /// Whether what was found is what is stated: each member, in this order, and no other.
    pub fn agrees(&self, found: &[Member]) -> Result<(), Refusal> {
        let refused = |because: String| Err(Refusal::new(Check::Members, because));
        let stated = self.members();
        for (place, subject) in stated.iter().enumerate() {
            let Some(member) = found.iter().find(|it| it.name == subject.name) else {
                return refused(format!("`{}` is stated and is not there", subject.name));
            };
            if member.sha256 != subject.digest.sha256 {
                return refused(format!(
                    "`{}` is not the one stated: its SHA-256 is {}",
                    subject.name, member.sha256
                ));
            }
            if found.get(place).is_none_or(|it| it.name != subject.name) {
                return refused(format!("`{}` is not where it is stated: the order is another", subject.name));
            }
        }
        if let Some(member) = found.iter().find(|it| stated.iter().all(|subject| subject.name != it.name)) {
            return refused(format!("`{}` is there and is not stated", member.name));
        }
        for file in &self.predicate.files {
            if let Some(name) = &file.member
                && !found
                    .iter()
                    .any(|it| it.name == *name && it.sha256 == file.sha256 && it.kept.is_some())
            {
                return refused(format!("`{name}` is said to be the file `{}` and is not", file.name));
            }
        }
        for name in [super::REPORT, super::PAGE] {
            if !found.iter().any(|it| it.name == name) {
                return refused(format!("`{name}` is not there"));
            }
        }
        Ok(())
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}
