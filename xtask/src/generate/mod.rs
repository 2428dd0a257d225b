//! Owns `cargo xtask generate parties`: the who-and-where data under `packs/parties`, from pinned packages.
//! Refuses to run in a build or a test: it needs the network; what it writes is committed.
//!
//! ```text
//! cargo xtask generate parties [--check] [--from DIR]
//! ```
//! `--check` compares with what is there and writes nothing; `--from` takes the packages from a folder.

mod borders;
mod clouds;
mod columns;
mod datasets;
mod entities;
mod inputs;
mod networks;
mod places;
mod ranges;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// One data set, as it is written: a folder and the files in it.
#[derive(Debug)]
pub struct Made {
    folder: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
}

/// The subcommand; `arguments` are those after `generate`.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.iter().map(String::as_str);
    if arguments.next() != Some("parties") {
        bail!("usage: cargo xtask generate parties [--check] [--from DIR]");
    }
    let (mut check, mut from) = (false, None);
    while let Some(argument) = arguments.next() {
        match argument {
            "--check" => check = true,
            "--from" => from = Some(PathBuf::from(arguments.next().context("--from needs a folder")?)),
            other => bail!("unknown argument {other}"),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace has no root")?;
    let scratch = std::env::temp_dir().join(format!("farshore-generate-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let made = datasets::all(from.as_deref(), &scratch)?;
    let outcome = settle(&root.join("packs/parties"), &made, check);
    fs::remove_dir_all(&scratch)?;
    outcome
}

/// Writes what was made, or says how it differs from what is there.
fn settle(parties: &Path, made: &[Made], check: bool) -> Result<()> {
    let (mut stale, mut total) = (Vec::new(), 0);
    for set in made {
        for (name, bytes) in &set.files {
            let path = parties.join(set.folder).join(name);
            total += bytes.len();
            println!("{:>9}  {}/{name}", bytes.len(), set.folder);
            if check {
                if fs::read(&path).ok().as_ref() != Some(bytes) {
                    stale.push(format!("{}/{name}", set.folder));
                }
                continue;
            }
            fs::create_dir_all(parties.join(set.folder))?;
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    println!("{total:>9}  in all");
    if !stale.is_empty() {
        bail!("differs from what the pinned inputs give: {}", stale.join(", "));
    }
    Ok(())
}
