//! What may be typed. Nothing is opened or looked up here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use farshore::Filter;

use crate::data::Entry;
use crate::diagnose;
use crate::output;

/// Where does this app's data land, who can read it on the way, and whose law reaches it?
#[derive(Debug, Parser)]
#[command(name = "farshore", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

impl Args {
    /// What was typed; what cannot be is refused here, and the program ends.
    pub(crate) fn typed() -> Self {
        // Of all verbs that read inputs, this one can do without a named one.
        let command = Self::command().mut_subcommand("watch", |it| {
            it.mut_arg("inputs", |it| {
                let help = "A capture that comes by a pipe: `-` for standard input, or a pipe with a name";
                it.required_unless_present("interface").help(help)
            })
        });
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|it| it.exit())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Who receives what, where, readable by whom, judged
    Audit(Box<Audit>),
    /// The same for CI: what is breached or cannot be told; the exit code is the answer
    ///
    /// Exit codes: 0 nothing breached and nothing undetermined, what is waived and notes aside; 1 a clause is breached; 2 could not run; 3 nothing
    /// breached, something undetermined that no waiver covers
    Check(Box<Check>),
    /// Find the identifiers nobody named, by comparing captures
    Discover(Box<Discover>),
    /// What a fix changed: fixed, not-fixed, new or not-exercised, per exposure, destination and clause
    Diff(Box<Diff>),
    /// What is known of one party: claims, disagreement, owner, legal reach
    Who(Who),
    /// Block rules written from an audit, and what else they would stop
    Rules(Box<Rules>),
    /// Signed evidence, and its check by a stranger
    Bundle(Bundle),
    /// Newer editions of the data that places addresses, kept for every later audit
    Data(Data),
    /// Audit what comes while it comes: what is new is told at once, the report when it ends
    ///
    /// Ends with Ctrl-C, after --for, or with the capture. Capturing is left to dumpcap (of Wireshark) or tcpdump, whichever is found, in a
    /// process of its own; a capture made elsewhere comes by a pipe: `ssh router tcpdump -U -w - | farshore watch -r -`
    Watch(Box<Watch>),
    /// What is built in: packs, data, protocols, formats
    List(List),
}

impl Verb {
    /// What the user knows of addresses, if the verb asks where they are.
    pub(crate) fn atlas(&mut self) -> Option<&mut Atlas> {
        match self {
            Self::Audit(it) => Some(&mut it.audited.atlas),
            Self::Watch(it) => Some(&mut it.audit.audited.atlas),
            Self::Check(it) => Some(&mut it.audited.atlas),
            Self::Diff(it) => Some(&mut it.side.atlas),
            Self::Who(it) => Some(&mut it.atlas),
            Self::Rules(it) => Some(&mut it.atlas),
            Self::Bundle(it) => match &mut it.what {
                BundleVerb::Make(it) => Some(&mut it.audited.atlas),
                BundleVerb::Verify(_) => None,
            },
            Self::Discover(_) | Self::Data(_) | Self::List(_) => None,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) audited: Audited,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = Format::Terminal, help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) beside: Beside,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// Capture on this interface
    #[arg(short, long, value_name = "IFACE", conflicts_with_all = ["inputs", "read"])]
    pub(crate) interface: Option<String>,
    /// End after so long, such as 30s, 10m or 2h
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) audit: Audit,
}

/// A number and its unit: seconds, minutes or hours.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a whole number and s, m or h: 30s, 10m, 2h".to_owned();
    let (number, unit) = text
        .char_indices()
        .next_back()
        .map(|(at, _)| text.split_at(at))
        .ok_or_else(expected)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    let all = number.checked_mul(seconds).filter(|it| *it > 0);
    all.map(Duration::from_secs).ok_or_else(expected)
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) audited: Audited,

    /// Count only what is new since this audit, as --format json wrote it
    #[arg(long, value_name = "AUDIT.json", help_heading = "Judging")]
    pub(crate) baseline: Option<PathBuf>,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = CheckFormat::Terminal, help_heading = "Output")]
    pub(crate) format: CheckFormat,
    #[command(flatten)]
    pub(crate) beside: Beside,
}

/// What is audited, and how: the same for every verb that audits.
#[derive(Debug, clap::Args)]
pub(crate) struct Audited {
    #[command(flatten)]
    pub(crate) input: Inputs,

