//! An audit as findings in plain words, in the order a reader needs them: what was seen, what is inferred from it,
//! what was not seen, and what was judged. The terminal and the page tell the same story from here.
//!
//! All text in it is already visible (see [`crate::escape`]) and cut to a length. It refuses to add a judgement, and
//! to say of a state that it reads or receives.

mod found;
mod inferred;
mod judged;
mod linked;
mod matters;
mod phrase;
mod replied;
mod seen;
mod told;
mod unseen;

pub use found::{argued, design};
pub use inferred::{claimed_and_out, laws, of as destination, organisation, owner, places};
pub use judged::{baseline, judged_groups, judged_order, of as verdict, standing, tone as tone_of, waived};
pub use linked::{Group, groups, observer};
pub use matters::{About, Matter, What, locus, matters};
pub use phrase::{age, bytes, count, long, name, some};
pub use replied::{other_replies, replies};
pub use seen::{answer, is_alarming, of as exposures, tampering, worst_first};
pub use unseen::left_out;

use farshore_model::verdict::Counting;
use farshore_model::{Audit, Locus, Outcome};

/// Searches that were not made: those this version cannot make, and those that one capture gives nothing to.
pub fn not_searched(audit: &Audit) -> &'static [&'static str] {
    match (&audit.discovery, &audit.links) {
        (Some(_), Some(_)) => &[],
        (Some(_), None) => &["links"],
        (None, Some(_)) => &["identifiers"],
        (None, None) => &["identifiers", "links"],
    }
}

/// The whole story.
pub struct Story {
    /// The worst finding, in one sentence.
    pub headline: Item,
    /// What is readable on the wire, by whom.
    pub seen: Part,
    /// What nobody named and is an identifier all the same.
    pub found: Part,
    /// What was sent while nobody asked for anything.
    pub talk: Part,
    /// What is there beside what was declared.
    pub undeclared: Part,
    /// Who can be linked to whom, and which identifiers several parties were sent.
    pub linked: Part,
    /// Who receives it, where, and whose law could order whom.
    pub inferred: Part,
    /// What could not be seen, and why.
    pub unseen: Part,
    /// What was judged.
    pub judged: Part,
    /// What was waived.
    pub waived: Part,
    /// What others say, beside no verdict.
    pub replies: Part,
}

/// Items of one part, as many as any output shows, and how many there are in all.
pub struct Part {
    /// The first of them.
    pub items: Vec<Item>,
    /// All, those left out included.
    pub total: usize,
}

/// Items no output shows more of; a flow log can have millions of destinations.
const KEPT: usize = 64;

impl Part {
    /// All of them, which are few.
    pub fn all(items: impl Iterator<Item = Item>) -> Self {
        Self::of(items)
    }

    fn of(mut items: impl Iterator<Item = Item>) -> Self {
        let kept: Vec<Item> = items.by_ref().take(KEPT).collect();
        let total = kept.len().saturating_add(items.count());
        Self { items: kept, total }
    }
}

/// One finding.
pub struct Item {
    /// How it is to be taken.
    pub tone: Tone,
    /// The finding.
    pub title: String,
    /// What belongs to it.
    pub details: Vec<String>,
    /// What others say to it.
    pub replies: Vec<String>,
    /// Where it stands.
    pub frame: Option<FrameRef>,
}

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Readable, or breached.
    Bad,
    /// Not known.
    Doubt,
    /// Neither good nor bad.
    Plain,
    /// Shown to hold.
    Good,
}

/// A frame of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameRef {
    /// Index of the input.
    pub input: u32,
    /// Number of the frame, or of the row of a log.
    pub frame: u64,
}

impl FrameRef {
    /// Where a locus ends.
    pub fn of(locus: &Locus) -> Self {
        Self {
            input: locus.input.0,
            frame: locus.span.frame,
        }
    }

    /// `frame 19`; with several inputs, `second.pcap frame 19`.
    pub fn text(&self, audit: &Audit) -> String {
        let input = usize::try_from(self.input).ok().and_then(|index| audit.inputs.get(index));
        let unit = input.map_or("frame", |input| crate::v1::unit(input.format));
        match input {
            Some(input) if audit.inputs.len() > 1 => {
                format!("{} {unit} {}", crate::escape::visible_within(&input.name, 24), self.frame)
            }
            _ => format!("{unit} {}", self.frame),
        }
    }
}

