//! Frames of any size and any folly: Ethernet, IPv4, UDP, TCP. Checksums are left zero; readers of captures do not judge them.

pub type Address = [u8; 4];

pub const CLIENT: Address = [192, 0, 2, 10];
pub const SERVER: Address = [198, 51, 100, 20];

pub const SYN: u8 = 2;
pub const ACK: u8 = 16;

pub fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rest.len() + 14);
    out.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    out.extend(kind.to_be_bytes());
    out.extend(rest);
    out
}

/// A packet; `part` holds the flags and the offset of a fragment.
pub fn ip(from: Address, to: Address, protocol: u8, (id, part): (u16, u16), body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 20);
    out.extend([0x45, 0]);
    out.extend(((body.len() + 20) as u16).to_be_bytes());
    out.extend(id.to_be_bytes());
    out.extend(part.to_be_bytes());
    out.extend([64, protocol, 0, 0]);
    out.extend(from);
    out.extend(to);
    out.extend(body);
    out
}

pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 8);
    for word in [from, to, payload.len() as u16 + 8, 0] {
        out.extend(word.to_be_bytes());
    }
    out.extend(payload);
    out
}

pub fn tcp(ports: (u16, u16), sequence: u32, acknowledged: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 20);
    out.extend(ports.0.to_be_bytes());
    out.extend(ports.1.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend(acknowledged.to_be_bytes());
    out.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(payload);
    out
}

/// A datagram of a host of its own.
pub fn datagram(from: Address, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ip(from, SERVER, 17, (7, 0), &udp(ports.0, ports.1, payload)))
}

/// The address and the port of the host of that number.
pub fn host(number: u64) -> (Address, u16) {
    let [.., a, b, c] = (number / 4).to_be_bytes();
    ([10, a, b, c], 20_000 + (number % 4) as u16)
}

/// Bytes that look random and are the same every time.
pub fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    }
    out.truncate(length);
    out
}
