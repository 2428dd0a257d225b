//! Every pack finds its examples and leaves its counter-examples alone; the decoys are left alone by all.

use std::collections::BTreeSet;

use super::*;
use crate::identifiers::pack;

#[test]
fn packs_find_their_examples_and_nothing_else() {
    let mut detectors = Detectors::new(&[], shown()).unwrap();
    let mut ids = BTreeSet::new();
    let (mut examples, mut counter_examples) = (0, 0);
    let mut wrong = Vec::new();
    for it in pack::builtin().unwrap() {
        assert!(ids.insert(it.id.clone()), "{} stands twice", it.id);
        assert!(it.examples.len() + it.counter_examples.len() >= 3, "{}", it.id);
        assert!(!it.examples.is_empty() && !it.counter_examples.is_empty(), "{}", it.id);
        assert!(
            it.source.len() > 10 && it.description.len() > 20 && it.version.split('.').count() == 3,
            "{}",
            it.id
        );
        for example in &it.examples {
            examples += 1;
            let found = scan(&mut detectors, &example.path, example.value.as_bytes());
            let wanted = example.found.as_deref().expect("an example says what is found");
            let mine: Vec<_> = found.iter().filter(|f| f.detector == it.id).collect();
            if !mine
                .iter()
                .any(|f| f.value.raw.as_deref() == Some(wanted) && f.kind.as_str() == it.kind)
            {
                wrong.push(format!("{}: {:?} not found in {:?}: {found:?}", it.id, wanted, example.value));
            }
            if mine.iter().any(|f| example.value.get(f.range.clone()).is_none_or(str::is_empty)) {
                wrong.push(format!("{}: range in {:?}: {found:?}", it.id, example.value));
            }
        }
        for example in &it.counter_examples {
            counter_examples += 1;
            let found = scan(&mut detectors, &example.path, example.value.as_bytes());
            if found.iter().any(|f| f.detector == it.id) {
                wrong.push(format!("{}: found in {:?}: {found:?}", it.id, example.value));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples >= 40 && counter_examples >= 60, "{examples} {counter_examples}");
}

#[test]
fn every_pack_is_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs/identifiers");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|it| it.unwrap().file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    let mut ids: Vec<String> = pack::builtin().unwrap().into_iter().map(|it| it.id).collect();
    files.sort();
    ids.sort();
    assert_eq!(ids, files);
}

#[test]
fn decoys_are_left_alone() {
    let mut random = Random(11);
    let mut lines = Vec::new();
    for round in 0..400_u64 {
        let n = random.next();
        let hex = |bytes: usize, random: &mut Random| random.bytes(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
        lines.push(("http.query.seq".to_owned(), round.to_string()));
        lines.push(("http.query.ts".to_owned(), (1_700_000_000_000 + n % 100_000_000_000).to_string()));
        lines.push(("http.query.n".to_owned(), (n % 1_000_000_000_000_000).to_string()));
        lines.push(("http.query.v".to_owned(), format!("{}.{}.{}", n % 20, n % 31, n % 977)));
        lines.push(("http.query.hash".to_owned(), hex(32, &mut random)));
        lines.push(("http.request.header.etag".to_owned(), format!("W/\"{}\"", hex(16, &mut random))));
        lines.push((
            "http.request.header.date".to_owned(),
            format!("Sun, 22 Nov 2026 {:02}:{:02}:{:02} GMT", n % 24, n % 60, n % 59),
        ));
        lines.push((
            "http.response.body".to_owned(),
            format!(
                "{{\"t\":\"2026-11-22T10:00:{:02}+02:00\",\"lat\":{}.{},\"count\":{n}}}",
                n % 60,
                n % 90,
                n % 10
            ),
        ));
        lines.push((
            "http.response.body".to_owned(),
            format!(
                "<svg viewBox=\"0 0 {} {}\"><path d=\"M{}.{} {}.{}\"/></svg>",
                n % 999,
                n % 77,
                n % 90,
                n % 9999,
                n % 180,
                n % 9999
            ),
        ));
        let groups: Vec<String> = random.bytes(20).iter().map(|b| format!("{b:02X}")).collect();
        lines.push(("tcp.payload".to_owned(), format!("fingerprint {}", groups.join(":"))));
        lines.push((
            "http.path".to_owned(),
            format!("/static/app.{}.js?v={}", hex(10, &mut random), n % 10_000),
        ));
        lines.push((
            "http.response.body".to_owned(),
            format!("sha256-{}", {
                use ::base64::Engine as _;
                ::base64::engine::general_purpose::STANDARD.encode(random.bytes(32))
            }),
        ));
    }
    for name in [
        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256",
        "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-ctr",
        "umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha1",
        "zlib@openssh.com,none,kex-strict-s-v00@openssh.com,hostkeys-00@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512,ssh-ed25519",
        "sntrup761x25519-sha512@openssh.com,keepalive@openssh.com",
        "rijndael-cbc@lysator.liu.se",
    ] {
        lines.push(("ssh.kex".to_owned(), name.to_owned()));
        lines.push(("tcp.payload".to_owned(), name.to_owned()));
    }
    let mut detectors = Detectors::new(&[], shown()).unwrap();
    let mut wrong = Vec::new();
    for (path, value) in &lines {
        for found in scan(&mut detectors, path, value.as_bytes()) {
            wrong.push(format!("{} {:?} in {path} = {value}", found.detector, found.value.raw));
        }
    }
    assert!(wrong.is_empty(), "{} of {} decoys:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

#[test]
fn what_is_known_is_told_once_and_under_its_own_name() {
    let known = [known("alice", "user-id", "1009431"), known("mail", "email", "alice@example.com")];
    let mut detectors = Detectors::new(&known, shown()).unwrap();
    let found = scan(
        &mut detectors,
        "http.request.body",
        b"uid=1009431&email=alice%40example.com&imei=490154203237518",
    );
    let told: Vec<_> = found
        .iter()
        .map(|f| (f.kind.as_str(), f.detector.as_str(), f.known_as.as_deref(), f.range.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("user-id", "known", Some("alice"), 4..11),
            ("email", "known", Some("mail"), 18..37),
            ("imei", "imei", None, 43..58),
        ]
    );
    assert!(detectors.wants_payload() && !Detectors::new(&[], Options::default()).unwrap().wants_payload());
}

#[test]
fn patterns_are_found_inside_what_is_packed() {
    use ::base64::Engine as _;
    let json = br#"{"userId":"henry77","mail":"henry@example.org"}"#;
    let packed = ::base64::engine::general_purpose::STANDARD.encode(json);
    let mut detectors = Detectors::new(&[], shown()).unwrap();
    let text = format!("d={packed}&x");
    let found = scan(&mut detectors, "http.request.body", text.as_bytes());
    let told: Vec<_> = found
        .iter()
        .map(|f| {
            (
                f.detector.as_str(),
                f.value.raw.as_deref().unwrap(),
                f.decoded_by.as_slice(),
                &text[f.range.clone()],
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("user-id", "henry77", &["base64"][..], packed.as_str()),
            ("email", "henry@example.org", &["base64"][..], packed.as_str()),
        ]
    );
}

#[test]
fn masked_unless_asked_for() {
    let mut detectors = Detectors::new(&[known("a", "user-id", "1009431")], Options::default()).unwrap();
    for found in scan(
        &mut detectors,
        "http.request.body",
        b"uid=1009431&password=opensesame&phone=+14155550123",
    ) {
        assert_eq!((&found.value.raw, &found.value.digest), (&None, &None));
        assert!(found.value.masked.chars().count() <= 3, "{found:?}");
    }
}

#[test]
fn a_name_and_a_password_are_one_credential_even_when_they_look_like_a_key_and_its_value() {
    let mut detectors = Detectors::new(&[], shown()).unwrap();
    // `user:password1`.
    let found = scan(&mut detectors, "http.authorization", b"Basic dXNlcjpwYXNzd29yZDE=");
    let told: Vec<(&str, Option<&str>)> = found.iter().map(|it| (it.kind.as_str(), it.value.raw.as_deref())).collect();
    assert_eq!(told, [("credential", Some("user:password1"))]);
}

#[test]
fn a_percent_sign_is_one_where_nobody_escapes() {
    let mut detectors = Detectors::new(&[], shown()).unwrap();
    for (path, text, value) in [
        ("ftp.password", &b"otter%48989"[..], "otter%48989"),
        ("http.request.body", b"{\"password\":\"otter%48989\"}", "otter%48989"),
        ("tcp.payload", b"password: otter%48989\r\n", "otter%48989"),
        ("http.form.password", b"otter%2548989", "otter%48989"),
        ("tcp.payload", b"a=1&password=otter%2548989", "otter%48989"),
        ("mqtt.payload", b"{\"email\":\"grace%40example.org\"}", "grace@example.org"),
    ] {
        let found = scan(&mut detectors, path, text);
        let told: Vec<_> = found.iter().filter_map(|it| it.value.raw.as_deref()).collect();
        assert_eq!(told, [value], "{path}: {}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_found_in_json_is_told_with_the_names_that_lead_there() {
    let all = [known("grace", "email", "grace@example.org")];
    let mut detectors = Detectors::new(&all, shown()).unwrap();
    let text = br#"{"device":{"imei":"490154203237518","owners":["x","R3JhY2VAZXhhbXBsZS5vcmc=","grace@example.org"]},"uid":1009431}"#;
    let mut told: Vec<(String, String)> = Vec::new();
    for it in scan(&mut detectors, "http.request.body", text) {
        told.push((it.kind.as_str().to_owned(), it.member));
    }
    let wanted = [
        ("imei", "device.imei"),
        ("email", "device.owners"),
        ("email", "device.owners"),
        ("user-id", "uid"),
    ];
    assert_eq!(told, wanted.map(|(kind, member)| (kind.to_owned(), member.to_owned())));
    let plain = scan(&mut detectors, "http.request.body", b"mail=grace@example.org");
    assert_eq!(plain[0].member, "");
}
