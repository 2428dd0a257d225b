//! `farshore rules`: block rules written from an audit, made now or saved before, and what they would do to its flows.

use std::process::ExitCode;

use anyhow::Context;
use farshore::Audit;
use farshore::model::rules::{Action, Deny};
use farshore::rules;
use farshore_report::rules::{Written, format, told};

use crate::args::{self, InDoubt, RulesAction, SimulationFormat};
use crate::audit::Asked;
use crate::{audit, message, output, saved};

/// Runs the verb.
pub(crate) fn run(args: &args::Rules) -> anyhow::Result<ExitCode> {
    let id = args.format.id();
    let writer = format(id).context("no such format")?;
    let action = action(args.action, id, writer.actions())?;
    anyhow::ensure!(
        args.simulate.is_none() || !args.out.is_dash(),
        "-o -: the simulation goes to standard output; name a file for the rules"
    );
    let denies = args.deny.iter().map(|it| deny(it)).collect::<anyhow::Result<Vec<_>>>()?;
    output::check(args.out.file(), args.out.force)?;
    let (code, audit) = audited(args)?;
    let selection = rules::select(denies, &audit, args.in_doubt == InDoubt::Deny);
    let planned = rules::plan(&selection, &audit, writer.abilities(), action);
    let it = Written {
        audit: &audit,
        selection: &selection,
        rules: &planned,
    };
    if !args.voice.quiet {
        for warning in told::warnings(&it) {
            message::say(&format!("warning: {warning}"));
        }
    }
    let path = args.out.file();
    // With a simulation on standard output the rules go to the file, if there is one.
    if path.is_some() || args.simulate.is_none() {
        output::write(path, args.out.force, &mut |out| writer.write(&it, out))?;
    }
    if let Some(shape) = args.simulate {
        let simulation = rules::simulate(&planned, &selection, &audit);
        let (color, width) = (output::color(args.out.color, false), output::width());
        output::write(None, false, &mut |out| match shape {
            SimulationFormat::Terminal => told::terminal(&it, &simulation, id, color, width, out),
            SimulationFormat::Json => told::json(&it, &simulation, id, out),
        })?;
    }
    std::mem::forget(audit);
    Ok(code)
}

fn deny(text: &str) -> anyhow::Result<Deny> {
    let shown = farshore_report::escape::visible(text);
    let hint = if text.contains('=') { "" } else { " (inputs stand before --deny)" };
    rules::read(text).map_err(|it| anyhow::anyhow!("--deny {shown}: {it}{hint}"))
}

fn action(asked: Option<RulesAction>, id: &str, known: &[Action]) -> anyhow::Result<Action> {
    let usual = known.first().copied().unwrap_or(Action::Drop);
    let Some(asked) = asked else { return Ok(usual) };
    let (asked, word) = match asked {
        RulesAction::Drop => (Action::Drop, "drop"),
        RulesAction::Reject => (Action::Reject, "reject"),
        RulesAction::Alert => (Action::Alert, "alert"),
    };
    anyhow::ensure!(known.contains(&asked), "--action {word}: rules of {id} cannot do that");
    Ok(asked)
}

/// The audit the rules are written from: of captures, or one that was saved.
fn audited(args: &args::Rules) -> anyhow::Result<(ExitCode, Audit)> {
    let paths = args.paths();
    for path in &paths {
        let Some(it) = saved::if_saved(path)? else { continue };
        let shown = message::shown(path);
        anyhow::ensure!(
            paths.len() == 1,
            "{shown}: a saved audit stands alone, without further inputs; to take several captures together, audit them together"
        );
        if let Some(flag) = args.of_captures() {
            anyhow::bail!("{flag}: {shown} is a saved audit, which is taken as it is; the flag is for captures");
        }
        return Ok((ExitCode::SUCCESS, it.audit));
    }
    // Only a simulation asks which resolver was asked, and by which road.
    let asked = Asked {
        every_fact: args.simulate.is_some(),
        ..Asked::default()
    };
    let judged = audit::of_disk(&args.audited(), &asked)?;
    Ok((judged.unread().unwrap_or(ExitCode::SUCCESS), judged.audit))
}
