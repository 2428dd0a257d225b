//! Captures in gzip, zlib and zstd: the same frames, the file's own digest, and a ceiling on what a few bytes inflate to.

use std::io::Write;

use farshore_sources::{Limits, OpenError};
use sha2::{Digest, Sha256};

use crate::files::{medley, read, whole};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8], care: flate2::Compression) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), care);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn what_is_around_a_capture_changes_no_frame() {
    let plain = medley().bytes;
    let (frames, summary) = whole(&plain);
    let twice = [gzip(&plain[..100]), gzip(&plain[100..])].concat();
    let skipped = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let frames_apart = [&zstd(&plain[..100])[..], &skipped, &zstd(&plain[100..])].concat();
    for (packed, name) in [
        (gzip(&plain), "gzip"),
        (zlib(&plain, flate2::Compression::fast()), "zlib"),
        (zlib(&plain, flate2::Compression::default()), "zlib"),
        (zlib(&plain, flate2::Compression::best()), "zlib"),
        (zstd(&plain), "zstd"),
        (twice, "gzip"),
        (frames_apart, "zstd"),
    ] {
        let (got, told) = whole(&packed);
        assert_eq!(got, frames, "{name}");
        assert_eq!(told.record.format, summary.record.format);
        let digest: String = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((told.record.sha256, told.record.file_bytes), (digest, packed.len() as u64));
        assert!(told.record.notes.iter().any(|it| it.as_str().contains(name)), "{name} goes untold");
    }
}

#[test]
fn a_compressed_capture_cut_anywhere_is_read_as_far_as_it_inflates() {
    let plain = medley().bytes;
    let (frames, _) = whole(&plain);
    for packed in [gzip(&plain), zlib(&plain, flate2::Compression::fast()), zstd(&plain)] {
        for at in 0..packed.len() {
            match read(&packed[..at], Limits::default()) {
                Ok((got, told)) => {
                    assert!(frames.starts_with(&got), "cut at {at}");
                    assert!(told.record.cut_short || got.len() == frames.len(), "cut at {at} and not said");
                }
                Err(OpenError::Read(error)) => panic!("cut at {at}: {error}"),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn a_bomb_is_left_alone() {
    // A classic header, then zeros without end: each sixteen of them are a frame of no bytes.
    let mut bomb = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    bomb.extend([0; 12]);
    bomb.extend([1, 0, 0, 0]);
    bomb.resize(80 << 20, 0);
    let limits = Limits {
        inflation_ratio: 100,
        ..Limits::default()
    };
    let (_, told) = read(&gzip(&bomb)[..], limits).unwrap();
    assert!(told.record.cut_short);
    assert!(told.damage.unwrap().contains("more than 100 times"));
}
