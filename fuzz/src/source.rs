//! A file through the format readers: all frames are pulled, and what is said of the file is held to its bytes.

use farshore_model::InputId;
use farshore_sources::Limits;

/// Opens the bytes as a file and reads it to its end.
pub fn run(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(mut capture) = farshore_sources::open(InputId(3), bytes, limits) else {
        return;
    };
    let mut frames = 0_u64;
    let mut captured = 0_u64;
    loop {
        let frame = capture.next().expect("memory can always be read");
        let Some(frame) = frame else { break };
        frames += 1;
        assert_eq!(frame.number, frames, "frames are counted from 1");
        assert_eq!(frame.input, InputId(3));
        assert!(frame.bytes.len() <= limits.frame_bytes, "a frame of {} bytes", frame.bytes.len());
        captured += frame.bytes.len() as u64;
        // Before the end as after it: no more is read than was there, inflated or not.
        let most = (bytes.len() as u64).saturating_mul(limits.inflation_ratio);
        assert!(captured <= most, "{captured} bytes of frames out of {}", bytes.len());
    }
    assert!(capture.next().expect("memory can always be read").is_none(), "the end is the end");
    let summary = capture.finish().expect("memory can always be read");
    let record = summary.record;
    assert_eq!(record.frames, frames, "{record:?}");
    assert_eq!(record.file_bytes, bytes.len() as u64, "the digest is that of the whole file");
    assert_eq!(record.sha256.len(), 64, "{record:?}");
    assert!(record.first <= record.last, "{record:?}");
}
