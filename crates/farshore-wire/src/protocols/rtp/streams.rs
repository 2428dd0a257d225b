//! The sources of one flow, each with its counts, and its sound where that can be decoded.

use std::collections::BTreeMap;

use farshore_model::ledger::Severity;
use farshore_model::observation::Recovery;
use farshore_model::{Direction, Observation, Protection, Span};

use super::packet::{Packet, codec};
use super::pictures::{Pictures, of_pictures};
use super::recognition::LARGEST_LOSS;
use super::sealed::{Latest, Opener, Sample};
use super::sound::{Decoder, Heard, Sound, Taped, UNNAMED};
use super::trial::Outcome;
use crate::media_keys::MediaKeys;
use crate::protocols::{Dissector, Piece, Progress, Segment, Session, Sink, rtcp};
use crate::recording::{self, Label, Next};

/// Sources followed in one flow: a conference server sends dozens through one port, a flood more.
const MOST_SOURCES: usize = 64;

/// Payload types counted per source.
const MOST_TYPES: usize = 16;

/// Payload types of one source that are decoded: of a call, speech and the tones of keys.
const MOST_SOUNDS: usize = 3;

/// Keys that may follow each other in one source: each call set up anew tells one.
const MOST_KEYS: usize = 8;

/// Times a source must go on from its highest sequence number before it counts, which takes three packets (RFC 3550,
/// appendix A.1, asks for two).
const LEAST_ADVANCES: u64 = 2;

/// All sources of a flow.
#[derive(Debug, Default)]
pub struct Streams {
    /// By direction (up first) and SSRC. Boxed: most flows have one or two, and a map makes room for a dozen.
    sources: BTreeMap<(bool, u32), Box<Source>>,
    /// How many recordings were begun.
    recordings: u32,
    /// Of the client, and of the server.
    ports: [u16; 2],
}

impl Streams {
    /// The media between two ports.
    pub fn new(client: u16, server: u16) -> Self {
        Self {
            ports: [client, server],
            ..Self::default()
        }
    }
}

/// One synchronisation source in one direction.
#[derive(Debug)]
struct Source {
    /// By which signalling may name what it sends.
    ports: [u16; 2],
    packets: u64,
    payload: u64,
    first_frame: u64,
    last_frame: u64,
    /// Highest extended sequence number.
    highest: u64,
    advances: u64,
    types: BTreeMap<u8, u64>,
    pictures: Pictures,
    sounds: Vec<Voice>,
    /// Kept until a key is found.
    sample: Sample,
    opened: Option<Opened>,
    /// The key of the latest packets, where none is known of those kept before them.
    late: Option<Box<Opener>>,
    /// How many keys were told, where none of them fits.
    unfit: usize,
    /// Only the sample was there to be decoded as what signalling names.
    in_part: bool,
}

/// What signalling calls a payload type.
struct Named {
    encoding: String,
    /// What decodes it, if anything here does.
    decoder: Option<Decoder>,
    frame: u64,
}

/// What a source sends in one payload type.
#[derive(Debug)]
struct Voice {
    payload_type: u8,
    sound: Sound,
    /// The number of its recording.
    recording: u32,
}

impl Voice {
    /// Hands on what was decoded.
    fn hand_on(&mut self, out: &mut dyn Sink) {
        for it in self.sound.taped() {
            tell(self.recording, &it, out);
        }
    }
}

fn tell(recording: u32, it: &Taped, out: &mut dyn Sink) {
    let next = match it {
        Taped::Samples(samples) => Next::Samples(samples),
        Taped::Silence(samples) => Next::Silence(*samples),
    };
    out.sound(recording::Piece { recording, next });
}

/// A source whose key is known.
#[derive(Debug)]
struct Opened {
    by: Opener,
    /// Those that were its keys before.
    before: Vec<Opener>,
    /// The latest that it did not open.
    shut: Latest,
    authentic: u64,
    /// Packets whose tags did not fit.
    others: u64,
    /// Only the sample was there to be opened.
    in_part: bool,
}

