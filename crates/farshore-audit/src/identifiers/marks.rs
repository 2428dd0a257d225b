//! One pass over a text for what makes a pack look into it: key names that a value can follow, and anchors.
//!
//! A key name tells nothing without a separator behind it. So the pass stops at separators and at the rarest byte
//! of each anchor, and reads backwards from there; everything else costs one look into a table. It refuses to judge:
//! whether there is a value, and what it is, is for [`hints`] and the packs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pack::Ready;
use super::shape::Surroundings;
use super::{base64, hints};

/// Some of the packs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PackSet(u64);

impl PackSet {
    /// As many packs as there can be.
    pub const MOST: usize = 64;

    pub fn add(&mut self, pack: usize) {
        self.0 |= Self::bit(pack);
    }

    pub fn has(self, pack: usize) -> bool {
        self.0 & Self::bit(pack) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// By number.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST).filter(move |pack| self.has(*pack))
    }

    fn bit(pack: usize) -> u64 {
        u32::try_from(pack).ok().and_then(|pack| 1_u64.checked_shl(pack)).unwrap_or(0)
    }
}

/// What was marked in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// It is UTF-8 without control characters but those of lines.
    pub textual: bool,
    /// Before this place there is no run of base64 long enough to be looked into.
    pub runs_from: usize,
    /// Packs of which an anchor occurs where a match can be.
    pub anchored: PackSet,
    /// Where, with the pack: the first [`MOST_PLACES`] of all.
    pub places: Vec<(usize, usize)>,
    /// Key names that a separator follows, with their packs: by their end, the longest first, packs in order.
    pub keys: Vec<(usize, Range<usize>)>,
}

/// Places of anchors that are remembered; those of the rest are looked for when they are needed.
const MOST_PLACES: usize = 256;
/// Bytes that are looked at together, a bit each.
const WIDTH: usize = 64;

/// A control character other than those of lines.
const CONTROL: u8 = 0x80;
/// Not ASCII.
const HIGH: u8 = 0x40;
/// The pass stops here.
const STOPS: u8 = 0x20;
/// Of a run of base64.
const RUN: u8 = 0x10;
/// The rest of a class: where it stops, the number of the stop.
const NUMBER: u8 = 0x0f;

/// Looks for marks.
#[derive(Debug)]
pub(super) struct Marker {
    /// What each byte is.
    classes: [u8; 256],
    stops: Vec<Stop>,
    /// By the byte before a stop: the numbers of the stops that can then be of use, a bit each.
    by_before: [u16; 256],
    /// By the byte behind it.
    by_next: [u16; 256],
    names: Names,
    /// Field paths, and the packs whose business their whole value is.
    paths: Vec<(String, PackSet)>,
    /// Their lengths modulo 64, a bit each.
    path_lengths: u64,
    /// Beginnings of such paths.
    path_starts: Vec<(String, PackSet)>,
}

/// A byte at which the pass stops.
#[derive(Debug, Default)]
struct Stop {
    separator: Option<u8>,
    anchors: Vec<Anchor>,
}

impl Stop {
    fn follows(&self, byte: u8, names: &Names) -> bool {
        let key = names.end_in(byte) || matches!(byte, b' ' | b'\t' | b'"' | b'\'');
        let anchor = |it: &Anchor| it.around.before().is_none_or(|set| set.has(byte));
        self.separator.is_some() && key || self.anchors.iter().any(anchor)
    }

    fn precedes(&self, byte: u8) -> bool {
        let anchor = |it: &Anchor| it.around.after().is_none_or(|set| set.has(byte));
        let value = self.separator.is_some_and(|separator| hints::may_go_on(separator, byte));
        value || self.anchors.iter().any(anchor)
    }
}

#[derive(Debug)]
struct Anchor {
    pack: usize,
    /// Around the stop.
    around: Surroundings,
}

