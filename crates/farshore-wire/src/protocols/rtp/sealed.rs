//! SRTP (RFC 3711) opened with master keys that signalling told. It owns which of them is a source's, told by the tags of its packets
//! alone, and a sample of packets kept until that is known. It refuses what no tag confirms.

use farshore_model::Protection;

use super::blocks;
use super::kept::{Numbered, Packets};
use super::packet::Packet;
use crate::crypto::srtp;
use crate::media_keys::{MediaKey, MediaKeys};

/// Bytes of packets kept of a source: four seconds of G.711 and more of others, enough for the test of sound; ten thousand sources take
/// less than half a gibibyte.
const KEPT: usize = 3 << 14;

/// What a packet kept takes beside its bytes.
const OVERHEAD: usize = 64;

/// How often the sequence numbers of a call may have begun anew before the capture did: 16 times are almost six hours.
const ROLLOVERS: u32 = 16;

/// Packets whose tags must fit: one of 80 bits is proof, of 32 bits it takes several.
const PROOFS: usize = 3;

/// Longest packet kept as one of the latest: media is sent in no more than what a frame of Ethernet holds.
const LONGEST_LATEST: usize = 1 << 11;

/// The first packets of a source, as they came, by extended sequence number; behind them, the latest.
#[derive(Debug, Default)]
pub struct Sample {
    packets: Packets,
    /// How many there are, those that were let go included.
    count: usize,
    bytes: usize,
    full: bool,
    closed: bool,
    /// Of those that were let go: how many blocks of theirs repeat.
    repeated: Option<usize>,
    latest: Latest,
}

/// The latest packets, by extended sequence number.
#[derive(Debug, Default)]
pub struct Latest {
    packets: Vec<(u64, Vec<u8>)>,
    /// Which of them is the oldest.
    oldest: usize,
}

impl Latest {
    /// Keeps a packet in place of the oldest.
    pub fn keep(&mut self, number: u64, bytes: &[u8]) {
        if bytes.len() > LONGEST_LATEST {
            return;
        }
        if self.packets.len() < PROOFS {
            self.packets.push((number, bytes.to_vec()));
        } else if let Some((oldest, room)) = self.packets.get_mut(self.oldest) {
            *oldest = number;
            room.clear();
            room.extend_from_slice(bytes);
            self.oldest = self.oldest.saturating_add(1).checked_rem(PROOFS).unwrap_or_default();
        }
    }

    /// They, in no order.
    pub fn packets(&self) -> impl Iterator<Item = Numbered<'_>> + Clone {
        self.packets.iter().map(|(number, bytes)| (*number, &bytes[..]))
    }

    /// They, which are forgotten.
    pub fn take(&mut self) -> Vec<(u64, Vec<u8>)> {
        self.oldest = 0;
        std::mem::take(&mut self.packets)
    }
}

impl Sample {
    /// Keeps a whole packet, while there is room; then the latest few.
    pub fn keep(&mut self, number: u64, bytes: &[u8]) {
        if self.closed {
            return;
        }
        let size = bytes.len().saturating_add(OVERHEAD);
        if !self.full && self.bytes.saturating_add(size) > KEPT {
            self.full = true;
            self.packets.close();
        }
        if !self.full {
            self.bytes = self.bytes.saturating_add(size);
            self.packets.push(number, bytes);
            self.count = self.packets.len();
        } else {
            self.latest.keep(number, bytes);
        }
    }

    /// Keeps no more.
    pub fn close(&mut self) {
        self.full = true;
        self.closed = true;
        self.packets.close();
    }

    /// Lets go of those that no key can open and that nothing will name otherwise: what is to be told of them is found now.
    pub fn release(&mut self) {
        self.repeated = self.repeated();
        self.packets = Packets::default();
    }

    /// How many of their blocks repeat as those of a cipher without chaining do.
    pub fn repeated(&self) -> Option<usize> {
        self.repeated.or_else(|| blocks::repeated(self.payloads()))
    }

    /// The latest of those that came behind.
    pub const fn latest(&self) -> &Latest {
        &self.latest
    }

    /// How many there are, or were.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether later packets were not kept.
    pub const fn is_full(&self) -> bool {
        self.full
    }

    /// Their payloads, as they came.
    fn payloads(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.packets().filter_map(|(_, bytes)| Packet::read(bytes)).map(|it| it.payload)
    }

