//! A value that was unpacked on the way points at the bytes that hold it, not at as many as it has digits.

use farshore::Datasets;

use crate::wired::{CLIENT, SECOND, Wire};

const CORE: [u8; 4] = [198, 51, 100, 23];

/// Bytes of Ethernet, IPv4 and UDP before the payload.
const BEFORE: u64 = 14 + 20 + 8;

#[test]
fn an_imsi_in_packed_digits_is_placed_at_its_eight_bytes() {
    // Create PDP Context Request (3GPP TS 29.060, section 7.3.1): a sequence number, an IMSI, a tunnel's end.
    let message = [
        0x32, 16, 0, 18, 0, 0, 0, 0, 0, 7, 0, 0, 2, 0x62, 0x02, 0x91, 0x78, 0x56, 0x34, 0x12, 0xf0, 16, 0, 0, 0, 1,
    ];
    let mut wire = Wire::default();
    wire.udp(SECOND, (CLIENT, 34_273), (CORE, 2_123), &message);
    let audit = wire.audit(Datasets::embedded());
    let told: Vec<_> = audit.exposures.iter().filter(|it| it.field == "gtp.imsi").collect();
    assert_eq!(told.len(), 1);
    let at = told[0].evidence[0].span;
    assert_eq!((at.frame, at.offset, at.length, at.in_frame), (1, BEFORE + 13, 8, true));
}

#[test]
fn a_password_in_base64_is_placed_at_its_encoded_text() {
    let mut wire = Wire::default();
    let (client, server) = ((CLIENT, 50_001), (CORE, 2_525));
    wire.knock(SECOND, client, server);
    wire.data(2 * SECOND, client, server, b"EHLO desk.example\r\nAUTH PLAIN AGJvYgBzM2NyZXQ=\r\n");
    let audit = wire.audit(Datasets::embedded());
    let told: Vec<_> = audit.exposures.iter().filter(|it| it.field == "smtp.auth.password").collect();
    assert_eq!(told.len(), 1);
    let at = told[0].evidence[0].span;
    assert_eq!((at.frame, at.offset, at.length), (2, 14 + 20 + 20 + 19 + 11, 16));
}

#[test]
fn a_value_that_segments_cut_is_one_value_in_a_protocol_nobody_reads() {
    // A tracker of vehicles: no such protocol is read here.
    let said = b"\x01\x17##,imei:490154203237518,A,grace@voice.example;\x02\x03";
    let (client, server) = ((CLIENT, 50_002), (CORE, 30_102));
    for size in 1..=said.len() {
        let mut wire = Wire::default();
        wire.knock(SECOND, client, server);
        for (number, piece) in said.chunks(size).enumerate() {
            wire.further(2 * SECOND, client, server, number * size, piece);
        }
        wire.data(3 * SECOND, server, client, b"ON");
        let audit = wire.audit(Datasets::embedded());
        for (kind, value) in [("imei", &b"490154203237518"[..]), ("email", b"grace@voice.example")] {
            let told: Vec<_> = audit.exposures.iter().filter(|it| it.kind.as_str() == kind).collect();
            assert_eq!((told.len(), told[0].count), (1, 1), "{kind} by {size}");
            let start = said.windows(value.len()).position(|it| it == value).unwrap();
            let (first, last) = (start / size, (start + value.len() - 1) / size);
            let at = told[0].evidence[0].span;
            assert_eq!((at.first_frame, at.frame), (2 + first as u64, 2 + last as u64), "{kind} by {size}");
            let offset = if first == last { 14 + 20 + 20 + start % size } else { start };
            assert_eq!((at.offset, at.in_frame), (offset as u64, first == last), "{kind} by {size}");
        }
    }
}
