//! What others say against what was found, in their words. Refuses to weigh it.

use std::fmt::Write;

use farshore_model::{Audit, Reply, Verdict};

use super::phrase::{long, name, some};
use super::{Item, Part, Tone};
use crate::escape::visible_within;

/// Words are somebody's: they are cut where they are a speech.
const STATEMENT: usize = 1000;

/// Replies to a verdict.
pub fn replies(audit: &Audit, verdict: &Verdict) -> Vec<String> {
    let is_it = |index: &usize| audit.verdicts.get(*index).is_some_and(|it| std::ptr::eq(it, verdict));
    let all = audit.replies.iter().flatten().filter(|it| it.verdicts.iter().any(is_it));
    all.map(|it| format!("reply of {}", words(it))).collect()
}

/// Replies that stand beside no verdict: to what was found of a destination, or to nothing here.
pub fn other_replies(audit: &Audit) -> Part {
    // Somebody handed them in one by one: none may go missing from an output.
    let all = audit.replies.iter().flatten().filter(|it| it.verdicts.is_empty());
    let items: Vec<Item> = all.map(|it| item(audit, it)).collect();
    Part { total: items.len(), items }
}

fn item(audit: &Audit, it: &Reply) -> Item {
    if it.fits_nothing() {
        let about = [&it.pack, &it.clause, &it.subject].into_iter().flatten().map(|it| name(it));
        let about = about.collect::<Vec<_>>().join(", ");
        return Item::new(Tone::Doubt, format!("{} – it fits nothing here ({about})", words(it)));
    }
    let names = it.destinations.iter().filter_map(|index| audit.destinations.get(*index));
    let names: Vec<String> = names.map(|it| name(&it.name)).collect();
    Item::new(Tone::Plain, format!("{} – of {}", words(it), some(&names, 3)))
}

/// `Agora, 2021-02-13: “We store none.” (https://…)`.
fn words(it: &Reply) -> String {
    let mut text = format!("{}, {}: “{}”", name(&it.by), it.date, visible_within(&it.statement, STATEMENT));
    if let Some(source) = &it.source {
        let _ = write!(text, " ({})", long(source));
    }
    text
}
