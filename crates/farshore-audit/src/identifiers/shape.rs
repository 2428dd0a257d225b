//! What all matches of a pattern have in common, read off its syntax: looks at a few bytes that spare a search.
//!
//! Refuses to guess: where the pattern leaves open how far along a match is, or has too many spellings, it says
//! nothing.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Further than this a look at the first bytes spares nothing more.
const LONGEST: usize = 32;

/// Spellings that are tried one by one.
const MOST_SPELLINGS: usize = 16;

/// Some of the 256 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    fn of(ranges: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let mut set = Self::default();
        for byte in ranges.into_iter().flat_map(|(first, last)| first..=last) {
            if let Some(word) = set.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        set
    }

    pub fn has(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        word >> (byte & 63) & 1 == 1
    }

    /// Whether it has none but those given, and has any.
    fn is_within(&self, other: impl Fn(u8) -> bool) -> bool {
        let mut own = (0..=u8::MAX).filter(|byte| self.has(*byte)).peekable();
        own.peek().is_some() && own.all(other)
    }

    fn with(self, other: Self) -> Self {
        let mut both = self;
        for (mine, theirs) in both.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        both
    }
}

/// A text that stands in each match, with what must stand around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Where in them the text begins.
    pub before: usize,
    /// The bytes that can stand at each place, the text among them.
    pub places: Vec<ByteSet>,
}

impl Surroundings {
    /// What the pattern wants around one of these texts, in either case, of which each match has one in it.
    pub fn of(pattern: &Hir, text: &[u8], texts: &[&[u8]]) -> Self {
        let single = |byte: u8| texts.contains(&[byte].as_slice());
        let heads = begin(pattern).places;
        if let Some(before) = heads.iter().position(|set| set.is_within(single)) {
            return Self { before, places: heads };
        }
        let any_case = |byte: &u8| ByteSet::of([byte.to_ascii_lowercase(), byte.to_ascii_uppercase()].map(|it| (it, it)));
        let any_case = text.iter().map(any_case).collect();
        let Some(inner) = inner(pattern, texts) else {
            return Self {
                before: 0,
                places: any_case,
            };
        };
        let alike = inner.spellings.iter().filter(|it| it.eq_ignore_ascii_case(text));
        let exact = alike.map(|it| it.iter().map(|byte| ByteSet::of([(*byte, *byte)])).collect());
        let exact = exact.reduce(|one: Vec<ByteSet>, other| one.iter().zip(other).map(|(one, other)| one.with(other)).collect());
        Self {
            before: usize::from(inner.before.is_some()),
            places: inner
                .before
                .into_iter()
                .chain(exact.unwrap_or(any_case))
                .chain(inner.after)
                .collect(),
        }
    }

    /// The same as seen from a byte of the text further on.
    pub fn from(&self, place: usize) -> Self {
        Self {
            before: self.before.saturating_add(place),
            places: self.places.clone(),
        }
    }

    /// What may stand there.
    pub fn at(&self) -> Option<&ByteSet> {
        self.places.get(self.before)
    }

    /// What must stand before that, if anything must.
    pub fn before(&self) -> Option<&ByteSet> {
        self.before.checked_sub(1).and_then(|before| self.places.get(before))
    }

    /// What must stand after it, if anything must.
    pub fn after(&self) -> Option<&ByteSet> {
        self.places.get(self.before.saturating_add(1))
    }

    /// Whether they are as wanted around this place.
    pub fn are_at(&self, text: &[u8], start: usize) -> bool {
        let here = start
            .checked_sub(self.before)
            .and_then(|start| text.get(start..start.checked_add(self.places.len())?));
        here.is_some_and(|here| self.places.iter().zip(here).all(|(set, byte)| set.has(*byte)))
    }
}

/// A part of a pattern that is nothing but one of some texts.
struct Inner {
    spellings: Vec<Vec<u8>>,
    before: Option<ByteSet>,
    after: Vec<ByteSet>,
}

fn inner(pattern: &Hir, texts: &[&[u8]]) -> Option<Inner> {
    let HirKind::Concat(parts) = pattern.kind() else {
        return None;
    };
    let is_one = |part: &Vec<u8>| texts.iter().any(|text| part.eq_ignore_ascii_case(text));
    let all_are = |part: &Hir| spellings(part).filter(|all| all.iter().all(is_one));
    let (place, spellings) = parts.iter().enumerate().find_map(|(place, part)| Some((place, all_are(part)?)))?;
    let (before, rest) = parts.split_at_checked(place)?;
    let after = in_a_row(rest.split_first()?.1);
    Some(Inner {
        spellings,
        before: before.last().and_then(end),
        after: after.places,
    })
}

