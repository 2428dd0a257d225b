//! Captures made to exhaust whoever reads them, frame by frame and of any length. Each says what its number counts.

use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use farshore::model::Direction;

use super::bombs;
use super::headers::{ACK, Address, CLIENT, SERVER, SYN, datagram, ethernet, host, ip, noise, tcp, udp};
use super::made::Made;
use super::multiplexed;
use super::sealed::{Client, crypto};
use super::talk::{Talk, talks};

/// Frames, made as they are asked for.
pub type Frames = Box<dyn Iterator<Item = Vec<u8>>>;

/// One way to exhaust a reader.
pub struct Attack {
    pub name: String,
    /// How many there are when it is carried out in full.
    pub full: u64,
    /// What is counted.
    pub of: &'static str,
    /// The frames of an attack of that many.
    pub frames: Box<dyn Fn(u64) -> Frames>,
    /// The key log that goes with them.
    pub keylog: Box<dyn Fn(u64) -> Box<dyn Read>>,
}

pub fn attack<I: Iterator<Item = Vec<u8>> + 'static>(
    name: &str,
    full: u64,
    of: &'static str,
    frames: impl Fn(u64) -> I + 'static,
) -> Attack {
    Attack {
        name: name.to_owned(),
        full,
        of,
        frames: Box::new(move |number| Box::new(frames(number))),
        keylog: Box::new(|_| Box::new(io::empty())),
    }
}

/// All of them.
pub fn attacks() -> Vec<Attack> {
    let mut all = flows();
    all.extend(fragments());
    all.extend(streams());
    all.extend(nesting());
    all.extend(names());
    all.extend(messages());
    all.extend(multiplexed::attacks());
    all.extend(bombs::attacks());
    all.extend(keylogs());
    all.extend(conversations());
    all
}

/// Flows without end.
fn flows() -> Vec<Attack> {
    vec![
        attack("flows.udp", 2_000_000, "one-packet flows", |n| {
            (0..n).map(|it| datagram(host(it).0, (host(it).1, 9_999), &noise(it, 40)))
        }),
        attack("flows.dns", 2_000_000, "one-packet flows", |n| {
            (0..n).map(|it| datagram(host(it).0, (host(it).1, 53), &query(&[format!("host-{it}").as_bytes(), b"example"])))
        }),
        attack("flows.tcp-syn", 2_000_000, "one-packet flows", |n| {
            (0..n).map(|it| {
                let syn = tcp((host(it).1, 443), it as u32, 0, SYN, b"");
                ethernet(0x0800, &ip(host(it).0, SERVER, 6, (7, 0), &syn))
            })
        }),
        attack("flows.in-tunnels", 250_000, "frames that make 15 flows each", |n| {
            (0..n).map(|it| {
                let mut packet = ip(host(it).0, SERVER, 17, (7, 0), &udp(host(it).1, 9_999, b"x"));
                for depth in 0..14 {
                    packet = ip(host(it).0, [203, 0, 113, depth], 4, (7, 0), &packet);
                }
                ethernet(0x0800, &packet)
            })
        }),
        attack("flows.waiting", 200_000, "flows with 1400 bytes behind a hole", |n| {
            (0..n).flat_map(|it| {
                let frame = |sequence, flags, bytes: &[u8]| {
                    ethernet(
                        0x0800,
                        &ip(host(it).0, SERVER, 6, (7, 0), &tcp((host(it).1, 80), sequence, 0, flags, bytes)),
                    )
                };
                [frame(0, SYN, b""), frame(9, ACK, &[b'x'; 1_400])]
            })
        }),
        attack("flows.quic", 100_000, "connections with a ClientHello that is not whole", |n| {
            (0..n).map(|it| {
                let packet = Client::new(it).seal(0, &crypto(0, &[&b"\x01\0\x10\0\x03\x03"[..], &[7; 600]].concat()));
                datagram(host(it).0, (host(it).1, 443), &packet)
            })
        }),
    ]
}

