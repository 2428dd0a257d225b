//! Files of exchanges: what stands in them, where it stands, and what becomes of them when they are cut.

use farshore_model::exchange::{Excerpt, MessageKind};
use farshore_model::{Direction, Exchange, InputId, Protection, Transport};
use farshore_sources::{AtOnce, Limits, OpenError, Opened, Records, Summary, open_any};

pub const HAR: &str = r#"{"log":{"version":"1.2","pages":[{"entries":[1,2]}],"entries":[
 {"startedDateTime":"2023-03-29T17:37:42.482-07:00","time":18,"serverIPAddress":"[2001:db8::7]","connection":"51378",
  "request":{"method":"POST","url":"https://api.example:8443/v1?imei=490154203237518#top","httpVersion":"h2",
   "headers":[{"name":"User-Agent","value":"a\/1 \"b\""}],"cookies":[{"name":"sid","value":"7"}],
   "postData":{"mimeType":"application/json","params":[],"text":"{\"user\":\"alice@rooms.example\"}"},"headersSize":-1,"bodySize":31},
  "response":{"status":200,"headers":[],"content":{"size":5,"mimeType":"text/plain","encoding":"base64","text":"aGVsbG8="},"_transferSize":99},
  "_webSocketMessages":[{"type":"send","time":1693314200.25,"opcode":1,"data":"hi"},{"type":"receive","opcode":2,"data":"AAH/"}]},
 {"request":{"method":"GET","url":"http://plain.example/"},"response":{"status":0}},
 {"request":{"method":"GET","url":"https://kept.example/"},"response":{"_fromCache":"disk"}},
 {"request":{"method":"GET","url":"data:text/plain,x"}},
 {"serverIPAddress":"198.51.100.9","request":{}},
 7 ]
,"creator":{"name":"Recorder","version":"3"}}} "#;

fn records(text: &[u8], limits: Limits) -> Result<Box<dyn Records + '_>, OpenError> {
    match open_any(InputId(2), text, limits, AtOnce::default())? {
        Opened::Records(it) => Ok(it),
        Opened::Capture(_) | Opened::Rows(_) => panic!("no records in text"),
    }
}

