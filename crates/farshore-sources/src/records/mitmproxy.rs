//! Dumps of mitmproxy: one flow after the other, as its tools write them (`mitmdump -w`), in the format of 2013 (0.10) and all since.
//!
//! Read are requests and answers with headers, trailers left out, messages of WebSockets (also where older versions keep them in
//! a record of their own), and the bytes of TCP and UDP flows. Bodies are as they were sent, content coding and all. A proxy sits at
//! an end of two channels: told is the one to the server.

use std::net::IpAddr;

use farshore_model::exchange::{Body, Channel, Entry, Message, MessageKind, Request, Response, Sealed};
use farshore_model::ledger::InputRecord;
use farshore_model::{Direction, Endpoint, Exchange, InputId, Protection, Timestamp, Transport};

use super::tnetstring::{Value, head};
use super::{Records, har};
use crate::instant;
use crate::{Format, OpenError, Opened, ReadError, Summary, Window};

/// mitmproxy.
pub(crate) struct Mitmproxy;

impl Format for Mitmproxy {
    fn id(&self) -> &'static str {
        "mitmproxy"
    }

    fn claims(&self, file: &[u8]) -> bool {
        // A dictionary: a length, then the first key, which is bytes or text.
        let inside = head(file).and_then(|(before, _)| file.get(before..)).unwrap_or_default();
        head(inside).is_some_and(|(before, length)| {
            let mark = usize::try_from(length).map_or(usize::MAX, |it| it.saturating_add(before));
            length < 64 && matches!(inside.get(mark), Some(b',' | b';'))
        })
    }

    fn open<'r>(&self, input: InputId, window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        Ok(Opened::Records(Box::new(Dump {
            input,
            window,
            record: InputRecord {
                format: "mitmproxy",
                ..InputRecord::default()
            },
            flow: Vec::new(),
            fault: None,
            damage: None,
            limits: Vec::new(),
        })))
    }
}

/// A dump being read.
struct Dump<'r> {
    input: InputId,
    window: Window<'r>,
    record: InputRecord,
    /// The flow gone on to, from its first key on.
    flow: Vec<u8>,
    fault: Option<&'static str>,
    damage: Option<String>,
    limits: Vec<&'static str>,
}

impl Dump<'_> {
    fn cut(&mut self, at: u64, what: &str) {
        self.record.cut_short = true;
        self.damage = Some(format!("offset {at}: {what}"));
    }

    /// Takes so many bytes out of the file, up to the ceiling; tells how many there were.
    fn take(&mut self, length: u64) -> Result<u64, ReadError> {
        self.flow.clear();
        let most = self.window.limits.record_bytes;
        let mut left = length;
        while left > 0 && (!self.window.bytes().is_empty() || self.window.fill(1)?) {
            let bytes = self.window.bytes();
            let part = bytes
                .get(..usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()))
                .unwrap_or_default();
            let taken = part.len();
            let room = most.saturating_sub(self.flow.len()).min(taken);
            self.flow.extend_from_slice(part.get(..room).unwrap_or_default());
            self.window.consume(taken);
            left = left.saturating_sub(taken as u64);
        }
        Ok(length.saturating_sub(left))
    }
}

impl Records for Dump<'_> {
    fn advance(&mut self) -> Result<bool, ReadError> {
        if self.damage.is_some() {
            return Ok(false);
        }
        self.fault = None;
        let at = self.window.position();
        self.window.fill(16)?;
        if self.window.bytes().is_empty() {
            return Ok(false);
        }
        let Some((before, length)) = head(self.window.bytes()) else {
            self.cut(at, "the length of a flow was expected");
            return Ok(false);
        };
        self.window.consume(before);
        let there = self.take(length)?;
        if there < length {
            self.fault = Some("a flow that is cut short");
            self.cut(at, "the file ends inside the flow that begins here");
        } else if length > self.flow.len() as u64 {
            self.fault = Some("a flow larger than is read");
            self.limits.push("record-bytes");
        }
        if self.damage.is_none() {
            self.window.fill(1)?;
            match self.window.bytes().first() {
                Some(b'}') => self.window.consume(1),
                None => self.cut(at, "the file ends before the mark of the flow that begins here"),
                Some(_) => {
                    self.cut(at, "what begins here is no flow: its mark is that of another type");
                    return Ok(false);
                }
            }
        }
        let flow = Value::dictionary(&self.flow);
        if self.record.frames == 0 {
            let version = flow.get("version").map(version).unwrap_or_default();
            if !version.is_empty() {
                self.record.notes.push(format!("flow format {version}").into());
            }
        }
        let (first, last) = times(flow);
        crate::clock::count(&mut self.record, &mut crate::clock::Clock::default(), first);
        self.record.last = self.record.last.max(last);
        Ok(true)
    }

    fn exchange(&self) -> Option<Exchange<'_>> {
        (!self.flow.is_empty()).then(|| Exchange {
            input: self.input,
            number: self.record.frames,
            fault: self.fault,
            ..exchange(Value::dictionary(&self.flow))
        })
    }

    fn position(&self) -> u64 {
        self.window.file_position()
    }

    fn finish(self: Box<Self>) -> Result<Summary, ReadError> {
        let mut summary = Summary::of(self.record, self.window.finish()?, None, self.damage);
        summary.limits = self.limits;
        Ok(summary)
    }
}

