//! Signed evidence: what was made is verified, whatever was touched is not, and a stranger can do the audit again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ed25519_dalek::Signer as _;
use farshore_report::bundle::envelope::{Envelope, signed_bytes};
use farshore_report::bundle::statement::Statement;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use ssh_key::PrivateKey;

use crate::command::{Run, example, folder, repository, run, write};

const BLOCK: usize = 512;

/// Names and bodies.
type Members = Vec<(String, Vec<u8>)>;

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)
}

fn beside(name: &str) -> PathBuf {
    repository().join("examples").join(name)
}

fn bundle<S: AsRef<std::ffi::OsStr>>(verb: &str, more: &[S]) -> Run {
    let mut all: Vec<OsString> = vec!["bundle".into(), verb.into()];
    all.extend(more.iter().map(Into::into));
    run(all)
}

/// A bundle of the example, with values to look for, keys and a scope.
fn make(folder: &tempfile::TempDir, name: &str, with: &str, more: &[&str]) -> PathBuf {
    let out = folder.path().join(name);
    let scope = write(
        folder,
        "scope.toml",
        "interfaces = [\"any\"]\nfeatures = [\"speak\"]\nfrom = 2021-02-11T17:00:00Z\nuntil = 2021-02-11T19:00:00Z\n",
    );
    let mut all: Vec<OsString> = vec![example().into(), "--known".into(), beside("clubhouse.known.toml").into()];
    all.extend(["--keys".into(), beside("clubhouse.keylog").into(), "--scope".into(), scope.into()]);
    all.extend(["--key".into(), key(with).into(), "-o".into(), out.clone().into(), "-q".into()]);
    all.extend(more.iter().map(Into::into));
    bundle("make", &all).ends(0);
    out
}

/// `verify`, with the key and whatever else.
fn verify(path: &Path, signer: &str, more: &[OsString]) -> Run {
    let mut all: Vec<OsString> = vec![path.into(), "--signer".into(), key(signer).into()];
    all.extend(more.iter().cloned());
    bundle("verify", &all)
}

/// The example, and the files that its bundle names and does not hold.
fn all_given() -> Vec<OsString> {
    let mut all: Vec<OsString> = vec![example().into()];
    all.extend(["--known".into(), beside("clubhouse.known.toml").into()]);
    all.extend(["--keys".into(), beside("clubhouse.keylog").into()]);
    all
}

#[track_caller]
fn told(done: &Run, what: &str) {
    assert!(done.text().contains(what), "{what:?} is not in:\n{}{}", done.text(), done.err);
}

/// Fails unless the check of that name is the one that failed.
#[track_caller]
fn fails(done: &Run, check: &str) {
    done.ends(1);
    told(done, &format!("not verified: {check}"));
    let line = done.text().lines().find(|it| it.starts_with(check)).unwrap();
    assert!(line.contains("failed"), "{line}");
}

/// The members of an archive, by a reader of the test's own.
fn members(bytes: &[u8]) -> Members {
    let mut found = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let name: Vec<u8> = bytes[at..at + 100].iter().copied().take_while(|it| *it != 0).collect();
        let size = std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        let body = bytes[at + BLOCK..at + BLOCK + size].to_vec();
        found.push((String::from_utf8(name).unwrap(), body));
        at += BLOCK + size.div_ceil(BLOCK) * BLOCK;
    }
    assert_eq!(bytes.len(), at + 2 * BLOCK);
    found
}

