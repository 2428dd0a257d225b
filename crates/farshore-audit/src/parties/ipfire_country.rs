//! Owns IPFire's opinion on the country of an address; its files keep their own licence (CC BY-SA 4.0).
//! Refuses to be more than one opinion.

use farshore_model::party::ClaimKind;

use super::country_set::CountrySet;

/// The embedded edition.
pub static SET: CountrySet = CountrySet::new(
    include_bytes!("../../../../packs/parties/ipfire-country/v4.bin"),
    include_bytes!("../../../../packs/parties/ipfire-country/v6.bin"),
    include_str!("../../../../packs/parties/ipfire-country/meta.toml"),
    ClaimKind::Geolocation,
);
