//! Owns the speech of the worlds: two recordings, µ-law coded (ITU-T G.711) into frames of 20 ms.
//!
//! Refuses any other recording format than mono, 8 kHz, 16-bit WAV: the assets are ours.

use audio_codec_algorithms::encode_ulaw;

/// Samples, and so bytes, of one frame of 20 ms.
pub const FRAME: usize = 160;

/// A recording in the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// File under `assets/`.
    pub file: &'static str,
    wav: &'static [u8],
}

/// A man's voice: a sentence on tide tables.
pub const HARBOUR: Recording = Recording {
    file: "harbour.wav",
    wav: include_bytes!("../assets/harbour.wav"),
};

/// A woman's voice: a sentence on lanterns.
pub const LANTERNS: Recording = Recording {
    file: "lanterns.wav",
    wav: include_bytes!("../assets/lanterns.wav"),
};

impl Recording {
    /// Its samples: what follows the `data` chunk's head.
    #[must_use]
    pub fn samples(&self) -> Vec<i16> {
        let data = self
            .wav
            .windows(4)
            .position(|four| four == b"data")
            .map_or(self.wav.len(), |at| at + 8);
        self.wav[data..]
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }

    /// Its whole frames, coded.
    #[must_use]
    pub fn frames(&self) -> Vec<[u8; FRAME]> {
        let coded: Vec<u8> = self.samples().into_iter().map(encode_ulaw).collect();
        coded
            .chunks_exact(FRAME)
            .map(|chunk| {
                let mut frame = [0; FRAME];
                frame.copy_from_slice(chunk);
                frame
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 table 2b, from its segments: sign and magnitude, 33 biased, on 14 bits.
    fn decoded(code: u8) -> i32 {
        let code = !code;
        let magnitude = ((i32::from(code & 15) * 2 + 33) << ((code >> 4) & 7)) - 33;
        if code & 0x80 == 0 { magnitude } else { -magnitude }
    }

    #[test]
    fn every_sample_is_coded_by_the_segment_that_holds_it() {
        for sample in i16::MIN..=i16::MAX {
            let code = encode_ulaw(sample);
            // 16-bit samples carry 14 bits of value.
            let (value, got) = (f64::from(sample) / 4.0, decoded(code));
            let error = (value - f64::from(got)).abs();
            let step = f64::from(2 << ((!code >> 4) & 7));
            assert!(
                error <= step / 2.0 + 1.0 || value.abs() > 8031.0,
                "{sample} became {code:#x} = {got}"
            );
            assert!(value.abs() < 1.0 || got == 0 || (value < 0.0) == (got < 0), "{sample} changed sign");
        }
    }

    #[test]
    fn known_codes() {
        assert_eq!(encode_ulaw(0), 0xff);
        assert_eq!(encode_ulaw(i16::MAX), 0x80);
        assert_eq!(encode_ulaw(i16::MIN), 0x00);
    }

    #[test]
    fn both_recordings_are_five_seconds_of_sound() {
        for recording in [HARBOUR, LANTERNS] {
            let frames = recording.frames();
            assert_eq!(frames.len(), 250, "{}", recording.file);
            let loud = recording.samples().iter().filter(|sample| sample.unsigned_abs() > 2000).count();
            assert!(loud > 4000, "{} is nearly silent: {loud}", recording.file);
        }
    }
}
