//! A request and its answer as somebody wrote them down, told under the same paths as those that were captured.
//!
//! It refuses to read files: what a record holds was told apart by whoever read it.

use std::borrow::Cow;
use std::ops::Range;

use farshore_model::exchange::{Body, Entry, Excerpt, Exchange, Message, MessageKind, Request, Response};
use farshore_model::observation::ChannelSecrecy;
use farshore_model::{Direction, Observation, Protection, Span, WireText};

use super::body::Use;
use super::head::at;
use super::values::{self, Text};
use crate::content::{self, About};
use crate::limits::Limits;
use crate::protocols::{Origin, Piece, Sink};

/// The host asked: of the target, else of the headers, else as the record has it.
pub(crate) fn host<'a>(it: &'a Request<'_>) -> Option<Excerpt<'a>> {
    let (from, authority) = authority(it)?;
    Some(part(from, values::host_of(&from.bytes, &authority))).filter(|it| !it.bytes.is_empty())
}

/// Where that stands, with the user that some write before it.
fn authority<'a, 'b>(it: &'a Request<'b>) -> Option<(&'a Excerpt<'b>, Range<usize>)> {
    let all = |it: &'a Excerpt<'b>| (it, 0..it.bytes.len());
    let some = |(_, range): &(&Excerpt<'_>, Range<usize>)| !range.is_empty();
    let target = it
        .target
        .as_ref()
        .and_then(|it| Some((it, values::authority(&it.bytes, &(0..it.bytes.len()))?)));
    let header = |name: &[u8]| first(&it.headers, name).map(all).filter(some);
    target
        .filter(some)
        .or_else(|| header(b":authority"))
        .or_else(|| header(b"host"))
        .or_else(|| it.host.as_ref().map(all).filter(some))
}

/// A part of an excerpt; one that was packed stands where the whole does.
fn part<'a>(it: &'a Excerpt<'_>, range: Range<usize>) -> Excerpt<'a> {
    let (offset, length) = match it.packed {
        Some(_) => (it.offset, it.length),
        None => (it.offset.saturating_add(range.start as u64), range.len() as u64),
    };
    Excerpt {
        bytes: Cow::Borrowed(at(&it.bytes, &range)),
        offset,
        length,
        packed: it.packed,
    }
}

/// Bytes of a request: as recorded, else of what is there of it.
pub(crate) fn request_size(it: &Request<'_>) -> u64 {
    it.size.unwrap_or_else(|| {
        let line = [&it.method, &it.target].map(|it| it.as_ref().map_or(0, |it| it.bytes.len() as u64));
        line.iter()
            .sum::<u64>()
            .saturating_add(lines(&it.headers))
            .saturating_add(length(it.body.as_ref()))
    })
}

/// Bytes of an answer, likewise.
pub(crate) fn response_size(it: &Response<'_>) -> u64 {
    it.size
        .unwrap_or_else(|| lines(&it.headers).saturating_add(length(it.body.as_ref())))
}

fn lines(headers: &[Entry<'_>]) -> u64 {
    // `name: value CR LF`
    let each = |it: &Entry<'_>| {
        (it.name.bytes.len() as u64)
            .saturating_add(it.value.bytes.len() as u64)
            .saturating_add(4)
    };
    headers.iter().map(each).fold(0, u64::saturating_add)
}

fn length(body: Option<&Body<'_>>) -> u64 {
    body.map_or(0, |it| it.bytes.bytes.len() as u64)
}

fn first<'a, 'b>(headers: &'a [Entry<'b>], name: &[u8]) -> Option<&'a Excerpt<'b>> {
    headers
        .iter()
        .find(|it| it.name.bytes.eq_ignore_ascii_case(name))
        .map(|it| &it.value)
}

/// The bytes of an excerpt as a piece, for readers of what runs inside.
pub(crate) fn piece<'a>(it: &'a Excerpt<'_>, number: u64) -> Piece<'a> {
    Piece {
        bytes: &it.bytes,
        missing: 0,
        origin: Origin {
            carrier: number,
            frame: number,
            offset: it.offset,
            in_frame: it.packed.is_none(),
        },
    }
}

/// Tells a whole exchange, and the channel it went over.
pub(crate) fn tell(it: &Exchange<'_>, limits: &Limits, out: &mut dyn Sink) {
    channel(it, out);
    let number = it.number;
    if let Some(request) = &it.request {
        self::request(request, number, limits, out);
    }
    if let Some(response) = &it.response {
        each_header(&response.headers, false, number, out);
        if let Some(it) = &response.body {
            body(it, &response.headers, Direction::Down, number, limits, out);
        }
    }
    let mut messages = it.messages.iter().filter(|it| it.kind != MessageKind::Raw).peekable();
    if messages.peek().is_some() {
        out.carries("websocket");
    }
    for it in messages {
        message(it, number, limits, out);
    }
    out.decoded(&[]);
}

/// What the record says of the encryption.
fn channel(it: &Exchange<'_>, out: &mut dyn Sink) {
    let Some(sealed) = &it.channel.sealed else { return };
    let protocol = match sealed.protection {
        Protection::Quic => "quic",
        Protection::Dtls => "dtls",
        _ => "tls",
    };
    let whole = Span::in_frame(it.number, 0, 0);
    if let Some(name) = sealed.server_name.as_ref().filter(|it| !it.bytes.is_empty()) {
        let name_text = WireText::from_bytes(&name.bytes);
        out.observe(
            Observation::PeerNamed { protocol, name: name_text },
            name.span(it.number, 0..name.bytes.len()),
        );
    }
    if sealed.version.is_some() || sealed.cipher.is_some() {
        out.observe(
            Observation::Channel {
                protocol,
                version: sealed.version.clone().unwrap_or_default(),
                cipher: sealed.cipher.clone(),
                readable: secrecy(sealed.cipher.as_deref()),
                ja3: None,
                ja4: None,
                ech: farshore_model::observation::Ech::None,
            },
            whole,
        );
    }
}

