//! What a ledger means: parties, exposures, verdicts. A pure function of the ledger, the data and the packs.

use crate::ledger::{Anomaly, InputRecord};
use crate::observation::Observed;
use crate::party::Destination;
use crate::verdict::Baseline;
use crate::{Coverage, Discovery, Exposure, Flow, Link, Reply, Rows, Talk, Undeclared, Verdict, Waiver, WireText};

/// What it means.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// The program and the data it judged with.
    pub tool: Tool,
    /// The inputs.
    pub inputs: Vec<InputRecord>,
    /// What could be seen and what could not.
    pub coverage: Coverage,
    /// Flows by how their content stood.
    pub flow_coverage: FlowCoverage,
    /// Who received something, by first frame.
    pub destinations: Vec<Destination>,
    /// What reached whom, how protected.
    pub exposures: Vec<Exposure>,
    /// Identifiers nobody named; `None`: they were not searched for.
    pub discovery: Option<Discovery>,
    /// Who can be linked to whom; `None`: that was not searched for.
    pub links: Option<Vec<Link>>,
    /// What was sent while nobody asked for anything, or after consent was refused.
    pub talk: Vec<Talk>,
    /// What a declaration leaves out; `None`: there was none.
    pub undeclared: Option<Vec<Undeclared>>,
    /// Oddities.
    pub anomalies: Vec<Anomaly>,
    /// Outcomes.
    pub verdicts: Vec<Verdict>,
    /// What was waived, in the order of the file; `None`: there was none.
    pub waivers: Option<Vec<Waiver>>,
    /// What others say against it, in the order of the file; `None`: nothing was handed in.
    pub replies: Option<Vec<Reply>>,
    /// What an audit made before leaves of it; `None`: there was none.
    pub baseline: Option<Baseline>,
    /// The flows, as in the ledger.
    pub flows: Rows<Flow>,
    /// Names of each flow, best first, by the index of the flow.
    pub flow_names: Vec<Vec<FlowName>>,
    /// The facts, as in the ledger.
    pub observations: Rows<Observed>,
    /// Whether values are shown as they are.
    pub show_pii: bool,
}

/// The program, and what it judged with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its version.
    pub version: String,
    /// The data sets.
    pub data: Vec<DataEdition>,
    /// The packs.
    pub packs: Vec<PackEdition>,
    /// What tells the keys of digests apart; `None`: there are no digests.
    pub digest_key: Option<String>,
}

/// A data set in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataEdition {
    /// Its name.
    pub name: String,
    /// Its edition.
    pub edition: String,
    /// Its licence.
    pub licence: String,
    /// The attribution its licence asks for.
    pub attribution: String,
    /// SHA-256 of the embedded bytes, in hex.
    pub sha256: String,
    /// The date its facts are of.
    pub as_of: String,
    /// Whether that is another time than the capture's.
    pub stale: Option<Stale>,
}

/// An edition of another time than the capture, by so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Than the first frame, and by more than a year.
    Older(u64),
    /// Than the last frame.
    Younger(u64),
}

/// A pack in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackEdition {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// Flows by how their content stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCoverage {
    /// All.
    pub total: u64,
    /// Read as they are.
    pub plaintext: u64,
    /// Encrypted by a known protocol and not opened.
    pub encrypted: u64,
    /// Opened with keys.
    pub decrypted: u64,
    /// In no known format.
    pub opaque: u64,
    /// Without payload.
    pub empty: u64,
    /// Known from flow logs alone.
    pub unknown: u64,
}

/// A name of a flow's server, and what told it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowName {
    /// The name.
    pub name: WireText,
    /// What told it.
    pub via: NameVia,
    /// The frame.
    pub frame: u64,
}

/// What told a name. The order is that of trust for naming a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameVia {
    /// TLS server name indication.
    Sni,
    /// The same in QUIC.
    QuicSni,
    /// The same in Google's QUIC.
    GquicSni,
    /// The same in DTLS.
    DtlsSni,
    /// HTTP Host or authority.
    HttpHost,
    /// What a SOCKS proxy was asked to connect to.
    Socks,
    /// Agora's SD-RTN.
    SdRtn,
    /// The only live DNS answer this client had for the address.
    Dns,
    /// The server's certificate.
    Certificate,
}