impl Marker {
    /// For packs of which there are no more than [`PackSet::MOST`].
    pub fn new(packs: &[Ready]) -> Result<Self, &'static str> {
        let mut it = Self {
            classes: [0; 256],
            stops: Vec::new(),
            by_before: [0; 256],
            by_next: [0; 256],
            names: Names::default(),
            paths: Vec::new(),
            path_lengths: 0,
            path_starts: Vec::new(),
        };
        if packs.len() > PackSet::MOST {
            return Err("there are more than 64 packs");
        }
        for (byte, class) in (0..=u8::MAX).zip(&mut it.classes) {
            let flags = [
                (!is_plain(byte), CONTROL),
                (!byte.is_ascii(), HIGH),
                (base64::is_char_or_percent(byte), RUN),
            ];
            *class = flags.iter().filter(|(is, _)| *is).fold(0, |all, (_, flag)| all | flag);
        }
        // What may follow a name: `=`, `:`, either percent-encoded, and the end of an XML tag.
        for byte in *b"=:%>" {
            it.stop(byte)?.separator = Some(byte);
        }
        let mut paths = BTreeMap::<&str, PackSet>::new();
        for (number, ready) in packs.iter().enumerate() {
            for (anchor, around) in &ready.anchors {
                it.add_anchor(number, anchor, around)?;
            }
            for name in ready.key_spellings() {
                it.names.add(number, name.as_bytes())?;
            }
            for path in &ready.pack.paths {
                paths.entry(path).or_default().add(number);
            }
        }
        for (path, packs) in paths {
            match path.strip_suffix('*') {
                Some(start) => it.path_starts.push((start.to_owned(), packs)),
                None => {
                    it.path_lengths |= 1 << (path.len() & 63);
                    it.paths.push((path.to_owned(), packs));
                }
            }
        }
        let each = |is: &dyn Fn(&Stop) -> bool| it.stops.iter().rev().fold(0, |all, stop| all << 1 | u16::from(is(stop)));
        for (byte, (before, next)) in (0..=u8::MAX).zip(it.by_before.iter_mut().zip(&mut it.by_next)) {
            *before = each(&|stop| stop.follows(byte, &it.names));
            *next = each(&|stop| stop.precedes(byte));
        }
        Ok(it)
    }

    /// Marks a text.
    pub fn marks(&self, text: &[u8]) -> Marks {
        let mut marks = Marks {
            runs_from: text.len(),
            ..Marks::default()
        };
        let (mut seen, mut before) = (0, 0);
        let mut start = 0_usize;
        for chunk in text.chunks(WIDTH) {
            // Without a branch for each byte: what it is cannot be foreseen.
            let (mut stops, mut runs, mut place) = (0, 0, 0_u32);
            let (eights, rest) = chunk.as_chunks::<8>();
            for eight in eights {
                let classes = self.classes_of(eight);
                seen |= classes;
                stops |= bits(classes, STOPS) << place;
                runs |= bits(classes, RUN) << place;
                place = place.saturating_add(8);
            }
            if !rest.is_empty() {
                // Of a whole eight, of which some were seen: its length is known, and that is quick.
                let seen_of_it = 8_u32.saturating_sub(u32::try_from(rest.len()).unwrap_or(0)).saturating_mul(8);
                let last = chunk.last_chunk::<8>().map(|eight| self.classes_of(eight) >> seen_of_it);
                let one_by_one = || rest.iter().rev().fold(0, |all, byte| all << 8 | u64::from(self.class(*byte)));
                let classes = last.unwrap_or_else(one_by_one);
                seen |= classes;
                stops |= bits(classes, STOPS) << place;
                runs |= bits(classes, RUN) << place;
            }
            if marks.runs_from == text.len() && has_sixteen(runs, before) {
                marks.runs_from = start.saturating_sub(15);
            }
            before = runs;
            while stops != 0 {
                let place = usize::try_from(stops.trailing_zeros()).unwrap_or(WIDTH);
                stops &= stops.wrapping_sub(1);
                self.stop_at(text, start.saturating_add(place), &mut marks);
            }
            start = start.saturating_add(WIDTH);
        }
        marks.textual = bits(seen, CONTROL) == 0 && (bits(seen, HIGH) == 0 || str::from_utf8(text).is_ok());
        marks
    }

    /// The classes of eight bytes, the first in the lowest place.
    fn classes_of(&self, bytes: &[u8; 8]) -> u64 {
        let (mut all, mut place) = (0, 0_u32);
        for byte in bytes {
            all |= u64::from(self.class(*byte)) << place;
            place = place.saturating_add(8);
        }
        all
    }

    /// Packs whose business a field of this path is, by the last name in it or as a whole.
    pub fn named(&self, path: &str) -> PackSet {
        let mut named = PackSet::default();
        self.names.before(path.as_bytes(), path.len(), |pack, _| named.add(pack));
        // Lengths first, and the last byte: few paths get further.
        if self.path_lengths >> (path.len() & 63) & 1 == 1 {
            let exact = self.paths.iter().filter(|(known, _)| known == path);
            exact.for_each(|(_, packs)| named.0 |= packs.0);
        }
        for (start, packs) in &self.path_starts {
            let last = start.len().checked_sub(1).and_then(|last| path.as_bytes().get(last));
            if last == start.as_bytes().last() && path.starts_with(start.as_str()) {
                named.0 |= packs.0;
            }
        }
        named
    }

    /// The next place of an anchor of this pack, where a match can be, in a text and its marks.
    pub fn anchor(&self, text: &[u8], marks: &Marks, from: usize, pack: usize) -> Option<usize> {
        let known = marks.places.iter().find(|(of, place)| *of == pack && *place >= from);
        if let Some((_, place)) = known {
            return Some(*place);
        }
        let (_, last) = marks.places.last().filter(|_| marks.places.len() >= MOST_PLACES)?;
        (from.max(*last)..text.len()).find(|place| {
            self.anchors_at(text, *place)
                .any(|anchor| anchor.pack == pack && anchor.around.are_at(text, *place))
        })
    }

    fn class(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// The stop that is here, if it can be of use between its neighbours.
    fn stop_of(&self, text: &[u8], place: usize) -> Option<&Stop> {
        let class = self.class(*text.get(place)?);
        let number = (class & STOPS != 0).then_some(class & NUMBER)?;
        let useful = |by: &[u16; 256], place: Option<usize>| {
            let neighbour = place.and_then(|place| text.get(place));
            neighbour.map_or(u16::MAX, |byte| by.get(usize::from(*byte)).copied().unwrap_or(0))
        };
        let useful = useful(&self.by_before, place.checked_sub(1)) & useful(&self.by_next, place.checked_add(1));
        (useful >> number & 1 == 1).then(|| self.stops.get(usize::from(number)))?
    }

    fn anchors_at(&self, text: &[u8], place: usize) -> impl Iterator<Item = &Anchor> {
        self.stop_of(text, place).into_iter().flat_map(|stop| &stop.anchors)
    }

    /// The stop at a byte, which it becomes if it is none yet.
    fn stop(&mut self, byte: u8) -> Result<&mut Stop, &'static str> {
        const TOO_MANY: &str = "there are too many anchors";
        let class = self.classes.get_mut(usize::from(byte)).ok_or(TOO_MANY)?;
        if *class & STOPS == 0 {
            let number = u8::try_from(self.stops.len()).ok().filter(|it| *it <= NUMBER).ok_or(TOO_MANY)?;
            *class |= STOPS | number;
            self.stops.push(Stop::default());
        }
        self.stops.get_mut(usize::from(*class & NUMBER)).ok_or(TOO_MANY)
    }

    fn add_anchor(&mut self, pack: usize, text: &[u8], around: &Surroundings) -> Result<(), &'static str> {
        // Letters and digits are common in text, in base64 and in hex.
        let rare = text.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let around = around.from(rare.unwrap_or(text.len().saturating_sub(1)));
        for byte in (0..=u8::MAX).filter(|byte| around.at().is_some_and(|set| set.has(*byte))) {
            let around = around.clone();
            self.stop(byte)?.anchors.push(Anchor { pack, around });
        }
        Ok(())
    }

    fn stop_at(&self, text: &[u8], at: usize, marks: &mut Marks) {
        let Some(stop) = self.stop_of(text, at) else {
            return;
        };
        if stop.separator.is_some()
            && let Some(end) = hints::end_of_key(text, at)
        {
            let first = marks.keys.len();
            self.names.before(text, end, |pack, start| marks.keys.push((pack, start..end)));
            if let Some(found) = marks.keys.get_mut(first..) {
                found.reverse();
            }
        }
        for anchor in &stop.anchors {
            let room = marks.places.len() < MOST_PLACES;
            if (room || !marks.anchored.has(anchor.pack)) && anchor.around.are_at(text, at) {
                marks.anchored.add(anchor.pack);
                if room {
                    marks.places.push((anchor.pack, at));
                }
            }
        }
    }
}