/// `20`, or `0.11` of old.
fn version(value: Value<'_>) -> String {
    let numbers: Vec<String> = match value.number() {
        Some(number) => vec![number.to_string()],
        None => value.items().take(2).filter_map(Value::number).map(|it| it.to_string()).collect(),
    };
    numbers.join(".")
}

/// When a flow began and ended.
fn times(flow: Value<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let at = |part: &str, name: &str| flow.get(part)?.get(name)?.number().and_then(instant::epoch);
    let messages = || flow.get("messages").into_iter().flat_map(Value::items).filter_map(stamp);
    let first = at("request", "timestamp_start")
        .or_else(|| flow.get("timestamp_created")?.number().and_then(instant::epoch))
        .or_else(|| messages().next())
        .or_else(|| at("server_conn", "timestamp_start"));
    let last = at("response", "timestamp_end").or_else(|| messages().last());
    (first, last)
}

/// The time of a message: the only number of theirs that has a fraction or is large.
fn stamp(message: Value<'_>) -> Option<Timestamp> {
    message
        .items()
        .filter_map(Value::number)
        .find(|it| *it > 1e8)
        .and_then(instant::epoch)
}

fn exchange(flow: Value<'_>) -> Exchange<'_> {
    let kind = flow.get("type").and_then(Value::text).unwrap_or("http");
    let (time, ended) = times(flow);
    let request = flow.get("request").filter(|_| kind == "http").map(request);
    let response = flow.get("response").filter(|_| kind == "http").and_then(response);
    let messages = match kind {
        "tcp" | "udp" => flow.get("messages").into_iter().flat_map(Value::items).filter_map(raw).collect(),
        "websocket" => websocket(Some(flow)),
        _ => websocket(flow.get("websocket")),
    };
    Exchange {
        input: InputId(0),
        number: 0,
        time,
        ended,
        channel: channel(flow, kind, request.as_ref()),
        request,
        response,
        messages,
        sent: true,
        fault: None,
    }
}

fn channel<'a>(flow: Value<'a>, kind: &str, request: Option<&Request<'_>>) -> Channel<'a> {
    let (client, server, asked) = (flow.get("client_conn"), flow.get("server_conn"), flow.get("request"));
    let number = |it: Option<Value<'_>>| {
        it.and_then(Value::number)
            .filter(|it| (0.0..=65_535.0).contains(it))
            .map(|it| it as u16)
    };
    let reached = ["peername", "ip_address", "address"]
        .into_iter()
        .find_map(|name| endpoint(server?.get(name)?));
    let named = server.and_then(|it| port(it.get("address")?));
    let old = || asked?.get("ip")?.text()?.parse::<IpAddr>().ok();
    let quic = request.is_some_and(|it| it.version == "3");
    let over_udp = quic || kind == "udp" || server.and_then(|it| it.get("transport_protocol")?.text()) == Some("udp");
    let word = |name: &str| server?.get(name)?.text().filter(|it| !it.is_empty()).map(str::to_owned);
    let encrypted = match asked.and_then(|it| it.get("scheme")?.text()) {
        Some(scheme) if !scheme.is_empty() => matches!(scheme, "https" | "wss"),
        _ => ["tls", "tls_established", "ssl_established"]
            .into_iter()
            .any(|name| server.and_then(|it| it.get(name)?.truth()) == Some(true)),
    };
    let protection = match (encrypted, over_udp) {
        (false, _) => None,
        (true, false) => Some(Protection::Tls),
        (true, true) if quic || kind == "http" => Some(Protection::Quic),
        (true, true) => Some(Protection::Dtls),
    };
    let connection = server.and_then(|it| it.get("id")?.excerpt()).unwrap_or_default().bytes;
    Channel {
        transport: if over_udp { Transport::Udp } else { Transport::Tcp },
        client: client.and_then(|it| ["peername", "address"].into_iter().find_map(|name| endpoint(it.get(name)?))),
        server: reached.map(|it| it.ip).or_else(old),
        port: reached
            .map(|it| it.port)
            .or(named)
            .or_else(|| number(asked?.get("port")))
            .unwrap_or_default(),
        connection,
        sealed: protection.map(|protection| Sealed {
            protection,
            version: word("tls_version").map(|it| it.trim_start_matches("TLSv").to_owned()),
            cipher: word("cipher").or_else(|| word("cipher_name")),
            server_name: server.and_then(|it| it.get("sni")?.excerpt()),
        }),
    }
}

