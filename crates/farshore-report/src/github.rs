//! The judgement as workflow commands of GitHub Actions: an annotation a clause, and the counts.
//!
//! The runner shows ten errors and ten warnings a step, so a clause is one command whatever stands against it. It refuses to let text
//! from the wire end a command or begin one.

use std::io::{Result, Write};

use farshore_model::verdict::{Counting, WaiverState};
use farshore_model::{Audit, Outcome, Verdict};

use crate::check::Tally;
use crate::escape::{command_data, command_property, unobeyed, visible_within};
use crate::findings::{baseline, judged_order, long, matters, name, other_replies, replies, standing, waived};
use crate::{Options, Output};

/// Lines an annotation takes for what stands against a clause.
const SHOWN: usize = 10;

/// `github`.
pub struct Github;

impl Output for Github {
    fn id(&self) -> &'static str {
        "github"
    }

    fn render(&self, audit: &Audit, _: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        for it in judged_order(audit) {
            let level = match it.counting() {
                Counting::As(Outcome::Breached) => "error",
                Counting::As(Outcome::Undetermined) => "warning",
                Counting::Note | Counting::Waived | Counting::Before => "notice",
                Counting::As(_) => continue,
            };
            clause(audit, it, level, out)?;
        }
        for (told, it) in waived(audit).items.iter().zip(audit.waivers.iter().flatten()) {
            let (level, title) = match it.state {
                WaiverState::Applied(_) => ("notice", "waived"),
                WaiverState::Expired(_) => ("warning", "waiver expired"),
                WaiverState::Unused(_) => ("warning", "waiver fits nothing"),
            };
            writeln!(out, "::{level} title={}::{}", command_property(title), command_data(&told.title))?;
        }
        for told in other_replies(audit).items {
            writeln!(out, "::notice title=reply::{}", command_data(&told.title))?;
        }
        for told in baseline(audit) {
            writeln!(out, "::notice title=baseline::{}", command_data(&told))?;
        }
        writeln!(out, "{}", unobeyed(&Tally::of(audit).sentence()))
    }
}

fn clause(audit: &Audit, it: &Verdict, level: &str, out: &mut dyn Write) -> Result<()> {
    let mut lines = vec![long(&it.title), long(&it.because)];
    let mut file = None;
    let matters = matters(audit, it);
    let counting: Vec<_> = matters.iter().filter(|it| it.about.counts() && !it.is_coverage()).collect();
    for matter in counting.iter().take(SHOWN) {
        let item = matter.item(audit, it);
        file = file.or(item.frame);
        let frame = item.frame.map_or(String::new(), |frame| format!(" ({})", frame.text(audit)));
        let doubt = if matter.about.outcome == Outcome::Undetermined {
            "cannot tell: "
        } else {
            ""
        };
        lines.push(format!("- {doubt}{}{frame}", item.title));
    }
    if let Some(more) = counting.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("- … and {more} more: --format json"));
    }
    lines.extend(replies(audit, it));
    lines.extend(it.settled_by.iter().map(|it| format!("settled by: {}", long(it))));
    lines.push(long(&it.citation));
    lines.retain(|line| !line.is_empty());
    let input = file.map_or(0, |it| it.input);
    let input = usize::try_from(input).ok().and_then(|index| audit.inputs.get(index));
    let file = input.map_or(String::new(), |it| {
        format!("file={},", command_property(&visible_within(&it.name, 200)))
    });
    let title = format!("{} {}/{}", standing(it), name(&it.pack), name(&it.clause));
    writeln!(
        out,
        "::{level} {file}title={}::{}",
        command_property(&title),
        command_data(&lines.join("\n"))
    )
}
