//! Tool, inputs and coverage in version 1.

use std::collections::BTreeMap;

use serde::Serialize;

use farshore_model::ledger::InputRecord;
use farshore_model::row::{LogRecord, Sampling};

use crate::Audit;
use crate::words::{Taken, Word as _};

/// `tool`.
#[derive(Serialize)]
pub struct Tool<'a> {
    version: &'a str,
    data: Vec<Data<'a>>,
    packs: Vec<Pack<'a>>,
    /// Digests of audits that have the same here can be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Data<'a> {
    name: &'a str,
    edition: &'a str,
    licence: &'a str,
    sha256: &'a str,
    attribution: &'a str,
    as_of: &'a str,
    /// Why its facts may not be those of the capture's time.
    stale: Option<String>,
}

#[derive(Serialize)]
struct Pack<'a> {
    id: &'a str,
    version: &'a str,
}

impl<'a> Tool<'a> {
    /// Of an audit.
    pub fn new(audit: &'a Audit) -> Self {
        let data = audit.tool.data.iter().map(|it| Data {
            name: &it.name,
            edition: &it.edition,
            licence: &it.licence,
            sha256: &it.sha256,
            attribution: &it.attribution,
            as_of: &it.as_of,
            stale: it.stale.map(|it| format!("{} than the capture", crate::findings::age(it))),
        });
        let packs = audit.tool.packs.iter().map(|it| Pack {
            id: &it.id,
            version: &it.version,
        });
        Self {
            version: &audit.tool.version,
            data: data.collect(),
            packs: packs.collect(),
            digest_key: audit.tool.digest_key.as_deref(),
        }
    }
}

/// One of `inputs`.
#[derive(Serialize)]
pub struct Input<'a> {
    path: &'a str,
    sha256: &'a str,
    format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// Of its frames on the wire; of records, those they tell of.
    bytes: u64,
    file_bytes: u64,
    first: Option<String>,
    last: Option<String>,
    cut_short: bool,
    labels: &'a BTreeMap<String, String>,
    notes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Log>,
    #[serde(skip_serializing_if = "Option::is_none")]
    world: Option<&'a str>,
}

impl<'a> Input<'a> {
    /// Of an input's record.
    pub fn new(it: &'a InputRecord) -> Self {
        let log = is_log(it.format);
        Self {
            path: &it.name,
            sha256: &it.sha256,
            format: it.format,
            frames: (!log).then_some(it.frames),
            rows: log.then_some(it.frames),
            bytes: it.bytes,
            file_bytes: it.file_bytes,
            first: it.first.map(|time| time.to_string()),
            last: it.last.map(|time| time.to_string()),
            cut_short: it.cut_short,
            labels: &it.labels,
            notes: it.notes.iter().map(|note| note.as_str()).collect(),
            filter: it.filter.as_ref().map(|filter| filter.as_str()),
            log: it.log.as_ref().map(Log::new),
            world: it.world.as_ref().map(|world| world.as_str()),
        }
    }
}

/// What a flow log holds beside flows, and what it leaves out.
#[derive(Serialize)]
struct Log {
    /// Rows that say that there was nothing to tell of; that others were left out.
    nodata: u64,
    skipdata: u64,
    /// Flows of rows that were rejected; `null` where the log does not tell.
    rejected: Option<u64>,
    /// Flows that several told of, counted once.
    told_again: u64,
    initiator_unknown: u64,
    longest_seconds: u64,
    sampling: &'static str,
    one_in: Option<u32>,
}

impl Log {
    fn new(it: &LogRecord) -> Self {
        Self {
            nodata: it.quiet,
            skipdata: it.skipped,
            rejected: it.tells_refusal.then_some(it.refused),
            told_again: it.told_again,
            initiator_unknown: it.unopened,
            longest_seconds: it.longest / 1_000_000_000,
            sampling: Taken::from(it.sampling).word(),
            one_in: match it.sampling {
                Sampling::OneIn(many) => Some(many),
                _ => None,
            },
        }
    }
}

/// What is counted of all inputs of an audit.
pub(crate) fn units(audit: &Audit) -> &'static str {
    let logs = audit.inputs.iter().filter(|it| is_log(it.format)).count();
    match logs {
        0 => "frame",
        _ if logs == audit.inputs.len() => "row",
        _ => "frame or row",
    }
}

/// Whether a format has rows, not frames.
pub(crate) fn is_log(format: &str) -> bool {
    matches!(
        format,
        "aws-vpc" | "gcp-vpc" | "azure-vnet" | "azure-nsg" | "netflow" | "ipfix" | "sflow" | "zeek" | "parquet" | "csv"
    )
}

/// What a format counts.
pub(crate) fn unit(format: &str) -> &'static str {
    match format {
        "har" => "entry",
        "mitmproxy" => "flow record",
        _ if is_log(format) => "row",
        _ => "frame",
    }
}

/// `coverage`.
#[derive(Serialize)]
pub struct Coverage<'a> {
    frames: Frames,
    flows: Flows,
    keys: Keys<'a>,
    gaps: Gaps,
    limits: &'a BTreeMap<&'static str, u64>,
    stops: Vec<Stop<'a>>,
    /// Searches this version does not make: what they would find is unknown, not absent.
    not_searched: &'static [&'static str],
}

#[derive(Serialize)]
struct Frames {
    total: u64,
    decoded: u64,
    stopped: u64,
    truncated: u64,
    dropped: Option<u64>,
    /// Left out by a capture filter.
    #[serde(skip_serializing_if = "is_zero")]
    filtered: u64,
}

#[derive(Serialize)]
struct Flows {
    total: u64,
    plaintext: u64,
    encrypted: u64,
    decrypted: u64,
    opaque: u64,
    empty: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unknown: u64,
}

fn is_zero(it: &u64) -> bool {
    *it == 0
}

#[derive(Serialize)]
struct Keys<'a> {
    offered: u64,
    matched: u64,
    unmatched: Vec<Unmatched<'a>>,
}

#[derive(Serialize)]
struct Unmatched<'a> {
    reason: &'a str,
    flows: u64,
}

#[derive(Serialize)]
struct Gaps {
    count: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Stop<'a> {
    reason: &'a str,
    frames: u64,
}

impl<'a> Coverage<'a> {
    /// Of an audit.
    pub fn new(audit: &'a Audit) -> Self {
        let (it, flows) = (&audit.coverage, audit.flow_coverage);
        let unmatched = it.keys.unmatched.iter().map(|(reason, flows)| Unmatched { reason, flows: *flows });
        Self {
            frames: Frames {
                total: it.frames.total,
                decoded: it.frames.decoded,
                stopped: it.frames.stopped,
                truncated: it.frames.truncated,
                dropped: it.frames.dropped,
                filtered: it.frames.filtered,
            },
            flows: Flows {
                total: flows.total,
                plaintext: flows.plaintext,
                encrypted: flows.encrypted,
                decrypted: flows.decrypted,
                opaque: flows.opaque,
                empty: flows.empty,
                unknown: flows.unknown,
            },
            keys: Keys {
                offered: it.keys.offered,
                matched: it.keys.matched,
                unmatched: unmatched.collect(),
            },
            gaps: Gaps {
                count: it.gaps.count,
                bytes: it.gaps.bytes,
            },
            limits: &it.limits,
            stops: it.stops.iter().map(|(reason, frames)| Stop { reason, frames: *frames }).collect(),
            not_searched: crate::findings::not_searched(audit),
        }
    }
}