/// A bit for each of eight classes that has this flag, the first the lowest.
pub(super) fn bits(classes: u64, flag: u8) -> u64 {
    let each = classes >> flag.trailing_zeros() & 0x0101_0101_0101_0101;
    // Each bit is moved to its place in the highest byte of a product; no two meet on the way.
    each.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Whether sixteen bits in a row are set in these, or at the end of those before and in these.
fn has_sixteen(these: u64, before: u64) -> bool {
    [these, these << 16 | before >> 48].into_iter().any(|bits| {
        let two = bits & bits >> 1;
        let four = two & two >> 2;
        let eight = four & four >> 4;
        eight & eight >> 8 != 0
    })
}

/// Printable, or of the control characters of lines.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || matches!(byte, b'\t' | b'\r' | b'\n')
}

/// Key names, to be read backwards from their ends.
#[derive(Debug)]
struct Names {
    /// What each byte is in a name, from 1, in either case; 0 is in none.
    letters: [u8; 256],
    nodes: Vec<Node>,
}

/// The names that end alike.
#[derive(Clone, Debug)]
struct Node {
    /// By letter: the node of names that go on with it; 0 is none.
    next: [u16; LETTERS],
    /// Packs that have a name of which this is the beginning, the last first.
    packs: Vec<usize>,
}

