//! What a list of headers means, be it packed by HPACK or QPACK: the request it makes, the values it tells, what follows it. It
//! refuses to know how it was packed.

use std::ops::Range;

use farshore_model::{Observation, Span, WireText};

use super::hpack::{Header, List};
use crate::protocols::http::body::Use;
use crate::protocols::http::values::{self, Text};
use crate::protocols::{Gathered, Sink};

impl List {
    /// The value of the first header of that name.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.headers.iter().find(|it| *it.name == *name).map(|it| &*it.value)
    }

    /// Whether these are the headers of an answer before the answer (RFC 9110, section 15.2).
    pub fn is_interim(&self) -> bool {
        self.value(b":status").is_some_and(|status| status.starts_with(b"1"))
    }
}

/// The request that a list makes, if it makes one.
pub fn request(version: &'static str, list: &List) -> Option<Observation> {
    let method = list.value(b":method")?;
    let authority = list.value(b":authority").filter(|it| !it.is_empty());
    let host = authority
        .or_else(|| list.value(b"host"))
        .and_then(|it| it.get(values::host_of(it, &(0..it.len()))))
        .filter(|it| !it.is_empty());
    let path = list.value(b":path").or(authority.and(host)).unwrap_or_default();
    Some(Observation::Request {
        version,
        method: WireText::from_bytes(method),
        host: host.map(WireText::from_bytes),
        path: WireText::from_bytes(path),
    })
}

/// What to do with the body behind a list; `asked` for a request.
pub fn body(list: &List, asked: bool) -> Use {
    let coding = list.value(b"grpc-encoding").or_else(|| list.value(b"content-encoding"));
    match list.value(b":method") {
        Some(b"CONNECT") => Use::Skip,
        _ => Use::by(asked, list.value(b"content-type").unwrap_or_default(), coding.unwrap_or_default()),
    }
}

/// Tells all headers under the names that HTTP/1 gives them; those that do not stand in the block as they are, with how they are
/// packed.
pub fn headers(list: &List, asked: bool, packing: &'static str, block: &Gathered, out: &mut dyn Sink) {
    let authority = list.value(b":authority").is_some_and(|it| !it.is_empty());
    for header in &list.headers {
        out.decoded(if header.plain.is_some() {
            &[]
        } else {
            std::slice::from_ref(&packing)
        });
        tell_header(header, asked, authority, block, out);
    }
    out.decoded(&[]);
}

fn tell_header(header: &Header, asked: bool, authority: bool, block: &Gathered, out: &mut dyn Sink) {
    let place = |range: Range<usize>| match &header.plain {
        Some(plain) => block.span(plain.start.saturating_add(range.start)..plain.start.saturating_add(range.end)),
        None => block.span(header.at.clone()),
    };
    let text = Text {
        bytes: &header.value,
        place: &place,
    };
    let all = 0..header.value.len();
    match &*header.name {
        b":path" => values::target_values(text, &all, out),
        b":authority" => values::host(text, all, out),
        // The same host again.
        b"host" if asked && authority => {}
        [b':', ..] => {}
        name => values::header(text, asked, name, all, false, out),
    }
}

/// Tells a request at its head, with the frame in which it ended.
pub fn tell((request, head, position): (Observation, Span, u64), frame: u64, packing: &'static str, out: &mut dyn Sink) {
    let whole = if frame > head.frame {
        Span {
            frame,
            offset: position,
            in_frame: false,
            ..head
        }
    } else {
        head
    };
    out.decoded(&[packing]);
    out.observe(request, whole);
    out.decoded(&[]);
}