/// A header by the letter of POSIX, with room for what must not be.
fn header(name: &str, kind: u8, size: &str, mtime: &str) -> [u8; BLOCK] {
    let mut it = [0; BLOCK];
    let mut put = |at: usize, text: &str| it[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, size);
    put(136, mtime);
    put(148, "        ");
    put(257, "ustar\x0000");
    it[156] = kind;
    let sum: u32 = it.iter().map(|it| u32::from(*it)).sum();
    it[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    it
}

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in members {
        out.extend(header(name, b'0', &format!("{:011o}", body.len()), "00000000000"));
        out.extend(body);
        out.resize(out.len().div_ceil(BLOCK) * BLOCK, 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

/// The same bundle with another statement, signed with the right key.
fn signed_anew(bytes: &[u8], change: impl FnOnce(String) -> String, members_too: impl FnOnce(&mut Members)) -> Vec<u8> {
    let mut members = members(bytes);
    members_too(&mut members);
    let envelope = Envelope::read(&members[0].1).unwrap();
    let payload = change(String::from_utf8(envelope.payload).unwrap()).into_bytes();
    let secret = PrivateKey::from_openssh(std::fs::read(key("test-only-ed25519")).unwrap()).unwrap();
    let secret = ed25519_dalek::SigningKey::from_bytes(&secret.key_data().ed25519().unwrap().private.to_bytes());
    let signature = secret.sign(&signed_bytes(&payload)).to_bytes().to_vec();
    let envelope = Envelope {
        payload,
        signature,
        keyid: envelope.keyid,
    };
    members[0].1 = envelope.write().unwrap();
    archive(&members)
}

fn statement(bytes: &[u8]) -> Value {
    serde_json::from_slice(&Envelope::read(&members(bytes)[0].1).unwrap().payload).unwrap()
}

#[test]
fn what_was_made_is_verified_and_reproduced() {
    let folder = folder();
    for with in ["test-only-ed25519", "test-only-p256"] {
        let path = make(&folder, with, with, &[]);
        let signer = format!("{with}.pub");
        let done = verify(&path, &signer, &all_given());
        done.ends(0);
        told(&done, "genuine, and reproduced");
        told(&done, "reproduced byte for byte: report.json, report.html");
        // Under another name and among others it is the same input.
        let renamed = write(&folder, "other-name", std::fs::read(example()).unwrap());
        let mut given = all_given();
        given[0] = renamed.into();
        verify(&path, &signer, &given).ends(0);
        // Nothing is claimed that was not checked.
        let done = verify(&path, &signer, &[]);
        done.ends(0);
        told(&done, "genuine; not re-run");
        assert!(!done.text().contains("reproduced"));
        // A signer is known by lines of other files too; one of several is enough.
        let public = std::fs::read_to_string(key(&signer)).unwrap();
        let other = std::fs::read_to_string(key("test-only-other.pub")).unwrap();
        let lines = write(&folder, "allowed_signers", format!("# who\n{other}\nalice@example.org {public}"));
        bundle("verify", &[path.as_os_str(), "--signer".as_ref(), lines.as_os_str()]).ends(0);
        // Another key, and none.
        let done = verify(&path, "test-only-other.pub", &all_given());
        fails(&done, "signer");
        let done = bundle("verify", &[path.as_os_str()]);
        fails(&done, "signer");
        told(&done, "SHA256:");
        told(
            &done,
            if with.ends_with("p256") {
                "ecdsa-sha2-nistp256"
            } else {
                "ssh-ed25519"
            },
        );
        // For scripts.
        let mut all = all_given();
        all.push("--format=json".into());
        let object = verify(&path, &signer, &all).json();
        assert_eq!(object["schema"], "farshore.bundle/1");
        assert_eq!((&object["outcome"], &object["reproduced"]), (&"genuine".into(), &true.into()));
        assert!(
            object["checks"].as_array().unwrap().iter().all(|it| it["answer"] == "ok"),
            "{object}"
        );
    }
}

#[test]
fn the_same_audit_signed_twice_is_the_same_bundle() {
    let folder = folder();
    for with in ["test-only-ed25519", "test-only-p256"] {
        let one = std::fs::read(make(&folder, "one", with, &["--jobs=1", "--force"])).unwrap();
        for jobs in ["--jobs=1", "--jobs=3"] {
            let again = std::fs::read(make(&folder, "again", with, &[jobs, "--force"])).unwrap();
            assert!(one == again, "{with} {jobs}");
        }
        // Nor does it tell where the files lay, whose the key is, or when it was.
        let elsewhere = crate::command::folder();
        let again = std::fs::read(make(&elsewhere, "other-name", with, &[])).unwrap();
        assert!(one == again, "{with} elsewhere");
        assert_eq!(archive(&members(&one)), one, "an archive by the letter");
    }
}

#[test]
fn nothing_leaves_that_should_stay() {
    let folder = folder();
    let bytes = std::fs::read(make(
        &folder,
        "a.tar",
        "test-only-ed25519",
        &["--digest-key", key("README.md").to_str().unwrap()],
    ))
    .unwrap();
    let mut text: Vec<String> = members(&bytes)
        .into_iter()
        .map(|it| String::from_utf8_lossy(&it.1).into_owned())
        .collect();
    text.push(statement(&bytes).to_string());
    let text = text.concat();
    for secret in [
        "104729331",
        "3f0c9a52-7d1e-4b86-9c44-e1a7d2f05b61",
        "M7pqZ4x1",
        "7310582946017",
        "made up for tests",
        "Keys of nobody",
        folder.path().to_str().unwrap(),
        repository().to_str().unwrap(),
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    let keylog = std::fs::read_to_string(beside("clubhouse.keylog")).unwrap();
    let secrets: Vec<_> = keylog
        .lines()
        .filter(|it| !it.starts_with('#'))
        .filter_map(|it| it.split(' ').nth(2))
        .collect();
    assert!(!secrets.is_empty() && secrets.iter().all(|it| !text.contains(it)));
    // What is declared goes along; of the rest there is the digest.
    let names: Vec<_> = members(&bytes).into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["audit.intoto.jsonl", "report.json", "report.html", "files/scope.toml"]);
    let files = &statement(&bytes)["predicate"]["files"];
    let flags: Vec<_> = files.as_array().unwrap().iter().map(|it| it["flag"].as_str().unwrap()).collect();
    assert_eq!(flags, ["digest-key", "keys", "known", "scope"]);
    let digest = Sha256::digest(std::fs::read(beside("clubhouse.keylog")).unwrap());
    assert_eq!(files[1]["sha256"], farshore_report::bundle::hex(&digest));
    // Unless values are asked for, and then it says so.
    let shown = std::fs::read(make(&folder, "b.tar", "test-only-ed25519", &["--show-pii"])).unwrap();
    assert!(String::from_utf8_lossy(&shown).contains("104729331"));
    assert_eq!(statement(&shown)["predicate"]["showPii"], true);
    told(
        &verify(&folder.path().join("b.tar"), "test-only-ed25519.pub", &[]),
        "values shown as they are",
    );
}

/// Whose data it is and what they agreed to is named by its digest; a filter and what others say go in.
#[test]
fn what_is_told_of_people_stays_out() {
    let folder = folder();
    let subject = write(&folder, "s.toml", "residence = \"LU\"\nmarket = \"CN\"\n");
    let basis = write(
        &folder,
        "b.toml",
        "complete = true\n[[basis]]\nkind = \"consent\"\nissuer = \"Dr. Nobody\"\n",
    );
    let reply = "[[reply]]\nby = \"Relaywright\"\ndate = 2021-02-13\nstatement = \"We keep none.\"\npack = \"pledge-2015\"\n";
    let replies = write(&folder, "r.toml", reply);
    let policy = write(&folder, "p.toml", "use = \"pledge-2015\"\n[params]\nsensitive = [\"device-id\"]\n");
    let given = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    let more = [
        given("subject", &subject),
        given("basis", &basis),
        given("replies", &replies),
        given("policy", &policy),
        "--filter=udp or tcp port 80".to_owned(),
    ];
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let path = make(&folder, "b.tar", "test-only-ed25519", &more);
    let bytes = std::fs::read(&path).unwrap();
    let names: Vec<String> = members(&bytes).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|it| it.ends_with("replies.toml")), "{names:?}");
    assert!(!names.iter().any(|it| it.contains("subject") || it.contains("basis")), "{names:?}");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("We keep none.") && !text.contains("Dr. Nobody") && !text.contains("residence"));
    let without = verify(&path, "test-only-ed25519.pub", &all_given());
    without.ends(3);
    told(&without, "--basis");
    let mut all = all_given();
    all.extend([given("subject", &subject).into(), given("basis", &basis).into()]);
    let done = verify(&path, "test-only-ed25519.pub", &all);
    done.ends(0);
    told(&done, "reproduced byte for byte");
}

