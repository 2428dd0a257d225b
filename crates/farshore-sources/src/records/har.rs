//! HTTP Archive 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>), as browsers, proxies and test tools save it.
//!
//! The list `log.entries` is walked entry by entry; pages and everything else of the log are stepped over. Of fields that are not
//! in the standard those are read that say more of who was asked: WebPageTest's address and suite, messages of WebSockets,
//! whether an answer came from a cache. HAR tells bodies decoded and text as text: the bytes of the wire are not in it.

use farshore_model::exchange::{Body, Channel, Entry, Excerpt, Message, MessageKind, Request, Response, Sealed};
use farshore_model::ledger::InputRecord;
use farshore_model::{Direction, Exchange, InputId, Protection, Timestamp, Transport, WireText};

use super::Records;
use crate::instant;
use crate::json::{self, Taken, Value};
use crate::{Format, OpenError, Opened, ReadError, Summary, Window};

/// HAR.
pub(crate) struct Har;

/// Bytes of a member beside the entries that are kept: creator, browser and version take a few dozen.
const ASIDE: usize = 1 << 12;

const BOM: &[u8] = b"\xef\xbb\xbf";

impl Format for Har {
    fn id(&self) -> &'static str {
        "har"
    }

    fn claims(&self, head: &[u8]) -> bool {
        begins(head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start())
    }

    fn open<'r>(&self, input: InputId, window: Window<'r>) -> Result<Opened<'r>, OpenError> {
        let mut file = HarFile {
            input,
            window,
            record: InputRecord {
                format: "har",
                ..InputRecord::default()
            },
            entry: Vec::new(),
            state: State::Over,
            fault: None,
            damage: None,
            limits: Vec::new(),
        };
        if !file.find_entries()? {
            return Err(OpenError::Header {
                offset: file.window.position(),
                expected: "this looks like JSON, but no list log.entries begins here; expected a HAR".to_owned(),
            });
        }
        Ok(Opened::Records(Box::new(file)))
    }
}

/// Whether a HAR begins with this text.
pub(crate) fn begins(text: &[u8]) -> bool {
    text.strip_prefix(b"{")
        .is_some_and(|it| it.trim_ascii_start().starts_with(b"\"log\""))
}

/// A HAR file being read.
struct HarFile<'r> {
    input: InputId,
    window: Window<'r>,
    record: InputRecord,
    /// The entry gone on to.
    entry: Vec<u8>,
    state: State,
    fault: Option<&'static str>,
    damage: Option<String>,
    limits: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the list of entries.
    Entries,
    /// Behind it, or behind what made no sense.
    Over,
}

impl HarFile<'_> {
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        json::peek(&mut self.window)
    }

    fn pass(&mut self, mark: u8) -> Result<bool, ReadError> {
        json::pass(&mut self.window, mark)
    }

    /// Takes the next value out, up to so many bytes of it.
    fn take(&mut self, most: usize) -> Result<(Vec<u8>, Taken), ReadError> {
        let mut kept = std::mem::take(&mut self.entry);
        let taken = json::take(&mut self.window, most, &mut kept)?;
        Ok((kept, taken))
    }

    /// Goes to the first entry; `false` where there is no list of them.
    fn find_entries(&mut self) -> Result<bool, ReadError> {
        if self.window.fill(BOM.len())? && self.window.bytes().starts_with(BOM) {
            self.window.consume(BOM.len());
        }
        // Claimed: `{`, then the key `log`.
        if !self.pass(b'{')? {
            return Ok(false);
        }
        while let Some(key) = self.key()? {
            if key == b"log" {
                return Ok(self.pass(b'{')? && self.log()?);
            }
            self.take(0)?;
            self.pass(b',')?;
        }
        Ok(false)
    }

    /// Reads members of the log until its entries begin; `false` at its end.
    fn log(&mut self) -> Result<bool, ReadError> {
        while let Some(key) = self.key()? {
            if key == b"entries" && self.peek()? == Some(b'[') {
                self.window.consume(1);
                self.state = State::Entries;
                return Ok(true);
            }
            let wanted = matches!(&*key, b"version" | b"creator" | b"browser");
            let (value, taken) = self.take(if wanted { ASIDE } else { 0 })?;
            if wanted && taken == Taken::Whole {
                self.note(&key, &value);
            }
            self.pass(b',')?;
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        if self.peek()? != Some(b'"') {
            return Ok(None);
        }
        let (key, taken) = self.take(ASIDE)?;
        if taken != Taken::Whole || !self.pass(b':')? {
            return Ok(None);
        }
        Ok(Value::first(&key).and_then(Value::string).map(|it| it.bytes.into_owned()))
    }

    /// What the file says of who wrote it.
    fn note(&mut self, key: &[u8], value: &[u8]) {
        let Some(value) = Value::first(value) else { return };
        let mut words: Vec<u8> = match key {
            b"version" => b"HAR".to_vec(),
            b"creator" => b"written by".to_vec(),
            _ => b"browser".to_vec(),
        };
        let bare = words.len();
        let mut say = |it: Option<Excerpt<'_>>| {
            if let Some(it) = it.filter(|it| !it.bytes.is_empty()) {
                words.push(b' ');
                words.extend_from_slice(&it.bytes);
            }
        };
        if key == b"version" {
            say(value.word());
        } else {
            let member = |name: &[u8]| value.members().find(|it| *it.0 == *name).and_then(|it| it.1.word());
            say(member(b"name"));
            say(member(b"version"));
        }
        if words.len() > bare {
            self.record.notes.push(WireText::from_bytes(&words));
        }
    }

    /// When the entry began and ended.
    fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let (mut started, mut took) = (None, None);
        for (key, value) in Value::first(&self.entry).into_iter().flat_map(Value::members) {
            match &*key {
                b"startedDateTime" => started = value.string().and_then(|it| instant::iso(&it.bytes)),
                b"time" => took = value.number(),
                _ => {}
            }
        }
        (started, started.zip(took).map(|(time, took)| instant::later(time, took)))
    }

    fn cut(&mut self, what: &str) {
        self.record.cut_short = true;
        self.state = State::Over;
        if self.damage.is_none() {
            self.damage = Some(format!("offset {}: {what}", self.window.position()));
        }
    }
}

