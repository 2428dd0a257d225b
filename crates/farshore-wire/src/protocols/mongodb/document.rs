//! Documents in BSON: each text and number is told under its names.

use std::ops::Range;

use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;
use crate::protocols::Sink;
use crate::protocols::lines::{Line, path};
use crate::protocols::ntlm::little_32;
use crate::protocols::sasl::Sasl;

/// Names that stand in one path; what lies deeper goes under the last.
const MOST_NAMES: usize = 6;

/// Tells the documents of one message.
pub(super) struct Teller<'t, 'l> {
    all: &'t Line<'l>,
    limits: &'t Limits,
    out: &'t mut dyn Sink,
    /// Names of what is being read.
    names: Vec<&'l [u8]>,
    /// Values that may still be told.
    values: usize,
    /// By which mechanism a client proves itself.
    mechanism: Option<Sasl>,
}

impl<'t, 'l> Teller<'t, 'l> {
    pub(super) fn new(all: &'t Line<'l>, limits: &'t Limits, out: &'t mut dyn Sink) -> Self {
        Self {
            all,
            limits,
            out,
            names: Vec::new(),
            values: limits.content_values,
            mechanism: None,
        }
    }

    /// Of a message, nothing more comes.
    pub(super) fn end(self) {
        self.out.decoded(&[]);
        if self.values == 0 {
            self.out.limit("content-values");
        }
    }

    /// The database that a question goes to, before a dot.
    pub(super) fn collection(&mut self, at: Range<usize>) {
        let length = self.all.get(at.clone()).iter().position(|it| *it == b'.').unwrap_or_default();
        self.all
            .tell("mongodb.database", at.start..at.start.saturating_add(length), self.out);
    }

    /// Reads one of the documents that go by a name.
    pub(super) fn named(&mut self, name: &'l [u8], it: &mut Cursor<'l>) -> Result<(), Stop> {
        self.names.push(name);
        let read = self.document(it);
        self.names.pop();
        read
    }

    /// Reads a document, or a list, which is written as one.
    pub(super) fn document(&mut self, it: &mut Cursor<'l>) -> Result<(), Stop> {
        let start = *it;
        let length = little_32(it)? as usize;
        let mut inside = it.sub(length.checked_sub(4).ok_or_else(|| start.forbidden())?)?;
        loop {
            let kind = inside.u8()?;
            if kind == 0 {
                return Ok(());
            }
            let name = name(&mut inside)?;
            self.names.push(name);
            let read = self.value(kind, &mut inside);
            self.names.pop();
            read?;
        }
    }

    fn value(&mut self, kind: u8, it: &mut Cursor<'l>) -> Result<(), Stop> {
        let from = it.offset();
        match kind {
            // A text, code, a symbol: with its length and a zero behind it.
            0x02 | 0x0d | 0x0e => {
                let length = little_32(it)? as usize;
                let text = it.sub(length)?;
                let end = text.left().saturating_sub(1);
                self.text(text.offset()..text.offset().saturating_add(end));
            }
            0x03 | 0x04 => {
                if self.names.len() < self.limits.content_depth {
                    return self.document(it);
                }
                self.out.limit("content-depth");
                let length = little_32(it)? as usize;
                it.skip(length.saturating_sub(4))?;
            }
            0x05 => {
                let length = little_32(it)? as usize;
                it.skip(1)?;
                let bytes = it.sub(length)?;
                if self.names.last() == Some(&&b"payload"[..])
                    && let Some(sasl) = self.mechanism.take()
                {
                    let at = bytes.offset()..bytes.offset().saturating_add(bytes.left());
                    sasl.plainly("mongodb.auth", self.all, at, self.out);
                }
            }
            0x01 => {
                let number = f64::from_le_bytes(it.array()?);
                self.number("double", &number.to_string(), from..it.offset());
            }
            0x10 => {
                let number = i32::from_le_bytes(it.array()?);
                self.number("int32", &number.to_string(), from..it.offset());
            }
            0x12 => {
                let number = i64::from_le_bytes(it.array()?);
                self.number("int64", &number.to_string(), from..it.offset());
            }
            0x06 | 0x0a | 0x7f | 0xff => {}
            0x08 => it.skip(1)?,
            0x09 | 0x11 => it.skip(8)?,
            0x07 => it.skip(12)?,
            0x13 => it.skip(16)?,
            // A pattern, and its options.
            0x0b => {
                name(it)?;
                name(it)?;
            }
            0x0c => {
                let length = little_32(it)? as usize;
                it.skip(length.saturating_add(12))?;
            }
            0x0f => {
                let length = little_32(it)? as usize;
                it.skip(length.saturating_sub(4))?;
            }
            _ => return Err(it.forbidden()),
        }
        Ok(())
    }

    /// Tells a text.
    fn text(&mut self, at: Range<usize>) {
        let top = self.names.len() == 1;
        match self.names.last() {
            Some(&b"mechanism") => self.mechanism = Sasl::begin(self.all.get(at.clone())),
            Some(&b"$db") if top => return self.all.tell("mongodb.database", at, self.out),
            Some(&(b"createUser" | b"updateUser")) if top => return self.all.tell("mongodb.user", at, self.out),
            Some(&b"pwd") if top => return self.all.tell("mongodb.password", at, self.out),
            // A database, a dot, a user.
            Some(&b"saslSupportedMechs") if top => {
                let dot = self.all.get(at.clone()).iter().position(|it| *it == b'.');
                let from = dot.map_or(at.start, |it| at.start.saturating_add(it).saturating_add(1));
                return self.all.tell("mongodb.user", from..at.end, self.out);
            }
            _ => {}
        }
        if let Some(path) = self.path() {
            self.all.tell(&path, at, self.out);
        }
    }

    /// Tells a number, as it would be written.
    fn number(&mut self, kind: &'static str, text: &str, at: Range<usize>) {
        if let Some(path) = self.path() {
            self.out.decoded(&[kind]);
            self.all.tell_as(&path, text.as_bytes(), at, self.out);
            self.out.decoded(&[]);
        }
    }

    /// The names that lead to a value, places in lists left out; nothing, if no more are told.
    fn path(&mut self) -> Option<String> {
        self.values = self.values.checked_sub(1)?;
        let names = self.names.iter().filter(|it| !it.iter().all(u8::is_ascii_digit));
        Some(names.take(MOST_NAMES).fold("mongodb".to_owned(), |all, name| path(&all, name)))
    }
}

/// A name that ends with a zero.
pub(super) fn name<'a>(it: &mut Cursor<'a>) -> Result<&'a [u8], Stop> {
    let length = memchr::memchr(0, it.rest()).ok_or_else(|| it.forbidden())?;
    let name = it.take(length)?;
    it.skip(1)?;
    Ok(name)
}
