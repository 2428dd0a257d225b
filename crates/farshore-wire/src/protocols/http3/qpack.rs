//! QPACK (RFC 9204): field sections into headers, with the table that the direction's encoder stream has built up so far.
//!
//! Refuses a table larger than it was told to keep, and to copy more of a section than that; both are said.

use std::collections::VecDeque;
use std::sync::Arc;

use super::tables::STATIC;
use crate::cursor::Cursor;
use crate::protocols::http2::hpack::{Broken, ENTRY, Header, List, Text, integer, string_after};

/// One direction's table.
#[derive(Debug)]
pub struct Table {
    /// Oldest first.
    entries: VecDeque<(Text, Text)>,
    /// Entries that are gone.
    dropped: usize,
    size: usize,
    capacity: usize,
    /// Both the largest table and the largest list that are kept.
    ceiling: usize,
    /// The largest table its reader allows, if that was seen.
    pub allowed: Option<usize>,
}

/// What a field section came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Section {
    /// Its headers.
    List(List),
    /// Entries it rests on have not been inserted yet.
    Blocked,
}

impl Table {
    pub const fn new(ceiling: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            dropped: 0,
            size: 0,
            capacity: 0,
            ceiling,
            allowed: None,
        }
    }

    /// Takes the instructions of an encoder stream (section 4.3); says how many bytes of them were whole.
    pub fn instructions(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut taken = 0;
        loop {
            let mut it = Cursor::new("qpack", bytes);
            it.skip(taken)?;
            if it.is_empty() {
                return Ok(taken);
            }
            match self.instruction(&mut it) {
                Ok(()) => taken = it.offset(),
                Err(Broken::Cut(_)) => return Ok(taken),
                Err(broken) => return Err(broken),
            }
        }
    }

    fn instruction(&mut self, it: &mut Cursor<'_>) -> Result<(), Broken> {
        match it.peek(0).unwrap_or_default() {
            first @ 0x80.. => {
                let index = integer(it, 6)?;
                let value = string_after(it, 7)?.0;
                let name = if first & 0x40 == 0 {
                    self.back(index)?.0
                } else {
                    constant(index)?.0
                };
                self.insert(name, value);
            }
            0x40.. => {
                let name = string_after(it, 5)?.0;
                let value = string_after(it, 7)?.0;
                self.insert(name, value);
            }
            0x20.. => {
                let capacity = integer(it, 5)?;
                if capacity > self.ceiling {
                    return Err(Broken::Table);
                }
                self.capacity = capacity;
                self.evict(capacity);
            }
            _ => {
                let index = integer(it, 5)?;
                let (name, value) = self.back(index)?;
                self.insert(name, value);
            }
        }
        Ok(())
    }

    /// Reads a field section (section 4.5).
    pub fn section(&self, bytes: &[u8]) -> Result<Section, Broken> {
        let mut list = List::default();
        let mut room = self.ceiling;
        let mut it = Cursor::new("qpack", bytes);
        let required = self.required(integer(&mut it, 8)?)?;
        let negative = it.peek(0).is_some_and(|byte| byte & 0x80 != 0);
        let delta = integer(&mut it, 7)?;
        if required > self.inserted() {
            return Ok(Section::Blocked);
        }
        let base = if negative {
            required.checked_sub(delta).and_then(|it| it.checked_sub(1)).ok_or(Broken::Index)?
        } else {
            required.saturating_add(delta)
        };
        while !it.is_empty() {
            let start = it.offset();
            let (name, value, plain) = self.line(&mut it, base)?;
            let cost = name.len().saturating_add(value.len()).saturating_add(ENTRY);
            match room.checked_sub(cost) {
                Some(left) if !list.clipped => room = left,
                _ => {
                    list.clipped = true;
                    break;
                }
            }
            let at = start..it.offset();
            list.headers.push(Header { name, value, at, plain });
        }
        Ok(Section::List(list))
    }

    fn line(&self, it: &mut Cursor<'_>, base: usize) -> Result<Line, Broken> {
        let before = |index: usize| base.checked_sub(index).and_then(|it| it.checked_sub(1)).ok_or(Broken::Index);
        Ok(match it.peek(0).unwrap_or_default() {
            first @ 0x80.. => {
                let index = integer(it, 6)?;
                let (name, value) = if first & 0x40 == 0 {
                    self.entry(before(index)?)?
                } else {
                    constant(index)?
                };
                (name, value, None)
            }
            first @ 0x40.. => {
                let index = integer(it, 4)?;
                let name = if first & 0x10 == 0 {
                    self.entry(before(index)?)?.0
                } else {
                    constant(index)?.0
                };
                let (value, plain) = string_after(it, 7)?;
                (name, value, plain)
            }
            0x20.. => {
                let name = string_after(it, 3)?.0;
                let (value, plain) = string_after(it, 7)?;
                (name, value, plain)
            }
            0x10.. => {
                let index = integer(it, 4)?;
                let (name, value) = self.entry(base.saturating_add(index))?;
                (name, value, None)
            }
            _ => {
                let index = integer(it, 3)?;
                let name = self.entry(base.saturating_add(index))?.0;
                let (value, plain) = string_after(it, 7)?;
                (name, value, plain)
            }
        })
    }

    /// How many entries must have been inserted, from what the section says of it (section 4.5.1.1).
    fn required(&self, encoded: usize) -> Result<usize, Broken> {
        let Some(encoded) = encoded.checked_sub(1) else { return Ok(0) };
        // What the reader allows is what counts; where that was not seen, what the writer set up.
        let most = self.allowed.unwrap_or(self.capacity).max(self.capacity) / ENTRY;
        let full = most.saturating_mul(2);
        let largest = self.inserted().saturating_add(most);
        let wrapped = largest.checked_div(full).ok_or(Broken::Index)?.saturating_mul(full);
        let required = wrapped.saturating_add(encoded);
        if required > largest {
            return required.checked_sub(full).ok_or(Broken::Index);
        }
        Ok(required)
    }

    /// Entries inserted so far.
    fn inserted(&self) -> usize {
        self.dropped.saturating_add(self.entries.len())
    }

    /// The entry with that number, counted from the first ever inserted.
    fn entry(&self, number: usize) -> Result<(Text, Text), Broken> {
        let place = number.checked_sub(self.dropped).ok_or(Broken::Index)?;
        self.entries.get(place).cloned().ok_or(Broken::Index)
    }

    /// The entry inserted so many before the latest.
    fn back(&self, index: usize) -> Result<(Text, Text), Broken> {
        let number = self
            .inserted()
            .checked_sub(index)
            .and_then(|it| it.checked_sub(1))
            .ok_or(Broken::Index)?;
        self.entry(number)
    }

    fn insert(&mut self, name: Text, value: Text) {
        let cost = name.len().saturating_add(value.len()).saturating_add(ENTRY);
        self.evict(self.capacity.saturating_sub(cost));
        self.size = self.size.saturating_add(cost);
        self.entries.push_back((name, value));
        // Larger than the table: an encoder may not do that, and nothing can refer to it.
        self.evict(self.capacity);
    }

    fn evict(&mut self, until: usize) {
        while self.size > until {
            let Some((name, value)) = self.entries.pop_front() else { return };
            let cost = name.len().saturating_add(value.len()).saturating_add(ENTRY);
            self.size = self.size.saturating_sub(cost);
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

type Line = (Text, Text, Option<std::ops::Range<usize>>);

fn constant(index: usize) -> Result<(Text, Text), Broken> {
    let (name, value) = STATIC.get(index).ok_or(Broken::Index)?;
    Ok((Arc::from(name.as_bytes()), Arc::from(value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn texts(it: Section) -> Vec<String> {
        let Section::List(list) = it else { panic!("blocked") };
        let show = |it: &Header| format!("{}: {}", String::from_utf8_lossy(&it.name), String::from_utf8_lossy(&it.value));
        list.headers.iter().map(show).collect()
    }

    /// The exchange of RFC 9204 appendix B.
    #[test]
    fn the_published_exchange() {
        let mut it = Table::new(1 << 16);
        it.allowed = Some(220);
        let b1 = bytes("0000 510b 2f69 6e64 6578 2e68 746d 6c");
        assert_eq!(texts(it.section(&b1).unwrap()), [":path: /index.html"]);

        let b2 = bytes("03 81 10 11");
        assert_eq!(it.section(&b2), Ok(Section::Blocked));
        let inserts = bytes("3fbd01 c00f 7777772e6578616d706c652e636f6d c10c 2f73616d706c652f70617468");
        // In any pieces: what is not whole waits.
        assert_eq!(it.instructions(&inserts[..7]), Ok(3));
        assert_eq!(it.instructions(&inserts[3..]), Ok(inserts.len() - 3));
        assert_eq!((it.size, it.inserted()), (106, 2));
        assert_eq!(
            texts(it.section(&b2).unwrap()),
            [":authority: www.example.com", ":path: /sample/path"]
        );

        assert_eq!(
            it.instructions(&bytes("4a 637573746f6d2d6b6579 0c 637573746f6d2d76616c7565")),
            Ok(24)
        );
        assert_eq!((it.size, it.inserted()), (160, 3));
        assert_eq!(it.instructions(&bytes("02")), Ok(1));
        assert_eq!((it.size, it.inserted()), (217, 4));
        let b4 = bytes("05 00 80 c1 81");
        assert_eq!(
            texts(it.section(&b4).unwrap()),
            [":authority: www.example.com", ":path: /", "custom-key: custom-value"]
        );

        assert_eq!(it.instructions(&bytes("81 0d 637573746f6d2d76616c756532")), Ok(15));
        assert_eq!((it.size, it.inserted(), it.dropped), (215, 5, 1));
        assert_eq!(it.back(0).unwrap().1[..], *b"custom-value2");
        assert_eq!(it.section(&bytes("0500 83")), Err(Broken::Index), "that entry is gone");
    }

    #[test]
    fn damage_is_refused() {
        let it = Table::new(1 << 16);
        assert!(matches!(it.section(&[0]), Err(Broken::Cut(_))));
        assert_eq!(it.section(&[2, 0, 0x80]), Err(Broken::Index), "no table was set up");
        assert_eq!(it.section(&[0, 0x80, 0xc0]), Err(Broken::Index), "a base before the beginning");
        assert_eq!(it.section(&[0, 0, 0xff, 0x30]), Err(Broken::Index), "no such constant");
        let mut it = Table::new(1 << 10);
        assert_eq!(it.instructions(&[0x3f, 0xff, 0x7f]), Err(Broken::Table));
        assert_eq!(it.instructions(&[0x00]), Err(Broken::Index));
        // An entry larger than the table leaves it empty.
        assert_eq!(
            it.instructions(&[
                0x3f, 0x10, 0x41, b'a', 0x10, b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b', b'b',
                b'b'
            ]),
            Ok(21)
        );
        assert_eq!((it.size, it.inserted(), it.entries.len()), (0, 1, 0));
    }
}