/// Pieces of messages and of datagrams.
fn fragments() -> Vec<Attack> {
    /// One CRYPTO frame a packet, of one byte, at that place.
    fn one_by_one(places: impl Iterator<Item = u64>) -> impl Iterator<Item = Vec<u8>> {
        let client = Client::new(1);
        let to_server = |packet: &[u8]| datagram(CLIENT, (50_000, 443), packet);
        // The head of a message of 65 520 bytes: more would be refused at once.
        let first = to_server(&client.seal(0, &crypto(0, b"\x01\0\xff\xec")));
        let packet = move |(number, at): (u32, u64)| to_server(&client.seal(number, &crypto(at + 3, b"x")));
        std::iter::once(first).chain((1..).zip(places).map(packet))
    }
    let part = |id: u64, at: usize, more: bool, bytes: &[u8]| {
        let place = (at / 8) as u16 | if more { 0x2000 } else { 0 };
        ethernet(0x0800, &ip(host(id >> 16).0, SERVER, 17, (id as u16, place), bytes))
    };
    vec![
        attack("crypto.in-order", 100_000, "CRYPTO fragments of a byte", |n| one_by_one(1..n)),
        attack("crypto.reverse", 100_000, "CRYPTO fragments of a byte", |n| {
            one_by_one((1..n).rev())
        }),
        attack("crypto.every-other", 100_000, "CRYPTO fragments of a byte", |n| {
            one_by_one((2..2 * n).step_by(2))
        }),
        attack("crypto.packed", 100_000, "CRYPTO fragments of a byte, 100 a packet", |n| {
            let client = Client::new(1);
            (0..n / 100).map(move |it| {
                let frames: Vec<u8> = (0..100).rev().flat_map(|at| crypto(n - it * 100 + at, b"x")).collect();
                datagram(CLIENT, (50_000, 443), &client.seal(it as u32, &frames))
            })
        }),
        attack("crypto.connections", 100_000, "connections on one pair of ports", |n| {
            (0..n).map(|it| datagram(CLIENT, (50_000, 443), &Client::new(it).seal(0, &crypto(0, &[1; 40]))))
        }),
        attack("ip-fragments.overlapping", 400_000, "fragments of 16 bytes, 8 apart", move |n| {
            (0..n).map(move |it| part(it / 200, (it % 200) as usize * 8, true, &[b'x'; 16]))
        }),
        attack(
            "ip-fragments.contradicting",
            400_000,
            "fragments that each overlap all before",
            move |n| (0..n).map(move |it| part(it / 200, (200 - (it % 200) as usize) * 8, true, &noise(it, 1_400))),
        ),
        attack("ip-fragments.lonely", 400_000, "first fragments without a second", move |n| {
            (0..n).map(move |it| part(it, 0, true, &udp(50_000, 53, &[0; 40])))
        }),
        attack("ip-fragments.reverse", 400_000, "fragments of 8 bytes, the last first", move |n| {
            (0..n).map(move |it| {
                let at = 199 - (it % 200) as usize;
                part(it / 200, at * 8, at != 199, &noise(it, 8))
            })
        }),
    ]
}

/// A stream to port 80: the handshake, then segments by place. Numbers wrap on the way.
pub fn stream(port: u16, segments: impl Iterator<Item = (u64, Vec<u8>)> + 'static) -> Frames {
    const FIRST: u32 = u32::MAX - 5_000;
    let up = move |sequence: u32, flags, bytes: &[u8]| {
        ethernet(
            0x0800,
            &ip(CLIENT, SERVER, 6, (7, 0), &tcp((50_000, port), sequence, 9_001, flags, bytes)),
        )
    };
    let answer = tcp((port, 50_000), 9_000, FIRST.wrapping_add(1), SYN | ACK, b"");
    let opening = [up(FIRST, SYN, b""), ethernet(0x0800, &ip(SERVER, CLIENT, 6, (7, 0), &answer))];
    let data = segments.map(move |(at, bytes)| up(FIRST.wrapping_add(1).wrapping_add(at as u32), ACK, &bytes));
    Box::new(opening.into_iter().chain(data))
}