/// How many packets of a source are there when keys that are known beforehand are tried.
const TRIED_AT: usize = 3;

/// Why a source stays closed whose key was told.
const LATE: &str = "the key told for the media fits none of the first packets, which alone were kept";

/// How many packets of a source are there when it is looked whether their framing shows that no key is needed.
const JUDGED_AT: usize = 64;

impl Dissector for Streams {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        // STUN and DTLS share the port (RFC 7983) and are none of ours.
        if let Some(packet) = Packet::read(piece.bytes) {
            let key = (direction == Direction::Down, packet.ssrc);
            let room = self.sources.len() < MOST_SOURCES;
            let numbers = &mut self.recordings;
            match self.sources.get_mut(&key) {
                Some(source) => source.packet(&packet, &piece, numbers, out),
                None if room => {
                    self.sources
                        .entry(key)
                        .or_insert_with(|| Box::new(Source::new(&packet, &piece, receiver_first(self.ports, direction))))
                        .packet(&packet, &piece, numbers, out);
                }
                None => {}
            }
        } else if rtcp::is_control(piece.bytes) {
            // In clear, on the port of what it speaks of (RFC 5761).
            out.inner(direction, "rtcp", it);
        }
        Progress::More
    }

    fn waits(&self) -> bool {
        !self.sources.is_empty()
    }

    fn conclude(&mut self, out: &mut dyn Sink) {
        let mut protection = None;
        for ((down, ssrc), mut source) in std::mem::take(&mut self.sources) {
            if source.advances < LEAST_ADVANCES {
                continue;
            }
            source.try_keys(true, &mut self.recordings, out);
            source.try_name(&mut self.recordings, out);
            if source.late.is_some() {
                out.session(Session::Missed(LATE.into()));
            }
            let at = Span::in_layer(source.first_frame, source.last_frame, 0, source.payload);
            let opened = source.opened.as_ref().map(|it| it.by.protection());
            let direction = if down { Direction::Down } else { Direction::Up };
            // The tests of sound take bytes for independent, which those of such a cipher are not.
            let again = source.sample.repeated();
            let told = source.told(direction, ssrc, again.is_some(), out);
            let readable = matches!(
                told,
                Observation::Media {
                    recoverable: Recovery::Yes { .. },
                    ..
                }
            );
            // The weakest of a flow's streams counts.
            match opened {
                None if readable => protection = Some(Protection::Plaintext),
                Some(_) => {
                    protection.get_or_insert(Protection::Srtp);
                }
                None => {}
            }
            if let Some(again) = again {
                let because = format!(
                    "{again} blocks of 16 bytes of SSRC 0x{ssrc:08x} came before, at the same place of a payload, and look encrypted: each is \
                     encrypted for itself (ECB), which shows where the content is the same"
                );
                out.anomaly("media-repeated-blocks", Severity::Warning, because, at);
            }
            out.under(opened.unwrap_or(Protection::Plaintext));
            out.observe(told, at);
        }
        // Otherwise what the flow began with stands: opaque, or the handshake that shares its ports.
        if let Some(it) = protection {
            out.protection(it);
        }
    }
}

/// The port that packets go to, then the one they come from: a description says what its own side wants to receive.
const fn receiver_first([client, server]: [u16; 2], direction: Direction) -> [u16; 2] {
    match direction {
        Direction::Up => [server, client],
        Direction::Down => [client, server],
    }
}

impl Source {
    fn new(packet: &Packet<'_>, piece: &Piece<'_>, ports: [u16; 2]) -> Self {
        Self {
            ports,
            packets: 0,
            payload: 0,
            first_frame: piece.origin.carrier,
            last_frame: piece.origin.frame,
            // One cycle up, so that packets from before the first have a number too.
            highest: u64::from(packet.sequence) | 1 << 16,
            advances: 0,
            types: BTreeMap::new(),
            pictures: Pictures::default(),
            sounds: Vec::new(),
            sample: Sample::default(),
            opened: None,
            late: None,
            unfit: 0,
            in_part: false,
        }
    }

