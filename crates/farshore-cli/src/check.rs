//! `farshore check`: an audit whose exit code is the answer. Refuses to let anything through as good that was not judged so.

use std::process::ExitCode;

use farshore::model::{Audit, Outcome};

use farshore::policy::Baseline;

use crate::{args, audit, saved};

/// Runs the verb.
pub(crate) fn run(args: &args::Check) -> anyhow::Result<ExitCode> {
    let judged = {
        let before = args.baseline.as_deref().map(saved::read).transpose()?;
        let baseline = before.map(|it| Baseline::of(&it.audit));
        audit::judged(&args.audited, &args.beside, baseline.as_ref())?
    };
    judged.write(&args.audited, &args.beside, args.format.id())?;
    let code = judged.unread().unwrap_or_else(|| ExitCode::from(code(&judged.audit)));
    judged.leave();
    Ok(code)
}

/// The worst of what counts.
fn code(audit: &Audit) -> u8 {
    let any = |outcome| audit.verdicts.iter().any(|it| it.counts() == Some(outcome));
    match () {
        () if any(Outcome::Breached) => 1,
        () if any(Outcome::Undetermined) => 3,
        () => 0,
    }
}
