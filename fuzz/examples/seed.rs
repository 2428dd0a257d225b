//! Writes seeds for every target: `seed DIR` fills `DIR/<target>/`. They come from samples in the tree, from captures of
//! simulated worlds, and from conversations written down; nothing real is in them.

#[allow(dead_code, reason = "all that is needed to build any frame")]
#[path = "../../crates/farshore-wire/tests/it/build.rs"]
mod build;
#[allow(dead_code, reason = "all that there is to know of a conversation")]
#[path = "../../crates/farshore-wire/tests/it/talk.rs"]
mod talk;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use farshore_fuzz::{content, exchange, frame, keys, protocol};
use farshore_lab::{Edition, WORLDS};
use farshore_model::{Direction, InputId, Transport};
use farshore_wire::protocols::{Match, Opening, PROTOCOLS, Start};

use Direction::{Down, Up};

/// Larger inputs slow the fuzzer down more than they teach it.
const LARGEST: usize = 6_000;

fn main() {
    let Some(into) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seed DIR");
        std::process::exit(2);
    };
    let mut shelf = Shelf {
        into,
        counts: BTreeMap::new(),
    };
    let captures = captures();
    for capture in &captures {
        sources(capture, &mut shelf);
        let conversations = conversations(capture);
        for one in &conversations {
            frames(one, &mut shelf);
            spoken(one, &mut shelf);
        }
    }
    samples(&mut shelf);
    dialogues(&mut shelf);
    sessions(&mut shelf);
    exchanges(&mut shelf);
    for (target, count) in &shelf.counts {
        println!("{target}: {count} seeds");
    }
}

/// Where seeds are put, by target.
struct Shelf {
    into: PathBuf,
    counts: BTreeMap<&'static str, usize>,
}

impl Shelf {
    fn put(&mut self, target: &'static str, bytes: &[u8]) {
        let count = self.counts.entry(target).or_default();
        *count += 1;
        let folder = self.into.join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(format!("seed-{count:04}")), bytes).expect("the seed can be written");
    }
}

fn captures() -> Vec<Vec<u8>> {
    let recordings = WORLDS.iter().flat_map(|world| Edition::ALL.map(|edition| (world.record)(edition)));
    recordings.flat_map(|it| it.captures).map(|it| it.bytes).collect()
}

/// Sessions recorded between other programs, with their key logs.
fn sessions(shelf: &mut Shelf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/farshore-wire/tests/it/sessions");
    let mut logs: Vec<_> = fs::read_dir(folder)
        .expect("recordings")
        .map(|it| it.expect("an entry").path())
        .collect();
    logs.retain(|it| it.extension().is_some_and(|it| it == "keys"));
    logs.sort();
    for path in logs {
        let log = fs::read(&path).expect("a key log");
        let recording = fs::read(path.with_extension("bin")).expect("a recording");
        let (mut said, mut rest) = (Vec::new(), &recording[..]);
        while let [side, high, low, after @ ..] = rest {
            let (flight, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            // Streams in segments that fit the layout.
            said.extend(flight.chunks(8_000).map(|it| (side & 1 == 1, side / 2 == 1, it)));
            rest = after;
        }
        let datagrams = !path.file_stem().is_some_and(|it| it.to_string_lossy().starts_with("tls"));
        for low in [false, true] {
            if let Some(seed) = keys::seed(low, datagrams, &log, &said).filter(|it| it.len() <= LARGEST) {
                shelf.put("keys", &seed);
            }
        }
    }
}

/// Entries as browsers and proxies write them.
const HAR: &str = r#"{"log":{"version":"1.2","creator":{"name":"seed","version":"1"},"entries":[
{"startedDateTime":"2026-03-29T17:37:42.482-07:00","time":18,"serverIPAddress":"198.51.100.7","connection":"51378",
"request":{"method":"POST","url":"https://api.example:8443/v1?imei=490154203237518#top","httpVersion":"h2","headers":[{"name":"Cookie","value":"a=1; b=\u0041"}],
"cookies":[{"name":"a","value":"1"}],"postData":{"mimeType":"application/json","text":"{\"user\":\"alice\\u0040rooms.example\"}"},"headersSize":-1,"bodySize":31},
"response":{"status":200,"headers":[],"content":{"size":5,"mimeType":"text/plain","encoding":"base64","text":"aGVsbG8="}},
"_webSocketMessages":[{"type":"send","time":1693314200.25,"opcode":1,"data":"hi"},{"type":"receive","opcode":2,"data":"AAH/"}]},
{"request":{"method":"GET","url":"http://plain.example/","postData":{"params":[{"name":"u","value":"x"}]}},"response":{"status":0,"_fromCache":"disk"}}]}}"#;

