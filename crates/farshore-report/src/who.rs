//! What is known of parties that were asked about by name: on a screen, or a line each. The JSON forms are in
//! [`json`](crate::json).
//!
//! It tells every claim and how the claims stand to one another. It refuses to name one country where there are several,
//! and to say that anybody was ordered: a law could order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Result, Write};

use farshore_model::Answer;
use farshore_model::party::{ClaimKind, Destination, Location, LocationState, Network, Organisation, Owner, Place, Reach};

use crate::escape::{columns, visible, visible_within};
use crate::findings::{organisation, owner};
use crate::words::Word;

/// A party, and who holds the networks of its addresses, which is whoever hosts it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The party.
    pub party: &'a Destination,
    /// Its hosts with their owners, in order of the places they first appear at.
    pub hosts: &'a [(Organisation, Vec<Owner>)],
}

/// Lines of a long list that a screen shows.
const SHOWN: usize = 12;
/// Columns of the words at the left.
const LEFT: usize = 14;

/// One screen.
pub fn terminal(known: Known<'_>, color: bool, width: usize, out: &mut dyn Write) -> Result<()> {
    let it = known.party;
    let mut screen = Screen {
        color,
        width: width.clamp(40, 120),
        out,
    };
    let name = visible_within(&it.name, screen.width);
    let name = screen.bold(&name);
    writeln!(screen.out, "{name}")?;
    if let Some(domain) = it.domain.as_deref().filter(|domain| *domain != &*it.name) {
        screen.row("domain", &visible(domain))?;
    }
    match &it.organisation {
        Some(found) => screen.row("organisation", &organisation(found))?,
        None => screen.row("organisation", "not known")?,
    }
    screen.owners(&it.owners)?;
    for network in different(it.places.iter().filter_map(network_of)) {
        screen.row("network", &self::network(network))?;
    }
    if !it.places.is_empty() && it.places.iter().all(|place| place.network.is_none()) {
        screen.row("network", "not known")?;
    }
    for (host, owners) in known.hosts {
        screen.row("hosted at", &organisation(host))?;
        screen.owners(owners)?;
    }
    screen.places(it)?;
    screen.reach(&it.reach)
}

struct Screen<'a> {
    color: bool,
    width: usize,
    out: &'a mut dyn Write,
}

