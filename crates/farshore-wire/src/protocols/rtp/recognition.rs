//! The test by which a flow is taken for RTP when nothing announced it. It is stated in the parent's documentation.

use farshore_model::Direction;

use super::packet::{Packet, bytes_for};

/// Distinct packets of one source that must fit together.
const RUN: usize = 5;

/// As above for codecs whose payload length must fit the clock as well.
const RUN_WITH_LENGTHS: usize = 4;

/// Sequence numbers one step may go forward: a little loss.
pub const LARGEST_LOSS: u16 = 8;

/// Clock ticks one packet may hold: 5 samples (the shortest frames in use are 2.5 ms at 16 kHz = 40) to 120 ms at
/// 96 kHz. Keeps out counters that step by 1 and counters in the other byte order, which step by 2^8, 2^16 and 2^24
/// times a small number: 256 is left out by name.
const TICKS: std::ops::RangeInclusive<u32> = 40..=11_520;

/// Ticks between two pictures: a hundredth of a second to ten seconds at 90 kHz.
const PICTURE_TICKS: std::ops::RangeInclusive<u32> = 900..=900_000;

/// Bytes of a tick: a code of eight bits to four channels of 24.
const HEAVIEST: std::ops::RangeInclusive<u32> = 1..=12;

/// Bytes an SRTP authentication tag and key index may add (RFC 3711, RFC 7714): 4 to 16 and up to 4 more.
pub const LONGEST_TAG: u32 = 20;

/// Whether one source among these datagrams passes.
pub fn is_rtp(window: &[(Direction, &[u8])]) -> bool {
    // A run that ends before the latest datagram was seen when it ended there.
    if window.last().is_none_or(|(_, bytes)| Packet::read(bytes).is_none()) {
        return false;
    }
    let mut packets = Vec::new();
    for (direction, bytes) in window {
        if let Some(packet) = Packet::read(bytes).filter(|it| it.ssrc != 0 && !it.payload.is_empty()) {
            packets.push(((*direction, packet.ssrc, packet.payload_type), packet));
        }
    }
    packets.iter().enumerate().any(|(at, (source, _))| {
        let of_it = || packets.iter().filter(|(it, _)| it == source);
        // Each source is judged once, at its first packet, and most have too few.
        let first = packets.iter().position(|(it, _)| it == source) == Some(at);
        let run = |from: usize| is_run(of_it().skip(from).map(|(_, packet)| *packet).collect());
        // What an encoder holds back at first makes the step behind its first packet another one.
        first && of_it().count() >= RUN_WITH_LENGTHS && (run(0) || run(1))
    })
}

/// Whether packets of one source and payload type follow each other as RTP's do.
fn is_run(mut packets: Vec<Packet<'_>>) -> bool {
    let Some(first) = packets.first().copied() else { return false };
    // Order by distance from the first, as signed 16-bit numbers; captures hold packets twice and out of order.
    packets.sort_by_key(|it| distance(first.sequence, it.sequence));
    packets.dedup_by_key(|it| (it.sequence, it.timestamp));
    let pairs: Vec<_> = packets
        .windows(2)
        .filter_map(|pair| Some(Pair::of(pair.first()?, pair.get(1)?)))
        .collect();
    if pairs.iter().any(|it| it.steps == 0 || it.steps > LARGEST_LOSS) {
        return false;
    }
    let enough = |least: usize| packets.len() >= least;
    match bytes_for(first.payload_type, 160) {
        Some(_) => enough(RUN_WITH_LENGTHS) && lengths_fit(&pairs),
        None => enough(RUN) && assigned(first.payload_type) && (is_audio(&pairs) || is_video(&pairs) || is_linear(&pairs)),
    }
}

const fn distance(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from).cast_signed()
}

/// Payload types that RFC 3551 assigns or leaves to signalling; 64 to 95 never get here.
const fn assigned(payload_type: u8) -> bool {
    matches!(payload_type, 0 | 3..=18 | 25 | 26 | 28 | 31..=34 | 35..=63 | 96..=127)
}