    /// Values to look for, in TOML: [[known]] name, kind, value
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) known: Vec<PathBuf>,
    /// What the operator says it sends, in TOML: recipients, countries, fields. What is there beside them is listed
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) declared: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) atlas: Atlas,
    /// Where the captures were taken, a point or a country: round trips then rule places out. The label `vantage` of an input
    /// goes before it
    #[arg(long, value_name = "LAT,LON|CC", allow_hyphen_values = true, help_heading = "What is known")]
    pub(crate) vantage: Option<String>,

    /// Only what this app sent, where the capture tells apps apart (PCAPdroid, PKTAP)
    #[arg(long, value_name = "NAME", help_heading = "What is known")]
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) frames: Frames,

    /// Judge by this pack: a built-in one, or a file
    #[arg(long, value_name = "PACK|FILE", help_heading = "Judging")]
    pub(crate) policy: Vec<String>,
    /// What the capture covered, in TOML; without it nothing is ever `met`
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    pub(crate) scope: Option<PathBuf>,
    /// Whose data it is, in TOML: residence, market, us_person; what is left out is unknown
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    pub(crate) subject: Option<PathBuf>,
    /// What data may go on, in TOML: [[basis]] kind (consent, approval, scc, bcr, adequacy, assessment, contract), fields, recipients, countries,
    /// from, until; complete = true says that these are all
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    pub(crate) basis: Option<PathBuf>,
    /// What somebody answers for, in TOML: [[waive]] pack, clause, subject, reason, until. It is listed, and never `met`
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    pub(crate) waivers: Option<PathBuf>,
    /// What others say against it, in TOML: [[reply]] by, date, statement, source, and what it is about (pack, clause, subject). It is shown
    /// beside what was found, and moves no verdict
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    pub(crate) replies: Option<PathBuf>,
    /// Judge dated facts, and which waivers hold, as of this day (default: the day of the capture)
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Judging")]
    pub(crate) as_of: Option<String>,

    /// Show values as they are (default: masked)
    #[arg(long, help_heading = "Output")]
    pub(crate) show_pii: bool,
    /// Add digests of found values, HMAC-SHA-256 under the key in this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) digest_key: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) effort: Effort,
    #[command(flatten)]
    pub(crate) voice: Voice,
}

impl Audited {
    /// The flags that decide over what an audit says, to be typed again: in one order, files by the names that `called` gives
    /// them for their flag. Whoever adds a flag decides here whether it is one of these.
    pub(crate) fn again(&self, called: &dyn Fn(&str, &Path) -> Option<String>) -> Vec<String> {
        let Self {
            input:
                Inputs {
                    inputs: _,
                    read: _,
                    numeric: _,
                    labels,
                    label,
                    keys,
                },
            known,
            declared,
            atlas:
                Atlas {
                    mmdb,
                    ranges,
                    overrides,
                    no_imported: _,
                    imported,
                },
            vantage,
            app,
            frames: Frames { filter },
            policy,
            scope,
            subject,
            basis,
            waivers,
            replies,
            as_of,
            show_pii,
            digest_key,
            effort: Effort { jobs: _, limit },
            voice: _,
        } = self;
        let mut all = Vec::new();
        let mut files = |flag: &str, paths: &mut dyn Iterator<Item = &Path>| {
            let names = paths.map(|it| called(flag, it).unwrap_or_else(|| it.display().to_string()));
            all.extend(names.map(|name| format!("--{flag}={name}")));
        };
        files("known", &mut known.iter().map(PathBuf::as_path));
        files("declared", &mut declared.iter().map(PathBuf::as_path));
        files("labels", &mut labels.iter().map(PathBuf::as_path));
        files("keys", &mut keys.iter().map(PathBuf::as_path));
        // Whoever does it again has imported nothing, or something else: what was is named.
        let imported = |flag: &'static str| imported.iter().filter(move |it| it.flag() == flag).map(|it| it.path.as_path());
        files("mmdb", &mut imported("mmdb").chain(mmdb.iter().map(PathBuf::as_path)));
        files("ranges", &mut imported("ranges").chain(ranges.iter().map(PathBuf::as_path)));
        files("overrides", &mut overrides.iter().map(PathBuf::as_path));
        files("policy", &mut policy.iter().map(Path::new));
        files("scope", &mut scope.iter().map(PathBuf::as_path));
        files("subject", &mut subject.iter().map(PathBuf::as_path));
        files("basis", &mut basis.iter().map(PathBuf::as_path));
        files("waivers", &mut waivers.iter().map(PathBuf::as_path));
        files("replies", &mut replies.iter().map(PathBuf::as_path));
        files("digest-key", &mut digest_key.iter().map(PathBuf::as_path));
        let mut values = |flag: &str, values: &[String]| all.extend(values.iter().map(|it| format!("--{flag}={it}")));
        values("label", label);
        values("vantage", vantage.as_slice());
        values("app", app.as_slice());
        values("filter", filter.as_slice());
        values("as-of", as_of.as_slice());
        values("limit", limit);
        all.extend(show_pii.then(|| "--show-pii".to_owned()));
        all
    }
}

