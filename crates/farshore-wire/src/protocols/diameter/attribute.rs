//! Attributes (RFC 6733, section 4): code, vendor, value; and which of them are read. Refuses lengths that do not fit.

use std::ops::Range;

use crate::cursor::{Cursor, Stop};

/// An attribute, and where its value stands in the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) code: u32,
    vendor: u32,
    pub(super) body: Range<usize>,
}

/// What an attribute holds.
pub(super) enum Value {
    /// Attributes among which some are read.
    Group,
    /// A name, with its kind beside it: the codes of both, and the paths by kind.
    Typed {
        kind: u32,
        value: u32,
        names: &'static [(u32, &'static str)],
    },
    /// A value under that path.
    Text(&'static str),
    /// Digits, two in a byte.
    Packed(&'static str),
    /// Nothing that is read.
    Other,
}

const VENDOR_3GPP: u32 = 10_415;
const SESSION: u32 = 263;
const HOST: u32 = 264;
const RESULT: u32 = 268;
/// Applications whose user's name is the IMSI (TS 29.272, section 5; TS 29.273, section 8; TS 29.336; TS 29.338).
const NAMED_BY_IMSI: [u32; 6] = [16_777_251, 16_777_252, 16_777_265, 16_777_310, 16_777_312, 16_777_313];

/// RFC 8506, section 8.47.
const SUBSCRIPTION: &[(u32, &str)] = &[
    (0, "diameter.msisdn"),
    (1, "diameter.imsi"),
    (2, "diameter.sip-uri"),
    (3, "diameter.nai"),
    (4, "diameter.subscriber"),
];
/// RFC 8506, section 8.50.
const EQUIPMENT: &[(u32, &str)] = &[(0, "diameter.imei"), (1, "diameter.mac")];

/// Whether messages begin with an attribute of that code.
pub(super) const fn is_first(code: u32) -> bool {
    matches!(code, SESSION | HOST | RESULT)
}

/// The attributes of a range, up to the first that does not fit.
pub(super) fn all(bytes: &[u8], range: Range<usize>) -> impl Iterator<Item = Attribute> {
    let mut it = Cursor::new("diameter", bytes.get(..range.end).unwrap_or(bytes));
    let begun = it.skip(range.start).is_ok();
    std::iter::from_fn(move || {
        if !begun || it.is_empty() {
            return None;
        }
        let left = it.left();
        Attribute::read(&mut it, left).ok()
    })
}

impl Attribute {
    /// Reads the next, of at most so many bytes, and steps over its padding.
    pub(super) fn read(it: &mut Cursor<'_>, most: usize) -> Result<Self, Stop> {
        let start = *it;
        let code = it.u32()?;
        let flags = it.u8()?;
        let length = it.u24()? as usize;
        let head = if flags & 0x80 == 0 { 8 } else { 12 };
        let body = length.checked_sub(head).filter(|_| length <= most && flags & 0x1f == 0);
        let body = body.ok_or_else(|| start.forbidden())?;
        let vendor = if flags & 0x80 == 0 { 0 } else { it.u32()? };
        let from = it.offset();
        it.skip(body)?;
        let until = it.offset();
        let padding = length.next_multiple_of(4).saturating_sub(length);
        it.skip(padding.min(it.left()))?;
        Ok(Self {
            code,
            vendor,
            body: from..until,
        })
    }

    /// Whether it is one that messages begin with, and holds what such a one does.
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        let body = bytes.get(self.body.clone()).unwrap_or_default();
        match (self.vendor, self.code) {
            (0, SESSION | HOST) => !body.is_empty() && body.iter().all(u8::is_ascii_graphic),
            (0, RESULT) => matches!(body, [0, 0, 3..=0x17, _]),
            _ => false,
        }
    }

    /// What is read of it, in a message of that application.
    pub(super) fn value(&self, application: u32) -> Value {
        match (self.vendor, self.code) {
            (0, 1) if NAMED_BY_IMSI.contains(&application) => Value::Text("diameter.imsi"),
            (0, 1) => Value::Text("diameter.user-name"),
            (0, 2) => Value::Text("diameter.password"),
            (0, 30) => Value::Text("diameter.called-station-id"),
            (0, 31) => Value::Text("diameter.calling-station-id"),
            (0, SESSION) => Value::Text("diameter.session-id"),
            (0, HOST) => Value::Text("diameter.origin-host"),
            (0, 283) => Value::Text("diameter.destination-realm"),
            (0, 293) => Value::Text("diameter.destination-host"),
            (0, 296) => Value::Text("diameter.origin-realm"),
            (0, 443) => Value::Typed {
                kind: 450,
                value: 444,
                names: SUBSCRIPTION,
            },
            (0, 458) => Value::Typed {
                kind: 459,
                value: 460,
                names: EQUIPMENT,
            },
            (VENDOR_3GPP, 1) => Value::Text("diameter.imsi"),
            (VENDOR_3GPP, 20 | 1402) => Value::Text("diameter.imei"),
            (VENDOR_3GPP, 601) => Value::Text("diameter.public-identity"),
            (VENDOR_3GPP, 701) => Value::Packed("diameter.msisdn"),
            // A user's identity, subscription data, a terminal, what is charged: of the service, of packets, of calls.
            (VENDOR_3GPP, 700 | 873 | 874 | 876 | 1400 | 1401) => Value::Group,
            _ => Value::Other,
        }
    }
}
