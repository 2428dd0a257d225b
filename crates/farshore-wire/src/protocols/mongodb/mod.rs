//! MongoDB: clients of a store of documents, over TCP (the wire protocol, messages `OP_MSG`, `OP_QUERY` and `OP_REPLY`).
//!
//! # What is extracted, and why it matters
//! Who logs in, also where the password is proven and not told: `mongodb.auth.user`, `mongodb.user`; a password by PLAIN,
//! `mongodb.auth.password`, or one that is set for a user, `mongodb.password`; which database, `mongodb.database`. Then every text and
//! number of every document, in questions and answers, under its names: `mongodb.<name>.…`; of clients that is also what they are
//! (`mongodb.client.…`).
//!
//! # What is not
//! Messages that are compressed, and bytes, dates and marks in documents.
//!
//! # How it is told
//! A message's head: its length, and a code of those three; and behind it flags that there are, and a document of a length that fits.
//!
//! **Read after** "MongoDB Wire Protocol" (MongoDB documentation), "BSON specification 1.1".

mod document;

use farshore_model::{Direction, Protection};

use super::lane::Lane;
use super::lines::Line;
use super::ntlm::little_32;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// MongoDB.
pub static MONGODB: MongoDb = MongoDb;

/// MongoDB, as a [`Protocol`].
#[derive(Debug)]
pub struct MongoDb;

impl Protocol for MongoDb {
    fn id(&self) -> &'static str {
        "mongodb"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        // The length of a message, of which the first byte may be anything.
        Begins::stream(FirstBytes::ANY)
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            lanes: Default::default(),
            limits: limits.clone(),
        })
    }
}

/// Codes of messages.
const REPLY: u32 = 1;
const QUERY: u32 = 2004;
const COMPRESSED: u32 = 2012;
const MESSAGE: u32 = 2013;
/// Bytes of a head.
const HEAD: usize = 16;
/// No server takes longer messages.
const LONGEST: usize = 48_000_000;
/// The shortest document.
const EMPTY: usize = 5;

/// A message's head.
#[derive(Clone, Copy, Debug)]
struct Head {
    length: usize,
    /// The message that this one answers; 0 for none.
    answers: u32,
    code: u32,
}

fn head(bytes: &[u8]) -> Result<Head, Stop> {
    let mut it = Cursor::new("mongodb", bytes);
    let start = it;
    let length = little_32(&mut it)? as usize;
    it.skip(4)?;
    let (answers, code) = (little_32(&mut it)?, little_32(&mut it)?);
    // Others than those that are read come from old clients, once a connection has begun.
    if !(HEAD..=LONGEST).contains(&length) || !matches!(code, REPLY | 2001..=2013) {
        return Err(start.forbidden());
    }
    Ok(Head { length, answers, code })
}

/// Whether a side begins with a message.
fn told(bytes: &[u8]) -> Match {
    // A length under 16 million, then a number that is anybody's.
    let short = match bytes {
        [] => return Match::No,
        [_, _, _, high, ..] if *high > 0 => return Match::No,
        _ => bytes.len() < HEAD,
    };
    // Codes have two bytes that are not zero at most; what is answered is 0 in most beginnings.
    if short {
        let code = bytes.get(12..).unwrap_or_default();
        let fits = [MESSAGE, QUERY, REPLY].iter().any(|it| it.to_le_bytes().starts_with(code));
        return if fits { Match::Maybe } else { Match::No };
    }
    let Ok(head) = head(bytes) else { return Match::No };
    let mut it = Cursor::new("mongodb", bytes.get(HEAD..head.length.min(bytes.len())).unwrap_or_default());
    let whole = bytes.len() >= head.length;
    match begins(&head, &mut it) {
        Ok(true) => Match::Yes,
        Ok(false) => Match::No,
        Err(_) if whole || bytes.len() > 512 => Match::No,
        Err(_) => Match::Maybe,
    }
}

/// Whether what follows a head begins as such messages do.
fn begins(head: &Head, it: &mut Cursor<'_>) -> Result<bool, Stop> {
    let inside = head.length.saturating_sub(HEAD);
    match head.code {
        MESSAGE => {
            let flags = little_32(it)?;
            if flags & !0x0001_0003 != 0 || it.u8()? > 1 {
                return Ok(false);
            }
            let length = little_32(it)? as usize;
            Ok((EMPTY..=inside.saturating_sub(5)).contains(&length))
        }
        QUERY => {
            if little_32(it)? & !0xfe != 0 {
                return Ok(false);
            }
            // A database, a dot, a collection.
            let name = it.rest().iter().take(128).position(|it| *it == 0);
            let Some(name) = name else {
                return if it.left() >= 128 { Ok(false) } else { Err(it.forbidden()) };
            };
            let name = it.take(name)?;
            it.skip(1 + 8)?;
            let length = little_32(it)? as usize;
            Ok(name.contains(&b'.') && name.iter().all(|it| it.is_ascii_graphic()) && (EMPTY..inside).contains(&length))
        }
        REPLY => {
            let flags = little_32(it)?;
            it.skip(12)?;
            let (count, length) = (little_32(it)?, little_32(it)? as usize);
            Ok(head.answers != 0 && flags <= 0x0f && count > 0 && (EMPTY..=inside.saturating_sub(20)).contains(&length))
        }
        _ => Ok(false),
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    lanes: [Lane; 2],
    limits: Limits,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        if !lane.take(&it, |bytes| told(bytes) == Match::Yes) {
            return Progress::More;
        }
        let gathered = &mut lane.gathered;
        loop {
            let bytes = gathered.bytes();
            let head = match head(bytes) {
                Ok(it) => it,
                Err(_) if bytes.len() < HEAD => return Progress::More,
                Err(_) => return Progress::Lost,
            };
            if matches!(head.code, MESSAGE | QUERY | REPLY) && head.length <= self.limits.message_bytes {
                if bytes.len() < head.length {
                    return Progress::More;
                }
                let all = Line::all(gathered);
                let mut it = Cursor::new("mongodb", all.get(0..head.length));
                let mut teller = document::Teller::new(&all, &self.limits, out);
                // What could be read before a message breaks off stands.
                let _ = it.skip(HEAD).and_then(|()| documents(head.code, &mut it, &mut teller));
                teller.end();
            } else if head.code != COMPRESSED && head.length > self.limits.message_bytes {
                out.limit("message-bytes");
            }
            out.client_speaks(if head.answers == 0 { direction } else { direction.reverse() });
            gathered.skip(head.length);
        }
    }
}

/// Reads the documents of a message.
fn documents<'l>(code: u32, it: &mut Cursor<'l>, teller: &mut document::Teller<'_, 'l>) -> Result<(), Stop> {
    let flags = little_32(it)?;
    match code {
        QUERY => {
            let from = it.offset();
            while it.u8()? != 0 {}
            teller.collection(from..it.offset().saturating_sub(1));
            it.skip(8)?;
        }
        REPLY => it.skip(16)?,
        _ => {
            // A sum of all may stand behind the last.
            let last = if flags & 1 == 0 { 0 } else { 4 };
            while it.left() > last {
                if it.u8()? == 0 {
                    teller.document(it)?;
                    continue;
                }
                let length = little_32(it)? as usize;
                let mut list = it.sub(length.checked_sub(4).ok_or_else(|| it.forbidden())?)?;
                let name = document::name(&mut list)?;
                while !list.is_empty() {
                    teller.named(name, &mut list)?;
                }
            }
            return Ok(());
        }
    }
    while !it.is_empty() {
        teller.document(it)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
