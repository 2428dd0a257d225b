//! What browsers, apps and proxies write down, to exchanges: a second door beside that of frames.
//!
//! Records are taken out of the window one by one, so that memory follows the largest of them, not the file. A record that
//! is cut or damaged is told as far as it reads; nothing here knows what a header or a body means.

pub(crate) mod har;
pub(crate) mod mitmproxy;
mod tnetstring;

use farshore_model::Exchange;

use crate::{ReadError, Summary};

/// A file of records being read.
pub trait Records {
    /// Goes on to the next record; `false` at the end, be it the file's or the last readable record's.
    fn advance(&mut self) -> Result<bool, ReadError>;
    /// The record gone on to; `None` before the first, and where it tells of no exchange.
    fn exchange(&self) -> Option<Exchange<'_>>;
    /// How far reading has come, in bytes of the file.
    fn position(&self) -> u64;
    /// What the file says of itself, once all records are read.
    fn finish(self: Box<Self>) -> Result<Summary, ReadError>;
}

/// Base64 in either alphabet (RFC 4648), white space left out; `None` where it is none.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let bare: Vec<u8> = text.iter().copied().filter(|it| !it.is_ascii_whitespace()).collect();
    let alphabet = if bare.iter().any(|it| matches!(it, b'-' | b'_')) {
        URL_SAFE
    } else {
        STANDARD
    };
    GeneralPurpose::new(&alphabet, lenient).decode(bare).ok()
}