    fn packet(&mut self, packet: &Packet<'_>, piece: &Piece<'_>, numbers: &mut u32, out: &mut dyn Sink) {
        self.packets = self.packets.saturating_add(1);
        self.payload = self.payload.saturating_add(packet.payload.len() as u64);
        self.first_frame = self.first_frame.min(piece.origin.carrier);
        self.last_frame = self.last_frame.max(piece.origin.frame);
        if self.types.len() < MOST_TYPES || self.types.contains_key(&packet.payload_type) {
            let times = self.types.entry(packet.payload_type).or_default();
            *times = times.saturating_add(1);
        }
        let number = self.number(packet.sequence);
        self.pictures.packet(number, packet);
        if self.opened.is_some() {
            if piece.missing == 0 {
                self.open(number, piece.bytes, numbers, out);
            }
            return;
        }
        let whole = packet.unpadded().filter(|_| piece.missing == 0);
        self.sound(number, packet, whole, numbers, out);
        if piece.missing == 0 && Sound::is_known(packet.payload_type) {
            let was_full = self.sample.is_full();
            self.sample.keep(number, piece.bytes);
            if !was_full && self.sample.is_full() && self.has_no_seal() {
                self.sample.release();
            }
            if self.sample.len() == TRIED_AT {
                self.try_keys(false, numbers, out);
            }
            if self.sample.len() == JUDGED_AT && self.sounds.iter().any(|it| it.sound.is_framed()) {
                self.sample.close();
            }
        }
    }

    /// Whether none of its packets has room for a tag, and its codec stands fast: no key that is told later opens them, nor is any of them
    /// decoded once more.
    fn has_no_seal(&self) -> bool {
        let [voice] = self.sounds.as_slice() else { return false };
        self.types.len() == 1 && !codec(voice.payload_type).is_empty() && voice.sound.has_no_tag()
    }

    /// Looks for the key of a source that does not show itself to be in clear.
    fn try_keys(&mut self, at_the_end: bool, numbers: &mut u32, out: &mut dyn Sink) {
        let keys = out.media_keys();
        if self.opened.is_some() || keys.is_empty() {
            return;
        }
        // A call may have been set up anew before the capture told of it: its first packets are sealed under a key that nobody told.
        let of_the_last = || Opener::find(keys, self.sample.last()).filter(|_| at_the_end);
        let Some(by) = Opener::find(keys, self.sample.packets()).or_else(of_the_last) else {
            if at_the_end {
                self.late = Opener::find(keys, self.sample.latest().packets()).map(Box::new);
                self.unfit = if self.late.is_none() && self.sample.len() > 0 {
                    keys.len()
                } else {
                    0
                };
            }
            return;
        };
        // What was decoded so far was cipher text.
        self.sounds.clear();
        let sample = std::mem::take(&mut self.sample);
        self.opened = Some(Opened {
            by,
            before: Vec::new(),
            shut: Latest::default(),
            authentic: 0,
            others: 0,
            in_part: at_the_end && sample.is_full(),
        });
        for (number, bytes) in sample.packets() {
            self.open(number, bytes, numbers, out);
        }
    }

    /// Signalling may have named, behind the media or in another flow, what was decoded as something else, or not at all.
    fn try_name(&mut self, numbers: &mut u32, out: &mut dyn Sink) {
        let Some(payload_type) = self.usual().filter(|_| self.opened.is_none()) else {
            return;
        };
        let Some(named) = self.named(payload_type, out).filter(|it| it.decoder.is_some()) else {
            return;
        };
        if self
            .sounds
            .iter()
            .any(|it| it.payload_type == payload_type && it.sound.is_of(named.decoder))
        {
            return;
        }
        self.sounds.retain(|it| it.payload_type != payload_type);
        self.in_part = self.sample.is_full();
        let sample = std::mem::take(&mut self.sample);
        for (number, bytes) in sample.packets() {
            if let Some(packet) = Packet::read(bytes).filter(|it| it.payload_type == payload_type) {
                self.sound(number, &packet, packet.unpadded(), numbers, out);
            }
        }
        self.sample = sample;
    }

