//! The leaky edition: every planted value is found where it stands, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use farshore::model::party::Via;
use farshore::model::sighting::KEPT;
use farshore::model::{Answer, Audit, DatumKind, Exposure, Locus, Outcome, ReaderRole};
use farshore_lab::Edition;
use farshore_lab::truth::{Capture, Occurrence};

use crate::clubhouse::{audit, audits, frames, holds_to_truth, known, ledger_of, record};
use crate::spoken;

#[test]
fn flows_names_and_parties_are_the_truth() {
    let (recording, audits) = audits(Edition::Leaky, None);
    for (truth, audit) in recording.truth.captures.iter().zip(&audits) {
        holds_to_truth(&recording.truth, truth, audit);
    }
}

/// Four bytes that stand once in a capture are no more than chance explains (the rule is in `identifiers::chance`): a user
/// id that is there once, as `u32be`, and nowhere else in that shape may stay unsaid. Nothing else may.
fn may_be_chance(truth: &Capture, it: &Occurrence) -> bool {
    let alike = |other: &&Occurrence| other.encoding == it.encoding && other.value == it.value;
    it.encoding == "u32be" && truth.occurrences.iter().filter(alike).count() == 1
}

/// The chain from bytes to value, as evidence tells it.
fn chain(encoding: &str) -> &'static [&'static str] {
    match encoding {
        "ascii" | "ascii-decimal" => &[],
        "u32be" => &["u32be"],
        "u64le" => &["u64le"],
        // The evidence of what is packed is the packed run as a whole: all of the token, as the truth has it.
        "base64>zlib>ascii" | "base64>zlib>ascii-decimal" => &["base64", "zlib"],
        other => panic!("{other}"),
    }
}

