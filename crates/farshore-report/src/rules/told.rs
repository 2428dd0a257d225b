//! What rules leave open, for standard error; and what they do to the flows of the audit, on a screen or as JSON
//! (`farshore.rules/1`).

use std::io::{Result, Write};

use serde::Serialize;

use farshore_model::Answer;
use farshore_model::rules::{Abilities, Action, Amount, Choice, Fate, Simulation, Stopped, Target};

use super::Written;
use super::notes::shared;
use crate::compact::Sheet;
use crate::escape::{columns, visible, visible_within};
use crate::findings::{bytes, count};
use crate::v1;
use crate::words::Word;

/// The name and version of the JSON form.
pub const SCHEMA: &str = "farshore.rules/1";

/// Lines of each kind that a screen shows.
const SHOWN: usize = 8;
/// The same of standard error.
const WARNED: usize = 4;

/// What is not written, and what is written at others' cost: one warning each, long lists cut.
pub fn warnings(it: &Written<'_>) -> Vec<String> {
    let Written { audit, selection, rules } = *it;
    let mut all = Vec::new();
    for (deny, instead) in &selection.misses {
        let text = selection.denies.get(*deny).map_or("", |it| it.text.as_str());
        all.push(format!(
            "{} fits nothing: {}",
            visible_within(text, 80),
            visible_within(instead, 300)
        ));
    }
    let name = |index: usize| {
        let name = audit.destinations.get(index).map_or("", |it| &it.name);
        format!("d{} {}", index.saturating_add(1), visible_within(name, 60))
    };
    let doubts: Vec<String> = selection
        .doubtful
        .iter()
        .map(|it| format!("{} ({})", name(it.destination), first_because(it)))
        .collect();
    if !doubts.is_empty() {
        let what = match selection.deny_doubtful {
            true => "blocked, though it cannot be told whether they are meant",
            false => "not blocked, as it cannot be told whether they are meant (--in-doubt deny blocks them)",
        };
        all.push(format!("{} {what}: {}", count(doubts.len(), "destination"), cut(&doubts)));
    }
    let left: Vec<String> = rules
        .left_out
        .iter()
        .map(|it| {
            let of = it.destination.map(|it| format!("d{} ", it.saturating_add(1))).unwrap_or_default();
            let whole = if it.whole { ", so nothing is written for it" } else { "" };
            format!("{of}{} ({}{whole})", visible_within(&it.what, 60), it.because)
        })
        .collect();
    if !left.is_empty() {
        all.push(format!("left out: {}", cut(&left)));
    }
    let others: Vec<String> = rules
        .shared
        .iter()
        .map(|address| format!("{} ({})", address.address, shared(*it, address)))
        .collect();
    if !others.is_empty() {
        let addresses = if others.len() == 1 { "address" } else { "addresses" };
        all.push(format!("{} shared {addresses} blocked: {}", others.len(), cut(&others)));
    }
    if rules.rules.is_empty() {
        all.push("no rule is written: nothing is blocked".to_owned());
    }
    all
}

fn first_because(it: &Choice) -> String {
    it.grounds.first().map(|it| visible_within(&it.because, 90)).unwrap_or_default()
}

fn cut(all: &[String]) -> String {
    let some = all.get(..all.len().min(WARNED)).unwrap_or_default().join("; ");
    match all.len().saturating_sub(WARNED) {
        0 => some,
        more => format!("{some}; and {more} more, in the comments of the rules"),
    }
}