/// Two packets that follow each other.
struct Pair<'a> {
    before: Packet<'a>,
    after: Packet<'a>,
    /// Sequence numbers apart.
    steps: u16,
    /// Ticks apart.
    ticks: u32,
}

impl<'a> Pair<'a> {
    const fn of(before: &Packet<'a>, after: &Packet<'a>) -> Self {
        Self {
            before: *before,
            after: *after,
            steps: after.sequence.wrapping_sub(before.sequence),
            ticks: after.timestamp.wrapping_sub(before.timestamp),
        }
    }

    /// Ticks per packet, if the same for each packet between the two.
    fn step(&self) -> Option<u32> {
        let steps = u32::from(self.steps);
        (steps > 0 && self.ticks.is_multiple_of(steps))
            .then(|| self.ticks.checked_div(steps))
            .flatten()
    }

    /// A talk spurt begins (RFC 3551, section 4.1): the clock ran on in silence.
    const fn resumes(&self) -> bool {
        self.after.marker && self.ticks < 1 << 24
    }
}

/// The clock goes on by one and the same step per packet, but where a talk spurt begins; three steps are the least.
fn is_audio(pairs: &[Pair<'_>]) -> bool {
    // The least step: whatever is added to it is silence.
    let Some(step) = pairs.iter().filter_map(Pair::step).min() else {
        return false;
    };
    let regular = pairs.iter().filter(|it| it.step() == Some(step)).count();
    let explained = pairs.iter().all(|it| it.step() == Some(step) || it.resumes());
    TICKS.contains(&step) && step != 256 && regular >= 3 && explained
}

/// Each payload takes one and the same number of bytes for each tick, whatever it lasts; four of them are the least.
fn is_linear(pairs: &[Pair<'_>]) -> bool {
    let weight = |it: &&Pair<'_>| {
        let length = u32::try_from(it.before.payload.len()).ok()?;
        let weight = length.checked_div(it.ticks)?;
        let fits = it.steps == 1 && TICKS.contains(&it.ticks) && weight.checked_mul(it.ticks)? == length;
        (fits && HEAVIEST.contains(&weight)).then_some(weight)
    };
    let Some(one) = pairs.iter().find_map(|it| weight(&it)) else {
        return false;
    };
    let fitting = pairs.iter().filter(|it| weight(it) == Some(one)).count();
    fitting >= 4 && pairs.iter().all(|it| weight(&it) == Some(one) || it.resumes())
}

/// Packets of one picture share their time, the last of them carries the marker, and no other does
/// (RFC 3551, section 5; RFC 6184, section 5.1). At least two pictures begin, and one has several packets.
fn is_video(pairs: &[Pair<'_>]) -> bool {
    let direct: Vec<_> = pairs.iter().filter(|it| it.steps == 1).collect();
    let begins = direct.iter().filter(|it| it.ticks != 0).count();
    let fits = |it: &&&Pair<'_>| match it.ticks {
        0 => !it.before.marker,
        ticks => it.before.marker && PICTURE_TICKS.contains(&ticks),
    };
    direct.len() >= 4 && begins >= 2 && begins < direct.len() && direct.iter().filter(fits).count() == direct.len()
}

/// Each payload is as long as the clock says, or longer by one and the same tag; three of them are the least.
fn lengths_fit(pairs: &[Pair<'_>]) -> bool {
    let extra = |it: &Pair<'_>| {
        let expected = bytes_for(it.before.payload_type, it.ticks).filter(|_| TICKS.contains(&it.ticks))?;
        u32::try_from(it.before.payload.len())
            .ok()?
            .checked_sub(expected)
            .filter(|tag| *tag <= LONGEST_TAG)
    };
    let direct = || pairs.iter().filter(|it| it.steps == 1);
    let Some(tag) = direct().find_map(extra) else { return false };
    let fitting = direct().filter(|it| extra(it) == Some(tag)).count();
    let explained = direct().all(|it| extra(it) == Some(tag) || it.resumes());
    fitting >= 3 && explained
}