/// The bytes that matches end in, if none is empty.
fn end(pattern: &Hir) -> Option<ByteSet> {
    match pattern.kind() {
        HirKind::Literal(it) => it.0.last().map(|byte| ByteSet::of([(*byte, *byte)])),
        HirKind::Class(Class::Bytes(it)) => Some(ByteSet::of(it.iter().map(|range| (range.start(), range.end())))),
        HirKind::Capture(it) => end(&it.sub),
        HirKind::Repetition(it) if it.min > 0 => end(&it.sub),
        HirKind::Concat(parts) => parts.last().and_then(end),
        HirKind::Alternation(parts) => parts.iter().try_fold(ByteSet::default(), |all, part| Some(all.with(end(part)?))),
        _ => None,
    }
}

/// Whether every match has one of these texts in it, in either case.
pub(super) fn always_holds(pattern: &Hir, texts: &[&[u8]]) -> bool {
    let is_one = |part: &[u8]| texts.iter().any(|text| part.eq_ignore_ascii_case(text));
    let holds = |spelling: &Vec<u8>| {
        let lengths = texts.iter().map(|text| text.len().max(1));
        lengths.into_iter().any(|length| spelling.windows(length).any(is_one))
    };
    if let Some(all) = spellings(pattern) {
        return all.iter().all(holds);
    }
    match pattern.kind() {
        HirKind::Capture(it) => always_holds(&it.sub, texts),
        HirKind::Repetition(it) => it.min > 0 && always_holds(&it.sub, texts),
        HirKind::Alternation(parts) => parts.iter().all(|part| always_holds(part, texts)),
        HirKind::Concat(parts) => {
            // One part may have it, or several that follow each other: `%2[Bb]`.
            let mut joined = vec![Vec::new()];
            parts
                .iter()
                .any(|part| match spellings(part).and_then(|next| product(&joined, &next)) {
                    Some(longer) => {
                        joined = longer;
                        joined.iter().all(holds)
                    }
                    None => {
                        joined = vec![Vec::new()];
                        always_holds(part, texts)
                    }
                })
        }
        _ => false,
    }
}

/// All that a pattern matches, if that is little.
fn spellings(pattern: &Hir) -> Option<Vec<Vec<u8>>> {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![Vec::new()]),
        HirKind::Literal(it) => Some(vec![it.0.to_vec()]),
        HirKind::Class(Class::Bytes(it)) => {
            let all = it.iter().flat_map(|range| range.start()..=range.end());
            let few: Vec<_> = all.take(MOST_SPELLINGS.saturating_add(1)).map(|byte| vec![byte]).collect();
            (few.len() <= MOST_SPELLINGS).then_some(few)
        }
        HirKind::Capture(it) => spellings(&it.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(vec![Vec::new()], |all, part| product(&all, &spellings(part)?)),
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(spellings).collect::<Option<Vec<_>>>()?.concat();
            (all.len() <= MOST_SPELLINGS).then_some(all)
        }
        HirKind::Class(Class::Unicode(_)) | HirKind::Repetition(_) => None,
    }
}

/// Each of these followed by each of those, if that is little.
fn product(first: &[Vec<u8>], second: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let few = first.len().saturating_mul(second.len()) <= MOST_SPELLINGS;
    let each = || first.iter().flat_map(|one| second.iter().map(move |other| (one, other)));
    few.then(|| each().map(|(one, other)| [one.as_slice(), other].concat()).collect())
}

/// How matches begin, and whether these places are all of every match.
struct Beginning {
    places: Vec<ByteSet>,
    whole: bool,
}

impl Beginning {
    fn whole(places: Vec<ByteSet>) -> Self {
        Self { places, whole: true }
    }

    /// Followed by another. False: what comes after it can no longer be placed.
    fn then(&mut self, next: Self) -> bool {
        self.places.extend(next.places);
        self.whole = next.whole && self.places.len() <= LONGEST;
        self.places.truncate(LONGEST);
        self.whole
    }
}

fn begin(pattern: &Hir) -> Beginning {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => Beginning::whole(Vec::new()),
        HirKind::Literal(it) => {
            let mut all = Beginning::whole(Vec::new());
            all.then(Beginning::whole(it.0.iter().map(|byte| ByteSet::of([(*byte, *byte)])).collect()));
            all
        }
        HirKind::Class(Class::Bytes(it)) => Beginning::whole(vec![ByteSet::of(it.iter().map(|range| (range.start(), range.end())))]),
        // A character of one to four bytes.
        HirKind::Class(Class::Unicode(_)) => Beginning {
            places: Vec::new(),
            whole: false,
        },
        HirKind::Capture(it) => begin(&it.sub),
        HirKind::Repetition(it) => {
            let mut all = Beginning::whole(Vec::new());
            for _ in 0..it.min {
                if !all.then(begin(&it.sub)) {
                    return all;
                }
                if all.places.is_empty() {
                    break;
                }
            }
            all.whole = it.max == Some(it.min);
            all
        }
        HirKind::Concat(parts) => in_a_row(parts),
        HirKind::Alternation(parts) => {
            let mut parts = parts.iter().map(begin);
            let Some(mut all) = parts.next() else {
                return Beginning::whole(Vec::new());
            };
            for other in parts {
                all.whole &= other.whole && other.places.len() == all.places.len();
                all.places.truncate(other.places.len());
                for (mine, theirs) in all.places.iter_mut().zip(&other.places) {
                    *mine = mine.with(*theirs);
                }
            }
            all
        }
    }
}

