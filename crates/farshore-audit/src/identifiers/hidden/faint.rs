//! Short values under a mask in raw payload: in one message four bytes under an unknown byte say too little.
//!
//! What speaks for the mask is the rest of the message. Binary protocols are full of zeros, and a zero under a mask is the
//! mask: a value counts only where its mask is the commonest byte around it, and means nothing until
//! [`chance`] has confirmed it over several messages. Refused: masks that nothing else in the message shows,
//! values shorter than four bytes, and anything that was peeled off before.

use std::ops::Range;

use ahash::HashMap;
use farshore_model::sighting::Disguise;

use super::super::chance::{self, WeakGroup};
use super::super::forms;
use super::super::known::Known;
use super::super::scan::{By, Hit, Rules, Work};
use super::masks;
use super::{Hidden, Node};

/// Longer texts under a mask are told from one message alone.
const LONGEST: usize = 16;
/// Values that say less, in bits, are not looked for.
const LEAST: usize = 24;
/// The mask has to stand so many times beside the value.
const SHOWN: usize = 2;
/// Longer payloads are no messages.
const MESSAGE: u64 = chance::LONGEST_MESSAGE;

/// Short values, by the differences of their first bytes.
#[derive(Debug, Default)]
pub(in super::super) struct Faint {
    values: Vec<Value>,
    /// By three differences: a bit for each hash of them.
    bits: Vec<u64>,
    openings: HashMap<[u8; 3], Vec<u32>>,
}

#[derive(Debug)]
struct Value {
    known: usize,
    bytes: Vec<u8>,
    step: Option<&'static str>,
    surprise: u32,
}

impl Faint {
    pub fn new(known: &[Known]) -> Self {
        let mut it = Self::default();
        for (number, known) in known.iter().enumerate() {
            if known.value.len() <= LONGEST {
                it.add(number, known.value.as_bytes().to_vec(), None);
            }
            for (bytes, step) in forms::integers(&known.value) {
                it.add(number, bytes, Some(step));
            }
        }
        it
    }

