//! What bodies and messages hold: codings are undone, forms of data taken apart, until there are values that detectors can look at.
//!
//! Text is told as it stands, whole: detectors read `"key": "value"` and base64 by themselves. Told apart, under a path of their
//! own, are values that cannot be read so: of binary forms, and strings with escapes in them. What was undone on the way is told with
//! each value ([`Sink::decoded`]). It refuses to work without end: what is inflated, how deep forms are nested, and how many values
//! are told apart has a ceiling each, and [`Sink::limit`] hears of it.

mod binary;
mod codings;
mod json;
mod multipart;
mod plist;
mod protobuf;
mod xml;

use std::ops::Range;

use farshore_model::Span;

use crate::limits::Limits;
use crate::protocols::http::is_token;
use crate::protocols::{Field, Sink};

/// Bytes that hold values, and where a range of them stands in the input.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) place: &'a dyn Fn(Range<usize>) -> Span,
}

/// What is said of bytes beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About<'a> {
    /// The path that values go under.
    pub(crate) path: &'a str,
    /// The media type with its parameters; empty: not said.
    pub(crate) kind: &'a [u8],
    /// The codings, in the order in which they were applied; empty: none.
    pub(crate) coding: &'a [u8],
    /// What was undone before.
    pub(crate) packed: &'a [&'static str],
}

/// Bytes of a name from the wire that stand in a path.
const LONGEST_NAME: usize = 64;
/// Names from the wire in one path; what lies deeper goes under the last.
const MOST_NAMES: usize = 6;

/// Tells what there is in a text.
pub(crate) fn tell(text: Text<'_>, about: &About<'_>, limits: &Limits, out: &mut dyn Sink) {
    let mut teller = Teller {
        limits,
        out,
        inflated: limits.inflated_bytes,
        values: limits.content_values,
        by: about.packed.to_vec(),
        names: Vec::new(),
        path: about.path,
    };
    teller.coded(text, about.kind, about.coding);
    teller.out.decoded(&[]);
}

/// What one body uses and gives.
struct Teller<'t> {
    limits: &'t Limits,
    out: &'t mut dyn Sink,
    /// Bytes that may still be inflated.
    inflated: usize,
    /// Values that may still be told apart.
    values: usize,
    /// What was undone so far.
    by: Vec<&'static str>,
    path: &'t str,
    /// Names behind the path.
    names: Vec<String>,
}

/// The form of data that bytes are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Xml,
    Multipart,
    UrlEncoded,
    Protobuf,
    MessagePack,
    Cbor,
    Plist,
    /// Pictures, sound, video, fonts: nothing of them is read.
    Media,
    Text,
}

impl Form {
    /// By media type (RFC 6838), else by first bytes.
    fn of(kind: &[u8], bytes: &[u8]) -> Self {
        let kind = kind
            .split(|it| *it == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .to_ascii_lowercase();
        let suffix = kind.rsplit(|it| *it == b'+').next().unwrap_or_default();
        let start = bytes.trim_ascii_start();
        match &*kind {
            _ if bytes.starts_with(b"bplist00") => return Self::Plist,
            // Tag 55799 says that it is CBOR (RFC 8949, section 3.4.6).
            _ if bytes.starts_with(&[0xd9, 0xd9, 0xf7]) => return Self::Cbor,
            b"image/svg+xml" => return Self::Xml,
            b"application/x-www-form-urlencoded" => return Self::UrlEncoded,
            b"application/protobuf" | b"application/x-protobuf" | b"application/vnd.google.protobuf" | b"application/x-google-protobuf" => {
                return Self::Protobuf;
            }
            b"application/msgpack" | b"application/x-msgpack" | b"application/vnd.msgpack" => return Self::MessagePack,
            b"application/cbor" => return Self::Cbor,
            _ if [&b"image/"[..], b"video/", b"audio/", b"font/"]
                .iter()
                .any(|it| kind.starts_with(it)) =>
            {
                return Self::Media;
            }
            _ if kind.starts_with(b"multipart/") => return Self::Multipart,
            _ if suffix == b"json" || kind.ends_with(b"/json") || kind.ends_with(b"json") => return Self::Json,
            _ if suffix == b"xml" || kind.ends_with(b"/xml") => return Self::Xml,
            _ if suffix == b"cbor" => return Self::Cbor,
            _ if suffix == b"protobuf" || suffix == b"proto" => return Self::Protobuf,
            _ if suffix == b"msgpack" => return Self::MessagePack,
            _ => {}
        }
        match start {
            [b'{' | b'[', ..] => Self::Json,
            [b'<', b'?', b'x', b'm', b'l', ..] => Self::Xml,
            _ => Self::Text,
        }
    }
}

impl Teller<'_> {
    /// Undoes codings, the last first.
    fn coded(&mut self, text: Text<'_>, kind: &[u8], coding: &[u8]) {
        if kind.trim_ascii_start().to_ascii_lowercase().starts_with(b"application/grpc") {
            self.under("grpc", |teller| teller.calls(text, kind, coding));
            return;
        }
        let mut codings = coding.split(|it| *it == b',').map(<[u8]>::trim_ascii).filter(|it| !it.is_empty());
        match codings.next_back() {
            None => self.formed(text, kind),
            Some(last) if last.eq_ignore_ascii_case(b"identity") => {
                let before = rest_of(coding);
                self.coded(text, kind, before);
            }
            Some(last) => {
                if let Some(it) = codings::named(last, text.bytes, self.room(text.bytes.len())) {
                    let before = rest_of(coding);
                    self.inside(text, it, |teller, inner| teller.coded(inner, kind, before));
                }
            }
        }
    }

