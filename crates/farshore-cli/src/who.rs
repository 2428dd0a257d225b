//! `farshore who`: what is known of parties by their names, or of each line of standard input.

use std::io::{self, BufRead, BufReader, Read};
use std::process::ExitCode;

use anyhow::Context;
use farshore::model::Date;
use farshore::{Datasets, Inquirer, Inquiry, inquiry};
use farshore_report::{json, who};

use crate::args::{self, WhoFormat};
use crate::bulk::{self, Asked, Kept, Lines, Patterns};
use crate::shelf::Shelf;
use crate::{atlas, message, output};

/// No name has as many bytes; what is longer is read past.
const LONGEST: usize = 4096;

/// Lines from which on all sets are put together.
const MANY: usize = 1000;

/// Runs the verb.
pub(crate) fn run(args: &args::Who) -> anyhow::Result<ExitCode> {
    output::check(args.out.file(), args.out.force)?;
    let as_of = args
        .as_of
        .as_deref()
        .map(|it| Date::parse(it).with_context(|| format!("--as-of {it}: expected YYYY-MM-DD")))
        .transpose()?;
    // Without a day what is asked is where something is now: the latest edition tells.
    let brought = atlas::brought(&args.atlas, &Shelf::Disk)?;
    let data = &Datasets::embedded().bringing(brought, as_of.zip(as_of));
    let inquirer = Inquirer::new(data, as_of);
    match args.names.as_slice() {
        [only] if only == "-" => lines(inquirer, data, args),
        names => {
            anyhow::ensure!(
                !names.iter().any(|it| it == "-"),
                "`-` (standard input) stands alone, without further names"
            );
            named(inquirer, data, names, args)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Answers what was named on the command line; a question that cannot be answered stops it.
fn named(mut inquirer: Inquirer<'_>, data: &Datasets, names: &[String], args: &args::Who) -> anyhow::Result<()> {
    let answer = |name: &String| {
        let answered = name.parse().and_then(|asked: Inquiry| inquirer.answer(&asked));
        answered.with_context(|| name.clone())
    };
    let parties: Vec<_> = names.iter().map(answer).collect::<anyhow::Result<_>>()?;
    let (color, width) = (output::color(args.out.color, args.out.file().is_some()), output::width());
    let hosts = |it| inquiry::hosts(it, data);
    output::write(args.out.file(), args.out.force, &mut |out| match args.format {
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
fn lines(inquirer: Inquirer<'_>, data: &Datasets, args: &args::Who) -> anyhow::Result<()> {
    let tsv = match args.format {
        Some(WhoFormat::Tsv) => true,
        // One object a line is what JSON means here: there may be no end of lines.
        Some(WhoFormat::Ndjson | WhoFormat::Json) | None => false,
        Some(WhoFormat::Terminal) => {
            anyhow::bail!("standard input is answered line by line: --format ndjson (the default) or tsv")
        }
    };
    let mut answering = Answering::new(inquirer, data, tsv);
    output::write(args.out.file(), args.out.force, &mut |out| {
        let mut input = BufReader::with_capacity(1 << 18, io::stdin());
        let (mut line, mut text) = (Vec::new(), Vec::new());
        let mut index = 0_usize;
        loop {
            // Whoever waits for an answer before asking again gets it.
            if input.buffer().is_empty() {
                out.flush()?;
            }
            let block = input.fill_buf()?;
            if block.is_empty() {
                return Ok(());
            }
            // Putting all sets together pays off for many questions only, and what was brought is not among them.
            let together = index >= MANY && data.is_built_in();
            match block.iter().rposition(|byte| *byte == b'\n').filter(|_| together) {
                Some(end) => {
                    bulk::looked_up(block.get(..end).unwrap_or_default(), |asked| {
                        for it in asked {
                            answering.asked(index, it, &mut text)?;
                            index = index.saturating_add(1);
                        }
                        out.write_all(&text)?;
                        text.clear();
                        Ok(())
                    })?;
                    input.consume(end.saturating_add(1));
                }
                None => {
                    next(&mut input, &mut line)?;
                    answering.line(index, &line, out)?;
                    index = index.saturating_add(1);
                }
            }
        }
    })?;
    if !args.voice.quiet {
        answering.unread.tell();
    }
    Ok(())
}

/// Answers lines, and keeps what is known of addresses that share it.
struct Answering<'a> {
    inquirer: Inquirer<'a>,
    data: &'a Datasets,
    unread: Unread,
    kept: Kept,
}

impl<'a> Answering<'a> {
    fn new(inquirer: Inquirer<'a>, data: &'a Datasets, tsv: bool) -> Self {
        Self {
            inquirer,
            data,
            unread: Unread::default(),
            kept: if tsv {
                Kept::Tsv(Lines::default())
            } else {
                Kept::Json(Patterns::default())
            },
        }
    }

    /// One line by itself.
    fn line(&mut self, index: usize, line: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        let text = String::from_utf8_lossy(line);
        let answered = text.parse().and_then(|asked: Inquiry| self.inquirer.answer(&asked));
        let party = match answered {
            Ok(party) => party,
            Err(error) => {
                self.unread.note(index, &error);
                self.inquirer.nobody(text.trim())
            }
        };
        match self.kept {
            Kept::Tsv(_) => {
                let hosts = &inquiry::hosts(&party, self.data);
                who::tsv(who::Known { party: &party, hosts }, out)
            }
            Kept::Json(_) => json::who_line(index, &party, out),
        }
    }

    /// One of many, of which the same may be known as of others.
    fn asked(&mut self, index: usize, it: &Asked<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let Some((address, answer)) = it.address else {
            return self.line(index, it.line.get(..LONGEST).unwrap_or(it.line), out);
        };
        match &mut self.kept {
            Kept::Tsv(lines) => {
                bulk::spell(address, it.line, out);
                if let Some(rest) = lines.line(answer) {
                    out.extend_from_slice(rest);
                    return Ok(());
                }
                let party = self.inquirer.placed(address);
                let hosts = &inquiry::hosts(&party, self.data);
                let from = out.len();
                who::tsv_rest(who::Known { party: &party, hosts }, out)?;
                lines.keep(answer, out.get(from..).unwrap_or_default());
            }
            Kept::Json(patterns) => {
                let mut spelled = Vec::new();
                bulk::spell(address, it.line, &mut spelled);
                let spelled = std::str::from_utf8(&spelled).unwrap_or_default();
                if let Some(pattern) = patterns.pattern(answer) {
                    return pattern.write(index, spelled, out);
                }
                let party = self.inquirer.about(address);
                json::who_line(index, &party, out)?;
                if let Some(pattern) = json::WhoPattern::of(&party)? {
                    patterns.keep(answer, pattern);
                }
            }
        }
        Ok(())
    }
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