/// Files of exchanges, and bodies in codings and forms.
fn exchanges(shelf: &mut Shelf) {
    let net = |bytes: &[u8], kind: char| [format!("{}:", bytes.len()).as_bytes(), bytes, kind.to_string().as_bytes()].concat();
    let text = |it: &str| net(it.as_bytes(), ';');
    let pair = |name: &str, value: Vec<u8>| [text(name), value].concat();
    let list = |kind: char, parts: &[Vec<u8>]| net(&parts.concat(), kind);
    let peer = list(']', &[text("198.51.100.7"), net(b"443", '#')]);
    let request = list(
        '}',
        &[
            pair("method", net(b"POST", ',')),
            pair("scheme", net(b"https", ',')),
            pair("host", text("api.example")),
            pair("path", net(b"/v1?imei=490154203237518", ',')),
            pair("headers", list(']', &[list(']', &[net(b"Host", ','), net(b"api.example", ',')])])),
            pair("content", net(b"{\"user\":\"alice\"}", ',')),
            pair("timestamp_start", net(b"1693314200.25", '^')),
        ],
    );
    let server = list(
        '}',
        &[
            pair("peername", peer),
            pair("sni", text("api.example")),
            pair("tls", net(b"true", '!')),
        ],
    );
    let message = list(
        ']',
        &[list(
            ']',
            &[net(b"1", '#'), net(b"true", '!'), net(b"hi", ','), net(b"1693314200.5", '^')],
        )],
    );
    let socket = list('}', &[pair("messages", message)]);
    let http = list(
        '}',
        &[
            pair("version", net(b"20", '#')),
            pair("request", request),
            pair("server_conn", server.clone()),
            pair("websocket", socket),
        ],
    );
    let raw = list(
        ']',
        &[list(
            ']',
            &[net(b"false", '!'), net(b"+OK ready\r\n", ','), net(b"1693314201.5", '^')],
        )],
    );
    let tcp = list(
        '}',
        &[pair("type", text("tcp")), pair("messages", raw), pair("server_conn", server)],
    );
    for low in [false, true] {
        shelf.put("exchange", &exchange::file(low, HAR.as_bytes()));
        shelf.put("exchange", &exchange::file(low, &[&http[..], &tcp].concat()));
        shelf.put("exchange", &exchange::file(low, &gzip(HAR.as_bytes())));
    }
    let part = b"--x\r\nContent-Disposition: form-data; name=\"mail\"\r\n\r\nalice@rooms.example\r\n--x--\r\n";
    let plist = b"bplist00\xd1\x01\x02TmailUalice\x08\x0b\x10\0\0\0\0\0\0\x01\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x16";
    let bodies: [&[u8]; 10] = [
        b"any text",
        br#"{"a":"b\nc","in":["{\"d\":\"\\u00e9\"}"]}"#,
        b"<a x='1'>&lt;<b>&#65;</b></a>",
        part,
        b"a=1&b=%20&c",
        b"\x1a\x07\n\x05alice\x10\xba\xdb\xc5\xfd\x0e\x21\0\0\0\0\0\0\x48\x40",
        b"\0\0\0\0\x07\n\x05alice",
        b"\x82\xa4mail\xa5alice\xa3ids\x92\xfe\xcb\x40\x0c\0\0\0\0\0\0",
        b"\xbf\x64mail\x65alice\x63ids\x9f\x21\xc2\x41x\xff\xff",
        plist,
    ];
    for (kind, bytes) in bodies.iter().enumerate() {
        shelf.put("exchange", &exchange::body(kind % 2 == 1, 0, kind, bytes));
        shelf.put("exchange", &exchange::body(false, 1, kind, &gzip(bytes)));
    }
    // "any text" in br, as it is and once more in gzip.
    let br = [0x8b, 0x03, 0x80, b'a', b'n', b'y', b' ', b't', b'e', b'x', b't', 0x03];
    shelf.put("exchange", &exchange::body(false, 3, 0, &br));
    shelf.put("exchange", &exchange::body(false, 5, 0, &gzip(&br)));
}