/// What is written of an audit, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Beside {
    /// Further sections of the JSON formats
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTION,…", help_heading = "Output")]
    pub(crate) with: Vec<Section>,
    /// Write what can be recovered to files in this folder: `audio`, a WAV file for each stream that is sound. Inputs are read twice
    #[arg(long, num_args = 2, value_names = ["WHAT", "DIR"], help_heading = "Output")]
    pub(crate) extract: Vec<PathBuf>,
    /// Also write who can be linked to whom to this file, in GraphML
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) links: Option<PathBuf>,
    /// Also write the frames that were read, those that fit -f, to this file, as pcapng; of one capture
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) write: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) out: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Bundle {
    #[command(subcommand)]
    pub(crate) what: BundleVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BundleVerb {
    /// Audit the inputs and sign what was found
    ///
    /// Writes one archive: a signed statement with the digests of all there is, the audit as report.json and report.html, and the
    /// files that declare something (--scope, --declared, --policy, --overrides, --waivers, --replies). The inputs, key logs, known values, and what was told of
    /// people (--subject, --basis), are told by their SHA-256 and stay where they are.
    #[command(arg_required_else_help = true)]
    Make(Box<BundleMake>),
    /// Check who signed, that nothing was changed and, given the inputs, that the audit comes out the same
    ///
    /// Exit codes: 0 genuine, 1 not, or no --signer to be told by, 2 could not run, 3 cannot re-run: another version or data edition
    /// than the bundle's, or a file it takes was not given
    #[command(arg_required_else_help = true)]
    Verify(Box<BundleVerify>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct BundleMake {
    #[command(flatten)]
    pub(crate) audited: Audited,

    /// Sign with this key: OpenSSH, Ed25519 or ECDSA P-256, without a passphrase (`ssh-keygen -t ed25519` makes one)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) key: PathBuf,
    /// Write the bundle to this file, whole or not at all
    #[arg(short, long, value_name = "BUNDLE", help_heading = "Output")]
    pub(crate) output: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long, help_heading = "Output")]
    pub(crate) force: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BundleVerify {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// The inputs it was made of, in any order and of any name, or folders of them: the audit is then done again
    #[arg(value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Whose key must have signed: an OpenSSH public key (`.pub`), or lines as allowed_signers and authorized_keys have them
    #[arg(long, value_name = "PUBKEY")]
    pub(crate) signer: Option<PathBuf>,

    /// The values that were looked for
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) known: Vec<PathBuf>,
    /// The key logs
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) keys: Vec<PathBuf>,
    /// The key of the digests of found values
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) digest_key: Vec<PathBuf>,
    /// Whose data it is
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) subject: Vec<PathBuf>,
    /// The records of what data may go on
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) basis: Vec<PathBuf>,
    /// The location databases
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) mmdb: Vec<PathBuf>,
    /// The operators' lists
    #[arg(long, value_name = "FILE", help_heading = "Files the bundle names and does not hold")]
    pub(crate) ranges: Vec<PathBuf>,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = ListFormat::Terminal, help_heading = "Output")]
    pub(crate) format: ListFormat,
    /// Write to this file, whole or not at all
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the file if it is there
    #[arg(long, help_heading = "Output")]
    pub(crate) force: bool,
    /// Threads that read and write side by side (default: as many as there are processors)
    #[arg(long, value_name = "N", help_heading = "Running")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Running")]
    pub(crate) quiet: bool,
}

