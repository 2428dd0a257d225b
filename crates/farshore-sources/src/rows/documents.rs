//! Records in files of JSON, however they were wrapped: one object after the other (of NDJSON, or laid out over lines), an
//! array of them, or a list of them inside an envelope. It knows what lists are called, and nothing of what records hold.

use crate::json::{self, Taken, Value};
use crate::{ReadError, Window};

/// What providers and their tools call their lists of records: Azure's files, CloudWatch's subscriptions and exports, Cloud
/// Logging's answers.
const LISTS: [&[u8]; 4] = [b"records", b"logEvents", b"events", b"entries"];

/// Bytes in which the first key of an envelope stands.
const OPENING: usize = 1 << 8;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The records of a file, one by one.
pub(super) struct Documents<'r> {
    pub(super) window: Window<'r>,
    level: Level,
    /// Where the envelope stands that is open.
    outer: Level,
    record: Vec<u8>,
    pub(super) damage: Option<String>,
    pub(super) clipped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Between objects.
    Top,
    /// In an array of them.
    Array,
    /// In the list of an envelope.
    List,
    /// Behind the last that could be read.
    Over,
}

impl<'r> Documents<'r> {
    pub(super) fn new(mut window: Window<'r>) -> Result<Self, ReadError> {
        if window.fill(BOM.len())? && window.bytes().starts_with(BOM) {
            window.consume(BOM.len());
        }
        Ok(Self {
            window,
            level: Level::Top,
            outer: Level::Top,
            record: Vec::new(),
            damage: None,
            clipped: 0,
        })
    }

    /// The next record, and whether it is whole; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(&[u8], bool)>, ReadError> {
        loop {
            let next = json::peek(&mut self.window)?;
            match (self.level, next) {
                (Level::Over, _) | (Level::Top, None) => return Ok(None),
                (_, None) => return self.stop("the file ends inside a list of records"),
                (Level::Top, Some(b'[')) => {
                    self.window.consume(1);
                    self.level = Level::Array;
                }
                // Some tools put commas between lines, too.
                (_, Some(b',')) => self.window.consume(1),
                (Level::Array, Some(b']')) => {
                    self.window.consume(1);
                    self.level = Level::Top;
                }
                (Level::List, Some(b']')) => {
                    self.window.consume(1);
                    self.level = self.outer;
                    if !self.close()? {
                        return self.stop("the file ends inside the envelope of a list");
                    }
                }
                (Level::Top | Level::Array, Some(b'{')) if self.opens_list()? => {
                    self.outer = self.level;
                    self.level = Level::List;
                }
                (Level::Top, Some(b'{')) | (Level::Array | Level::List, Some(_)) => return self.take(),
                (Level::Top, Some(_)) => return self.stop("an object was expected"),
            }
        }
    }

    fn take(&mut self) -> Result<Option<(&[u8], bool)>, ReadError> {
        let (at, before) = (self.window.position(), self.window.limits.record_bytes);
        let taken = json::take(&mut self.window, before, &mut self.record)?;
        if taken == Taken::Clipped {
            self.clipped = self.clipped.saturating_add(1);
        }
        if taken == Taken::Cut {
            self.level = Level::Over;
            self.damage = Some(format!("offset {at}: the file ends inside the record that begins here"));
        } else if self.window.position() == at {
            // A bracket that closes nothing.
            return self.stop("a value was expected");
        }
        Ok(Some((&self.record, taken == Taken::Whole)))
    }

    fn stop(&mut self, why: &str) -> Result<Option<(&[u8], bool)>, ReadError> {
        self.level = Level::Over;
        self.damage = Some(format!("offset {}: {why}", self.window.position()));
        Ok(None)
    }

    /// Steps into the list that an object begins with, if it does: such a file may be larger than any record.
    fn opens_list(&mut self) -> Result<bool, ReadError> {
        self.window.fill(OPENING)?;
        let head = self.window.bytes();
        let head = head.get(..OPENING.min(head.len())).unwrap_or_default();
        let length = list_begins(head);
        self.window.consume(length.unwrap_or_default());
        Ok(length.is_some())
    }

    /// Steps over what an envelope holds behind its list.
    fn close(&mut self) -> Result<bool, ReadError> {
        let mut aside = Vec::new();
        loop {
            match json::peek(&mut self.window)? {
                Some(b'}') => {
                    self.window.consume(1);
                    return Ok(true);
                }
                Some(b',' | b':') => self.window.consume(1),
                None | Some(b']') => return Ok(false),
                Some(_) => {
                    if json::take(&mut self.window, 0, &mut aside)? == Taken::Cut {
                        return Ok(false);
                    }
                }
            }
        }
    }
}

/// How many bytes it takes from the brace of an object into the list that is its first member.
fn list_begins(head: &[u8]) -> Option<usize> {
    let rest = head.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    let name = LISTS
        .iter()
        .find(|name| rest.strip_prefix(**name).is_some_and(|it| it.first() == Some(&b'"')))?;
    let rest = rest.get(name.len().saturating_add(1)..)?.trim_ascii_start().strip_prefix(b":")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"[")?;
    Some(head.len().saturating_sub(rest.len()))
}

/// The records in an object: those of its list if it has one, else itself.
pub(super) fn records(record: &[u8]) -> impl Iterator<Item = Value<'_>> {
    let whole = Value::first(record);
    let list = whole
        .into_iter()
        .flat_map(Value::members)
        .find(|(key, value)| LISTS.contains(&&**key) && value.is_array());
    let alone = if list.is_none() { whole } else { None };
    list.into_iter().flat_map(|(_, value)| value.items()).chain(alone)
}

/// The member of an object that has this name.
pub(super) fn member<'a>(of: Value<'a>, name: &[u8]) -> Option<Value<'a>> {
    of.members().find(|(key, _)| **key == *name).map(|(_, value)| value)
}

/// What a file of JSON is by the words in its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Aws,
    Azure,
    Gcp,
}

/// Bytes that are searched for those words.
const SEARCHED: usize = 1 << 16;

/// Whose logs these are, if they are flow logs: no two answer to the same words.
pub(super) fn dialect(head: &[u8]) -> Option<Dialect> {
    let text = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) || crate::records::har::begins(text) {
        return None;
    }
    let text = text.get(..SEARCHED.min(text.len())).unwrap_or_default();
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    if has("\"flowTuples\"") || has("\"FlowLogFlowEvent\"") || has("\"NetworkSecurityGroupFlowEvent\"") {
        Some(Dialect::Azure)
    } else if has("\"src_ip\"") && has("\"dest_ip\"") {
        Some(Dialect::Gcp)
    } else if (has("\"logEvents\"") || has("\"events\"")) && has("\"message\"") {
        Some(Dialect::Aws)
    } else {
        None
    }
}
