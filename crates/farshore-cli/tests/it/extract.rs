//! `--extract audio`: files of the right length with the samples that other decoders make, from streams that other encoders made
//! (`crates/farshore-wire/src/protocols/rtp/samples/voice.py` tells which); and none of what is not sound.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use farshore_lab::g711::{HARBOUR, LANTERNS};
use farshore_lab::net::{self, Path as Route};
use farshore_lab::rtp;
use sha2::{Digest, Sha256};

use crate::command::{fed, folder, names, run};

const G722: &[u8] = include_bytes!("../../../farshore-wire/src/protocols/rtp/samples/voice.g722");
const G722_DIGEST: &str = include_str!("../../../farshore-wire/src/protocols/rtp/samples/voice.g722.sha256");
const LINEAR: &[u8] = include_bytes!("../../../farshore-wire/src/protocols/rtp/samples/voice.l16");
const LINEAR_DIGEST: &str = include_str!("../../../farshore-wire/src/protocols/rtp/samples/voice.l16.sha256");
const OPUS: &[u8] = include_bytes!("../../../farshore-wire/src/protocols/rtp/samples/voice.opus");
const OPUS_SAMPLES: &[u8] = include_bytes!("../../../farshore-wire/src/protocols/rtp/samples/voice.opus.pcm");
const STEREO: &[u8] = include_bytes!("../../../farshore-wire/src/protocols/rtp/samples/stereo.opus");
const STEREO_SAMPLES: &[u8] = include_bytes!("../../../farshore-wire/src/protocols/rtp/samples/stereo.opus.pcm");

/// Key and salt of a call, as the lab takes them and as SDP spells them.
const MASTER: ([u8; 16], [u8; 14]) = ([7; 16], [9; 14]);
const INLINE: &str = "BwcHBwcHBwcHBwcHBwcHBwkJCQkJCQkJCQkJCQkJ";

/// A capture in the making (libpcap's format), a frame each hundredth of a second.
struct Capture(Vec<u8>, u32);

impl Capture {
    fn new() -> Self {
        Self(
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0],
            0,
        )
    }

    fn udp(&mut self, port: u16, payload: &[u8]) {
        self.frame(&Self::datagram(port, payload));
    }

    fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
        let route = Route {
            from_mac: [2, 0, 0, 0, 0, 1],
            to_mac: [2, 0, 0, 0, 0, 2],
            from: Ipv4Addr::new(192, 0, 2, 10),
            to: Ipv4Addr::new(192, 0, 2, 20),
            ttl: 64,
            dscp: 0,
            id: 7,
        };
        net::udp(&route, port, port + 1, payload).0
    }

    fn frame(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [self.1 / 100, self.1 % 100 * 10_000, length, length] {
            self.0.extend(word.to_le_bytes());
        }
        self.0.extend(frame);
        self.1 += 1;
    }

    /// A stream of RTP: packets that are there, each so many ticks after the one before.
    fn stream(&mut self, port: u16, kind: u8, ticks: u32, packets: impl IntoIterator<Item = Option<Vec<u8>>>) {
        for (number, payload) in (0_u16..).zip(packets) {
            let Some(payload) = payload else { continue };
            let mut packet = vec![0x80, kind];
            packet.extend(number.to_be_bytes());
            packet.extend((u32::from(number) * ticks).to_be_bytes());
            packet.extend(u32::from(port).to_be_bytes());
            packet.extend(payload);
            self.udp(port, &packet);
        }
    }
}

/// A datagram in two fragments (RFC 791, section 2.3).
fn fragments(port: u16, payload: &[u8]) -> [Vec<u8>; 2] {
    const HEADERS: usize = 14 + 20;
    const FIRST: usize = 16;
    let whole = Capture::datagram(port, payload);
    let part = |body: &[u8], flags: u16| {
        let mut frame = [&whole[..HEADERS], body].concat();
        frame[16..18].copy_from_slice(&u16::try_from(20 + body.len()).unwrap().to_be_bytes());
        frame[20..22].copy_from_slice(&flags.to_be_bytes());
        frame
    };
    let (first, second) = whole[HEADERS..].split_at(FIRST);
    [part(first, 0x2000), part(second, u16::try_from(FIRST / 8).unwrap())]
}

