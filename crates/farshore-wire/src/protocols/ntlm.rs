//! Logins by NTLM (MS-NLMP), wherever they stand: who logs in, to which domain, from which machine, and what the server calls itself, all
//! in clear. It owns the message, and refuses to try what the client answers a challenge with: that proves a password without telling it.

use std::ops::Range;

use farshore_model::Span;
use memchr::memmem;

use super::{Field, Sink};
use crate::cursor::{Cursor, Stop};

/// What each message begins with.
const MARK: &[u8] = b"NTLMSSP\0";

/// Text in UTF-16, rather than in the machine's own alphabet (section 2.2.2.5).
const UNICODE: u32 = 1;
/// A challenge names the server.
const TARGET_INFO: u32 = 1 << 23;
/// A negotiation names the domain, and the machine.
const DOMAIN: u32 = 1 << 12;
const WORKSTATION: u32 = 1 << 13;

/// A name in a message.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// Whose: `user`, `domain`, `workstation`, `server`.
    of: &'static str,
    text: Vec<u8>,
    at: Range<usize>,
    /// It stands there in UTF-16.
    wide: bool,
}

/// What was undone to read names that are `wide`.
pub const WIDE: &[&str] = &["utf-16"];

/// Tells the names in the message that these bytes hold, each under `prefix`: what was undone to come by the bytes, and where a range of
/// them stands.
pub fn tell(bytes: &[u8], prefix: &str, undone: &[&'static str], place: impl Fn(Range<usize>) -> Span, out: &mut dyn Sink) {
    for it in names(bytes) {
        out.decoded(&[undone, if it.wide { WIDE } else { &[] }].concat());
        out.field(Field {
            path: &format!("{prefix}.{}", it.of),
            value: &it.text,
            at: place(it.at),
        });
    }
    out.decoded(&[]);
}

/// The names in the message that these bytes hold, if they hold one: GSS-API and SPNEGO wrap it in theirs.
fn names(bytes: &[u8]) -> Vec<Name> {
    let Some(start) = memmem::find(bytes, MARK) else {
        return Vec::new();
    };
    let message = bytes.get(start..).unwrap_or_default();
    let mut names = Vec::new();
    // What could be read before a message breaks off stands.
    let _ = read(message, &mut names);
    for it in &mut names {
        it.at = it.at.start.saturating_add(start)..it.at.end.saturating_add(start);
    }
    names
}

fn read(message: &[u8], names: &mut Vec<Name>) -> Result<(), Stop> {
    let mut it = Cursor::new("ntlm", message);
    it.skip(MARK.len())?;
    let mut tell = |of, range: Range<usize>, wide| names.extend(name(of, message, range, wide));
    match little_32(&mut it)? {
        1 => {
            let flags = little_32(&mut it)?;
            for (of, flag) in [("domain", DOMAIN), ("workstation", WORKSTATION)] {
                let place = place(&mut it)?;
                if flags & flag != 0 {
                    tell(of, place, false);
                }
            }
        }
        2 => {
            place(&mut it)?;
            let flags = little_32(&mut it)?;
            // The challenge, and what is reserved.
            it.skip(16)?;
            if flags & TARGET_INFO == 0 {
                return Ok(());
            }
            let info = place(&mut it)?;
            let mut pairs = Cursor::new("ntlm", message.get(info.clone()).unwrap_or_default());
            while let (kind @ 1.., length) = (little(&mut pairs)?, little(&mut pairs)?) {
                let from = info.start.saturating_add(pairs.offset());
                pairs.skip(length.into())?;
                match kind {
                    3 => tell("server", from..from.saturating_add(length.into()), true),
                    4 => tell("domain", from..from.saturating_add(length.into()), true),
                    _ => {}
                }
            }
        }
        3 => {
            // Two responses.
            it.skip(16)?;
            let places = [place(&mut it)?, place(&mut it)?, place(&mut it)?];
            // The key of the session.
            it.skip(8)?;
            let wide = little_32(&mut it)? & UNICODE != 0;
            for (of, place) in ["domain", "user", "workstation"].into_iter().zip(places) {
                tell(of, place, wide);
            }
        }
        _ => {}
    }
    Ok(())
}

fn name(of: &'static str, message: &[u8], at: Range<usize>, wide: bool) -> Option<Name> {
    let bytes = message.get(at.clone()).filter(|it| !it.is_empty())?;
    let mut text = if wide { widened(bytes)? } else { bytes.to_vec() };
    // Machines log in too: their accounts go by their names, with a sign behind them (MS-SAMR, section 3.1.1.4).
    if of != "user" || text.last() != Some(&b'$') {
        return Some(Name { of, text, at, wide });
    }
    text.pop();
    Some(Name {
        of: "workstation",
        text,
        at: at.start..at.end.saturating_sub(if wide { 2 } else { 1 }),
        wide,
    })
}

/// Text that stands in UTF-16, the low byte first; `None` where it is none.
pub fn widened(bytes: &[u8]) -> Option<Vec<u8>> {
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    let text: Result<String, _> = char::decode_utf16(units.iter().map(|it| u16::from_le_bytes(*it))).collect();
    text.ok().map(String::into_bytes)
}

/// Where a part of the message stands: its length, the room kept for it, and its offset (section 2.2.1.3).
fn place(it: &mut Cursor<'_>) -> Result<Range<usize>, Stop> {
    let length = usize::from(little(it)?);
    it.skip(2)?;
    let from = little_32(it)? as usize;
    Ok(from..from.saturating_add(length))
}

/// A number with its low byte first.
pub fn little(it: &mut Cursor<'_>) -> Result<u16, Stop> {
    Ok(u16::from_le_bytes(it.array()?))
}

/// The same of four bytes.
pub fn little_32(it: &mut Cursor<'_>) -> Result<u32, Stop> {
    Ok(u32::from_le_bytes(it.array()?))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// A message: its kind, what stands in front of the places, the places, what follows them, and what they lead to.
    fn message(kind: u32, head: &[u8], parts: &[Vec<u8>], tail: &[u8]) -> Vec<u8> {
        let mut out = [MARK, &kind.to_le_bytes(), head].concat();
        let mut at = out.len() + 8 * parts.len() + tail.len();
        for part in parts {
            let length = (part.len() as u16).to_le_bytes();
            out.extend([length, length].concat());
            out.extend((at as u32).to_le_bytes());
            at += part.len();
        }
        out.extend(tail);
        out.extend(parts.concat());
        out
    }

    /// What a client answers a challenge with.
    pub fn answer() -> Vec<u8> {
        let parts = [
            vec![1; 24],
            vec![2; 24],
            wide("ROOMS"),
            wide("grace.h"),
            wide("GRACE-PC"),
            vec![3; 16],
        ];
        message(3, b"", &parts, &UNICODE.to_le_bytes())
    }

    fn told(bytes: &[u8]) -> Vec<(&'static str, String)> {
        let names = names(bytes).into_iter();
        names.map(|it| (it.of, String::from_utf8(it.text).unwrap())).collect()
    }

    #[test]
    fn an_answer_names_user_domain_and_machine_in_place() {
        let wrapped = [&b"\x60\x82\x01\x02spnego"[..], &answer()].concat();
        let wanted = [("domain", "ROOMS"), ("user", "grace.h"), ("workstation", "GRACE-PC")];
        assert_eq!(told(&wrapped), wanted.map(|(of, text)| (of, text.to_owned())));
        for it in names(&wrapped) {
            assert_eq!(widened(&wrapped[it.at.clone()]), Some(it.text));
        }
        // As old machines send it.
        let parts = [b"", b"", &b"ROOMS"[..], b"grace.h", b"", b""].map(<[u8]>::to_vec);
        let old = message(3, b"", &parts, &0_u32.to_le_bytes());
        assert_eq!(told(&old), [("domain", "ROOMS".into()), ("user", "grace.h".into())]);
    }

    #[test]
    fn machines_are_no_users() {
        for (parts, flags) in [
            ([wide("ROOMS"), wide("GRACE-PC$")], UNICODE),
            ([b"ROOMS".to_vec(), b"GRACE-PC$".to_vec()], 0),
        ] {
            let [domain, user] = parts;
            let it = message(3, b"", &[vec![], vec![], domain, user, vec![], vec![]], &flags.to_le_bytes());
            assert_eq!(told(&it), [("domain", "ROOMS".into()), ("workstation", "GRACE-PC".into())]);
            let name = names(&it).pop().unwrap();
            assert_eq!(&it[name.at.end..][..1], b"$");
        }
    }

    #[test]
    fn the_other_messages_name_machines() {
        let flags = (DOMAIN | WORKSTATION).to_le_bytes();
        let hello = message(1, &flags, &[b"ROOMS".to_vec(), b"GRACE-PC".to_vec()], b"");
        assert_eq!(told(&hello), [("domain", "ROOMS".into()), ("workstation", "GRACE-PC".into())]);
        let info = [(2_u16, "ROOMS"), (3, "files.rooms.example"), (4, "rooms.example")].map(|(kind, text)| {
            let text = wide(text);
            [&kind.to_le_bytes()[..], &(text.len() as u16).to_le_bytes(), &text].concat()
        });
        let info = [info.concat(), vec![0; 4]].concat();
        let mut challenge = message(
            2,
            b"",
            &[wide("ROOMS")],
            &[&TARGET_INFO.to_le_bytes()[..], &[7; 16], &[0; 8]].concat(),
        );
        let at = challenge.len() as u32;
        challenge[40..48].copy_from_slice(&[&(info.len() as u16).to_le_bytes()[..], &[0; 2], &at.to_le_bytes()].concat());
        challenge.extend(info);
        assert_eq!(
            told(&challenge),
            [("server", "files.rooms.example".into()), ("domain", "rooms.example".into())]
        );
    }

    #[test]
    fn damage_never_panics() {
        let whole = answer();
        for end in 0..whole.len() {
            names(&whole[..end]);
            let mut wrong = whole.clone();
            wrong[end] ^= 0xff;
            names(&wrong);
        }
        assert_eq!(names(b"NTLMSSPx"), []);
        assert_eq!(widened(b"a"), None);
        assert_eq!(widened(b"\x00\xd8"), None);
    }
}