    /// Messages of gRPC (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>): a flag, a length, so many bytes, compressed
    /// each by itself where the flag says so.
    fn calls(&mut self, text: Text<'_>, kind: &[u8], coding: &[u8]) {
        let kind: &[u8] = if kind.to_ascii_lowercase().ends_with(b"json") {
            b"application/json"
        } else {
            b"application/protobuf"
        };
        let mut at = 0_usize;
        while let Some([flag, length @ ..]) = text.bytes.get(at..).and_then(<[u8]>::first_chunk::<5>) {
            let start = at.saturating_add(5);
            let end = start.saturating_add(u32::from_be_bytes(*length) as usize);
            let Some(bytes) = text.bytes.get(start..end) else { return };
            at = end;
            // Over the web, trailers come as a message of their own.
            if *flag & 0x80 != 0 || bytes.is_empty() {
                continue;
            }
            if !self.may() {
                return;
            }
            let place = |inner: Range<usize>| (text.place)(start.saturating_add(inner.start)..start.saturating_add(inner.end));
            let message = Text { bytes, place: &place };
            self.coded(message, kind, if *flag & 1 == 1 { coding } else { b"" });
        }
    }

    /// How far bytes may be inflated.
    fn room(&self, length: usize) -> usize {
        let by_ratio = length.saturating_mul(self.limits.content_ratio).max(codings::RATIO_FREE);
        by_ratio.min(self.inflated)
    }

