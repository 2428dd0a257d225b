//! The sound of one source: its packets in order, decoded, with silence where none came, hashed, and put to the test whether it is
//! sound at all. Which codec it is follows from the payload type where that is static (RFC 3551); of a dynamic type it is looked
//! whether the payloads are framed as Opus.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::g711::{Law, Signs};
use super::recognition::LONGEST_TAG;
use super::trial::{Outcome, SMALL, Subject, Trial, Tried};
use super::{g722, opus};
use crate::protocols::hexadecimal::spelled;

/// Packets held back so that late ones find their place: 32 of 20 ms, more than players wait.
const HELD: usize = 32;

/// Distinct differences between payload and clock that are counted.
const MOST_DIFFERENCES: usize = 16;

/// Pairs of packets that tell what payloads are as long as.
const LEAST_SIZED: u64 = 16;

/// Longest payload taken: a second of G.711. Real packets hold 10 to 130 ms.
const LONGEST: usize = 8_000;

/// Pairs of packets of which it is looked whether their framing fits the clock.
const MOST_PAIRS: u32 = 64;

/// Packets and pauses kept until the framing is found to fit: where many are lost, few follow each other.
const MOST_BEFORE: usize = 512;

/// The probability, or more, that a payload of even bytes says of itself in Opus's words that it lasts as long as the clock says:
/// 20 ms, the likeliest, has 27.4 of 128.
const FRAMED_BY_CHANCE: f64 = 0.25;

/// Silence that is put in where no packets came, in seconds; and in ticks for each tick of sound. A caller who listens
/// sends nothing for a while; a forged clock shall not make hours of it.
const SILENCE: u64 = 60;
const SILENCE_PER_SOUND: u64 = 16;

/// What is left out where something names the codec.
pub const UNNAMED: &str = ", and nothing named their codec";

/// Samples a second, and channels, that are in use.
const CLOCKS: std::ops::RangeInclusive<u32> = 4_000..=192_000;
const CHANNELS: std::ops::RangeInclusive<u8> = 1..=8;

/// One packet, as it waits for its turn.
#[derive(Debug)]
struct Held {
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// The packet decoded last.
#[derive(Clone, Copy, Debug)]
struct Played {
    number: u64,
    timestamp: u32,
    /// What its payload lasts.
    ticks: u32,
    /// A packet of so few bytes stands for silence that goes on (RFC 6716, section 2.1.9).
    idle: bool,
}

/// What decodes a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    Mu,
    A,
    G722,
    Opus,
    /// Samples of 16 bits as they are (RFC 3551 section 4.5.11): how many a second, in so many channels.
    Linear(u32, u8),
}

impl Decoder {
    /// By the name, the clock and the channels that descriptions give it (RFC 3551 section 4.5, RFC 7587 section 4.1).
    pub fn named(encoding: &str, clock: u32, channels: u8) -> Option<Self> {
        if encoding.eq_ignore_ascii_case("L16") {
            return (CLOCKS.contains(&clock) && CHANNELS.contains(&channels)).then_some(Self::Linear(clock, channels));
        }
        const NAMES: [(&str, u32, Decoder); 4] = [
            ("PCMU", 8_000, Decoder::Mu),
            ("PCMA", 8_000, Decoder::A),
            ("G722", 8_000, Decoder::G722),
            ("opus", opus::RATE, Decoder::Opus),
        ];
        let known = NAMES
            .iter()
            .find(|(name, ticks, _)| name.eq_ignore_ascii_case(encoding) && *ticks == clock);
        known.map(|(.., it)| *it)
    }
}

/// A codec with what decoding it takes.
#[derive(Debug)]
enum Codec {
    G711(Law, Signs),
    Linear(u32, u8, Signs),
    G722(Box<g722::Decoder>, Trial, Balance),
    Opus(Opus),
}

/// The sign bits of G.722's codes. What its predictor leaves over is now above, now below; text and many tables have one sign, and
/// may repeat themselves like sound.
#[derive(Clone, Copy, Debug, Default)]
struct Balance {
    codes: u64,
    /// Of the lower band, and of the higher.
    positive: [u64; 2],
}

impl Balance {
    fn take(&mut self, codes: &[u8]) {
        self.codes = self.codes.saturating_add(codes.len() as u64);
        for (sum, bit) in self.positive.iter_mut().zip([0x20, 0x80]) {
            *sum = sum.saturating_add(codes.iter().filter(|code| *code & bit != 0).count() as u64);
        }
    }

