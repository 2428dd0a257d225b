//! Lines of standard input by the block: addresses are read out of the bytes, looked up side by side, and answered from what was
//! written for others of which the same is known.
//!
//! Owns the answers that are kept. Refuses to answer anything itself: what is no plain address, or the first of its kind, goes
//! to whoever knows it.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

use farshore::parties::{Answer, Stretches};
use farshore_report::json::WhoPattern;

/// Lines that are looked up together: memory answers many questions in the time of one.
const TOGETHER: usize = 512;

/// Bytes of written answers that are kept.
const MOST_KEPT: usize = 256 << 20;

/// A line of which all but the address is known, or may be once it was answered.
pub(crate) struct Asked<'a> {
    /// The line without its end.
    pub(crate) line: &'a [u8],
    /// What stands in it, if that is a plain address of which the sets tell.
    pub(crate) address: Option<(IpAddr, Answer)>,
}

/// The lines of a block with the answers that hold for them, so many at once.
pub(crate) fn looked_up<'a>(block: &'a [u8], mut each: impl FnMut(&[Asked<'a>]) -> io::Result<()>) -> io::Result<()> {
    let stretches = Stretches::embedded();
    let mut lines = block.split(|byte| *byte == b'\n').peekable();
    let mut asked = Vec::with_capacity(TOGETHER);
    let mut addresses = Vec::with_capacity(TOGETHER);
    while lines.peek().is_some() {
        addresses.clear();
        addresses.extend(lines.by_ref().take(TOGETHER).map(|line| (line, address(line))));
        asked.clear();
        asked.extend(addresses.iter().map(|(line, address)| Asked {
            line,
            address: address.and_then(|it| Some((it, stretches.answer(it)?))),
        }));
        each(&asked)?;
    }
    Ok(())
}

/// The address a line is, with space around it.
fn address(line: &[u8]) -> Option<IpAddr> {
    let text = line.trim_ascii();
    match dotted(text) {
        Some(found) => Some(IpAddr::V4(found)),
        // Most lines that get here are IPv6 or names; the longest address has 45 characters.
        None if text.len() <= 45 => std::str::from_utf8(text).ok()?.parse().ok(),
        None => None,
    }
}

/// Four numbers up to 255 without leading zeros, with dots between them.
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut number, mut digits, mut dots, mut value) = (0_u32, 0_u32, 0_u32, 0_u32);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 && !(digits == 1 && value == 0) => {
                value = value * 10 + u32::from(byte & 0x0f);
                digits += 1;
            }
            b'.' if digits > 0 && value < 256 && dots < 3 => {
                number = number << 8 | value;
                (digits, value, dots) = (0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && value < 256).then(|| Ipv4Addr::from_bits(number << 8 | value))
}

/// Writes an address as it is always spelled, of which this line was read.
pub(crate) fn spell(address: IpAddr, line: &[u8], out: &mut Vec<u8>) {
    match address {
        // Of IPv4 no other spelling is read.
        IpAddr::V4(_) => out.extend_from_slice(line.trim_ascii()),
        IpAddr::V6(_) => {
            // Writing to memory cannot fail.
            let _ = write!(out, "{address}");
        }
    }
}

/// Written answers by their number.
pub(crate) enum Kept {
    Json(Patterns),
    Tsv(Lines),
}

/// All but the first cell of lines of tab-separated values, one behind the other.
#[derive(Default)]
pub(crate) struct Lines {
    text: Vec<u8>,
    /// Where the line of each number stands; an empty one is not known.
    places: Vec<(u32, u32)>,
}

impl Lines {
    pub(crate) fn line(&self, answer: Answer) -> Option<&[u8]> {
        let (from, to) = *self.places.get(answer.number())?;
        self.text.get(from as usize..to as usize).filter(|it| !it.is_empty())
    }

    pub(crate) fn keep(&mut self, answer: Answer, line: &[u8]) {
        if self.text.len() > MOST_KEPT {
            *self = Self::default();
        }
        let from = self.text.len();
        self.text.extend_from_slice(line);
        if self.places.len() <= answer.number() {
            self.places.resize(answer.number().saturating_add(1), (0, 0));
        }
        if let Some(place) = self.places.get_mut(answer.number()) {
            let offset = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
            *place = (offset(from), offset(self.text.len()));
        }
    }
}

/// Lines of JSON without the address and its number.
#[derive(Default)]
pub(crate) struct Patterns {
    patterns: Vec<Option<WhoPattern>>,
    bytes: usize,
}

impl Patterns {
    pub(crate) fn pattern(&self, answer: Answer) -> Option<&WhoPattern> {
        self.patterns.get(answer.number())?.as_ref()
    }

    pub(crate) fn keep(&mut self, answer: Answer, pattern: WhoPattern) {
        if self.bytes > MOST_KEPT {
            *self = Self::default();
        }
        if self.patterns.len() <= answer.number() {
            self.patterns.resize_with(answer.number().saturating_add(1), || None);
        }
        self.bytes = self.bytes.saturating_add(pattern.bytes());
        if let Some(place) = self.patterns.get_mut(answer.number()) {
            *place = Some(pattern);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_library_reads_them() {
        for text in [
            "8.8.8.8",
            "0.0.0.0",
            "255.255.255.255",
            "10.00.0.1",
            "01.2.3.4",
            "1.2.3.256",
            "1.2.3.1000",
            "1.2.3",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "1.2.3.4.5",
            "",
            "1.2.3.4 ",
            "\t9.9.9.9\r",
            "1.2.3.-4",
            "1.2.3.4:80",
            "2001:DB8::1",
            " ::1",
            "::ffff:8.8.8.8",
            "fe80::1%0",
            "1234",
            "a.b.c.d",
            "1.2.3.4\u{a0}",
        ] {
            let wanted: Option<IpAddr> = text.trim_ascii().parse().ok();
            assert_eq!(address(text.as_bytes()), wanted, "{text:?}");
            if let Some(wanted) = wanted {
                let mut spelled = Vec::new();
                spell(wanted, text.as_bytes(), &mut spelled);
                assert_eq!(spelled, wanted.to_string().as_bytes(), "{text:?}");
            }
        }
    }

    #[test]
    fn every_line_of_a_block_comes_once_and_in_order() {
        let block: Vec<String> = (0..2_000).map(|it| format!("9.{}.{}.1", it / 250, it % 250)).collect();
        let mut seen = Vec::new();
        let gathered = looked_up(block.join("\n").as_bytes(), |asked| {
            seen.extend(asked.iter().map(|it| String::from_utf8_lossy(it.line).into_owned()));
            Ok(())
        });
        assert!(gathered.is_ok());
        assert_eq!(seen, block);
    }
}
