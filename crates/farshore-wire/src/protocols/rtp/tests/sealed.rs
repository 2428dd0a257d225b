//! SRTP and the keys that signalling tells: known beforehand or in the end, for all of a stream or a part of it.

use super::*;
use crate::crypto::srtp::{Keys, Suite};

/// Forty characters of base64 are a key of 16 bytes and a salt of 14.
const INLINE: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn signalled(suite: &str, parameters: &str, protection: Protection) -> MediaKeys {
    MediaKeys::of(&format!("a=crypto:1 {suite} inline:{INLINE}{parameters}\r\n"), protection)
}

/// A stream under a master key, `begun` times round; numbers begin anew on the way.
fn sealed(list: &[Vec<u8>], suite: &str, index: &[u8], begun: u32) -> Vec<Vec<u8>> {
    sealed_under(INLINE, list, suite, index, begun)
}

fn sealed_under(inline: &str, list: &[Vec<u8>], suite: &str, index: &[u8], begun: u32) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let master = base64::engine::general_purpose::STANDARD.decode(inline).unwrap();
    let keys = Keys::new(Suite::named(suite.as_bytes()).unwrap(), &master).unwrap();
    list.iter()
        .map(|it| {
            let sequence = u16::from_be_bytes([it[2], it[3]]);
            let rollover = begun + u32::from(sequence < 0x8000);
            keys.seal(&it[..12], &it[12..], (SSRC, sequence, rollover), index)
        })
        .collect()
}

#[test]
fn a_key_in_clear_opens_a_call() {
    let codes: Vec<u8> = voice(16_000).into_iter().map(encode_ulaw).collect();
    let clear = stream_of(0, 160, codes.chunks(160));
    let Recovery::Yes { sound: expected, .. } = recovery(&read(&upward(&clear))).clone() else {
        panic!()
    };
    for (suite, parameters, index, begun) in [
        ("AES_CM_128_HMAC_SHA1_80", "", &[][..], 0),
        ("AES_CM_128_HMAC_SHA1_32", "|2^31", &[], 0),
        ("AES_CM_128_HMAC_SHA1_80", "|2^31|515:4", &[0, 0, 2, 3], 5),
    ] {
        let list = sealed(&clear, suite, index, begun);
        let keys = || signalled(suite, parameters, Protection::Plaintext);
        let start = || RTP.start(&datagrams(1, 2, &[]), &Limits::default());
        // Known beforehand, or told in the end by whoever read the signalling.
        for (before, at_the_end) in [(keys(), keys()), (MediaKeys::default(), keys())] {
            let out = feed_with(start().as_mut(), &upward(&list), before, at_the_end);
            let Observation::Media { protocol, codec, .. } = &out.observed[0].0 else {
                panic!()
            };
            assert_eq!((*protocol, codec.as_str()), ("srtp", "PCMU"));
            let Recovery::Yes { because, sound } = recovery(&out) else {
                panic!("{:?}", recovery(&out))
            };
            assert_eq!(sound, &expected);
            let told = format!("SRTP with {suite}, whose key stands in clear in frame 7; 100 packets are authentic: decodes to sound: ");
            assert!(because.starts_with(&told), "{because}");
            assert_eq!((out.protection, out.under), (Some(Protection::Srtp), Some(Protection::Srtp)));
        }
        // Without it, with the key of another call, or with its name in another place.
        let other = MediaKeys::of(&format!("a=crypto:1 {suite} inline:{}\r\n", "A".repeat(40)), Protection::Plaintext);
        let misnamed = signalled(suite, "|1:2", Protection::Plaintext);
        let both = two_keys(suite, OTHER, &"A".repeat(40));
        for (keys, says) in [
            (MediaKeys::default(), "an SRTP tag fits"),
            (other, "an SRTP tag fits; the key that was told for media does not fit"),
            (misnamed, "an SRTP tag fits; the key that was told for media does not fit"),
            (both, "an SRTP tag fits; none of the keys that were told for media fits"),
        ] {
            let out = feed_with(start().as_mut(), &upward(&list), MediaKeys::default(), keys);
            assert!(
                matches!(recovery(&out), Recovery::CannotTell { because } if because.ends_with(says)),
                "{:?}",
                recovery(&out)
            );
            assert_eq!(out.protection, None);
        }
    }
}

#[test]
fn a_key_under_tls_is_told_as_that() {
    let list = sealed(&opus_stream(SPEECH, |_, _| {}), "AES_CM_128_HMAC_SHA1_80", &[], 0);
    let keys = signalled("AES_CM_128_HMAC_SHA1_80", "", Protection::Tls);
    let out = feed_with(
        RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(),
        &upward(&list),
        MediaKeys::default(),
        keys,
    );
    assert!(matches!(recovery(&out), Recovery::Yes { because, .. } if because.contains("under TLS in frame 7")));
    assert_eq!((out.protection, out.under), (Some(Protection::Srtp), Some(Protection::Tls)));
}

/// Of a long call only the first seconds are kept until a key is told; the answer says so.
#[test]
fn what_was_not_kept_is_not_claimed() {
    let codes: Vec<u8> = voice(160_000).into_iter().map(encode_ulaw).collect();
    let list = sealed(&stream_of(0, 160, codes.chunks(160)), "AES_CM_128_HMAC_SHA1_80", &[], 0);
    let keys = || signalled("AES_CM_128_HMAC_SHA1_80", "", Protection::Plaintext);
    let start = || RTP.start(&datagrams(1, 2, &[]), &Limits::default());
    let out = feed_with(start().as_mut(), &upward(&list), MediaKeys::default(), keys());
    assert!(matches!(recovery(&out), Recovery::Yes { because, .. } if because.contains("; the first 199 packets are authentic")));
    let out = feed_with(start().as_mut(), &upward(&list), keys(), keys());
    assert!(matches!(recovery(&out), Recovery::Yes { because, .. } if because.contains("; 1000 packets are authentic")));
}