/// Segments of one direction.
fn streams() -> Vec<Attack> {
    const HEAD: &[u8] = b"POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4000000000\r\n\r\n";
    /// A request whose body comes in these segments.
    fn body(segments: impl Iterator<Item = (u64, Vec<u8>)> + 'static) -> Frames {
        let behind = segments.map(|(at, bytes)| (at + HEAD.len() as u64, bytes));
        stream(80, std::iter::once((0, HEAD.to_vec())).chain(behind))
    }
    let x = |size: usize| vec![b'x'; size];
    vec![
        attack("tcp.bytes", 1_000_000, "segments of a byte", move |n| {
            body((0..n).map(move |at| (at, x(1))))
        }),
        attack("tcp.bytes.reverse", 1_000_000, "segments of a byte, the last first", move |n| {
            body((0..n).rev().map(move |at| (at, x(1))))
        }),
        attack(
            "tcp.bytes.every-other",
            1_000_000,
            "segments of a byte, the other half later",
            move |n| body((1..n).step_by(2).chain((0..n).step_by(2)).map(move |at| (at, x(1)))),
        ),
        attack(
            "tcp.bytes.blocks-reversed",
            1_000_000,
            "segments of a byte, 1000 at a time reversed",
            move |n| body((0..n).map(move |it| (it / 1_000 * 1_000 + 999 - it % 1_000, x(1)))),
        ),
        attack("tcp.overlapping", 400_000, "segments of 1400 bytes, a byte apart", move |n| {
            body((0..n).map(move |at| (at, x(1_400))))
        }),
        attack(
            "tcp.overlapping.waiting",
            400_000,
            "segments of 1400 bytes, a byte apart, behind a hole",
            move |n| body((1..n).map(move |at| (at, x(1_400)))),
        ),
        attack("tcp.holes", 400_000, "segments of 1400 bytes, each behind a hole", move |n| {
            body((0..n).map(move |at| (at * 1_401 + 1, x(1_400))))
        }),
        attack("tcp.jumps", 400_000, "segments at either end of the numbers", move |n| {
            body((0..n).map(move |at| (at % 2 * (1 << 31) + at * 10, x(10))))
        }),
    ]
}

/// Packets in packets.
fn nesting() -> Vec<Attack> {
    type Wrap = fn(Vec<u8>) -> Vec<u8>;
    /// Frames of 64 kB, wrapped as often as there is room.
    fn nested(name: &str, kind: u16, inmost: fn() -> Vec<u8>, wrap: Wrap, last: Wrap) -> Attack {
        attack(name, 2_000, "frames of 64 kB", move |n| {
            let mut packet = inmost();
            loop {
                let larger = wrap(packet.clone());
                if larger.len() > 65_400 {
                    break;
                }
                packet = larger;
            }
            let frame = Rc::new(ethernet(kind, &last(packet)));
            (0..n).map(move |_| frame.to_vec())
        })
    }
    fn dns() -> Vec<u8> {
        ip(CLIENT, SERVER, 17, (7, 0), &udp(50_000, 53, &query(&[b"inside", b"example"])))
    }
    fn outer(protocol: u8, body: &[u8]) -> Vec<u8> {
        ip([203, 0, 113, 1], [203, 0, 113, 2], protocol, (7, 0), body)
    }
    vec![
        nested("nested.ip", 0x0800, dns, |it| outer(4, &it), |it| it),
        nested(
            "nested.gre",
            0x0800,
            dns,
            |it| outer(47, &[&[0, 0, 8, 0], &it[..]].concat()),
            |it| it,
        ),
        nested(
            "nested.vxlan",
            0x0800,
            dns,
            |it| {
                outer(
                    17,
                    &udp(40_000, 4_789, &[&[8, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &it)[..]].concat()),
                )
            },
            |it| it,
        ),
        nested(
            "nested.mpls",
            0x8847,
            || [&[0, 0, 0x11, 64], &dns()[..]].concat(),
            |it| [&[0, 0, 0x10, 64], &it[..]].concat(),
            |it| it,
        ),
        nested(
            "nested.vlan",
            0x8100,
            || [&[0, 7, 8, 0], &dns()[..]].concat(),
            |it| [&[0, 7, 0x81, 0], &it[..]].concat(),
            |it| it,
        ),
        nested(
            "nested.extensions",
            0x86dd,
            || vec![59, 0, 0, 0, 0, 0, 0, 0],
            |it| [&[60, 0, 0, 0, 0, 0, 0, 0], &it[..]].concat(),
            |it| [&[0x60, 0, 0, 0][..], &(it.len() as u16).to_be_bytes(), &[60, 64], &[0x20; 32], &it].concat(),
        ),
    ]
}