    /// What signalling calls a payload type that has no name of its own.
    fn named(&self, payload_type: u8, out: &dyn Sink) -> Option<Named> {
        let names = out.media_keys().names();
        if names.is_empty() || !codec(payload_type).is_empty() {
            return None;
        }
        let name = names.of(self.ports, payload_type)?;
        Some(Named {
            decoder: Decoder::named(&name.encoding, name.clock, name.channels),
            encoding: name.encoding.clone(),
            frame: name.frame,
        })
    }

    /// The payload type of most packets.
    fn usual(&self) -> Option<u8> {
        self.types.iter().max_by_key(|(_, times)| **times).map(|(kind, _)| *kind)
    }

    fn open(&mut self, number: u64, bytes: &[u8], numbers: &mut u32, out: &mut dyn Sink) {
        let (Some(it), Some(packet)) = (&mut self.opened, Packet::read(bytes)) else {
            return;
        };
        match it.by.open(number, bytes) {
            Some(payload) => {
                it.authentic = it.authentic.saturating_add(1);
                let packet = Packet {
                    payload: &payload,
                    ..packet
                };
                self.sound(number, &packet, packet.unpadded(), numbers, out);
            }
            None => {
                it.others = it.others.saturating_add(1);
                it.shut.keep(number, bytes);
                // Whoever sends what no key opens shall not have all of them tried every time.
                let looks = it.others.is_power_of_two() || it.others == TRIED_AT as u64;
                if looks && it.before.len() < MOST_KEYS && it.follow(out.media_keys()) {
                    let shut = it.shut.take();
                    it.others = it.others.saturating_sub(shut.len() as u64);
                    for (number, bytes) in shut {
                        self.open(number, &bytes, numbers, out);
                    }
                }
            }
        }
    }

    fn sound(&mut self, number: u64, packet: &Packet<'_>, payload: Option<&[u8]>, numbers: &mut u32, out: &mut dyn Sink) {
        if !self.sounds.iter().any(|it| it.payload_type == packet.payload_type)
            && self.sounds.len() < MOST_SOUNDS
            && let Some(sound) = {
                let named = self.named(packet.payload_type, out).and_then(|it| it.decoder);
                Sound::of(packet.payload_type, named, out.wants_sound(), out.tried())
            }
        {
            *numbers = numbers.saturating_add(1);
            // Most sources send one.
            self.sounds.reserve_exact(1);
            self.sounds.push(Voice {
                payload_type: packet.payload_type,
                sound,
                recording: *numbers,
            });
        }
        if let Some(it) = self.sounds.iter_mut().find(|it| it.payload_type == packet.payload_type) {
            it.sound.packet(number, packet.timestamp, packet.marker, payload);
            it.hand_on(out);
        }
    }

    /// The extended number of a sequence number: the one nearest to the highest so far. Counts advances on the way.
    fn number(&mut self, sequence: u16) -> u64 {
        let [.., high, low] = self.highest.to_be_bytes();
        let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed();
        let number = self.highest.saturating_add_signed(i64::from(ahead));
        if (1..=LARGEST_LOSS.cast_signed()).contains(&ahead) {
            self.advances = self.advances.saturating_add(1);
        }
        self.highest = self.highest.max(number);
        number
    }

