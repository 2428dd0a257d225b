//! What signalling calls the payload types of media: `a=rtpmap` of SDP (RFC 8866 section 6.6), by the port that the description names.
//! It owns the table and refuses a type that two descriptions of one port call differently. Addresses are left out: what a host calls
//! itself behind a translator is not what it is called on the way.

use std::collections::BTreeMap;

/// Bytes of the longest name taken; those that are registered have less.
const LONGEST: usize = 32;

/// What a payload type stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The encoding, as it is written there.
    pub(crate) encoding: String,
    /// Ticks of its clock in a second.
    pub(crate) clock: u32,
    /// Channels; one, where none are told.
    pub(crate) channels: u8,
    /// The first frame with which that was told.
    pub(crate) frame: u64,
}

/// All that descriptions told.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct MediaNames {
    /// By port and payload type; `None` where descriptions differ.
    names: BTreeMap<(u16, u8), Option<Name>>,
    /// There were more than may be kept: then nobody knows where they would have differed, and none is used.
    full: bool,
}

impl MediaNames {
    pub(crate) const fn new() -> Self {
        Self {
            names: BTreeMap::new(),
            full: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// What a payload type is called at the first of the ports that says anything of it.
    pub(crate) fn of(&self, ports: [u16; 2], payload_type: u8) -> Option<&Name> {
        let told = ports.iter().find_map(|port| self.names.get(&(*port, payload_type)));
        told.and_then(Option::as_ref).filter(|_| !self.full)
    }

    /// Reads a description; keeps no more than so many names in all.
    pub(crate) fn note(&mut self, description: &[u8], frame: u64, most: usize) {
        let mut port = None;
        for line in description.split(|byte| matches!(byte, b'\r' | b'\n')) {
            if let Some(media) = line.strip_prefix(b"m=") {
                port = port_of(media);
            } else if let (Some(port), Some((payload_type, encoding, clock, channels))) =
                (port, line.strip_prefix(b"a=rtpmap:").and_then(mapped))
            {
                let it = Name {
                    encoding,
                    clock,
                    channels,
                    frame,
                };
                self.keep((port, payload_type), Some(it), most);
            }
        }
    }

    /// Adds what another table knows.
    pub(crate) fn merge(&mut self, other: Self, most: usize) {
        self.full |= other.full;
        for (key, name) in other.names {
            self.keep(key, name, most);
        }
    }

    fn keep(&mut self, key: (u16, u8), it: Option<Name>, most: usize) {
        let room = self.names.len() < most;
        match self.names.get_mut(&key) {
            Some(known) => {
                *known = match (known.take(), it) {
                    (Some(one), Some(two)) if one.encoding.eq_ignore_ascii_case(&two.encoding) && one.clock == two.clock => {
                        Some(if two.frame < one.frame { two } else { one })
                    }
                    _ => None,
                };
            }
            None if room => {
                self.names.insert(key, it);
            }
            None => self.full = true,
        }
    }
}

/// `audio 49170/2 RTP/AVP 0 96` (section 5.14): the first port, unless it stands for none.
fn port_of(media: &[u8]) -> Option<u16> {
    let word = media.split(|byte| *byte == b' ').nth(1)?;
    let port: u16 = number(word.split(|byte| *byte == b'/').next()?)?;
    (port > 0).then_some(port)
}

/// `96 opus/48000/2`.
fn mapped(line: &[u8]) -> Option<(u8, String, u32, u8)> {
    let mut words = line.split(|byte| *byte == b' ').filter(|it| !it.is_empty());
    let payload_type = number(words.next()?).filter(|it| *it < 128)?;
    let mut parts = words.next()?.split(|byte| *byte == b'/');
    let (encoding, clock) = (std::str::from_utf8(parts.next()?).ok()?, number(parts.next()?)?);
    let channels = parts.next().and_then(number).unwrap_or(1);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+');
    let taken = (1..=LONGEST).contains(&encoding.len()) && encoding.bytes().all(plain);
    taken.then(|| (payload_type, encoding.to_owned(), clock, channels))
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(descriptions: &[&str], most: usize) -> MediaNames {
        let mut it = MediaNames::new();
        for (frame, text) in (1..).zip(descriptions) {
            it.note(text.as_bytes(), frame, most);
        }
        it
    }

    fn told(it: &MediaNames, port: u16, payload_type: u8) -> Option<(&str, u32, u64)> {
        it.of([port, 1], payload_type).map(|it| (it.encoding.as_str(), it.clock, it.frame))
    }

    const CALL: &str = "v=0\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:97 early/8000\r\nm=audio 4000 RTP/AVP 0 96 101\r\na=rtpmap:96 opus/48000/2\r\n\
        a=rtpmap:101 telephone-event/8000\r\nm=video 4002/2 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 0 RTP/AVP 98\r\na=rtpmap:98 AMR/8000\r\n";

    #[test]
    fn a_type_is_named_by_port() {
        let it = table(&[CALL], 100);
        assert_eq!(told(&it, 4000, 96), Some(("opus", 48_000, 1)));
        assert_eq!(told(&it, 4000, 101), Some(("telephone-event", 8_000, 1)));
        assert_eq!(told(&it, 4002, 96), Some(("H264", 90_000, 1)));
        // Before any media; of media that is refused; of a port that nobody names.
        assert_eq!((told(&it, 4000, 97), told(&it, 0, 98), told(&it, 4004, 96)), (None, None, None));
        assert_eq!(
            it.of([9, 4000], 96).map(|it| it.clock),
            Some(48_000),
            "the second port, where the first says nothing"
        );
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        for line in [
            "96 \u{1b}[31m/8000",
            "96 opus",
            "128 opus/48000",
            "x opus/48000",
            "96 opus/many",
            "96",
            "96 /8000",
        ] {
            let it = table(&[&format!("v=0\nm=audio 4000 RTP/AVP 96\na=rtpmap:{line}\n")], 100);
            assert!(it.is_empty(), "{line}");
        }
    }

    #[test]
    fn descriptions_that_differ_name_nothing() {
        let named = |name: &str| format!("v=0\nm=audio 4000 RTP/AVP 96\na=rtpmap:96 {name}\n");
        assert_eq!(
            told(&table(&[&named("PCMU/8000"), &named("pcmu/8000")], 9), 4000, 96),
            Some(("PCMU", 8_000, 1))
        );
        let it = table(&[&named("PCMU/8000"), &named("PCMA/8000"), &named("PCMU/8000")], 9);
        assert_eq!(told(&it, 4000, 96), None);
    }

    /// One table that reads all, and several that are put together: the same, whatever the order and the ceiling.
    #[test]
    fn a_table_does_not_tell_how_many_it_was() {
        let named = |port: usize, name: &str| format!("v=0\nm=audio {port} RTP/AVP 96\na=rtpmap:96 {name}/8000\n");
        let all: Vec<String> = (0..12).map(|it| named(4000 + it % 6, ["A", "B"][usize::from(it > 9)])).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for most in [5, 6] {
            let one = table(&all, most);
            let mut several = MediaNames::new();
            for part in [9..12, 0..4, 4..9] {
                let mut it = MediaNames::new();
                for at in part {
                    it.note(all[at].as_bytes(), at as u64 + 1, most);
                }
                several.merge(it, most);
            }
            assert_eq!(one.is_full(), several.is_full());
            let every = |it: &MediaNames| {
                (4000..4006)
                    .map(|port| told(it, port, 96).map(|it| (it.0.to_owned(), it.2)))
                    .collect::<Vec<_>>()
            };
            assert_eq!(every(&one), every(&several), "{most}");
            assert_eq!(every(&one).iter().flatten().count(), if most == 6 { 4 } else { 0 });
        }
    }
}
