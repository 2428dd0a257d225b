//! Streams made by hand: voices, cipher text, silence, and formats that only look alike. Nothing here leaves the tests.

mod linear;
mod named;
mod sealed;

use audio_codec_algorithms::{encode_alaw, encode_ulaw};
use farshore_model::observation::Recovery;
use farshore_model::{Direction, Observation, Span};
use sha2::{Digest, Sha256};

use super::super::notebook::{Notebook, damage, datagrams, feed, feed_with, read_datagrams};
use super::*;
use crate::media_keys::MediaKeys;

use Direction::{Down, Up};

/// SplitMix64 (Steele, Lea & Flood 2014): even, independent enough bytes from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Something like a voice: a buzz of 120 Hz through a resonance, its loudness going up and down, with some hiss.
pub(super) fn voice(samples: usize) -> Vec<i16> {
    let mut noise = Random(7);
    let (mut one, mut two) = (0_i64, 0_i64);
    (0..samples)
        .map(|at| {
            let pulse = if at % 66 == 0 { 6_000 } else { 0 };
            let loud = [0, 1, 3, 2, 4, 1][at / 900 % 6];
            let hiss = i64::from(noise.next().to_le_bytes()[0]) - 128;
            // y[n] = x + 1.6 y[n-1] - 0.8 y[n-2]: poles at radius 0.89, about 600 Hz at 8 kHz.
            let now = (pulse * loud + 1_600 * one - 800 * two + hiss * 100) / 1_000;
            let now = if at % 66 == 0 { now + pulse * loud } else { now };
            (two, one) = (one, now.clamp(-30_000, 30_000));
            i16::try_from(one).unwrap()
        })
        .collect()
}

/// An RTP datagram.
fn packet(payload_type: u8, marker: bool, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut it = vec![0x80, payload_type | u8::from(marker) << 7];
    it.extend_from_slice(&sequence.to_be_bytes());
    it.extend_from_slice(&timestamp.to_be_bytes());
    it.extend_from_slice(&ssrc.to_be_bytes());
    it.extend_from_slice(payload);
    it
}

const SSRC: u32 = 0x7c10_71e2;

/// A stream of payloads, each as long as its step, from close before both counters wrap.
fn stream_of<'a>(payload_type: u8, step: u32, payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    (0_u16..)
        .zip(payloads)
        .map(|(at, payload)| {
            let timestamp = 0xffff_ff00_u32.wrapping_add(u32::from(at).wrapping_mul(step));
            packet(payload_type, at == 0, 0xfff8_u16.wrapping_add(at), timestamp, SSRC, payload)
        })
        .collect()
}

fn upward(list: &[Vec<u8>]) -> Vec<(Direction, &[u8])> {
    list.iter().map(|it| (Up, it.as_slice())).collect()
}

/// What a list of datagrams comes to; recognition sees 16 of them.
fn read(list: &[(Direction, &[u8])]) -> Notebook {
    assert_eq!(verdict(&list[..list.len().min(16)]), Match::Yes);
    feed(RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(), list)
}

fn verdict(list: &[(Direction, &[u8])]) -> Match {
    RTP.matches(&datagrams(40_000, 40_002, list))
}

/// Whether the one stream is readable; if so, its recording is what was hashed, and else there is none.
fn recovery(out: &Notebook) -> &Recovery {
    assert_eq!(out.observed.len(), 1);
    let Observation::Media { recoverable, codec, .. } = &out.observed[0].0 else {
        panic!()
    };
    match recoverable {
        Recovery::Yes { sound, .. } => {
            let [(label, samples)] = &out.recordings[..] else { panic!() };
            assert_eq!((&label.sound, &label.codec, label.ssrc), (sound, codec, SSRC));
            assert_eq!(sound, &hash(samples));
        }
        _ => assert_eq!(out.recordings, []),
    }
    recoverable
}