/// A query for these labels.
fn query(labels: &[&[u8]]) -> Vec<u8> {
    let mut out = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in labels {
        out.push(label.len() as u8);
        out.extend(*label);
    }
    out.extend(b"\0\0\x01\0\x01");
    out
}

/// Answers of 64 kB.
fn names() -> Vec<Attack> {
    /// An answer: what the names point into, then as many records as fit, each under a name told by its number.
    fn answer(ground: &[u8], record: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
        let mut out = [b"\0\x07\x81\x80\0\0\0\0\0\0\0\0", ground].concat();
        let mut count = 0;
        loop {
            let record = record(count);
            if out.len() + record.len() > 65_400 {
                break;
            }
            out.extend(record);
            count += 1;
        }
        out[6..8].copy_from_slice(&(count as u16).to_be_bytes());
        out
    }
    /// An address under this name.
    fn address(name: &[u8], number: u32) -> Vec<u8> {
        [name, b"\0\x01\0\x01\0\0\0\x3c\0\x04", &number.to_be_bytes()].concat()
    }
    fn pointer(at: usize) -> [u8; 2] {
        (0xc000 | at as u16).to_be_bytes()
    }
    /// A record of an unknown type that names can point into: it owns the first 16 kB.
    fn ground(rest: &[u8]) -> Vec<u8> {
        [b"\0\xff\0\0\x01\0\0\0\0", &(rest.len() as u16).to_be_bytes()[..], rest].concat()
    }
    /// Where what it holds begins.
    const GROUND: usize = 12 + 11;
    let from_server = |payload: &[u8]| ethernet(0x0800, &ip(SERVER, CLIENT, 17, (7, 0), &udp(53, 50_000, payload)));
    let sixty_four = move |name: &str, message: fn() -> Vec<u8>| {
        attack(name, 1_000, "messages of 64 kB", move |n| {
            let frame = Rc::new(from_server(&message()));
            (0..n).map(move |_| frame.to_vec())
        })
    };
    vec![
        // A pointer to itself, from 4000 records.
        sixty_four("dns.loops", || {
            let inside = pointer(GROUND);
            answer(&ground(&inside), |it| address(&inside, it as u32))
        }),
        // As many pointers in a row as there is room for, and records that begin at each of them.
        sixty_four("dns.chains", || {
            let links: Vec<u8> = (0..8_000)
                .flat_map(|it: usize| if it == 0 { [0, 0] } else { pointer(GROUND + (it - 1) * 2) })
                .collect();
            answer(&ground(&links), |it| address(&pointer(GROUND + it % 8_000 * 2), it as u32))
        }),
        // Names of 255 bytes in labels of one, each told in two bytes.
        sixty_four("dns.labels", || {
            let long = [b"\x01a".repeat(127), vec![0]].concat();
            answer(&ground(&long), |it| address(&pointer(GROUND), it as u32))
        }),
        // A label before each step back: every name is as long as allowed.
        sixty_four("dns.ladders", || {
            let mut rungs = vec![0];
            let mut last = GROUND;
            for _ in 0..3_900 {
                let at = GROUND + rungs.len();
                rungs.extend([&b"\x01b"[..], &pointer(last)].concat());
                last = at;
            }
            answer(&ground(&rungs), |it| address(&pointer(GROUND + 1 + it % 3_900 * 4), it as u32))
        }),
        attack("dns.answers", 1_000, "messages of 4000 addresses, all different", move |n| {
            (0..n).map(move |number| from_server(&answer(b"", |it| address(b"\x01a\0", number as u32 * 5_000 + it as u32))))
        }),
    ]
}