impl Records for HarFile<'_> {
    fn advance(&mut self) -> Result<bool, ReadError> {
        if self.state == State::Over {
            return Ok(false);
        }
        self.fault = None;
        match self.peek()? {
            Some(b'{') => {}
            Some(b']') => {
                self.window.consume(1);
                // Who wrote it may be told behind the entries.
                self.pass(b',')?;
                if self.log()? {
                    self.cut("a second list of entries begins; the rest was not read");
                }
                self.state = State::Over;
                self.entry.clear();
                return Ok(false);
            }
            Some(_) => {
                self.cut("an entry or the end of the list was expected");
                return Ok(false);
            }
            None => {
                self.cut("the file ends inside its list of entries");
                return Ok(false);
            }
        }
        let at = self.window.position();
        let (entry, taken) = self.take(self.window.limits.record_bytes)?;
        self.entry = entry;
        let (time, ended) = self.times();
        crate::clock::count(&mut self.record, &mut crate::clock::Clock::default(), time);
        self.record.last = self.record.last.max(ended);
        match taken {
            Taken::Whole => {}
            Taken::Clipped => {
                self.fault = Some("an entry larger than is read");
                self.limits.push("record-bytes");
            }
            Taken::Cut => {
                self.fault = Some("an entry that is cut short");
                self.record.cut_short = true;
                self.state = State::Over;
                self.damage = Some(format!("offset {at}: the file ends inside the entry that begins here"));
            }
        }
        if taken != Taken::Cut && !self.pass(b',')? && self.peek()?.is_some_and(|it| it != b']') {
            self.cut("a comma or the end of the list was expected behind an entry");
        }
        Ok(true)
    }

    fn exchange(&self) -> Option<Exchange<'_>> {
        let entry = Value::first(&self.entry)?;
        let mut found = Found::default();
        for (key, value) in entry.members() {
            found.member(&key, value);
        }
        Some(Exchange {
            input: self.input,
            number: self.record.frames,
            ..found.exchange(self.times(), self.fault)
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

/// What an entry holds, as it was found.
#[derive(Default)]
struct Found<'a> {
    request: Option<Request<'a>>,
    response: Option<Response<'a>>,
    messages: Vec<Message<'a>>,
    address: Option<Excerpt<'a>>,
    connection: Option<Excerpt<'a>>,
    version: Option<String>,
    cipher: Option<String>,
    cached: bool,
    secure_connection: bool,
}

impl<'a> Found<'a> {
    fn member(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"request" => self.request = Some(request(value)),
            b"response" => {
                self.response = Some(response(value));
                self.cached |= value.members().any(|(key, value)| *key == *b"_fromCache" && value.says_something());
            }
            b"serverIPAddress" => self.address = value.string().filter(|it| !it.bytes.is_empty()).or(self.address.take()),
            b"_ip_addr" => self.address = self.address.take().or_else(|| value.string()),
            b"connection" | b"_connectionId" | b"_socket" => self.connection = self.connection.take().or_else(|| value.word()),
            b"_webSocketMessages" => self.messages = value.items().filter_map(message).collect(),
            b"_fromCache" => self.cached |= value.says_something(),
            b"_securityDetails" => {
                for (key, value) in value.members() {
                    let word = || value.string().map(|it| String::from_utf8_lossy(&it.bytes).into_owned());
                    match &*key {
                        b"protocol" => self.version = word(),
                        b"cipher" => self.cipher = word().filter(|it| !it.is_empty()),
                        _ => {}
                    }
                }
                self.secure_connection = true;
            }
            _ => {}
        }
    }

    fn exchange(self, (time, ended): (Option<Timestamp>, Option<Timestamp>), fault: Option<&'static str>) -> Exchange<'a> {
        let target = self.request.as_ref().and_then(|it| it.target.as_ref());
        let url = target.map(|it| Url::of(&it.bytes));
        let unsent = if self.cached {
            Some("answered out of a cache: nothing was sent")
        } else if url.as_ref().is_some_and(|it| it.scheme == Scheme::Local) {
            Some("an address that leads to no network")
        } else {
            None
        };
        let quic = self.request.as_ref().is_some_and(|it| it.version == "3");
        let protection = match url.as_ref().map(|it| it.scheme) {
            Some(Scheme::Clear) => None,
            None if !self.secure_connection => Some(Protection::Opaque),
            _ if quic => Some(Protection::Quic),
            _ => Some(Protection::Tls),
        };
        Exchange {
            input: InputId(0),
            number: 0,
            time,
            ended,
            channel: Channel {
                transport: if quic { Transport::Udp } else { Transport::Tcp },
                client: None,
                server: self.address.and_then(|it| address(&it.bytes)),
                port: url.map_or(0, |it| it.port),
                connection: self.connection.unwrap_or_default().bytes,
                sealed: protection.map(|protection| Sealed {
                    protection,
                    version: self.version.map(|it| it.trim_start_matches("TLS").trim().to_owned()),
                    cipher: self.cipher,
                    server_name: None,
                }),
            },
            request: self.request,
            response: self.response,
            messages: self.messages,
            sent: unsent.is_none(),
            fault: unsent.or(fault),
        }
    }
}

fn address(text: &[u8]) -> Option<std::net::IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Clear,
    Sealed,
    /// Of the browser itself: `data:`, `blob:`, `about:`, ….
    Local,
}

