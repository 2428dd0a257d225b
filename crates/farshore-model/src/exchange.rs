//! What browsers, apps and proxies write down: whole exchanges of messages, rather than the frames that carried them.
//!
//! A record is numbered like a frame, from 1 in its input, and takes a frame's place wherever one is named: offsets count
//! from the first byte of the record as it stands in the file. What was not written down is `None`, not empty.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use crate::{Direction, Endpoint, InputId, Protection, Span, Timestamp, Transport};

/// One record: usually a request and its answer, else the messages of a connection. Borrowed: it lives as long as the
/// reader's hold on its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange<'a> {
    /// The input it was read from.
    pub input: InputId,
    /// Its number in that input, from 1.
    pub number: u64,
    /// When it began.
    pub time: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it went over.
    pub channel: Channel<'a>,
    /// What was asked.
    pub request: Option<Request<'a>>,
    /// What was answered.
    pub response: Option<Response<'a>>,
    /// What was said besides, in both directions.
    pub messages: Vec<Message<'a>>,
    /// Whether anything of it went over a network.
    pub sent: bool,
    /// Why some of the record, or all of it if nothing was sent, tells nothing.
    pub fault: Option<&'static str>,
}

/// What an exchange went over, as far as its record tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel<'a> {
    /// What carried it.
    pub transport: Transport,
    /// The initiator.
    pub client: Option<Endpoint>,
    /// The address of the other end.
    pub server: Option<IpAddr>,
    /// The port of the other end.
    pub port: u16,
    /// What tells connections apart between the same ends.
    pub connection: Cow<'a, [u8]>,
    /// The encryption around it.
    pub sealed: Option<Sealed<'a>>,
}

/// Encryption, as the one who encrypted tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed<'a> {
    /// TLS or QUIC; [`Protection::Opaque`] where it is not known whether there was any.
    pub protection: Protection,
    /// The version, such as `1.3`.
    pub version: Option<String>,
    /// The suite, by the name the record has for it.
    pub cipher: Option<String>,
    /// The name the client asked for.
    pub server_name: Option<Excerpt<'a>>,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request<'a> {
    /// `1.0`, `1.1`, `2`, `3`; empty where the record does not tell.
    pub version: &'static str,
    /// The method.
    pub method: Option<Excerpt<'a>>,
    /// The target, absolute or not.
    pub target: Option<Excerpt<'a>>,
    /// The host asked, where neither target nor headers name one.
    pub host: Option<Excerpt<'a>>,
    /// The header lines.
    pub headers: Vec<Entry<'a>>,
    /// Cookies, where no header holds them.
    pub cookies: Vec<Entry<'a>>,
    /// The body.
    pub body: Option<Body<'a>>,
    /// Bytes it took.
    pub size: Option<u64>,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response<'a> {
    /// The status; `None` or 0 where none came.
    pub status: Option<u16>,
    /// The header lines.
    pub headers: Vec<Entry<'a>>,
    /// The body.
    pub body: Option<Body<'a>>,
    /// Bytes it took.
    pub size: Option<u64>,
}

/// A name and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry<'a> {
    /// The name.
    pub name: Excerpt<'a>,
    /// The value.
    pub value: Excerpt<'a>,
}

/// What a message carried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body<'a> {
    /// Its bytes.
    pub bytes: Excerpt<'a>,
    /// Its media type, where the record tells it beside the headers.
    pub kind: Option<Excerpt<'a>>,
    /// Whether the content coding that the headers name was taken off before it was written down.
    pub decoded: bool,
    /// The fields of a form, where they were written down apart.
    pub form: Vec<Entry<'a>>,
}

/// One of the messages of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// When.
    pub time: Option<Timestamp>,
    /// What it is.
    pub kind: MessageKind,
    /// Its bytes.
    pub bytes: Excerpt<'a>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Text of a WebSocket.
    Text,
    /// Bytes of a WebSocket.
    Binary,
    /// The next bytes of a stream, or a datagram.
    Raw,
}

/// Bytes out of a record, and where in it they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt<'a> {
    /// The bytes.
    pub bytes: Cow<'a, [u8]>,
    /// Bytes of the record before what they were read from.
    pub offset: u64,
    /// How many bytes of the record they were read from.
    pub length: u64,
    /// How the record packed them; `None`: they stand there as they are.
    pub packed: Option<&'static str>,
}

impl<'a> Excerpt<'a> {
    /// Bytes that stand in the record as they are.
    pub const fn plain(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            bytes: Cow::Borrowed(bytes),
            offset,
            length: bytes.len() as u64,
            packed: None,
        }
    }

    /// Where a range of the bytes stands, in the record of that number. Of what was packed no range can be told apart.
    pub fn span(&self, number: u64, range: Range<usize>) -> Span {
        if self.packed.is_some() {
            return Span::in_frame(number, self.offset, self.length);
        }
        let length = range.end.saturating_sub(range.start) as u64;
        Span::in_frame(number, self.offset.saturating_add(range.start as u64), length)
    }
}