/// Messages that never end, or never mean anything.
fn messages() -> Vec<Attack> {
    /// A text that is made while it is sent, in segments of one size.
    fn flood(port: u16, first: &'static [u8], again: impl Fn(u64) -> Vec<u8> + 'static, n: u64, size: usize) -> Frames {
        let mut text: Box<dyn Iterator<Item = u8>> = Box::new(first.iter().copied().chain((0..n).flat_map(again)));
        let mut at = 0;
        let segments = std::iter::from_fn(move || {
            let bytes: Vec<u8> = text.by_ref().take(size).collect();
            let place = at;
            at += bytes.len() as u64;
            (!bytes.is_empty()).then_some((place, bytes))
        });
        stream(port, segments)
    }
    const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a.example\r\n";
    const EHLO: &[u8] = b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\n";
    const INVITE: &[u8] = b"INVITE sip:a@a.example SIP/2.0\r\nVia: SIP/2.0/TCP a.example\r\nCSeq: 1 INVITE\r\nX: ";
    const HELLO: &[u8] = b"\x16\x03\x01\x02\0\x01\xff\xff\xff\x03\x03";
    let header = |it: u64| format!("x-{it}: {it}\r\n").into_bytes();
    vec![
        attack("http.headers", 1_000_000, "header fields of one request", move |n| {
            flood(80, GET, header, n, 1_400)
        }),
        attack(
            "http.headers.bytes",
            200_000,
            "bytes of header fields, a byte a segment",
            move |n| flood(80, GET, |_| b"a".to_vec(), n, 1),
        ),
        attack("http.fields", 200_000, "requests of 20 fields", move |n| {
            let request = move |it: u64| [GET, &(0..20).flat_map(|at| header(it * 20 + at)).collect::<Vec<u8>>(), b"\r\n"].concat();
            flood(80, b"", request, n, 1_400)
        }),
        attack("http.requests", 400_000, "requests for different paths", move |n| {
            flood(
                80,
                b"",
                |it| format!("GET /{it}?user_id={it} HTTP/1.1\r\nHost: a.example\r\n\r\n").into_bytes(),
                n,
                1_400,
            )
        }),
        attack("http.chunks", 1_000_000, "chunks of a byte", move |n| {
            flood(
                80,
                b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                |_| b"1\r\nx\r\n".to_vec(),
                n,
                1_400,
            )
        }),
        attack("tls.records", 1_000_000, "records of a byte", move |n| {
            flood(443, HELLO, |_| b"\x16\x03\x01\0\x01x".to_vec(), n, 1_400)
        }),
        attack("tls.records.empty", 1_000_000, "records of nothing", move |n| {
            flood(443, HELLO, |_| b"\x16\x03\x01\0\0".to_vec(), n, 1_400)
        }),
        attack("tls.bytes", 400_000, "bytes of one message, a byte a segment", move |n| {
            let record = |it: u64| {
                if it.is_multiple_of(10_000) {
                    [&b"\x16\x03\x01\x27\x10"[..], b"x"].concat()
                } else {
                    b"x".to_vec()
                }
            };
            flood(443, b"\x16\x03\x01\0\x06\x01\x03\xff\xf0\x03\x03", record, n, 1)
        }),
        attack("smtp.line", 40_000_000, "bytes of one line", move |n| {
            flood(25, EHLO, |_| b"a".to_vec(), n, 1_400)
        }),
        attack("smtp.line.bytes", 400_000, "bytes of one line, a byte a segment", move |n| {
            flood(25, EHLO, |_| b"a".to_vec(), n, 1)
        }),
        attack("smtp.lines", 2_000_000, "lines of a byte", move |n| {
            flood(25, EHLO, |_| b"a\n".to_vec(), n, 1_400)
        }),
        attack("sip.line", 40_000_000, "bytes of one line", move |n| {
            flood(5060, INVITE, |_| b"a".to_vec(), n, 1_400)
        }),
        attack("sip.line.bytes", 400_000, "bytes of one line, a byte a segment", move |n| {
            flood(5060, INVITE, |_| b"a".to_vec(), n, 1)
        }),
        attack("sip.datagrams", 1_000, "messages of 64 kB without a line's end", move |n| {
            (0..n).map(|_| datagram(CLIENT, (5_060, 5_060), &[INVITE, &[b'a'; 65_000]].concat()))
        }),
    ]
}