/// A simulation on a screen.
pub fn terminal(it: &Written<'_>, simulation: &Simulation, format: &str, color: bool, width: usize, out: &mut dyn Write) -> Result<()> {
    let mut screen = Screen {
        it: *it,
        color,
        width: width.clamp(60, 120),
        out,
    };
    let targets = screen.targets();
    let denies: Vec<String> = it.selection.denies.iter().map(|it| visible_within(&it.text, 40)).collect();
    let head = format!("{format}: {targets}, denying {}", denies.join(" or "));
    let head = screen.painted(&head, "1");
    writeln!(screen.out, "{head}")?;
    if it.rules.action == Action::Alert {
        writeln!(screen.out, "Rules that alert stop nothing: read “stops” as “is told of”.")?;
    }
    let holds = holds_if(it, simulation);
    for line in wrapped(&holds, screen.width) {
        let line = screen.painted(&line, "2");
        writeln!(screen.out, "{line}")?;
    }
    if !simulation.has_flows {
        writeln!(
            screen.out,
            "The audit was saved without flows (--with flows): only names and addresses are compared."
        )?;
    }
    let of = |denied: Answer| simulation.fates.iter().filter(move |it| it.denied == denied);
    screen.part("Denied", "what becomes of it", of(Answer::Yes).collect())?;
    screen.part("Not denied", "and stops all the same, or may", of(Answer::No).collect())?;
    screen.part("In doubt, let be", "--in-doubt deny denies them", of(Answer::CannotTell).collect())?;
    let rest = simulation.untouched;
    if rest > 0 {
        writeln!(screen.out, "\n{} untouched.", count(rest, "other destination"))?;
    }
    Ok(())
}

/// What has to be the case for what is told to come true: no capture shows where a filter will stand.
fn holds_if(it: &Written<'_>, simulation: &Simulation) -> String {
    let abilities = it.rules.abilities;
    let resolvers: Vec<String> = simulation
        .resolvers
        .iter()
        .take(SHOWN)
        .map(|(address, names)| format!("{address} ({})", count(*names, "name")))
        .collect();
    let more = match simulation.resolvers.len().saturating_sub(resolvers.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let resolvers = format!("{}{more}", resolvers.join(", "));
    match abilities {
        Abilities { server_names: true, .. } => {
            "Holds if the filter is inline where this traffic passes, and names stay in the clear: it sees neither ECH nor DNS over HTTPS."
                .to_owned()
        }
        Abilities { addresses: true, .. } => {
            "Holds if the filter is where this traffic passes, and the parties stay at these addresses.".to_owned()
        }
        _ if resolvers.is_empty() => {
            "Holds if names are looked up where the rules are read; no lookup of a denied name in the clear is known.".to_owned()
        }
        Abilities { answers: true, .. } => {
            format!("Holds if the resolvers that were asked read the zone, and nobody asks others: {resolvers}.")
        }
        _ => format!("Holds if apps look names up through the system: one that itself asks {resolvers} goes past the hosts file."),
    }
}

/// Broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line).saturating_add(columns(word)) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

struct Screen<'a> {
    it: Written<'a>,
    color: bool,
    width: usize,
    out: &'a mut dyn Write,
}

impl Screen<'_> {
    fn targets(&self) -> String {
        let all = &self.it.rules.rules;
        let names = all.iter().filter(|it| !matches!(it.target, Target::Address(_))).count();
        match (all.len().saturating_sub(names), names) {
            (0, 0) => "no rule".to_owned(),
            (0, names) => count(names, "name"),
            (1, 0) => "1 address".to_owned(),
            (addresses, 0) => format!("{addresses} addresses"),
            (1, names) => format!("{} and 1 address", count(names, "name")),
            (addresses, names) => format!("{} and {addresses} addresses", count(names, "name")),
        }
    }

    fn part(&mut self, head: &str, gloss: &str, mut fates: Vec<&Fate>) -> Result<()> {
        if fates.is_empty() {
            return Ok(());
        }
        // What gets through, or is lost to nobody's wish, comes first.
        let rank = |it: &Fate| match (it.denied, it.outcome) {
            (Answer::Yes, Stopped::Whole) => 3,
            (_, Stopped::CannotTell) => 2,
            (_, Stopped::Partly) => 1,
            _ => 0,
        };
        fates.sort_by_key(|it| (rank(it), it.destination));
        let head = self.painted(head, "1");
        let gloss = self.painted(&format!(" – {gloss}"), "2");
        writeln!(self.out, "\n{head}{gloss}")?;
        for it in fates.iter().take(SHOWN) {
            self.fate(it)?;
        }
        match fates.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(self.out, "  … and {more} more: --simulate=json"),
        }
    }

    fn fate(&mut self, it: &Fate) -> Result<()> {
        let (mark, ink) = match (it.denied, it.outcome) {
            (Answer::Yes, Stopped::Whole) => ("✓", "32"),
            (_, Stopped::CannotTell) => ("?", "33"),
            (Answer::CannotTell, Stopped::Not) => ("·", "0"),
            _ => ("!", "31"),
        };
        let mark = if ink == "0" { mark.to_owned() } else { self.painted(mark, ink) };
        let said = self.it.audit.destinations.get(it.destination);
        let amount = amount(it);
        let room = self.width.saturating_sub(amount.chars().count()).saturating_sub(28).max(16);
        let name = visible_within(said.map_or("", |it| &it.name), room);
        let id = format!("d{}", it.destination.saturating_add(1));
        writeln!(self.out, "{mark} {:<14} {id:<4} {name}: {amount}", words(it.outcome))?;
        for because in it.because.iter().take(3).filter(|_| it.outcome != Stopped::Whole) {
            let because = visible(because);
            let wide = columns(&because);
            let because = if wide > self.width {
                visible_within(&because, self.width)
            } else {
                because
            };
            writeln!(self.out, "    {because}")?;
        }
        Ok(())
    }

    fn painted(&self, text: &str, code: &str) -> String {
        match self.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

const fn words(it: Stopped) -> &'static str {
    match it {
        Stopped::Whole => "stops",
        Stopped::Partly => "partly stops",
        Stopped::Not => "does not stop",
        Stopped::CannotTell => "cannot tell",
    }
}