/// Cut captures, and their first frames as a classic pcap in both byte orders.
fn sources(capture: &[u8], shelf: &mut Shelf) {
    for cut in [64, 400, 1_500, 5_000] {
        shelf.put("source", capture.get(..cut).unwrap_or(capture));
    }
    let frames = pulled(capture);
    for little in [true, false] {
        let word = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let half = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut file = word(0xa1b2_c3d4).to_vec();
        file.extend([half(2), half(4)].concat());
        file.extend([word(0), word(0), word(65_535), word(1)].concat());
        for (number, bytes) in frames.iter().take(8).enumerate() {
            let length = word(bytes.len() as u32);
            file.extend([word(number as u32), word(500), length, length].concat());
            file.extend_from_slice(bytes);
        }
        shelf.put("source", &file);
        shelf.put("source", &gzip(&file));
        shelf.put("source", &zstd(&file));
    }
    shelf.put("source", &gzip(capture.get(..5_000).unwrap_or(capture)));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// One frame of one raw block (RFC 8878, 3.1.1): nothing is compressed, everything is framed.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u32;
    let block = (length << 3 | 1).to_le_bytes();
    [b"\x28\xb5\x2f\xfd\xa0".as_slice(), &length.to_le_bytes(), &block[..3], bytes].concat()
}

fn pulled(capture: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = farshore_sources::open(InputId(0), capture, farshore_sources::Limits::default()).expect("a capture");
    let mut frames = Vec::new();
    while let Some(frame) = reader.next().expect("memory can be read") {
        frames.push(frame.bytes.to_vec());
    }
    frames
}

/// One conversation: its frames, and its payload in order.
#[derive(Default)]
struct Conversation {
    datagrams: bool,
    server_port: u16,
    frames: Vec<Vec<u8>>,
    payload: Vec<(Direction, Vec<u8>)>,
}

/// The conversations of a capture of the lab: Ethernet, IPv4 without options, TCP or UDP in order.
fn conversations(capture: &[u8]) -> Vec<Conversation> {
    let mut all: BTreeMap<Vec<u8>, Conversation> = BTreeMap::new();
    for bytes in pulled(capture) {
        let (Some(&kind), Some(ports), Some(addresses)) = (bytes.get(23), bytes.get(34..38), bytes.get(26..34)) else {
            continue;
        };
        if bytes.get(12..14) != Some(&[8, 0]) || ![6, 17].contains(&kind) {
            continue;
        }
        let (source, target) = (u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]]));
        let up = source >= target;
        let mut key = vec![kind];
        if up {
            key.extend([&addresses[..4], &addresses[4..], &ports[..2], &ports[2..]].concat());
        } else {
            key.extend([&addresses[4..], &addresses[..4], &ports[2..], &ports[..2]].concat());
        }
        let end = 14 + usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        let start = if kind == 17 {
            42
        } else {
            34 + usize::from(bytes.get(46).copied().unwrap_or(0x50) >> 4) * 4
        };
        let one = all.entry(key).or_default();
        one.datagrams = kind == 17;
        one.server_port = source.min(target);
        if let Some(payload) = bytes.get(start..end).filter(|it| !it.is_empty()) {
            one.payload.push((if up { Up } else { Down }, payload.to_vec()));
        }
        one.frames.push(bytes);
    }
    all.into_values().collect()
}