fn hash(samples: &[i16]) -> String {
    let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_voice_is_heard_and_hashed() {
    for (kind, law, encode) in [(0, g711::Law::Mu, encode_ulaw as fn(i16) -> u8), (8, g711::Law::A, encode_alaw)] {
        let codes: Vec<u8> = voice(16_000).into_iter().map(encode).collect();
        let list = stream_of(kind, 160, codes.chunks(160));
        let out = read(&upward(&list));
        let decoded: Vec<i16> = codes.iter().map(|code| law.sample(*code)).collect();
        let Recovery::Yes { because, sound } = recovery(&out) else {
            panic!("{:?}", recovery(&out))
        };
        assert_eq!(sound, &hash(&decoded));
        assert!(
            because.starts_with("decodes to sound: ") && because.contains("p <= 1e-"),
            "{because}"
        );
        assert_eq!(out.protection, Some(Protection::Plaintext));
        assert_eq!(out.observed[0].1, Span::in_layer(1, 100, 0, 16_000));
    }
}

#[test]
fn order_copies_and_little_loss_do_not_matter() {
    let codes: Vec<u8> = voice(8_000).into_iter().map(encode_ulaw).collect();
    let list = stream_of(0, 160, codes.chunks(160));
    let Recovery::Yes { sound: expected, .. } = recovery(&read(&upward(&list))).clone() else {
        panic!()
    };
    let mut shuffled = Vec::new();
    for pair in list.chunks(2) {
        shuffled.extend(pair.iter().rev().chain(pair).cloned());
    }
    let Recovery::Yes { sound, .. } = recovery(&feed(
        RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(),
        &upward(&shuffled),
    ))
    .clone() else {
        panic!()
    };
    assert_eq!(sound, expected);
    let mut lossy = list;
    lossy.remove(20);
    let Recovery::Yes { because, .. } = recovery(&read(&upward(&lossy))).clone() else {
        panic!()
    };
    assert!(because.contains("1 packets lost"), "{because}");
}

#[test]
fn cipher_text_is_never_called_sound() {
    // 1000 seeds, each once without and once with an authentication tag, of two seconds at most.
    for seed in 0..1_000 {
        let mut random = Random(seed);
        let kind = if seed % 2 == 0 { 0 } else { 8 };
        let tag = [0, 4, 10, 16][usize::try_from(seed % 4).unwrap()];
        let payloads: Vec<_> = (0..20 + seed % 80).map(|_| random.bytes(160 + tag)).collect();
        let list = stream_of(kind, 160, payloads.iter().map(Vec::as_slice));
        let out = read(&upward(&list));
        let Recovery::CannotTell { because } = recovery(&out) else {
            panic!("seed {seed}: {:?}", recovery(&out))
        };
        match tag {
            0 => assert!(because.starts_with("not told from cipher text"), "{because}"),
            _ => assert_eq!(
                because,
                &format!("payloads are {tag} bytes longer than their samples: an SRTP tag fits")
            ),
        }
        assert_eq!(out.protection, None);
    }
}

#[test]
fn a_voice_under_a_key_stream_is_not_heard() {
    let mut key = Random(99);
    let codes: Vec<u8> = voice(40_000)
        .into_iter()
        .map(|it| encode_ulaw(it) ^ key.next().to_le_bytes()[0])
        .collect();
    let out = read(&upward(&stream_of(0, 160, codes.chunks(160))));
    assert!(matches!(recovery(&out), Recovery::CannotTell { .. }));
}

#[test]
fn text_labelled_as_sound_is_not_heard() {
    let text = "the quick brown fox jumps over the lazy dog. ".repeat(200);
    let out = read(&upward(&stream_of(0, 160, text.as_bytes().chunks(160))));
    assert!(matches!(recovery(&out), Recovery::CannotTell { .. }), "{:?}", recovery(&out));
}

#[test]
fn silence_is_named_and_other_constants_are_not() {
    for (kind, code, silent) in [
        (0, 0xff, true),
        (0, 0x7f, true),
        (8, 0xd5, true),
        (8, 0x55, true),
        (0, 0x00, false),
        (8, 0xff, false),
    ] {
        let payload = vec![code; 1_600];
        let out = read(&upward(&stream_of(kind, 160, payload.chunks(160))));
        match recovery(&out) {
            Recovery::Yes { because, .. } => assert!(silent && because.starts_with("constant silence pattern"), "{because}"),
            Recovery::CannotTell { because } => assert!(!silent && because.starts_with("all codes are the same"), "{because}"),
            Recovery::No { .. } => panic!(),
        }
    }
}

#[test]
fn other_codecs_are_counted_and_left_undecided() {
    let mut random = Random(3);
    let payloads: Vec<_> = (0..20).map(|at| random.bytes(60 + at % 7)).collect();
    let opus = read(&upward(&stream_of(111, 960, payloads.iter().map(Vec::as_slice))));
    let Observation::Media {
        ssrc,
        payload_type,
        codec,
        frames,
        recoverable,
        ..
    } = &opus.observed[0].0
    else {
        panic!()
    };
    assert_eq!((*ssrc, *payload_type, codec.as_str(), *frames), (SSRC, 111, "", 20));
    assert!(matches!(recoverable, Recovery::CannotTell { because } if because.contains("dynamic")));
    let payloads: Vec<_> = (0..8).map(|_| random.bytes(20)).collect();
    let g729 = read(&upward(&stream_of(18, 160, payloads.iter().map(Vec::as_slice))));
    assert!(matches!(recovery(&g729), Recovery::CannotTell { because } if because == "no decoder for G729 is applied"));
}

#[test]
fn video_is_told_by_its_pictures() {
    let mut random = Random(5);
    let mut list = Vec::new();
    for picture in 0..4_u16 {
        for part in 0..3 {
            let at = picture * 3 + part;
            list.push(packet(96, part == 2, at, u32::from(picture) * 3_000, SSRC, &random.bytes(1_000)));
        }
    }
    let out = read(&upward(&list));
    assert!(
        matches!(out.observed[0].0, Observation::Media { pictures: true, .. }),
        "{:?}",
        out.observed
    );
    // A marker in the middle of a picture, or none at its end, is no video.
    let mut wrong = list.clone();
    wrong[4][1] |= 0x80;
    assert_ne!(verdict(&upward(&wrong)), Match::Yes);
    wrong = list;
    wrong[5][1] &= 0x7f;
    assert_ne!(verdict(&upward(&wrong)), Match::Yes);
}

/// An encoder that begins with less than a whole frame, as GStreamer's of Opus does.
#[test]
fn a_first_packet_of_another_step_is_counted_as_well() {
    let payloads = [[0x55; 60]; 12];
    let mut list = stream_of(111, 1_920, payloads.iter().map(|it| &it[..]));
    list[0][4..8].copy_from_slice(&0xffff_ff00_u32.wrapping_add(312).to_be_bytes());
    assert_eq!(verdict(&upward(&list[..6])), Match::Yes);
    // One that stands among them shows that it is none.
    list[3][4..8].copy_from_slice(&0xffff_ff00_u32.wrapping_add(312).to_be_bytes());
    assert_eq!(verdict(&upward(&list)), Match::Maybe);
}

#[test]
fn both_directions_and_rtcp_beside_them() {
    let silence = [0xff; 160];
    let there = stream_of(0, 160, std::iter::repeat_n(&silence[..], 8));
    let report = [&[0x80, 200, 0, 6][..], &[0x11; 24]].concat();
    let mut list = Vec::new();
    for it in &there {
        list.extend([(Up, it.as_slice()), (Down, it.as_slice())]);
    }
    list.insert(3, (Down, &report));
    let out = read(&list);
    assert_eq!(out.observed.len(), 2);
    assert_eq!(out.inner, [(Down, "rtcp", report.clone())]);
}

#[test]
fn formats_that_only_look_alike_are_not_taken() {
    let mut random = Random(11);
    let even: Vec<Vec<u8>> = (0..16).map(|_| random.bytes(172)).collect();
    assert_eq!(verdict(&upward(&even)), Match::Maybe, "random datagrams");
    let each = |make: &mut dyn FnMut(u16) -> Vec<u8>| (0..16).map(make).collect::<Vec<_>>();
    // A game: constant first byte, little-endian counter, random state.
    let game = each(&mut |at| [&[0x80, 0][..], &at.to_le_bytes(), &u32::from(at).to_le_bytes(), &random.bytes(60)].concat());
    // A session header: counter, clock in milliseconds that wander, constant session.
    let mut clock = 0;
    let session = each(&mut |at| {
        clock += 15 + u32::from(random.next().to_le_bytes()[0] % 11);
        packet(96, false, at, clock, SSRC, &random.bytes(100))
    });
    // The same with a clock that stands still, one that counts by one, and one that counts in the other byte order.
    let still = each(&mut |at| packet(96, false, at, 77, SSRC, &random.bytes(100)));
    let by_one = each(&mut |at| packet(96, false, at, u32::from(at), SSRC, &random.bytes(100)));
    let turned = each(&mut |at| packet(96, false, at, u32::from(at).swap_bytes(), SSRC, &random.bytes(100)));
    // Right in all but the length that G.711 takes, or the direction of the sequence.
    let lengths = each(&mut |at| packet(0, false, at, u32::from(at) * 160, SSRC, &random.bytes(120)));
    let backwards = each(&mut |at| packet(0, false, 0u16.wrapping_sub(at), u32::from(at) * 160, SSRC, &random.bytes(160)));
    let nobody = each(&mut |at| packet(0, false, at, u32::from(at) * 160, 0, &random.bytes(160)));
    for (name, list) in [
        ("game", game),
        ("session", session),
        ("still", still),
        ("by one", by_one),
        ("turned", turned),
        ("lengths", lengths),
        ("backwards", backwards),
        ("nobody", nobody),
    ] {
        assert_eq!(verdict(&upward(&list)), Match::Maybe, "{name}");
    }
}

#[test]
fn too_few_packets_are_not_enough() {
    let silence = [0xd5; 160];
    let list = stream_of(8, 160, std::iter::repeat_n(&silence[..], 4));
    assert_eq!((verdict(&upward(&list[..3])), verdict(&upward(&list))), (Match::Maybe, Match::Yes));
    let out = read_datagrams(&RTP, (1, 2), &upward(&list));
    assert_eq!(out.observed.len(), 1);
}

#[test]
fn damage_never_panics() {
    let codes: Vec<u8> = voice(40).into_iter().map(encode_ulaw).collect();
    let mut it = packet(0, true, 1, 2, SSRC, &codes);
    it[0] |= 0x31;
    damage(&RTP, (1, 2), Transport::Udp, Up, &it);
}

#[test]
fn a_flood_of_sources_stays_bounded() {
    let list: Vec<_> = (0..5_000_u32).map(|ssrc| packet(0, false, 1, 2, ssrc, &[0xff; 160])).collect();
    let out = feed(RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(), &upward(&list));
    assert_eq!(out.observed.len(), 0, "one packet is no stream");
}

/// Packets one behind the other, each after its length in two bytes.
pub(super) fn packets(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (packet, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
        all.push(packet.to_vec());
        file = rest;
    }
    all
}

const SPEECH: &[u8] = include_bytes!("samples/voice.opus");
const MUSIC: &[u8] = include_bytes!("samples/stereo.opus");

/// A stream of Opus packets of 20 ms, some of which may have been changed.
fn opus_stream(file: &[u8], mut change: impl FnMut(usize, &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let mut all = packets(file);
    all.iter_mut().enumerate().for_each(|(at, it)| change(at, it));
    stream_of(111, 960, all.iter().map(Vec::as_slice))
}

#[test]
fn opus_is_recognised_by_its_framing_and_heard() {
    for file in [SPEECH, MUSIC] {
        let out = read(&upward(&opus_stream(file, |_, _| {})));
        let Observation::Media { codec, payload_type, .. } = &out.observed[0].0 else {
            panic!()
        };
        assert_eq!((codec.as_str(), *payload_type), ("opus", 111));
        let Recovery::Yes { because, sound } = recovery(&out) else {
            panic!("{:?}", recovery(&out))
        };
        let stereo = file == MUSIC;
        let mut decoder = opus::Decoder::new(stereo).unwrap();
        let decoded: Vec<i16> = packets(file).iter().flat_map(|it| decoder.decode(it).unwrap().to_vec()).collect();
        assert_eq!(sound, &hash(&decoded));
        assert!(
            because.contains("XOR random bytes (p <= 1e-") && because.ends_with("0 packets lost"),
            "{because}"
        );
        assert_eq!(out.protection, Some(Protection::Plaintext));
    }
}

#[test]
fn silence_stands_where_packets_are_missing() {
    let mut list = opus_stream(SPEECH, |_, _| {});
    let mut decoder = opus::Decoder::new(false).unwrap();
    let mut decoded = Vec::new();
    for (at, packet) in packets(SPEECH).iter().enumerate() {
        if (100..103).contains(&at) {
            decoded.extend([0; 960]);
        } else {
            decoded.extend_from_slice(decoder.decode(packet).unwrap());
        }
    }
    list.drain(100..103);
    let out = read(&upward(&list));
    let Recovery::Yes { because, sound } = recovery(&out) else {
        panic!("{:?}", recovery(&out))
    };
    assert_eq!(sound, &hash(&decoded));
    assert!(because.ends_with("3 packets lost"), "{because}");
}

#[test]
fn g722_is_heard() {
    let codes = include_bytes!("samples/voice.g722");
    let out = read(&upward(&stream_of(9, 160, codes.chunks_exact(160))));
    let Recovery::Yes { sound, .. } = recovery(&out) else {
        panic!("{:?}", recovery(&out))
    };
    assert_eq!(sound, include_str!("samples/voice.g722.sha256").trim());
    let mut lossy = stream_of(9, 160, codes.chunks_exact(160));
    lossy.drain(70..75);
    let out = read(&upward(&lossy));
    assert!(
        matches!(recovery(&out), Recovery::Yes { because, .. } if because.ends_with("5 packets lost")),
        "{:?}",
        recovery(&out)
    );
}

/// Whole payloads encrypted: no framing is left of Opus.
#[test]
fn encrypted_opus_is_not_even_named() {
    let mut key = Random(4);
    let sealed = opus_stream(SPEECH, |_, it| it.iter_mut().for_each(|byte| *byte ^= key.next().to_le_bytes()[0]));
    let out = read(&upward(&sealed));
    let Observation::Media { codec, .. } = &out.observed[0].0 else {
        panic!()
    };
    assert_eq!(codec, "");
    assert!(matches!(recovery(&out), Recovery::CannotTell { because } if because.contains("not framed as Opus")));
}

/// The first byte stays in clear for whoever passes the frames on, the rest is encrypted, as conferences do it between their ends;
/// with a trailer of its own, too.
#[test]
fn an_inner_layer_is_not_heard() {
    for (file, trailer) in [(SPEECH, 0), (SPEECH, 13), (MUSIC, 0), (MUSIC, 13)] {
        let mut key = Random(21);
        let sealed = opus_stream(file, |at, it| {
            it[1..].iter_mut().for_each(|byte| *byte ^= key.next().to_le_bytes()[0]);
            if trailer > 0 {
                it.extend(key.bytes(trailer - 4));
                it.extend((at as u32).to_be_bytes());
            }
        });
        let out = read(&upward(&sealed));
        let Observation::Media { codec, .. } = &out.observed[0].0 else {
            panic!()
        };
        assert_eq!(codec, "opus");
        assert!(
            matches!(recovery(&out), Recovery::CannotTell { because } if because.starts_with("not told from cipher text")),
            "{:?}",
            recovery(&out)
        );
    }
    let mut key = Random(22);
    let sealed: Vec<u8> = include_bytes!("samples/voice.g722")
        .iter()
        .map(|it| it ^ key.next().to_le_bytes()[0])
        .collect();
    let out = read(&upward(&stream_of(9, 160, sealed.chunks_exact(160))));
    assert!(matches!(recovery(&out), Recovery::CannotTell { because } if because.starts_with("not told from cipher text")));
}

#[test]
fn text_labelled_as_g722_is_not_heard() {
    let words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "sleeps"];
    let mut random = Random(8);
    let mut text = String::new();
    while text.len() < 40_000 {
        text.push_str(words[usize::try_from(random.next() % 11).unwrap()]);
        text.push(' ');
    }
    let out = read(&upward(&stream_of(9, 160, text.as_bytes().chunks_exact(160))));
    assert!(
        matches!(recovery(&out), Recovery::CannotTell { because } if because.contains("one sign")),
        "{:?}",
        recovery(&out)
    );
}

/// The clock of one who forges it goes a minute on with each packet.
#[test]
fn a_forged_clock_makes_no_hours_of_silence() {
    let list: Vec<_> = (0..200_u16)
        .map(|at| packet(0, true, at, u32::from(at) * 8_000 * 600, SSRC, &[0xff; 160]))
        .collect();
    let out = feed(RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(), &upward(&list));
    assert!(matches!(recovery(&out), Recovery::CannotTell { .. }));
}

/// A call encrypted block by block: not heard, and told for what it is; a call under a key stream is not.
#[test]
fn blocks_that_repeat_are_told() {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let cipher = aes::Aes128::new(&[3; 16].into());
    let mut key = Random(6);
    let codes: Vec<u8> = voice(16_000)
        .into_iter()
        .enumerate()
        .map(|(at, it)| if at / 1_000 % 2 == 0 { encode_ulaw(it) } else { 0xff })
        .collect();
    let block_by_block: Vec<u8> = codes
        .chunks_exact(16)
        .flat_map(|it| {
            let mut block = <[u8; 16]>::try_from(it).unwrap().into();
            cipher.encrypt_block(&mut block);
            <[u8; 16]>::from(block)
        })
        .collect();
    let key_stream: Vec<u8> = codes.iter().map(|it| it ^ key.next().to_le_bytes()[0]).collect();
    for (sealed, told) in [(&block_by_block, true), (&key_stream, false), (&codes, false)] {
        let out = read(&upward(&stream_of(0, 160, sealed.chunks(160))));
        assert_eq!(matches!(recovery(&out), Recovery::Yes { .. }), sealed == &codes);
        let kinds: Vec<_> = out.anomalies.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, if told { vec!["media-repeated-blocks"] } else { vec![] });
    }
}
