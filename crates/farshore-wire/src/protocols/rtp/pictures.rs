//! Whether media is pictures: by the name of its codec, else by how its clock goes. Refuses to look into payloads.

use super::packet::Packet;

/// Whether a codec is one of pictures; `None` where its name does not tell (IANA, "RTP Payload Format Media Types").
pub fn of_pictures(codec: &str) -> Option<bool> {
    const PICTURES: [&str; 31] = [
        "AV1",
        "BMPEG",
        "BT656",
        "CelB",
        "DV",
        "FFV1",
        "H261",
        "H263",
        "H263-1998",
        "H263-2000",
        "H264",
        "H264-RCDO",
        "H264-SVC",
        "H265",
        "H266",
        "JPEG",
        "jpeg2000",
        "jpeg-xs",
        "MP1S",
        "MP2P",
        "MP2T",
        "MP4V-ES",
        "MPV",
        "nv",
        "raw",
        "theora",
        "vc1",
        "vc2",
        "VP8",
        "VP9",
        "X-H264UC",
    ];
    // Repair and repetition of any media (RFC 4588, RFC 5109, RFC 8627, RFC 2198).
    const ANY: [&str; 5] = ["", "rtx", "ulpfec", "flexfec", "red"];
    if ANY.iter().any(|it| it.eq_ignore_ascii_case(codec)) {
        return None;
    }
    Some(PICTURES.iter().any(|it| it.eq_ignore_ascii_case(codec)))
}

/// Packets of one time that are enough, and times.
const SHARED: u32 = 3;
const ENDED: u32 = 2;

/// How the clock of a source goes. Packets of one picture share their time and the last alone is marked (RFC 6184 section 5.1, RFC 7741
/// section 4.1 and their kin); of the packets that one event of a telephone takes the first is (RFC 4733 section 2.2), and packets of
/// sound share none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pictures {
    last: Option<(u64, u8, u32, bool)>,
    /// Packets that go on at the time of the one before, though that is marked, and though it is not.
    behind_marked: u32,
    shared: u32,
    /// Times that ended with a marked packet.
    ended: u32,
}

impl Pictures {
    /// Takes the next packet, by its extended number.
    pub fn packet(&mut self, number: u64, packet: &Packet<'_>) {
        let now = (number, packet.payload_type, packet.timestamp, packet.marker);
        if let Some((before, payload_type, time, marked)) = self.last.replace(now)
            && before.saturating_add(1) == number
            && payload_type == packet.payload_type
        {
            let count = match (time == packet.timestamp, marked) {
                (true, true) => &mut self.behind_marked,
                (true, false) => &mut self.shared,
                (false, true) => &mut self.ended,
                (false, false) => return,
            };
            *count = count.saturating_add(1);
        }
    }

    /// Whether they are pictures.
    pub const fn are(&self) -> bool {
        self.behind_marked == 0 && self.shared >= SHARED && self.ended >= ENDED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(packets: impl IntoIterator<Item = (u32, bool)>) -> bool {
        let mut it = Pictures::default();
        for (number, (timestamp, marker)) in (0_u16..).zip(packets) {
            let packet = Packet {
                marker,
                payload_type: 96,
                sequence: number,
                timestamp,
                ssrc: 7,
                payload: &[0; 20],
                padded: false,
            };
            it.packet(u64::from(number), &packet);
        }
        it.are()
    }

    #[test]
    fn several_packets_of_one_time_are_a_picture() {
        let pictures = |packets: u32| (0..4).flat_map(move |at| (1..=packets).map(move |part| (at * 3_000, part == packets)));
        assert!(told(pictures(2)) && told(pictures(30)));
        assert!(!told(pictures(1)), "one packet each: nothing tells them from sound");
        assert!(!told(pictures(4).take(4)), "one picture alone");
        // Sound, and sound that says where somebody begins to speak.
        assert!(!told((0..40).map(|at| (at * 960, false))));
        assert!(!told((0..40).map(|at| (at * 960, at % 10 == 0))));
        // Tones of keys: one event goes on.
        assert!(!told((0..8).flat_map(|event| (0..6).map(move |part| (event * 1_600, part == 0)))));
    }

    #[test]
    fn a_name_tells_unless_it_stands_for_any_media() {
        assert_eq!(["VP8", "h264", "H263-1998", "JPEG"].map(of_pictures), [Some(true); 4]);
        assert_eq!(
            ["opus", "PCMU", "telephone-event", "L16", "AMR-WB"].map(of_pictures),
            [Some(false); 5]
        );
        assert_eq!(["", "rtx", "RED"].map(of_pictures), [None; 3]);
    }
}
