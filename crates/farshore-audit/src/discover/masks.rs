//! Payload under one constant byte (XOR), as some protocols hide themselves: told by what it becomes without. It refuses masks
//! that would have to be guessed from values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use farshore_model::{Ledger, Specimen};

use super::{structure, text};

/// Messages of a service that are looked at.
const LOOKED_AT: usize = 64;
/// So many equal bytes in a row, in nearly every message, are zeros under a mask.
const ROW: usize = 3;

/// The bytes of each specimen without the mask of its service, and the mask.
pub(super) fn unmasked(ledger: &Ledger) -> Vec<(Cow<'_, [u8]>, u8)> {
    let mut services: BTreeMap<(&str, u16, bool), Vec<&Specimen>> = BTreeMap::new();
    let key = |it: &'_ Specimen| {
        let port = ledger.flows.get(it.flow.0 as usize).map_or(0, |flow| flow.server.port);
        (port, it.direction == Some(farshore_model::Direction::Up))
    };
    for it in ledger.specimens.iter().filter(|it| it.payload) {
        let (port, up) = key(it);
        let some = services.entry((&it.path, port, up)).or_default();
        if some.len() < LOOKED_AT {
            some.push(it);
        }
    }
    // What one capture has is compared with nothing.
    let compared = |it: &[&Specimen]| it.iter().any(|a| it.first().is_some_and(|b| a.locus.input != b.locus.input));
    let masks = services.into_iter().filter(|(_, it)| compared(it));
    let masks: BTreeMap<_, u8> = masks.map(|(key, it)| (key, mask(&it))).collect();
    let plain = |it| {
        let specimen: &Specimen = it;
        let (port, up) = key(specimen);
        let mask = masks
            .get(&(&*specimen.path, port, up))
            .copied()
            .filter(|_| specimen.payload)
            .unwrap_or(0);
        let bytes = match mask {
            0 => Cow::Borrowed(&*specimen.bytes),
            mask => Cow::Owned(specimen.bytes.iter().map(|it| it ^ mask).collect()),
        };
        (bytes, mask)
    };
    ledger.specimens.iter().map(plain).collect()
}

/// The byte that lies over all of these; 0: none does.
fn mask(messages: &[&Specimen]) -> u8 {
    let is_text = |mask: u8| {
        messages.iter().all(|it| {
            let bytes: Vec<u8> = it.bytes.iter().map(|it| it ^ mask).collect();
            bytes.len() > 8 && text::is_text(&bytes) && bytes.iter().any(u8::is_ascii_alphabetic)
        })
    };
    // A word of few letters, or a message cut in two, makes a service of texts no less one.
    let texts = messages.iter().filter(|it| it.bytes.len() < 4 || text::is_text(&it.bytes)).count();
    if messages.len() < 4 || texts.saturating_mul(20) >= messages.len().saturating_mul(19) {
        return 0;
    }
    // A mask that leaves letters letters has neighbours that do so as well: the one under which most is words is told.
    let wordy = |mask: u8| -> usize {
        let all = messages.iter().flat_map(|it| &it.bytes).map(|it| it ^ mask);
        all.filter(|it| it.is_ascii_alphanumeric() || b"=&\":,{} \r\n".contains(it)).count()
    };
    if let Some(best) = best((1..=u8::MAX).filter(|it| is_text(*it)).map(|it| (wordy(it), it))) {
        return best;
    }
    let under = |mask: u8| -> Vec<Vec<u8>> { messages.iter().map(|it| it.bytes.iter().map(|it| it ^ mask).collect()).collect() };
    let formed = |mask: u8| {
        messages.iter().all(|it| it.length == it.bytes.len() as u64) && structure::is_formed(&under(mask), if mask == 0 { 1 } else { 2 })
    };
    if formed(0) {
        return 0;
    }
    let mut candidates = (1..=u8::MAX).filter(|it| formed(*it));
    if let (Some(only), None) = (candidates.next(), candidates.next()) {
        return only;
    }
    // Texts behind their lengths, as long in all as under no other mask.
    let nearly_all = |count: usize| count.saturating_mul(10) >= messages.len().saturating_mul(9);
    let some = |count: usize| count >= 4 && count.saturating_mul(20) >= messages.len();
    for (least, enough) in [(9, &nearly_all as &dyn Fn(usize) -> bool), (16, &some)] {
        let longest: Vec<Vec<usize>> = messages.iter().map(|it| prefixed(&it.bytes, least)).collect();
        let texts = |mask: u8| -> (usize, usize) {
            let of_mask = longest.iter().filter_map(|it| it.get(usize::from(mask)));
            (of_mask.clone().filter(|it| **it > 0).count(), of_mask.sum())
        };
        if enough(texts(0).0) {
            return 0;
        }
        let found = (1..=u8::MAX).map(|it| (texts(it), it)).filter(|((count, _), _)| enough(*count));
        if let Some(best) = best(found.map(|((_, sum), it)| (sum, it))) {
            return best;
        }
    }
    // How many messages have a row of each byte.
    let mut having = vec![0_usize; 256];
    for it in messages {
        let rows = it.bytes.windows(ROW).filter(|row| row.iter().all(|it| row.first() == Some(it)));
        let rows: BTreeSet<u8> = rows.filter_map(|it| it.first()).copied().collect();
        for byte in rows {
            if let Some(count) = having.get_mut(usize::from(byte)) {
                *count = count.saturating_add(1);
            }
        }
    }
    let rows = |byte: u8| having.get(usize::from(byte)).is_some_and(|it| nearly_all(*it));
    if rows(0) {
        return 0;
    }
    let mut candidates = (1..u8::MAX).filter(|it| rows(*it));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => only,
        _ => 0,
    }
}

/// The mask of the highest score, if no other has it.
fn best(scores: impl Iterator<Item = (usize, u8)>) -> Option<u8> {
    let mut scores: Vec<(usize, u8)> = scores.collect();
    scores.sort_unstable_by(|a, b| b.cmp(a));
    match scores.as_slice() {
        [only] => Some(only.1),
        [first, second, ..] if first.0 > second.0 => Some(first.1),
        _ => None,
    }
}

/// By mask, the longest text, of no fewer bytes than that, behind a byte of its length.
fn prefixed(bytes: &[u8], least: usize) -> Vec<usize> {
    let text = |it: u8| it.is_ascii_alphanumeric() || b"-_+/=".contains(&it);
    let mut longest = vec![0; 256];
    for (before, start) in bytes.iter().zip(1_usize..) {
        // Text has no top bits: under a mask all of its bytes have the same.
        let Some(opening) = bytes.get(start..start.saturating_add(least)) else {
            break;
        };
        if opening.iter().any(|it| (it ^ opening.first().copied().unwrap_or(0)) >= 0x80) {
            continue;
        }
        for length in least..=usize::from(u8::MAX).min(bytes.len().saturating_sub(start)) {
            let mask = before ^ u8::try_from(length).unwrap_or(u8::MAX);
            let whole = bytes.get(start..start.saturating_add(length)).unwrap_or_default();
            if whole.iter().all(|it| text(it ^ mask))
                && let Some(known) = longest.get_mut(usize::from(mask))
            {
                *known = length.max(*known);
            }
        }
    }
    longest
}
