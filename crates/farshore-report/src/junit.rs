//! The judgement as JUnit XML, which Jenkins, GitLab and most others show: a suite is a pack, a test a clause.
//!
//! A breach is a failure. What could not be told is an error, in JUnit's sense: the test could not be carried out. What is waived, a note
//! and what does not apply are skipped tests with the reason, never passed ones.

use std::io::{Result, Write};

use farshore_model::verdict::{Counting, WaiverState};
use farshore_model::{Audit, Outcome, Verdict};

use crate::escape::xml;
use crate::findings::{long, matters, replies, standing, waived};
use crate::{Options, Output};

/// Lines a test tells.
const SHOWN: usize = 20;

/// `junit`.
pub struct Junit;

impl Output for Junit {
    fn id(&self) -> &'static str {
        "junit"
    }

    fn render(&self, audit: &Audit, _: &Options<'_>, out: &mut dyn Write) -> Result<()> {
        let mut suites: Vec<(&str, Vec<&Verdict>)> = Vec::new();
        for it in &audit.verdicts {
            match suites.iter_mut().find(|(pack, _)| *pack == it.pack) {
                Some((_, clauses)) => clauses.push(it),
                None => suites.push((&it.pack, vec![it])),
            }
        }
        let waivers: Vec<String> = waived(audit).items.into_iter().map(|it| it.title).collect();
        let mut all = Sum::of(audit.verdicts.iter());
        all.tests = all.tests.saturating_add(waivers.len());
        all.skipped = all.skipped.saturating_add(waivers.len());
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(out, "<testsuites name=\"farshore check\" {}>", all.attributes())?;
        for (pack, clauses) in suites {
            let sum = Sum::of(clauses.iter().copied());
            writeln!(out, "  <testsuite name=\"{}\" {}>", xml(pack), sum.attributes())?;
            clauses.iter().try_for_each(|it| test(audit, it, out))?;
            writeln!(out, "  </testsuite>")?;
        }
        if !waivers.is_empty() {
            let sum = Sum {
                tests: waivers.len(),
                skipped: waivers.len(),
                ..Sum::default()
            };
            writeln!(out, "  <testsuite name=\"waivers\" {}>", sum.attributes())?;
            for (told, it) in waivers.iter().zip(audit.waivers.iter().flatten()) {
                let state = match it.state {
                    WaiverState::Applied(_) => "applied",
                    WaiverState::Expired(_) => "expired",
                    WaiverState::Unused(_) => "unused",
                };
                let name = format!("{}/{}, {} ({state})", long(&it.pack), long(&it.clause), long(&it.subject));
                writeln!(out, "    <testcase classname=\"waivers\" name=\"{}\" time=\"0\">", xml(&name))?;
                writeln!(out, "      <skipped message=\"{}\"/>", xml(told))?;
                writeln!(out, "    </testcase>")?;
            }
            writeln!(out, "  </testsuite>")?;
        }
        writeln!(out, "</testsuites>")
    }
}

fn test(audit: &Audit, it: &Verdict, out: &mut dyn Write) -> Result<()> {
    let name = match it.title.trim() {
        "" => long(&it.clause),
        title => format!("{}: {}", long(&it.clause), long(title)),
    };
    let open = format!("    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", xml(&it.pack), xml(&name));
    let because = format!("{}: {}", standing(it), long(&it.because));
    let element = match it.counting() {
        Counting::As(Outcome::Met) => return writeln!(out, "{open}/>"),
        Counting::As(Outcome::Breached) => "failure",
        Counting::As(Outcome::Undetermined) => "error",
        _ => {
            writeln!(out, "{open}>")?;
            writeln!(out, "      <skipped message=\"{}\"/>", xml(&because))?;
            return writeln!(out, "    </testcase>");
        }
    };
    writeln!(out, "{open}>")?;
    let kind = if element == "failure" { "breached" } else { "undetermined" };
    writeln!(
        out,
        "      <{element} message=\"{}\" type=\"{kind}\">{}",
        xml(&because),
        xml(&long(&it.citation))
    )?;
    let mut lines: Vec<String> = Vec::new();
    let matters = matters(audit, it);
    for matter in matters.iter().filter(|it| !it.is_coverage() && it.about.counts()) {
        let item = matter.item(audit, it);
        let frame = item.frame.map_or(String::new(), |frame| format!(" ({})", frame.text(audit)));
        let doubt = if matter.about.outcome == Outcome::Undetermined {
            "cannot tell: "
        } else {
            ""
        };
        lines.push(format!("- {doubt}{}{frame}", item.title));
    }
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("- … and {more} more: --format json"));
    }
    lines.extend(replies(audit, it));
    lines.extend(it.settled_by.iter().map(|it| format!("settled by: {}", long(it))));
    lines.iter().try_for_each(|line| writeln!(out, "{}", xml(line)))?;
    writeln!(out, "</{element}>")?;
    writeln!(out, "    </testcase>")
}

/// How many tests came to what.
#[derive(Clone, Copy, Default)]
struct Sum {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Sum {
    fn of<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Self {
        let mut sum = Self::default();
        for it in verdicts {
            sum.tests = sum.tests.saturating_add(1);
            let part = match it.counting() {
                Counting::As(Outcome::Met) => continue,
                Counting::As(Outcome::Breached) => &mut sum.failures,
                Counting::As(Outcome::Undetermined) => &mut sum.errors,
                _ => &mut sum.skipped,
            };
            *part = part.saturating_add(1);
        }
        sum
    }

    fn attributes(self) -> String {
        let Self {
            tests,
            failures,
            errors,
            skipped,
        } = self;
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\"")
    }
}
