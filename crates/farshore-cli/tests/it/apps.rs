//! `--app`: what one app sent, where the capture tells apps apart.

use crate::command::{folder, run, write};

/// A capture on macOS (PKTAP, link type 258): the resolver asks for `voice.example`, then `browser` and `voice` each send a
/// request to the address it was told.
fn capture() -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 258] {
        out.extend(word.to_le_bytes());
    }
    let dns = |answer: bool| {
        let mut message = vec![
            0,
            7,
            if answer { 0x81 } else { 1 },
            if answer { 0x80 } else { 0 },
            0,
            1,
            0,
            u8::from(answer),
            0,
            0,
            0,
            0,
        ];
        message.extend(b"\x05voice\x07example\0\0\x01\0\x01");
        if answer {
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9]);
        }
        message
    };
    let (client, resolver, server) = ([10, 0, 0, 2], [10, 0, 0, 1], [192, 0, 2, 9]);
    let sent = [
        ("resolverd", (client, 5_000_u16), (resolver, 53_u16), dns(false)),
        ("resolverd", (resolver, 53), (client, 5_000), dns(true)),
        ("browser", (client, 6_001), (server, 9_000), b"user=ann@example.net".to_vec()),
        ("voice", (client, 6_002), (server, 9_000), b"user=bob@example.net".to_vec()),
    ];
    for (seconds, (app, from, to, payload)) in (1_600_000_000_u32..).zip(sent) {
        let mut frame = vec![0; 108];
        frame[..4].copy_from_slice(&108_u32.to_le_bytes());
        frame[4..8].copy_from_slice(&1_u32.to_le_bytes());
        frame[8..12].copy_from_slice(&12_u32.to_le_bytes());
        frame[56..56 + app.len()].copy_from_slice(app.as_bytes());
        let length = u16::try_from(28 + payload.len()).unwrap();
        frame.extend([0x45, 0]);
        frame.extend(length.to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        frame.extend(from.0);
        frame.extend(to.0);
        frame.extend(from.1.to_be_bytes());
        frame.extend(to.1.to_be_bytes());
        frame.extend((length - 20).to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        let size = u32::try_from(frame.len()).unwrap();
        for word in [seconds, 0, size, size] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    out
}

#[test]
fn an_audit_of_one_app_has_its_flows_alone_and_their_names() {
    let folder = folder();
    let path = write(&folder, "mac.pcap", capture());
    let path = path.to_str().unwrap();
    let audit = run([
        "audit",
        path,
        "--app",
        "voice",
        "--format",
        "json",
        "--with",
        "flows,observations",
        "--show-pii",
    ])
    .json();
    let flows = audit["flows"].as_array().unwrap();
    assert_eq!(flows.len(), 1);
    assert_eq!(
        (&flows[0]["app"]["name"], &flows[0]["id"], &flows[0]["client"]["port"]),
        (&"voice".into(), &"f1".into(), &6_002.into())
    );
    assert_eq!(audit["coverage"]["flows"]["total"], 1);
    assert_eq!(audit["coverage"]["frames"]["total"], 4);
    let destinations = audit["destinations"].as_array().unwrap();
    assert_eq!(destinations.len(), 1);
    // What the system's resolver was told names the app's flow.
    assert_eq!(destinations[0]["name"], "voice.example");
    let text = audit.to_string();
    assert!(text.contains("bob@example.net") && !text.contains("ann@example.net"), "{text}");

    let all = run(["audit", path, "--format", "json", "--with", "flows"]).json();
    assert_eq!(all["flows"].as_array().unwrap().len(), 3);
    let screen = run(["audit", path]);
    assert!(
        screen.text().contains("flows of browser (1), resolverd (1), voice (1)"),
        "{}",
        screen.text()
    );
}

#[test]
fn an_app_that_sent_nothing_is_an_error_that_names_those_which_did() {
    let folder = folder();
    let path = write(&folder, "mac.pcap", capture());
    let path = path.to_str().unwrap();
    run(["audit", path, "--app", "com.example.voice"])
        .ends(2)
        .says("--app com.example.voice: no flow is of it; there are flows of `browser`, `resolverd`, `voice`");
    let example = crate::command::repository().join("examples/clubhouse.pcapng");
    run(["audit", example.to_str().unwrap(), "--app", "voice"])
        .ends(2)
        .says("no input tells which app sent what");
}