    fn add(&mut self, known: usize, bytes: Vec<u8>, step: Option<&'static str>) {
        let Some(opening) = bytes.first_chunk::<4>().map(differences) else {
            return;
        };
        let surprise = masks::surprise(&bytes);
        if opening == [0; 3] || surprise < LEAST || step.is_some() && bytes.len() > 4 {
            return;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.openings.entry(opening).or_default().push(number);
        if self.bits.is_empty() {
            self.bits = vec![0; WORDS];
        }
        let (word, bit) = place(opening);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
        self.values.push(Value {
            known,
            bytes,
            step,
            surprise: u32::try_from(surprise).unwrap_or(u32::MAX),
        });
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// How surprising a value is beneath any mask.
    pub fn surprise(&self, number: usize) -> u32 {
        self.values.get(number).map_or(0, |it| it.surprise)
    }

    /// Tells each value that may stand under a mask: its number, where, and the mask.
    fn find(&self, text: &[u8], mut found: impl FnMut(usize, Range<usize>, u8)) {
        if self.is_empty() || text.len() as u64 > MESSAGE {
            return;
        }
        for (start, four) in text.windows(4).enumerate() {
            let Some(opening) = four.first_chunk::<4>().map(differences) else {
                continue;
            };
            let (word, bit) = place(opening);
            if self.bits.get(word).is_none_or(|it| it & bit == 0) {
                continue;
            }
            for number in self.openings.get(&opening).into_iter().flatten() {
                let Some(it) = self.values.get(*number as usize) else { continue };
                let range = start..start.saturating_add(it.bytes.len());
                let Some((here, mask)) = text
                    .get(range.clone())
                    .and_then(|here| Some((here, here.first()? ^ it.bytes.first()?)))
                else {
                    continue;
                };
                let same = mask != 0 && here.iter().zip(&it.bytes).all(|(here, plain)| here ^ mask == *plain);
                if same && (it.step.is_some() || masks::stands_alone(text, &range, mask, &it.bytes)) && is_shown(text, &range, mask) {
                    found(*number as usize, range, mask);
                }
            }
        }
    }
}

/// Words of the bitmap of openings.
const WORDS: usize = 1 << 10;

fn differences([a, b, c, d]: &[u8; 4]) -> [u8; 3] {
    [a ^ b, b ^ c, c ^ d]
}

fn place([a, b, c]: [u8; 3]) -> (usize, u64) {
    let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> 16;
    ((hash >> 6) as usize, 1_u64.wrapping_shl(hash & 63))
}

/// Whether a mask is the commonest byte around a value.
fn is_shown(text: &[u8], at: &Range<usize>, mask: u8) -> bool {
    let mut counts = [0_usize; 256];
    for byte in [text.get(..at.start), text.get(at.end..)].into_iter().flatten().flatten() {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let shown = counts.get(usize::from(mask)).copied().unwrap_or(0);
    shown >= SHOWN && counts.iter().all(|it| *it <= shown)
}

impl Rules {
    /// Short values under a mask, in a message of an undocumented protocol.
    pub(super) fn faint(&self, hidden: &Hidden, node: &Node<'_>, path: &str, work: &mut Work<'_>) {
        let mut content = None;
        hidden.faint.find(node.text, |number, range, mask| {
            let Some((it, known)) = hidden.faint.values.get(number).and_then(|it| Some((it, self.known.get(it.known)?))) else {
                return;
            };
            let group = WeakGroup {
                variant: u32::try_from(self.variants.len().saturating_add(number)).unwrap_or(u32::MAX),
                mask,
                place: chance::digest(&[path.as_bytes()]),
                offset: u64::try_from(range.start).unwrap_or(u64::MAX),
            };
            let content = *content.get_or_insert_with(|| chance::digest(&[node.text]));
            if !work.tally.hit(group, content, self.options.limits.weak_places) {
                work.budget.count("weak-places");
            }
            let hit = Hit {
                range: node.place(&range),
                packed: false,
                decoded_by: node.chain.steps(&["xor"].into_iter().chain(it.step).collect::<Vec<_>>()),
                canonical: known.value.clone(),
                weak: Some(group),
                disguise: Disguise::None,
                by: By::Known(it.known),
            };
            self.keep(hit, work);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Detectors, FieldView, Options};
    use super::*;
    use farshore_model::DatumKind;

    const MASK: u8 = 0x5c;

    fn known(value: &str) -> Known {
        Known {
            name: "it".to_owned(),
            kind: DatumKind::named("room-id"),
            value: value.to_owned(),
        }
    }

    /// Messages with a counter of eight bytes, and a value behind it.
    fn messages(value: &[u8], count: u64) -> Vec<Vec<u8>> {
        let plain = |number: u64| [b"\x07\x02".as_slice(), &number.to_be_bytes(), value, &[9, 200, 31]].concat();
        (1..=count)
            .map(|it| plain(it * 3).iter().map(|byte| byte ^ MASK).collect())
            .collect()
    }

    /// What is left of all that is found in these payloads.
    fn told(value: &str, payloads: &[Vec<u8>]) -> Vec<Vec<&'static str>> {
        let mut detectors = Detectors::new(&[known(value)], Options::default()).unwrap();
        let mut found = Vec::new();
        for payload in payloads {
            let field = FieldView {
                path: "udp.payload",
                value: payload,
                payload: true,
            };
            detectors.scan(field, &mut |it| found.push(it.clone()));
        }
        let confirmed = detectors.finish();
        found.into_iter().filter(|it| confirmed.keeps(it)).map(|it| it.decoded_by).collect()
    }

    #[test]
    fn a_short_number_under_a_mask_is_told_from_several_messages() {
        let number = 2_887_744_513_u32;
        for (bytes, step) in [(number.to_be_bytes(), "u32be"), (number.to_le_bytes(), "u32le")] {
            let chain = vec!["xor", step];
            assert_eq!(told("2887744513", &messages(&bytes, 3)), [chain.clone(), chain.clone(), chain]);
            assert_eq!(told("2887744513", &messages(&bytes, 1)).len(), 0, "once is an accident");
        }
        assert_eq!(told("2887744513", &messages(&[1, 77, 90, 34], 3)).len(), 0, "another number");
    }

    #[test]
    fn a_mask_that_nothing_else_shows_is_none() {
        let value = 2_887_744_513_u32.to_be_bytes().map(|it| it ^ MASK);
        let noise = |seed: u8| (0..20_u8).map(move |it| (it ^ seed).wrapping_mul(37).wrapping_add(seed));
        let payloads: Vec<Vec<u8>> = (1..6).map(|seed| noise(seed).chain(value).collect()).collect();
        assert_eq!(told("2887744513", &payloads).len(), 0);
        // Zeros of plain messages are not a mask of zero.
        let payloads: Vec<Vec<u8>> = (1..6).map(|seed| [vec![0; 8], value.to_vec(), vec![seed]].concat()).collect();
        assert_eq!(told("2887744513", &payloads).len(), 0);
    }

    #[test]
    fn a_long_number_under_a_mask_is_told_from_one_message() {
        let number = 0x91a3_07c5_5be8_d64f_u64;
        let bytes: Vec<u8> = [b"\x01\x99".to_vec(), number.to_be_bytes().map(|it| it ^ MASK).to_vec()].concat();
        assert_eq!(told(&number.to_string(), &[bytes]), [["xor", "u64be"]]);
    }
}