impl Audited {
    /// These inputs, with nothing known of them and nothing written: whoever asks does that.
    fn of(input: Inputs, effort: &Effort, voice: Voice) -> Self {
        Self {
            input,
            known: Vec::new(),
            declared: None,
            atlas: Atlas::default(),
            vantage: None,
            app: None,
            frames: Frames::default(),
            policy: Vec::new(),
            scope: None,
            subject: None,
            basis: None,
            waivers: None,
            replies: None,
            as_of: None,
            show_pii: false,
            digest_key: None,
            effort: effort.clone(),
            voice,
        }
    }
}

/// What to read.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Inputs {
    /// Captures (pcap, pcapng), recordings (HAR, mitmproxy), flow logs, folders of them, or `-` for standard input
    #[arg(value_name = "INPUT", required_unless_present = "read")]
    inputs: Vec<PathBuf>,
    /// Read this capture (the same as INPUT)
    #[arg(short, long, value_name = "FILE")]
    read: Vec<PathBuf>,
    /// No name lookups (the default: farshore never uses the network)
    #[arg(short = 'n', hide = true)]
    numeric: bool,
    /// What is known of the inputs, in CSV: a column `input`, then any of user, room, device, build, state and others; empty: unknown
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) labels: Option<PathBuf>,
    /// What is known of all inputs
    #[arg(long, value_name = "KEY=VALUE", help_heading = "What is known")]
    pub(crate) label: Vec<String>,
    /// Secrets of TLS, QUIC and DTLS sessions: a key log in the NSS format, as SSLKEYLOGFILE makes it; those inside a pcapng are used
    /// without asking
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) keys: Vec<PathBuf>,
}

impl Inputs {
    /// All that is named, `-r` first.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.read.iter().chain(&self.inputs).cloned().collect()
    }
}

/// Which frames of captures are read.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Frames {
    /// Read only the frames that fit this capture filter, in tcpdump's language: 'tcp port 443 and not net 192.0.2.0/24'. What is
    /// left out is counted, and nothing is `met`
    #[arg(short, long, value_name = "FILTER", help_heading = "Running")]
    filter: Option<String>,
}

impl Frames {
    /// The filter in words.
    pub(crate) fn words(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// The capture filter; a mistake is drawn where it stands.
    pub(crate) fn filter(&self) -> anyhow::Result<Option<Arc<Filter>>> {
        let read = |text: &String| {
            Filter::read(text)
                .map(Arc::new)
                .map_err(|it| diagnose::mistake(Path::new("-f"), text, &it.message, Some(it.span)))
        };
        self.filter.as_ref().map(read).transpose()
    }
}

/// Where the answer goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// Write to this file, whole or not at all (`-`: standard output)
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Overwrite files that are there: the output, and what is extracted
    #[arg(long, help_heading = "Output")]
    pub(crate) force: bool,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(crate) color: Color,
}

impl Output {
    /// The file the answer goes to; none: standard output.
    pub(crate) fn file(&self) -> Option<&Path> {
        output::named(self.output.as_deref())
    }

    /// Whether standard output was asked for in so many words.
    pub(crate) fn is_dash(&self) -> bool {
        output::is_dash(self.output.as_deref())
    }
}

/// How much reading may take.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Effort {
    /// Threads that read and write side by side (default: as many as there are processors)
    #[arg(long, value_name = "N", help_heading = "Running")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Set a ceiling of reading or of looking for values, such as body-bytes=1000000
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Running")]
    pub(crate) limit: Vec<String>,
}

impl Effort {
    /// How many threads there may be.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, std::num::NonZeroUsize::get)
    }

    /// The ceilings that were set, where they are such.
    pub(crate) fn limits(&self) -> BTreeMap<String, u64> {
        let pairs = self.limit.iter().filter_map(|it| it.split_once('='));
        pairs
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }
}

/// How much is said on the way.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Voice {
    /// Say more on standard error
    #[arg(short, long, action = ArgAction::Count, help_heading = "Running")]
    pub(crate) verbose: u8,
    /// Say nothing on standard error but errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Running")]
    pub(crate) quiet: bool,
}