    fn told(self, direction: Direction, ssrc: u32, block_by_block: bool, out: &mut dyn Sink) -> Observation {
        let payload_type = self.usual().unwrap_or(0);
        let told = self.named(payload_type, out);
        let named = told.as_ref().map_or_else(|| codec(payload_type), |it| it.encoding.as_str());
        let heard = self
            .sounds
            .into_iter()
            .find(|it| it.payload_type == payload_type)
            .map(|it| (it.recording, it.sound.heard()));
        let codec = heard.as_ref().and_then(|(_, it)| it.codec).unwrap_or(named);
        let pictures = of_pictures(codec).unwrap_or_else(|| self.pictures.are());
        let called = told.as_ref().map_or(String::new(), |it| {
            let first = if self.in_part {
                ", of which the first packets are judged"
            } else {
                ""
            };
            format!("named {} by signalling in frame {}{first}: ", it.encoding, it.frame)
        });
        let because = |it: String| {
            // What is said where nothing names the codec.
            let it = if called.is_empty() {
                &it
            } else {
                it.strip_suffix(UNNAMED).unwrap_or(&it)
            };
            let it = format!("{called}{it}");
            self.opened.as_ref().map_or(it.clone(), |opened| format!("{}: {it}", opened.told()))
        };
        // Framing that is Opus's by chance would not be what signalling names otherwise.
        let undecoded = told.as_ref().is_some_and(|it| it.decoder.is_none());
        let heard = heard.filter(|(_, it)| !undecoded || matches!(it.outcome, Outcome::Sound(_)));
        let late = self.late.as_ref().filter(|_| {
            !matches!(
                heard,
                Some((
                    _,
                    Heard {
                        outcome: Outcome::Sound(_),
                        ..
                    }
                ))
            )
        });
        let recoverable = match heard {
            _ if late.is_some() => Recovery::CannotTell {
                because: format!(
                    "{}: it fits the latest packets and none of the first {}, which alone were kept until it was known",
                    late.map(|it| it.told()).unwrap_or_default(),
                    self.sample.len()
                ),
            },
            Some(_) if block_by_block => Recovery::CannotTell {
                because: because("blocks of 16 bytes repeat as those of a cipher without chaining (ECB) do".to_owned()),
            },
            Some((recording, it)) => match it.outcome {
                Outcome::Sound(why) => {
                    let label = Label {
                        direction,
                        ssrc,
                        codec: codec.to_owned(),
                        rate: it.rate,
                        channels: it.channels,
                        sound: it.sound.clone(),
                    };
                    it.tape.iter().for_each(|it| tell(recording, it, out));
                    let next = Next::Recovered(&label);
                    out.sound(recording::Piece { recording, next });
                    Recovery::Yes {
                        because: because(why),
                        sound: it.sound,
                    }
                }
                Outcome::Nothing(why) => {
                    let keys = match self.unfit {
                        0 => "",
                        1 => "; the key that was told for media does not fit",
                        _ => "; none of the keys that were told for media fits",
                    };
                    Recovery::CannotTell {
                        because: because(why) + keys,
                    }
                }
            },
            None => Recovery::CannotTell {
                because: because(format!("no decoder for {codec} is applied")),
            },
        };
        Observation::Media {
            protocol: if self.opened.is_some() || late.is_some() { "srtp" } else { "rtp" },
            ssrc,
            payload_type,
            codec: codec.to_owned(),
            pictures,
            frames: self.packets,
            recoverable,
        }
    }
}

impl Opened {
    /// Looks for another key, as a call that is set up anew has; says whether there is one.
    fn follow(&mut self, keys: &MediaKeys) -> bool {
        let Some(next) = Opener::find(keys, self.shut.packets()) else {
            return false;
        };
        self.before.push(std::mem::replace(&mut self.by, next));
        true
    }

    fn told(&self) -> String {
        let Self {
            by,
            before,
            authentic,
            others,
            in_part,
            ..
        } = self;
        let first = if *in_part { "the first " } else { "" };
        let rest = if *others == 0 {
            String::new()
        } else {
            format!(", {others} others are not")
        };
        let keys = before.iter().chain([by]).map(Opener::told).collect::<Vec<_>>().join(", then ");
        format!("{keys}; {first}{authentic} packets are authentic{rest}")
    }
}
