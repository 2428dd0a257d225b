//! The rules of the house that no compiler checks. Each says what it protects and where it was broken.

mod walls;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs all checks and prints what is broken.
pub(crate) fn run() -> anyhow::Result<()> {
    let broken = check(&root());
    for line in &broken {
        eprintln!("{line}");
    }
    anyhow::ensure!(broken.is_empty(), "{} rules broken", broken.len());
    println!("tidy: nothing to say");
    Ok(())
}

/// Everything that is broken under `root`.
fn check(root: &Path) -> Vec<String> {
    let files = sources(root);
    let mut broken = walls::check(root);
    for path in &files {
        let text = fs::read_to_string(path).unwrap_or_default();
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        broken.extend(opening(&name, &text));
        broken.extend(edge(&name, &text));
    }
    broken.extend(code_map(root));
    broken.extend(strangers(root));
    broken
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_path_buf()
}

/// All Rust files of the crates and of xtask, sorted.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A stranger who opens a file reads first what it owns and what it refuses.
fn opening(name: &str, text: &str) -> Option<String> {
    (!text.starts_with("//!")).then(|| format!("{name}: opens without `//!`: say what the file owns and what it refuses"))
}

/// Crates that compute and nothing else.
const CORE: &[&str] = &[
    "crates/farshore-model/src",
    "crates/farshore-wire/src",
    "crates/farshore-sources/src",
    "crates/farshore-audit/src",
    "crates/farshore-report/src",
    "crates/farshore/src",
];

/// What they must not name: the clock, files, sockets, the environment, processes, the terminal.
const OUTSIDE: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "std::fs",
    "File::open",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env::",
    "env::var",
    "std::process",
    "Command::new",
    "println!",
    "eprintln!",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
];

/// I/O, clock, sockets and environment live at the edge: a core crate gives the same answer everywhere.
fn edge(name: &str, text: &str) -> Vec<String> {
    let path = name.replace('\\', "/");
    if !CORE.iter().any(|core| path.starts_with(core)) || path.ends_with("tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    // Unit tests close a file; they may do as they like.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|(number, line)| OUTSIDE.iter().filter(|word| line.contains(**word)).map(move |word| (number, *word)))
        .map(|(number, word)| format!("{name}:{}: a core crate names `{word}`; the edge passes such things in", number + 1))
        .collect()
}

/// All that stands at the root and is handed on.
const AT_ROOT: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "NOTICE",
    "README.md",
    "SECURITY.md",
    "THREAT_MODEL.md",
    "benches",
    "changelog.d",
    "corpus",
    "crates",
    "deny.toml",
    "docs",
    "examples",
    "fuzz",
    "packs",
    "rustfmt.toml",
    "xtask",
];

/// An output that somebody wrote beside the README, and kept by accident, is found here and not by a stranger: twenty megabytes
/// of a report named `-` were once. Where git does not know the tree there is nothing to ask.
fn strangers(root: &Path) -> Vec<String> {
    let listed = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output();
    listed.map_or_else(|_| Vec::new(), |it| strange(&String::from_utf8_lossy(&it.stdout)))
}

/// Of paths that are handed on, each ended by a zero byte.
fn strange(paths: &str) -> Vec<String> {
    let tops: BTreeSet<&str> = paths.split_terminator('\0').filter_map(|it| it.split('/').next()).collect();
    let strange = tops.iter().filter(|it| !AT_ROOT.contains(it));
    strange
        .map(|it| format!("{it}: stands at the root and is not among what belongs there (`AT_ROOT`)"))
        .collect()
}

/// The code map in ARCHITECTURE.md names exactly the crates there are.
fn code_map(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let crates: Vec<String> = walls::crates(root).into_iter().map(|(name, _)| name).collect();
    let missing = crates.iter().filter(|name| !text.contains(&format!("crates/{name}/")));
    let mut broken: Vec<String> = missing
        .map(|name| format!("ARCHITECTURE.md: crates/{name}/ stands in the tree and not in the code map"))
        .collect();
    for word in text.split(|c: char| c.is_whitespace() || c == '`') {
        if let Some(name) = word.strip_prefix("crates/").and_then(|it| it.split('/').next())
            && !name.is_empty()
            && !crates.iter().any(|it| it == name)
        {
            broken.push(format!(
                "ARCHITECTURE.md: crates/{name}/ stands in the code map and not in the tree"
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let broken = check(&root());
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn the_checks_can_fail() {
        assert!(opening("a.rs", "fn main() {}").is_some());
        assert_eq!(edge("crates/farshore-wire/src/a.rs", "//! x\nuse std::fs;\n").len(), 1);
        assert_eq!(edge("crates/farshore-cli/src/a.rs", "//! x\nuse std::fs;\n").len(), 0);
        assert_eq!(edge("crates/farshore-wire/src/a/tests/b.rs", "//! x\nuse std::fs;\n").len(), 0);
        assert_eq!(strange("README.md\0crates/a/-\0-\0out.json\0").len(), 2);
        assert_eq!(edge("crates/farshore-wire/src/a.rs", "//! x\n// std::fs is not used\n").len(), 0);
    }
}
