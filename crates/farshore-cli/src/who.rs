//! `farshore who`: what is known of parties by their names, or of each line of standard input.

use std::io::{self, BufRead, BufReader, Read};
use std::process::ExitCode;

use anyhow::Context;
use farshore::model::Date;
use farshore::{Datasets, Inquirer, Inquiry, inquiry};
use farshore_report::{json, who};

use crate::args::{self, WhoFormat};
use crate::{message, output};

/// No name has as many bytes; what is longer is read past.
const LONGEST: usize = 4096;

/// Runs the verb.
pub(crate) fn run(args: &args::Who) -> anyhow::Result<ExitCode> {
    output::check(args.output.as_deref(), args.force)?;
    let as_of = args
        .as_of
        .as_deref()
        .map(|it| Date::parse(it).with_context(|| format!("--as-of {it}: expected YYYY-MM-DD")))
        .transpose()?;
    let inquirer = Inquirer::new(Datasets::embedded(), as_of);
    match args.names.as_slice() {
        [only] if only == "-" => lines(inquirer, args),
        names => {
            anyhow::ensure!(
                !names.iter().any(|it| it == "-"),
                "`-` (standard input) stands alone, without further names"
            );
            named(inquirer, names, args)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Answers what was named on the command line; a question that cannot be answered stops it.
fn named(mut inquirer: Inquirer<'_>, names: &[String], args: &args::Who) -> anyhow::Result<()> {
    let answer = |name: &String| {
        let answered = name.parse().and_then(|asked: Inquiry| inquirer.answer(&asked));
        answered.with_context(|| name.clone())
    };
    let parties: Vec<_> = names.iter().map(answer).collect::<anyhow::Result<_>>()?;
    let (color, width) = (output::color(args.color, args.output.is_some()), output::width());
    let hosts = |it| inquiry::hosts(it, Datasets::embedded());
    output::write(args.output.as_deref(), args.force, &mut |out| match args.format {
        Some(WhoFormat::Json) => json::who(&parties, out),
        Some(WhoFormat::Ndjson) => (0..).zip(&parties).try_for_each(|(index, it)| json::who_line(index, it, out)),
        Some(WhoFormat::Tsv) => parties.iter().try_for_each(|party| {
            let hosts = &hosts(party);
            who::tsv(who::Known { party, hosts }, out)
        }),
        Some(WhoFormat::Terminal) | None => parties.iter().enumerate().try_for_each(|(index, party)| {
            if index > 0 {
                writeln!(out)?;
            }
            let hosts = &hosts(party);
            who::terminal(who::Known { party, hosts }, color, width, out)
        }),
    })
}

/// Answers each line of standard input with a line, in order. A line that is no question is known by nobody.
fn lines(mut inquirer: Inquirer<'_>, args: &args::Who) -> anyhow::Result<()> {
    let tsv = match args.format {
        Some(WhoFormat::Tsv) => true,
        Some(WhoFormat::Ndjson) | None => false,
        Some(WhoFormat::Json | WhoFormat::Terminal) => {
            anyhow::bail!("standard input is answered line by line: --format ndjson (the default) or tsv")
        }
    };
    let mut unread = Unread::default();
    output::write(args.output.as_deref(), args.force, &mut |out| {
        let mut input = BufReader::with_capacity(1 << 18, io::stdin());
        let mut line = Vec::new();
        for index in 0.. {
            // Whoever waits for an answer before asking again gets it.
            if input.buffer().is_empty() {
                out.flush()?;
            }
            if !next(&mut input, &mut line)? {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            let answered = text.parse().and_then(|asked: Inquiry| inquirer.answer(&asked));
            let party = match answered {
                Ok(party) => party,
                Err(error) => {
                    unread.note(index, &error);
                    inquirer.nobody(text.trim())
                }
            };
            if tsv {
                let hosts = &inquiry::hosts(&party, Datasets::embedded());
                who::tsv(who::Known { party: &party, hosts }, out)?;
            } else {
                json::who_line(index, &party, out)?;
            }
        }
        Ok(())
    })?;
    if !args.quiet {
        unread.tell();
    }
    Ok(())
}

/// The next line without its end; of one that is too long its beginning. `false` at the end of the input.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() == LONGEST {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

/// Lines that were no question.
#[derive(Default)]
struct Unread {
    lines: u64,
    first: Option<(usize, String)>,
}

impl Unread {
    fn note(&mut self, index: usize, error: &inquiry::InquiryError) {
        self.lines = self.lines.saturating_add(1);
        self.first.get_or_insert_with(|| (index.saturating_add(1), error.to_string()));
    }

    fn tell(&self) {
        if let Some((line, why)) = &self.first {
            let lines = if self.lines == 1 { "line was" } else { "lines were" };
            message::say(&format!(
                "warning: {} {lines} answered with nothing known, the first being line {line}: {why}",
                self.lines
            ));
        }
    }
}