/// The first frames of a conversation, behind the headers of several links.
fn frames(one: &Conversation, shelf: &mut Shelf) {
    let mut room = LARGEST;
    let fitting: Vec<&[u8]> = one
        .frames
        .iter()
        .map(Vec::as_slice)
        .take_while(|it| {
            room = room.saturating_sub(it.len());
            room > 0
        })
        .take(24)
        .collect();
    let low = shelf.counts.get("frame").copied().unwrap_or(0) % 5 == 4;
    if let Some(seed) = frame::seed(1, low, &fitting) {
        shelf.put("frame", &seed);
    }
    if one.frames.len() > 8 || shelf.counts.get("frame").copied().unwrap_or(0) % 3 != 0 {
        return;
    }
    let headers: [(u32, &[u8]); 12] = [
        (101, &[]),
        (228, &[]),
        (113, b"\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0"),
        (276, b"\x08\0\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0"),
        (0, b"\x02\0\0\0"),
        (108, b"\0\0\0\x02"),
        (9, b"\xff\x03\0\x21"),
        (51, b"\x11\0\0\x01\x05\xdc\0\x21"),
        (104, b"\x0f\0\x08\0"),
        (
            105,
            b"\x08\x01\0\0\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x02\0\0\0\0\x03\0\0\xaa\xaa\x03\0\0\0\x08\0",
        ),
        (
            127,
            b"\0\0\x08\0\0\0\0\0\x08\x01\0\0\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x02\0\0\0\0\x03\0\0\xaa\xaa\x03\0\0\0\x08\0",
        ),
        // VLAN and MPLS on Ethernet.
        (1, b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x81\0\0\x07\x88\x47\0\x01\x01\x40"),
    ];
    for (link, header) in headers {
        let framed: Vec<Vec<u8>> = fitting
            .iter()
            .map(|it| [header, it.get(14..).unwrap_or_default()].concat())
            .collect();
        let framed: Vec<&[u8]> = framed.iter().map(Vec::as_slice).collect();
        if let Some(seed) = frame::seed(link, false, &framed) {
            shelf.put("frame", &seed);
        }
    }
    tunnels(&fitting, shelf);
}

/// The same packets inside tunnels and in fragments.
fn tunnels(fitting: &[&[u8]], shelf: &mut Shelf) {
    let wrapped = |kind: u8, inner: &dyn Fn(&[u8]) -> Vec<u8>| {
        let all: Vec<Vec<u8>> = fitting
            .iter()
            .map(|it| {
                let payload = inner(it);
                let mut packet = b"\x45\0\0\0\0\x01\0\0\x40\0\0\0\xc0\0\x02\x01\xc6\x33\x64\x01".to_vec();
                packet[9] = kind;
                packet[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
                packet.extend(payload);
                packet
            })
            .collect();
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        frame::seed(101, false, &all)
    };
    let udp = |port: u16, header: &[u8], inner: &[u8]| {
        let length = (8 + header.len() + inner.len()) as u16;
        let ports = [50_000_u16.to_be_bytes(), port.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
        [&ports, header, inner].concat()
    };
    let seeds = [
        wrapped(4, &|it| it.get(14..).unwrap_or_default().to_vec()),
        wrapped(47, &|it| [b"\0\0\x08\0", it.get(14..).unwrap_or_default()].concat()),
        wrapped(97, &|it| [b"\x30\0", it].concat()),
        wrapped(17, &|it| udp(4789, b"\x08\0\0\0\0\0\x07\0", it)),
        wrapped(17, &|it| udp(6081, b"\0\0\x65\x58\0\0\x07\0", it)),
        wrapped(17, &|it| udp(2152, b"\x30\xff\0\x40\0\0\0\x01", it.get(14..).unwrap_or_default())),
        wrapped(17, &|it| {
            udp(1701, b"\0\x02\0\x01\0\x01\xff\x03\0\x21", it.get(14..).unwrap_or_default())
        }),
    ];
    for seed in seeds.iter().flatten() {
        shelf.put("frame", seed);
    }
    // Each packet in two fragments.
    let mut halves = Vec::new();
    for (number, it) in fitting.iter().enumerate() {
        let packet = it.get(14..).unwrap_or_default();
        let (Some(header), Some(payload)) = (packet.get(..20), packet.get(20..)) else {
            continue;
        };
        let middle = (payload.len() / 2) & !7;
        for (place, more, part) in [(0, 0x20, &payload[..middle]), (middle / 8, 0, &payload[middle..])] {
            let mut half = [header, part].concat();
            half[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
            half[4..6].copy_from_slice(&(number as u16).to_be_bytes());
            half[6] = more | (place >> 8) as u8;
            half[7] = place as u8;
            halves.push(half);
        }
    }
    let halves: Vec<&[u8]> = halves.iter().map(Vec::as_slice).collect();
    if let Some(seed) = frame::seed(101, false, &halves) {
        shelf.put("frame", &seed);
    }
}

/// The conversation for the protocol that knows it; its payload as fields too.
fn spoken(one: &Conversation, shelf: &mut Shelf) {
    let mut room = LARGEST;
    let segments: Vec<(Direction, &[u8])> = one
        .payload
        .iter()
        .map(|(side, bytes)| (*side, bytes.as_slice()))
        .take_while(|(_, bytes)| {
            let fits = room > 0;
            room = room.saturating_sub(bytes.len());
            fits
        })
        .collect();
    let whole = |side: Direction| -> Vec<u8> {
        let its = segments.iter().filter(|(direction, _)| *direction == side);
        its.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    };
    let (up, down) = (whole(Up), whole(Down));
    let opening = Opening {
        transport: if one.datagrams { Transport::Udp } else { Transport::Tcp },
        client_port: 50_000,
        server_port: one.server_port,
        layers: &["lab"],
        start: if one.datagrams {
            Start::Datagrams(segments.get(..segments.len().min(16)).unwrap_or_default())
        } else {
            Start::Stream { up: &up, down: &down }
        },
    };
    if let Some(known) = PROTOCOLS.iter().find(|it| it.matches(&opening) == Match::Yes)
        && let Some(seed) = protocol::seed(known.id(), one.datagrams, one.server_port, &segments)
    {
        shelf.put("protocol", &seed);
    }
    if let Some((_, first)) = segments.first() {
        shelf.put(
            "content",
            &content::seed(first.len(), one.datagrams, first.get(..1_000).unwrap_or(first)),
        );
    }
}

/// Where the readers of protocols stand, and their samples beside them.
fn readers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/farshore-wire/src/protocols")
}

/// Files of bytes beside the readers: each as one side, and both sides where names pair them.
fn samples(shelf: &mut Shelf) {
    let mut folders: Vec<PathBuf> = fs::read_dir(readers())
        .expect("the readers are there")
        .flatten()
        .map(|it| it.path())
        .collect();
    folders.sort();
    for folder in folders {
        let id = folder.file_name().unwrap_or_default().to_string_lossy().replace('_', "-");
        let mut files: Vec<PathBuf> = fs::read_dir(folder.join("samples"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|it| it.path())
            .filter(|it| it.extension().is_some_and(|it| it == "bin"))
            .collect();
        files.sort();
        let bytes: Vec<Vec<u8>> = files.iter().map(|it| fs::read(it).expect("a sample")).collect();
        let mut talks: Vec<Vec<(Direction, &[u8])>> = bytes.iter().flat_map(|it| [vec![(Up, &it[..])], vec![(Down, &it[..])]]).collect();
        if let [one, other] = &bytes[..] {
            talks.push(vec![(Up, one), (Down, other)]);
            // In small pieces, as a hostile sender would.
            talks.push(one.chunks(100).map(|it| (Up, it)).collect());
        }
        for talk in talks {
            for datagrams in [false, true] {
                if let Some(seed) = protocol::seed(&id, datagrams, 40_000, &talk) {
                    shelf.put("protocol", &seed);
                }
            }
        }
    }
}

/// Conversations beside the readers, what every protocol has at least, and fields.
fn dialogues(shelf: &mut Shelf) {
    for talk in talk::talks(&readers()) {
        let said: Vec<(Direction, &[u8])> = talk.said.iter().map(|(side, bytes)| (*side, bytes.as_slice())).collect();
        for datagrams in [false, true] {
            if let Some(seed) = protocol::seed(&talk.protocol, datagrams, talk.ports.1, &said) {
                shelf.put("protocol", &seed);
            }
        }
        let frames = talk.frames(build::CLIENT);
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        if let Some(seed) = frame::seed(1, false, &frames) {
            shelf.put("frame", &seed);
        }
    }
    // Every protocol has at least this to begin with.
    for it in PROTOCOLS {
        if let Some(seed) = protocol::seed(it.id(), false, 443, &[(Up, b"\x01\0\0\x01hello"), (Down, b"\0\0\0\x10\xff\xff")]) {
            shelf.put("protocol", &seed);
        }
    }
    for (path, (_, _, value)) in content::KNOWN.iter().enumerate() {
        shelf.put("content", &content::seed(path, false, value.as_bytes()));
        shelf.put("content", &content::seed(path + 4, true, value.as_bytes()));
    }
    let fields: [&[u8]; 9] = [
        b"imei=490154203237518&lat=52.520008&lon=13.404954&mail=alice%40rooms.example",
        b"sid=9f86d081884c7d65; theme=dark",
        b"Basic YWxpY2U6c2VjcmV0",
        b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MDIxMzM3Nzg4In0.",
        b"{\"uid\":4021337788,\"who\":{\"mail\":\"alice@rooms.example\",\"n\":\"J\\u00f6rg M\\u00fcller\"}}",
        b"eJxLzMlMTtVLTE7MSU0BAB3vBMQ=NDAyMTMzNzc4OA==",
        b"\xef\xb3\xd3\x3c\x00\x00\x00\x00\x3c\xd3\xb3\xef",
        b"<script>alert(1)</script><fuzz \" ' onerror=\"x\"&amp;-->]]>javascript:",
        "\u{202e}\u{1b}[31m\u{0}\u{85}\u{200b}a\u{301}\u{301}\u{301}\u{301}\u{2028}\u{feff}".as_bytes(),
    ];
    for (path, field) in fields.iter().enumerate() {
        shelf.put("content", &content::seed(path, false, field));
        shelf.put("content", &content::seed(path, true, field));
    }
}
