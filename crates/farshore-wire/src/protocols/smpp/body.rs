//! The bodies of logins and messages (SMPP 3.4, section 4). It owns their fields and refuses what does not end in its place.

use std::ops::Range;

use crate::cursor::{Cursor, Stop};

/// A value, where it stands, and how it is spelled where that is not as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) path: &'static str,
    pub(super) range: Range<usize>,
    pub(super) spelled: Option<Vec<u8>>,
}

impl Value {
    const fn plain(path: &'static str, range: Range<usize>) -> Self {
        Self {
            path,
            range,
            spelled: None,
        }
    }
}

/// The values of a body that is read. A body of another kind is an error, as is one that does not fit.
pub(super) fn read(command: u32, mut it: Cursor<'_>) -> Result<Vec<Value>, Stop> {
    match command {
        1 | 2 | 9 => login(&mut it),
        // Whoever answers a login names itself.
        0x8000_0001 | 0x8000_0002 | 0x8000_0009 => {
            text(&mut it, 16)?;
            optional(&mut it, 0)?;
            Ok(Vec::new())
        }
        4 | 5 => message(&mut it, true),
        0x0103 => message(&mut it, false),
        _ => Err(it.forbidden()),
    }
}

/// Readable text before a zero, of so many bytes at most, the zero included.
fn text(it: &mut Cursor<'_>, most: usize) -> Result<Range<usize>, Stop> {
    let from = it.offset();
    for _ in 0..most {
        match it.u8()? {
            0 => return Ok(from..it.offset().saturating_sub(1)),
            b' '..=b'~' | 0x80.. => {}
            _ => break,
        }
    }
    Err(it.forbidden())
}

/// Kinds of address (section 5.2.5): international, national, and text.
const INTERNATIONAL: u8 = 1;
const NATIONAL: u8 = 2;
const LAST_KIND: u8 = 6;
/// Numbering plans (section 5.2.6).
const LAST_PLAN: u8 = 18;

/// Kind, plan and digits.
fn address(it: &mut Cursor<'_>, number: &'static str, other: &'static str, most: usize) -> Result<Value, Stop> {
    let [kind, plan] = it.array::<2>()?;
    if kind > LAST_KIND || plan > LAST_PLAN {
        return Err(it.forbidden());
    }
    let range = text(it, most)?;
    let path = if matches!(kind, INTERNATIONAL | NATIONAL) { number } else { other };
    Ok(Value::plain(path, range))
}

/// Section 4.1.
fn login(it: &mut Cursor<'_>) -> Result<Vec<Value>, Stop> {
    let user = text(it, 16)?;
    let password = text(it, 9)?;
    text(it, 13)?;
    let [_, kind, plan] = it.array::<3>()?;
    text(it, 41)?;
    if kind > LAST_KIND || plan > LAST_PLAN || !it.is_empty() {
        return Err(it.forbidden());
    }
    Ok(vec![Value::plain("smpp.user", user), Value::plain("smpp.password", password)])
}

/// Sections 4.4, 4.6 and 4.7; `inside`: the text stands in the body rather than among what is optional.
fn message(it: &mut Cursor<'_>, inside: bool) -> Result<Vec<Value>, Stop> {
    text(it, 6)?;
    let most = if inside { 21 } else { 65 };
    let mut values = vec![
        address(it, "smpp.source.msisdn", "smpp.source", most)?,
        address(it, "smpp.destination.msisdn", "smpp.destination", most)?,
    ];
    let class = it.u8()?;
    let alphabet;
    if inside {
        it.skip(2)?;
        text(it, 17)?;
        text(it, 17)?;
        it.skip(2)?;
        alphabet = it.u8()?;
        it.skip(1)?;
        let length = it.u8()?;
        values.extend(words(it.sub(length.into())?, class, alphabet));
    } else {
        it.skip(1)?;
        alphabet = it.u8()?;
    }
    if let Some(payload) = optional(it, 0x0424)? {
        values.extend(words(payload, class, alphabet));
    }
    Ok(values)
}

/// Steps through what is optional, to the end; the value of one tag.
fn optional<'a>(it: &mut Cursor<'a>, wanted: u16) -> Result<Option<Cursor<'a>>, Stop> {
    let mut found = None;
    while !it.is_empty() {
        let (tag, length) = (it.u16()?, it.u16()?);
        let value = it.sub(length.into())?;
        if tag == wanted {
            found = Some(value);
        }
    }
    Ok(found)
}

/// A text, spelled in UTF-8 (section 5.2.19). Before it a header may stand, which its first byte measures.
fn words(mut it: Cursor<'_>, class: u8, alphabet: u8) -> Option<Value> {
    /// The text begins with a header (section 5.2.12).
    const HEADED: u8 = 0x40;
    if class & HEADED != 0 {
        let length = it.u8().ok()?;
        it.skip(length.into()).ok()?;
    }
    let (bytes, range) = (it.rest(), it.offset()..it.offset().saturating_add(it.left()));
    let spelled = match alphabet {
        // The network's own alphabet, which agrees with ASCII on letters and digits; ASCII; Latin-1.
        0 | 1 => None,
        3 => Some(bytes.iter().map(|it| char::from(*it)).collect::<String>().into_bytes()),
        8 => {
            let (pairs, _) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|it| u16::from_be_bytes(*it)).collect();
            Some(String::from_utf16_lossy(&units).into_bytes())
        }
        _ => return None,
    };
    Some(Value {
        path: "smpp.message",
        range,
        spelled,
    })
}
