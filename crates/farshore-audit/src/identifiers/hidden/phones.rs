//! Telephone numbers by their digits, with any separators or none. It refuses runs of digits that are too long for one.

use std::ops::Range;

use ahash::HashMap;
use farshore_model::sighting::Disguise;

use super::super::known::Known;
use super::super::scan::{Rules, Work};
use super::survey::Survey;
use super::{Hidden, Node, spellings};

/// Fewer digits than this are no number.
const FEWEST: usize = 7;
/// No number has more (ITU-T E.164), the prefix for abroad included.
const MOST: usize = 17;
/// Bytes between two groups of one number.
const BETWEEN: usize = 3;

/// Telephone numbers, by their digits in each way to dial them.
#[derive(Debug, Default)]
pub(super) struct Phones(HashMap<Vec<u8>, usize>);

impl Phones {
    pub fn of(known: &[Known]) -> Self {
        let mut all = HashMap::default();
        for (number, it) in known.iter().enumerate().filter(|(_, it)| spellings::is_phone(it)) {
            for text in spellings::phone(&it.value) {
                let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
                all.entry(digits).or_insert(number);
            }
        }
        Self(all)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose these digits are.
    fn whose(&self, digits: &[u8]) -> Option<usize> {
        let abroad = || digits.strip_prefix(b"00").and_then(|it| self.0.get(it));
        self.0.get(digits).or_else(abroad).copied()
    }
}

impl Rules {
    pub(super) fn phones(&self, hidden: &Hidden, node: &Node<'_>, survey: &Survey, work: &mut Work<'_>) {
        // Groups of digits with nothing but separators between them.
        let mut groups: Vec<Range<usize>> = Vec::new();
        let (mut digits, mut at) = (0_usize, 0_usize);
        while let Some(group) = survey.number(at) {
            at = group.end.saturating_add(1);
            let end = groups.last().map_or(0, |it| it.end);
            let between = node.text.get(end..group.start).unwrap_or(&[]);
            if between.len() > BETWEEN || !between.iter().all(is_separator) {
                if digits >= FEWEST {
                    self.phones_in(hidden, node, &groups, work);
                }
                groups.clear();
                digits = 0;
            }
            digits = digits.saturating_add(group.len());
            groups.push(group);
        }
        if digits >= FEWEST {
            self.phones_in(hidden, node, &groups, work);
        }
    }

    /// Numbers that begin and end with any of these groups.
    fn phones_in(&self, hidden: &Hidden, node: &Node<'_>, groups: &[Range<usize>], work: &mut Work<'_>) {
        for (first, group) in groups.iter().enumerate() {
            let mut dialled = [0_u8; MOST];
            let (mut count, mut end) = (0_usize, group.start);
            for next in groups.iter().skip(first) {
                let between = node.text.get(end..next.start).unwrap_or(&[]);
                let digits = node.text.get(next.clone()).unwrap_or(&[]);
                end = next.end;
                // A zero in parentheses is dialled within the country only.
                if !(digits == b"0" && between.ends_with(b"(")) {
                    let after = count.saturating_add(digits.len());
                    let Some(room) = dialled.get_mut(count..after) else { break };
                    room.copy_from_slice(digits);
                    count = after;
                }
                if count < FEWEST.saturating_sub(1) {
                    continue;
                }
                let Some(known) = dialled.get(..count).and_then(|it| hidden.phones.whose(it)) else {
                    continue;
                };
                let range = group.start..end;
                let value = self.known.get(known).map_or(&[][..], |it| it.value.as_bytes());
                // As it is known it is found anyway, with the sign before it if it has one.
                let signs = usize::from(value.starts_with(b"+"));
                let here = range.start.checked_sub(signs).and_then(|start| node.text.get(start..range.end));
                if here != Some(value) {
                    self.hit(node, &range, (known, &["separators"], Disguise::None), work);
                }
            }
        }
    }
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')')
}
