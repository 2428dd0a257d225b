//! Opus (RFC 6716, RFC 7587): how a packet is framed, and its samples. It decodes nothing itself.

use std::fmt;

use ropus::{Channels, DecodeMode};

use crate::cursor::Cursor;

/// Ticks of the clock in a second; it is 48 kHz whatever the audio was sampled at (RFC 7587, section 4.1).
pub const RATE: u32 = 48_000;

/// Samples a second that trials make do with: voices are told by their pitch.
pub const TRIAL_RATE: u32 = 16_000;

/// Ticks of the longest packet: 120 ms (RFC 6716, section 3.2.5).
const LONGEST: u32 = 5_760;

/// The longest frame, in bytes (RFC 6716, section 3.2.1).
const LARGEST_FRAME: usize = 1_275;

/// What stands before the frames of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// What the packet lasts.
    pub ticks: u32,
    /// Whether its frames have two channels.
    pub stereo: bool,
    /// Bytes until the first frame.
    pub header: usize,
}

impl Framing {
    /// Reads the beginning of a packet; `None` when its lengths do not fit (RFC 6716, section 3.4).
    pub fn read(payload: &[u8]) -> Option<Self> {
        let mut it = Cursor::new("opus", payload);
        let toc = it.u8().ok()?;
        let config = toc >> 3;
        // Table 2 of section 3.1.
        let frame: u32 = match (config, config & 3) {
            (0..=11, 0) | (12..=15, 0 | 2) | (16..=31, 2) => 480,
            (0..=11, 1) | (12..=15, _) | (16..=31, 3) => 960,
            (0..=11, 2) => 1_920,
            (0..=11, _) => 2_880,
            (_, 0) => 120,
            _ => 240,
        };
        let (frames, header) = match toc & 3 {
            0 => (1, 1),
            1 if it.rest().len().is_multiple_of(2) => (2, 1),
            1 => return None,
            2 => {
                let first = length(&mut it)?;
                it.rest().len().checked_sub(first)?;
                (2, payload.len().saturating_sub(it.rest().len()))
            }
            _ => several(&mut it, payload.len())?,
        };
        let ticks = frame.checked_mul(frames).filter(|it| *it <= LONGEST)?;
        if frames <= 2 && payload.len().saturating_sub(header) > LARGEST_FRAME.saturating_mul(frames as usize) {
            return None;
        }
        Some(Self {
            ticks,
            stereo: toc & 4 != 0,
            header,
        })
    }
}

/// The length of a frame, of one byte or two (section 3.2.1).
fn length(it: &mut Cursor<'_>) -> Option<usize> {
    match it.u8().ok()? {
        short @ 0..=251 => Some(usize::from(short)),
        low => Some(usize::from(it.u8().ok()?).saturating_mul(4).saturating_add(usize::from(low))),
    }
}

/// Any number of frames, with padding behind them (section 3.2.5): their number, and the bytes before the first.
fn several(it: &mut Cursor<'_>, all: usize) -> Option<(u32, usize)> {
    let count = it.u8().ok()?;
    let frames = u32::from(count & 0x3f);
    if frames == 0 {
        return None;
    }
    let mut padding = 0_usize;
    if count & 0x40 != 0 {
        loop {
            let more = it.u8().ok()?;
            padding = padding.saturating_add(usize::from(more.min(254)));
            if more != 255 {
                break;
            }
        }
    }
    let mut told = 0_usize;
    if count & 0x80 != 0 {
        for _ in 1..frames {
            told = told.saturating_add(length(it)?);
        }
    }
    let header = all.saturating_sub(it.rest().len());
    let rest = it.rest().len().checked_sub(padding)?.checked_sub(told)?;
    let equal = count & 0x80 != 0 || rest.checked_rem(frames as usize)? == 0;
    equal.then_some((frames, header))
}

/// A decoder to 48 kHz. The crate computes in integers: the samples are the same on every machine.
pub struct Decoder {
    inner: ropus::Decoder,
    channels: usize,
    room: Vec<i16>,
}

impl Decoder {
    /// With one channel or two; packets of the other kind are mixed.
    pub fn new(stereo: bool) -> Option<Self> {
        let channels = if stereo { Channels::Stereo } else { Channels::Mono };
        let count = if stereo { 2 } else { 1 };
        Some(Self {
            inner: ropus::Decoder::new(RATE, channels).ok()?,
            channels: count,
            room: vec![0; (LONGEST as usize).saturating_mul(count)],
        })
    }

