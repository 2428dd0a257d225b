//! What real captures are known to hold, held against what the program says of them.
//!
//! The captures are not here: where the folder beside the repository is missing, this says so and has nothing to do. Facts
//! stand in `corpus/`: places and verdicts, never the bytes. It refuses to judge: people did, from the bytes.

mod audits;
mod headlines;
mod sample;
mod sweep;

use std::path::PathBuf;

use anyhow::{bail, ensure};

use crate::tidy::root;
use audits::Audits;

/// `captures [--ready] [--draw] [PROGRAM]`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let corpus = corpus();
    let program = |path: Option<&&str>| {
        let built = root().join("target/release/farshore");
        path.map_or(built, |path| PathBuf::from(*path))
    };
    match words.as_slice() {
        ["--ready"] => {
            if !corpus.join("pii_sweep.tsv").is_file() {
                println!("the shared corpus is not at hand");
            }
            Ok(())
        }
        ["--draw", rest @ ..] if rest.len() < 2 => sample::draw(&mut Audits::of(corpus, program(rest.first()))?),
        rest if rest.len() < 2 && rest.iter().all(|word| !word.starts_with('-')) => {
            ensure!(corpus.join("pii_sweep.tsv").is_file(), "the shared corpus is not at hand");
            let mut audits = Audits::of(corpus, program(rest.first()))?;
            let wrong = [
                headlines::check(&mut audits)?,
                sweep::check(&mut audits)?,
                sample::check(&mut audits)?,
            ];
            let wrong: Vec<String> = wrong.into_iter().flatten().collect();
            for line in &wrong {
                eprintln!("{line}");
            }
            ensure!(wrong.is_empty(), "{} facts do not hold", wrong.len());
            Ok(())
        }
        _ => bail!("usage: cargo xtask captures [--ready | [--draw] [PROGRAM]]"),
    }
}

/// The captures, beside the repository.
fn corpus() -> PathBuf {
    root().join("../shared/corpus")
}