/// What the user knows of addresses.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Atlas {
    /// Location databases to ask beside those built in, in the MMDB form (MaxMind, DB-IP, IPinfo)
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) mmdb: Vec<PathBuf>,
    /// Operators' own lists of where their ranges are: ip-ranges.json, cloud.json, ServiceTags, public_ip_ranges.json, a geofeed
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) ranges: Vec<PathBuf>,
    /// Where addresses are, against all sources, in TOML: [[override]] address, country, reason
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    pub(crate) overrides: Vec<PathBuf>,
    /// Ask what is built in and what is named here alone, and nothing that `farshore data import` keeps
    #[arg(long, help_heading = "What is known")]
    pub(crate) no_imported: bool,
    /// What it keeps.
    #[arg(skip)]
    pub(crate) imported: Vec<Entry>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Discover {
    #[command(flatten)]
    pub(crate) input: Inputs,

    /// Ask no protocol: take all payload for that of an undocumented one, and name places by their bytes alone
    #[arg(long, conflicts_with = "keys", help_heading = "What is known")]
    pub(crate) opaque: bool,
    #[command(flatten)]
    pub(crate) frames: Frames,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = DiscoverFormat::Terminal, help_heading = "Output")]
    pub(crate) format: DiscoverFormat,

    #[command(flatten)]
    pub(crate) out: Output,
    #[command(flatten)]
    pub(crate) effort: Effort,
    #[command(flatten)]
    pub(crate) voice: Voice,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// What was before: a capture, a folder of captures, or an audit saved with --format json
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// What is after, likewise
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
    #[command(flatten)]
    pub(crate) side: Side,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = DiffFormat::Terminal, help_heading = "Output")]
    pub(crate) format: DiffFormat,
    #[command(flatten)]
    pub(crate) out: Output,
    #[command(flatten)]
    pub(crate) effort: Effort,
    #[command(flatten)]
    pub(crate) voice: Voice,
}

/// What captures of both sides are audited with; a saved audit stands as it was made.
#[derive(Debug, clap::Args)]
pub(crate) struct Side {
    /// What is known of the inputs, in CSV: a column `input`, then any of user, room, device, app, build, state and others; empty: unknown
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    labels: Option<PathBuf>,
    /// What is known of all inputs
    #[arg(long, value_name = "KEY=VALUE", help_heading = "What is known")]
    label: Vec<String>,
    /// Secrets of TLS, QUIC and DTLS sessions of either side: a key log in the NSS format
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    keys: Vec<PathBuf>,
    /// Values to look for, in TOML: [[known]] name, kind, value
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    known: Vec<PathBuf>,
    #[command(flatten)]
    atlas: Atlas,
    /// Where the captures were taken, a point or a country
    #[arg(long, value_name = "LAT,LON|CC", allow_hyphen_values = true, help_heading = "What is known")]
    vantage: Option<String>,
    /// Only what this app sent, where the captures tell apps apart (PCAPdroid, PKTAP)
    #[arg(long, value_name = "NAME", help_heading = "What is known")]
    app: Option<String>,
    /// Judge by this pack: a built-in one, or a file
    #[arg(long, value_name = "PACK|FILE", help_heading = "Judging")]
    policy: Vec<String>,
    /// What the captures covered, in TOML; without it nothing is ever `met`
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    scope: Option<PathBuf>,
    /// Whose data it is, in TOML: residence, market, us_person
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    subject: Option<PathBuf>,
    /// What data may go on, in TOML: [[basis]] kind, fields, recipients, countries, from, until
    #[arg(long, value_name = "FILE", help_heading = "Judging")]
    basis: Option<PathBuf>,
    /// Judge dated facts as of this day (default: the day of the capture)
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Judging")]
    as_of: Option<String>,
    /// The key of the digests in a saved audit, to compare its values with those of a capture
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    digest_key: Option<PathBuf>,
}