/// What a suite hides, by the words in its name, be it OpenSSL's or IANA's.
fn secrecy(cipher: Option<&str>) -> ChannelSecrecy {
    let Some(cipher) = cipher else { return ChannelSecrecy::Unknown };
    let mut words = cipher.split(['-', '_']);
    if words.clone().any(|it| it.eq_ignore_ascii_case("null")) {
        ChannelSecrecy::Readable
    } else if words.any(|it| ["anon", "adh", "aecdh"].iter().any(|word| it.eq_ignore_ascii_case(word))) {
        ChannelSecrecy::Anonymous
    } else {
        ChannelSecrecy::Sealed
    }
}

fn request(it: &Request<'_>, number: u64, limits: &Limits, out: &mut dyn Sink) {
    let host = host(it);
    let target = it.target.as_ref();
    let all = target.map_or(&[][..], |it| &it.bytes);
    // What stands behind the authority, without what browsers keep to themselves (RFC 9110, section 4.2.5).
    let start = values::authority(all, &(0..all.len())).map_or(0, |it| it.end);
    let sent = all.iter().position(|it| *it == b'#').unwrap_or(all.len()).max(start);
    let path = match at(all, &(start..sent)) {
        b"" if !all.is_empty() => b"/",
        path => path,
    };
    let place = match (target, &it.method) {
        (Some(target), _) => target.span(number, 0..all.len()),
        (None, Some(method)) => method.span(number, 0..method.bytes.len()),
        (None, None) => Span::in_frame(number, 0, 0),
    };
    out.observe(
        Observation::Request {
            version: it.version,
            method: it.method.as_ref().map(|it| WireText::from_bytes(&it.bytes)).unwrap_or_default(),
            host: host.as_ref().map(|it| WireText::from_bytes(&it.bytes)),
            path: WireText::from_bytes(path),
        },
        place,
    );
    if let Some(target) = target {
        told(target, number, out, |text, out| values::target_values(text, &(0..sent), out));
    }
    // A header says the host again.
    let has_header = first(&it.headers, b"host").is_some();
    if let Some((from, range)) = authority(it).filter(|_| !has_header) {
        told(from, number, out, |text, out| values::host(text, range, out));
    }
    each_header(&it.headers, true, number, out);
    if first(&it.headers, b"cookie").is_none() {
        for cookie in &it.cookies {
            named("http.cookie", cookie, number, out);
        }
    }
    if let Some(it_body) = &it.body {
        body(it_body, &it.headers, Direction::Up, number, limits, out);
    }
}

fn each_header(headers: &[Entry<'_>], asked: bool, number: u64, out: &mut dyn Sink) {
    for header in headers {
        // Pseudo-headers (RFC 9113, section 8.3) say the start line again.
        if header.name.bytes.first() == Some(&b':') {
            continue;
        }
        told(&header.value, number, out, |text, out| {
            values::header(text, asked, &header.name.bytes, 0..text.bytes.len(), false, out);
        });
    }
}

fn named(prefix: &str, it: &Entry<'_>, number: u64, out: &mut dyn Sink) {
    let path = values::path(prefix, &it.name.bytes);
    told(&it.value, number, out, |text, out| {
        values::tell(text, &path, 0..text.bytes.len(), out)
    });
}

/// Calls with the bytes of an excerpt and their place; what is told meanwhile was packed as the excerpt is.
fn told(it: &Excerpt<'_>, number: u64, out: &mut dyn Sink, tell: impl FnOnce(Text<'_>, &mut dyn Sink)) {
    let place = |range: Range<usize>| it.span(number, range);
    let text = Text {
        bytes: &it.bytes,
        place: &place,
    };
    out.decoded(it.packed.as_slice());
    tell(text, out);
    out.decoded(&[]);
}

fn body(it: &Body<'_>, headers: &[Entry<'_>], direction: Direction, number: u64, limits: &Limits, out: &mut dyn Sink) {
    let header = |name: &[u8]| first(headers, name).map_or(&[][..], |it| &it.bytes);
    let kind = it.kind.as_ref().map_or_else(|| header(b"content-type"), |it| &it.bytes);
    let coding = if it.decoded { &[][..] } else { header(b"content-encoding") };
    for entry in &it.form {
        named("http.form", entry, number, out);
    }
    let what = Use::by(direction == Direction::Up, kind, coding);
    told(&it.bytes, number, out, |text, out| {
        let kept = text.bytes.len().min(limits.body_bytes);
        if kept < text.bytes.len() {
            out.limit("body-bytes");
        }
        what.tell(text, 0..kept, it.bytes.packed.as_slice(), direction, limits, out);
    });
}

fn message(it: &Message<'_>, number: u64, limits: &Limits, out: &mut dyn Sink) {
    let path = match it.direction {
        Direction::Up => "websocket.sent",
        Direction::Down => "websocket.received",
    };
    told(&it.bytes, number, out, |text, out| {
        let about = About {
            path,
            packed: it.bytes.packed.as_slice(),
            ..About::default()
        };
        content::tell(text, &about, limits, out);
    });
}
