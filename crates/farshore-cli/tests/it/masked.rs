//! What masked output gives away of a value: nothing that would tell it from others of its look. Phone numbers and ids of 32 bits
//! are few enough to try them all against anything that is computed from them.

use serde_json::Value;

use crate::command::{folder, run, write};

/// A request that tells a phone number, an id and a device's number.
fn capture(phone: &str, id: &str, imei: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        out.extend(word.to_le_bytes());
    }
    let request = format!(
        "GET /v1/users/{id}/join?phone=%2B{phone}&uid={id}&imei={imei} HTTP/1.1\r\nHost: api.example\r\nCookie: session_id=s{id}{phone}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{{\"user_id\":{id},\"phone\":\"+{phone}\"}}",
        25 + id.len() + phone.len()
    );
    let length = u16::try_from(40 + request.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 192, 0, 2, 9]);
    packet.extend(40_000_u16.to_be_bytes());
    packet.extend(80_u16.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    packet.extend(request.as_bytes());
    let size = u32::try_from(packet.len()).unwrap();
    for word in [1_600_000_000, 0, size, size] {
        out.extend(word.to_le_bytes());
    }
    out.extend(packet);
    out
}

fn audited(capture: &[u8], format: &str, more: &[&str]) -> String {
    let folder = folder();
    let path = write(&folder, "phone.pcap", capture);
    let known = write(
        &folder,
        "known.toml",
        "[[known]]\nname = \"nobody\"\nkind = \"user-id\"\nvalue = \"somebody-else\"\n",
    );
    let mut arguments = vec![
        "audit",
        path.to_str().unwrap(),
        "--format",
        format,
        "--known",
        known.to_str().unwrap(),
    ];
    arguments.extend(more);
    let done = run(&arguments);
    done.ends(0);
    // The digest of the input is that of all its bytes.
    let text = done.text().to_owned();
    let Ok(mut audit) = serde_json::from_str::<Value>(&text) else {
        return text;
    };
    audit["inputs"][0]["sha256"] = Value::Null;
    audit.to_string()
}

#[test]
fn values_of_one_look_give_the_same_output() {
    let one = capture("14155550123", "918273645", "490154203237518");
    // The same first and last characters, and check digits that hold.
    let other = capture("14087742953", "907418265", "490154398259798");
    for (format, more) in [("json", &["--with", "flows,observations"][..]), ("terminal", &[]), ("html", &[])] {
        let (a, b) = (audited(&one, format, more), audited(&other, format, more));
        if format == "json" {
            let kinds: Vec<_> = ["phone", "imei", "user-id"]
                .into_iter()
                .filter(|it| a.contains(&format!("\"kind\":\"{it}\"")))
                .collect();
            assert_eq!(kinds, ["phone", "imei", "user-id"], "{a}");
        }
        let page = |text: &str| text.lines().filter(|line| !line.contains("SHA-256")).collect::<Vec<_>>().join("\n");
        assert_eq!(page(&a), page(&b), "{format}");
    }
}

#[test]
fn a_digest_takes_a_key() {
    let folder = folder();
    let key = write(&folder, "key", "0123456789abcdef0123456789abcdef");
    let one = capture("14155550123", "918273645", "490154203237518");
    assert!(!audited(&one, "json", &[]).contains("\"digest\":\""));
    assert!(audited(&one, "json", &["--digest-key", key.to_str().unwrap()]).contains("\"digest\":\""));
    // Under no key anybody can make the table that reads them.
    let (none, input) = (write(&folder, "none", "\n"), write(&folder, "one.pcap", one));
    run(["audit", input.to_str().unwrap(), "--digest-key", none.to_str().unwrap()]).ends(2);
}
