//! The layout of the messages before a connection stands. Refuses what no proxy or client of these versions says.

use std::net::IpAddr;
use std::ops::Range;

use crate::cursor::{Cursor, Stop};
use crate::protocols::Match;

/// What a message leads to, where that is not fixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    #[default]
    Next,
    /// A request of version 4: only its answer follows.
    Version4,
    /// A name and a password are wanted.
    Login,
    Refused,
}

/// Where a value stands, and its text where the bytes there are none.
type Value = (Range<usize>, Option<Vec<u8>>);

/// A message, and the values in it to tell, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub values: Vec<(&'static str, Value)>,
    pub next: Ask,
}

/// How far a message is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// More bytes are needed.
    Open,
    Broken,
    /// It, and how many bytes it takes.
    Whole(Message, usize),
}

impl Part {
    /// Bytes that end too early may go on; a value the format forbids ends it.
    fn of(read: Result<Option<Message>, Stop>, it: &Cursor<'_>) -> Self {
        match read {
            Ok(Some(message)) => Self::Whole(message, it.offset()),
            Ok(None) => Self::Broken,
            Err(_) => Self::Open,
        }
    }
}

fn reading(bytes: &[u8], read: impl FnOnce(&mut Cursor<'_>) -> Result<Option<Message>, Stop>) -> Part {
    let mut it = Cursor::new("socks", bytes);
    let message = read(&mut it);
    Part::of(message, &it)
}

/// The longest name or user of version 4 that is waited for.
const LONGEST: usize = 255;

/// An offer of methods (RFC 1928, section 3), or a request of version 4.
pub fn open(bytes: &[u8]) -> Part {
    reading(bytes, |it| match it.u8()? {
        5 => {
            let methods = it.u8()?;
            it.skip(methods.into())?;
            Ok((methods > 0).then(Message::default))
        }
        4 => request_4(it),
        _ => Ok(None),
    })
}

/// A request of version 4; 4a puts a name behind an address of 0.0.0.x.
fn request_4(it: &mut Cursor<'_>) -> Result<Option<Message>, Stop> {
    if !matches!(it.u8()?, 1 | 2) {
        return Ok(None);
    }
    it.skip(2)?;
    let at = it.offset();
    let address: [u8; 4] = it.array()?;
    let mut message = Message {
        next: Ask::Version4,
        ..Message::default()
    };
    let Some(user) = terminated(it)? else { return Ok(None) };
    message.values.push(("socks.username", (user, None)));
    if matches!(address, [0, 0, 0, 1..=0xff]) {
        let Some(name) = terminated(it)? else { return Ok(None) };
        message.values.push(("socks.destination", (name, None)));
    } else {
        let text = IpAddr::from(address).to_string().into_bytes();
        message.values.push(("socks.destination", (at..at.saturating_add(4), Some(text))));
    }
    Ok(Some(message))
}

/// Visible text up to a zero byte.
fn terminated(it: &mut Cursor<'_>) -> Result<Option<Range<usize>>, Stop> {
    let start = it.offset();
    for _ in 0..=LONGEST {
        match it.u8()? {
            0 => return Ok(Some(start..it.offset().saturating_sub(1))),
            1..=0x20 | 0x7f => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// The proxy's choice (RFC 1928, section 3).
pub fn choice(bytes: &[u8]) -> Part {
    reading(bytes, |it| {
        let version = it.u8()?;
        let next = match it.u8()? {
            0 => Ask::Next,
            2 => Ask::Login,
            // None of those offered, or one that is not read.
            _ => Ask::Refused,
        };
        let message = Message {
            next,
            ..Message::default()
        };
        Ok((version == 5).then_some(message))
    })
}

/// A name and a password (RFC 1929, section 2).
pub fn login(bytes: &[u8]) -> Part {
    reading(bytes, |it| {
        if it.u8()? != 1 {
            return Ok(None);
        }
        let mut message = Message::default();
        for path in ["socks.username", "socks.password"] {
            let length = it.u8()?;
            let start = it.offset();
            it.skip(length.into())?;
            message.values.push((path, (start..it.offset(), None)));
        }
        Ok(Some(message))
    })
}

/// Whether they were good.
pub fn verdict(bytes: &[u8]) -> Part {
    reading(bytes, |it| {
        let version = it.u8()?;
        let next = if it.u8()? == 0 { Ask::Next } else { Ask::Refused };
        let message = Message {
            next,
            ..Message::default()
        };
        // Some proxies say 5 here.
        Ok(matches!(version, 1 | 5).then_some(message))
    })
}

/// A request (RFC 1928, section 4).
pub fn ask(bytes: &[u8]) -> Part {
    reading(bytes, |it| {
        if it.u8()? != 5 || !matches!(it.u8()?, 1..=3) || it.u8()? != 0 {
            return Ok(None);
        }
        let Some(value) = address(it)? else { return Ok(None) };
        Ok(Some(Message {
            values: vec![("socks.destination", value)],
            ..Message::default()
        }))
    })
}

/// The answer to it (section 6).
pub fn answer(bytes: &[u8]) -> Part {
    reading(bytes, |it| {
        if it.u8()? != 5 {
            return Ok(None);
        }
        let next = if it.u8()? == 0 { Ask::Next } else { Ask::Refused };
        it.skip(1)?;
        let message = Message {
            next,
            ..Message::default()
        };
        Ok(address(it)?.map(|_| message))
    })
}

/// The answer of version 4.
pub fn answer_4(bytes: &[u8]) -> Part {
    reading(bytes, |it| {
        let version = it.u8()?;
        let code = it.u8()?;
        it.skip(6)?;
        let next = if code == 0x5a { Ask::Next } else { Ask::Refused };
        let message = Message {
            next,
            ..Message::default()
        };
        Ok((version == 0 && matches!(code, 0x5a..=0x5d)).then_some(message))
    })
}

/// An address and a port (section 5): where the address stands, and its text where it is coded.
fn address(it: &mut Cursor<'_>) -> Result<Option<Value>, Stop> {
    let kind = it.u8()?;
    let length = if kind == 3 { usize::from(it.u8()?) } else { 0 };
    let start = it.offset();
    let text = match kind {
        1 => Some(IpAddr::from(it.array::<4>()?)),
        4 => Some(IpAddr::from(it.array::<16>()?)),
        3 => {
            it.skip(length)?;
            None
        }
        _ => return Ok(None),
    };
    let place = start..it.offset();
    it.skip(2)?;
    Ok(Some((place, text.map(|it| it.to_string().into_bytes()))))
}

/// Whether both sides of a stream begin as a client and its proxy do. The test is stated in the parent's documentation.
pub fn begins(up: &[u8], down: &[u8]) -> Match {
    let length = match open(up) {
        Part::Broken => return Match::No,
        Part::Open => {
            return if up.len() <= LONGEST.saturating_mul(2) && down.is_empty() {
                Match::Maybe
            } else {
                Match::No
            };
        }
        Part::Whole(message, _) if message.next == Ask::Version4 => {
            return match down {
                [] | [0] => Match::Maybe,
                [0, 0x5a..=0x5d, ..] => Match::Yes,
                _ => Match::No,
            };
        }
        Part::Whole(_, length) => length,
    };
    let offered = up.get(2..length).unwrap_or_default();
    let after = up.get(length..).unwrap_or_default();
    match (down, after) {
        ([] | [5], []) => Match::Maybe,
        ([5, chosen, ..], after) if offered.contains(chosen) => match (chosen, after) {
            (0, [5, 1..=3, 0, 1 | 3 | 4, ..]) | (2, [1, 1..=0xff, _, _, ..]) => Match::Yes,
            (0, [] | [5] | [5, 1..=3] | [5, 1..=3, 0]) | (2, [] | [1] | [1, 1..=0xff] | [1, 1..=0xff, _]) => Match::Maybe,
            _ => Match::No,
        },
        _ => Match::No,
    }
}
