//! Who can be linked to whom, drawn: clients on the left, what they carried on the right, a picture for each observer.
//!
//! Everything stands where its name sorts it, so that the same audit gives the same picture. It refuses to draw more than can
//! be read: beyond [`MOST`] rows the list above and `--links` tell the rest.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use farshore_model::Audit;

use crate::findings::{Group, count, groups, name, observer};

/// Rows of one picture.
const MOST: usize = 60;
/// Pictures.
const PICTURES: usize = 8;
/// Height of a row; the width of the picture; where the lines between the two columns begin and end.
const ROW: usize = 24;
const WIDTH: usize = 960;
const LEFT: usize = 380;
const RIGHT: usize = 640;

/// The section; nothing where nobody is linked.
pub(super) fn section(audit: &Audit) -> Markup {
    let groups = groups(audit);
    let mut observers: Vec<(String, Vec<&Group<'_>>)> = Vec::new();
    for it in &groups {
        let observer = observer(it);
        match observers.last_mut() {
            Some((last, all)) if *last == observer => all.push(it),
            _ => observers.push((observer, vec![it])),
        }
    }
    html! {
        @if !observers.is_empty() {
            section id="links" {
                h2 { "Linked" }
                p.gloss { "Who carried the same identifier where one observer can read it. To that observer they are of one room, or one and the same device." }
                @for (observer, groups) in observers.iter().take(PICTURES) { (picture(observer, groups)) }
                @if observers.len() > PICTURES { p.more { "… and " (observers.len().saturating_sub(PICTURES)) " more observers, with " code { "--format json" } "." } }
            }
        }
    }
}

fn picture(observer: &str, groups: &[&Group<'_>]) -> Markup {
    let clients: BTreeSet<&str> = groups.iter().flat_map(|it| it.clients.keys().copied()).collect();
    let rows = clients.len().max(groups.len());
    let height = rows.min(MOST).saturating_add(1).saturating_mul(ROW);
    let places: BTreeMap<&str, usize> = clients
        .iter()
        .take(MOST)
        .enumerate()
        .map(|(at, it)| (*it, y(at, clients.len(), rows)))
        .collect();
    let told = format!(
        "{observer} can link {} by {}",
        count(clients.len(), "client"),
        count(groups.len(), "identifier")
    );
    html! {
        figure.links {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(told) {
                @for (at, group) in groups.iter().take(MOST).enumerate() {
                    @let to = y(at, groups.len(), rows);
                    @for client in group.clients.keys() {
                        @if let Some(from) = places.get(client) {
                            path d=(format!("M{LEFT} {from}C{} {from} {} {to} {RIGHT} {to}", mid(1), mid(2))) {}
                        }
                    }
                    circle.by cx=(RIGHT) cy=(to) r="5" {}
                    text x=(RIGHT.saturating_add(12)) y=(to.saturating_add(5)) { (name(&group.by)) " (" (count(group.anonymity_set, "client")) ")" }
                }
                @for (client, at) in &places {
                    circle cx=(LEFT) cy=(at) r="5" {}
                    text.client x=(LEFT.saturating_sub(12)) y=(at.saturating_add(5)) { (name(client)) }
                }
            }
            figcaption {
                (told)
                @if clients.len().max(groups.len()) > MOST { "; the first " (MOST) " are drawn" }
            }
        }
    }
}

/// A column with fewer rows than the other spreads over the same height.
fn y(at: usize, of: usize, rows: usize) -> usize {
    let (of, rows) = (of.clamp(1, MOST), rows.clamp(1, MOST));
    let step = rows.saturating_mul(ROW) / of;
    at.saturating_mul(step).saturating_add(step / 2).saturating_add(ROW / 2)
}

/// Where a line bends.
fn mid(part: usize) -> usize {
    LEFT.saturating_add(RIGHT.saturating_sub(LEFT).saturating_mul(part) / 3)
}
