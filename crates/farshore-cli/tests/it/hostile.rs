//! Names chosen by whoever sends the packets, or the files: every output shows them, none obeys them.

use std::net::Ipv4Addr;

use farshore_lab::net::{self, Path, Segment};
use farshore_lab::pcapng::{self, Section};

use crate::command::{farshore, finish, folder, run, write};

const CLIENT: [u8; 4] = [192, 0, 2, 10];
const SERVER: [u8; 4] = [198, 51, 100, 20];

/// What a name may be made of to do harm: on a terminal, in markup, in whatever reads the JSON, to a reader's eye.
fn names() -> Vec<Vec<u8>> {
    vec![
        b"\x1b[2J\x1b[31mred.example.net".to_vec(),
        b"\x1b]0;title\x07.example.net".to_vec(),
        b"<script>alert(1)</script>.example.net".to_vec(),
        b"\"><img src=x onerror=alert(1)>.example.net".to_vec(),
        b"'-alert(1)-'.example.net".to_vec(),
        b"a\0b\x01\x02\x08\x7f.example.net".to_vec(),
        "ordinary\u{9b}31m\u{85}.example.net".as_bytes().to_vec(),
        "\u{202e}ten.elpmaxe\u{2066}.example.net".as_bytes().to_vec(),
        "pay\u{200b}pal\u{feff}.example.net".as_bytes().to_vec(),
        b"\xff\xfe\xc0\xaf\xed\xa0\x80.example.net".to_vec(),
        b"line\nbreak\r\nSet-Cookie: x=1.example.net".to_vec(),
        b"\\u001b[31m\\x1b.example.net".to_vec(),
        "z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}.example.net"
            .as_bytes()
            .to_vec(),
        b"</td></tr></table></body></html>".to_vec(),
        b"{{7*7}}${7*7}%{7*7}.example.net".to_vec(),
        b"--><!--]]>.example.net".to_vec(),
    ]
}

fn path(from: [u8; 4], to: [u8; 4]) -> Path {
    Path {
        from_mac: [2, 0, 0, 0, 0, 1],
        to_mac: [2, 0, 0, 0, 0, 2],
        from: Ipv4Addr::from(from),
        to: Ipv4Addr::from(to),
        ttl: 64,
        dscp: 0,
        id: 7,
    }
}

#[derive(Default)]
struct Wire {
    frames: Vec<Vec<u8>>,
    port: u16,
}

impl Wire {
    fn udp(&mut self, port: u16, payload: &[u8]) {
        self.port += 1;
        self.frames
            .push(net::udp(&path(CLIENT, SERVER), 50_000 + self.port, port, payload).0);
    }

    fn answer(&mut self, port: u16, payload: &[u8]) {
        self.frames
            .push(net::udp(&path(SERVER, CLIENT), port, 50_000 + self.port, payload).0);
    }

    /// A connection with its handshake, both directions' bytes in segments.
    fn tcp(&mut self, port: u16, up: &[u8], down: &[u8]) {
        self.port += 1;
        let mut segment = |back: bool, seq: u32, ack: u32, flags: u8, bytes: &[u8]| {
            let (from, to) = if back {
                (port, 50_000 + self.port)
            } else {
                (50_000 + self.port, port)
            };
            let it = Segment {
                from,
                to,
                seq,
                ack,
                flags,
                window: 60_000,
                ..Segment::default()
            };
            let path = if back { path(SERVER, CLIENT) } else { path(CLIENT, SERVER) };
            self.frames.push(net::tcp(&path, &it, bytes).0);
        };
        segment(false, 0, 0, 2, &[]);
        segment(true, 0, 1, 18, &[]);
        for (back, bytes) in [(false, up), (true, down)] {
            for (index, part) in bytes.chunks(1_400).enumerate() {
                segment(back, 1 + index as u32 * 1_400, 1, 24, part);
            }
        }
    }
}

