//! A login of TDS 7 (MS-TDS, section 2.2.6.4).

use std::ops::Range;

use super::tell_wide;
use crate::cursor::{Cursor, Stop};
use crate::protocols::Sink;
use crate::protocols::lines::Line;
use crate::protocols::ntlm::{self, little, widened};

/// Bytes before the places of the names.
const FIXED: usize = 36;

/// Tells a login.
pub(super) fn read(all: &Line<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
    let mut it = Cursor::new("tds", all.text());
    it.skip(FIXED)?;
    let wide: [&str; 9] = [
        "tds.workstation",
        "tds.user",
        "",
        "tds.application",
        "tds.server",
        "",
        "tds.library",
        "",
        "tds.database",
    ];
    for (number, path) in (0..).zip(wide) {
        let at = place(&mut it, 2)?;
        match number {
            2 => password(all, at, out),
            // Extensions, and a language.
            5 | 7 => {}
            _ => tell_wide(path, all, at, out),
        }
    }
    let from = it.offset();
    let mac = it.array::<6>()?;
    if mac != [0; 6] {
        let [a, b, c, d, e, f] = mac;
        let text = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        all.tell_as("tds.mac", text.as_bytes(), from..from.saturating_add(6), out);
    }
    let proof = place(&mut it, 1)?;
    names(all, proof, out);
    // A file; then the password that is wanted from now on.
    place(&mut it, 2)?;
    let changed = place(&mut it, 2)?;
    password(all, changed, out);
    Ok(())
}

/// Where something stands, and how many units of so many bytes it has.
fn place(it: &mut Cursor<'_>, unit: usize) -> Result<Range<usize>, Stop> {
    let (from, length) = (usize::from(little(it)?), usize::from(little(it)?));
    Ok(from..from.saturating_add(length.saturating_mul(unit)))
}

/// Each byte has 0xa5 added without carry, and its halves changed places before that.
fn password(all: &Line<'_>, at: Range<usize>, out: &mut dyn Sink) {
    let plain: Vec<u8> = all.get(at.clone()).iter().map(|it| (it ^ 0xa5).rotate_left(4)).collect();
    if let Some(text) = widened(&plain) {
        out.decoded(&["mask", "utf-16"]);
        all.tell_as("tds.password", &text, at, out);
        out.decoded(&[]);
    }
}

/// The names in a login by NTLM.
pub(super) fn names(all: &Line<'_>, at: Range<usize>, out: &mut dyn Sink) {
    let place = |it: Range<usize>| all.span(it.start.saturating_add(at.start)..it.end.saturating_add(at.start));
    ntlm::tell(all.get(at.clone()), "tds", &[], place, out);
}