fn amount(it: &Fate) -> String {
    let all = format!("{}, {}", count(it.all.flows, "flow"), bytes(it.all.bytes));
    match it.outcome {
        Stopped::Partly => {
            let open = match it.open.flows {
                0 => String::new(),
                flows => format!(", {flows} cannot be told"),
            };
            format!("{} of {all} ({}{open})", it.stopped.flows, bytes(it.stopped.bytes))
        }
        _ => all,
    }
}

impl Word for Stopped {
    fn word(&self) -> &'static str {
        match self {
            Self::Whole => "stops",
            Self::Partly => "partly",
            Self::Not => "does-not-stop",
            Self::CannotTell => "cannot-tell",
        }
    }
}

#[derive(Serialize)]
struct Object<'a> {
    schema: &'static str,
    tool: v1::Tool<'a>,
    inputs: Vec<Input<'a>>,
    format: &'a str,
    action: &'static str,
    denies: Vec<Deny<'a>>,
    denied: Vec<Chosen<'a>>,
    doubtful: Vec<Chosen<'a>>,
    in_doubt: &'static str,
    rules: Vec<Rule>,
    left_out: Vec<LeftOut<'a>>,
    shared: Vec<Shared<'a>>,
    simulation: Simulated<'a>,
}

#[derive(Serialize)]
struct Input<'a> {
    path: &'a str,
    sha256: &'a str,
}

#[derive(Serialize)]
struct Deny<'a> {
    expression: &'a str,
    fits: usize,
    instead: Option<&'a str>,
}

#[derive(Serialize)]
struct Chosen<'a> {
    destination: String,
    name: &'a str,
    grounds: Vec<Ground<'a>>,
}

#[derive(Serialize)]
struct Ground<'a> {
    expression: &'a str,
    answer: &'static str,
    because: &'a str,
}

#[derive(Serialize)]
struct Rule {
    kind: &'static str,
    target: String,
    destinations: Vec<String>,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    destination: Option<String>,
    what: &'a str,
    because: &'a str,
    whole: bool,
}

#[derive(Serialize)]
struct Shared<'a> {
    address: String,
    others: Vec<String>,
    because: &'a str,
}

#[derive(Serialize)]
struct Simulated<'a> {
    holds_if: String,
    resolvers: Vec<Resolver>,
    has_flows: bool,
    destinations: Vec<Told<'a>>,
    untouched: usize,
}

#[derive(Serialize)]
struct Resolver {
    address: String,
    names: usize,
}

#[derive(Serialize)]
struct Told<'a> {
    destination: String,
    name: &'a str,
    denied: &'static str,
    outcome: &'static str,
    flows: Counts,
    bytes: Counts,
    because: &'a [String],
}

/// Of an audit without flows nothing is known of how many stop.
#[derive(Serialize)]
struct Counts {
    total: u64,
    stopped: Option<u64>,
    cannot_tell: Option<u64>,
}