/// Forty other characters.
const OTHER: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ";

fn two_keys(suite: &str, first: &str, second: &str) -> MediaKeys {
    let text = format!("a=crypto:1 {suite} inline:{first}\r\na=crypto:1 {suite} inline:{second}\r\n");
    MediaKeys::of(&text, Protection::Plaintext)
}

/// A call is set up anew while it lasts: the key of its end fits nothing that was kept of its beginning.
#[test]
fn a_key_that_fits_only_what_was_not_kept_is_told() {
    let codes: Vec<u8> = voice(160_000).into_iter().map(encode_ulaw).collect();
    let clear = stream_of(0, 160, codes.chunks(160));
    let start = || RTP.start(&datagrams(1, 2, &[]), &Limits::default());
    for (suite, kept) in [("AES_CM_128_HMAC_SHA1_80", 199), ("AES_CM_128_HMAC_SHA1_32", 204)] {
        let (before, after) = clear.split_at(400);
        let list = [sealed_under(OTHER, before, suite, &[], 0), sealed(after, suite, &[], 0)].concat();
        let late = signalled(suite, "", Protection::Plaintext);
        let out = feed_with(start().as_mut(), &upward(&list), MediaKeys::default(), late);
        let Observation::Media { protocol, .. } = &out.observed[0].0 else {
            panic!()
        };
        assert_eq!(*protocol, "srtp");
        let told = format!(
            "SRTP with {suite}, whose key stands in clear in frame 7: it fits the latest packets and none of the first {kept}, which alone \
             were kept until it was known"
        );
        assert!(
            matches!(recovery(&out), Recovery::CannotTell { because } if *because == told),
            "{:?}",
            recovery(&out)
        );
        assert_eq!(
            out.missed,
            ["the key told for the media fits none of the first packets, which alone were kept"]
        );
        // With no key that fits any of it, nothing of the kind is said.
        let neither = MediaKeys::of(&format!("a=crypto:1 {suite} inline:{}\r\n", "A".repeat(40)), Protection::Plaintext);
        let out = feed_with(start().as_mut(), &upward(&list), MediaKeys::default(), neither);
        assert!(matches!(recovery(&out), Recovery::CannotTell { because } if because.contains("an SRTP tag fits")));
        assert_eq!(out.missed, [""; 0]);
    }
}

/// A key that fits the end of what was kept opens that much; what it does not open is counted.
#[test]
fn a_key_that_fits_the_end_of_what_was_kept_opens_it() {
    let codes: Vec<u8> = voice(160_000).into_iter().map(encode_ulaw).collect();
    let clear = stream_of(0, 160, codes.chunks(160));
    for suite in ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] {
        // Within a long call, and within a short one of which all was kept.
        for (changed, all) in [(60, 1_000), (20, 150)] {
            let (before, after) = clear[..all].split_at(changed);
            let list = [sealed_under(OTHER, before, suite, &[], 0), sealed(after, suite, &[], 0)].concat();
            let told = signalled(suite, "", Protection::Plaintext);
            let mut dissector = RTP.start(&datagrams(1, 2, &[]), &Limits::default());
            let out = feed_with(dissector.as_mut(), &upward(&list), MediaKeys::default(), told);
            let Recovery::Yes { because, .. } = recovery(&out) else {
                panic!("{:?}", recovery(&out))
            };
            assert!(
                because.contains("whose key stands in clear in frame 7") && because.contains(&format!("{changed} ")),
                "{because}"
            );
            assert_eq!(out.missed, [""; 0]);
        }
    }
}

/// Keys that are known beforehand follow each other, and nothing is lost between them; packets that none opens are counted.
#[test]
fn a_call_that_is_set_up_anew_is_opened_on() {
    let codes: Vec<u8> = voice(160_000).into_iter().map(encode_ulaw).collect();
    let clear = stream_of(0, 160, codes.chunks(160));
    let Recovery::Yes { sound: expected, .. } = recovery(&read(&upward(&clear))).clone() else {
        panic!()
    };
    for suite in ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] {
        let (before, after) = clear.split_at(400);
        let list = [sealed(before, suite, &[], 0), sealed_under(OTHER, after, suite, &[], 0)].concat();
        let keys = || two_keys(suite, OTHER, INLINE);
        let out = feed_with(
            RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(),
            &upward(&list),
            keys(),
            keys(),
        );
        let Recovery::Yes { because, sound } = recovery(&out) else {
            panic!("{:?}", recovery(&out))
        };
        let one = format!("SRTP with {suite}, whose key stands in clear in frame 7");
        assert!(
            because.starts_with(&format!("{one}, then {one}; 1000 packets are authentic: decodes")),
            "{because}"
        );
        assert_eq!((sound, &out.missed), (&expected, &vec![]));
        // Of the second key nothing is known.
        let keys = || signalled(suite, "", Protection::Plaintext);
        let out = feed_with(
            RTP.start(&datagrams(1, 2, &[]), &Limits::default()).as_mut(),
            &upward(&list),
            keys(),
            keys(),
        );
        assert!(
            matches!(recovery(&out), Recovery::Yes { because, .. } if because.contains("; 400 packets are authentic, 600 others are not"))
        );
    }
}