    /// At least a sixteenth of either in each band; voices have a seventh or more.
    fn is_kept(&self) -> bool {
        let least = self.codes / 16;
        let range = least..=self.codes.saturating_sub(least);
        self.positive.iter().all(|it| range.contains(it))
    }
}

/// Payloads that may be Opus.
#[derive(Debug)]
struct Opus {
    /// What came before the framing was found to fit: most dynamic payload types are something else, and decoding is dear.
    before: Vec<Before>,
    /// The framing was found to fit.
    framed: bool,
    /// From the first packet that is framed.
    decoder: Option<Box<opus::Decoder>>,
    trial: Trial,
    /// Pairs of packets whose times are as far apart as the framing says, and others.
    fits: u32,
    misfits: u32,
}

/// What waits to be decoded.
#[derive(Debug)]
enum Before {
    /// So many ticks of it.
    Silence(u64),
    /// A payload, and what it lasts.
    Packet(Vec<u8>, u32),
}

impl Opus {
    /// Whether there is nothing to be hoped for.
    fn is_other(&self) -> bool {
        let pairs = self.fits.saturating_add(self.misfits);
        let undecided = pairs >= MOST_PAIRS || self.before.len() >= MOST_BEFORE;
        !self.framed && (self.misfits >= 4 && self.misfits > self.fits || undecided) || self.trial.is_lost()
    }

    fn pair(&mut self, fits: bool) {
        let pairs = self.fits.saturating_add(self.misfits);
        if self.framed || pairs >= MOST_PAIRS {
            return;
        }
        let place = if fits { &mut self.fits } else { &mut self.misfits };
        *place = place.saturating_add(1);
        self.framed = tail(pairs.saturating_add(1), self.fits, FRAMED_BY_CHANCE) < SMALL;
    }

    /// The samples of a payload that lasts so long, where they are wanted: the trial decodes what it needs by itself.
    fn decode(&mut self, payload: &[u8], ticks: u32, wanted: bool) -> Vec<i16> {
        if payload.len() > 2 {
            self.trial.take(payload, ticks);
        }
        if !wanted {
            return Vec::new();
        }
        if self.decoder.is_none() {
            let stereo = opus::Framing::read(payload).is_some_and(|it| it.stereo);
            self.decoder = opus::Decoder::new(stereo).map(Box::new);
        }
        let samples = self.decoder.as_mut().and_then(|it| it.decode(payload));
        samples.unwrap_or_default().to_vec()
    }
}

/// The sound of one source.
#[derive(Debug)]
pub struct Sound {
    codec: Codec,
    /// Packets by extended sequence number (RFC 3550, section 6.4.1).
    waiting: BTreeMap<u64, Held>,
    last: Option<Played>,
    /// Sequence numbers that never came.
    lost: u64,
    hash: Sha256,
    /// Ticks of silence that may still be put in; whether that was too little.
    silence: u64,
    shortened: bool,
    /// Payloads that cannot be decoded whole: cut by the capture, or with impossible padding.
    broken: u64,
    /// Payload length minus clock step, and how often.
    differences: BTreeMap<i64, u64>,
    /// What was decoded and not yet handed on, where somebody wants it.
    tape: Option<Vec<Taped>>,
}

/// A piece of decoded sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taped {
    Samples(Vec<i16>),
    /// So many samples of silence.
    Silence(u64),
}

/// What a source's sound turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The codec, where the payloads themselves show it.
    pub codec: Option<&'static str>,
    /// Whether it is sound.
    pub outcome: Outcome,
    /// SHA-256 of the samples; empty where they were not decoded, as nobody wants them.
    pub sound: String,
    /// Samples a second, and channels.
    pub rate: u32,
    pub channels: u16,
    /// What was not handed on before.
    pub tape: Vec<Taped>,
}

impl Sound {
    /// Whether a codec is known that a payload type could be.
    pub const fn is_known(payload_type: u8) -> bool {
        matches!(payload_type, 0 | 8..=11 | 35..=63 | 96..=127)
    }