impl Item {
    fn new(tone: Tone, title: impl Into<String>) -> Self {
        Self {
            tone,
            title: title.into(),
            details: vec![],
            replies: vec![],
            frame: None,
        }
    }

    fn detail(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.details.push(text);
        }
        self
    }

    fn at(mut self, frame: Option<FrameRef>) -> Self {
        self.frame = frame;
        self
    }
}

impl Story {
    /// Of an audit.
    pub fn of(audit: &Audit) -> Self {
        let told = seen::told(audit);
        let headline = headline(audit, &told);
        let mut seen: Vec<Item> = told.into_iter().map(|it| it.item).collect();
        let alarming = seen.iter().take_while(|it| it.tone == Tone::Bad).count();
        seen.splice(alarming..alarming, seen::tampering(audit));
        Self {
            headline,
            seen: Part::of(seen.into_iter()),
            found: found::part(audit),
            talk: told::talk(audit),
            undeclared: told::undeclared(audit),
            linked: linked::part(audit),
            inferred: inferred::part(audit),
            unseen: Part::of(unseen::items(audit).into_iter()),
            judged: judged::part(audit),
            waived: judged::waived(audit),
            replies: other_replies(audit),
        }
    }
}

fn headline(audit: &Audit, seen: &[seen::Told]) -> Item {
    let outcomes = |outcome| audit.verdicts.iter().filter(|it| it.counts() == Some(outcome)).count();
    let waived = audit.verdicts.iter().filter(|it| it.counting() == Counting::Waived).count();
    let breached = outcomes(Outcome::Breached);
    let judged = match (breached, outcomes(Outcome::Undetermined), outcomes(Outcome::Met)) {
        (0, 0, 0) => String::new(),
        (0, 0, met) => format!("{} met over the declared scope.", count(met, "clause")),
        (0, open, _) => format!("{} undetermined.", count(open, "clause")),
        (breached, 0, _) => format!("{} breached.", count(breached, "clause")),
        (breached, open, _) => format!("{} breached, {open} undetermined.", count(breached, "clause")),
    };
    let judged = match waived {
        0 => judged,
        some => format!("{judged} {} waived.", count(some, "clause")).trim_start().to_owned(),
    };
    let (tone, text) = match seen.first() {
        Some(worst) if worst.item.tone == Tone::Bad => (Tone::Bad, worst.sentence.clone()),
        _ if audit.anomalies.iter().any(|it| it.kind.starts_with("interference")) => {
            (Tone::Bad, "Something on the path seems to have changed what was sent.".to_owned())
        }
        _ if breached > 0 => (Tone::Bad, "A clause is breached.".to_owned()),
        _ if audit.flow_coverage.opaque > 0 => (
            Tone::Doubt,
            format!(
                "What {} {} cannot be told: the payload is in no known format.",
                count(audit.flow_coverage.opaque, "flow"),
                if audit.flow_coverage.opaque == 1 { "carries" } else { "carry" }
            ),
        ),
        Some(_) => (
            Tone::Plain,
            "No identifier was seen in the clear; host names and addresses were.".to_owned(),
        ),
        None if audit.flow_coverage.total == 0 => (Tone::Doubt, "No conversation was seen.".to_owned()),
        None if audit.flow_coverage.unknown == audit.flow_coverage.total => (
            Tone::Doubt,
            format!(
                "Who talked to whom is known of {}, by a flow log alone: what was said is not.",
                count(audit.flow_coverage.unknown, "flow")
            ),
        ),
        None => (
            Tone::Doubt,
            format!("Nothing could be read in {}.", count(audit.flow_coverage.total, "flow")),
        ),
    };
    let tampered = || {
        audit
            .anomalies
            .iter()
            .find(|it| it.kind.starts_with("interference"))?
            .evidence
            .first()
            .map(FrameRef::of)
    };
    let frame = match seen.first() {
        Some(worst) if worst.item.tone == Tone::Bad => worst.item.frame,
        _ => tampered(),
    };
    Item::new(tone, text).detail(judged).at(frame.filter(|_| tone == Tone::Bad))
}
