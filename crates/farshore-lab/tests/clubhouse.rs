//! Holds the world `clubhouse` to its truth files: every claim is checked on the captures' bytes by a reader of its own.

#![allow(clippy::cast_possible_truncation, reason = "the lengths of our own frames")]

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use farshore_lab::g711::{HARBOUR, LANTERNS};
use farshore_lab::truth::{Capture, Flow};
use farshore_lab::{Edition, Recording, WORLDS};
use flate2::read::ZlibDecoder;
use reader::{Frames, frames, hex, holds, keylog, packet, stream};

fn record(edition: Edition) -> Recording {
    (WORLDS.iter().find(|world| world.id == "clubhouse").unwrap().record)(edition)
}

/// Each capture with its frames.
fn captures(recording: &Recording) -> Vec<(&Capture, Frames)> {
    let both = recording.truth.captures.iter().zip(&recording.captures);
    both.map(|(truth, capture)| {
        assert_eq!(truth.file, capture.file);
        (truth, frames(&capture.bytes))
    })
    .collect()
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The bytes an occurrence must have; a packed token is unpacked first.
fn carries(encoding: &str, value: &str, found: &[u8]) -> bool {
    match encoding {
        "ascii" | "ascii-decimal" => found == value.as_bytes(),
        "u32be" => found == value.parse::<u32>().unwrap().to_be_bytes(),
        "u64le" => found == value.parse::<u64>().unwrap().to_le_bytes(),
        "base64>zlib>ascii" | "base64>zlib>ascii-decimal" => {
            let packed = STANDARD.decode(found.strip_prefix(b"007").expect("the version")).unwrap();
            let mut body = Vec::new();
            ZlibDecoder::new(&packed[..]).read_to_end(&mut body).unwrap();
            holds(&body, value.as_bytes())
        }
        other => panic!("encoding {other}"),
    }
}

#[test]
fn two_recordings_are_the_same_bytes() {
    for edition in Edition::ALL {
        let (one, two) = (record(edition), record(edition));
        assert_eq!(one.keylog, two.keylog);
        assert_eq!(
            serde_json::to_string(&one.truth).unwrap(),
            serde_json::to_string(&two.truth).unwrap()
        );
        for (one, two) in one.captures.iter().zip(&two.captures) {
            assert!(one.bytes == two.bytes, "{}", one.file);
        }
    }
}

#[test]
fn the_examples_are_what_the_world_gives() {
    for (edition, capture, keys) in [
        (Edition::Leaky, "clubhouse.pcapng", "clubhouse.keylog"),
        (Edition::Fixed, "clubhouse.fixed.pcapng", "clubhouse.fixed.keylog"),
    ] {
        let recording = record(edition);
        let on_disk = |name: &str| std::fs::read(repository().join("examples").join(name)).unwrap();
        assert!(recording.captures[0].file.starts_with("user-alice."));
        assert!(recording.captures[0].bytes == on_disk(capture), "{capture} is stale");
        assert!(recording.keylog.as_bytes() == on_disk(keys), "{keys} is stale");
    }
}

#[test]
fn the_known_file_of_the_example_names_what_alice_sends() {
    let text = std::fs::read_to_string(repository().join("examples/clubhouse.known.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let rows = table["known"].as_array().unwrap();
    let field = |row: &toml::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let listed: BTreeSet<_> = rows.iter().map(|row| (field(row, "kind"), field(row, "value"))).collect();
    let truth = record(Edition::Leaky).truth;
    let (alice, room) = (&truth.users[0], &truth.rooms[0]);
    let wanted = [
        ("user-id", &alice.user_id),
        ("room-id", &room.room_id),
        ("room-id", &room.number),
        ("device-id", &alice.device_id),
    ];
    assert_eq!(listed, wanted.map(|(kind, value)| (kind.to_owned(), value.clone())).into());
    for (kind, value) in &listed {
        assert!(
            truth.captures[0].occurrences.iter().any(|it| it.kind == kind && it.value == *value),
            "{kind} is sent in clear"
        );
    }
}

#[test]
fn every_planted_identifier_is_where_the_truth_says() {
    let recording = record(Edition::Leaky);
    let mut seen = BTreeSet::new();
    for (truth, frames) in captures(&recording) {
        assert_eq!(truth.frames, frames.len());
        for it in &truth.occurrences {
            let found = &frames[it.frame - 1].1[it.offset..it.offset + it.length];
            assert!(
                carries(it.encoding, &it.value, found),
                "{} {} in frame {} of {}",
                it.kind,
                it.value,
                it.frame,
                truth.file
            );
            seen.insert((it.kind, it.encoding));
        }
    }
    for wanted in [
        ("user-id", "u32be"),
        ("user-id", "ascii-decimal"),
        ("user-id", "base64>zlib>ascii-decimal"),
        ("room-id", "ascii"),
        ("room-id", "u64le"),
        ("room-id", "base64>zlib>ascii"),
        ("device-id", "ascii"),
        ("cookie", "ascii"),
        ("credential", "ascii"),
        ("hostname", "ascii"),
    ] {
        assert!(seen.contains(&wanted), "{wanted:?} is planted");
    }
}

#[test]
fn the_truth_misses_no_identifier_in_clear() {
    // The other way round: each place where a value's bytes stand is one the truth lists.
    let recording = record(Edition::Leaky);
    for (truth, frames) in captures(&recording) {
        let listed: BTreeSet<_> = truth.occurrences.iter().map(|it| (it.frame, it.offset)).collect();
        for user in &recording.truth.users {
            let number: u32 = user.user_id.parse().unwrap();
            for wanted in [
                user.user_id.as_bytes(),
                &number.to_be_bytes(),
                user.device_id.as_bytes(),
                user.cookie.as_bytes(),
            ] {
                for (index, (_, frame)) in frames.iter().enumerate() {
                    for at in 0..frame.len().saturating_sub(wanted.len()) {
                        let unlisted = frame[at..].starts_with(wanted) && !listed.contains(&(index + 1, at));
                        assert!(!unlisted, "{} at {at} of frame {} of {}", user.name, index + 1, truth.file);
                    }
                }
            }
        }
    }
}

#[test]
fn the_fixed_edition_shows_no_identifier() {
    let recording = record(Edition::Fixed);
    let mut wanted: Vec<(String, Vec<u8>)> = vec![
        ("edge name".to_owned(), b".edge.relaywright".to_vec()),
        ("edge label".to_owned(), b"\x04edge".to_vec()),
    ];
    let mut want = |name: &str, bytes: &[u8]| {
        wanted.push((name.to_owned(), bytes.to_vec()));
        wanted.push((format!("{name} in hex"), hex(bytes).into_bytes()));
        // Base64 at each of the three alignments, less the characters that neighbours share.
        for shift in 0..3 {
            let text = STANDARD.encode([&[0_u8; 3][..shift], bytes].concat());
            let (first, last) = (shift.div_ceil(3) + shift, (shift + bytes.len()) * 8 / 6);
            wanted.push((format!("{name} in base64"), text.as_bytes()[first..last].to_vec()));
        }
    };
    for user in &recording.truth.users {
        for value in [&user.user_id, &user.device_id, &user.cookie] {
            want(&user.name, value.as_bytes());
        }
        let number: u32 = user.user_id.parse().unwrap();
        for bytes in [number.to_be_bytes(), number.to_le_bytes()] {
            want(&user.name, &bytes);
        }
        want(&user.name, &reader::unhex(&user.device_id.replace('-', "")));
    }
    for room in &recording.truth.rooms {
        want(&room.room_id, room.room_id.as_bytes());
        want(&room.room_id, room.number.as_bytes());
        let number: u64 = room.number.parse().unwrap();
        want(&room.room_id, &number.to_be_bytes()[2..]);
        want(&room.room_id, &number.to_le_bytes()[..6]);
    }
    for capture in &recording.truth.captures {
        for it in capture.protected.iter().filter(|it| it.kind == "credential") {
            want(&capture.user, it.value.as_bytes());
        }
    }
    assert!(wanted.len() > 200);
    for (truth, frames) in captures(&recording) {
        assert!(truth.occurrences.is_empty());
        for (index, (_, frame)) in frames.iter().enumerate() {
            for (name, bytes) in &wanted {
                assert!(!holds(frame, bytes), "{name} in frame {} of {}", index + 1, truth.file);
            }
        }
    }
}

#[test]
fn both_editions_exercise_the_same_features() {
    let (leaky, fixed) = (record(Edition::Leaky), record(Edition::Fixed));
    let roles = |capture: &Capture| capture.flows.iter().map(|flow| flow.role).collect::<BTreeSet<_>>();
    let speech = |capture: &Capture| {
        let streams = capture.streams.iter().map(|it| (it.speaker.clone(), it.direction, it.packets));
        streams.collect::<BTreeSet<_>>()
    };
    for (before, after) in leaky.truth.captures.iter().zip(&fixed.truth.captures) {
        let mut left = roles(before);
        assert!(left.remove("ping"), "{} pings", before.file);
        assert_eq!(left, roles(after));
        assert_eq!(speech(before), speech(after));
        assert!(before.flows.iter().any(|flow| flow.country == "CN"));
        assert!(
            after.flows.iter().all(|flow| flow.country != "CN"),
            "{} goes nowhere near",
            after.file
        );
    }
}

#[test]
fn every_checksum_holds_and_every_flow_is_listed() {
    for edition in Edition::ALL {
        let recording = record(edition);
        for (truth, frames) in captures(&recording) {
            assert!(frames.is_sorted_by_key(|(at, _)| *at), "{} is in order of time", truth.file);
            let mut flows: BTreeMap<_, (usize, usize, usize)> = BTreeMap::new();
            for (index, (_, frame)) in frames.iter().enumerate() {
                let it = packet(frame);
                let up = it.from.0[..3] == [192, 0, 2] && it.from.0.map(|byte| byte.to_string()).join(".") == address(&recording, truth);
                let (client, server) = if up { (it.from, it.to) } else { (it.to, it.from) };
                let counts = flows.entry((it.protocol, client, server)).or_insert((index + 1, 0, 0));
                if up {
                    counts.1 += 1;
                } else {
                    counts.2 += 1;
                }
            }
            assert_eq!(flows.len(), truth.flows.len());
            for flow in &truth.flows {
                let (protocol, client, server) = tuple(flow);
                let seen = flows.get(&(protocol, client, server)).copied();
                assert_eq!(
                    seen,
                    Some((flow.first_frame, flow.frames_up, flow.frames_down)),
                    "{} {:?}",
                    truth.file,
                    flow
                );
            }
        }
    }
}

fn address(recording: &Recording, capture: &Capture) -> String {
    recording
        .truth
        .users
        .iter()
        .find(|user| user.name == capture.user)
        .unwrap()
        .address
        .clone()
}

type End = ([u8; 4], u16);

fn tuple(flow: &Flow) -> (u8, End, End) {
    let octets = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().octets();
    let protocol = match flow.transport {
        "icmp" => 1,
        "tcp" => 6,
        _ => 17,
    };
    let server_port = if protocol == 1 { flow.client.port } else { flow.server.port };
    (
        protocol,
        (octets(&flow.client.ip), flow.client.port),
        (octets(&flow.server.ip), server_port),
    )
}

#[test]
fn the_key_log_opens_every_tls_session() {
    for edition in Edition::ALL {
        let recording = record(edition);
        let keys = keylog(&recording.keylog);
        let mut suites = BTreeSet::new();
        for (truth, frames) in captures(&recording) {
            for session in &truth.tls {
                let flow = truth.flows.iter().find(|flow| flow.flow == session.flow).unwrap();
                let (_, client, server) = tuple(flow);
                let (up, down) = (stream(&frames, client, server), stream(&frames, server, client));
                let opened = reader::tls::open(&up, &down, &keys);
                assert!(opened.up.starts_with(b"POST /") || opened.up.starts_with(b"GET /"));
                assert!(opened.down.starts_with(b"HTTP/1.1 "));
                assert!(holds(&opened.up, format!("\r\nHost: {}\r\n", session.server_name).as_bytes()));
                let mut planted = 0;
                for it in truth.protected.iter().filter(|it| it.client_random == session.client_random) {
                    let data = if it.direction == "up" { &opened.up } else { &opened.down };
                    let found = &data[it.stream_offset..it.stream_offset + it.length];
                    assert!(carries(it.encoding, &it.value, found), "{} {}", it.kind, it.value);
                    planted += 1;
                }
                assert!(planted > 0, "each session carries something");
                suites.insert(session.cipher);
            }
        }
        assert_eq!(suites.len(), 3, "all three suites are in use: {suites:?}");
    }
}

#[test]
fn speech_is_the_recordings_or_is_sealed() {
    let known: BTreeMap<&str, Vec<[u8; 160]>> = [HARBOUR, LANTERNS].map(|it| (it.file, it.frames())).into();
    for edition in Edition::ALL {
        let recording = record(edition);
        for (truth, frames) in captures(&recording) {
            for it in &truth.streams {
                let speech: Vec<&[u8]> = frames
                    .iter()
                    .map(|(_, frame)| packet(frame).payload)
                    .filter(|payload| payload.len() >= 172 && payload[8..12] == it.ssrc.to_be_bytes())
                    .collect();
                assert_eq!(speech.len(), it.packets);
                let numbers: Vec<u16> = speech.iter().map(|it| u16::from_be_bytes([it[2], it[3]])).collect();
                assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no packet is lost");
                assert!(speech.iter().all(|it| it[0] == 0x80 && it[1] & 0x7f == 0));
                let source = &known[it.source];
                let spoken = |packet: &&&[u8]| source.iter().any(|frame| frame[..] == packet[12..172]);
                let (in_clear, tag) = if edition == Edition::Leaky { (it.packets, 0) } else { (0, 10) };
                assert_eq!(speech.iter().filter(spoken).count(), in_clear, "{} of {}", it.source, truth.file);
                assert!(speech.iter().all(|packet| packet.len() == 12 + 160 + tag));
            }
        }
    }
}

#[test]
fn the_parties_file_says_what_the_world_says() {
    let path = repository().join("packs/parties/fictional/parties.toml");
    let table: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    assert_eq!(table["fictional"].as_bool(), Some(true));
    let truth = serde_json::to_value(record(Edition::Leaky).truth).unwrap();
    let rows = |key: &str| serde_json::to_value(table[key].as_array().unwrap()).unwrap();
    let mut parties = truth["parties"].clone();
    for party in parties.as_array_mut().unwrap() {
        party.as_object_mut().unwrap().remove("fictional");
    }
    assert_eq!(rows("organisation"), parties);
    assert_eq!(rows("network"), truth["networks"]);
    assert_eq!(rows("place"), truth["places"]);
}

#[test]
fn every_peer_has_a_party_a_place_and_a_network() {
    for edition in Edition::ALL {
        let truth = record(edition).truth;
        let number = |text: &str| u32::from_be_bytes(text.parse::<std::net::Ipv4Addr>().unwrap().octets());
        for place in &truth.places {
            let within = |prefix: &str| {
                let (base, length) = prefix.split_once('/').unwrap();
                let shift = 32 - length.parse::<u32>().unwrap();
                number(base) >> shift == number(place.address) >> shift
            };
            assert_eq!(truth.networks.iter().filter(|it| within(it.prefix)).count(), 1, "{}", place.address);
        }
        // RFC 5398: AS numbers for documentation.
        assert!(truth.networks.iter().all(|it| (64_496..=64_511).contains(&it.asn)));
        for party in &truth.parties {
            assert!(
                party.domains.iter().all(|domain| domain.ends_with(".example")),
                "RFC 2606: {}",
                party.id
            );
            assert!(
                party.parent.is_empty() || truth.parties.iter().any(|it| it.id == party.parent),
                "{}",
                party.id
            );
        }
        for flow in truth.captures.iter().flat_map(|capture| &capture.flows) {
            let place = truth.places.iter().find(|place| place.address == flow.server.ip);
            assert_eq!(place.map(|place| place.country), Some(flow.country), "{flow:?}");
            let party = truth.parties.iter().find(|party| party.id == flow.party);
            assert!(party.is_some(), "{flow:?}");
        }
    }
}

#[test]
fn the_command_writes_what_the_library_records() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clubhouse");
    let run = |arguments: &[&str]| {
        let command = env!("CARGO_BIN_EXE_farshore-lab");
        std::process::Command::new(command)
            .args(arguments)
            .arg("-o")
            .arg(&folder)
            .output()
            .unwrap()
    };
    assert!(run(&["write", "clubhouse"]).status.success());
    for edition in Edition::ALL {
        let recording = record(edition);
        for capture in &recording.captures {
            assert!(
                std::fs::read(folder.join(&capture.file)).unwrap() == capture.bytes,
                "{}",
                capture.file
            );
        }
        let keys = std::fs::read_to_string(folder.join(&recording.truth.keylog)).unwrap();
        assert_eq!(keys, recording.keylog);
        let truth = std::fs::read(folder.join("truth.json")).unwrap();
        let truth: serde_json::Value = serde_json::from_slice(&truth).unwrap();
        assert_eq!(truth[edition.name()], serde_json::to_value(&recording.truth).unwrap());
    }
    let refused = run(&["write", "nowhere"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no world \"nowhere\""));
}
