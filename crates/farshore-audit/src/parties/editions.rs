//! Owns which edition of a data set speaks of an address, where there are several: that nearest to the days of the capture, one
//! alone. Refuses to let two editions of one maker agree with each other.
//!
//! Makers are told by the name their files have. One maker's products are one source here: a database of cities and one of
//! countries are made of the same measurements. A list of ranges is the operator's own, so the lists of three clouds are later
//! editions of the built-in `cloud-ranges` where they speak, and never of one another. Geofeeds do not say whose they are: each
//! speaks for itself.

use farshore_model::{
    Date,
    party::{ClaimKind, CountryClaim},
};

use super::{cloud_ranges, dataset::DatasetInfo, dbip_country};

/// The first and the last day of what is audited.
pub type Days = (Date, Date);

/// Makers by the beginning of the names they give their databases, in lower case.
const MAKERS: [(&str, &str); 5] = [
    ("dbip", "dbip"),
    ("geolite2", "maxmind"),
    ("geoip2", "maxmind"),
    ("ipinfo", "ipinfo"),
    ("ip2lite", "ip2location"),
];

/// Operators whose lists `cloud-ranges` was made of, one for one.
const CLOUDS: [&str; 3] = ["aws-ranges", "google-ranges", "oracle-ranges"];

/// An opinion that was brought, with the day of the file that gives it. (What a user overrides has none, and needs none.)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Opinion {
    pub(super) claim: CountryClaim,
    pub(super) day: Option<Date>,
}

/// Whose a database of that name is: its maker, or nobody known but itself.
pub(super) fn maker(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let known = MAKERS.iter().find(|(beginning, _)| name.starts_with(beginning));
    known.map_or(name, |(_, maker)| (*maker).to_owned())
}

/// The built-in set that a file of that name is a further edition of.
pub(super) fn built_in(name: &str, kind: ClaimKind) -> Option<&'static DatasetInfo> {
    match kind {
        ClaimKind::Geolocation if maker(name) == "dbip" => dbip_country::SET.info(),
        ClaimKind::CloudRegion if CLOUDS.contains(&name) => cloud_ranges::SET.info(),
        _ => None,
    }
}

/// Of what is built in and what was brought, in the order it was named: the edition of each set that is of the days.
pub(super) fn heard(built: Vec<CountryClaim>, brought: Vec<Opinion>, days: Option<Days>) -> Vec<CountryClaim> {
    let mut best: Vec<Opinion> = Vec::new();
    for one in brought {
        match best.iter_mut().find(|it| is_same_set(&it.claim, &one.claim)) {
            // Of two that are equally near, the one named later.
            Some(kept) if nearness(one.day, days) >= nearness(kept.day, days) => *kept = one,
            Some(_) => {}
            None => best.push(one),
        }
    }
    let day_of = |claim: &CountryClaim| {
        let sets = [dbip_country::SET.info(), cloud_ranges::SET.info()];
        let set = sets.into_iter().flatten().find(|it| it.name == claim.source);
        set.and_then(|it| Date::parse(&it.as_of))
    };
    let mut claims = Vec::new();
    for claim in built {
        let is_of = |it: &Opinion| built_in(&it.claim.source, it.claim.kind).is_some_and(|set| set.name == claim.source);
        let own = nearness(day_of(&claim), days);
        if best.iter().any(|it| is_of(it) && nearness(it.day, days) >= own) {
            continue;
        }
        best.retain(|it| !is_of(it));
        claims.push(claim);
    }
    claims.extend(best.into_iter().map(|it| it.claim));
    claims
}

fn is_same_set(one: &CountryClaim, other: &CountryClaim) -> bool {
    one.kind == other.kind
        && match one.kind {
            ClaimKind::Geolocation => maker(&one.source) == maker(&other.source),
            ClaimKind::CloudRegion => one.source == other.source,
            _ => false,
        }
}