/// Shows each exchange, with the bytes of the file that are its record, and gives what the file says of itself.
fn all(text: &[u8], limits: Limits, show: &mut dyn FnMut(&Exchange<'_>)) -> Result<Summary, OpenError> {
    let mut it = records(text, limits)?;
    while it.advance()? {
        if let Some(exchange) = it.exchange() {
            show(&exchange);
        }
    }
    assert!(!it.advance()?, "the end is the end");
    Ok(it.finish()?)
}

#[test]
fn a_har_is_its_entries() {
    let mut seen = Vec::new();
    let summary = all(HAR.as_bytes(), Limits::default(), &mut |it| {
        let host = it.request.as_ref().and_then(|it| it.target.as_ref()).map(|it| it.bytes.to_vec());
        seen.push((it.number, host, it.sent, it.channel.sealed.as_ref().map(|it| it.protection)));
    })
    .unwrap();
    let url = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(
        seen,
        [
            (
                1,
                url("https://api.example:8443/v1?imei=490154203237518#top"),
                true,
                Some(Protection::Tls)
            ),
            (2, url("http://plain.example/"), true, None),
            (3, url("https://kept.example/"), false, Some(Protection::Tls)),
            (4, url("data:text/plain,x"), false, Some(Protection::Tls)),
            (5, None, true, Some(Protection::Opaque)),
        ]
    );
    let record = &summary.record;
    assert_eq!((record.format, record.frames, record.file_bytes), ("har", 5, HAR.len() as u64));
    let odd = HAR.find("7 ]").unwrap();
    assert_eq!(
        summary.damage,
        Some(format!("offset {odd}: an entry or the end of the list was expected"))
    );
    assert!(record.cut_short);
    let notes: Vec<_> = record.notes.iter().map(|it| it.as_str()).collect();
    assert_eq!(notes, ["HAR 1.2"]);
    let times = [record.first, record.last].map(|it| it.unwrap().to_string());
    assert_eq!(times, ["2023-03-30T00:37:42.482000000Z", "2023-03-30T00:37:42.500000000Z"]);
    let whole = all(HAR.replace(",\n 7 ]", "]").as_bytes(), Limits::default(), &mut |_| {}).unwrap();
    assert_eq!((whole.damage, whole.record.cut_short, whole.record.frames), (None, false, 5));
    assert_eq!(whole.record.notes[1].as_str(), "written by Recorder 3");
}

#[test]
fn what_an_entry_holds_stands_where_it_says() {
    let mut told = 0;
    all(HAR.as_bytes(), Limits::default(), &mut |it| {
        if it.number > 1 {
            return;
        }
        let from = HAR.find(r#"{"startedDateTime""#).unwrap();
        let stands = |it: &Excerpt<'_>| &HAR.as_bytes()[from + it.offset as usize..][..it.length as usize];
        let request = it.request.as_ref().unwrap();
        assert_eq!((request.version, request.size), ("2", None));
        let method = request.method.as_ref().unwrap();
        assert_eq!((&*method.bytes, stands(method), method.packed), (&b"POST"[..], &b"POST"[..], None));
        let agent = &request.headers[0].value;
        assert_eq!(
            (&*agent.bytes, stands(agent), agent.packed),
            (&br#"a/1 "b""#[..], &br#"a\/1 \"b\""#[..], Some("json"))
        );
        assert_eq!(
            (&*request.cookies[0].name.bytes, &*request.cookies[0].value.bytes),
            (&b"sid"[..], &b"7"[..])
        );
        let body = request.body.as_ref().unwrap();
        assert_eq!(
            (&*body.bytes.bytes, body.decoded),
            (&br#"{"user":"alice@rooms.example"}"#[..], true)
        );
        let response = it.response.as_ref().unwrap();
        assert_eq!((response.status, response.size), (Some(200), Some(99)));
        let body = &response.body.as_ref().unwrap().bytes;
        assert_eq!(
            (&*body.bytes, stands(body), body.packed),
            (&b"hello"[..], &b"aGVsbG8="[..], Some("base64"))
        );
        let channel = &it.channel;
        assert_eq!(
            (channel.transport, channel.port, &*channel.connection),
            (Transport::Tcp, 8443, &b"51378"[..])
        );
        assert_eq!(channel.server.map(|it| it.to_string()).as_deref(), Some("2001:db8::7"));
        let messages: Vec<_> = it
            .messages
            .iter()
            .map(|it| (it.direction, it.kind, it.bytes.bytes.to_vec()))
            .collect();
        assert_eq!(
            messages,
            [
                (Direction::Up, MessageKind::Text, b"hi".to_vec()),
                (Direction::Down, MessageKind::Binary, vec![0, 1, 255])
            ]
        );
        told += 1;
    })
    .unwrap();
    assert_eq!(told, 1);
}

#[test]
fn a_har_that_is_cut_is_read_as_far_as_it_goes() {
    let first = HAR.find(r#"{"startedDateTime""#).unwrap();
    let mut most = 0;
    for cut in 1..HAR.len() {
        let text = &HAR.as_bytes()[..cut];
        match all(text, Limits::default(), &mut |_| {}) {
            Ok(summary) => {
                assert!(summary.record.cut_short && summary.damage.is_some(), "{cut}");
                assert!(summary.record.frames >= most, "{cut}");
                most = summary.record.frames;
            }
            Err(error) => assert!(cut < first && error.to_string().contains("expected"), "{cut}: {error}"),
        }
    }
    assert_eq!(most, 5);
}

#[test]
fn an_entry_larger_than_is_held_is_clipped_and_said() {
    let limits = Limits {
        record_bytes: 200,
        ..Limits::default()
    };
    let mut faults = Vec::new();
    let summary = all(HAR.as_bytes(), limits, &mut |it| faults.push((it.number, it.fault))).unwrap();
    assert_eq!(faults[0], (1, Some("an entry larger than is read")));
    assert_eq!(faults[1], (2, None));
    assert_eq!(summary.limits, ["record-bytes"]);
}

#[test]
fn damage_never_panics() {
    for at in 0..HAR.len() {
        for byte in [b'"', b'{', b']', b'\\', 0, 0xff] {
            let mut text = HAR.as_bytes().to_vec();
            text[at] = byte;
            let _ = all(&text, Limits::default(), &mut |_| {});
        }
    }
}

/// `length:bytes` and the type.
fn net(bytes: &[u8], kind: char) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes, kind.to_string().as_bytes()].concat()
}

fn list(kind: char, parts: &[Vec<u8>]) -> Vec<u8> {
    net(&parts.concat(), kind)
}

fn text(it: &str) -> Vec<u8> {
    net(it.as_bytes(), ';')
}

fn number(it: &str) -> Vec<u8> {
    net(it.as_bytes(), if it.contains('.') { '^' } else { '#' })
}

fn truth(it: bool) -> Vec<u8> {
    net(it.to_string().as_bytes(), '!')
}

/// A request of today's format, with a message, and the bytes of a TCP flow.
fn dump() -> Vec<u8> {
    let peer = |ip: &str, port: &str| list(']', &[text(ip), number(port)]);
    let headers = list(']', &[list(']', &[net(b"Host", ','), net(b"api.example", ',')])]);
    let request = list(
        '}',
        &[
            text("path"),
            net(b"/v1?imei=490154203237518", ','),
            text("scheme"),
            net(b"https", ','),
            text("method"),
            net(b"POST", ','),
            text("port"),
            number("443"),
            text("host"),
            text("198.51.100.7"),
            text("timestamp_start"),
            number("1693314200.25"),
            text("headers"),
            headers,
            text("content"),
            net(b"\x1f\x8bbody", ','),
            text("http_version"),
            net(b"HTTP/2.0", ','),
        ],
    );
    let response = list(
        '}',
        &[
            text("status_code"),
            number("200"),
            text("timestamp_end"),
            number("1693314201.5"),
            text("content"),
            net(b"", '~'),
        ],
    );
    let server = list(
        '}',
        &[
            text("peername"),
            peer("198.51.100.7", "443"),
            text("sni"),
            text("api.example"),
            text("tls_version"),
            text("TLSv1.3"),
            text("cipher"),
            text("TLS_AES_256_GCM_SHA384"),
            text("tls"),
            truth(true),
            text("id"),
            text("s-1"),
        ],
    );
    let client = list('}', &[text("peername"), peer("::ffff:10.0.0.4", "51378")]);
    let message = |parts: &[Vec<u8>]| list(']', &[list(']', parts)]);
    let websocket = list(
        '}',
        &[
            text("messages"),
            message(&[number("2"), truth(true), net(b"\x00\x01", ','), number("1693314200.75")]),
        ],
    );
    let http = list(
        '}',
        &[
            text("type"),
            text("http"),
            text("version"),
            number("20"),
            text("request"),
            request,
            text("response"),
            response,
            text("server_conn"),
            server,
            text("client_conn"),
            client,
            text("websocket"),
            websocket,
        ],
    );
    let raw = message(&[truth(false), net(b"+OK ready\r\n", ','), number("1693314300.5")]);
    let server = list(
        '}',
        &[
            text("address"),
            peer("mail.example", "110"),
            text("peername"),
            peer("192.0.2.9", "110"),
        ],
    );
    let tcp = list(
        '}',
        &[
            text("version"),
            number("20"),
            text("type"),
            text("tcp"),
            text("messages"),
            raw,
            text("server_conn"),
            server,
        ],
    );
    [http, tcp].concat()
}

#[test]
fn a_dump_is_its_flows() {
    let dump = dump();
    let second = dump.len() - net(b"", '}').len();
    let mut told = 0;
    let summary = all(&dump, Limits::default(), &mut |it| {
        told += 1;
        let channel = &it.channel;
        if it.number == 1 {
            let request = it.request.as_ref().unwrap();
            let target = request.target.as_ref().unwrap();
            let from = dump.iter().position(|it| *it == b':').unwrap() + 1;
            assert_eq!(
                &dump[from + target.offset as usize..][..target.length as usize],
                b"/v1?imei=490154203237518"
            );
            assert_eq!(
                (request.version, &*request.host.as_ref().unwrap().bytes),
                ("2", &b"198.51.100.7"[..])
            );
            assert!(!request.body.as_ref().unwrap().decoded, "as it was sent");
            assert_eq!(it.response.as_ref().unwrap().status, Some(200));
            let sealed = channel.sealed.as_ref().unwrap();
            assert_eq!(
                (sealed.version.as_deref(), sealed.cipher.as_deref()),
                (Some("1.3"), Some("TLS_AES_256_GCM_SHA384"))
            );
            assert_eq!(
                channel.client.map(|it| (it.ip.to_string(), it.port)),
                Some(("10.0.0.4".to_owned(), 51_378))
            );
            assert_eq!(
                (it.messages[0].direction, it.messages[0].kind),
                (Direction::Up, MessageKind::Binary)
            );
        } else {
            assert_eq!(
                (channel.server.map(|it| it.to_string()).as_deref(), channel.port),
                (Some("192.0.2.9"), 110)
            );
            assert_eq!(
                (it.messages[0].direction, &*it.messages[0].bytes.bytes),
                (Direction::Down, &b"+OK ready\r\n"[..])
            );
            assert!(it.request.is_none() && channel.sealed.is_none());
        }
    })
    .unwrap();
    assert!(second > 0);
    assert_eq!((told, summary.record.format, summary.damage), (2, "mitmproxy", None));
    assert_eq!(summary.record.notes[0].as_str(), "flow format 20");
    assert_eq!(summary.record.last.unwrap().to_string(), "2023-08-29T13:05:00.500000000Z");
}

#[test]
fn the_oldest_dumps_are_read_as_well() {
    let byte = |it: &str| net(it.as_bytes(), ',');
    let request = list(
        '}',
        &[
            byte("httpversion"),
            list(']', &[number("1"), number("1")]),
            byte("scheme"),
            byte("http"),
            byte("path"),
            byte("/"),
            byte("host"),
            byte("a.example"),
            byte("ip"),
            byte("192.0.2.1"),
            byte("port"),
            number("80"),
        ],
    );
    let old = list(
        '}',
        &[
            byte("version"),
            list(']', &[number("0"), number("10"), number("1")]),
            byte("request"),
            request,
        ],
    );
    let mut told = None;
    let summary = all(&old, Limits::default(), &mut |it| {
        let request = it.request.as_ref().unwrap();
        told = Some((request.version, it.channel.server.map(|it| it.to_string()), it.channel.port));
    })
    .unwrap();
    assert_eq!(told, Some(("1.1", Some("192.0.2.1".to_owned()), 80)));
    assert_eq!(summary.record.notes[0].as_str(), "flow format 0.10");
}

#[test]
fn a_dump_that_is_cut_or_damaged_is_read_as_far_as_it_goes() {
    let dump = dump();
    for cut in 12..dump.len() {
        let summary = match all(&dump[..cut], Limits::default(), &mut |_| {}) {
            Ok(summary) => summary,
            Err(error) => {
                assert!(cut < 16, "{cut}: {error}");
                continue;
            }
        };
        let whole = summary.record.frames == 1 && !summary.record.cut_short;
        assert!(whole || summary.damage.is_some_and(|it| it.starts_with("offset ")), "{cut}");
    }
    for at in 0..dump.len() {
        for byte in [b':', b'}', b'9', 0] {
            let mut damaged = dump.clone();
            damaged[at] = byte;
            let _ = all(&damaged, Limits::default(), &mut |_| {});
        }
    }
    let huge = [&b"99999999999:4:type;"[..], &dump].concat();
    let summary = all(&huge, Limits::default(), &mut |_| {}).unwrap();
    assert_eq!(
        summary.damage.as_deref(),
        Some("offset 0: the file ends inside the flow that begins here")
    );
}
