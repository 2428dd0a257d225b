//! Streams: however a conversation was cut, copied, shuffled or numbered, the same is learnt from it.

use crate::build::{ACK, CLIENT, End, SERVER, SYN, SYN_ACK, dns_answer, dns_query};
use crate::run::{Kept, Tape};

const FROM: End = End(CLIENT, 50_000);

/// What both sides say.
struct Talk {
    server: End,
    up: Vec<u8>,
    down: Vec<u8>,
}

fn dns() -> Talk {
    let framed = |message: Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let names = ["a.example.net", "mail.example.org", "x.y.z.example.com", "b.example.net"];
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for (id, name) in (1..).zip(names) {
        up.extend(framed(dns_query(id, name)));
        down.extend(framed(dns_answer(id, name, [203, 0, 113, id as u8])));
    }
    Talk {
        server: End(SERVER, 53),
        up,
        down,
    }
}

fn http() -> Talk {
    let mut up = Vec::new();
    let mut down = Vec::new();
    for number in 0..4 {
        let body = format!("device_id=0c9a52-{number}&room=M7pqZ4x{number}");
        up.extend(
            format!(
                "POST /rooms/{number}?user_id=10{number}&build=7 HTTP/1.1\r\nHost: api.example.net\r\nX-Device: d{number}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        );
        down.extend(format!("HTTP/1.1 200 OK\r\nServer: s{number}\r\nContent-Length: 2\r\n\r\nok").into_bytes());
    }
    Talk {
        server: End(SERVER, 80),
        up,
        down,
    }
}

/// A sequence of numbers that looks random and is the same every time.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// Cuts of a text: where, and what stands there.
    fn cuts<'t>(&mut self, text: &'t [u8], most: usize) -> Vec<(usize, &'t [u8])> {
        let (mut all, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let size = (1 + self.below(most)).min(text.len() - at);
            all.push((at, &text[at..at + size]));
            at += size;
        }
        all
    }

    /// Any order in which nothing comes more than `reach` places late.
    fn shuffle<T>(&mut self, all: &mut [T], reach: usize) {
        for at in 1..all.len() {
            let back = self.below(reach.min(at) + 1);
            all.swap(at, at - back);
        }
    }
}

#[derive(Clone, Copy)]
struct How {
    /// Initial numbers of client and server.
    initial: (u32, u32),
    handshake: bool,
    shuffled: bool,
    copies: bool,
    /// The server's bytes come first in the file.
    server_first: bool,
}

const ORDERLY: How = How {
    initial: (1_000, 9_000),
    handshake: true,
    shuffled: false,
    copies: false,
    server_first: false,
};

fn told(talk: &Talk, how: How, lot: &mut Lot, most: usize) -> Kept {
    let mut tape = Tape::default();
    let (mine, theirs) = how.initial;
    if how.handshake {
        tape.tcp(0, FROM, talk.server, (mine, 0), SYN, b"");
        tape.tcp(1, talk.server, FROM, (theirs, mine.wrapping_add(1)), SYN_ACK, b"");
    }
    let mut sides = vec![(false, &talk.up), (true, &talk.down)];
    if how.server_first {
        sides.reverse();
    }
    for (back, text) in sides {
        let mut parts = lot.cuts(text, most);
        if how.copies {
            for _ in 0..parts.len() / 3 + 1 {
                let from = lot.below(text.len());
                let size = 1 + lot.below((text.len() - from).min(most * 2));
                parts.insert(lot.below(parts.len()) + 1, (from, &text[from..from + size]));
            }
        }
        if how.shuffled {
            // Without a handshake the first segment is where the stream is taken to begin.
            let first = usize::from(!how.handshake);
            lot.shuffle(&mut parts[first..], 6);
        }
        for (at, bytes) in parts {
            let place = |initial: u32| initial.wrapping_add(1).wrapping_add(at as u32);
            if back {
                tape.tcp(2, talk.server, FROM, (place(theirs), mine.wrapping_add(1)), ACK, bytes);
            } else {
                tape.tcp(2, FROM, talk.server, (place(mine), theirs.wrapping_add(1)), ACK, bytes);
            }
        }
    }
    tape.run()
}

