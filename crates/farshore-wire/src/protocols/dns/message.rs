//! A DNS message (RFC 1035, section 4): header, questions, records, read as far as the bytes make sense.

use std::ops::Range;

use super::name::{Flaw, Name};
use crate::cursor::{Cursor, Stop};

/// The first 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by whoever asks, repeated by whoever answers.
    pub id: u16,
    /// All 16 flag bits.
    flags: u16,
    /// Questions, answers, authority records, additional records.
    counts: [u16; 4],
}

impl Header {
    pub fn read(it: &mut Cursor<'_>) -> Result<Self, Stop> {
        let (id, flags) = (it.u16()?, it.u16()?);
        Ok(Self {
            id,
            flags,
            counts: [it.u16()?, it.u16()?, it.u16()?, it.u16()?],
        })
    }

    /// The code of a response.
    pub const fn code(self) -> u16 {
        self.flags & 0xf
    }

    /// Whether this is a response.
    pub const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    const fn opcode(self) -> u16 {
        (self.flags >> 11) & 0xf
    }

    /// Whether a DNS speaker could have meant it: an opcode that is assigned, and something in a query to answer.
    pub const fn is_plausible(self) -> bool {
        let [questions, answers, authority, additional] = self.counts;
        let assigned = matches!(self.opcode(), 0 | 1 | 2 | 4 | 5 | 6);
        let sized = questions <= 64 && answers <= 8192 && authority <= 1024 && additional <= 1024;
        assigned && sized && (self.is_response() || questions > 0 || answers > 0)
    }

    /// Whether it is what plain resolvers and clients send: one question, no bit set that must be zero.
    pub const fn is_strict(self) -> bool {
        let [questions, answers, authority, additional] = self.counts;
        let usual = self.opcode() == 0 && questions == 1 && self.flags & 0x0040 == 0;
        if self.is_response() {
            return usual && self.flags & 0xf <= 10 && answers <= 256 && authority <= 64 && additional <= 64;
        }
        // A query sets neither AA, TC, RA nor a response code, and adds EDNS and a signature at most.
        usual && self.flags & 0x068f == 0 && answers == 0 && authority == 0 && additional <= 2
    }
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub name: Name,
    pub kind: u16,
    pub class: u16,
}

/// The part of the message a record stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Answer,
    Authority,
    Additional,
}

/// A resource record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub section: Section,
    pub name: Name,
    pub kind: u16,
    pub class: u16,
    pub ttl: u32,
    /// Its data, in the message.
    pub data: Range<usize>,
}

/// A message as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub header: Header,
    pub questions: Vec<Question>,
    pub records: Vec<Record>,
    /// Why reading ended early.
    pub flaw: Option<Flaw>,
    /// Bytes behind the last record.
    pub left: usize,
}

impl Message {
    /// Reads what can be read; `None` when there is not even a header.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let header = Header::read(&mut Cursor::new("dns", bytes)).ok()?;
        let mut message = Self {
            header,
            questions: Vec::new(),
            records: Vec::new(),
            flaw: None,
            left: 0,
        };
        match message.body(bytes) {
            Ok(end) => message.left = bytes.len().saturating_sub(end),
            Err(flaw) => message.flaw = Some(flaw),
        }
        Some(message)
    }

    fn body(&mut self, bytes: &[u8]) -> Result<usize, Flaw> {
        let [questions, answers, authority, additional] = self.header.counts;
        let mut at = 12;
        for _ in 0..questions {
            let name = Name::read(bytes, at);
            let fixed = name.place.end;
            let stop = end_of(&name);
            let Some([kind, class]) = words(bytes, fixed).filter(|_| stop.is_none()) else {
                return Err(stop.unwrap_or(Flaw::Cut));
            };
            self.questions.push(Question { name, kind, class });
            at = fixed.saturating_add(4);
        }
        for (section, count) in [
            (Section::Answer, answers),
            (Section::Authority, authority),
            (Section::Additional, additional),
        ] {
            for _ in 0..count {
                let record = record(bytes, at, section)?;
                at = record.data.end;
                self.records.push(record);
            }
        }
        Ok(at)
    }

    /// Whether what was read of it could be one: a plausible header, then a question or record without a flaw.
    pub fn is_plausible(&self) -> bool {
        let begun = !self.questions.is_empty() || !self.records.is_empty();
        let refused = self.header.is_response() && self.header.flags & 0xf != 0 && self.flaw.is_none() && self.left == 0;
        self.header.is_plausible() && (begun || refused)
    }

    /// Whether every part of it is as in everyday queries and responses, to the last byte. About 2^-70 of random
    /// datagrams are (counts and flags alone), so this holds on any port.
    pub fn is_strict(&self) -> bool {
        let usual = |it: &Question| it.name.is_plain() && super::record::is_known(it.kind) && matches!(it.class, 1 | 3 | 4 | 255);
        self.header.is_strict() && self.flaw.is_none() && self.left == 0 && self.questions.iter().all(usual)
    }
}

/// Why reading cannot go on behind a name: its end is unknown. Behind a bad pointer it is known.
fn end_of(name: &Name) -> Option<Flaw> {
    name.flaw.filter(|flaw| *flaw != Flaw::Pointer)
}

fn words<const N: usize>(bytes: &[u8], at: usize) -> Option<[u16; N]> {
    let mut it = Cursor::new("dns", bytes.get(at..)?);
    let mut words = [0; N];
    for word in &mut words {
        *word = it.u16().ok()?;
    }
    Some(words)
}

fn record(bytes: &[u8], at: usize, section: Section) -> Result<Record, Flaw> {
    let name = Name::read(bytes, at);
    if let Some(flaw) = end_of(&name) {
        return Err(flaw);
    }
    let fixed = name.place.end;
    let [kind, class, high, low, length] = words(bytes, fixed).ok_or(Flaw::Cut)?;
    let start = fixed.saturating_add(10);
    let data = start..start.saturating_add(usize::from(length));
    if data.end > bytes.len() {
        return Err(Flaw::Cut);
    }
    Ok(Record {
        section,
        name,
        kind,
        class,
        ttl: (u32::from(high) << 16) | u32::from(low),
        data,
    })
}
