//! Bodies and messages that inflate ten thousand times and more, in every coding and in everything that carries one. Where one layer of
//! a coding cannot (deflate stops at 1032), a coding stands in a coding.

use std::io::{Read, Write};
use std::sync::LazyLock;

use farshore::model::Direction;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::attacks::{Attack, attack, both};
use super::multiplexed::compressed;

/// What a bomb inflates to.
const SIZE: usize = 16 << 20;

/// A bomb by name: what it says of its coding, and its bytes.
type Bomb = (&'static str, &'static str, Vec<u8>);

/// Packing them takes longer than unpacking ever should.
static BODIES: LazyLock<Vec<Bomb>> = LazyLock::new(|| {
    let zeros = vec![0; SIZE];
    let deflate = |bytes: &[u8]| finish(ZlibEncoder::new(Vec::new(), Compression::best()), bytes, ZlibEncoder::finish);
    let all = vec![
        ("gzip", "gzip, gzip", gzip(&gzip(&zeros))),
        ("deflate", "deflate, deflate", deflate(&deflate(&zeros))),
        ("br", "br", brotli(&zeros)),
        ("zstd", "zstd", zstd(SIZE)),
        ("mixed", "br, gzip, zstd, deflate", deflate(&stored(&gzip(&brotli(&zeros))))),
    ];
    for (name, _, body) in &all {
        assert!(body.len() * 10_000 <= SIZE, "{name}: {} bytes", body.len());
    }
    all
});

/// What the coding of messages (RFC 7692) makes of one that the first bytes of a message tell.
static MESSAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let inner = gzip(&vec![0; SIZE]);
    finish(DeflateEncoder::new(Vec::new(), Compression::best()), &inner, DeflateEncoder::finish)
});

pub fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    for (name, coding, body) in BODIES.iter() {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        all.push(attack(&format!("bombs.http1.{name}"), 4_000, "bodies of 16 MiB each", move |n| {
            let request = request.clone();
            both((50_000, 80), (0..n).map(move |_| (Direction::Up, request.clone())))
        }));
        all.push(compressed(
            &format!("bombs.http2.{name}"),
            4_000,
            "bodies of 16 MiB each",
            coding,
            body.clone(),
        ));
    }
    all.push(attack("bombs.websocket", 4_000, "messages of 16 MiB each", move |n| {
        let asked = b"GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        let answered = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        let opening = [(Direction::Up, asked.to_vec()), (Direction::Down, answered.to_vec())];
        // FIN, RSV1, binary; a mask of zeros.
        let head = [&[0xc2, 0xfe][..], &(MESSAGE.len() as u16).to_be_bytes(), &[0; 4]].concat();
        let message = [head, MESSAGE.clone()].concat();
        both((50_000, 80), opening.into_iter().chain((0..n).map(move |_| (Direction::Up, message.clone()))))
    }));
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    finish(GzEncoder::new(Vec::new(), Compression::best()), bytes, GzEncoder::finish)
}

fn finish<W: Write>(mut encoder: W, bytes: &[u8], end: impl FnOnce(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(bytes).and_then(|()| end(encoder)).expect("memory can be written")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::CompressorReader::new(bytes, 1 << 16, 5, 22)
        .read_to_end(&mut out)
        .expect("memory can be read");
    out
}

/// One frame of blocks that are a repeated byte each (RFC 8878, 3.1.1.2.2), in a window of 128 kB.
fn zstd(size: usize) -> Vec<u8> {
    const BLOCK: usize = 1 << 17;
    let mut out = b"\x28\xb5\x2f\xfd\x00\x38".to_vec();
    for at in (0..size).step_by(BLOCK) {
        let header = (BLOCK as u32) << 3 | 1 << 1 | u32::from(at + BLOCK >= size);
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.push(0);
    }
    out
}

/// The same as they are, in a frame of one raw block.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let header = (bytes.len() as u32) << 3 | 1;
    [b"\x28\xb5\x2f\xfd\x00\x38", &header.to_le_bytes()[..3], bytes].concat()
}
