//! A call whose signalling tells the keys of its media: two flows, which different shards may read. SRTP is sealed by the lab.

use std::net::Ipv4Addr;

use farshore::model::observation::Recovery;
use farshore::model::{Ledger, Observation, Protection};
use farshore::{Detecting, Detectors, Reading};
use farshore_lab::g711::HARBOUR;
use farshore_lab::net::{self, Path};
use farshore_lab::rtp;

/// Key and salt, as the lab takes them and as SDP spells them.
const MASTER: ([u8; 16], [u8; 14]) = ([7; 16], [9; 14]);
const INLINE: &str = "BwcHBwcHBwcHBwcHBwcHBwkJCQkJCQkJCQkJCQkJ";

/// A capture of frames, a hundredth of a second apart (libpcap's format).
fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for (at, frame) in (0_u32..).zip(frames) {
        for word in [at / 100, at % 100 * 10_000, frame.len() as u32, frame.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    out
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let path = Path {
        from_mac: [2, 0, 0, 0, 0, 1],
        to_mac: [2, 0, 0, 0, 0, 2],
        from: Ipv4Addr::new(192, 0, 2, 10),
        to: Ipv4Addr::new(192, 0, 2, 20),
        ttl: 64,
        dscp: 0,
        id: 7,
    };
    net::udp(&path, from, to, payload).0
}

fn invitation() -> Vec<u8> {
    let sdp = format!("v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}\r\n");
    let head = "INVITE sip:ann@voice.example SIP/2.0\r\nCall-ID: 7@a.example\r\nContent-Type: application/sdp\r\n";
    udp(5060, 5060, format!("{head}Content-Length: {}\r\n\r\n{sdp}", sdp.len()).as_bytes())
}

/// So many packets of 20 ms.
fn speech(packets: usize) -> Vec<Vec<u8>> {
    let keys = rtp::Protection::new(&MASTER.0, &MASTER.1);
    (0_u16..)
        .zip(HARBOUR.frames().into_iter().cycle().take(packets))
        .map(|(number, payload)| {
            let packet = rtp::Packet {
                marker: number == 0,
                payload_type: 0,
                sequence: number,
                timestamp: u32::from(number) * 160,
                ssrc: 0x5eed,
                payload: payload.to_vec(),
            };
            udp(4000, 4002, &keys.protect(&packet))
        })
        .collect()
}

fn read(bytes: &[u8], how: &Reading) -> Ledger {
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    farshore::read(bytes, "call", how, &detectors, &mut |_| {}).unwrap()
}

fn with_jobs(jobs: usize) -> Reading {
    Reading {
        jobs,
        ..Reading::default()
    }
}

/// Why the media is readable, and its sound.
fn heard(ledger: &Ledger) -> Option<(String, String)> {
    let media = ledger
        .observations
        .iter()
        .find(|it| matches!(it.what, Observation::Media { .. }))
        .unwrap();
    let Observation::Media { recoverable, protocol, .. } = &media.what else {
        unreachable!()
    };
    match recoverable {
        Recovery::Yes { because, sound } => {
            assert_eq!((*protocol, media.protection), ("srtp", Protection::Srtp));
            Some((because.clone(), sound.clone()))
        }
        _ => None,
    }
}

/// Before the media, among it or behind it, and however many read.
#[test]
fn a_key_reaches_the_media_wherever_it_is_told() {
    let speech = speech(200);
    let mut sounds = Vec::new();
    for at in [0, speech.len() / 2, speech.len()] {
        let mut frames = speech.clone();
        frames.insert(at, invitation());
        let bytes = capture(&frames);
        let alone = read(&bytes, &with_jobs(1));
        let (because, sound) = heard(&alone).expect("the key is told");
        assert!(because.contains(&format!("in clear in frame {}; ", at + 1)), "{because}");
        sounds.push(sound);
        for jobs in [2, 5] {
            assert_eq!(
                format!("{alone:#?}"),
                format!("{:#?}", read(&bytes, &with_jobs(jobs))),
                "{jobs} shards"
            );
        }
    }
    assert!(sounds.iter().all(|it| *it == sounds[0]));
    assert_eq!(heard(&read(&capture(&speech), &with_jobs(1))), None);
}

/// The first reading tells the keys, the second opens the whole stream.
#[test]
fn keys_of_a_first_reading_open_the_whole_stream() {
    let packets = 600;
    let mut frames = speech(packets);
    frames.push(invitation());
    let bytes = capture(&frames);
    let (because, _) = heard(&read(&bytes, &with_jobs(1))).unwrap();
    assert!(because.contains("; the first 199 packets are authentic"), "{because}");
    let keys = farshore::media_keys(&bytes[..], &Reading::default()).unwrap();
    for jobs in [1, 3] {
        let how = Reading {
            media_keys: keys.clone(),
            ..with_jobs(jobs)
        };
        let (because, _) = heard(&read(&bytes, &how)).unwrap();
        assert!(because.contains(&format!("; {packets} packets are authentic")), "{because}");
    }
}
