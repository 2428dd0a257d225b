//! What becomes of a message's body once it has ended: one field, the fields of a form, or another protocol's bytes.
//!
//! Refuses what a reader could not search as it is: compressed bodies, pictures, sound, video, fonts.

use std::ops::Range;

use farshore_model::Direction;

use super::head::{Head, StartLine, at};
use super::values::{self, Text};
use crate::protocols::{Field, Gathered, Origin, Piece, Segment, Sink};

/// What is done with a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    #[default]
    Skip,
    /// Told as one field of this path.
    Field(&'static str),
    /// `application/x-www-form-urlencoded`
    Form,
    /// A DNS message (RFC 8484).
    Dns,
}

#[derive(Debug, Default)]
pub struct Body {
    pub what: Use,
    pub kept: Gathered,
    /// Not all of it is kept.
    pub clipped: bool,
}

impl Use {
    /// What to do with the body behind a head, by its type and coding.
    pub fn of(head: &Head, bytes: &[u8]) -> Self {
        let first = |name| head.value(bytes, name).next().map_or(&[][..], |it| at(bytes, &it));
        let asked = matches!(head.start, StartLine::Request { .. });
        Self::by(asked, first(b"content-type"), first(b"content-encoding"))
    }

    /// The same by the two headers' values, empty where there is none; `asked` for a request.
    pub fn by(asked: bool, kind: &[u8], coding: &[u8]) -> Self {
        let (kind, coding) = (kind.to_ascii_lowercase(), coding.to_ascii_lowercase());
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let seen = [&b"image/"[..], b"video/", b"audio/", b"font/"]
            .iter()
            .any(|prefix| kind.starts_with(prefix));
        match kind {
            _ if seen || !(coding.is_empty() || coding == b"identity") => Self::Skip,
            b"application/x-www-form-urlencoded" => Self::Form,
            b"application/dns-message" => Self::Dns,
            _ if asked => Self::Field("http.request.body"),
            _ => Self::Field("http.response.body"),
        }
    }
}

impl Use {
    /// Tells a range of a body.
    pub fn tell(self, text: Text<'_>, range: Range<usize>, direction: Direction, out: &mut dyn Sink) {
        let value = at(text.bytes, &range);
        if value.is_empty() {
            return;
        }
        match self {
            Self::Skip => {}
            Self::Field(path) => out.field(Field {
                path,
                value,
                at: (text.place)(range),
            }),
            Self::Form => values::pairs(text, "http.form", range, out),
            Self::Dns => {
                let at = (text.place)(range);
                let origin = Origin {
                    carrier: at.first_frame,
                    frame: at.frame,
                    offset: at.offset,
                    in_frame: at.first_frame == at.frame && at.length == value.len() as u64,
                };
                let message = Piece {
                    bytes: value,
                    missing: 0,
                    origin,
                };
                out.inner(direction, "dns", Segment::Bytes(message));
            }
        }
    }
}

impl Body {
    /// Keeps bytes of it, unless nobody wants them or there were more than `most`.
    pub fn keep(&mut self, bytes: &[u8], origin: Origin, most: usize, out: &mut dyn Sink) {
        if self.what == Use::Skip || self.clipped {
            return;
        }
        let room = most.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.push(&Piece {
            bytes: at(bytes, &(0..room)),
            missing: 0,
            origin,
        });
        if room < bytes.len() {
            self.clipped = true;
            out.limit("body-bytes");
        }
    }

    /// Tells the body that has just ended.
    pub fn tell(&mut self, out: &mut dyn Sink, direction: Direction) {
        let it = std::mem::take(self);
        if it.kept.is_empty() {
            return;
        }
        let bytes = it.kept.bytes();
        // The last value of a clipped form may be half a value.
        let whole = if it.clipped && it.what == Use::Form {
            bytes.iter().rposition(|byte| *byte == b'&').unwrap_or(0)
        } else {
            bytes.len()
        };
        if it.clipped && it.what == Use::Dns {
            return;
        }
        let text = Text {
            bytes,
            place: &|range| it.kept.span(range),
        };
        it.what.tell(text, 0..whole, direction, out);
    }

    /// Tells what there is of a body that goes on unseen, and keeps no more of it.
    pub fn tell_part(&mut self, out: &mut dyn Sink, direction: Direction) {
        self.clipped = true;
        self.tell(out, direction);
    }
}