    /// Goes on with what was inflated out of a text.
    fn inside(&mut self, text: Text<'_>, it: codings::Inflated, go_on: impl FnOnce(&mut Self, Text<'_>)) {
        if it.clipped {
            self.out.limit("inflated-bytes");
        }
        self.inflated = self.inflated.saturating_sub(it.bytes.len());
        let whole = 0..text.bytes.len();
        self.under(it.name, |teller| {
            let place = |_: Range<usize>| (text.place)(whole.clone());
            let inner = Text {
                bytes: &it.bytes,
                place: &place,
            };
            go_on(teller, inner);
        });
    }

    /// Takes a form of data apart.
    fn formed(&mut self, text: Text<'_>, kind: &[u8]) {
        if text.bytes.is_empty() {
            return;
        }
        match Form::of(kind, text.bytes) {
            Form::Media => {}
            Form::Json => json::tell(self, text),
            Form::Xml => xml::tell(self, text),
            Form::Multipart => self.under("multipart", |teller| multipart::tell(teller, text, kind)),
            Form::UrlEncoded => self.pairs(text),
            Form::Protobuf => self.structured(text, "protobuf", protobuf::tell),
            Form::MessagePack => self.structured(text, "msgpack", binary::message_pack),
            Form::Cbor => self.structured(text, "cbor", binary::cbor),
            Form::Plist => self.structured(text, "plist", plist::tell),
            Form::Text => {
                if let Some(it) = codings::by_magic(text.bytes, self.room(text.bytes.len())) {
                    self.inside(text, it, |teller, inner| teller.formed(inner, b""));
                } else {
                    self.leaf(text, 0..text.bytes.len());
                }
            }
        }
    }

    /// A form that is read as such or not at all: then its bytes are told as they are.
    fn structured(&mut self, text: Text<'_>, name: &'static str, tell: fn(&mut Self, Text<'_>) -> bool) {
        let mut read = false;
        self.under(name, |teller| read = tell(teller, text));
        if !read {
            self.leaf(text, 0..text.bytes.len());
        }
    }

    /// `a=1&b=2` (WHATWG URL, application/x-www-form-urlencoded).
    fn pairs(&mut self, text: Text<'_>) {
        let mut from = 0_usize;
        for pair in text.bytes.split(|it| *it == b'&') {
            let end = from.saturating_add(pair.len());
            match pair.iter().position(|it| *it == b'=') {
                Some(mark) => {
                    let name = pair.get(..mark).unwrap_or_default().trim_ascii();
                    let value = pair.get(mark.saturating_add(1)..).unwrap_or_default();
                    let before = value.len().saturating_sub(value.trim_ascii_start().len());
                    let start = from.saturating_add(mark).saturating_add(1).saturating_add(before);
                    let range = start..start.saturating_add(value.trim_ascii().len());
                    self.named(name, |teller| teller.leaf(text, range));
                }
                None => self.leaf(text, from..end),
            }
            from = end.saturating_add(1);
        }
    }

    /// Calls with one more step undone; not where that is too deep.
    fn under(&mut self, step: &'static str, go_on: impl FnOnce(&mut Self)) {
        if self.by.len() >= self.limits.content_depth {
            self.out.limit("content-depth");
            return;
        }
        self.by.push(step);
        go_on(self);
        self.by.pop();
    }

    /// Calls with one more name in the path.
    fn named(&mut self, name: &[u8], go_on: impl FnOnce(&mut Self)) {
        let short = self.names.len() < MOST_NAMES;
        if short {
            let name = name.get(..LONGEST_NAME).unwrap_or(name);
            self.names.push(name.iter().map(|it| safe(*it)).collect());
        }
        go_on(self);
        if short {
            self.names.pop();
        }
    }

    /// Whether one more value may be told apart.
    fn may(&mut self) -> bool {
        match self.values.checked_sub(1) {
            Some(left) => {
                self.values = left;
                true
            }
            None => {
                self.out.limit("content-values");
                false
            }
        }
    }

    /// Tells a range of a text as it is.
    fn leaf(&mut self, text: Text<'_>, range: Range<usize>) {
        let value = text.bytes.get(range.clone()).unwrap_or_default();
        self.value(value, (text.place)(range));
    }

    /// Tells a value that stands there.
    fn value(&mut self, value: &[u8], at: Span) {
        if value.is_empty() {
            return;
        }
        self.out.decoded(&self.by);
        if self.names.is_empty() {
            self.out.field(Field {
                path: self.path,
                value,
                at,
            });
            return;
        }
        let path = format!("{}.{}", self.path, self.names.join("."));
        self.out.field(Field { path: &path, value, at });
    }

    /// Looks into a value of a binary form: text may hold text forms, bytes may be compressed.
    fn look_into(&mut self, text: Text<'_>, range: Range<usize>) {
        let place = |inner: Range<usize>| {
            (text.place)(range.start.saturating_add(inner.start)..range.start.saturating_add(inner.end).min(range.end))
        };
        let value = Text {
            bytes: text.bytes.get(range.clone()).unwrap_or_default(),
            place: &place,
        };
        self.formed(value, b"");
    }
}

/// All codings but the last.
fn rest_of(coding: &[u8]) -> &[u8] {
    let end = coding.trim_ascii_end().strip_suffix(b",").unwrap_or(coding.trim_ascii_end());
    let mark = end.iter().rposition(|it| *it == b',').unwrap_or(0);
    end.get(..mark).unwrap_or_default()
}

/// A byte of a name as it stands in a path.
const fn safe(byte: u8) -> char {
    if is_token(byte) { byte.to_ascii_lowercase() as char } else { '_' }
}

#[cfg(test)]
mod tests;
