//! What `deny.toml` asks of the crates that a build takes in: licences, sources, crates that may not be there, versions that come twice. It
//! owns the part of that file which needs no list of advisories, for machines without cargo-deny, and refuses to fetch anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use crate::tidy::root;

/// Runs all checks and prints what is broken.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = root();
    let rules: Rules = toml::from_str(&fs::read_to_string(root.join("deny.toml"))?).context("deny.toml")?;
    let tree = Tree::of(&root, &rules.graph.targets)?;
    let broken = broken(&rules, &tree);
    for line in &broken {
        eprintln!("{line}");
    }
    anyhow::ensure!(broken.is_empty(), "{} rules of deny.toml broken", broken.len());
    println!("licences: {} crates, all as deny.toml says", tree.packages.len());
    Ok(())
}

/// What of `deny.toml` is read here.
#[derive(Debug, Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    skip: Vec<Named>,
    deny: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    /// `name`, or `name@version`, of which the first numbers are enough.
    #[serde(rename = "crate")]
    name: String,
    /// Who alone may depend on it.
    #[serde(default)]
    wrappers: Vec<String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// What `cargo metadata` tells.
#[derive(Debug, Deserialize)]
struct Tree {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Tree {
    fn of(root: &Path, targets: &[String]) -> anyhow::Result<Self> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(root)
            .args(["metadata", "--format-version", "1", "--locked", "--offline"]);
        for target in targets {
            cargo.args(["--filter-platform", target]);
        }
        let told = cargo.output().context("cargo metadata")?;
        anyhow::ensure!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
        Ok(serde_json::from_slice(&told.stdout)?)
    }
}

/// Every rule that something in the tree breaks.
fn broken(rules: &Rules, tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let allowed: BTreeSet<&str> = rules.licenses.allow.iter().map(String::as_str).collect();
    let mut met = BTreeSet::new();
    for it in &tree.packages {
        let Package { name, version, .. } = it;
        let words = it.license.as_deref().unwrap_or_default();
        match Terms::of(words).either() {
            Some(terms) if terms.iter().any(|all| all.iter().all(|one| allowed.contains(one.as_str()))) => {
                met.extend(terms.into_iter().flatten());
            }
            Some(_) => broken.push(format!(
                "{name} {version}: its licence is `{words}`, and [licenses] allows none of that"
            )),
            None => broken.push(format!("{name} {version}: its licence cannot be read: `{words}`")),
        }
        let registry = it.source.as_deref().map(|it| it.strip_prefix("registry+").unwrap_or(it));
        if let Some(source) = registry.filter(|source| !rules.sources.allow_registry.iter().any(|it| it == source)) {
            broken.push(format!("{name} {version}: comes from {source}, which [sources] does not allow"));
        }
        let wild = it
            .dependencies
            .iter()
            .filter(|it2| it2.req == "*" && it2.path.is_none() && it.source.is_none());
        broken.extend(wild.map(|it| format!("{name} {version}: takes any version of {}", it.name)));
    }
    let unmet = allowed.iter().filter(|it| !met.contains(**it));
    broken.extend(unmet.map(|it| format!("[licenses]: `{it}` is allowed, and nothing in the tree has it")));
    broken.extend(banned(rules, tree));
    broken.extend(twice(rules, tree));
    broken
}

/// Crates that may not be there, or not for those who depend on them.
fn banned(rules: &Rules, tree: &Tree) -> Vec<String> {
    let names: BTreeMap<&str, &str> = tree.packages.iter().map(|it| (it.id.as_str(), it.name.as_str())).collect();
    let mut broken = Vec::new();
    for ban in &rules.bans.deny {
        for it in tree.packages.iter().filter(|it| ban.is(it)) {
            let above = tree.resolve.nodes.iter().filter(|node| node.dependencies.contains(&it.id));
            let above: BTreeSet<&str> = above.filter_map(|node| names.get(node.id.as_str()).copied()).collect();
            let others: Vec<&str> = above.into_iter().filter(|name| !ban.wrappers.iter().any(|it| it == name)).collect();
            if ban.wrappers.is_empty() || !others.is_empty() {
                broken.push(format!("{} {}, for {}: {}", it.name, it.version, others.join(", "), ban.reason));
            }
        }
    }
    broken
}