    /// The packets, by number.
    pub fn packets(&self) -> impl Iterator<Item = Numbered<'_>> + Clone {
        self.packets.iter()
    }

    /// The last of them, as many as prove a key.
    pub fn last(&self) -> impl Iterator<Item = Numbered<'_>> + Clone {
        self.packets.iter().skip(self.packets.len().saturating_sub(PROOFS))
    }
}

/// The master key of a source.
pub struct Opener {
    key: MediaKey,
    session: srtp::Keys,
    /// How often the sequence numbers had begun anew when the first packet came.
    begun: u32,
}

impl Opener {
    /// The key under which these packets are authentic.
    pub fn find<'a>(keys: &MediaKeys, mut packets: impl Iterator<Item = Numbered<'a>> + Clone) -> Option<Self> {
        let (number, first) = packets.next()?;
        keys.iter().find_map(|key| {
            let mut it = Self {
                key: key.clone(),
                session: srtp::Keys::new(key.suite, &key.master)?,
                begun: 0,
            };
            it.begun = it.begun(number, first)?;
            let others = || packets.clone().take(PROOFS.saturating_sub(1));
            let proven = key.suite.tag >= 10
                || others().count() >= PROOFS.saturating_sub(1) && others().all(|(number, bytes)| it.open(number, bytes).is_some());
            proven.then_some(it)
        })
    }

    /// The payload of a packet; `None` when its tag does not fit.
    pub fn open(&self, number: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let rollover = rollover(self.begun, number)?;
        self.session.open(&split(bytes)?, rollover, &self.key.index)
    }

    /// How often the sequence numbers had begun anew before the first packet, as the tag of one tells; `None` when none fits.
    fn begun(&self, number: u64, bytes: &[u8]) -> Option<u32> {
        let tried = (0..ROLLOVERS).filter_map(|begun| rollover(begun, number));
        let fits = self.session.rollover(&split(bytes)?, tried, &self.key.index)?;
        (0..ROLLOVERS).find(|begun| rollover(*begun, number) == Some(fits))
    }

    /// How that stood on the wire which took to open it.
    pub const fn protection(&self) -> Protection {
        match self.key.protection {
            Protection::Plaintext => Protection::Srtp,
            it => it,
        }
    }

    /// What it is opened with.
    pub fn told(&self) -> String {
        let key = match self.key.protection {
            Protection::Plaintext => "stands in clear".to_owned(),
            Protection::Dtls => "was agreed on by DTLS".to_owned(),
            it => format!("stands under {it}", it = format!("{it:?}").to_ascii_uppercase()),
        };
        format!("SRTP with {}, whose key {key} in frame {}", self.key.suite.name, self.key.frame)
    }
}

/// How often sequence numbers have begun anew at a packet, if it was so often at the first.
fn rollover(begun: u32, number: u64) -> Option<u32> {
    // Extended numbers begin one cycle up.
    match u32::try_from(number >> 16).ok()?.checked_sub(1) {
        Some(cycles) => begun.checked_add(cycles),
        None => begun.checked_sub(1),
    }
}

/// A packet in its parts.
fn split(bytes: &[u8]) -> Option<srtp::Packet<'_>> {
    let packet = Packet::read(bytes)?;
    let (header, rest) = bytes.split_at_checked(bytes.len().checked_sub(packet.payload.len())?)?;
    Some(srtp::Packet {
        header,
        rest,
        ssrc: packet.ssrc,
        sequence: packet.sequence,
    })
}

/// Nothing of a key is ever printed.
impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_of_stays_counted() {
        let mut sample = Sample::default();
        let packet = |number: u64| [&[0x80, 0][..], &number.to_be_bytes(), &[0x55; 162]].concat();
        for number in 0..1_000 {
            sample.keep(number, &packet(number));
        }
        let kept = sample.packets().count();
        assert!(sample.is_full() && kept > 100 && kept == sample.len());
        let (repeated, latest) = (sample.repeated(), sample.latest().packets().count());
        sample.release();
        sample.keep(1_000, &packet(1_000));
        assert_eq!((sample.packets().count(), sample.len(), sample.is_full()), (0, kept, true));
        assert_eq!((sample.repeated(), sample.latest().packets().count()), (repeated, latest));
    }
}