impl Diff {
    /// The audit of a side that is no saved one.
    pub(crate) fn audited(&self, input: &std::path::Path) -> Audited {
        let side = &self.side;
        let input = Inputs {
            inputs: vec![input.to_owned()],
            read: Vec::new(),
            numeric: false,
            labels: side.labels.clone(),
            label: side.label.clone(),
            keys: side.keys.clone(),
        };
        Audited {
            known: side.known.clone(),
            atlas: side.atlas.clone(),
            vantage: side.vantage.clone(),
            app: side.app.clone(),
            policy: side.policy.clone(),
            scope: side.scope.clone(),
            subject: side.subject.clone(),
            basis: side.basis.clone(),
            as_of: side.as_of.clone(),
            digest_key: side.digest_key.clone(),
            ..Audited::of(input, &self.effort, self.voice)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// A screen: what got worse first
    Terminal,
    /// One object, schema farshore.diff/1
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Who {
    /// Addresses, prefixes, host names, AS numbers (AS15169); or `-`: one a line on standard input
    #[arg(value_name = "ADDR|HOST", required = true)]
    pub(crate) names: Vec<String>,

    /// Tell the law as it was on this day (default: no day, so no law is known to be in force)
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) as_of: Option<String>,
    #[command(flatten)]
    pub(crate) atlas: Atlas,

    /// How to write the answer (default: terminal; of standard input ndjson)
    #[arg(long, value_enum, help_heading = "Output")]
    pub(crate) format: Option<WhoFormat>,

    #[command(flatten)]
    pub(crate) out: Output,
    #[command(flatten)]
    pub(crate) voice: Voice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhoFormat {
    /// A screen each
    Terminal,
    /// One object, schema farshore.who/1
    Json,
    /// One object a line
    Ndjson,
    /// A line each: address, countries, state, network, organisation
    Tsv,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rules {
    #[command(flatten)]
    input: Inputs,

    /// What to deny, several being one or the other: country=CN, org=agora, owner-state=CN, host=api.example, host=*.example (all
    /// names below, and not the name itself), destination=d3
    #[arg(long, value_name = "EXPR", required = true, num_args = 1.., help_heading = "Rules")]
    pub(crate) deny: Vec<String>,
    /// What to write rules for
    #[arg(long, value_enum, help_heading = "Rules")]
    pub(crate) format: RulesFormat,
    /// What happens to what a rule fits (default: drop)
    #[arg(long, value_enum, help_heading = "Rules")]
    pub(crate) action: Option<RulesAction>,
    /// What to do about destinations of which it cannot be told whether they are meant
    #[arg(long, value_enum, default_value_t = InDoubt::Allow, help_heading = "Rules")]
    pub(crate) in_doubt: InDoubt,
    /// Tell what the rules would stop of the inputs' flows, and what else; the rules themselves are written with -o alone
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "terminal", value_name = "FORMAT", help_heading = "Rules")]
    pub(crate) simulate: Option<SimulationFormat>,

    #[command(flatten)]
    atlas: Atlas,
    /// Where the captures were taken, a point or a country: round trips then rule places out. The label `vantage` of an input
    /// goes before it
    #[arg(long, value_name = "LAT,LON|CC", allow_hyphen_values = true, help_heading = "What is known")]
    vantage: Option<String>,
    /// Only what this app sent, where the capture tells apps apart (PCAPdroid, PKTAP)
    #[arg(long, value_name = "NAME", help_heading = "What is known")]
    app: Option<String>,
    /// Take dated facts as of this day (default: the day of the capture)
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "What is known")]
    as_of: Option<String>,

    #[command(flatten)]
    pub(crate) out: Output,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    pub(crate) voice: Voice,
}

