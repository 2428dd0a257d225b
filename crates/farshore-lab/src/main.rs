//! The `farshore-lab` command: lists worlds and writes what they leave behind. Owns all file writing of the lab.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use farshore_lab::crowd::{self, Crowd, Design};
use farshore_lab::{Edition, WORLDS, World};

#[derive(Debug, Parser)]
#[command(
    name = "farshore-lab",
    version,
    about = "Writes packet captures of simulated worlds, and what is true of them"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the worlds
    List,
    /// Write captures, key log and truth of a world, over files of the same names
    Write {
        /// The world, by its name in `list`
        world: String,
        /// One edition only (default: both)
        #[arg(long)]
        edition: Option<EditionName>,
        /// Folder to write into, made if it is missing
        #[arg(short, default_value = ".")]
        o: PathBuf,
    },
    /// Write captures of many users in many rooms over a made-up protocol, their labels, and what is true of them
    Crowd {
        /// Every seed is a crowd of its own
        seed: u64,
        /// What the captures are meant to show
        #[arg(long, default_value = "ample")]
        design: DesignName,
        /// Folder to write into, made if it is missing
        #[arg(short, default_value = ".")]
        o: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DesignName {
    Ample,
    Few,
    OneRoom,
    OneEach,
    Unlabelled,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EditionName {
    Leaky,
    Fixed,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::List => {
            for world in WORLDS {
                println!("{}\t{}", world.id, world.summary);
            }
            Ok(())
        }
        Verb::Write { world, edition, o } => {
            let found = WORLDS.iter().find(|it| it.id == world);
            let found = found.with_context(|| format!("no world {world:?}; `farshore-lab list` names them"))?;
            let editions = match edition {
                None => Edition::ALL.to_vec(),
                Some(EditionName::Leaky) => vec![Edition::Leaky],
                Some(EditionName::Fixed) => vec![Edition::Fixed],
            };
            write(found, &editions, &o)
        }
        Verb::Crowd { seed, design, o } => {
            let design = match design {
                DesignName::Ample => Design::Ample,
                DesignName::Few => Design::Few,
                DesignName::OneRoom => Design::OneRoom,
                DesignName::OneEach => Design::OneEach,
                DesignName::Unlabelled => Design::Unlabelled,
            };
            write_crowd(&crowd::record(seed, design), &o)
        }
    }
}

/// Captures of a crowd, `labels.csv` and `truth.json`.
fn write_crowd(crowd: &Crowd, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    let mut truth = Vec::new();
    for run in &crowd.runs {
        put(&run.file, &run.bytes)?;
        truth.push(serde_json::json!({ "input": run.file, "cast": run.cast, "plants": run.plants }));
    }
    put("labels.csv", crowd.labels().as_bytes())?;
    let truth = serde_json::json!({ "design": crowd.design, "protocol": format!("{:?}", crowd.grammar), "runs": truth });
    put("truth.json", (serde_json::to_string_pretty(&truth)? + "\n").as_bytes())
}

/// Captures and key log of each edition, and one `truth.json` of all editions written, by name.
fn write(world: &World, editions: &[Edition], folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    let mut truths = serde_json::Map::new();
    for edition in editions {
        let recording = (world.record)(*edition);
        for capture in &recording.captures {
            put(&capture.file, &capture.bytes)?;
        }
        put(&recording.truth.keylog, recording.keylog.as_bytes())?;
        truths.insert(edition.name().to_owned(), serde_json::to_value(&recording.truth)?);
    }
    put("truth.json", (serde_json::to_string_pretty(&truths)? + "\n").as_bytes())
}