/// Packets one behind the other, each after its length in two bytes.
fn packets(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (packet, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
        all.push(packet.to_vec());
        file = rest;
    }
    all
}

/// Every stream that is sound, and some that are not.
fn capture() -> Vec<u8> {
    let mut it = Capture::new();
    let lost = |at: usize| (70..75).contains(&at);
    it.stream(4000, 0, 160, HARBOUR.frames().iter().map(|it| Some(it.to_vec())));
    it.stream(
        4010,
        9,
        160,
        G722.chunks(160).enumerate().map(|(at, it)| (!lost(at)).then(|| it.to_vec())),
    );
    it.stream(4020, 111, 960, packets(OPUS).into_iter().map(Some));
    it.stream(4030, 96, 960, packets(STEREO).into_iter().map(Some));
    // Encrypted, and labelled payload type 0; the key of the second is told behind it.
    let keys = [rtp::Protection::new(&[1; 16], &[2; 14]), rtp::Protection::new(&MASTER.0, &MASTER.1)];
    for (port, keys) in [4040_u16, 4050].into_iter().zip(keys) {
        for (number, payload) in (0_u16..).zip(LANTERNS.frames().into_iter().cycle().take(400)) {
            let packet = rtp::Packet {
                marker: number == 0,
                payload_type: 0,
                sequence: number,
                timestamp: u32::from(number) * 160,
                ssrc: u32::from(port),
                payload: payload.to_vec(),
            };
            it.udp(port, &keys.protect(&packet));
        }
    }
    let sdp = format!("v=0\r\nm=audio 4050 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}\r\n");
    let head = "INVITE sip:ann@voice.example SIP/2.0\r\nCall-ID: 7@a.example\r\nContent-Type: application/sdp\r\n";
    it.udp(5060, format!("{head}Content-Length: {}\r\n\r\n{sdp}", sdp.len()).as_bytes());
    // Encrypted below the first byte; and nothing but chance.
    let mut seed = [0; 32];
    let mut chance = || {
        seed = Sha256::digest(seed).into();
        seed[0]
    };
    let inner = packets(OPUS).into_iter().map(|mut it| {
        it[1..].iter_mut().for_each(|byte| *byte ^= chance());
        Some(it)
    });
    it.stream(4060, 111, 960, inner);
    let random: Vec<_> = (0..200).map(|_| Some((0..160).map(|_| chance()).collect())).collect();
    it.stream(4070, 0, 160, random.clone());
    it.stream(4080, 9, 160, random);
    // What was spoken first once more, by the other law.
    it.stream(
        4090,
        8,
        160,
        HARBOUR
            .frames()
            .iter()
            .map(|it| Some(it.iter().map(|code| to_a_law(*code)).collect())),
    );
    it.0
}