impl Rules {
    /// What is to be read.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.input.paths()
    }

    /// A flag that was given and means captures alone.
    pub(crate) fn of_captures(&self) -> Option<&'static str> {
        let (input, atlas) = (&self.input, &self.atlas);
        let given = [
            ("--keys", !input.keys.is_empty()),
            ("--labels", input.labels.is_some()),
            ("--label", !input.label.is_empty()),
            ("--mmdb", !atlas.mmdb.is_empty()),
            ("--ranges", !atlas.ranges.is_empty()),
            ("--overrides", !atlas.overrides.is_empty()),
            ("--no-imported", atlas.no_imported),
            ("--vantage", self.vantage.is_some()),
            ("--app", self.app.is_some()),
            ("--as-of", self.as_of.is_some()),
            ("--limit", !self.effort.limit.is_empty()),
        ];
        given.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// The audit that rules are written from.
    pub(crate) fn audited(&self) -> Audited {
        Audited {
            atlas: self.atlas.clone(),
            vantage: self.vantage.clone(),
            app: self.app.clone(),
            as_of: self.as_of.clone(),
            ..Audited::of(self.input.clone(), &self.effort, self.voice)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesFormat {
    /// A policy of Cilium for Kubernetes, by address
    Cilium,
    /// Lines of /etc/hosts, by name
    Hosts,
    /// A table of nftables, by address
    Nftables,
    /// A response policy zone for resolvers, by name
    Rpz,
    /// Rules of Suricata, by name, else by address
    Suricata,
}

impl RulesFormat {
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Cilium => "cilium",
            Self::Hosts => "hosts",
            Self::Nftables => "nftables",
            Self::Rpz => "rpz",
            Self::Suricata => "suricata",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesAction {
    /// Thrown away, or not answered
    Drop,
    /// Refused (nftables, suricata)
    Reject,
    /// Let go, and told of (suricata)
    Alert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InDoubt {
    /// Let them be, and tell
    Allow,
    /// Deny them too, and tell
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimulationFormat {
    /// A screen
    Terminal,
    /// One object, schema farshore.rules/1
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    pub(crate) what: DataVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Take a newer edition: a location database (MMDB), a geofeed, a cloud's own list of its ranges
    ///
    /// The file is read whole, and kept in $FARSHORE_DATA, else $XDG_DATA_HOME/farshore, else ~/.local/share/farshore. Every later audit, check, diff,
    /// who, rules and bundle make asks it as if it had been named (--mmdb, --ranges), until it is replaced or removed, or --no-imported is given.
    /// Nothing is fetched.
    #[command(arg_required_else_help = true)]
    Import(Import),
    /// What is imported
    List(Kept),
    /// Keep an edition no more
    #[command(arg_required_else_help = true)]
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The file: MaxMind's, DB-IP's or IPinfo's MMDB, ip-ranges.json, cloud.json, ServiceTags, public_ip_ranges.json, or a geofeed
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Its licence, to be told with it
    #[arg(long, value_name = "NAME")]
    pub(crate) licence: Option<String>,
    /// What to keep it as, so that several editions of a set can be kept (default: what the file calls itself; a geofeed: the file's name)
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Take an edition that is older than what there is
    #[arg(long)]
    pub(crate) force: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Kept {
    /// How to write it
    #[arg(long, value_enum, default_value_t = ListFormat::Terminal)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// As `farshore data list` names it
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// What to list
    #[arg(value_enum)]
    pub(crate) what: Listing,
    /// How to write it
    #[arg(long, value_enum, default_value_t = ListFormat::Terminal)]
    pub(crate) format: ListFormat,
    /// Tell the age of data on this day (default: the day of the newest set)
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) as_of: Option<String>,
    /// Of packs: read this one instead, and show where it is mistaken
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
    /// Of data: leave out what `farshore data import` keeps
    #[arg(long)]
    pub(crate) no_imported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    /// Policy packs, with their clauses
    Packs,
    /// Data sets, with edition, age, licence and size
    Data,
    /// Protocols that are read
    Protocols,
    /// Input formats that are read
    Formats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Terminal,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A finding that fits a screen
    Terminal,
    /// One object, schema farshore.audit/1
    Json,
    /// The same, one object a line
    Ndjson,
    /// One self-contained page
    Html,
    /// For an issue or a mail
    Markdown,
    /// SARIF 2.1.0, for code-scanning views
    Sarif,
}

impl Format {
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Sarif => "sarif",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscoverFormat {
    /// A finding that fits a screen
    Terminal,
    /// One object, schema farshore.audit/1
    Json,
    /// The same, one object a line
    Ndjson,
    /// One self-contained page
    Html,
}

impl DiscoverFormat {
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Html => "html",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// What is breached or cannot be told, for a log
    Terminal,
    /// The audit, schema farshore.audit/1
    Json,
    /// SARIF 2.1.0, for code-scanning views
    Sarif,
    /// JUnit XML, as Jenkins and GitLab read it
    Junit,
    /// Workflow commands of GitHub Actions
    Github,
}

impl CheckFormat {
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Terminal => "check",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Github => "github",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    Flows,
    Observations,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}