/// `[address, port]`, in old versions inside a dictionary.
fn endpoint(value: Value<'_>) -> Option<Endpoint> {
    let value = value.get("address").unwrap_or(value);
    let ip: IpAddr = value.items().next()?.text()?.parse().ok()?;
    Some(Endpoint {
        ip: ip.to_canonical(),
        port: port(value)?,
    })
}

fn port(value: Value<'_>) -> Option<u16> {
    let value = value.get("address").unwrap_or(value);
    let number = value.items().nth(1)?.number().filter(|it| (0.0..=65_535.0).contains(it))?;
    Some(number as u16)
}

fn request(value: Value<'_>) -> Request<'_> {
    let mut it = Request::default();
    let (mut host, mut authority) = (None, None);
    for (key, value) in value.members() {
        match key {
            b"method" => it.method = value.excerpt(),
            b"path" => it.target = value.excerpt().filter(|it| !it.bytes.is_empty()),
            b"host" => host = value.excerpt(),
            b"authority" => authority = value.excerpt().filter(|it| !it.bytes.is_empty()),
            b"http_version" | b"httpversion" => it.version = spoken(value),
            b"headers" => it.headers = headers(value),
            b"content" => it.body = body(value),
            _ => {}
        }
    }
    it.host = authority.or(host);
    it
}

fn response(value: Value<'_>) -> Option<Response<'_>> {
    let mut it = Response::default();
    let mut members = value.members().peekable();
    members.peek()?;
    for (key, value) in members {
        match key {
            b"status_code" | b"code" => it.status = value.number().map(|it| it as u16),
            b"headers" => it.headers = headers(value),
            b"content" => it.body = body(value),
            _ => {}
        }
    }
    Some(it)
}

/// `HTTP/1.1`, or `[1, 1]` of old.
fn spoken(value: Value<'_>) -> &'static str {
    match value.text() {
        Some(text) => har::version(text.as_bytes()),
        None => har::version(version(value).as_bytes()),
    }
}

fn headers(value: Value<'_>) -> Vec<Entry<'_>> {
    let mut all = Vec::new();
    for pair in value.items() {
        let mut parts = pair.items().filter_map(Value::excerpt);
        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            all.push(Entry { name, value });
        }
    }
    all
}

fn body(value: Value<'_>) -> Option<Body<'_>> {
    let bytes = value.excerpt().filter(|it| !it.bytes.is_empty())?;
    Some(Body { bytes, ..Body::default() })
}

/// Messages as `[opcode, from the client, content, …]`.
fn websocket(value: Option<Value<'_>>) -> Vec<Message<'_>> {
    let mut all = Vec::new();
    for message in value.and_then(|it| it.get("messages")).into_iter().flat_map(Value::items) {
        let mut parts = message.items();
        let (opcode, from_client, content) = (parts.next(), parts.next(), parts.next());
        let (Some(up), Some(bytes)) = (from_client.and_then(Value::truth), content.and_then(Value::excerpt)) else {
            continue;
        };
        all.push(Message {
            direction: if up { Direction::Up } else { Direction::Down },
            time: stamp(message),
            kind: if opcode.and_then(Value::number) == Some(1.0) {
                MessageKind::Text
            } else {
                MessageKind::Binary
            },
            bytes,
        });
    }
    all
}

/// Bytes of a stream as `[from the client, content, time]`.
fn raw(message: Value<'_>) -> Option<Message<'_>> {
    let mut parts = message.items();
    let (up, bytes) = (parts.next()?.truth()?, parts.next()?.excerpt()?);
    Some(Message {
        direction: if up { Direction::Up } else { Direction::Down },
        time: stamp(message),
        kind: MessageKind::Raw,
        bytes,
    })
}
