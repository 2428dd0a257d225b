//! Comments: where rules come from, why each is there, and what is not written. A line never ends early and never runs over.

use std::io::{Result, Write};

use farshore_model::party::Destination;
use farshore_model::rules::{Choice, Rule, Target};

use super::{Written, is_plain};
use crate::escape::visible_within;
use crate::findings::{bytes, count};

/// Columns of a comment. Suricata takes what goes beyond 8192 bytes for the next line; a column has 16 at most.
const WIDE: usize = 400;
/// Frames that are named.
const FRAMES: usize = 5;

/// Writes comments behind a mark.
pub(super) struct Notes<'a> {
    pub(super) it: Written<'a>,
    pub(super) mark: &'static str,
}

impl<'a> Notes<'a> {
    /// One line.
    pub(super) fn line(&self, text: &str, out: &mut dyn Write) -> Result<()> {
        let text = visible_within(text, WIDE);
        // A backslash at the end of a line would take the next one in.
        let stop = if text.ends_with('\\') { " " } else { "" };
        match text.is_empty() {
            true => writeln!(out, "{}", self.mark.trim_end()),
            false => writeln!(out, "{} {text}{stop}", self.mark.trim_end()),
        }
    }

    /// The top of the file: what it is, from what, by what, and all that is not written.
    pub(super) fn top(&self, what: &str, usage: &[&str], out: &mut dyn Write) -> Result<()> {
        let Written { audit, selection, rules } = self.it;
        self.line(&format!("{what}, written by farshore {}", audit.tool.version), out)?;
        for input in &audit.inputs {
            self.line(
                &format!("from {} (SHA-256 {})", visible_within(&input.name, 120), input.sha256),
                out,
            )?;
        }
        for sets in audit.tool.data.chunks(4) {
            let sets: Vec<String> = sets.iter().map(|it| format!("{} {}", it.name, it.edition)).collect();
            self.line(&format!("data: {}", sets.join(", ")), out)?;
        }
        let denies: Vec<String> = selection.denies.iter().map(|it| visible_within(&it.text, 120)).collect();
        self.line(&format!("denied: {}", denies.join(" or ")), out)?;
        for line in usage {
            self.line(line, out)?;
        }
        for (deny, instead) in &selection.misses {
            let text = selection.denies.get(*deny).map_or("", |it| it.text.as_str());
            self.line("", out)?;
            self.line(&format!("FITS NOTHING: {}: {instead}", visible_within(text, 120)), out)?;
        }
        if !selection.doubtful.is_empty() {
            self.line("", out)?;
            self.line(
                match selection.deny_doubtful {
                    true => "BLOCKED THOUGH IT CANNOT BE TOLD whether they are meant (--in-doubt deny):",
                    false => "NOT BLOCKED, as it cannot be told whether they are meant (--in-doubt deny blocks them):",
                },
                out,
            )?;
            for choice in &selection.doubtful {
                self.choice(choice, out)?;
            }
        }
        if !rules.left_out.is_empty() {
            self.line("", out)?;
            self.line("LEFT OUT, as the format cannot say it:", out)?;
            for it in &rules.left_out {
                let of = it.destination.map(|it| format!("d{} ", it.saturating_add(1))).unwrap_or_default();
                let whole = if it.whole { "; NOTHING IS WRITTEN FOR IT" } else { "" };
                self.line(&format!("  {of}{}: {}{whole}", visible_within(&it.what, 120), it.because), out)?;
            }
        }
        if !rules.shared.is_empty() {
            self.line("", out)?;
            self.line("SHARED ADDRESSES: others may be there, and are blocked as well:", out)?;
            for it in &rules.shared {
                self.line(&format!("  {}: {}", it.address, shared(self.it, it)), out)?;
            }
        }
        writeln!(out)
    }

    /// The rules destination by destination, with the reason before those of each.
    pub(super) fn each(
        &self,
        of: &dyn Fn(&Target) -> bool,
        indent: &str,
        out: &mut dyn Write,
        write: &mut dyn FnMut(&Rule, &mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let mut last = None;
        let rules = self.it.rules.rules.iter();
        for rule in rules.filter(|it| of(&it.target) && is_plain(&it.target)) {
            if last != Some(&rule.destinations) {
                last = Some(&rule.destinations);
                for destination in &rule.destinations {
                    let choices = self.it.selection.denied();
                    for choice in choices.filter(|it| it.destination == *destination) {
                        let mut lines = Vec::new();
                        self.choice(choice, &mut lines)?;
                        for line in String::from_utf8_lossy(&lines).lines() {
                            writeln!(out, "{indent}{line}")?;
                        }
                    }
                }
            }
            write(rule, out)?;
        }
        Ok(())
    }

    /// `d3 api.example: 4 flows, 12 kB, frames 12, 40`, and why.
    fn choice(&self, choice: &Choice, out: &mut dyn Write) -> Result<()> {
        let Some(it) = self.it.audit.destinations.get(choice.destination) else {
            return Ok(());
        };
        let traffic = it.traffic;
        let all = traffic.bytes_up.saturating_add(traffic.bytes_down);
        let line = format!(
            "  d{} {}: {}, {}{}",
            choice.destination.saturating_add(1),
            visible_within(&it.name, 120),
            count(traffic.flows, "flow"),
            bytes(all),
            self.frames(it)
        );
        self.line(&line, out)?;
        for ground in &choice.grounds {
            let asked = self.it.selection.denies.get(ground.deny).map_or("", |it| it.text.as_str());
            self.line(&format!("    {}: {}", visible_within(asked, 80), ground.because), out)?;
        }
        Ok(())
    }

    fn frames(&self, it: &Destination) -> String {
        let flows: Vec<_> = it.flows.iter().filter_map(|id| self.it.audit.flows.get(id.0 as usize)).collect();
        if flows.is_empty() {
            return String::new();
        }
        let several = self.it.audit.inputs.len() > 1;
        let places: Vec<String> = flows
            .iter()
            .take(FRAMES)
            .map(|flow| match self.it.audit.inputs.get(flow.input.0 as usize).filter(|_| several) {
                Some(input) => format!("{} of {}", flow.first_frame, visible_within(&input.name, 30)),
                None => flow.first_frame.to_string(),
            })
            .collect();
        let more = if flows.len() > places.len() { ", …" } else { "" };
        format!(", from frame {}{more}", places.join(", "))
    }
}

/// Who else is there.
pub(super) fn shared(of: Written<'_>, it: &farshore_model::rules::SharedAddress) -> String {
    let names = it.others.iter().take(4).filter_map(|index| {
        let party = of.audit.destinations.get(*index)?;
        Some(format!("d{} {}", index.saturating_add(1), visible_within(&party.name, 60)))
    });
    let mut parts: Vec<String> = names.collect();
    if it.others.len() > parts.len() {
        parts.push(format!("{} more", it.others.len().saturating_sub(parts.len())));
    }
    let others = match parts.is_empty() {
        true => String::new(),
        false => format!("also {}", parts.join(", ")),
    };
    [others, it.because.clone()]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}