/// Key logs of which next to nothing is of use.
fn keylogs() -> Vec<Attack> {
    let lines = |name, line: fn(u64) -> String| {
        let mut it = attack(name, 1_000_000, "lines", |_| std::iter::once(datagram(CLIENT, (50_000, 443), b"x")));
        it.keylog = Box::new(move |n| Box::new(Made::new((0..n).map(move |it| line(it).into_bytes()))));
        it
    };
    vec![
        lines("keylog.sessions", |it| format!("CLIENT_RANDOM {it:064x} {it:096x}\n")),
        lines("keylog.same-session", |it| format!("CLIENT_RANDOM {:064x} {it:096x}\n", 1)),
        lines("keylog.noise", |it| format!("{it} is no label of any secret\n")),
    ]
}

/// What every protocol's sample can be made into.
fn conversations() -> Vec<Attack> {
    let readers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../farshore-wire/src/protocols");
    let mut all = Vec::new();
    for talk in talks(&readers).into_iter().map(Rc::new) {
        let again = talk.clone();
        all.push(attack(
            &format!("again.{}", talk.name),
            100_000,
            "messages, each with a byte changed",
            move |n| again_and_again(&again, n),
        ));
        if !talk.datagrams {
            all.push(attack(
                &format!("drip.{}", talk.name),
                100_000,
                "segments of a byte that end no message",
                move |n| {
                    let drip = (0..n).map(|_| (Direction::Up, vec![b'A']));
                    both(talk.ports, talk.said.clone().into_iter().chain(drip))
                },
            ));
        }
    }
    all
}

/// The whole conversation, then its messages over and over on the same ports, one byte of each changed.
fn again_and_again(talk: &Rc<Talk>, n: u64) -> Frames {
    let (ports, opening) = (talk.ports, talk.said.clone());
    let changed = {
        let talk = talk.clone();
        move |it: u64| {
            let (side, bytes) = &talk.said[it as usize % talk.said.len()];
            let mut bytes = bytes.clone();
            let [a, b, value, ..] = noise(it, 8)[..] else { unreachable!() };
            let at = usize::from(u16::from_be_bytes([a, b])) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            (*side, bytes)
        }
    };
    let messages = opening.into_iter().chain((0..n).map(changed));
    if !talk.datagrams {
        return Box::new(both(ports, messages));
    }
    Box::new(messages.map(move |(side, bytes)| match side {
        Direction::Up => ethernet(0x0800, &ip(CLIENT, SERVER, 17, (7, 0), &udp(ports.0, ports.1, &bytes))),
        Direction::Down => ethernet(0x0800, &ip(SERVER, CLIENT, 17, (7, 0), &udp(ports.1, ports.0, &bytes))),
    }))
}

/// A connection in which both sides speak.
pub fn both(ports: (u16, u16), messages: impl Iterator<Item = (Direction, Vec<u8>)> + 'static) -> impl Iterator<Item = Vec<u8>> {
    let mut next = [1_u32, 1];
    let frame = move |side: Direction, numbers: (u32, u32), flags: u8, bytes: &[u8]| {
        let (from, to, ports): (Address, Address, _) = match side {
            Direction::Up => (CLIENT, SERVER, ports),
            Direction::Down => (SERVER, CLIENT, (ports.1, ports.0)),
        };
        ethernet(0x0800, &ip(from, to, 6, (7, 0), &tcp(ports, numbers.0, numbers.1, flags, bytes)))
    };
    let opening = [
        frame(Direction::Up, (0, 0), SYN, b""),
        frame(Direction::Down, (0, 1), SYN | ACK, b""),
    ];
    opening.into_iter().chain(messages.flat_map(move |(side, bytes)| {
        let (mine, theirs) = if side == Direction::Up { (0, 1) } else { (1, 0) };
        let parts = bytes.chunks(1_400).map(|part| {
            let sent = frame(side, (next[mine], next[theirs]), ACK, part);
            next[mine] = next[mine].wrapping_add(part.len() as u32);
            sent
        });
        parts.collect::<Vec<_>>()
    }))
}
