//! A connection of QUIC that goes on over other addresses is read the same by any number of shards, though the flows it takes are
//! dealt to several.

use std::path::Path;
use std::sync::Arc;

use farshore::model::{Ledger, Observation};
use farshore::{Detecting, Detectors, Reading, Secrets, keys};

/// A recording of the crate that reads packets (`record.py` there says how it was made), as a pcap file, and its key log.
#[allow(clippy::disallowed_methods, reason = "recordings are files")]
fn recording(name: &str) -> (Vec<u8>, String) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../farshore-wire/tests/it/sessions");
    let said = std::fs::read(beside.join(format!("{name}.bin"))).unwrap();
    let log = std::fs::read_to_string(beside.join(format!("{name}.keys"))).unwrap();
    let mut file = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x65\x00\x00\x00".to_vec();
    let (mut rest, mut second) = (&said[..], 0_u32);
    while let [side, high, low, after @ ..] = rest {
        let (datagram, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        let packet = packet(side & 1 == 0, 50_000 + u16::from(side / 2), datagram);
        second += 1;
        for word in [second, 0, packet.len() as u32, packet.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
        rest = after;
    }
    (file, log)
}

/// UDP over IPv4, between a client's port and a server.
fn packet(up: bool, port: u16, datagram: &[u8]) -> Vec<u8> {
    let (client, server) = ([192, 0, 2, 10], [198, 51, 100, 20]);
    let length = |more: usize| ((datagram.len() + more) as u16).to_be_bytes();
    let (from, to) = if up { (client, server) } else { (server, client) };
    let (source, destination) = if up { (port, 443_u16) } else { (443, port) };
    let mut it = vec![0x45, 0];
    it.extend(length(28));
    it.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    it.extend(from);
    it.extend(to);
    it.extend(source.to_be_bytes());
    it.extend(destination.to_be_bytes());
    it.extend(length(8));
    it.extend([0, 0]);
    it.extend(datagram);
    it
}

fn ledger(file: &[u8], log: &str, jobs: usize) -> Ledger {
    let mut secrets = Secrets::new();
    keys::read(log.as_bytes(), &mut secrets).unwrap();
    let how = Reading {
        secrets: Arc::new(secrets),
        jobs,
        ..Reading::default()
    };
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    farshore::read(file, "capture", &how, &detectors, &mut |_| {}).unwrap()
}

#[test]
fn a_connection_that_moves_is_read_by_any_number_of_shards() {
    let (file, log) = recording("quic1-wanders");
    let alone = ledger(&file, &log, 1);
    let asked = alone.observations.iter().filter_map(|it| match &it.what {
        Observation::Request { path, .. } => Some((it.flow.0, path.as_str())),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    assert_eq!(
        asked,
        [(0, "/hello"), (1, "/moved"), (2, "/rebound"), (3, "/again"), (0, "/returned")]
    );
    for jobs in [2, 3, 4, 7] {
        assert_eq!(format!("{alone:#?}"), format!("{:#?}", ledger(&file, &log, jobs)), "{jobs} shards");
    }
}
