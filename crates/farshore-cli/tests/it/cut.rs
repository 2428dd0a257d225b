//! A capture cut anywhere is read as far as it goes; only one without a whole header cannot be read at all.

use serde_json::Value;

use crate::command::{example, fed, frames};

/// What a walker of pcapng that knows block lengths and nothing else makes of a cut file.
struct Walked {
    /// Length of the section header.
    header: usize,
    /// Packets wholly before the cut.
    packets: u64,
    /// Their bytes on the wire.
    wire: u64,
    /// Where the block begins that the cut falls into; `None`: it falls between two.
    torn: Option<usize>,
}

fn walk(whole: &[u8], cut: usize) -> Walked {
    let word = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap());
    let (mut at, mut packets, mut wire) = (0, 0, 0);
    let mut torn = None;
    while at < cut {
        let length = word(at + 4) as usize;
        if at + length > cut {
            torn = Some(at);
            break;
        }
        if word(at) == 6 {
            packets += 1;
            wire += u64::from(word(at + 24));
        }
        at += length;
    }
    let header = word(4) as usize;
    Walked {
        header,
        packets,
        wire,
        torn,
    }
}

fn holds(whole: &[u8], cut: usize) {
    let walked = walk(whole, cut);
    let done = fed(&["audit", "-", "--format=json"], &whole[..cut]);
    if cut < walked.header {
        done.ends(2).says("standard input").says("offset ").says("expected ");
        assert!(done.out.is_empty());
        return;
    }
    done.ends(0);
    let audit: Value = serde_json::from_slice(&done.out).unwrap();
    assert_eq!(frames(&audit), walked.packets, "cut at {cut}");
    assert_eq!(audit["inputs"][0]["frames"], walked.packets, "cut at {cut}");
    assert_eq!(audit["inputs"][0]["bytes"], walked.wire, "cut at {cut}");
    assert_eq!(audit["inputs"][0]["file_bytes"], cut);
    assert_eq!(audit["inputs"][0]["cut_short"], walked.torn.is_some(), "cut at {cut}");
    match walked.torn {
        Some(at) => {
            done.says("warning")
                .says(&format!("offset {at}: "))
                .says(&format!("the {} frames before it were read", walked.packets));
            assert!(
                audit["anomalies"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|it| it["kind"] == "input-cut-short")
            );
        }
        None => assert_eq!(done.err, "", "cut at {cut}"),
    }
}

#[test]
fn at_each_of_the_first_bytes() {
    let whole = std::fs::read(example()).unwrap();
    (0..200).for_each(|cut| holds(&whole, cut));
}

#[test]
fn at_places_drawn_by_lot() {
    let whole = std::fs::read(example()).unwrap();
    let mut seed = 0x5eed_u64;
    for _ in 0..50 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        holds(&whole, 200 + (seed >> 33) as usize % (whole.len() - 200));
    }
    holds(&whole, whole.len());
}

#[test]
fn between_two_blocks() {
    let whole = std::fs::read(example()).unwrap();
    let word = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 0;
    for _ in 0..12 {
        at += word(at + 4);
        holds(&whole, at);
    }
}

#[test]
fn what_happens_many_times_over_is_said_once() {
    // Fragments of datagrams without a header to tell flows by: the second overlaps the first, and says something else.
    let part = |id: u8, offset: u8, more: u8, fill: u8| {
        let mut packet = vec![0x45, 0, 0, 36, 0, id, more, offset, 64, 253, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        packet.extend([fill; 16]);
        packet
    };
    let mut capture = [
        0xa1b2_c3d4_u32.to_le_bytes(),
        [2, 0, 4, 0],
        [0; 4],
        [0; 4],
        65_535_u32.to_le_bytes(),
        101_u32.to_le_bytes(),
    ]
    .concat();
    for id in 0..3 {
        for packet in [part(id, 2, 0x20, 1), part(id, 1, 0x20, 2)] {
            capture.extend([1_u32, 0, 36, 36].iter().flat_map(|it| it.to_le_bytes()));
            capture.extend(packet);
        }
    }
    let told = crate::command::fed(&["audit", "-"], &capture);
    told.ends(0)
        .says("fragments of one datagram overlap; the bytes that came first were read, a receiver may read the others, 3 times");
    assert_eq!(told.err.matches("overlap").count(), 1, "{}", told.err);
}
