//! The fixed header of RTP and what of it can be trusted without keys (RFC 3550, section 5.1).

use crate::cursor::Cursor;

/// An RTP header, and where the payload behind it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Payload as captured, padding included: under SRTP the padding's length is cipher text.
    pub payload: &'a [u8],
    /// Whether the header says that padding follows.
    pub padded: bool,
}

impl<'a> Packet<'a> {
    /// Reads a datagram; `None` when it is not RTP, or RTCP beside it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut it = Cursor::new("rtp", bytes);
        let [flags, kind] = it.array::<2>().ok()?;
        let payload_type = kind & 0x7f;
        // Types 64 to 95 are RTCP's when the two share a port (RFC 5761, section 4).
        if flags >> 6 != 2 || (64..96).contains(&payload_type) {
            return None;
        }
        let sequence = it.u16().ok()?;
        let (timestamp, ssrc) = (it.u32().ok()?, it.u32().ok()?);
        it.skip(usize::from(flags & 0x0f).saturating_mul(4)).ok()?;
        if flags & 0x10 != 0 {
            it.skip(2).ok()?;
            let words = it.u16().ok()?;
            it.skip(usize::from(words).saturating_mul(4)).ok()?;
        }
        Some(Self {
            marker: kind & 0x80 != 0,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            payload: it.rest(),
            padded: flags & 0x20 != 0,
        })
    }

    /// The payload without its padding; `None` when the padding says more than there is.
    pub fn unpadded(&self) -> Option<&'a [u8]> {
        if !self.padded {
            return Some(self.payload);
        }
        let count = usize::from(*self.payload.last()?);
        if count == 0 {
            return None;
        }
        self.payload.get(..self.payload.len().checked_sub(count)?)
    }
}

/// The codec of a static payload type (RFC 3551, section 6), empty for the rest.
pub const fn codec(payload_type: u8) -> &'static str {
    match payload_type {
        0 => "PCMU",
        3 => "GSM",
        4 => "G723",
        5 | 6 | 16 | 17 => "DVI4",
        7 => "LPC",
        8 => "PCMA",
        9 => "G722",
        10 | 11 => "L16",
        12 => "QCELP",
        13 => "CN",
        14 => "MPA",
        15 => "G728",
        18 => "G729",
        25 => "CelB",
        26 => "JPEG",
        28 => "nv",
        31 => "H261",
        32 => "MPV",
        33 => "MP2T",
        34 => "H263",
        _ => "",
    }
}

/// Payload bytes that `ticks` of the timestamp take, for codecs where RFC 3551 fixes that (table 1 and section 4.5).
pub const fn bytes_for(payload_type: u8, ticks: u32) -> Option<u32> {
    match payload_type {
        // One byte per tick; G.722's clock is 8 kHz on purpose (section 4.5.2).
        0 | 8 | 9 => Some(ticks),
        // 33 bytes per 20 ms.
        3 if ticks.is_multiple_of(160) => Some((ticks / 160).saturating_mul(33)),
        // 10 bytes per 10 ms.
        18 if ticks.is_multiple_of(80) => Some((ticks / 80).saturating_mul(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_the_header_must_fit_the_datagram() {
        let plain = [0x80, 0x88, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9];
        let it = Packet::read(&plain).unwrap();
        assert_eq!(
            (it.marker, it.payload_type, it.sequence, it.timestamp, it.ssrc, it.payload),
            (true, 8, 1, 2, 3, &[9, 9][..])
        );
        let extended = [0x91, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1, 1, 1, 0xbe, 0xde, 0, 1, 5, 5, 5, 5, 7];
        assert_eq!(Packet::read(&extended).unwrap().payload, [7]);
        assert_eq!(Packet::read(&extended[..23]), None);
        assert_eq!(Packet::read(&plain[..11]), None);
        assert_eq!(Packet::read(&[0x40; 40]), None);
        assert_eq!(
            Packet::read(&[[0x80, 200].as_slice(), &[0; 30]].concat()),
            None,
            "RTCP sender report"
        );
    }

    #[test]
    fn padding_is_taken_off_only_if_it_fits() {
        let padded = |last: u8| [0xa0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, last];
        assert_eq!(Packet::read(&padded(2)).unwrap().unpadded(), Some(&[9][..]));
        assert_eq!(Packet::read(&padded(3)).unwrap().unpadded(), Some(&[][..]));
        assert_eq!(Packet::read(&padded(4)).unwrap().unpadded(), None);
        assert_eq!(Packet::read(&padded(0)).unwrap().unpadded(), None);
    }

    #[test]
    fn lengths_by_codec() {
        assert_eq!(
            (bytes_for(0, 160), bytes_for(3, 320), bytes_for(18, 160)),
            (Some(160), Some(66), Some(20))
        );
        assert_eq!((bytes_for(18, 100), bytes_for(96, 960)), (None, None));
    }
}