#[test]
fn the_same_is_learnt_however_it_was_cut_copied_and_shuffled() {
    for talk in [dns(), http()] {
        let mut lot = Lot(3);
        let whole = told(&talk, ORDERLY, &mut lot, 100_000);
        let wanted = whole.learnt();
        assert!(whole.facts.len() >= 4 && wanted.len() > 8, "{wanted:#?}");
        assert!(!whole.fields.iter().any(|(path, _)| path == "tcp.payload"), "all of it was read");
        let numbers = [
            (1_000, 9_000),
            (u32::MAX - 40, u32::MAX - 7),
            (u32::MAX, u32::MAX - 200),
            (0x7fff_fff0, 0),
        ];
        for round in 0..300 {
            let how = How {
                initial: numbers[round % numbers.len()],
                handshake: round % 5 != 0,
                shuffled: round % 3 != 0,
                copies: round % 2 == 0,
                server_first: false,
            };
            let kept = told(&talk, how, &mut lot, [3, 20, 70, 400][round % 4]);
            assert_eq!(kept.learnt(), wanted, "round {round} at {}", talk.server.1);
            assert_eq!(kept.flows.len(), 1);
            assert_eq!((kept.flows[0].client.ip, kept.flows[0].gaps()), (FROM.ip(), 0));
            assert_eq!(kept.coverage.gaps.count, 0);
            assert!(kept.limits.is_empty() && kept.anomalies.is_empty(), "{:?}", kept.anomalies);
        }
    }
}

#[test]
fn either_side_may_come_first_in_the_file() {
    let talk = dns();
    let mut lot = Lot(5);
    let wanted = told(&talk, ORDERLY, &mut lot, 60).learnt();
    for handshake in [true, false] {
        let how = How {
            server_first: true,
            handshake,
            ..ORDERLY
        };
        let kept = told(&talk, how, &mut lot, 60);
        assert_eq!(kept.learnt(), wanted, "{handshake}");
        assert_eq!(kept.flows[0].client.ip, FROM.ip());
    }
}

#[test]
fn a_hole_is_told_and_what_comes_after_it_is_read() {
    let talk = dns();
    let first = talk.up.len() / 2;
    let message = |at: usize| 2 + usize::from(u16::from_be_bytes([talk.up[at], talk.up[at + 1]]));
    // The second message of the client was not captured.
    let (from, until) = (message(0), message(0) + message(message(0)));
    assert!(until < talk.up.len() && first > from);
    let mut tape = Tape::default();
    tape.tcp(0, FROM, talk.server, (1_000, 0), SYN, b"")
        .tcp(1, talk.server, FROM, (9_000, 1_001), SYN_ACK, b"");
    tape.tcp(2, FROM, talk.server, (1_001, 9_001), ACK, &talk.up[..from]);
    tape.tcp(3, FROM, talk.server, (1_001 + until as u32, 9_001), ACK, &talk.up[until..]);
    let kept = tape.run();
    assert_eq!((kept.flows[0].gaps(), kept.coverage.gaps.count), ((until - from) as u64, 1));
    assert_eq!(kept.coverage.gaps.bytes, (until - from) as u64);
    let text = kept.learnt().join("\n");
    assert!(text.contains("a.example.net") && !text.contains("mail.example.org"), "{text}");
}

#[test]
fn what_was_seen_first_stands() {
    // Two versions of the same bytes: an auditor must not be talked out of what it saw.
    let (one, two) = (dns_query(1, "a.example.net"), dns_query(1, "b.example.net"));
    let framed = |it: &[u8]| [&(it.len() as u16).to_be_bytes()[..], it].concat();
    let server = End(SERVER, 53);
    let mut tape = Tape::default();
    tape.tcp(0, FROM, server, (1_000, 0), SYN, b"");
    tape.tcp(1, FROM, server, (1_001, 0), ACK, &framed(&one));
    tape.tcp(2, FROM, server, (1_001, 0), ACK, &framed(&two));
    let text = tape.run().learnt().join("\n");
    assert!(text.contains("a.example.net") && !text.contains("b.example.net"), "{text}");
}

#[test]
fn a_hoarded_stream_hits_its_ceiling_visibly() {
    let server = End(SERVER, 80);
    let mut tape = Tape::default();
    tape.tcp(0, FROM, server, (1_000, 0), SYN, b"");
    // Nothing of it ever becomes contiguous.
    for number in 0..3_000_u32 {
        tape.tcp(1, FROM, server, (1_001 + 2 + number * 2, 0), ACK, b"x");
    }
    let kept = tape.run();
    assert!(kept.limits.contains(&"reorder-segments"), "{:?}", kept.limits);
    assert!(kept.flows[0].gaps() > 0);
}