    /// The sound of a payload type, which signalling may have named; `None` where no codec is known that it could be. It is handed on
    /// where that is `wanted`.
    pub fn of(payload_type: u8, named: Option<Decoder>, wanted: bool, tried: Arc<Tried>) -> Option<Self> {
        let decoder = match payload_type {
            0 => Decoder::Mu,
            8 => Decoder::A,
            9 => Decoder::G722,
            10 => Decoder::Linear(44_100, 2),
            11 => Decoder::Linear(44_100, 1),
            // Left to signalling (RFC 3551, section 6).
            35..=63 | 96..=127 => named.unwrap_or(Decoder::Opus),
            _ => return None,
        };
        let codec = match decoder {
            Decoder::Mu => Codec::G711(Law::Mu, Signs::new(Some(Law::Mu))),
            Decoder::A => Codec::G711(Law::A, Signs::new(Some(Law::A))),
            Decoder::G722 => Codec::G722(Box::new(g722::Decoder::new()), Trial::new(Subject::G722, tried), Balance::default()),
            Decoder::Linear(clock, channels) => Codec::Linear(clock, channels, Signs::new(None)),
            Decoder::Opus => Codec::Opus(Opus {
                before: Vec::new(),
                framed: false,
                decoder: None,
                trial: Trial::new(Subject::Opus, tried),
                fits: 0,
                misfits: 0,
            }),
        };
        let silence = u64::from(clock(&codec)).saturating_mul(SILENCE);
        Some(Self {
            codec,
            waiting: BTreeMap::new(),
            last: None,
            lost: 0,
            hash: Sha256::new(),
            silence,
            shortened: false,
            broken: 0,
            differences: BTreeMap::new(),
            tape: wanted.then(Vec::new),
        })
    }

    /// Whether it is decoded so.
    pub fn is_of(&self, decoder: Option<Decoder>) -> bool {
        let own = match &self.codec {
            Codec::G711(Law::Mu, _) => Decoder::Mu,
            Codec::G711(Law::A, _) => Decoder::A,
            Codec::G722(..) => Decoder::G722,
            Codec::Opus(_) => Decoder::Opus,
            Codec::Linear(clock, channels, _) => Decoder::Linear(*clock, *channels),
        };
        decoder == Some(own)
    }

    /// Whether the payloads are framed as Opus, so that they are not encrypted as a whole.
    pub fn is_framed(&self) -> bool {
        matches!(&self.codec, Codec::Opus(it) if it.framed)
    }

    /// Whether payloads are as long as the clock says to the byte, wherever two of them follow each other: no tag stands behind the samples.
    pub fn has_no_tag(&self) -> bool {
        let sized = !matches!(&self.codec, Codec::Opus(_)) && self.broken == 0;
        sized && self.differences.len() == 1 && self.differences.get(&0).is_some_and(|times| *times >= LEAST_SIZED)
    }

