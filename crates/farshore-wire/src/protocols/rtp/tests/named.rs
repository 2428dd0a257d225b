//! Payload types that signalling names: told by that name, and decoded by it where something decodes it.

use super::*;

const VOICE: &[u8] = include_bytes!("../samples/voice.g722");

/// A description of media at that port, told in frame 7.
fn described(port: u16, payload_type: u8, name: &str) -> MediaKeys {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type}\r\n\
         a=rtpmap:{payload_type} {name}\r\n"
    );
    MediaKeys::of(&text, Protection::Plaintext)
}

fn fed(list: &[Vec<u8>], before: MediaKeys, at_the_end: MediaKeys) -> Notebook {
    let mut dissector = RTP.start(&datagrams(1, 2, &[]), &Limits::default());
    feed_with(dissector.as_mut(), &upward(list), before, at_the_end)
}

fn told(out: &Notebook) -> (&str, String) {
    let Observation::Media { codec, .. } = &out.observed[0].0 else {
        panic!()
    };
    let because = match recovery(out) {
        Recovery::Yes { because, .. } => format!("yes: {because}"),
        Recovery::CannotTell { because } => because.clone(),
        other => panic!("{other:?}"),
    };
    (codec, because)
}

#[test]
fn a_dynamic_type_is_decoded_as_signalling_names_it() {
    let (mu, a): (Vec<u8>, Vec<u8>) = voice(16_000).into_iter().map(|it| (encode_ulaw(it), encode_alaw(it))).unzip();
    for (name, written, fixed, codes) in [
        ("PCMU", "PCMU/8000", 0, &mu[..]),
        ("pcma", "pcma/8000/1", 8, &a),
        ("G722", "G722/8000", 9, VOICE),
    ] {
        let as_fixed = read(&upward(&stream_of(fixed, 160, codes.chunks_exact(160))));
        let list = stream_of(97, 160, codes.chunks_exact(160));
        // By the port of the side that receives it, else of the one that sends it; known beforehand, or told in the end.
        for port in [2, 1] {
            let names = || described(port, 97, written);
            for (before, at_the_end) in [(names(), names()), (MediaKeys::default(), names())] {
                let out = fed(&list, before, at_the_end);
                let (codec, because) = told(&out);
                assert_eq!(codec, name);
                let begins = format!("yes: named {name} by signalling in frame 7");
                assert!(because.starts_with(&begins) && because.contains("decodes to sound"), "{because}");
                assert_eq!(out.recordings.len(), as_fixed.recordings.len());
                assert_eq!(out.protection, Some(Protection::Plaintext));
            }
        }
        // Where nothing names it there, it stays what it was.
        for names in [MediaKeys::default(), described(4_000, 97, written), described(2, 98, written)] {
            let out = fed(&list, MediaKeys::default(), names);
            let (codec, because) = told(&out);
            assert_eq!((codec, because.contains("nothing named their codec")), ("", true), "{because}");
        }
    }
}

#[test]
fn what_nothing_decodes_is_told_by_its_name() {
    let mut random = Random(3);
    let payloads: Vec<Vec<u8>> = (0..40).map(|_| random.bytes(32)).collect();
    let list = stream_of(110, 160, payloads.iter().map(Vec::as_slice));
    let out = fed(&list, MediaKeys::default(), described(2, 110, "AMR/8000"));
    let expected = "named AMR by signalling in frame 7: no decoder for AMR is applied".to_owned();
    assert_eq!(told(&out), ("AMR", expected));
    // A name proves nothing: cipher text that is called G.711 is not heard.
    let sealed: Vec<Vec<u8>> = (0..200).map(|_| random.bytes(160)).collect();
    let list = stream_of(110, 160, sealed.iter().map(Vec::as_slice));
    let (codec, because) = {
        let out = fed(&list, MediaKeys::default(), described(2, 110, "PCMU/8000"));
        let (codec, because) = told(&out);
        (codec.to_owned(), because)
    };
    assert!(codec == "PCMU" && !because.starts_with("yes"), "{because}");
    // A static type is what it is, whatever a description says.
    let codes: Vec<u8> = voice(16_000).into_iter().map(encode_ulaw).collect();
    let out = fed(
        &stream_of(0, 160, codes.chunks(160)),
        MediaKeys::default(),
        described(2, 0, "G722/8000"),
    );
    assert_eq!(told(&out).0, "PCMU");
}

/// Of a long call only the first seconds are kept until its type is named; the answer says so.
#[test]
fn of_what_is_named_late_only_the_beginning_is_judged() {
    let codes: Vec<u8> = voice(160_000).into_iter().map(encode_ulaw).collect();
    let list = stream_of(97, 160, codes.chunks(160));
    let names = || described(2, 97, "PCMU/8000");
    let late = fed(&list, MediaKeys::default(), names());
    assert!(
        told(&late).1.contains(", of which the first packets are judged: "),
        "{}",
        told(&late).1
    );
    let known = fed(&list, names(), names());
    assert!(!told(&known).1.contains("the first packets"), "{}", told(&known).1);
}
