//! Owns frames: Ethernet II, IPv4, UDP, TCP and ICMP echo with their checksums.
//!
//! Refuses fragments and IPv6: a lab frame always fits the link.

use std::net::Ipv4Addr;

/// What the link carries in one IP packet.
pub const MTU: usize = 1500;

/// The TCP payload of a full segment: the link's MTU less both headers without options.
pub const SEGMENT: usize = MTU - 40;

/// A hardware address.
pub type Mac = [u8; 6];

/// One direction of a path between two hosts, as the capturing interface sees it.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// Ethernet source.
    pub from_mac: Mac,
    /// Ethernet destination.
    pub to_mac: Mac,
    /// IP source.
    pub from: Ipv4Addr,
    /// IP destination.
    pub to: Ipv4Addr,
    /// Time to live left at the interface.
    pub ttl: u8,
    /// Differentiated services field: 0xb8 is expedited forwarding.
    pub dscp: u8,
    /// IP identification.
    pub id: u16,
}

/// The header of a TCP segment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Segment<'a> {
    /// Source port.
    pub from: u16,
    /// Destination port.
    pub to: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
    pub flags: u8,
    /// Receive window as written (before scaling).
    pub window: u16,
    /// Options, a multiple of four bytes.
    pub options: &'a [u8],
}

/// A frame and how many bytes of headers it begins with.
pub type Built = (Vec<u8>, usize);

/// A UDP datagram (RFC 768).
#[must_use]
pub fn udp(path: &Path, from: u16, to: u16, payload: &[u8]) -> Built {
    let length = (payload.len() + 8) as u16;
    let mut body = Vec::with_capacity(payload.len() + 8);
    body.extend(from.to_be_bytes());
    body.extend(to.to_be_bytes());
    body.extend(length.to_be_bytes());
    body.extend([0, 0]);
    body.extend(payload);
    // A computed zero is sent as all ones: zero would mean "no checksum" (RFC 768).
    let sum = match transport_checksum(path, 17, &body) {
        0 => 0xffff,
        sum => sum,
    };
    body[6..8].copy_from_slice(&sum.to_be_bytes());
    (ipv4(path, 17, &body), 14 + 20 + 8)
}

/// A TCP segment (RFC 9293).
#[must_use]
pub fn tcp(path: &Path, segment: &Segment<'_>, payload: &[u8]) -> Built {
    let header = 20 + segment.options.len();
    let mut body = Vec::with_capacity(payload.len() + header);
    body.extend(segment.from.to_be_bytes());
    body.extend(segment.to.to_be_bytes());
    body.extend(segment.seq.to_be_bytes());
    body.extend(segment.ack.to_be_bytes());
    body.extend([((header / 4) as u8) << 4, segment.flags]);
    body.extend(segment.window.to_be_bytes());
    body.extend([0; 4]);
    body.extend(segment.options);
    body.extend(payload);
    let sum = transport_checksum(path, 6, &body);
    body[16..18].copy_from_slice(&sum.to_be_bytes());
    (ipv4(path, 6, &body), 14 + 20 + header)
}

/// An ICMP echo request (8) or reply (0) (RFC 792).
#[must_use]
pub fn icmp_echo(path: &Path, kind: u8, id: u16, sequence: u16, payload: &[u8]) -> Built {
    let mut body = vec![kind, 0, 0, 0];
    body.extend(id.to_be_bytes());
    body.extend(sequence.to_be_bytes());
    body.extend(payload);
    let sum = checksum(&[&body]);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    (ipv4(path, 1, &body), 14 + 20 + 8)
}

fn ipv4(path: &Path, protocol: u8, body: &[u8]) -> Vec<u8> {
    assert!(
        body.len() + 20 <= MTU,
        "a packet of {} bytes does not fit the link",
        body.len() + 20
    );
    let mut frame = Vec::with_capacity(body.len() + 34);
    frame.extend(path.to_mac);
    frame.extend(path.from_mac);
    frame.extend([0x08, 0x00, 0x45, path.dscp]);
    frame.extend(((body.len() + 20) as u16).to_be_bytes());
    frame.extend(path.id.to_be_bytes());
    frame.extend([0x40, 0x00, path.ttl, protocol, 0, 0]); // don't fragment
    frame.extend(path.from.octets());
    frame.extend(path.to.octets());
    let sum = checksum(&[&frame[14..34]]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend(body);
    frame
}

fn transport_checksum(path: &Path, protocol: u8, body: &[u8]) -> u16 {
    let [high, low] = (body.len() as u16).to_be_bytes();
    checksum(&[&path.from.octets(), &path.to.octets(), &[0, protocol, high, low], body])
}

/// The Internet checksum (RFC 1071) over parts of which all but the last have even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_rfc_1071_example() {
        // RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0xff]]), !0xff00);
    }
}