    /// One channel of [`TRIAL_RATE`].
    pub fn for_trials() -> Option<Self> {
        Some(Self {
            inner: ropus::Decoder::new(TRIAL_RATE, Channels::Mono).ok()?,
            channels: 1,
            room: vec![0; LONGEST as usize],
        })
    }

    /// How many channels there are.
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// The samples of a packet, channels in turn; `None` when it is none.
    pub fn decode(&mut self, payload: &[u8]) -> Option<&[i16]> {
        // To the decoder, no bytes are a packet that was lost.
        if payload.is_empty() {
            return None;
        }
        let samples = self.inner.decode(payload, &mut self.room, DecodeMode::Normal).ok()?;
        self.room.get(..samples.saturating_mul(self.channels))
    }
}

/// The state of a decoder is large and tells nothing.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an Opus decoder of {} channels", self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(bytes: &[u8]) -> Option<(u32, usize)> {
        Framing::read(bytes).map(|it| (it.ticks, it.header))
    }

    #[test]
    fn every_configuration_lasts_what_the_table_says() {
        // RFC 6716, table 2, in tenths of milliseconds.
        let silk = [100, 200, 400, 600];
        let hybrid = [100, 200];
        let celt = [25, 50, 100, 200];
        let all = [silk.repeat(3), hybrid.repeat(2), celt.repeat(4)].concat();
        for (config, tenths) in (0_u8..).zip(all) {
            let it = Framing::read(&[config << 3 | 4, 0, 0]).unwrap();
            assert_eq!((it.ticks * 10 / 48, it.stereo, it.header), (tenths, true, 1), "{config}");
        }
    }

    #[test]
    fn frames_are_counted_and_their_lengths_must_fit() {
        // One, two of one length, two of their own lengths.
        assert_eq!(framing(&[0xf8]), Some((960, 1)));
        assert_eq!(framing(&[0xf9, 1, 2]), Some((1_920, 1)));
        assert_eq!(framing(&[0xf9, 1, 2, 3]), None);
        assert_eq!(framing(&[0xfa, 2, 1, 2, 3]), Some((1_920, 2)));
        assert_eq!(framing(&[0xfa, 4, 1, 2, 3]), None);
        assert_eq!(framing(&[&[0xfa, 252, 0][..], &[0; 252]].concat()), Some((1_920, 3)));
        // Three of one length, three of their own, with padding, none, too many.
        assert_eq!(framing(&[0xfb, 3, 1, 2, 3]), Some((2_880, 2)));
        assert_eq!(framing(&[0xfb, 3, 1, 2]), None);
        assert_eq!(framing(&[0xfb, 0x83, 1, 0, 9, 9, 9]), Some((2_880, 4)));
        assert_eq!(framing(&[0xfb, 0x42, 2, 7, 7, 0, 0]), Some((1_920, 3)));
        assert_eq!(framing(&[0xfb, 0x42, 9, 7, 7, 0, 0]), None);
        assert_eq!(framing(&[0xfb, 0]), None);
        assert_eq!(framing(&[0xfb, 7]), None, "140 ms");
        assert_eq!(framing(&[]), None);
    }

    /// `*.opus` and every 37th of their samples are libopus's, from a voice that `samples/voice.py` makes. It computes in floating
    /// point, this decoder in integers: they round differently.
    #[test]
    fn samples_are_those_of_another_decoder() {
        let cases = [
            (
                false,
                &include_bytes!("samples/voice.opus")[..],
                &include_bytes!("samples/voice.opus.pcm")[..],
            ),
            (
                true,
                include_bytes!("samples/stereo.opus"),
                include_bytes!("samples/stereo.opus.pcm"),
            ),
        ];
        for (stereo, packets, expected) in cases {
            let mut decoder = Decoder::new(stereo).unwrap();
            let samples: Vec<i16> = super::super::tests::packets(packets)
                .iter()
                .flat_map(|it| decoder.decode(it).unwrap().to_vec())
                .collect();
            let expected: Vec<i16> = expected.chunks(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
            assert_eq!(samples.iter().step_by(37).count(), expected.len());
            let worst = samples
                .iter()
                .step_by(37)
                .zip(&expected)
                .map(|(a, b)| a.abs_diff(*b))
                .max()
                .unwrap();
            assert!(worst <= 16, "{worst}");
            assert!(expected.iter().any(|it| it.unsigned_abs() > 1_000));
        }
    }
}
