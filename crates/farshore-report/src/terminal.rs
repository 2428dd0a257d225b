//! The audit on a screen: a headline, what was seen, what is inferred, what was not seen, what was judged.
//!
//! It reads as a finding, not as a log; each finding ends with its frame. It refuses to fill the screen: long lists are
//! cut and say so. Colour is five codes of its own; no other control code leaves it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{Result, Write};

use farshore_model::{Audit, Outcome};

use crate::escape::{columns, visible_within};
use crate::findings::{Item, Part, Story, Tone, argued, bytes, count, design, left_out, some};
use crate::words::Word;
use crate::{Options, Output};

/// Narrower than this nothing can be read; wider than that no sentence can.
const WIDTHS: (usize, usize) = (40, 120);

/// Clauses that have a line of their own.
const JUDGED: usize = 6;
/// The head of what others say, and what is to be thought of it.
pub(crate) const REPLIES: (&str, &str) = ("Replies", "what others say, in their words; nothing was weighed by it");

/// `terminal`.
pub struct Terminal;

impl Output for Terminal {
    fn id(&self) -> &'static str {
        "terminal"
    }

    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let story = Story::of(audit);
        let mut screen = Screen::new(audit, options, out);
        screen.top()?;
        screen.headline(&story.headline)?;
        screen.part("Seen", "on the wire, and who can read it", &story.seen, 5)?;
        screen.part("Found", "identifiers that nobody named", &story.found, 5)?;
        screen.part(
            "Unasked",
            "sent in a state other than active, as inputs are labelled",
            &story.talk,
            4,
        )?;
        screen.part("Undeclared", "there, and not in the declaration", &story.undeclared, 3)?;
        if story.linked.total > 0 {
            screen.part("Linked", "who carried the same identifier, and to whom", &story.linked, 3)?;
        }
        screen.part("Inferred", "who receives it; claims, not proof", &story.inferred, 4)?;
        screen.part("Not seen", "and so neither good nor bad", &story.unseen, 8)?;
        // What somebody replied to is shown with the reply.
        let replied = story.judged.items.iter().rposition(|it| !it.replies.is_empty());
        let most = replied.map_or(JUDGED, |last| JUDGED.max(last + 1));
        screen.part("Judged", "", &story.judged, most)?;
        screen.remaining_verdicts(most)?;
        screen.part(
            "Waived",
            "accepted by somebody until a day, and not met",
            &story.waived,
            story.waived.total,
        )?;
        screen.part(REPLIES.0, REPLIES.1, &story.replies, usize::MAX)?;
        screen.sections(options)
    }
}

/// The screen of `discover`: what was compared, what was found, and how sure it is.
pub fn discovery(audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()> {
    let mut screen = Screen::new(audit, options, out);
    screen.top()?;
    let design = Part::all(audit.discovery.iter().flat_map(design).chain(left_out(audit)));
    screen.part("Compared", "what these captures could show", &design, design.total)?;
    let found = argued(audit);
    match found.total {
        0 => screen.wrapped(
            "\n",
            "",
            "No identifier was found that these captures could show to be one.",
            None,
            Some(Ink::Bold),
        ),
        _ => screen.part("Found", "identifiers that nobody named", &found, 40),
    }
}

/// The apps that sent something, as far as the captures tell, the busiest first.
fn apps(audit: &Audit) -> Vec<String> {
    let mut flows: BTreeMap<&str, u64> = BTreeMap::new();
    for app in audit.flows.iter().filter_map(|it| it.app()) {
        let sum = flows.entry(&app.name).or_default();
        *sum = sum.saturating_add(1);
    }
    let mut all: Vec<_> = flows.into_iter().collect();
    all.sort_by_key(|(name, flows)| (Reverse(*flows), *name));
    all.into_iter()
        .map(|(name, flows)| format!("{} ({flows})", visible_within(name, 40)))
        .collect()
}

/// Lines of text, as wide as they may be.
pub(crate) struct Screen<'a> {
    audit: &'a Audit,
    width: usize,
    color: bool,
    out: &'a mut dyn Write,
}

#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
}

impl<'a> Screen<'a> {
    pub(crate) fn new(audit: &'a Audit, options: &Options<'_>, out: &'a mut dyn Write) -> Self {
        Self {
            audit,
            width: options.width.clamp(WIDTHS.0, WIDTHS.1),
            color: options.color,
            out,
        }
    }

    pub(crate) fn top(&mut self) -> Result<()> {
        for input in self.audit.inputs.iter().take(3) {
            let unit = crate::v1::unit(input.format);
            let mut facts = vec![
                visible_within(&input.name, 40),
                input.format.to_owned(),
                count(input.frames, unit),
                bytes(input.file_bytes),
            ];
            if let (Some(first), Some(last)) = (input.first, input.last) {
                facts.push(period(&first.to_string(), &last.to_string()));
            }
            if let Some(world) = &input.world {
                facts.push(format!(
                    "simulated world “{}”: its parties are fictional",
                    visible_within(world.as_str(), 24)
                ));
            }
            self.wrapped("", "", &facts.join(" · "), None, Some(Ink::Dim))?;
        }
        if self.audit.inputs.len() > 3 {
            let rest = format!("… and {}", count(self.audit.inputs.len().saturating_sub(3), "more input"));
            self.wrapped("", "", &rest, None, Some(Ink::Dim))?;
        }
        let apps = apps(self.audit);
        if !apps.is_empty() {
            self.wrapped("", "", &format!("flows of {}", some(&apps, 5)), None, Some(Ink::Dim))?;
        }
        Ok(())
    }

    fn headline(&mut self, it: &Item) -> Result<()> {
        writeln!(self.out)?;
        let text = [std::slice::from_ref(&it.title), &it.details].concat().join(" ");
        self.wrapped("", "", &text, it.frame.map(|frame| frame.text(self.audit)), Some(Ink::Bold))
    }

