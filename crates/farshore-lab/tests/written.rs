//! What all worlds write: the same each time, and packets that another reader finds nothing wrong with.

use std::io::Write;
use std::process::{Command, Stdio};

use farshore_lab::crowd::{self, Design};
use farshore_lab::{Edition, WORLDS, cells, phone};

/// Captures of all worlds, by name.
fn captures() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for edition in Edition::ALL {
        for world in WORLDS {
            all.extend((world.record)(edition).captures.into_iter().map(|it| (it.file, it.bytes)));
        }
        all.extend(phone::record(edition).runs.into_iter().map(|it| (it.file, it.bytes)));
    }
    all.extend(cells::record(1, true).into_iter().map(|it| (it.name, it.bytes)));
    for design in Design::ALL {
        all.extend(crowd::record(5, design).runs.into_iter().map(|it| (it.file, it.bytes)));
    }
    all
}

/// Sections of pcapng may stand behind each other: all captures are one file, and `tshark` reads it once.
#[test]
fn tshark_finds_no_malformed_packet() {
    let tshark = Command::new("tshark")
        // Its first bytes make it try this one on protocols that nobody documented.
        .args(["--disable-protocol", "goose"])
        .args([
            "-n",
            "-r",
            "-",
            "-Y",
            "_ws.malformed",
            "-T",
            "fields",
            "-e",
            "frame.number",
            "-e",
            "frame.protocols",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut tshark) = tshark else { return };
    let captures = captures();
    let mut input = tshark.stdin.take().unwrap();
    let bytes: Vec<u8> = captures.iter().flat_map(|(_, bytes)| bytes).copied().collect();
    let written = std::thread::spawn(move || input.write_all(&bytes));
    let out = tshark.wait_with_output().unwrap();
    written.join().unwrap().unwrap();
    assert!(out.status.success());
    assert_eq!(String::from_utf8_lossy(&out.stdout), "", "of {} captures", captures.len());
}

#[test]
fn scenes_and_phones_are_the_same_each_time() {
    let scenes = || {
        cells::record(3, false)
            .into_iter()
            .map(|it| (it.name, it.bytes, it.keylog))
            .collect::<Vec<_>>()
    };
    assert_eq!(scenes(), scenes());
    for edition in Edition::ALL {
        let [one, other] = [0, 1].map(|_| phone::record(edition));
        assert_eq!((one.labels(), one.keylog), (other.labels(), other.keylog));
        assert!(one.runs.iter().zip(&other.runs).all(|(a, b)| a.bytes == b.bytes && a.har == b.har));
    }
}

#[test]
fn a_cell_is_decidable_only_if_nothing_else_may_be_behind_it() {
    let scenes: Vec<_> = (0..6).map(|seed| cells::record(seed, true)).collect();
    let cells = |at: usize| scenes.iter().flat_map(move |it| it[at].cells.iter().enumerate());
    for at in 0..scenes[0].len() {
        for (number, cell) in scenes[0][at].cells.iter().enumerate().filter(|(_, it)| it.decidable) {
            let mut others = cells(at).filter(|(other, _)| *other == number);
            assert!(
                others.all(|(_, it)| it.reads == cell.reads && it.role == cell.role),
                "{}",
                scenes[0][at].name
            );
        }
        let name = scenes[0][at].name.rsplit_once('-').unwrap().0;
        assert!(scenes.iter().all(|it| it[at].name.starts_with(name)));
    }
}
