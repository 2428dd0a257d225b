//! Sessions made by hand, of both kinds.

use farshore_model::Transport;

use super::super::notebook::{damage, read_stream, stream};
use super::*;
use Direction::{Down, Up};

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (message.len() as u32).to_be_bytes();
    [&[MESSAGE][..], &length, message].concat()
}

/// A message of version 2: the command, whether a server sends it, where the next one begins, what stands before the place of the token
/// or name, and that.
fn two(command: u16, response: bool, next: u32, before: usize, text: &[u8]) -> Vec<u8> {
    let mut out = [&b"\xfeSMB\x40\0\0\0\0\0\0\0"[..], &command.to_le_bytes(), &[1, 0]].concat();
    out.extend(u32::from(response).to_le_bytes());
    out.extend(next.to_le_bytes());
    out.resize(two::HEADER + before, 0);
    let at = (out.len() + 8) as u16;
    out.extend([at.to_le_bytes(), (text.len() as u16).to_le_bytes(), [0; 2], [0; 2]].concat());
    out.extend(text);
    out
}

/// A message of version 1, its words and its data.
fn old(command: u8, words: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = [&b"\xffSMB"[..], &[command, 0, 0, 0, 0, 0, 0, 0x80]].concat();
    out.resize(old::HEADER, 0);
    out.push((words.len() / 2) as u8);
    out.extend(words);
    out.extend((data.len() as u16).to_le_bytes());
    out.extend(data);
    out
}

/// A login, a share, and two requests in one packet, the second a file's.
fn session() -> Vec<u8> {
    let login = two(1, false, 0, 12, &super::super::ntlm::tests::answer());
    let share = two(3, false, 0, 4, &wide(r"\\files\grace"));
    let first = two(16, false, 80, 0, b"");
    let file = two(5, false, 0, 44, &wide("letters\\öffentlich.txt"));
    let both = [&first[..], &[0; 8], &file].concat();
    [framed(&login), framed(&share), framed(&both)].concat()
}

const SESSION: [(&str, &str); 5] = [
    ("smb.domain", "ROOMS"),
    ("smb.user", "grace.h"),
    ("smb.workstation", "GRACE-PC"),
    ("smb.share", r"\\files\grace"),
    ("smb.file", "letters\\öffentlich.txt"),
];

#[test]
fn logins_shares_and_files_are_told_in_place_in_any_segmentation() {
    let bytes = session();
    for size in [1, 3, 7, 64, 100, bytes.len()] {
        let chunks: Vec<_> = bytes.chunks(size).map(|it| (Up, it)).collect();
        let out = read_stream(&SMB, (50_000, 445), &chunks);
        assert_eq!(out.told(), SESSION, "in {size}");
        assert_eq!((out.client, out.decoded.len()), (Some(Up), SESSION.len()));
    }
    let out = read_stream(&SMB, (50_000, 445), &[(Up, &bytes)]);
    for (path, value, at) in &out.fields {
        let place = usize::try_from(at.offset).unwrap() - 42;
        let stands = &bytes[place..place + usize::try_from(at.length).unwrap()];
        assert_eq!(ntlm::widened(stands).as_ref(), Some(value), "{path}");
    }
}

#[test]
fn version_1_tells_passwords_that_are_sent_as_they_are() {
    let words = |short: u16, long: u16| {
        let mut words = vec![0xff, 0, 0, 0];
        words.resize(14, 0);
        words.extend([short.to_le_bytes(), long.to_le_bytes()].concat());
        words.resize(26, 0);
        words
    };
    let names = wide("grace.h\0ROOMS\0");
    // Names in UTF-16 begin at an even place: behind a header of 32, a count, 26 of words, a length of two, and nine.
    let clear = old(0x73, &words(8, 0), &[&b"hunter2\0\0"[..], &names].concat());
    let request = [&[REQUEST, 0, 0, 68, 32][..], &[b'A'; 32], &[0, 32], &[b'B'; 32], &[0]].concat();
    let bytes = [request, framed(&clear)].concat();
    let out = read_stream(&SMB, (50_000, 139), &[(Up, &bytes), (Down, b"\x82\0\0\0")]);
    let told_in_clear = [("smb.password", "hunter2"), ("smb.user", "grace.h"), ("smb.domain", "ROOMS")];
    assert_eq!((out.told(), out.client), (told_in_clear.to_vec(), Some(Up)));
    // Answers to a challenge are none.
    let data = [&[7; 48][..], &[0], &names].concat();
    let out = read_stream(&SMB, (50_000, 445), &[(Up, &framed(&old(0x73, &words(24, 24), &data)))]);
    assert_eq!(out.told(), told_in_clear[1..]);
    let share = old(
        0x75,
        &[0xff, 0, 0, 0, 0, 0, 4, 0],
        &[&b"sea\0\0"[..], &wide("\\\\files\\grace\0")].concat(),
    );
    let out = read_stream(&SMB, (50_000, 445), &[(Up, &framed(&share))]);
    assert_eq!(out.told(), [("smb.password", "sea"), ("smb.share", r"\\files\grace")]);
}

#[test]
fn what_is_long_and_not_wanted_is_passed_over_and_what_is_encrypted_opaque() {
    let mut read = two(8, true, 0, 16, &[]);
    read.resize(300_000, 0x55);
    let share = framed(&two(3, false, 0, 4, &wide(r"\\files\grace")));
    let bytes = [framed(&read), share.clone()].concat();
    let chunks: Vec<_> = bytes.chunks(1400).map(|it| (Up, it)).collect();
    let out = read_stream(&SMB, (50_000, 445), &chunks);
    assert_eq!((out.told(), out.limits.len()), (vec![("smb.share", r"\\files\grace")], 0));
    let sealed = framed(&[&b"\xfdSMB"[..], &[9; 100]].concat());
    let out = read_stream(&SMB, (50_000, 445), &[(Up, &share), (Up, &sealed)]);
    assert_eq!((out.told().len(), out.protection), (1, Some(Protection::Opaque)));
}

#[test]
fn other_streams_are_not_it() {
    let verdict = |up: &[u8]| SMB.matches(&stream(50_000, 445, up, b""));
    let bytes = session();
    for end in 1..10 {
        assert_eq!(verdict(&bytes[..end]), Match::Maybe, "{end} bytes");
    }
    assert_eq!(verdict(&bytes[..10]), Match::Yes);
    for at in [0, 4, 5, 6, 7, 8, 9] {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x41;
        assert_eq!(verdict(&wrong), Match::No, "byte {at}");
    }
    assert_eq!(verdict(b"\0\0\0\x20\xffSMZ\x72\0\0"), Match::No);
    assert_eq!(verdict(b"\x82\0\0\0"), Match::No);
}

#[test]
fn damage_never_panics() {
    damage(&SMB, (50_000, 445), Transport::Tcp, Up, &session());
    let login = old(0x73, &[0xff; 26], &[0; 60]);
    damage(&SMB, (50_000, 445), Transport::Tcp, Up, &framed(&login));
}