/// What a WAV file holds: channels, rate, samples.
fn wav(path: &Path) -> (u16, u32, Vec<i16>) {
    let bytes = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    assert_eq!(
        (&bytes[..4], &bytes[8..16], &bytes[36..40]),
        (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
    );
    let length = bytes.len();
    assert_eq!(
        (word(4) as usize, word(40) as usize, half(20), half(34)),
        (length - 8, length - 44, 1, 16)
    );
    let samples = bytes[44..].chunks(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
    (half(22), word(24), samples)
}

fn digest(samples: &[i16]) -> String {
    let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// libopus computes in floating point: samples differ by how they are rounded.
fn alike(samples: &[i16], every_37th: &[u8]) -> bool {
    let expected: Vec<i16> = every_37th.chunks(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
    let ours: Vec<i16> = samples.iter().step_by(37).copied().collect();
    ours.len() == expected.len() && ours.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 16)
}

/// ITU-T G.711, table 2b, in 16 bits.
fn mu_law(code: u8) -> i16 {
    let code = !code;
    let magnitude = ((i16::from(code & 15) * 2 + 33) << (code >> 4 & 7)) - 33;
    4 * if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Table 2a.
fn a_law(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = (code >> 4 & 7, i16::from(code & 15));
    let magnitude = if segment == 0 {
        2 * step + 1
    } else {
        (2 * step + 33) << (segment - 1)
    };
    8 * if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// The code of the other law that is nearest to what a code stands for.
fn to_a_law(code: u8) -> u8 {
    let wanted = i32::from(mu_law(code));
    (0..=255).min_by_key(|other| (i32::from(a_law(*other)) - wanted).abs()).unwrap()
}

#[test]
fn what_is_sound_becomes_files_and_nothing_else_does() {
    let folder = folder();
    let input = folder.path().join("calls.pcap");
    std::fs::write(&input, capture()).unwrap();
    let out = folder.path().join("sound");
    let done = run([
        "audit".as_ref(),
        input.as_os_str(),
        "--extract".as_ref(),
        "audio".as_ref(),
        out.as_os_str(),
        "--format=json".as_ref(),
        "--with=observations".as_ref(),
    ]);
    let told: BTreeMap<u64, String> = done.json()["observations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| Some((it["ssrc"].as_u64()?, it["sound"].as_str()?.to_owned())))
        .collect();
    let mut found: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort_by_key(|it| it[1..].split('-').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(
        found,
        [
            "f1-up-00000fa0-pcmu.wav",
            "f2-up-00000faa-g722.wav",
            "f3-up-00000fb4-opus.wav",
            "f4-up-00000fbe-opus.wav",
            "f6-up-00000fd2-pcmu.wav",
            "f11-up-00000ffa-pcma.wav",
        ]
    );
    for name in &found {
        let (_, _, samples) = wav(&out.join(name));
        let ssrc = u64::from_str_radix(name.split('-').nth(2).unwrap(), 16).unwrap();
        assert_eq!(told[&ssrc], digest(&samples), "{name}");
        done.says(&told[&ssrc]);
    }
    assert_eq!(told.len(), found.len());

    let spoken: [fn(u8) -> i16; 2] = [mu_law, |code| a_law(to_a_law(code))];
    for (name, decode) in [&found[0], &found[5]].into_iter().zip(spoken) {
        let (channels, rate, samples) = wav(&out.join(name));
        let spoken: Vec<i16> = HARBOUR.frames().iter().flatten().map(|code| decode(*code)).collect();
        assert!((channels, rate) == (1, 8_000) && samples == spoken, "{name}");
    }

    // Of the G.722 stream five packets are lost: silence stands for them, and what follows depends on what came before.
    let (channels, rate, samples) = wav(&out.join(&found[1]));
    assert_eq!((channels, rate, samples.len()), (1, 16_000, G722.len() * 2));
    assert!(samples[70 * 320..75 * 320].iter().all(|it| *it == 0));

    for (name, count, expected) in [(&found[2], 1, OPUS_SAMPLES), (&found[3], 2, STEREO_SAMPLES)] {
        let (channels, rate, samples) = wav(&out.join(name));
        assert!((channels, rate) == (count, 48_000) && alike(&samples, expected), "{name}");
    }

    // All of the call whose key came last.
    let (_, _, samples) = wav(&out.join(&found[4]));
    let spoken = LANTERNS.frames().into_iter().cycle().take(400).flatten().map(mu_law);
    assert!(spoken.eq(samples));
}

#[test]
fn samples_of_g722_are_another_decoders() {
    let folder = folder();
    let mut it = Capture::new();
    it.stream(4010, 9, 160, G722.chunks(160).map(|it| Some(it.to_vec())));
    let out = folder.path().join("sound");
    let done = fed(&["audit", "-", "--extract", "audio", out.to_str().unwrap()], &it.0);
    done.ends(0).says(G722_DIGEST.trim());
    let (_, _, samples) = wav(&out.join("f1-up-00000faa-g722.wav"));
    assert_eq!(digest(&samples), G722_DIGEST.trim());
}

/// Packets as FFmpeg sends them, whatever a frame of its own leaves over, and in any order.
#[test]
fn samples_as_they_are_are_another_decoders() {
    let folder = folder();
    for (number, swap) in [(0, None), (1, Some((2, 4)))] {
        let mut sent = packets(LINEAR);
        if let Some((one, other)) = swap {
            sent.swap(one, other);
        }
        let mut it = Capture::new();
        sent.iter().for_each(|packet| it.udp(4100, packet));
        let out = folder.path().join(format!("sound{number}"));
        let done = fed(&["audit", "-", "--extract", "audio", out.to_str().unwrap()], &it.0);
        done.ends(0).says(LINEAR_DIGEST.trim());
        let (channels, rate, samples) = wav(&out.join("f1-up-706f7274-l16.wav"));
        assert_eq!((channels, rate, samples.len()), (1, 44_100, 4_410));
        assert_eq!(digest(&samples), LINEAR_DIGEST.trim());
    }
}

#[test]
fn files_are_the_same_at_any_jobs_and_never_overwritten_unasked() {
    let folder = folder();
    let (input, out) = (folder.path().join("calls.pcap"), folder.path().join("sound"));
    std::fs::write(&input, capture()).unwrap();
    let extract = |jobs: &str, more: &str| {
        run([
            "audit".as_ref(),
            input.as_os_str(),
            "-q".as_ref(),
            jobs.as_ref(),
            "--extract".as_ref(),
            "audio".as_ref(),
            out.as_os_str(),
            more.as_ref(),
        ])
    };
    let read = || -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = std::fs::read_dir(&out)
            .unwrap()
            .map(|it| it.unwrap())
            .map(|it| (it.file_name().into_string().unwrap(), std::fs::read(it.path()).unwrap()))
            .collect();
        all.sort();
        all
    };
    extract("--jobs=1", "--force").ends(0);
    let first = read();
    assert_eq!(first.len(), 6);
    extract("--jobs=4", "--force").ends(0);
    assert!(read() == first);
    // One is there: none is written.
    for (name, _) in &first[1..] {
        std::fs::remove_file(out.join(name)).unwrap();
    }
    extract("--jobs=2", "-n").ends(2).says(&first[0].0).says("--force");
    assert_eq!(read(), first[..1]);
    assert_eq!(names(&folder), ["calls.pcap", "sound"]);
}

#[test]
fn what_else_to_extract_is_not_known() {
    let folder = folder();
    let done = run([
        "audit".as_ref(),
        "x.pcap".as_ref(),
        "--extract".as_ref(),
        "video".as_ref(),
        folder.path().as_os_str(),
    ]);
    done.ends(2).says("there is `audio` only");
}

#[test]
fn files_go_by_the_numbers_that_flows_have_in_the_audit() {
    let mut it = Capture::new();
    // Of a flow that begins before the voice, and is only known to be one when that has begun.
    let [first, second] = fragments(3000, &[7; 100]);
    it.frame(&first);
    it.stream(4000, 0, 160, HARBOUR.frames().iter().map(|it| Some(it.to_vec())));
    it.frame(&second);
    let (from, to) = (folder(), folder());
    let path = crate::command::write(&from, "call.pcap", it.0);
    let audit = run([
        "audit".as_ref(),
        path.as_os_str(),
        "--format=json".as_ref(),
        "--with=flows".as_ref(),
        "--extract".as_ref(),
        "audio".as_ref(),
        to.path().as_os_str(),
    ])
    .json();
    let first_frames: Vec<_> = audit["flows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["first_frame"].as_u64().unwrap())
        .collect();
    assert_eq!(first_frames, [1, 2]);
    assert_eq!(
        audit["exposures"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["kind"] == "audio")
            .unwrap()["flows"][0],
        "f2"
    );
    assert_eq!(names(&to), ["f2-up-00000fa0-pcmu.wav"]);
}
