//! Memory does not grow with the input: 10 and 200 MB of the same few flows take the same room.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::process::Stdio;

use crate::command::farshore;

/// A classic capture of DNS queries and of opaque datagrams, to the size asked for.
struct Endless {
    number: u32,
}

impl Endless {
    fn head() -> Vec<u8> {
        let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn record(&mut self) -> Vec<u8> {
        self.number += 1;
        // Three flows, each with payload that goes on.
        let filler: Vec<u8> = (0..1_300_u32).map(|at| (at.wrapping_mul(self.number) >> 3) as u8).collect();
        let port = 40_000 + (self.number % 3) as u16;
        let mut udp: Vec<u8> = [port, 4_000, 1_308, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
        udp.extend(filler);
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        frame.extend(1_328_u16.to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1]);
        frame.extend(udp);
        let mut out: Vec<u8> = [self.number / 1000, self.number % 1000, frame.len() as u32, frame.len() as u32]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        out.extend(frame);
        out
    }
}

/// The most memory, in kB, that the command held while it was fed so many bytes; and the frames it counted.
fn peak(bytes: usize) -> (u64, u64) {
    let mut command = farshore();
    command
        .args(["audit", "-", "--format=json", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let mut source = Endless { number: 0 };
    let (mut sent, mut buffer) = (0, Endless::head());
    while sent < bytes {
        while buffer.len() < 1 << 20 {
            buffer.extend(source.record());
        }
        pipe.write_all(&buffer).unwrap();
        sent += buffer.len();
        buffer.clear();
    }
    // All is read but the end: this is as large as it gets short of judging.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    drop(pipe);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let audit: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let frames = crate::command::frames(&audit);
    assert_eq!(frames, u64::from(source.number));
    (kilobytes, frames)
}

#[test]
fn twenty_times_the_input_takes_no_more_room() {
    let (small, few) = peak(10 << 20);
    let (large, many) = peak(200 << 20);
    assert!(many > 15 * few);
    assert!(large < small + 4_096, "{small} kB for {few} frames, {large} kB for {many}");
}
