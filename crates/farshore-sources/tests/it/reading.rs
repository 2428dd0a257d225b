//! How files are told apart and read: by their bytes alone, in whatever pieces they come, digest taken on the way.

use std::io::{Error, ErrorKind, Read};

use farshore_sources::{FORMATS, Limits, OpenError};
use sha2::{Digest, Sha256};

use crate::files::{Blocks, ORDERS, body, medley, pcap, read, whole};

#[test]
fn each_sample_is_claimed_by_exactly_one_format() {
    let claims = |head: &[u8]| FORMATS.iter().filter(|it| it.claims(head)).map(|it| it.id()).collect::<Vec<_>>();
    for order in ORDERS {
        for nanoseconds in [false, true] {
            assert_eq!(claims(&pcap(order, nanoseconds, 1, &[]).0), ["pcap"]);
        }
        assert_eq!(claims(&Blocks::new(order).bytes), ["pcapng"]);
    }
    assert_eq!(claims(&medley().bytes), ["pcapng"]);
    for head in [
        [0x34, 0xcd, 0xb2, 0xa1],
        [0xa1, 0xb2, 0xcd, 0x34],
        [0x1c, 0x00, 0x01, 0xac],
        [0xab, 0x01, 0x00, 0x1c],
    ] {
        assert_eq!(claims(&head), ["pcap"]);
    }
    for head in [&b"{\"log\": {"[..], b"\xef\xbb\xbf\r\n{ \"log\" :"] {
        assert_eq!(claims(head), ["har"]);
    }
    // netsniff-ng's variant, compressed files, text: nobody's.
    for head in [
        &[0xa1, 0xe2, 0xcb, 0x12][..],
        &[0x1f, 0x8b, 8, 0],
        &[0x28, 0xb5, 0x2f, 0xfd],
        b"{\"logs\"",
        b"snoop\0\0\0",
        b"",
        &[0x0a, 0x0d, 0x0d],
        &[0; 64],
    ] {
        assert_eq!(claims(head), Vec::<&str>::new(), "{head:x?}");
    }
    assert!(FORMATS.is_sorted_by_key(|it| it.id()), "the table is in order");
}

/// Gives its bytes in pieces of a few, with interruptions.
struct Drip<'a> {
    rest: &'a [u8],
    turn: usize,
}

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            return Err(Error::from(ErrorKind::Interrupted));
        }
        let size = (self.turn % 7 + 1).min(self.rest.len()).min(out.len());
        let (head, rest) = self.rest.split_at(size);
        out[..size].copy_from_slice(head);
        self.rest = rest;
        Ok(size)
    }
}

#[test]
fn pieces_make_no_difference_and_the_digest_is_of_all() {
    let medley = medley().bytes;
    let (classic, _) = pcap(ORDERS[1], true, 1, &[(1, 2, body(1, 300), 300), (3, 4, body(2, 9), 9)]);
    for file in [
        &medley,
        &classic,
        &medley[..medley.len() - 5].to_vec(),
        &classic[..classic.len() - 5].to_vec(),
    ] {
        let (frames, summary) = whole(file);
        let (dripped, again) = read(Drip { rest: file, turn: 0 }, Limits::default()).unwrap();
        assert_eq!((&frames, &summary), (&dripped, &again));
        let digest: String = Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((summary.record.sha256, summary.record.file_bytes), (digest, file.len() as u64));
    }
}

/// Fails after so many bytes.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(Error::other("the disk is gone")),
            n => Ok(n),
        }
    }
}

#[test]
fn a_machine_that_cannot_read_is_told_apart_from_a_file_that_ends() {
    let file = medley().bytes;
    for at in [0, 3, 40, 200, file.len()] {
        let error = read(Failing(&file[..at]), Limits::default()).unwrap_err();
        assert!(matches!(&error, OpenError::Read(it) if it.offset == at as u64), "{error}");
        assert!(error.to_string().contains("the disk is gone"));
    }
    assert!(matches!(read(&b""[..], Limits::default()), Err(OpenError::Empty)));
}

/// A capture that goes on and on, made as it is read.
struct Endless {
    left: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // The window asks for what it has room for: that is what it holds.
        assert!(out.len() <= 1 << 20, "{} bytes asked for at once", out.len());
        let mut done = 0;
        while done < out.len() {
            if self.at == self.buffer.len() {
                if self.left == 0 {
                    break;
                }
                self.left -= 1;
                self.at = 0;
                let (record, _) = pcap(ORDERS[0], false, 1, &[(self.left as u32, 0, body(self.left as u32, 1_400), 1_400)]);
                self.buffer = record[24..].to_vec();
            }
            let size = (out.len() - done).min(self.buffer.len() - self.at);
            out[done..done + size].copy_from_slice(&self.buffer[self.at..self.at + size]);
            self.at += size;
            done += size;
        }
        Ok(done)
    }
}

#[test]
fn a_long_capture_goes_through_a_small_window() {
    const FRAMES: u64 = 20_000;
    let (header, _) = pcap(ORDERS[0], false, 1, &[]);
    let source = (&header[..]).chain(Endless {
        left: FRAMES,
        buffer: Vec::new(),
        at: 0,
    });
    let mut capture = farshore_sources::open(farshore_model::InputId(0), source, Limits::default()).unwrap();
    let (mut count, mut bytes) = (0, 0);
    while let Some(frame) = capture.next().unwrap() {
        count += 1;
        bytes += frame.bytes.len() as u64;
    }
    assert_eq!((count, bytes), (FRAMES, FRAMES * 1_400));
    assert_eq!(capture.finish().unwrap().record.file_bytes, 24 + FRAMES * 1_416);
}

/// A pipe that has one piece so far.
struct Pipe<'a>(&'a [u8]);

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(!self.0.is_empty(), "more is waited for than has to be");
        self.0.read(buffer)
    }
}

#[test]
fn a_frame_is_told_before_more_has_come() {
    for bytes in [
        pcap(ORDERS[0], false, 1, &[(1, 0, vec![1; 60], 60), (2, 0, vec![2; 60], 60)]).0,
        medley().bytes,
    ] {
        // All that there is but its end, so that whoever waits for that waits for ever.
        let mut capture = farshore_sources::follow(farshore_model::InputId(0), Pipe(&bytes), Limits::default()).unwrap();
        assert!(capture.advance().unwrap());
        assert_eq!(capture.frame().number, 1);
        assert_eq!(capture.record().frames, 1);
    }
}
