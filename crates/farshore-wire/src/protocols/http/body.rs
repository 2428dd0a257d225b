//! What becomes of a message's body once it has ended: its content, or another protocol's bytes.
//!
//! Refuses what a reader could not search as it is: pictures, sound, video, fonts. What forms and codings mean is `content`'s.

use std::ops::Range;

use farshore_model::Direction;

use super::head::{Head, StartLine, at};
use super::values::Text;
use crate::content::{self, About};
use crate::limits::Limits;
use crate::protocols::{Gathered, Origin, Piece, Segment, Sink};

/// What is done with a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Use {
    #[default]
    Skip,
    /// Told as what it holds.
    Content(Box<Kind>),
    /// A DNS message (RFC 8484).
    Dns,
}

/// What its headers say of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// It is that of a request.
    asked: bool,
    media: Vec<u8>,
    coding: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Body {
    pub what: Use,
    pub kept: Gathered,
    /// Not all of it is kept.
    pub clipped: bool,
}

impl Kind {
    /// The path that values go under. Fields of a form have one of their own.
    fn path(&self) -> &'static str {
        let media = self.media.trim_ascii_start().to_ascii_lowercase();
        match self.asked {
            _ if self.is_form() => "http.form",
            true if media.starts_with(b"multipart/") => "http.form",
            true => "http.request.body",
            false => "http.response.body",
        }
    }

    fn is_form(&self) -> bool {
        let media = self.media.split(|it| *it == b';').next().unwrap_or_default().trim_ascii();
        media.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    }
}

impl Use {
    /// What to do with the body behind a head, by its type and coding.
    pub fn of(head: &Head, bytes: &[u8]) -> Self {
        let first = |name| head.value(bytes, name).next().map_or(&[][..], |it| at(bytes, &it));
        let asked = matches!(head.start, StartLine::Request { .. });
        Self::by(asked, first(b"content-type"), first(b"content-encoding"))
    }

    /// The same by the two headers' values, empty where there is none; `asked` for a request.
    pub fn by(asked: bool, media: &[u8], coding: &[u8]) -> Self {
        let kind = media
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .to_ascii_lowercase();
        let seen = [&b"image/"[..], b"video/", b"audio/", b"font/"]
            .iter()
            .any(|prefix| kind.starts_with(prefix) && kind != b"image/svg+xml");
        match &*kind {
            _ if seen => Self::Skip,
            b"application/dns-message" if coding.is_empty() => Self::Dns,
            _ => Self::Content(Box::new(Kind {
                asked,
                media: media.to_vec(),
                coding: coding.to_vec(),
            })),
        }
    }

    /// Tells a range of a body, which was packed so where it stands.
    pub fn tell(
        &self,
        text: Text<'_>,
        range: Range<usize>,
        packed: &[&'static str],
        direction: Direction,
        limits: &Limits,
        out: &mut dyn Sink,
    ) {
        let value = at(text.bytes, &range);
        if value.is_empty() {
            return;
        }
        match self {
            Self::Skip => {}
            Self::Content(kind) => {
                let place =
                    |inner: Range<usize>| (text.place)(range.start.saturating_add(inner.start)..range.start.saturating_add(inner.end));
                let about = About {
                    path: kind.path(),
                    kind: &kind.media,
                    coding: &kind.coding,
                    packed,
                };
                content::tell(
                    Text {
                        bytes: value,
                        place: &place,
                    },
                    &about,
                    limits,
                    out,
                );
            }
            Self::Dns => {
                let at = (text.place)(range);
                out.inner(direction, "dns", Segment::Bytes(Piece::at(value, &at)));
            }
        }
    }
}

impl Body {
    /// Keeps bytes of it, unless nobody wants them or there were more than are read.
    pub fn keep(&mut self, bytes: &[u8], origin: Origin, limits: &Limits, out: &mut dyn Sink) {
        if self.what == Use::Skip || self.clipped {
            return;
        }
        let room = limits.body_bytes.saturating_sub(self.kept.len()).min(bytes.len());
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
    pub fn tell(&mut self, out: &mut dyn Sink, direction: Direction, limits: &Limits) {
        let it = std::mem::take(self);
        if it.kept.is_empty() {
            return;
        }
        let bytes = it.kept.bytes();
        let plain_form = matches!(&it.what, Use::Content(kind) if kind.is_form() && kind.coding.is_empty());
        // The last value of a clipped form may be half a value.
        let whole = if it.clipped && plain_form {
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
        it.what.tell(text, 0..whole, &[], direction, limits, out);
    }

    /// Tells what there is of a body that goes on unseen, and keeps no more of it.
    pub fn tell_part(&mut self, out: &mut dyn Sink, direction: Direction, limits: &Limits) {
        self.clipped = true;
        self.tell(out, direction, limits);
    }
}
