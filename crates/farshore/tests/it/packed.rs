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
