//! Owns DB-IP's opinion on the country of an address.
//! Refuses to be more than one opinion.

use farshore_model::party::ClaimKind;

use super::country_set::CountrySet;

/// The embedded edition.
pub static SET: CountrySet = CountrySet::new(
    include_bytes!("../../../../packs/parties/dbip-country/v4.bin"),
    include_bytes!("../../../../packs/parties/dbip-country/v6.bin"),
    include_str!("../../../../packs/parties/dbip-country/meta.toml"),
    ClaimKind::Geolocation,
);