#[test]
fn any_byte_that_is_touched_is_noticed() {
    let folder = folder();
    let bytes = std::fs::read(make(&folder, "a.tar", "test-only-ed25519", &[])).unwrap();
    let mut places = Vec::new();
    let mut at = 0;
    for (_, body) in members(&bytes) {
        // The header's fields, the body, its padding.
        places.extend(
            [
                0, 99, 101, 109, 117, 125, 134, 137, 150, 156, 157, 257, 263, 265, 300, 345, 500, 511,
            ]
            .map(|it| at + it),
        );
        let padded = body.len().div_ceil(BLOCK) * BLOCK;
        places.extend([0, 1, body.len() / 3, body.len() / 2, body.len() - 1, padded - 1].map(|it| at + BLOCK + it));
        at += BLOCK + padded;
    }
    places.extend([at, at + 511, at + 512, at + 1023]);
    // The envelope and its statement more closely.
    let envelope = members(&bytes)[0].1.len();
    places.extend((0..envelope).step_by(envelope / 60).map(|it| BLOCK + it));
    places.extend((envelope - 200..envelope).step_by(9).map(|it| BLOCK + it));
    for place in places {
        for bit in [1, 0x20] {
            let mut touched = bytes.clone();
            touched[place] ^= bit;
            let path = write(&folder, "touched.tar", &touched);
            let done = verify(&path, "test-only-ed25519.pub", &[]);
            assert!(!done.err.contains("internal fault"), "{place}: {}", done.err);
            assert_eq!(done.code, 1, "byte {place}, bit {bit}:\n{}", done.text());
            told(&done, "not verified: ");
        }
    }
}

