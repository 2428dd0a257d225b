//! Owns the country a regional registry assigned an address to: a fact of law, never a place.
//! Refuses to be more than one opinion.

use farshore_model::party::ClaimKind;

use super::country_set::CountrySet;

/// The embedded edition.
pub static SET: CountrySet = CountrySet::new(
    include_bytes!("../../../../packs/parties/registration/v4.bin"),
    include_bytes!("../../../../packs/parties/registration/v6.bin"),
    include_str!("../../../../packs/parties/registration/meta.toml"),
    ClaimKind::Registration,
);
