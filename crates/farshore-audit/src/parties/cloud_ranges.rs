//! Owns what clouds said of their regions on one day of the past: an opinion on where an address is, with its date.
//! Refuses to carry a verdict where the capture is of another time, as any list of ranges does
//! ([`is_of_the_time`](super::location::is_of_the_time)): the user brings a newer one with `--ranges`.

use farshore_model::party::ClaimKind;

use super::country_set::CountrySet;

/// The embedded edition.
pub static SET: CountrySet = CountrySet::new(
    include_bytes!("../../../../packs/parties/cloud-ranges/v4.bin"),
    include_bytes!("../../../../packs/parties/cloud-ranges/v6.bin"),
    include_str!("../../../../packs/parties/cloud-ranges/meta.toml"),
    ClaimKind::CloudRegion,
);