impl Screen<'_> {
    fn owners(&mut self, owners: &[Owner]) -> Result<()> {
        let names: Vec<String> = owners.iter().map(owner).collect();
        if names.is_empty() {
            Ok(())
        } else {
            self.row("owned by", &names.join(", above it "))
        }
    }

    fn places(&mut self, it: &Destination) -> Result<()> {
        if it.places.is_empty() {
            self.row("location", "no address is known: names are never looked up; ask for its addresses")?;
            return self.claims(&it.location);
        }
        self.row("location", &standing(&it.location))?;
        if let [place] = it.places.as_slice() {
            if let Some(special) = place.special {
                self.row("", &format!("the address is set aside: {special}"))?;
            }
        } else {
            for place in it.places.iter().take(SHOWN) {
                self.row("", &self::place(place))?;
            }
            self.rest(it.places.len())?;
        }
        // Of many places the claims would fill the screen; each stands with its place in JSON.
        if let [_] = it.places.as_slice() {
            self.claims(&it.location)?;
        }
        for out in &it.location.excluded {
            let (max, nearest) = (out.max_km, out.nearest_km);
            self.row(
                "",
                &format!("not {}: {}, {max} km at most, {nearest} km at least", out.country, out.because),
            )?;
        }
        Ok(())
    }

    fn claims(&mut self, it: &Location) -> Result<()> {
        by_country(it)
            .iter()
            .try_for_each(|(country, claims)| self.row("", &format!("{country}: {}", claims.join(", "))))
    }

    /// Laws by state, those that plainly apply first.
    fn reach(&mut self, reach: &[Reach]) -> Result<()> {
        let mut states: BTreeMap<&str, Vec<&Reach>> = BTreeMap::new();
        for it in reach {
            states.entry(it.state.code()).or_default().push(it);
        }
        if states.is_empty() {
            return self.row("legal reach", "nothing is known that ties it to a state");
        }
        let mut lines: Vec<(u8, String)> = states.into_iter().map(|(state, rows)| law(state, &rows)).collect();
        lines.sort();
        let all = lines.len();
        for (index, (_, line)) in lines.into_iter().take(SHOWN).enumerate() {
            self.row(if index == 0 { "legal reach" } else { "" }, &line)?;
        }
        self.rest(all)
    }

    fn rest(&mut self, all: usize) -> Result<()> {
        match all.saturating_sub(SHOWN) {
            0 => Ok(()),
            rest => self.row("", &format!("… and {rest} more: --format json")),
        }
    }

    /// A word at the left, and a text over as many lines as it needs.
    fn row(&mut self, word: &str, text: &str) -> Result<()> {
        let mut lines = vec![String::new()];
        let room = self.width.saturating_sub(LEFT.saturating_add(2));
        for word in text.split(' ') {
            let used = lines.last().map_or(0, |line| columns(line));
            if used > 0 && used.saturating_add(columns(word)).saturating_add(1) > room {
                lines.push("  ".to_owned());
            } else if used > 0
                && let Some(line) = lines.last_mut()
            {
                line.push(' ');
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(&visible_within(word, room.saturating_sub(2)));
            }
        }
        for (index, line) in lines.into_iter().enumerate() {
            let left = if index == 0 { word } else { "" };
            let left = self.dim(&format!("{left:LEFT$}"));
            writeln!(self.out, "{}", format!("  {left}{line}").trim_end())?;
        }
        Ok(())
    }

    fn bold(&self, text: &str) -> String {
        if self.color {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn dim(&self, text: &str) -> String {
        if self.color {
            format!("\x1b[2m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn network_of(place: &Place) -> Option<&Network> {
    place.network.as_ref().map(|it| -> &Network { it })
}

/// Each once, in order of appearance.
fn different<'a>(networks: impl Iterator<Item = &'a Network>) -> Vec<&'a Network> {
    let mut seen = BTreeSet::new();
    networks.filter(|it| seen.insert(it.asn)).take(SHOWN).collect()
}

/// `AS15169 Google LLC, registered in US`.
fn network(it: &Network) -> String {
    let registered = it
        .registered
        .map(|country| format!(", registered in {country}"))
        .unwrap_or_default();
    format!("AS{} {}{registered}", it.asn, visible_within(&it.name, 60))
}

/// `from 8.8.8.0 on: US, sources agree; AS15169`.
fn place(it: &Place) -> String {
    let network = it.network.as_ref().map(|it| format!("; AS{}", it.asn)).unwrap_or_default();
    format!("{}: {}{network}", it.address, standing(&it.location))
}

/// The set, how good it is, and why.
fn standing(it: &Location) -> String {
    let set = it.countries.iter().map(|country| country.code()).collect::<Vec<_>>().join(" or ");
    let set = if set.is_empty() { "no country".to_owned() } else { set };
    let why = match it.state {
        LocationState::Agreed => "location sources agree, which is no proof",
        LocationState::Disputed => "location sources differ",
        LocationState::Anycast => "its operator announces it from many places, so the machine differs by asker",
        LocationState::Local => return "local: the address stays within a network".to_owned(),
        LocationState::Undetermined if it.countries.is_empty() => "no location source speaks of it",
        LocationState::Undetermined => "fewer than two location sources speak of it",
    };
    format!("{set} – {}: {why}", it.state.word())
}

/// What each source says, by country. A registration says that it is no place.
fn by_country(it: &Location) -> BTreeMap<&str, Vec<String>> {
    let mut claims: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for claim in &it.claims {
        let what = match claim.kind {
            ClaimKind::Registration => "no place".to_owned(),
            ClaimKind::Name => "a hint, no place".to_owned(),
            kind => kind.word().to_owned(),
        };
        let text = format!("{} {} ({what})", visible(&claim.source), visible(&claim.edition));
        claims.entry(claim.country.code()).or_default().push(text);
    }
    claims
}

/// What a state's laws come to.
fn law(state: &str, rows: &[&Reach]) -> (u8, String) {
    let ids = |wanted: Answer| {
        let laws = rows.iter().filter(|it| it.answer == wanted).filter_map(|it| it.law.as_ref());
        laws.map(|law| visible(&law.id)).collect::<BTreeSet<_>>()
    };
    let (yes, mut open) = (ids(Answer::Yes), ids(Answer::CannotTell));
    open.retain(|id| !yes.contains(id));
    let ways: BTreeSet<&str> = rows.iter().map(|it| it.via.word()).collect();
    let ways = ways.into_iter().collect::<Vec<_>>().join(", ");
    let list = |ids: &BTreeSet<String>| ids.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    match (yes.is_empty(), open.is_empty()) {
        (false, true) => (0, format!("{state} (by {ways}): could be ordered under {}", list(&yes))),
        (false, false) => {
            let text = format!(
                "{state} (by {ways}): could be ordered under {}; cannot tell: {}",
                list(&yes),
                list(&open)
            );
            (0, text)
        }
        (true, false) => (1, format!("{state} (by {ways}): cannot tell whether under {}", list(&open))),
        (true, true) => (2, format!("{state} (by {ways}): no access law of {state} was read")),
    }
}

/// All of a line of tab-separated values but its first cell: countries, state, network, and who runs the name or, of
/// an address, who holds its network. An unknown value is an empty cell.
pub fn tsv_rest(known: Known<'_>, out: &mut dyn Write) -> Result<()> {
    let it = known.party;
    let countries = it
        .location
        .countries
        .iter()
        .map(|country| country.code())
        .collect::<Vec<_>>()
        .join(",");
    let networks = different(it.places.iter().filter_map(network_of));
    let networks = networks.iter().map(|it| format!("AS{}", it.asn)).collect::<Vec<_>>().join(",");
    let organisation = match (&it.organisation, known.hosts) {
        (Some(found), _) => found.name.clone(),
        (None, [(host, _)]) => host.name.clone(),
        (None, _) => match different(it.places.iter().filter_map(network_of)).as_slice() {
            [only] => only.name.to_string(),
            _ => String::new(),
        },
    };
    let organisation = visible(&organisation);
    writeln!(out, "\t{countries}\t{}\t{networks}\t{organisation}", it.location.state.word())
}

/// One line of tab-separated values.
pub fn tsv(known: Known<'_>, out: &mut dyn Write) -> Result<()> {
    out.write_all(visible(&known.party.name).as_bytes())?;
    tsv_rest(known, out)
}