/// All of it as one object.
pub fn json(it: &Written<'_>, simulation: &Simulation, format: &str, out: &mut dyn Write) -> Result<()> {
    let Written { audit, selection, rules } = *it;
    let id = |index: &usize| format!("d{}", index.saturating_add(1));
    let name = |index: usize| audit.destinations.get(index).map_or("", |it| it.name.as_str());
    let expression = |index: usize| selection.denies.get(index).map_or("", |it| it.text.as_str());
    let chosen = |it: &'_ Choice| (it.destination, it.grounds.iter().map(|it| it.deny).collect::<Vec<_>>());
    let all: Vec<_> = selection.chosen.iter().map(chosen).collect();
    let object = Object {
        schema: SCHEMA,
        tool: v1::Tool::new(audit),
        inputs: audit
            .inputs
            .iter()
            .map(|it| Input {
                path: &it.name,
                sha256: &it.sha256,
            })
            .collect(),
        format,
        action: match rules.action {
            Action::Drop => "drop",
            Action::Reject => "reject",
            Action::Alert => "alert",
        },
        denies: (0..)
            .zip(&selection.denies)
            .map(|(index, it)| Deny {
                expression: &it.text,
                fits: all.iter().filter(|(_, denies)| denies.contains(&index)).count(),
                instead: selection.misses.iter().find(|(deny, _)| *deny == index).map(|(_, it)| it.as_str()),
            })
            .collect(),
        denied: listed(&selection.chosen, &name, &expression),
        doubtful: listed(&selection.doubtful, &name, &expression),
        in_doubt: if selection.deny_doubtful { "deny" } else { "allow" },
        rules: rules
            .rules
            .iter()
            .map(|it| {
                let (kind, target) = match &it.target {
                    Target::Address(address) => ("address", address.to_string()),
                    Target::Name(name) => ("name", name.clone()),
                    Target::Below(name) => ("below", name.clone()),
                };
                Rule {
                    kind,
                    target,
                    destinations: it.destinations.iter().map(id).collect(),
                }
            })
            .collect(),
        left_out: rules
            .left_out
            .iter()
            .map(|it| LeftOut {
                destination: it.destination.as_ref().map(id),
                what: &it.what,
                because: &it.because,
                whole: it.whole,
            })
            .collect(),
        shared: rules
            .shared
            .iter()
            .map(|it| Shared {
                address: it.address.to_string(),
                others: it.others.iter().map(id).collect(),
                because: &it.because,
            })
            .collect(),
        simulation: Simulated {
            holds_if: holds_if(it, simulation),
            resolvers: simulation
                .resolvers
                .iter()
                .map(|(address, names)| Resolver {
                    address: address.to_string(),
                    names: *names,
                })
                .collect(),
            has_flows: simulation.has_flows,
            untouched: simulation.untouched,
            destinations: simulation
                .fates
                .iter()
                .map(|it| {
                    let counts = |of: fn(&Amount) -> u64| Counts {
                        total: of(&it.all),
                        stopped: simulation.has_flows.then(|| of(&it.stopped)),
                        cannot_tell: simulation.has_flows.then(|| of(&it.open)),
                    };
                    Told {
                        destination: id(&it.destination),
                        name: name(it.destination),
                        denied: it.denied.word(),
                        outcome: it.outcome.word(),
                        flows: counts(|it| it.flows),
                        bytes: counts(|it| it.bytes),
                        because: &it.because,
                    }
                })
                .collect(),
        },
    };
    let mut sheet = Sheet::new(out);
    sheet.line(&object)?;
    sheet.finish()
}

/// Destinations with the reasons why.
fn listed<'a>(of: &'a [Choice], name: &dyn Fn(usize) -> &'a str, expression: &dyn Fn(usize) -> &'a str) -> Vec<Chosen<'a>> {
    of.iter()
        .map(|it| Chosen {
            destination: format!("d{}", it.destination.saturating_add(1)),
            name: name(it.destination),
            grounds: it
                .grounds
                .iter()
                .map(|it| Ground {
                    expression: expression(it.deny),
                    answer: it.answer.word(),
                    because: &it.because,
                })
                .collect(),
        })
        .collect()
}