/// A name in labels of at most 63 bytes, dots of its own aside.
fn labels(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split(|byte| *byte == b'.').filter(|it| !it.is_empty()) {
        let label = &label[..label.len().min(63)];
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
    out
}

fn dns(flags: u16, name: &[u8], answers: u16) -> Vec<u8> {
    let mut out: Vec<u8> = [7, flags, 1, answers, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    out.extend(labels(name));
    out.extend([0, 1, 0, 1]);
    if answers > 0 {
        out.extend(labels(name));
        out.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend(SERVER);
    }
    out
}

/// A ClientHello (RFC 8446 section 4.1.2) with this server name, in records of at most 16 kB.
fn hello(name: &[u8]) -> Vec<u8> {
    let wide = |length: usize| (length as u16).to_be_bytes();
    let mut names = vec![0];
    names.extend(wide(name.len()));
    names.extend(name);
    let mut extension = vec![0, 0];
    extension.extend(wide(names.len() + 2));
    extension.extend(wide(names.len()));
    extension.extend(names);
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(wide(extension.len()));
    body.extend(extension);
    let mut message = vec![1];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    let record = |part: &[u8]| [&[22, 3, 1][..], &wide(part.len()), part].concat();
    message.chunks(16_000).flat_map(record).collect()
}

/// Everything at once: a capture in which each of the names is said in each way.
fn capture(comment: &str) -> Vec<u8> {
    let mut wire = Wire::default();
    for name in names() {
        wire.udp(53, &dns(0x0100, &name, 0));
        wire.answer(53, &dns(0x8180, &name, 1));
        wire.tcp(443, &hello(&name), &[]);
        // What HTTP cannot carry in a line ends the line there: it is then a header of its own.
        let head = [
            b"GET /",
            &name[..],
            b"?q=",
            &name,
            b" HTTP/1.1\r\nHost: ",
            &name,
            b"\r\nCookie: ",
            &name,
            b"=",
            &name,
            b"\r\nX-User-Id: ",
            &name,
            b"\r\nAuthorization: Basic ",
            &name,
            b"\r\n\r\n",
        ]
        .concat();
        wire.tcp(
            80,
            &head,
            &[
                b"HTTP/1.1 302 ",
                &name[..],
                b"\r\nLocation: ",
                &name,
                b"\r\nContent-Length: 0\r\n\r\n",
            ]
            .concat(),
        );
    }
    let long = |length: usize| b"<script>\x1b[31m\xff".iter().copied().cycle().take(length).collect::<Vec<u8>>();
    wire.tcp(443, &hello(&long(60_000)), &[]);
    let head = [b"GET /", &long(48_000)[..], b" HTTP/1.1\r\nHost: ", &long(16_000), b"\r\n\r\n"].concat();
    wire.tcp(
        80,
        &head
            .iter()
            .map(|byte| if *byte == b'\r' { b' ' } else { *byte })
            .collect::<Vec<_>>(),
        &[],
    );
    wire.tcp(
        80,
        &[b"POST /a HTTP/1.1\r\nHost: long.example.net\r\nX: ", &long(65_000)[..], b"\r\n\r\n"].concat(),
        &[],
    );
    let section = Section {
        application: comment,
        comment,
        interface: comment,
        description: comment,
    };
    let times = (0..).map(|at| 1_613_066_400_000_000_000 + at * 1_000_000);
    pcapng::file(&section, times.zip(wire.frames.iter().map(Vec::as_slice)))
}

/// Fails on anything that steers a terminal, reorders text or begins markup.
#[track_caller]
fn inert(text: &str, what: &str) {
    for c in text.chars() {
        let steers = (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        assert!(!steers, "{what} holds {c:?}");
    }
    let lower = text.to_ascii_lowercase();
    for markup in ["<script", "<img", "</script"] {
        assert!(!lower.contains(markup), "{what} holds {markup}");
    }
}

#[test]
fn no_output_obeys_a_name_from_the_wire() {
    let folder = folder();
    let input = write(&folder, "a.pcapng", capture("\u{1b}[31m<script>alert(1)</script>\u{202e}"));
    let known = "[[known]]\nname = \"<script>alert(1)</script>\\u001b[31m\\u202e\"\nkind = \"hostname\"\nvalue = \"long.example.net\"\n";
    let known = write(&folder, "known.toml", known);
    for format in ["terminal", "json", "ndjson", "html"] {
        for more in [&[][..], &["--show-pii", "--with=flows,observations"]] {
            let mut command = farshore();
            command
                .arg("audit")
                .arg(&input)
                .arg("--known")
                .arg(&known)
                .args(["--format", format])
                .args(more);
            let done = finish(&mut command);
            done.ends(0);
            let what = format!("{format} {more:?}");
            inert(done.text(), &what);
            inert(&done.err, &format!("the messages of {what}"));
            assert!(done.text().contains("example.net"), "{what}: the names are there all the same");
            match format {
                "json" => {
                    let audit: serde_json::Value = serde_json::from_slice(&done.out).unwrap();
                    let names: Vec<_> = audit["destinations"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|it| it["name"].as_str().unwrap())
                        .collect();
                    // In JSON the value is whole: the escapes are the format's own.
                    assert!(names.contains(&"<script>alert(1)</script>.example.net"), "{names:?}");
                    assert!(names.iter().any(|it| it.starts_with("\u{1b}[2j")), "{names:?}");
                    assert!(
                        names.iter().any(|it| it.contains("\\xff\\xfe")),
                        "bytes that are no UTF-8 are spelled out"
                    );
                }
                "ndjson" => {
                    for line in done.text().lines() {
                        serde_json::from_str::<serde_json::Value>(line).unwrap();
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn no_output_obeys_a_file_name() {
    let folder = folder();
    let names = ["\u{1b}[31m<script>alert(1).pcapng", "two\nlines.pcapng", "\u{202e}gnpacp.pcapng"];
    for name in names {
        let good = write(&folder, name, capture("a test"));
        for format in ["terminal", "json", "ndjson", "html"] {
            let mut command = farshore();
            command.arg("audit").arg(&good).args(["--format", format]);
            let done = finish(&mut command);
            done.ends(0);
            inert(done.text(), &format!("{format} of {name:?}"));
            inert(&done.err, &format!("the messages on {name:?}"));
        }
        let cut = std::fs::read(&good).unwrap();
        std::fs::write(&good, &cut[..cut.len() - 9]).unwrap();
        let done = run(["audit".as_ref(), good.as_os_str()]);
        done.ends(0).says("warning");
        inert(&done.err, &format!("the warning on {name:?}"));
        std::fs::write(&good, "text").unwrap();
        let done = run(["audit".as_ref(), good.as_os_str()]);
        done.ends(2);
        inert(&done.err, &format!("the refusal of {name:?}"));
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
        std::fs::remove_file(&good).unwrap();
        let done = run(["audit".as_ref(), good.as_os_str()]);
        done.ends(2);
        inert(&done.err, &format!("the want of {name:?}"));
    }
}

#[cfg(unix)]
#[test]
fn a_file_name_that_is_no_text_is_shown_all_the_same() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9\x1b.pcapng"));
    std::fs::write(&path, capture("a test")).unwrap();
    let done = run(["audit".as_ref(), path.as_os_str(), "--format=json".as_ref()]);
    let audit = done.json();
    assert!(audit["inputs"][0]["path"].as_str().unwrap().starts_with("caf"));
    inert(done.text(), "the audit");
}

#[test]
fn no_message_obeys_what_a_users_file_holds() {
    let folder = folder();
    let known = write(
        &folder,
        "\u{1b}[31mknown.toml",
        "[[known]]\nname = \"\u{202e}ecila\"\nkind = \"\u{9b}31m\"\nvalue = 1\n",
    );
    let capture = write(&folder, "a.pcapng", capture("a test"));
    let done = run(["audit".as_ref(), capture.as_os_str(), "--known".as_ref(), known.as_os_str()]);
    done.ends(2);
    inert(&done.err, "the message");
    let done = run(["audit".as_ref(), capture.as_os_str(), "-o".as_ref(), known.as_os_str()]);
    done.ends(2);
    inert(&done.err, "the refusal");
}
