//! From what was seen to what it means. A pure function: the same ledger, data and packs give the same audit.

use farshore_model::audit::{Audit, DataEdition, FlowCoverage, PackEdition, Tool};
use farshore_model::flow::Protection;
use farshore_model::{Date, Ledger};

use crate::parties::Datasets;
use crate::policy::pack::Pack;
use crate::policy::{self, Scope};
use crate::{destinations, ech, exposure, naming};

/// What an audit is judged with, beside the ledger.
pub struct Circumstances<'a> {
    /// Who and where.
    pub data: &'a Datasets,
    /// Which clauses.
    pub packs: &'a [Pack],
    /// What the capture covered, if that was declared.
    pub scope: Option<&'a Scope>,
    /// The day whose facts count; `None`: the day of the first frame.
    pub as_of: Option<Date>,
    /// The version of the program.
    pub version: &'a str,
    /// Whether values are shown as they are.
    pub show_pii: bool,
}

/// Judges a ledger.
pub fn judge(mut ledger: Ledger, with: &Circumstances<'_>) -> Audit {
    let first = ledger.inputs.iter().filter_map(|it| it.first).min();
    let as_of = with.as_of.or(first.map(|it| it.date()));
    ech::settle(&mut ledger);
    let names = naming::names(&ledger);
    let (destinations, of_flow) = destinations::destinations(&ledger, &names, with.data, as_of);
    let exposures = exposure::exposures(&ledger, &destinations, &of_flow);
    let verdicts = with
        .packs
        .iter()
        .flat_map(|pack| policy::verdicts(pack, &exposures, &destinations, &ledger, with.scope))
        .collect();
    Audit {
        tool: tool(with),
        flow_coverage: flow_coverage(&ledger),
        flow_names: names.into_iter().map(|it| it.names).collect(),
        destinations,
        exposures,
        verdicts,
        show_pii: with.show_pii,
        inputs: ledger.inputs,
        coverage: ledger.coverage,
        anomalies: ledger.anomalies,
        flows: ledger.flows,
        observations: ledger.observations,
    }
}

fn tool(with: &Circumstances<'_>) -> Tool {
    Tool {
        version: with.version.to_owned(),
        data: with
            .data
            .describe()
            .into_iter()
            .map(|it| DataEdition {
                name: it.name,
                edition: it.edition,
                licence: it.licence,
                attribution: it.attribution,
                sha256: it.sha256,
            })
            .collect(),
        packs: with
            .packs
            .iter()
            .map(|it| PackEdition {
                id: it.id.clone(),
                version: it.version.clone(),
            })
            .collect(),
    }
}

fn flow_coverage(ledger: &Ledger) -> FlowCoverage {
    let mut sum = FlowCoverage::default();
    for flow in &ledger.flows {
        sum.total = sum.total.saturating_add(1);
        let part = match flow.protection {
            Protection::Plaintext => &mut sum.plaintext,
            Protection::Tls | Protection::Quic | Protection::Dtls | Protection::Srtp => &mut sum.encrypted,
            Protection::Opaque => &mut sum.opaque,
            Protection::Empty => &mut sum.empty,
        };
        *part = part.saturating_add(1);
    }
    sum
}
