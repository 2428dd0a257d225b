//! Every ceiling of judging, in one place. What is beyond one is counted under its name.

farshore_model::ceilings! {
    /// Ceilings of one audit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Limits {
        /// Destinations that are told apart, each in some kilobyte; a scan of addresses makes millions. What went to further ones is
        /// put together.
        "destinations" destinations: usize = 1 << 17;
        /// Links that are told.
        "links" links: usize = 10_000;
    }
}
