//! Domain names on the wire (RFC 1035, section 3.1 and 4.1.4). Refuses to follow pointers that do not point back.

use std::ops::Range;

use farshore_model::WireText;

/// Bytes a name may take on the wire, its final zero included (RFC 1035, section 2.3.4).
const LONGEST: usize = 255;

/// Pointers followed in one name: a name of 127 labels needs no more, and every further one costs time for nothing.
const JUMPS: usize = 127;

/// Bytes that hold most names.
const TYPICAL: usize = 32;

/// A name as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Label bytes joined by dots, as they were captured.
    pub dotted: Vec<u8>,
    /// The same with `\` before dots and backslashes inside labels (RFC 1035, section 5.1), where there are such.
    escaped: Option<Vec<u8>>,
    /// Where it stands in the message, up to its first pointer.
    pub place: Range<usize>,
    /// What is wrong with it; the labels before that stand.
    pub flaw: Option<Flaw>,
}

/// What can be wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The message ends in it.
    Cut,
    /// More than 255 bytes.
    Long,
    /// A pointer that does not point back, or one too many.
    Pointer,
    /// A label of a type nobody uses (RFC 6891, section 5).
    Label,
}

impl Name {
    /// Reads the name at `at`. Its `place` ends where reading goes on, unless a flaw was met before that was known.
    pub fn read(message: &[u8], at: usize) -> Self {
        let mut name = Self {
            place: at..at,
            ..Self::default()
        };
        let (mut here, mut lowest, mut jumps, mut size, mut jumped) = (at, at, 0_usize, 1_usize, false);
        name.flaw = loop {
            let Some((&length, rest)) = message.get(here..).and_then(<[u8]>::split_first) else {
                break Some(Flaw::Cut);
            };
            match length >> 6 {
                0 if length == 0 => {
                    if !jumped {
                        name.place.end = here.saturating_add(1);
                    }
                    break None;
                }
                0 => {
                    let Some(label) = rest.get(..usize::from(length)) else {
                        break Some(Flaw::Cut);
                    };
                    size = size.saturating_add(label.len()).saturating_add(1);
                    if size > LONGEST {
                        break Some(Flaw::Long);
                    }
                    name.push(label);
                    here = here.saturating_add(1).saturating_add(label.len());
                    if !jumped {
                        name.place.end = here;
                    }
                }
                3 => {
                    let Some(&low) = rest.first() else {
                        break Some(Flaw::Cut);
                    };
                    if !jumped {
                        name.place.end = here.saturating_add(2);
                    }
                    jumped = true;
                    jumps = jumps.saturating_add(1);
                    here = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if here >= lowest || jumps > JUMPS {
                        break Some(Flaw::Pointer);
                    }
                    lowest = here;
                }
                _ => break Some(Flaw::Label),
            }
        };
        // Behind a pointer the end in place is known whatever the pointer led to.
        name
    }

    fn push(&mut self, label: &[u8]) {
        let special = |byte: &u8| matches!(byte, b'.' | b'\\');
        if self.escaped.is_none() && label.iter().any(special) {
            self.escaped = Some(self.dotted.clone());
        }
        if self.dotted.is_empty() {
            self.dotted.reserve(TYPICAL);
        } else {
            self.dotted.push(b'.');
        }
        self.dotted.extend_from_slice(label);
        let Some(escaped) = &mut self.escaped else { return };
        if !escaped.is_empty() {
            escaped.push(b'.');
        }
        for byte in label {
            if special(byte) {
                escaped.push(b'\\');
            }
            escaped.push(*byte);
        }
    }

    fn shown(&self) -> &[u8] {
        self.escaped.as_deref().unwrap_or(&self.dotted)
    }

    /// The name as text, without its final dot; the root is `.`.
    pub fn text(&self) -> WireText {
        match self.shown() {
            [] => ".".into(),
            shown => WireText::from_bytes(shown),
        }
    }

    /// Where [`Name::dotted`] stands: a length byte counts as the dot after it, so the lengths are the same unless
    /// the name holds a pointer; of a name that is nothing else, the pointer.
    pub fn text_place(&self) -> Range<usize> {
        if self.place.len() == 2 && self.flaw.is_none() {
            return self.place.clone();
        }
        let start = self.place.start.saturating_add(1).min(self.place.end);
        start..start.saturating_add(self.dotted.len()).min(self.place.end)
    }

    /// Whether it looks like a name of a host or service: letters, digits, `-` and `_` only, at least one label.
    pub fn is_plain(&self) -> bool {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        self.flaw.is_none() && !self.dotted.is_empty() && self.shown().iter().all(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &[u8], at: usize) -> (String, usize, Option<Flaw>) {
        let name = Name::read(message, at);
        (name.text().as_str().to_owned(), name.place.end, name.flaw)
    }

    #[test]
    fn labels_are_joined_and_pointers_followed_back() {
        let message = b"\x03www\x07example\x00\x04mail\xc0\x04\xc0\x0d";
        assert_eq!(text(message, 0), ("www.example".into(), 13, None));
        assert_eq!(text(message, 13), ("mail.example".into(), 20, None));
        assert_eq!(text(message, 20), ("mail.example".into(), 22, None));
        assert_eq!(text(message, 12), (".".into(), 13, None));
        let places = [0, 13, 20].map(|at| Name::read(message, at).text_place());
        assert_eq!(places, [1..12, 14..20, 20..22], "a pointer alone is all that stands there");
    }

    #[test]
    fn odd_label_bytes_are_kept() {
        assert_eq!(text(b"\x05a.b\\\xff\x02Cd\x00", 0).0, "a\\.b\\\\\\xff.Cd");
        assert_eq!(Name::read(b"\x05a.b\\\xff\x02Cd\x00", 0).dotted, b"a.b\\\xff.Cd");
    }

    #[test]
    fn loops_forward_pointers_and_reserved_labels_end_the_name() {
        assert_eq!(text(b"\x01a\xc0\x00", 0), ("a".into(), 4, Some(Flaw::Pointer)));
        assert_eq!(text(b"\x01a\xc0\x04\x01b\x00", 0), ("a".into(), 4, Some(Flaw::Pointer)));
        assert_eq!(text(b"\x01a\x41b\x00", 0), ("a".into(), 2, Some(Flaw::Label)));
        assert_eq!(text(b"\x01a\x09b", 0), ("a".into(), 2, Some(Flaw::Cut)));
        assert_eq!(text(b"", 4), (".".into(), 4, Some(Flaw::Cut)));
    }

    #[test]
    fn a_name_is_at_most_255_bytes() {
        let fits = [&[63; 64][..], &[63; 64], &[63; 64], &[61; 62], &[0]].concat();
        assert_eq!((fits.len(), Name::read(&fits, 0).flaw), (255, None));
        let long = [&[63; 64][..], &[63; 64], &[63; 64], &[62; 63], &[0]].concat();
        assert_eq!(Name::read(&long, 0).flaw, Some(Flaw::Long));
    }

    #[test]
    fn a_chain_of_pointers_is_cut_short() {
        let mut chain = vec![0, 0];
        for at in 0..2_000_u16 {
            chain.extend_from_slice(&(0xc000 | (at * 2)).to_be_bytes());
        }
        assert_eq!(Name::read(&chain, 2 + 2 * 126).flaw, None);
        assert_eq!(Name::read(&chain, 2 + 2 * 127).flaw, Some(Flaw::Pointer));
    }
}