    /// What was decoded since this was asked last.
    pub fn taped(&mut self) -> Vec<Taped> {
        self.tape.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes a packet by its extended sequence number; `None` when its payload is not whole.
    pub fn packet(&mut self, number: u64, timestamp: u32, marker: bool, payload: Option<&[u8]>) {
        if let Codec::Opus(it) = &mut self.codec
            && it.is_other()
        {
            it.before = Vec::new();
            self.waiting.clear();
            return;
        }
        let Some(payload) = payload.filter(|it| it.len() <= LONGEST) else {
            self.broken = self.broken.saturating_add(1);
            return;
        };
        // Captured twice, or later than any player would wait.
        if self.last.is_some_and(|last| number <= last.number) {
            return;
        }
        self.waiting.entry(number).or_insert_with(|| Held {
            timestamp,
            marker,
            payload: payload.to_vec(),
        });
        if self.waiting.len() > HELD {
            self.play();
        }
    }

    /// Decodes the first of the waiting packets.
    fn play(&mut self) {
        let Some((number, held)) = self.waiting.pop_first() else { return };
        let bytes = u32::try_from(held.payload.len()).unwrap_or(u32::MAX);
        let framing = opus::Framing::read(&held.payload);
        let ticks = match &self.codec {
            Codec::G711(..) | Codec::G722(..) => bytes,
            Codec::Opus(_) => framing.map_or(0, |it| it.ticks),
            Codec::Linear(_, channels, _) => bytes.checked_div(weight(*channels)).unwrap_or_default(),
        };
        if let Some(last) = self.last {
            let between = number.saturating_sub(last.number).saturating_sub(1);
            self.lost = self.lost.saturating_add(between);
            let passed = held.timestamp.wrapping_sub(last.timestamp);
            if between == 0 {
                self.pair(&last, passed, held.marker);
            }
            self.pause(passed.wrapping_sub(last.ticks).cast_signed());
        }
        self.last = Some(Played {
            number,
            timestamp: held.timestamp,
            ticks,
            idle: held.payload.len() <= 2,
        });
        self.silence = self.silence.saturating_add(u64::from(ticks).saturating_mul(SILENCE_PER_SOUND));
        let samples = match &mut self.codec {
            Codec::G711(law, signs) => {
                signs.take(&held.payload);
                held.payload.iter().map(|code| law.sample(*code)).collect()
            }
            Codec::Linear(_, channels, signs) => {
                let (pairs, _) = held.payload.as_chunks::<2>();
                let samples: Vec<i16> = pairs.iter().map(|it| i16::from_be_bytes(*it)).collect();
                let channels = usize::from(*channels);
                for channel in 0..channels {
                    signs.take_linear(samples.iter().copied().skip(channel).step_by(channels));
                }
                samples
            }
            Codec::G722(decoder, trial, balance) => {
                balance.take(&held.payload);
                trial.take(&held.payload, ticks);
                let wanted = self.tape.is_some();
                let codes = held.payload.iter().filter(|_| wanted);
                codes.flat_map(|code| decoder.decode(*code)).collect()
            }
            Codec::Opus(it) => {
                if framing.is_none() {
                    it.pair(false);
                    return;
                }
                if !it.framed {
                    it.before.push(Before::Packet(held.payload, ticks));
                    return;
                }
                it.decode(&held.payload, ticks, self.tape.is_some())
            }
        };
        self.sounds(&samples);
    }

    /// The framing fits: decodes what was kept until that was known.
    fn catch_up(&mut self) {
        let Codec::Opus(it) = &mut self.codec else { return };
        for before in std::mem::take(&mut it.before) {
            match before {
                Before::Silence(ticks) => self.quiet(ticks),
                Before::Packet(payload, ticks) => {
                    let Codec::Opus(it) = &mut self.codec else { return };
                    let samples = it.decode(&payload, ticks, self.tape.is_some());
                    self.sounds(&samples);
                }
            }
        }
    }

    /// Holds what a packet lasts against the time until the next.
    fn pair(&mut self, last: &Played, passed: u32, marker: bool) {
        match &mut self.codec {
            Codec::G711(..) | Codec::G722(..) | Codec::Linear(..) => {
                let weight = if let Codec::Linear(_, channels, _) = &self.codec {
                    weight(*channels)
                } else {
                    1
                };
                let ticks = i64::from(last.ticks).saturating_sub(i64::from(passed));
                let bytes = ticks.saturating_mul(weight.into());
                if self.differences.len() < MOST_DIFFERENCES || self.differences.contains_key(&bytes) {
                    let times = self.differences.entry(bytes).or_default();
                    *times = times.saturating_add(1);
                }
            }
            Codec::Opus(it) => {
                // Silence that was not sent, in whole frames.
                let paused = passed > last.ticks && passed < 1 << 24 && (marker || last.idle);
                if last.ticks == passed {
                    it.pair(true);
                    if it.framed && !it.before.is_empty() {
                        self.catch_up();
                    }
                } else if !paused {
                    it.pair(false);
                }
            }
        }
    }

    /// Puts silence where no packets came. Clocks that go back, or far ahead, are not followed.
    fn pause(&mut self, ticks: i32) {
        let Ok(ticks) = u64::try_from(ticks) else { return };
        let granted = ticks.min(self.silence);
        self.shortened |= granted < ticks;
        self.silence = self.silence.saturating_sub(granted);
        match &mut self.codec {
            Codec::Opus(it) if !it.framed => {
                if granted > 0 {
                    it.before.push(Before::Silence(granted));
                }
            }
            _ => self.quiet(granted),
        }
    }

    /// So many ticks of silence.
    fn quiet(&mut self, granted: u64) {
        let samples = match &self.codec {
            Codec::G711(..) => granted,
            Codec::G722(..) => granted.saturating_mul(2),
            Codec::Linear(_, channels, _) => granted.saturating_mul((*channels).into()),
            Codec::Opus(it) => granted.saturating_mul(it.decoder.as_ref().map_or(0, |it| it.channels() as u64)),
        };
        let quiet = [0; 8_192];
        let mut left = usize::try_from(samples.saturating_mul(2)).unwrap_or_default();
        while left > 0 {
            let part = quiet.get(..left.min(quiet.len())).unwrap_or(&quiet);
            self.hash.update(part);
            left = left.saturating_sub(part.len());
        }
        if let Some(tape) = self.tape.as_mut().filter(|_| samples > 0) {
            tape.push(Taped::Silence(samples));
        }
    }

    /// Hashed a packet at a time: a call for every sample would cost more than the hash.
    fn sounds(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        self.hash.update(bytes);
        if let Some(tape) = self.tape.as_mut().filter(|_| !samples.is_empty()) {
            tape.push(Taped::Samples(samples.to_vec()));
        }
    }

    /// Decodes what still waits and tells what was heard.
    pub fn heard(mut self) -> Heard {
        while !self.waiting.is_empty() {
            self.play();
        }
        let codec = match &self.codec {
            Codec::Opus(it) if it.framed => Some("opus"),
            _ => None,
        };
        // A hash of what was not decoded would be of nothing.
        let whole = matches!(self.codec, Codec::G711(..) | Codec::Linear(..)) || self.tape.is_some();
        let sound = if whole {
            spelled(&std::mem::take(&mut self.hash).finalize())
        } else {
            String::new()
        };
        let (rate, channels) = match &self.codec {
            Codec::G711(..) => (8_000, 1),
            Codec::G722(..) => (16_000, 1),
            Codec::Linear(clock, channels, _) => (*clock, usize::from(*channels)),
            Codec::Opus(it) => (opus::RATE, it.decoder.as_ref().map_or(1, |it| it.channels())),
        };
        let tape = self.taped();
        Heard {
            codec,
            outcome: self.outcome(),
            sound,
            rate,
            channels: u16::try_from(channels).unwrap_or(1),
            tape,
        }
    }

    fn outcome(self) -> Outcome {
        let nothing = |why: &str| Outcome::Nothing(why.to_owned());
        if self.broken > 0 {
            return Outcome::Nothing(format!(
                "{} payloads are not whole in the capture, or padded beyond their length",
                self.broken
            ));
        }
        let usual = self.differences.iter().max_by_key(|(_, times)| **times);
        match (&self.codec, usual) {
            (Codec::Opus(it), _) if !it.framed => {
                return Outcome::Nothing(format!(
                    "the payload type is dynamic and its payloads are not framed as Opus{UNNAMED}"
                ));
            }
            (Codec::Opus(_), _) | (_, Some((0, _))) => {}
            (_, None) => return nothing("no two packets follow each other, so that payload lengths cannot be held against the clock"),
            (_, Some((tag, _))) if (1..=i64::from(LONGEST_TAG)).contains(tag) => {
                return Outcome::Nothing(format!("payloads are {tag} bytes longer than their samples: an SRTP tag fits"));
            }
            (_, Some(_)) => return nothing("payload lengths do not fit the clock"),
        }
        let (lost, shortened) = (self.lost, self.shortened);
        let outcome = match self.codec {
            Codec::G711(_, signs) | Codec::Linear(_, _, signs) => signs.outcome(),
            Codec::G722(_, _, balance) if !balance.is_kept() => {
                Outcome::Nothing("codes of one sign prevail, which no sound gives".to_owned())
            }
            Codec::G722(_, trial, _) => trial.outcome(),
            Codec::Opus(it) => it.trial.outcome(),
        };
        let also = |it: String| {
            let shorter = if shortened { "; more silence than was put in" } else { "" };
            format!("{it}, {lost} packets lost{shorter}")
        };
        match outcome {
            Outcome::Sound(it) => Outcome::Sound(also(it)),
            Outcome::Nothing(it) => Outcome::Nothing(it),
        }
    }
}

const fn clock(codec: &Codec) -> u32 {
    match codec {
        Codec::G711(..) | Codec::G722(..) => 8_000,
        Codec::Opus(_) => opus::RATE,
        Codec::Linear(clock, ..) => *clock,
    }
}

/// Bytes of a tick.
const fn weight(channels: u8) -> u32 {
    (channels as u32).saturating_mul(2)
}

/// The probability of at least so many successes among so many tries, each with probability `one`.
fn tail(tries: u32, successes: u32, one: f64) -> f64 {
    // Of none, then each from the one before.
    let (mut exactly, mut sum) = ((1.0 - one).powi(tries.cast_signed()), 0.0);
    for count in 0..=tries {
        if count >= successes {
            sum += exactly;
        }
        exactly *= f64::from(tries.saturating_sub(count)) / f64::from(count.saturating_add(1)) * one / (1.0 - one);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_binomial_distribution() {
        assert!((tail(10, 10, 0.25) - 0.25_f64.powi(10)).abs() < 1e-12);
        assert!((tail(2, 1, 0.25) - 0.4375).abs() < 1e-12);
        assert!((tail(64, 0, 0.25) - 1.0).abs() < 1e-9);
        assert_eq!(tail(3, 4, 0.25), 0.0);
    }
}