/// What an address says of the way to it.
struct Url {
    scheme: Scheme,
    port: u16,
}

impl Url {
    fn of(url: &[u8]) -> Self {
        let mark = url.iter().position(|it| matches!(it, b':' | b'/' | b'?' | b'#'));
        let scheme = mark.and_then(|it| url.get(..it)).unwrap_or_default().to_ascii_lowercase();
        let (scheme, port) = match &*scheme {
            b"https" | b"wss" => (Scheme::Sealed, 443),
            b"" | b"http" | b"ws" => (Scheme::Clear, 80),
            _ => (Scheme::Local, 0),
        };
        let authority = url
            .windows(3)
            .position(|it| it == b"://")
            .and_then(|it| url.get(it.saturating_add(3)..));
        let authority = authority.and_then(|it| it.split(|it| matches!(it, b'/' | b'?' | b'#')).next());
        let digits = authority.and_then(|it| it.rsplit(|it| *it == b':').next());
        let named = digits.and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
        Self {
            scheme,
            port: named.filter(|_| authority.is_some_and(|it| it.contains(&b':'))).unwrap_or(port),
        }
    }
}

fn request(value: Value<'_>) -> Request<'_> {
    let mut it = Request::default();
    let (mut head, mut body) = (None, None);
    for (key, value) in value.members() {
        match &*key {
            b"method" => it.method = value.string(),
            b"url" => it.target = value.string().filter(|it| !it.bytes.is_empty()),
            b"httpVersion" => it.version = value.string().map_or("", |it| version(&it.bytes)),
            b"headers" => it.headers = entries(value),
            b"cookies" => it.cookies = entries(value),
            b"postData" => it.body = post_data(value),
            b"headersSize" => head = value.count(),
            b"bodySize" => body = value.count(),
            _ => {}
        }
    }
    it.size = head.zip(body).map(|(head, body)| head.saturating_add(body));
    it
}

fn response(value: Value<'_>) -> Response<'_> {
    let mut it = Response::default();
    let (mut head, mut body, mut transferred) = (None, None, None);
    for (key, value) in value.members() {
        match &*key {
            b"status" => it.status = value.count().and_then(|it| u16::try_from(it).ok()),
            b"headers" => it.headers = entries(value),
            b"content" => it.body = content(value),
            b"headersSize" => head = value.count(),
            b"bodySize" => body = value.count(),
            b"_transferSize" => transferred = value.count().filter(|it| *it > 0),
            _ => {}
        }
    }
    it.size = transferred.or(head.zip(body).map(|(head, body)| head.saturating_add(body)));
    it
}

/// A list of names and values.
fn entries(value: Value<'_>) -> Vec<Entry<'_>> {
    let pairs = value.items().filter_map(|value| {
        let (mut name, mut told) = (None, None);
        for (key, value) in value.members() {
            match &*key {
                b"name" => name = value.string(),
                b"value" => told = value.word(),
                _ => {}
            }
        }
        Some(Entry { name: name?, value: told? })
    });
    pairs.collect()
}

fn post_data(value: Value<'_>) -> Option<Body<'_>> {
    let mut it = Body {
        decoded: true,
        ..Body::default()
    };
    let mut packed = false;
    for (key, value) in value.members() {
        match &*key {
            b"text" => it.bytes = value.string().unwrap_or_default(),
            b"mimeType" => it.kind = value.string(),
            b"params" => it.form = entries(value),
            // Not of the standard for requests, but written.
            b"encoding" => packed = value.string().is_some_and(|it| *it.bytes == *b"base64"),
            _ => {}
        }
    }
    if packed {
        it.bytes = unpacked(it.bytes);
    }
    // The text says the same as the parameters, and more exactly.
    if !it.bytes.bytes.is_empty() {
        it.form.clear();
    }
    (!it.bytes.bytes.is_empty() || !it.form.is_empty()).then_some(it)
}

fn content(value: Value<'_>) -> Option<Body<'_>> {
    let mut it = Body {
        decoded: true,
        ..Body::default()
    };
    let mut packed = false;
    for (key, value) in value.members() {
        match &*key {
            b"text" => it.bytes = value.string().unwrap_or_default(),
            b"mimeType" => it.kind = value.string(),
            b"encoding" => packed = value.string().is_some_and(|it| *it.bytes == *b"base64"),
            _ => {}
        }
    }
    if packed {
        it.bytes = unpacked(it.bytes);
    }
    (!it.bytes.bytes.is_empty()).then_some(it)
}

/// Takes base64 off; what is none stays as it is.
fn unpacked(it: Excerpt<'_>) -> Excerpt<'_> {
    match super::base64(&it.bytes) {
        Some(bytes) => Excerpt {
            bytes: bytes.into(),
            packed: Some("base64"),
            ..it
        },
        None => it,
    }
}

/// A message as Chrome writes it: `type`, `time`, `opcode`, `data`, which is base64 unless it is text.
fn message(value: Value<'_>) -> Option<Message<'_>> {
    let (mut direction, mut time, mut opcode, mut data) = (None, None, None, None);
    for (key, value) in value.members() {
        match &*key {
            b"type" => {
                direction = match &*value.string()?.bytes {
                    b"send" | b"request" => Some(Direction::Up),
                    b"receive" | b"response" => Some(Direction::Down),
                    _ => None,
                }
            }
            b"time" => time = value.number().and_then(instant::epoch),
            b"opcode" => opcode = value.count(),
            b"data" => data = value.string(),
            _ => {}
        }
    }
    let data = data?;
    let text = opcode == Some(1);
    Some(Message {
        direction: direction?,
        time,
        kind: if text { MessageKind::Text } else { MessageKind::Binary },
        bytes: if text { data } else { unpacked(data) },
    })
}

/// `HTTP/1.1`, `http/2.0`, `h2`, `h3`, `1.1`, ….
pub(super) fn version(text: &[u8]) -> &'static str {
    let text = text.to_ascii_lowercase();
    let bare = text.strip_prefix(b"http/").unwrap_or(&text);
    match bare {
        b"1.0" => "1.0",
        b"1.1" => "1.1",
        b"2" | b"2.0" | b"h2" | b"h2c" => "2",
        b"3" | b"3.0" | b"h3" => "3",
        _ if bare.starts_with(b"h3-") || bare.starts_with(b"http/2+quic") || bare.starts_with(b"2+quic") => "3",
        _ => "",
    }
}
