//! The answer of `check` for people who meet it in a log: what is breached or could not be told, each with its words and its
//! frame, what fails first; then the counts. It refuses to show what holds: that is only counted.
//!
//! A log of a CI service obeys lines that look like its commands, so what comes from the wire cannot make one.

use std::io::{Result, Write};

use farshore_model::verdict::Counting;
use farshore_model::{Audit, Outcome, Verdict};

use crate::escape;
use crate::findings::{baseline, count, judged_order, long, matters, name, other_replies, replies, some, standing, waived};
use crate::terminal::{Ink, REPLIES, Screen};
use crate::{Options, Output};

/// Lines a clause takes for what stands against it.
const SHOWN: usize = 6;

/// `check`: what `farshore check` prints.
pub struct Check;

impl Output for Check {
    fn id(&self) -> &'static str {
        "check"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut text = Vec::new();
        write(audit, options, &mut text)?;
        let text = String::from_utf8(text).map_err(std::io::Error::other)?;
        text.lines().try_for_each(|line| writeln!(out, "{}", escape::unobeyed(line)))
    }
}

fn write(audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
    let mut screen = Screen::new(audit, options, out);
    screen.top()?;
    for it in judged_order(audit) {
        clause(audit, it, &mut screen)?;
    }
    screen.part(
        "Waived",
        "accepted by somebody until a day, and not met",
        &waived(audit),
        usize::MAX,
    )?;
    screen.part(REPLIES.0, REPLIES.1, &other_replies(audit), usize::MAX)?;
    for (index, told) in baseline(audit).iter().enumerate() {
        screen.wrapped(if index == 0 { "\n" } else { "" }, "", told, None, None)?;
    }
    screen.wrapped("\n", "", &Tally::of(audit).sentence(), None, Some(Ink::Bold))?;
    let open = || audit.verdicts.iter().filter(|it| it.counts() == Some(Outcome::Undetermined));
    let mut wanted: Vec<&str> = Vec::new();
    for it in open().flat_map(|it| &it.settled_by) {
        if !wanted.contains(&&**it) {
            wanted.push(it);
        }
    }
    if !wanted.is_empty() {
        screen.wrapped("", "", "What is undetermined would be settled by:", None, None)?;
        for it in wanted {
            screen.wrapped("- ", "  ", &long(it), None, None)?;
        }
    }
    Ok(())
}

fn clause(audit: &Audit, it: &Verdict, screen: &mut Screen<'_>) -> Result<()> {
    let (mark, ink) = match it.counting() {
        Counting::As(Outcome::Breached) => ("! ", Some(Ink::Red)),
        Counting::As(Outcome::Undetermined) => ("? ", Some(Ink::Yellow)),
        Counting::Note | Counting::Waived | Counting::Before => ("· ", None),
        Counting::As(_) => return Ok(()),
    };
    let title = if it.title.is_empty() {
        String::new()
    } else {
        format!(": {}", long(&it.title))
    };
    let lead = format!("\n{}", screen.painted(mark, ink));
    let head = format!("{} {}/{}{title}", standing(it), name(&it.pack), name(&it.clause));
    screen.wrapped(&lead, "    ", &head, None, Some(Ink::Bold))?;
    screen.wrapped("    ", "    ", &long(&it.citation), None, Some(Ink::Dim))?;
    screen.wrapped("    ", "    ", &long(&it.because), None, None)?;
    for reply in replies(audit, it) {
        screen.wrapped("    ", "    ", &reply, None, None)?;
    }
    let mut matters = matters(audit, it);
    matters.retain(|it| it.about.counts());
    for matter in matters.iter().take(SHOWN) {
        // What the capture does not show has been said: it is the reason of the clause.
        if !matter.is_coverage() {
            let item = matter.item(audit, it);
            let doubt = match matter.about.outcome {
                Outcome::Undetermined if it.outcome == Outcome::Breached => "cannot tell: ",
                _ => "",
            };
            let frame = item.frame.map(|frame| frame.text(audit));
            screen.wrapped("    - ", "      ", &format!("{doubt}{}", item.title), frame, None)?;
        }
    }
    match matters.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        rest => screen.wrapped(
            "    - ",
            "      ",
            &format!("… and {rest} more: --format json"),
            None,
            Some(Ink::Dim),
        ),
    }
}

/// How many clauses came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) breached: usize,
    pub(crate) undetermined: usize,
    pub(crate) met: usize,
    pub(crate) not_applicable: usize,
    pub(crate) waived: usize,
    pub(crate) before: usize,
    pub(crate) notes: usize,
}

impl Tally {
    pub(crate) fn of(audit: &Audit) -> Self {
        let mut sum = Self::default();
        for it in &audit.verdicts {
            let part = match it.counting() {
                Counting::Note => &mut sum.notes,
                Counting::Waived => &mut sum.waived,
                Counting::Before => &mut sum.before,
                Counting::As(Outcome::Breached) => &mut sum.breached,
                Counting::As(Outcome::Undetermined) => &mut sum.undetermined,
                Counting::As(Outcome::Met) => &mut sum.met,
                Counting::As(Outcome::NotApplicable) => &mut sum.not_applicable,
            };
            *part = part.saturating_add(1);
        }
        sum
    }

    /// `3 clauses: 1 breached, 2 undetermined, 0 met.`
    pub(crate) fn sentence(self) -> String {
        let all = [
            self.breached,
            self.undetermined,
            self.met,
            self.waived,
            self.before,
            self.not_applicable,
            self.notes,
        ];
        let parts = [
            format!("{} breached", self.breached),
            format!("{} undetermined", self.undetermined),
            format!("{} met", self.met),
        ];
        let more = [
            (self.waived, "waived"),
            (self.before, "as before"),
            (self.not_applicable, "not applicable"),
            (self.notes, if self.notes == 1 { "note" } else { "notes" }),
        ];
        let more = more.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> = parts
            .into_iter()
            .chain(more.map(|(number, word)| format!("{number} {word}")))
            .collect();
        let all = all.iter().fold(0_usize, |sum, it| sum.saturating_add(*it));
        format!("{}: {}.", count(all, "clause"), some(&parts, parts.len()))
    }
}
