//! `farshore bundle make`: audits, states, signs, writes one archive. Captures, key logs and known values stay where they are;
//! the statement has their digests.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Seek as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::Context;
use farshore::policy;
use farshore_report::bundle::archive::Writer;
use farshore_report::bundle::envelope::{Envelope, signed_bytes};
use farshore_report::bundle::statement::{self, Input, Predicate, Signer, Statement, Subject, Tool};
use farshore_report::bundle::{ENVELOPE, FILES, hex, unique};
use sha2::{Digest as _, Sha256};

use super::keys::Secret;
use crate::audit::{self, Asked};
use crate::shelf::{Noted, Shelf};
use crate::{args, inputs, message, output};

/// Flags whose files go into the bundle: what its maker declares, in words of his own. All others may hold values of people or facts about them,
/// secrets, or data that must not be passed on.
const CARRIED: [&str; 6] = ["declared", "overrides", "policy", "replies", "scope", "waivers"];

/// Runs the verb.
pub(super) fn run(args: &args::BundleMake) -> anyhow::Result<ExitCode> {
    output::check(Some(&args.output), args.force)?;
    let key = Secret::read(&args.key, args.audited.voice.quiet)?;
    let files = Shelf::Noting(Mutex::default());
    let sources = inputs::named(&args.audited.input, &files)?;
    let asked = Asked {
        files: &files,
        every_fact: true,
        ..Asked::default()
    };
    let judged = audit::judge(&args.audited, &sources, &asked)?;
    anyhow::ensure!(judged.unread().is_none(), "nothing was signed: not all inputs could be read");
    let audit = &judged.audit;

    let folder = args
        .output
        .parent()
        .filter(|it| !it.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut members: Vec<Member> = Vec::new();
    for (name, format) in super::RENDERINGS {
        let file = tempfile::tempfile_in(folder).with_context(|| message::shown(folder))?;
        let mut out = BufWriter::new(file);
        let (size, sha256) = super::render(audit, format, args.audited.effort.jobs(), &mut out)?;
        out.flush()?;
        let file = out.into_inner().context("was not written")?;
        let body = Body::File(file);
        members.push(Member {
            name: name.to_owned(),
            size,
            sha256,
            body,
        });
    }
    let Shelf::Noting(noted) = files else {
        anyhow::bail!("nothing was noted")
    };
    let files = shelve(noted.into_inner().ok().context("nothing was noted")?, &mut members);

    let statement = state(args, &key, audit, &files, &members);
    let payload = statement.write()?;
    let envelope = Envelope {
        signature: key.sign(&signed_bytes(&payload)),
        payload,
        keyid: key.public().fingerprint(),
    };
    let envelope = envelope.write()?;
    output::write(Some(&args.output), args.force, &mut |out| {
        let mut archive = Writer::new(out);
        archive.member(ENVELOPE, envelope.len() as u64, &mut &envelope[..])?;
        for member in &mut members {
            archive.member(&member.name, member.size, member.body.rewound()?)?;
        }
        archive.end()
    })?;
    if !args.audited.voice.quiet {
        message::say(&format!(
            "{}: signed with {} {}",
            message::shown(&args.output),
            key.public().kind(),
            key.public().fingerprint()
        ));
    }
    judged.leave();
    Ok(ExitCode::SUCCESS)
}

/// What goes into the archive.
struct Member {
    name: String,
    size: u64,
    sha256: String,
    body: Body,
}

enum Body {
    File(File),
    Bytes(Cursor<Vec<u8>>),
}

impl Body {
    fn rewound(&mut self) -> std::io::Result<&mut dyn Read> {
        Ok(match self {
            Self::File(it) => {
                it.rewind()?;
                it
            }
            Self::Bytes(it) => {
                it.rewind()?;
                it
            }
        })
    }
}

/// A file beside the inputs: where it was, and what is stated of it.
struct Shelved {
    noted: Noted,
    stated: statement::File,
}

/// Names the files, and adds those that leave to the members.
fn shelve(mut noted: Vec<Noted>, members: &mut Vec<Member>) -> Vec<Shelved> {
    // In the order of flags and names: neither the folders they lie in nor the order in which they were read may tell.
    noted.sort_by_cached_key(|it| (it.flag, it.path.file_name().map(ToOwned::to_owned), hex(&Sha256::digest(&it.bytes))));
    // A file of the name of a built-in pack is no built-in pack.
    let mut taken: BTreeSet<String> = policy::ids().map(str::to_owned).chain(["-".to_owned()]).collect();
    let mut names = BTreeSet::new();
    let mut shelved = Vec::new();
    for mut noted in noted {
        let base = noted.path.file_name().unwrap_or(noted.path.as_os_str()).to_string_lossy();
        let name = unique(&mut taken, &base);
        let sha256 = hex(&Sha256::digest(&noted.bytes));
        let member = CARRIED.contains(&noted.flag).then(|| {
            let stem = (1_u32..).map(|it| {
                if it == 1 {
                    noted.flag.to_owned()
                } else {
                    format!("{}-{it}", noted.flag)
                }
            });
            let free = stem.map(|it| format!("{FILES}{it}.toml")).find(|it| names.insert(it.clone()));
            free.unwrap_or_default()
        });
        let bytes = std::mem::take(&mut noted.bytes);
        if let Some(name) = &member {
            members.push(Member {
                name: name.clone(),
                size: bytes.len() as u64,
                sha256: sha256.clone(),
                body: Body::Bytes(Cursor::new(bytes)),
            });
        }
        let stated = statement::File {
            name,
            flag: noted.flag.to_owned(),
            sha256,
            member,
            needed: noted.flag != "labels",
        };
        shelved.push(Shelved { noted, stated });
    }
    shelved
}

fn state(args: &args::BundleMake, key: &Secret, audit: &farshore::Audit, files: &[Shelved], members: &[Member]) -> Statement {
    let mut taken: BTreeSet<String> = members.iter().map(|it| it.name.clone()).collect();
    let mut subjects = Vec::new();
    let mut stated = Vec::new();
    for input in &audit.inputs {
        let name = unique(&mut taken, &input.name);
        subjects.push(Subject::new(name, input.sha256.clone()));
        stated.push(Input {
            path: input.name.clone(),
            labels: input.labels.clone(),
        });
    }
    let called = |flag: &str, path: &Path| {
        let found = files.iter().find(|it| it.noted.flag == flag && it.noted.path == path);
        found.map(|it| it.stated.name.clone())
    };
    let mut command: Vec<String> = ["farshore", "bundle", "make"].map(str::to_owned).to_vec();
    command.extend(args.audited.again(&called));
    command.push("--".to_owned());
    command.extend(subjects.iter().map(|it| it.name.clone()));
    subjects.extend(members.iter().map(|it| Subject::new(it.name.clone(), it.sha256.clone())));
    let predicate = Predicate {
        signer: Signer {
            key: key.public().line(),
            fingerprint: key.public().fingerprint(),
        },
        tool: Tool::of(&audit.tool),
        command,
        inputs: stated,
        files: files.iter().map(|it| it.stated.clone()).collect(),
        limits: args.audited.effort.limits(),
        show_pii: args.audited.show_pii,
    };
    Statement::new(subjects, predicate)
}
