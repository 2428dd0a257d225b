//! Speech of the worlds, taken from the frames and decoded a second time by the formula of ITU-T G.711.

use farshore::model::observation::Recovery;
use farshore::model::{Audit, Observation};
use farshore_lab::g711::{HARBOUR, LANTERNS};
use farshore_lab::truth::{Capture, Stream};
use sha2::{Digest, Sha256};

use crate::clubhouse::{index_of, of_flow};

/// Why each stream of the truth can be heard or not, and its sound if it can. All of them must be told, and no others.
pub fn streams(truth: &Capture, audit: &Audit) -> Vec<(String, Option<String>)> {
    let media = audit.observations.iter().filter(|it| matches!(it.what, Observation::Media { .. }));
    assert_eq!(media.count(), truth.streams.len(), "{}", truth.file);
    let one = |stream: &Stream| {
        let flow = index_of(truth, stream.flow);
        let told = of_flow(audit, flow).find_map(|it| match &it.what {
            Observation::Media {
                protocol,
                ssrc,
                payload_type,
                codec,
                pictures: false,
                frames,
                recoverable,
            } if *ssrc == stream.ssrc => {
                assert_eq!((*protocol, *payload_type, codec.as_str()), ("rtp", stream.payload_type, "PCMU"));
                assert_eq!(
                    (*frames, it.locus.span.first_frame),
                    (stream.packets as u64, stream.first_frame as u64)
                );
                Some(recoverable.clone())
            }
            _ => None,
        });
        match told.unwrap_or_else(|| panic!("{stream:?} is told")) {
            Recovery::Yes { because, sound } => (because, Some(sound)),
            Recovery::No { because } | Recovery::CannotTell { because } => (because, None),
        }
    };
    truth.streams.iter().map(one).collect()
}

/// SHA-256 of the samples of a stream in clear, with silence where its clock says that nothing was sent. Every payload must be a frame
/// of the recording, in its order.
pub fn hash(stream: &Stream, truth: &Capture, frames: &[Vec<u8>]) -> String {
    let recording = [HARBOUR, LANTERNS].into_iter().find(|it| it.file == stream.source).unwrap();
    let spoken = recording.frames();
    let flow = truth.flows.iter().find(|it| it.flow == stream.flow).unwrap();
    let ports = [flow.client.port, flow.server.port];
    let mut hash = Sha256::new();
    let (mut packets, mut next, mut due) = (0, None, None::<u32>);
    for frame in frames {
        // Ethernet, IPv4 without options, UDP, RTP without extension.
        let port = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        if frame[23] != 17 || !(ports == [port(34), port(36)] || ports == [port(36), port(34)]) {
            continue;
        }
        let Some(payload) = frame[42..]
            .strip_prefix(&[0x80])
            .filter(|it| it.len() == 171 && it[7..11] == stream.ssrc.to_be_bytes())
        else {
            continue;
        };
        let codes = &payload[11..];
        // The frame that follows the one before, or the first: a new spurt.
        let is = |at: &usize| spoken.get(*at).is_some_and(|it| it[..] == *codes);
        let number = next
            .filter(is)
            .or_else(|| (0..spoken.len()).find(is))
            .expect("speech is the recording's");
        assert!(
            next == Some(number) || number == 0 || next.is_none() || is(&next.unwrap()),
            "frame {number} after {next:?}"
        );
        next = Some(number + 1);
        let time = u32::from_be_bytes([payload[3], payload[4], payload[5], payload[6]]);
        for _ in 0..time.wrapping_sub(due.unwrap_or(time)) {
            hash.update(0_i16.to_le_bytes());
        }
        due = Some(time.wrapping_add(160));
        for code in codes {
            hash.update(sample(*code).to_le_bytes());
        }
        packets += 1;
    }
    assert_eq!(packets, stream.packets);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// µ-law to 16 bits: sign and biased magnitude of segment and step (ITU-T G.711, table 2).
fn sample(code: u8) -> i16 {
    let code = !code;
    let magnitude = ((i16::from(code & 15) * 2 + 33) << (code >> 4 & 7)) - 33;
    4 * if code & 0x80 == 0 { magnitude } else { -magnitude }
}
