//! A key log, and one session that it may open: TLS over TCP, or DTLS and QUIC in datagrams.
//!
//! Layout: options (bit 0: low ceilings, bit 1: datagrams), a big-endian word with the length of the key log, its text, then what is
//! said, each behind a big-endian word whose low 14 bits are its length, bit 14 says that another port of the client says or hears it,
//! and the high bit that the server does.

use std::sync::Arc;

use farshore_sources::keylog::{Keylog, Row};
use farshore_wire::Secrets;

use crate::Script;

const DOWN: u16 = 0x8000;
const MOVED: u16 = 0x4000;
const SYN: u8 = 2;
const ACK: u8 = 16;
/// Raw IP.
const LINK: u32 = 101;

/// Puts a session into the layout; `None` when a part is too long for it. Said: by the server or not, from which port, what.
pub fn seed(low: bool, datagrams: bool, log: &[u8], said: &[(bool, bool, &[u8])]) -> Option<Vec<u8>> {
    let mut out = vec![u8::from(low) | u8::from(datagrams) << 1];
    out.extend(u16::try_from(log.len()).ok()?.to_be_bytes());
    out.extend(log);
    for (down, moved, bytes) in said {
        let length = u16::try_from(bytes.len()).ok().filter(|it| *it < MOVED)?;
        let control = length | if *down { DOWN } else { 0 } | if *moved { MOVED } else { 0 };
        out.extend(control.to_be_bytes());
        out.extend(*bytes);
    }
    Some(out)
}

/// Reads the key log, has the session said in frames, and checks all that is told of them.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let options = script.byte();
    let length = script.control().unwrap_or(0);
    let mut secrets = Secrets::default();
    let mut rows = |row: Row<'_>| {
        secrets.add(row.label, row.of, row.secret);
    };
    let mut log = Keylog::new();
    log.push(script.bytes(usize::from(length)), &mut rows);
    log.end(&mut rows);
    let mut frames = Vec::new();
    let mut next = [[1_u32, 1], [1, 1]];
    if options & 2 == 0 {
        frames.push(tcp(false, false, 0, 0, SYN, &[]));
        frames.push(tcp(true, false, 0, 1, SYN | ACK, &[]));
    }
    while let Some(control) = script.control() {
        let (down, moved) = (control & DOWN != 0, control & MOVED != 0);
        let bytes = script.bytes(usize::from(control & !(DOWN | MOVED)));
        if options & 2 != 0 {
            frames.push(udp(down, moved, bytes));
            continue;
        }
        let [mine, theirs] = [usize::from(down), usize::from(!down)];
        let way = &mut next[usize::from(moved)];
        frames.push(tcp(down, moved, way[mine], way[theirs], ACK, bytes));
        way[mine] = way[mine].wrapping_add(bytes.len() as u32);
    }
    let frames: Vec<_> = frames.iter().map(|it| (it.as_slice(), 0)).collect();
    crate::frame::read(crate::limits(options & 1 == 1), LINK, &Arc::new(secrets), &frames);
}

fn tcp(down: bool, moved: bool, sequence: u32, acknowledgement: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let header = [
        &sequence.to_be_bytes()[..],
        &acknowledgement.to_be_bytes(),
        &[0x50, flags, 255, 255, 0, 0, 0, 0],
    ]
    .concat();
    ip(6, down, moved, &[&header, bytes].concat())
}

fn udp(down: bool, moved: bool, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u16).wrapping_add(8);
    ip(17, down, moved, &[&length.to_be_bytes()[..], &[0, 0], bytes].concat())
}

/// `behind`: what comes behind the ports.
fn ip(protocol: u8, down: bool, moved: bool, behind: &[u8]) -> Vec<u8> {
    let (client, server) = ([192, 0, 2, 1], [198, 51, 100, 7]);
    let (client_port, server_port) = (50_000_u16 + u16::from(moved), 443_u16);
    let (from, to, ports) = if down {
        (server, client, [server_port, client_port])
    } else {
        (client, server, [client_port, server_port])
    };
    let ports = ports.map(u16::to_be_bytes).concat();
    let length = (20 + ports.len() + behind.len()) as u16;
    let header = [&[0x45, 0][..], &length.to_be_bytes(), &[0, 0, 0, 0, 64, protocol, 0, 0], &from, &to].concat();
    [header, ports, behind.to_vec()].concat()
}