const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_-.";
/// With one for what is in no name.
const LETTERS: usize = 40;

impl Default for Names {
    fn default() -> Self {
        let mut letters = [0; 256];
        for (number, byte) in (1_u8..).zip(ALPHABET) {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                if let Some(it) = letters.get_mut(usize::from(byte)) {
                    *it = number;
                }
            }
        }
        Self {
            letters,
            nodes: vec![Node::EMPTY],
        }
    }
}

impl Node {
    const EMPTY: Self = Self {
        next: [0; LETTERS],
        packs: Vec::new(),
    };
}

impl Names {
    fn add(&mut self, pack: usize, name: &[u8]) -> Result<(), &'static str> {
        // A separator is looked for behind a letter or digit.
        if !name.last().is_some_and(u8::is_ascii_alphanumeric) {
            return Err("a key does not end in a letter or digit");
        }
        let mut node = 0_usize;
        for byte in name.iter().rev() {
            let letter = self
                .letter(*byte)
                .ok_or("a key has other characters than letters, digits, `_`, `-`, `.` and spaces")?;
            let fresh = u16::try_from(self.nodes.len()).map_err(|_| "there are too many keys")?;
            let Some(next) = self.nodes.get_mut(node).and_then(|node| node.next.get_mut(letter)) else {
                break;
            };
            if *next == 0 {
                *next = fresh;
                node = usize::from(fresh);
                self.nodes.push(Node::EMPTY);
            } else {
                node = usize::from(*next);
            }
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.packs.insert(0, pack);
        }
        Ok(())
    }

    /// Whether any name ends in this byte.
    fn end_in(&self, byte: u8) -> bool {
        let last = self.letter(byte).and_then(|letter| self.nodes.first()?.next.get(letter));
        last.is_some_and(|node| *node > 0)
    }

    fn letter(&self, byte: u8) -> Option<usize> {
        self.letters.get(usize::from(byte)).map(|it| usize::from(*it)).filter(|it| *it > 0)
    }

    /// Names that end here and begin as names do: their packs and starts, the shortest name first, the last pack first.
    fn before(&self, text: &[u8], end: usize, mut found: impl FnMut(usize, usize)) {
        let Some(mut node) = self.nodes.first() else {
            return;
        };
        let mut start = end;
        for byte in text.get(..end).unwrap_or(&[]).iter().rev() {
            let Some(next) = self.letter(*byte).and_then(|letter| node.next.get(letter)).filter(|it| **it > 0) else {
                return;
            };
            let Some(next) = self.nodes.get(usize::from(*next)) else {
                return;
            };
            node = next;
            start = start.saturating_sub(1);
            if !node.packs.is_empty() && hints::begins_name(text, start) {
                for pack in &node.packs {
                    found(*pack, start);
                }
            }
        }
    }
}
