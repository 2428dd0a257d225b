//! Samples that are sent as they are (L16): heard by their signs, like those of G.711, whatever packets last.

use super::*;

/// Packets of those lengths in ticks, over and over; each sample in so many channels, the same in all.
fn linear(payload_type: u8, channels: usize, samples: &[i16], lasting: &[usize]) -> Vec<Vec<u8>> {
    let (mut at, mut list) = (0, Vec::new());
    for (number, ticks) in (0_u16..).zip(lasting.iter().cycle()) {
        let Some(part) = samples.get(at..at + ticks) else { break };
        let of_all = part.iter().flat_map(|it| std::iter::repeat_n(it.to_be_bytes(), channels));
        let payload: Vec<u8> = of_all.flatten().collect();
        list.push(packet(payload_type, false, number, at as u32, SSRC, &payload));
        at += ticks;
    }
    list
}

fn codec_of(out: &Notebook) -> &str {
    let Observation::Media { codec, .. } = &out.observed[0].0 else {
        panic!()
    };
    codec
}

#[test]
fn samples_as_they_are_are_heard_and_hashed() {
    let samples = voice(16_000);
    for (payload_type, channels) in [(10, 2), (11, 1)] {
        let list = linear(payload_type, channels, &samples, &[160]);
        let out = read(&upward(&list));
        let Recovery::Yes { because, sound } = recovery(&out) else {
            panic!("{:?}", recovery(&out))
        };
        let both: Vec<i16> = samples.iter().flat_map(|it| std::iter::repeat_n(*it, channels)).collect();
        assert_eq!((codec_of(&out), sound), ("L16", &hash(&both)), "{because}");
        let (label, _) = &out.recordings[0];
        assert_eq!((label.rate, usize::from(label.channels)), (44_100, channels));
    }
}

#[test]
fn cipher_text_and_text_are_not_heard() {
    let mut list = linear(11, 1, &voice(16_000), &[160]);
    let mut random = Random(99);
    for datagram in &mut list {
        let mask = random.bytes(datagram.len() - 12);
        datagram[12..].iter_mut().zip(mask).for_each(|(byte, by)| *byte ^= by);
    }
    assert!(matches!(recovery(&read(&upward(&list))), Recovery::CannotTell { .. }));
    // A tag behind the samples, as SRTP puts it there.
    let tagged: Vec<Vec<u8>> = linear(11, 1, &voice(16_000), &[160])
        .into_iter()
        .map(|it| [it, vec![7; 10]].concat())
        .collect();
    assert!(matches!(recovery(&read(&upward(&tagged))), Recovery::CannotTell { .. }));
    // Letters of 16 bits, none of which is negative.
    let text: Vec<i16> = (0..16_000)
        .map(|at| i16::from(b"it was a dark and stormy night"[at % 30]))
        .collect();
    assert!(matches!(
        recovery(&read(&upward(&linear(11, 1, &text, &[160])))),
        Recovery::CannotTell { .. }
    ));
    let silence = linear(11, 1, &[0; 16_000], &[160]);
    assert!(matches!(recovery(&read(&upward(&silence))), Recovery::Yes { .. }));
}

/// As FFmpeg sends them: what a frame of its own leaves over is a packet.
#[test]
fn packets_of_any_length_are_found_by_what_a_tick_takes() {
    let samples = voice(16_000);
    for (payload_type, channels) in [(11, 1), (97, 1), (97, 2)] {
        let list = linear(payload_type, channels, &samples, &[294, 294, 294, 142]);
        let out = read(&upward(&list));
        assert_eq!(out.observed.len(), 1, "{payload_type}");
    }
    // Payloads that take what they like.
    let mut random = Random(5);
    let mut list = linear(97, 1, &samples, &[294, 294, 294, 142]);
    for datagram in &mut list {
        datagram.truncate(20 + random.next() as usize % 200);
    }
    assert_ne!(verdict(&upward(&list[..16])), Match::Yes);
}

#[test]
fn a_dynamic_type_is_linear_where_signalling_says_so() {
    let samples = voice(16_000);
    let list = linear(97, 2, &samples, &[160]);
    let description = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 2 RTP/AVP 97\r\na=rtpmap:97 L16/16000/2\r\n";
    let names = MediaKeys::of(description, Protection::Plaintext);
    let mut dissector = RTP.start(&datagrams(1, 2, &[]), &Limits::default());
    let out = feed_with(dissector.as_mut(), &upward(&list), names.clone(), names);
    assert!(matches!(recovery(&out), Recovery::Yes { .. }), "{:?}", recovery(&out));
    let (label, sound) = &out.recordings[0];
    assert_eq!(
        (codec_of(&out), label.rate, label.channels, sound.len()),
        ("L16", 16_000, 2, 32_000)
    );
    // Mono is what packets of that length cannot be.
    let names = MediaKeys::of(&description.replace("/2", ""), Protection::Plaintext);
    let mut dissector = RTP.start(&datagrams(1, 2, &[]), &Limits::default());
    let out = feed_with(dissector.as_mut(), &upward(&list), names.clone(), names);
    assert!(matches!(recovery(&out), Recovery::CannotTell { .. }));
}