/// Crates that come in several versions.
fn twice(rules: &Rules, tree: &Tree) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for it in tree.packages.iter().filter(|it| !rules.bans.skip.iter().any(|skip| skip.is(it))) {
        versions.entry(&it.name).or_default().insert(&it.version);
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several
        .map(|(name, versions)| {
            format!(
                "{name} comes in several versions: {}",
                versions.into_iter().collect::<Vec<_>>().join(", ")
            )
        })
        .collect()
}

impl Named {
    fn is(&self, package: &Package) -> bool {
        let (name, version) = self.name.split_once('@').unwrap_or((&self.name, ""));
        let rest = package.version.strip_prefix(version);
        name == package.name && rest.is_some_and(|rest| version.is_empty() || rest.is_empty() || rest.starts_with('.'))
    }
}

/// An expression of SPDX (annex D of its specification 2.3), word by word.
struct Terms {
    words: Vec<String>,
    at: usize,
}

/// Licences of which one list is enough, all of it.
type Ways = Vec<Vec<String>>;

impl Terms {
    fn of(text: &str) -> Self {
        // Before SPDX was asked for, a slash stood for OR.
        let text = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        Self {
            words: text.split_whitespace().map(str::to_owned).collect(),
            at: 0,
        }
    }

    /// The whole of it.
    fn either(mut self) -> Option<Ways> {
        let ways = self.any()?;
        (self.at == self.words.len()).then_some(ways)
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.words.get(self.at).is_some_and(|it| it == word);
        self.at += usize::from(there);
        there
    }

    fn any(&mut self) -> Option<Ways> {
        let mut ways = self.all()?;
        while self.take("OR") {
            ways.extend(self.all()?);
        }
        Some(ways)
    }

    fn all(&mut self) -> Option<Ways> {
        let mut ways = self.one()?;
        while self.take("AND") {
            let more = self.one()?;
            let both = ways
                .iter()
                .flat_map(|one| more.iter().map(move |other| [&one[..], &other[..]].concat()));
            ways = both.collect();
        }
        Some(ways)
    }