#[test]
fn a_bundle_cut_anywhere_is_refused() {
    let folder = folder();
    let bytes = std::fs::read(make(&folder, "a.tar", "test-only-ed25519", &[])).unwrap();
    let mut lengths: Vec<usize> = (0..bytes.len()).step_by(bytes.len() / 40).collect();
    lengths.extend([
        1,
        511,
        512,
        513,
        bytes.len() - 1,
        bytes.len() - 512,
        bytes.len() - 513,
        bytes.len() - 1024,
    ]);
    for length in lengths {
        let path = write(&folder, "cut.tar", &bytes[..length]);
        fails(&verify(&path, "test-only-ed25519.pub", &[]), "archive");
    }
}

#[test]
fn what_is_no_bundle_is_refused_by_name() {
    let folder = folder();
    let bytes = std::fs::read(make(&folder, "a.tar", "test-only-ed25519", &[])).unwrap();
    let whole = members(&bytes);
    let check = |name: &str, bytes: &[u8], check: &str, says: &str| {
        let done = verify(&write(&folder, "hostile.tar", bytes), "test-only-ed25519.pub", &[]);
        assert!(done.code == 1, "{name}: {}{}", done.text(), done.err);
        fails(&done, check);
        told(&done, says);
    };
    let changed = |change: &dyn Fn(&mut Members)| {
        let mut all = whole.clone();
        change(&mut all);
        archive(&all)
    };
    // Members.
    check("order", &changed(&|it| it.swap(1, 2)), "members", "order");
    check(
        "missing",
        &changed(&|it| drop(it.remove(3))),
        "members",
        "files/scope.toml` is stated and is not there",
    );
    check("all missing", &changed(&|it| it.truncate(1)), "members", "is not there");
    check(
        "added",
        &changed(&|it| it.push(("extra".into(), vec![1]))),
        "members",
        "is not stated",
    );
    check("other", &changed(&|it| it[1].1 = b"{}\n".to_vec()), "members", "report.json");
    check("twice", &changed(&|it| it.push(it[1].clone())), "archive", "twice");
    check("envelopes", &changed(&|it| it.push(it[0].clone())), "archive", "twice");
    check(
        "before",
        &changed(&|it| it.insert(0, ("extra".into(), vec![]))),
        "archive",
        "first member",
    );
    check("name", &changed(&|it| it[1].0 = "../report.json".into()), "archive", "no name");
    check("root", &changed(&|it| it[1].0 = "/etc/passwd".into()), "archive", "no name");
    check("steering", &changed(&|it| it[1].0 = "\u{1b}[2Jx".into()), "archive", "no name");
    check(
        "crowd",
        &changed(&|it| it.extend((0..1001).map(|at| (format!("m{at}"), vec![])))),
        "archive",
        "1000",
    );
    check("empty", &archive(&[]), "archive", "empty");
    // Envelope and statement.
    let text = |it: &Vec<u8>| String::from_utf8(it.clone()).unwrap();
    check("two lines", &changed(&|it| it[0].1 = it[0].1.repeat(2)), "envelope", "2 lines");
    check("blank", &changed(&|it| it[0].1.push(b'\n')), "envelope", "not spelled");
    check(
        "spaced",
        &changed(&|it| it[0].1 = text(&it[0].1).replacen(':', ": ", 1).into()),
        "envelope",
        "not spelled",
    );
    let twice = |line: String| {
        let at = line.find("{\"keyid\"").unwrap();
        let signature = line[at..line.rfind("]}").unwrap()].to_owned();
        line.replace(&signature, &format!("{signature},{signature}"))
    };
    check(
        "signed twice",
        &changed(&|it| it[0].1 = twice(text(&it[0].1)).into()),
        "envelope",
        "2 signatures",
    );
    check("no JSON", &changed(&|it| it[0].1 = b"[".to_vec()), "envelope", "no DSSE envelope");
    check(
        "deep",
        &changed(&|it| it[0].1 = vec![b'['; 1 << 20]),
        "envelope",
        "no DSSE envelope",
    );
    let spaced = signed_anew(&bytes, |it| it.replacen(':', ": ", 1), |_| {});
    check("statement spelled anew", &spaced, "statement", "not spelled");
    let pretty = |it: String| serde_json::to_string_pretty(&serde_json::from_str::<Value>(&it).unwrap()).unwrap();
    check(
        "statement sorted anew",
        &signed_anew(&bytes, pretty, |_| {}),
        "statement",
        "not spelled",
    );
    // The archive itself.
    check("behind", &[&bytes[..], b"x"].concat(), "archive", "behind its end");
    check("zeros behind", &[&bytes[..], &[0; 512]].concat(), "archive", "behind its end");
    for (kind, what) in [
        (b'1', "a hard link"),
        (b'2', "a symbolic link"),
        (b'3', "a device"),
        (b'5', "a folder"),
        (b'6', "a pipe"),
        (b'x', "an extended header"),
        (b'g', "an extended header"),
        (b'L', "a GNU long name"),
        (b'S', "a sparse file"),
        (b'Z', "of an unknown type"),
        (0, "another header"),
    ] {
        let mut hostile = header("report.json", kind, "00000000000", "00000000000").to_vec();
        hostile.extend([0; 1024]);
        check(what, &hostile, "archive", what);
        // Also where a member may stand.
        let first = BLOCK + whole[0].1.len().div_ceil(BLOCK) * BLOCK;
        check(what, &[&bytes[..first], &hostile].concat(), "archive", what);
    }
    for (size, mtime, says) in [
        ("77777777777", "00000000000", "cut short"),
        ("\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}", "00000000000", "length that cannot be read"),
        ("00000000001", "00000000001", "another header"),
        ("          1", "00000000000", "another header"),
        ("1", "00000000000", "another header"),
        ("-1", "00000000000", "length that cannot be read"),
    ] {
        let mut hostile = header("report.json", b'0', size, mtime).to_vec();
        hostile.extend([0; 2048]);
        let first = BLOCK + whole[0].1.len().div_ceil(BLOCK) * BLOCK;
        check(size, &[&bytes[..first], &hostile].concat(), "archive", says);
    }
    let mut envelope = header("audit.intoto.jsonl", b'0', "07777777777", "00000000000").to_vec();
    envelope.extend([0; 2048]);
    check("huge envelope", &envelope, "archive", "at most");
    // GNU's way to write lengths past eight gigabytes.
    let mut large = header("report.json", b'0', "", "00000000000");
    large[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let sum: u32 = large
        .iter()
        .enumerate()
        .map(|(at, it)| if (148..156).contains(&at) { 32 } else { u32::from(*it) })
        .sum();
    large[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    let first = BLOCK + whole[0].1.len().div_ceil(BLOCK) * BLOCK;
    check("large", &[&bytes[..first], &large, &[0; 1024]].concat(), "archive", "at most");
    check("text", b"hello", "archive", "cut short");
    check("capture", &std::fs::read(example()).unwrap(), "archive", "no header");
}

#[test]
fn what_differs_from_what_was_audited_is_told() {
    let folder = folder();
    let path = make(&folder, "a.tar", "test-only-ed25519", &[]);
    let bytes = std::fs::read(&path).unwrap();
    let with = |bytes: &[u8], given: &[OsString]| verify(&write(&folder, "b.tar", bytes), "test-only-ed25519.pub", given);
    // Another input.
    let mut input = std::fs::read(example()).unwrap();
    let last = input.len() - 20;
    input[last] ^= 1;
    let swapped = write(&folder, "clubhouse.pcapng", &input);
    let mut given = all_given();
    given[0] = swapped.clone().into();
    fails(&with(&bytes, &given), "inputs");
    given.push(example().into());
    fails(&with(&bytes, &given), "inputs");
    // Files that were not given, or are others.
    for (less, name) in [(1..3, "clubhouse.known.toml"), (3..5, "clubhouse.keylog")] {
        let mut given = all_given();
        given.drain(less);
        let done = with(&bytes, &given);
        done.ends(3);
        told(&done, name);
        told(&done, "cannot re-run: files; signature and members were checked and stand");
    }
    let mut given = all_given();
    given[2] = write(&folder, "clubhouse.known.toml", "").into();
    fails(&with(&bytes, &given), "files");
    // A later version, another edition of the data: signed, and not to be done again here.
    let version = env!("CARGO_PKG_VERSION");
    let (from, to) = (format!("\"version\":\"{version}\",\"data\""), "\"version\":\"99.0.0\",\"data\"");
    let done = with(&signed_anew(&bytes, |it| it.replacen(&from, to, 1), |_| {}), &all_given());
    done.ends(3);
    told(&done, "99.0.0");
    told(&done, "signature and members were checked and stand");
    let edition = statement(&bytes)["predicate"]["tool"]["data"][0].clone();
    let digest = edition["sha256"].as_str().unwrap().to_owned();
    let done = with(
        &signed_anew(&bytes, |it| it.replacen(&digest, &"0".repeat(64), 1), |_| {}),
        &all_given(),
    );
    done.ends(3);
    told(&done, edition["name"].as_str().unwrap());
    // A pack that is another under its old name.
    let pack = "\"packs\":[{\"id\":\"no-plaintext-identifiers\",\"version\":\"";
    let done = with(
        &signed_anew(&bytes, |it| it.replacen(pack, &format!("{pack}9"), 1), |_| {}),
        &all_given(),
    );
    done.ends(3);
    told(&done, "packs are others");
    // A report that the signer wrote himself.
    let forged = String::from_utf8(members(&bytes)[1].1.clone())
        .unwrap()
        .replacen("breached", "met", 1)
        .into_bytes();
    let old = farshore_report::bundle::hex(&Sha256::digest(&members(&bytes)[1].1));
    let new = farshore_report::bundle::hex(&Sha256::digest(&forged));
    let forged = signed_anew(&bytes, |it| it.replace(&old, &new), |it| it[1].1 = forged);
    with(&forged, &[]).ends(0);
    fails(&with(&forged, &all_given()), "report");
    // A command line of another audit, or of another verb.
    for (from, to, check) in [
        (
            "\"command\":[\"farshore\",\"bundle\",\"make\",",
            "\"command\":[\"farshore\",\"bundle\",\"make\",\"--output=/tmp/x\",",
            "statement",
        ),
        (
            "\"command\":[\"farshore\",\"bundle\",\"make\",",
            "\"command\":[\"farshore\",\"list\",",
            "statement",
        ),
        (
            "\"command\":[\"farshore\",\"bundle\",\"make\",",
            "\"command\":[\"farshore\",\"bundle\",\"make\",\"--show-pii\",",
            "statement",
        ),
        ("\"--\",\"clubhouse.pcapng\"", "\"--\",\"/etc/passwd\"", "statement"),
        (
            "\"command\":[\"farshore\",\"bundle\",\"make\",",
            "\"command\":[\"farshore\",\"bundle\",\"make\",\"--vantage=-33.9,18.4\",",
            "report",
        ),
        ("\"--scope=scope.toml\"", "\"--scope=/etc/passwd\"", "report"),
    ] {
        let changed = signed_anew(
            &bytes,
            |it| {
                assert!(it.contains(from), "{it}");
                it.replacen(from, to, 1)
            },
            |_| {},
        );
        fails(&with(&changed, &all_given()), check);
    }
}

#[test]
fn several_inputs_of_one_name_and_their_labels_are_told_apart() {
    let folder = folder();
    let capture = std::fs::read(example()).unwrap();
    let fixed = std::fs::read(beside("clubhouse.fixed.pcapng")).unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    std::fs::create_dir(&one).unwrap();
    std::fs::create_dir(&two).unwrap();
    std::fs::write(one.join("report.json"), &capture).unwrap();
    std::fs::write(two.join("report.json"), &fixed).unwrap();
    let labels = format!(
        "input,user\n{},alice\n{},bob\n",
        one.join("report.json").display(),
        two.join("report.json").display()
    );
    let labels = write(&folder, "labels.csv", labels);
    let policy = write(&folder, "countries", "use = \"countries\"\n[params]\ncountries = [\"DE\"]\n");
    let out = folder.path().join("a.tar");
    let mut all: Vec<OsString> = vec![
        one.join("report.json").into(),
        two.join("report.json").into(),
        "--labels".into(),
        labels.into(),
    ];
    all.extend([
        "--policy".into(),
        policy.into(),
        "--vantage=-33.9,18.4".into(),
        "--limit=body-bytes=100000".into(),
    ]);
    all.extend(["--key".into(), key("test-only-p256").into(), "-o".into(), out.clone().into()]);
    bundle("make", &all).ends(0);
    let stated = statement(&std::fs::read(&out).unwrap());
    let names: Vec<_> = stated["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "report.json (2)",
            "report.json (3)",
            "report.json",
            "report.html",
            "files/policy.toml"
        ]
    );
    assert_eq!(stated["predicate"]["inputs"][1]["labels"]["user"], "bob");
    // In the other order, from a place of its own, without the labels.
    let given = [two.join("report.json").into(), one.join("report.json").into()];
    let done = verify(&out, "test-only-p256.pub", &given);
    done.ends(0);
    told(&done, "genuine, and reproduced");
    let done = verify(&out, "test-only-p256.pub", &given[..1]);
    done.ends(3);
    told(&done, "report.json (2)");
    // The statement as the library reads it is the one that was signed.
    let payload = Envelope::read(&members(&std::fs::read(&out).unwrap())[0].1).unwrap().payload;
    assert_eq!(Statement::read(&payload).unwrap().write().unwrap(), payload);
}

#[test]
fn keys_that_cannot_sign_are_refused_before_any_work() {
    let folder = folder();
    let out = folder.path().join("a.tar");
    for (name, says) in [
        ("test-only-locked", "passphrase"),
        ("test-only-p384", "ecdsa-sha2-nistp384"),
        ("test-only-p256.pub", "the private one"),
        ("README.md", "ssh-keygen"),
        ("none", "none"),
    ] {
        let all: [OsString; 5] = [example().into(), "--key".into(), key(name).into(), "-o".into(), out.clone().into()];
        bundle("make", &all).ends(2).says(says);
        assert!(!out.exists());
    }
    // What anybody can read was anybody's signature.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let own = write(&folder, "own", std::fs::read(key("test-only-ed25519")).unwrap());
        for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false), (0o400, false)] {
            std::fs::set_permissions(&own, std::fs::Permissions::from_mode(mode)).unwrap();
            let all: [OsString; 6] = [
                example().into(),
                "--key".into(),
                own.clone().into(),
                "-o".into(),
                out.clone().into(),
                "--force".into(),
            ];
            let done = bundle("make", &all);
            done.ends(0).says("SHA256:");
            assert_eq!(done.err.contains("warning"), warned, "{mode:o}: {}", done.err);
        }
        std::fs::remove_file(&out).unwrap();
    }
    // An input that cannot be read is not left out silently of what is signed.
    let bad = write(&folder, "bad.pcap", "text");
    let mut all: Vec<OsString> = vec![example().into(), bad.into(), "--key".into(), key("test-only-ed25519").into()];
    all.extend(["-o".into(), out.clone().into()]);
    bundle("make", &all).ends(2).says("bad.pcap").says("nothing was signed");
    assert!(!out.exists());
    // What the verifier got wrong is no fault of the bundle.
    let path = make(&folder, "b.tar", "test-only-ed25519", &[]);
    let before = std::fs::read(&path).unwrap();
    let all: [OsString; 5] = [
        example().into(),
        "--key".into(),
        key("test-only-ed25519").into(),
        "-o".into(),
        path.clone().into(),
    ];
    bundle("make", &all).ends(2).says("--force");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    verify(&path, "test-only-ed25519", &[]).ends(2).says("the public one");
    verify(&path, "README.md", &[]).ends(2).says("line 3");
    verify(&path, "none.pub", &[]).ends(2);
    verify(&folder.path().join("none.tar"), "test-only-ed25519.pub", &[]).ends(2);
    verify(folder.path(), "test-only-ed25519.pub", &[]).ends(2).says("folder");
    verify(&path, "test-only-ed25519.pub", &["-".into()]).ends(2).says("standard input");
}
