//! The `farshore-lab` command: lists worlds and writes what they leave behind. Owns all file writing of the lab.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use farshore_lab::crowd::{self, Crowd, Design};
use farshore_lab::{Edition, WORLDS, World, cells, phone};

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
    /// Write captures of a phone that is idle, active, and was refused consent; labels, key log, HAR, and what is true of them
    Phone {
        /// One edition only (default: both)
        #[arg(long)]
        edition: Option<EditionName>,
        /// Folder to write into, made if it is missing
        #[arg(short, default_value = ".")]
        o: PathBuf,
    },
    /// Write scenes that ask who can read a datum, each with its keys, and the answers
    Cells {
        /// Every seed is another telling of the same scenes
        seed: u64,
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
            write(found, &editions(edition), &o)
        }
        Verb::Phone { edition, o } => write_phone(&editions(edition), &o),
        Verb::Cells { seed, o } => write_cells(seed, &o),
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

fn editions(named: Option<EditionName>) -> Vec<Edition> {
    match named {
        None => Edition::ALL.to_vec(),
        Some(EditionName::Leaky) => vec![Edition::Leaky],
        Some(EditionName::Fixed) => vec![Edition::Fixed],
    }
}

/// Puts files into a folder.
fn folder(path: &Path) -> anyhow::Result<impl Fn(&str, &[u8]) -> anyhow::Result<()>> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    let folder = path.to_owned();
    Ok(move |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    })
}

/// Of each edition captures, HAR, labels, known values and key log; and one `truth.json`.
fn write_phone(editions: &[Edition], path: &Path) -> anyhow::Result<()> {
    let put = folder(path)?;
    let mut truths = serde_json::Map::new();
    for edition in editions {
        let phone = phone::record(*edition);
        let name = edition.name();
        let mut truth = serde_json::Map::new();
        for run in &phone.runs {
            put(&run.file, &run.bytes)?;
            put(&run.file.replace(".pcapng", ".har"), run.har.as_bytes())?;
            truth.insert(run.file.clone(), serde_json::json!({ "state": run.state, "sent": run.told }));
        }
        put(&format!("{name}.labels.csv"), phone.labels().as_bytes())?;
        put(&format!("{name}.keylog"), phone.keylog.as_bytes())?;
        let known = format!(
            "[[known]]\nname = \"device\"\nkind = \"device-id\"\nvalue = \"{}\"\n",
            phone.device.value
        );
        put("known.toml", known.as_bytes())?;
        truths.insert(name.to_owned(), truth.into());
    }
    put("truth.json", (serde_json::to_string_pretty(&truths)? + "\n").as_bytes())
}

/// Of each scene its capture and keys, and one `truth.json`.
fn write_cells(seed: u64, path: &Path) -> anyhow::Result<()> {
    let put = folder(path)?;
    let mut truths = serde_json::Map::new();
    for scene in cells::record(seed, true) {
        put(&format!("{}.pcapng", scene.name), &scene.bytes)?;
        if !scene.keylog.is_empty() {
            put(&format!("{}.keylog", scene.name), scene.keylog.as_bytes())?;
        }
        truths.insert(scene.name, serde_json::json!({ "server": scene.server, "cells": scene.cells }));
    }
    put("truth.json", (serde_json::to_string_pretty(&truths)? + "\n").as_bytes())
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