type Place = (u64, u64, u64, Vec<&'static str>);

fn place(it: &Locus) -> Place {
    assert_eq!(it.span.first_frame, it.span.frame, "planted values are within one frame");
    (it.span.frame, it.span.offset, it.span.length, it.decoded_by.to_vec())
}

/// All places of known values, by kind and value, in the order of frames; and how many there were said to be.
fn found(audit: &Audit) -> BTreeMap<(DatumKind, String), (Vec<Place>, u64)> {
    let mut all: BTreeMap<_, (Vec<Place>, u64)> = BTreeMap::new();
    for it in audit.exposures.iter().filter(|it| it.known_as.is_some()) {
        let (places, count) = all.entry((it.kind.clone(), it.value.raw.clone().unwrap())).or_default();
        places.extend(it.evidence.iter().map(place));
        *count += it.count;
    }
    all.values_mut().for_each(|(places, _)| places.sort());
    all
}

/// The planted values of a capture that must be said, in the same shape.
fn planted(truth: &Capture) -> BTreeMap<(DatumKind, String), Vec<Place>> {
    let mut all: BTreeMap<_, Vec<Place>> = BTreeMap::new();
    for it in truth.occurrences.iter().filter(|it| !may_be_chance(truth, it)) {
        let place = (it.frame as u64, it.offset as u64, it.length as u64, chain(it.encoding).to_vec());
        all.entry((DatumKind::named(it.kind), it.value.clone())).or_default().push(place);
    }
    all.values_mut().for_each(|places| places.sort());
    all
}

#[test]
fn every_planted_value_is_counted_and_none_besides() {
    let (recording, audits) = audits(Edition::Leaky, None);
    for (truth, audit) in recording.truth.captures.iter().zip(&audits) {
        let (mut found, planted) = (found(audit), planted(truth));
        // A known host name is also found where DNS and TLS spell it; those places are nobody's plant.
        found.retain(|(kind, _), _| *kind != DatumKind::HOSTNAME);
        let wanted: BTreeMap<_, u64> = planted
            .iter()
            .filter(|((kind, _), _)| *kind != DatumKind::HOSTNAME)
            .map(|(what, places)| (what.clone(), places.len() as u64))
            .collect();
        let counts: BTreeMap<_, u64> = found.iter().map(|(what, (_, count))| (what.clone(), *count)).collect();
        assert_eq!(counts, wanted, "{}", truth.file);
        for (what, (places, _)) in &found {
            assert!(places.len() >= KEPT.min(planted[what].len()));
            assert!(places.iter().all(|it| planted[what].contains(it)), "{what:?} of {}", truth.file);
        }
    }
    let all = recording
        .truth
        .captures
        .iter()
        .flat_map(|truth| truth.occurrences.iter().map(move |it| (truth, it)));
    let unsaid = all.filter(|(truth, it)| may_be_chance(truth, it)).count();
    // Other members' numbers, in the answers to four joins and in news of who came.
    assert_eq!(unsaid, 8);
}

/// Evidence is the first twenty places. So the capture is read in parts: at a time some of the frames with plants are left
/// in it, and all those without.
#[test]
fn every_planted_value_is_found_at_its_very_bytes() {
    const AT_ONCE: usize = 16;
    let recording = record(Edition::Leaky);
    let known = known(&recording.truth);
    let mut checked = 0;
    for (truth, file) in recording.truth.captures.iter().zip(&recording.captures) {
        let (planted, frames) = (planted(truth), frames(&file.bytes));
        let with_plants: BTreeSet<u64> = truth.occurrences.iter().map(|it| it.frame as u64).collect();
        let listed: Vec<u64> = with_plants.iter().copied().collect();
        let mut told: BTreeMap<(DatumKind, String), Vec<Place>> = BTreeMap::new();
        for from in (0..listed.len()).step_by(AT_ONCE) {
            // The last part is as long as the others: what stands once in it could be chance.
            let from = from.min(listed.len().saturating_sub(AT_ONCE));
            let part: BTreeSet<u64> = listed[from..].iter().take(AT_ONCE).copied().collect();
            let part = ledger_of(&frames, &known, |number| part.contains(&number) || !with_plants.contains(&number));
            for (what, (places, _)) in found(&audit(part, None)) {
                told.entry(what).or_default().extend(places);
            }
        }
        for (what, places) in &mut told {
            places.sort();
            places.dedup();
            for (frame, offset, length, chain) in places.iter() {
                let stands = &frames[*frame as usize - 1][*offset as usize..(offset + length) as usize];
                assert!(
                    !chain.is_empty() || what.0 == DatumKind::HOSTNAME || stands == what.1.as_bytes(),
                    "{what:?} in {frame}"
                );
            }
        }
        for (what, places) in &planted {
            let told = told.get_mut(what).unwrap_or_else(|| panic!("{what:?} of {} is found", truth.file));
            if what.0 == DatumKind::HOSTNAME {
                told.retain(|it| places.contains(it));
            }
            assert_eq!(told, places, "{what:?} of {}", truth.file);
            checked += places.len();
        }
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn a_token_gives_away_room_and_user() {
    let (recording, audits) = audits(Edition::Leaky, None);
    let mut opened = 0;
    for (truth, audit) in recording.truth.captures.iter().zip(&audits) {
        let found = found(audit);
        for it in truth.occurrences.iter().filter(|it| it.encoding.starts_with("base64>zlib>")) {
            let here = (it.frame as u64, it.offset as u64, it.length as u64, vec!["base64", "zlib"]);
            let (places, _) = &found[&(DatumKind::named(it.kind), it.value.clone())];
            assert!(places.contains(&here), "{it:?}");
            opened += 1;
        }
    }
    assert_eq!(opened, 2 * 5, "room and user, in each of five joins");
}

fn reader(exposure: &Exposure, role: ReaderRole) -> Option<(Answer, String)> {
    let it = exposure.readers.iter().find(|it| it.role == role)?;
    Some((it.answer, it.because.to_string()))
}

#[test]
fn identifiers_can_be_read_on_the_path_and_by_whoever_passes_them_on() {
    let (_, audits) = audits(Edition::Leaky, None);
    for audit in &audits {
        for exposure in audit.exposures.iter().filter(|it| it.known_as.is_some()) {
            let name = &audit.destinations[exposure.destination].name;
            let (answer, because) = reader(exposure, ReaderRole::OnPath).unwrap();
            assert_eq!(answer, Answer::Yes, "{} to {name}", exposure.label());
            assert!(because.contains("frame"), "{because}");
            let relayed = reader(exposure, ReaderRole::Relay);
            if name.ends_with(".relaywright.example") && exposure.kind != DatumKind::HOSTNAME {
                let (answer, because) = relayed.unwrap();
                assert_eq!(answer, Answer::Yes);
                assert!(!because.is_empty());
            } else {
                assert_eq!(relayed, None, "{name} passes nothing on");
            }
        }
    }
}

#[test]
fn the_relay_and_the_server_in_china_are_two_destinations_of_one_operator() {
    let (_, audits) = audits(Edition::Leaky, None);
    for (audit, at) in audits.iter().zip(["US", "US", "DE", "US"]) {
        let find = |end: &str| {
            let mut all = audit.destinations.iter().filter(|it| it.name.ends_with(end));
            let one = all.next().unwrap();
            assert!(all.next().is_none(), "one {end}");
            one
        };
        let (relay, ping) = (find(".edge.relaywright.example"), find("ping-sh.relaywright.example"));
        let id = |it: &farshore::model::party::Destination| it.organisation.as_ref().map(|it| it.id.clone());
        assert_eq!(
            (id(relay), id(ping)),
            (Some("relaywright".to_owned()), Some("relaywright".to_owned()))
        );
        let countries =
            |it: &farshore::model::party::Destination| it.location.countries.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(countries(ping), ["CN"]);
        assert!(countries(relay).contains(&at.to_owned()) && !countries(relay).contains(&"CN".to_owned()));
        assert_eq!(ping.places[0].network.as_ref().unwrap().asn, 64503);
        assert_eq!(relay.places[0].network.as_ref().unwrap().asn, 64500);
        let ways = |it: &farshore::model::party::Destination| {
            let mut ways: Vec<Via> = it.reach.iter().filter(|it| it.state.code() == "CN").map(|it| it.via).collect();
            ways.sort();
            ways.dedup();
            ways
        };
        // The service is one; machine and hosting network are another matter at each.
        assert_eq!(ways(relay), [Via::Service]);
        for via in [Via::Place, Via::Operator, Via::Service] {
            assert!(ways(ping).contains(&via), "{via:?}");
        }
        let service = |it: &&farshore::model::party::Reach| it.state.code() == "CN" && it.via == Via::Service;
        assert!(
            relay
                .reach
                .iter()
                .filter(service)
                .any(|it| it.answer == Answer::Yes && it.law.is_some())
        );
        assert!(
            relay.flows.len() >= 2 && ping.flows.len() >= 2,
            "signalling and speech; echo and datagrams"
        );
    }
}

#[test]
fn speech_is_heard_as_it_was_spoken() {
    let (recording, audits) = audits(Edition::Leaky, None);
    let mut streams = 0;
    for ((truth, audit), file) in recording.truth.captures.iter().zip(&audits).zip(&recording.captures) {
        let frames = frames(&file.bytes);
        let told = spoken::streams(truth, audit);
        for (stream, (because, sound)) in truth.streams.iter().zip(told) {
            let sound = sound.unwrap_or_else(|| panic!("{stream:?}: {because}"));
            assert_eq!(sound, spoken::hash(stream, truth, &frames), "{stream:?}");
            assert!(because.contains("sound"), "{because}");
            streams += 1;
        }
        let audio: Vec<_> = audit.exposures.iter().filter(|it| it.kind == DatumKind::AUDIO).collect();
        assert_eq!(audio.len(), truth.streams.iter().map(|it| it.ssrc).collect::<BTreeSet<_>>().len());
        for exposure in audio {
            for role in [ReaderRole::OnPath, ReaderRole::Relay] {
                let (answer, because) = reader(exposure, role).unwrap();
                assert_eq!(answer, Answer::Yes, "{role:?}: {because}");
                assert!(because.contains("sound"), "{because}");
            }
        }
    }
    assert!(streams >= 10, "{streams}");
}

#[test]
fn every_clause_is_breached() {
    let (_, audits) = audits(Edition::Leaky, None);
    for audit in &audits {
        assert_eq!(audit.verdicts.len(), 3);
        for verdict in &audit.verdicts {
            assert_eq!(verdict.outcome, Outcome::Breached, "{}", verdict.clause);
            assert!(!verdict.exposures.is_empty() && !verdict.evidence.is_empty() && !verdict.note);
            assert!(!verdict.because.is_empty() && !verdict.citation.is_empty());
        }
    }
}