/// The more, the nearer: first by distance to all of the days, then by the day itself. What has no day is never nearer than what
/// has one.
fn nearness(day: Option<Date>, days: Option<Days>) -> Option<(std::cmp::Reverse<u64>, Date)> {
    let day = day?;
    let away = days.map_or(0, |(first, last)| day.distance(first).max(day.distance(last)));
    Some((std::cmp::Reverse(away), day))
}

#[cfg(test)]
mod tests {
    use farshore_model::Country;

    use super::*;

    fn claim(source: &str, country: &str) -> CountryClaim {
        let kind = match source {
            "geofeed" => ClaimKind::Geofeed,
            it if it.ends_with("-ranges") => ClaimKind::CloudRegion,
            _ => ClaimKind::Geolocation,
        };
        CountryClaim {
            country: Country::parse(country).unwrap(),
            kind,
            source: source.to_owned(),
            edition: String::new(),
            refuted: false,
        }
    }

    fn spoken(built: &[(&str, &str)], brought: &[(&str, &str, &str)], day: Option<&str>) -> String {
        let built = built.iter().map(|(source, country)| claim(source, country)).collect();
        let brought = brought.iter().map(|(source, country, day)| Opinion {
            claim: claim(source, country),
            day: Date::parse(day),
        });
        let day = day.map(|it| Date::parse(it).unwrap());
        let heard = heard(built, brought.collect(), day.zip(day));
        let heard = heard.iter().map(|it| format!("{} {}", it.source, it.country.code()));
        heard.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn one_edition_of_a_set_speaks_that_of_the_captures_time() {
        let (built, newer) = ([("dbip-country", "US")], [("DBIP-Country-Lite", "DE", "2026-11-01")]);
        assert_eq!(spoken(&built, &newer, None), "DBIP-Country-Lite DE");
        assert_eq!(spoken(&built, &newer, Some("2026-10-20")), "DBIP-Country-Lite DE");
        assert_eq!(spoken(&built, &newer, Some("2026-06-20")), "dbip-country US");
        // The same word twice from one maker is no agreement.
        assert_eq!(spoken(&built, &[("DBIP-City-Lite", "US", "2026-11-01")], None), "DBIP-City-Lite US");
        // Where the newer edition says nothing, the older stands.
        assert_eq!(spoken(&built, &[], None), "dbip-country US");

        let (built, newer) = ([("cloud-ranges", "US")], [("aws-ranges", "DE", "2026-08-22")]);
        assert_eq!(spoken(&built, &newer, Some("2026-08-01")), "aws-ranges DE");
        assert_eq!(spoken(&built, &newer, Some("2023-11-20")), "cloud-ranges US");
        let undated = [("aws-ranges", "DE", "")];
        assert_eq!(spoken(&built, &undated, Some("2026-08-01")), "cloud-ranges US");
    }

    #[test]
    fn sources_that_are_no_editions_of_each_other_all_speak() {
        let built = [("cloud-ranges", "US"), ("dbip-country", "US"), ("ipfire-country", "US")];
        let brought = [
            ("GeoLite2-City", "DE", "2026-08-01"),
            ("GeoIP2-Country", "FR", "2026-09-01"),
            ("azure-ranges", "IE", ""),
            ("geofeed", "NL", "2026-01-01"),
            ("geofeed", "BE", "2026-02-01"),
            ("Own-Country", "SE", "2026-01-01"),
        ];
        assert_eq!(
            spoken(&built, &brought, None),
            "cloud-ranges US, dbip-country US, ipfire-country US, GeoIP2-Country FR, azure-ranges IE, geofeed NL, geofeed BE, Own-Country SE"
        );
        // Equally near: the one that was named later.
        let twice = [("Own-Country", "SE", "2026-01-01"), ("Own-Country", "NO", "2026-01-01")];
        assert_eq!(spoken(&[], &twice, None), "Own-Country NO");
    }
}