    pub(crate) fn part(&mut self, head: &str, gloss: &str, part: &Part, most: usize) -> Result<()> {
        if part.items.is_empty() {
            return Ok(());
        }
        let head = self.painted(head, Some(Ink::Bold));
        let gloss = if gloss.is_empty() {
            String::new()
        } else {
            self.painted(&format!(" – {gloss}"), Some(Ink::Dim))
        };
        writeln!(self.out, "\n{head}{gloss}")?;
        for it in part.items.iter().take(most) {
            self.item(it)?;
        }
        match part.total.saturating_sub(most) {
            0 => Ok(()),
            rest => self.wrapped("  ", "  ", &format!("… and {rest} more: --format json"), None, Some(Ink::Dim)),
        }
    }

    pub(crate) fn item(&mut self, it: &Item) -> Result<()> {
        let (mark, ink) = match it.tone {
            Tone::Bad => ("! ", Some(Ink::Red)),
            Tone::Doubt => ("? ", Some(Ink::Yellow)),
            Tone::Plain => ("· ", None),
            Tone::Good => ("✓ ", Some(Ink::Green)),
        };
        let frame = it.frame.map(|frame| frame.text(self.audit));
        let last = it.details.len();
        for (index, text) in std::iter::once(&it.title).chain(&it.details).enumerate() {
            let lead = if index == 0 { self.painted(mark, ink) } else { "    ".to_owned() };
            self.wrapped(&lead, "    ", text, frame.clone().filter(|_| index == last), None)?;
        }
        for reply in &it.replies {
            self.wrapped("    ", "    ", reply, None, None)?;
        }
        Ok(())
    }

    /// Clauses that had no line of their own are at least named: no verdict goes missing.
    fn remaining_verdicts(&mut self, most: usize) -> Result<()> {
        let groups = crate::findings::judged_groups(self.audit);
        let mut rest: BTreeMap<Outcome, BTreeMap<String, usize>> = BTreeMap::new();
        for it in groups.into_iter().skip(most).flatten() {
            let names = rest.entry(it.outcome).or_default();
            *names.entry(visible_within(&it.clause, 40)).or_default() += 1;
        }
        for (outcome, names) in rest {
            let names: Vec<String> = names
                .into_iter()
                .map(|(name, times)| if times == 1 { name } else { format!("{name} ×{times}") })
                .collect();
            self.wrapped(
                "  ",
                "    ",
                &format!("{} also: {}", outcome.word(), names.join(", ")),
                None,
                Some(Ink::Dim),
            )?;
        }
        Ok(())
    }

    fn sections(&mut self, options: &Options<'_>) -> Result<()> {
        if options.sections.flows || options.sections.observations {
            writeln!(self.out)?;
            self.wrapped(
                "",
                "",
                "Flows and observations are written with --format json or ndjson.",
                None,
                Some(Ink::Dim),
            )?;
        }
        Ok(())
    }

    /// One text over as many lines as it needs; the frame stands at the right end of the last one.
    pub(crate) fn wrapped(&mut self, lead: &str, indent: &str, text: &str, frame: Option<String>, ink: Option<Ink>) -> Result<()> {
        let lead_columns = if lead.contains('\x1b') { 2 } else { columns(lead) };
        let mut lines: Vec<String> = vec![];
        let mut line = String::new();
        let mut used = lead_columns;
        for word in text
            .split(' ')
            .flat_map(|word| pieces(word, self.width.saturating_sub(indent.len())))
        {
            let wide = columns(&word);
            let gap = usize::from(!line.is_empty());
            if used + gap + wide > self.width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = indent.len();
            }
            if !line.is_empty() {
                line.push(' ');
                used += 1;
            }
            line.push_str(&word);
            used += wide;
        }
        let frame = frame.unwrap_or_default();
        if !frame.is_empty() && used + 2 + columns(&frame) > self.width {
            lines.push(std::mem::take(&mut line));
            used = indent.len();
        }
        lines.push(line);
        let last = lines.len().saturating_sub(1);
        for (index, line) in lines.iter().enumerate() {
            let start = if index == 0 { lead } else { indent };
            let body = self.painted(line, ink);
            if index == last && !frame.is_empty() {
                let room = self.width.saturating_sub(used + columns(&frame));
                let frame = self.painted(&frame, Some(Ink::Dim));
                writeln!(self.out, "{start}{body}{:room$}{frame}", "")?;
            } else {
                writeln!(self.out, "{start}{body}")?;
            }
        }
        Ok(())
    }

    pub(crate) fn painted(&self, text: &str, ink: Option<Ink>) -> String {
        let code = match ink {
            _ if !self.color || text.is_empty() => return text.to_owned(),
            None => return text.to_owned(),
            Some(Ink::Bold) => 1,
            Some(Ink::Dim) => 2,
            Some(Ink::Red) => 31,
            Some(Ink::Yellow) => 33,
            Some(Ink::Green) => 32,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A word longer than a line is broken.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        let wide = columns(c.encode_utf8(&mut [0; 4]));
        if used + wide > room.max(1) {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

/// `2023-11-14 22:13:20 to 22:14:25 UTC`; the day is repeated only when it changes.
fn period(first: &str, last: &str) -> String {
    let part = |text: &str| Some((text.get(..10)?.to_owned(), text.get(11..19)?.to_owned()));
    match (part(first), part(last)) {
        (Some((day, from)), Some((same, to))) if day == same => format!("{day} {from} to {to} UTC"),
        (Some((day, from)), Some((later, to))) => format!("{day} {from} to {later} {to} UTC"),
        _ => format!("{first} to {last}"),
    }
}
