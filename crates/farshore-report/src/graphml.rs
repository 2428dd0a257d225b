//! Links as GraphML (graphml.graphdrawing.org), for programs that draw and measure graphs: clients and identifiers are nodes,
//! and an edge says which observer can tell that a client carried an identifier.
//!
//! Node and edge ids count, so that the same audit gives the same bytes. All text is made visible and escaped; it refuses
//! values: identifiers have their numbers.

use std::collections::BTreeMap;
use std::io::{Result, Write};

use farshore_model::Audit;

use crate::escape;
use crate::findings::{Group, groups};
use crate::words::Word;

/// Keys of what nodes and edges are told with.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("kind", "node", "kind", "string"),
    ("name", "node", "name", "string"),
    ("observer", "edge", "observer", "string"),
    ("party", "edge", "party", "string"),
    ("set", "edge", "anonymity_set", "int"),
    ("input", "edge", "input", "int"),
    ("frame", "edge", "frame", "long"),
];

/// Writes the links of an audit.
pub fn render(audit: &Audit, out: &mut dyn Write) -> Result<()> {
    let groups = groups(audit);
    let mut nodes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for it in &groups {
        for name in it.clients.keys() {
            nodes.insert(("client", name), 0);
        }
        nodes.insert(("identifier", &it.by), 0);
    }
    for (number, id) in (1..).zip(nodes.values_mut()) {
        *id = number;
    }
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<graphml xmlns="http://graphml.graphdrawing.org/xmlns">"#)?;
    for (id, of, name, kind) in KEYS {
        writeln!(out, r#"  <key id="{id}" for="{of}" attr.name="{name}" attr.type="{kind}"/>"#)?;
    }
    writeln!(out, r#"  <graph id="links" edgedefault="undirected">"#)?;
    for ((kind, name), id) in &nodes {
        writeln!(
            out,
            r#"    <node id="n{id}"><data key="kind">{kind}</data><data key="name">{}</data></node>"#,
            text(name)
        )?;
    }
    let mut edges = 0_u64;
    for it in &groups {
        edge(it, &nodes, &mut edges, out)?;
    }
    writeln!(out, "  </graph>\n</graphml>")
}

fn edge(it: &Group<'_>, nodes: &BTreeMap<(&str, &str), usize>, edges: &mut u64, out: &mut dyn Write) -> Result<()> {
    let node = |kind: &'static str, name: &str| nodes.get(&(kind, name)).copied().unwrap_or_default();
    for (client, at) in &it.clients {
        *edges = edges.saturating_add(1);
        write!(
            out,
            r#"    <edge id="e{edges}" source="n{}" target="n{}"><data key="observer">{}</data><data key="party">{}</data><data key="set">{}</data>"#,
            node("client", client),
            node("identifier", &it.by),
            it.observer.word(),
            text(it.party),
            it.anonymity_set
        )?;
        if let Some(at) = at {
            write!(out, r#"<data key="input">{}</data><data key="frame">{}</data>"#, at.input, at.frame)?;
        }
        writeln!(out, "</edge>")?;
    }
    Ok(())
}

/// As it may stand in markup.
fn text(it: &str) -> String {
    escape::visible(it)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
