//! The walls between the crates: only the edges drawn in ARCHITECTURE.md may exist, and each must be in use.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Who may depend on whom. Any other edge needs a page in `docs/decisions/`.
const EDGES: &[(&str, &[&str])] = &[
    ("farshore-model", &[]),
    ("farshore-wire", &["farshore-model"]),
    ("farshore-sources", &["farshore-model"]),
    ("farshore-audit", &["farshore-model"]),
    ("farshore-report", &["farshore-model"]),
    (
        "farshore",
        &["farshore-audit", "farshore-model", "farshore-sources", "farshore-wire"],
    ),
    ("farshore-cli", &["farshore", "farshore-report"]),
    ("farshore-lab", &[]),
];

/// Crates that tests may lean on although no program may.
const FOR_TESTS: &[&str] = &["farshore-lab"];

/// All crates under `crates/`, with their manifests, sorted.
pub(super) fn crates(root: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(root.join("crates"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), manifest))
        })
        .collect();
    found.sort();
    found
}

/// Everything about the walls that is broken.
pub(super) fn check(root: &Path) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut broken = Vec::new();
    for (name, manifest) in crates(root) {
        let Some(edges) = allowed.get(name.as_str()) else {
            broken.push(format!("crates/{name}: a crate that no drawing has; see ARCHITECTURE.md"));
            continue;
        };
        let text = sources(&root.join("crates").join(&name));
        for (section, dependency) in dependencies(&manifest) {
            let tests = section == "dev-dependencies" && (FOR_TESTS.contains(&dependency.as_str()) || edges.contains(&dependency.as_str()));
            if !tests && !edges.contains(&dependency.as_str()) {
                broken.push(format!("crates/{name}: [{section}] {dependency}: this edge is not in the drawing"));
            }
            let path = format!("{}::", dependency.replace('-', "_"));
            if section == "dependencies" && !text.contains(&path) {
                broken.push(format!("crates/{name}: depends on {dependency} and uses no public item of it"));
            }
        }
    }
    broken
}

/// The crates of ours that a manifest names, with the section they stand in.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies")
            && let Some(name) = line.split(['=', '.', ' ']).next()
            && (name == "farshore" || name.starts_with("farshore-"))
        {
            found.push((section.clone(), name.to_owned()));
        }
    }
    found
}

fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap_or_default());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_read_from_manifests() {
        let manifest = "[package]\nname = \"farshore-x\"\n[dependencies]\nfarshore-wire = { workspace = true }\nserde.workspace = true\n[dev-dependencies]\nfarshore-lab = \"1\"\n";
        let expected = [("dependencies", "farshore-wire"), ("dev-dependencies", "farshore-lab")];
        assert_eq!(dependencies(manifest), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