fn in_a_row(parts: &[Hir]) -> Beginning {
    let mut all = Beginning::whole(Vec::new());
    for part in parts {
        if !all.then(begin(part)) {
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pattern: &str) -> Hir {
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        parser.parse(pattern).unwrap()
    }

    fn of(pattern: &str) -> Vec<String> {
        let shown = |set: &ByteSet| (0..128).filter(|b| set.has(*b)).map(char::from).collect();
        begin(&parsed(pattern)).places.iter().map(shown).collect()
    }

    #[test]
    fn places_are_told_as_long_as_they_are_certain() {
        for (pattern, expected) in [
            ("abc", &["a", "b", "c"] as &[&str]),
            ("[ab]c{2}d", &["ab", "c", "c", "d"]),
            ("(?:[01]:){2}x", &["01", ":", "01", ":", "x"]),
            ("a(?:bc|d)e", &["a", "bd"]),
            ("(?:ab|cd)e", &["ac", "bd", "e"]),
            ("(?:ab|c?d)e", &[]),
            ("a{2,3}b", &["a", "a"]),
            ("a?b", &[]),
            ("^a(b+)c", &["a", "b"]),
            ("(?:){3}a", &["a"]),
            ("(?:a|)b", &[]),
        ] {
            assert_eq!(of(pattern), expected, "{pattern}");
        }
        assert_eq!(of("a{1000}b").len(), LONGEST);
        assert_eq!(of(&format!("{}b", "a".repeat(40))).len(), LONGEST);
    }

    #[test]
    fn what_every_match_holds_is_told_from_what_some_do() {
        let holds = |pattern: &str, texts: &[&str]| {
            let texts: Vec<&[u8]> = texts.iter().map(|it| it.as_bytes()).collect();
            always_holds(&parsed(pattern), &texts)
        };
        for (pattern, texts) in [
            ("a@b", &["@"] as &[&str]),
            ("[a-z]+(?:@|%40)[a-z]+", &["@", "%40"]),
            (r"(?:\+|%2[Bb])[1-9]", &["+", "%2b"]),
            ("x(?:[0-9]{2}(:[0-9]){5})", &[":"]),
            ("(?:a:b){2,}|[0-9]+-", &["-", ":"]),
            ("eyJ[a-z]*", &["EYJ"]),
        ] {
            assert!(holds(pattern, texts), "{pattern}");
        }
        for (pattern, texts) in [
            ("a@?b", &["@"] as &[&str]),
            ("[a-z]+(?:@|%40)[a-z]+", &["@"]),
            ("(?:x:)*[0-9]+", &[":"]),
            ("[!-~]+", &["@"]),
            ("e[a-z]yJ", &["eyJ"]),
            ("a|:", &[":"]),
            ("abc", &[]),
        ] {
            assert!(!holds(pattern, texts), "{pattern}");
        }
    }

    #[test]
    fn surroundings_are_those_of_every_match() {
        let around = |pattern: &str, text: &str, texts: &[&str]| {
            let texts: Vec<&[u8]> = texts.iter().map(|it| it.as_bytes()).collect();
            Surroundings::of(&parsed(pattern), text.as_bytes(), &texts)
        };
        let email = around("[a-z]{0,9}[a-z](?:@|%40)[0-9]{1,3}[.]", "@", &["@", "%40"]);
        for (text, start, fits) in [
            ("a@1.", 1, true),
            ("a@.", 1, false),
            ("@1", 0, false),
            (".@1", 1, false),
            ("b@1", 1, true),
        ] {
            assert_eq!(email.are_at(text.as_bytes(), start), fits, "{text}");
        }
        let encoded = around("[a-z](?:@|%4f)[0-9]", "%4f", &["@", "%4f"]);
        assert!(encoded.are_at(b"a%4f1", 1) && !encoded.are_at(b"a%4f", 1) && !encoded.are_at(b"a%4F1", 1));
        let mac = around("[0-9]{2}(?::[0-9]{2}){2}|[0-9]{2}(?:-[0-9]{2}){2}", ":", &[":", "-"]);
        assert!(mac.are_at(b"x12:34:56", 3) && !mac.are_at(b"x12:34:56", 6) && !mac.are_at(b"12:34:5", 2));
        let open = around("(?:a?@)*x?@", "@", &["@"]);
        assert!(open.are_at(b"@", 0));
    }

    #[test]
    fn a_set_is_within_what_holds_all_of_it() {
        let set = ByteSet::of([(b'-', b'-'), (b':', b':')]);
        assert!(set.is_within(|b| matches!(b, b':' | b'-' | b'+')));
        assert!(!set.is_within(|b| b == b':'));
        assert!(!ByteSet::of([]).is_within(|_| true));
    }
}