    fn one(&mut self) -> Option<Ways> {
        if self.take("(") {
            let ways = self.any()?;
            return self.take(")").then_some(ways);
        }
        let name = self
            .words
            .get(self.at)
            .filter(|it| !matches!(it.as_str(), "AND" | "OR" | "WITH" | "(" | ")"))?;
        let mut name = name.clone();
        self.at += 1;
        if self.take("WITH") {
            let exception = self.words.get(self.at)?;
            name = format!("{name} WITH {exception}");
            self.at += 1;
        }
        Some(vec![vec![name]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(text: &str) -> Option<Vec<String>> {
        Some(Terms::of(text).either()?.into_iter().map(|all| all.join("+")).collect())
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let read = |text: &str| ways(text).unwrap().join(" ");
        assert_eq!(read("MIT"), "MIT");
        assert_eq!(read("MIT/Apache-2.0"), "MIT Apache-2.0");
        assert_eq!(read("A OR B AND C"), "A B+C");
        assert_eq!(read("(A OR B) AND C"), "A+C B+C");
        assert_eq!(read("A WITH e OR B"), "A WITH e B");
        for text in ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "AND", "A WITH"] {
            assert_eq!(ways(text), None, "{text}");
        }
    }

    const RULES: &str = r#"
        graph.targets = []
        licenses.allow = ["MIT", "ISC"]
        sources.allow-registry = ["https://a.example/index"]
        [bans]
        skip = [{ crate = "syn@2", reason = "" }]
        deny = [{ crate = "tokio", reason = "too much" }, { crate = "zstd", wrappers = ["ours"], reason = "C" }]
    "#;

    fn package(id: &str, licence: &str) -> String {
        let (name, version) = id.split_once(' ').unwrap();
        format!(
            r#"{{"id": "{id}", "name": "{name}", "version": "{version}", "license": {licence}, "source": "registry+https://a.example/index", "dependencies": []}}"#
        )
    }

    fn told(packages: &[String], nodes: &str) -> Vec<String> {
        let ours = r#"{"id": "ours 1", "name": "ours", "version": "1", "license": "MIT OR ISC", "source": null,
            "dependencies": [{"name": "near", "req": "*", "path": "/near"}, {"name": "far", "req": "^1", "path": null}]}"#;
        let packages: Vec<&str> = std::iter::once(ours).chain(packages.iter().map(String::as_str)).collect();
        let text = format!(r#"{{"packages": [{}], "resolve": {{"nodes": [{nodes}]}}}}"#, packages.join(","));
        broken(&toml::from_str(RULES).unwrap(), &serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn what_is_as_it_should_be_breaks_nothing() {
        let packages = [
            package("a 1.0.0", r#""MIT""#),
            package("syn 2.0.1", r#""MIT""#),
            package("syn 3.0.0", r#""MIT""#),
            package("zstd 1.0.0", r#""MIT""#),
        ];
        let nodes = r#"{"id": "ours 1", "dependencies": ["zstd 1.0.0"]}"#;
        assert_eq!(told(&packages, nodes), [""; 0]);
    }

    #[test]
    fn every_rule_can_be_broken() {
        for (id, licence, says) in [
            ("a 1.0.0", r#""GPL-3.0-only""#, "allows none of that"),
            ("a 1.0.0", r#""MIT AND GPL-3.0-only""#, "allows none of that"),
            ("a 1.0.0", "null", "cannot be read"),
            ("tokio 1.0.0", r#""MIT""#, "too much"),
        ] {
            let broken = told(&[package(id, licence)], "");
            assert!(broken.len() == 1 && broken[0].contains(says), "{broken:?}");
        }
        let elsewhere = package("a 1.0.0", r#""MIT""#).replace("a.example", "b.example");
        assert!(told(&[elsewhere], "")[0].contains("b.example"));
        let git = package("a 1.0.0", r#""MIT""#).replace("registry+https://a.example/index", "git+https://a.example/a");
        assert!(told(&[git], "")[0].contains("git+"));
        let two = [package("a 1.0.0", r#""MIT""#), package("a 2.0.0", r#""MIT""#)];
        assert_eq!(told(&two, ""), ["a comes in several versions: 1.0.0, 2.0.0"]);
        let used = [package("zstd 1.0.0", r#""MIT""#), package("other 1.0.0", r#""MIT""#)];
        let broken = told(&used, r#"{"id": "other 1.0.0", "dependencies": ["zstd 1.0.0"]}"#);
        assert_eq!(broken, ["zstd 1.0.0, for other: C"]);
        let wild = package("a 1.0.0", r#""MIT""#).replace(
            r#""registry+https://a.example/index", "dependencies": []"#,
            r#"null, "dependencies": [{"name": "b", "req": "*", "path": null}]"#,
        );
        assert_eq!(told(&[wild], ""), ["a 1.0.0: takes any version of b"]);
        let rules = RULES.replace("\"ISC\"", "\"ISC\", \"Zlib\"");
        let nothing = serde_json::from_str(r#"{"packages": [], "resolve": {"nodes": []}}"#).unwrap();
        assert_eq!(broken_of(&rules, &nothing).len(), 3);
    }

    fn broken_of(rules: &str, tree: &Tree) -> Vec<String> {
        broken(&toml::from_str(rules).unwrap(), tree)
    }
}
