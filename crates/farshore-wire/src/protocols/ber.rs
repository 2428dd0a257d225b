//! Values with a tag and a length in front (ITU-T X.690): how SNMP and Kerberos write everything. Refuses lengths that are
//! left open, which neither uses.

use crate::cursor::{Cursor, Stop};

pub const INTEGER: u8 = 0x02;
pub const OCTETS: u8 = 0x04;
pub const SEQUENCE: u8 = 0x30;

/// The value behind that tag, its length in the short or the long form (section 8.1.3).
pub fn value<'a>(it: &mut Cursor<'a>, tag: u8) -> Result<Cursor<'a>, Stop> {
    let start = *it;
    if it.u8()? != tag {
        return Err(start.forbidden());
    }
    let length = match it.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(it.u8()?),
        0x82 => usize::from(it.u16()?),
        0x83 => it.u24()? as usize,
        0x84 => it.u32()? as usize,
        _ => return Err(start.forbidden()),
    };
    it.sub(length)
}

/// A number of at most four bytes that is not negative.
pub fn number(it: &mut Cursor<'_>) -> Result<u32, Stop> {
    let bytes = value(it, INTEGER)?;
    let digits = bytes.rest();
    if !matches!(digits, [0..=0x7f, ..]) || digits.len() > 5 {
        return Err(bytes.forbidden());
    }
    let number = digits.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    u32::try_from(number).map_err(|_| bytes.forbidden())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_all_forms() {
        let long = [&[OCTETS, 0x82, 1, 4][..], &[7; 260]].concat();
        for (bytes, length) in [
            (&[OCTETS, 2, 7, 7, 9][..], Some(2)),
            (&[OCTETS, 0x81, 1, 7], Some(1)),
            (&long, Some(260)),
            (&[OCTETS, 0x84, 0, 0, 0, 1, 7], Some(1)),
            (&[OCTETS, 0x80, 7, 0, 0], None),
            (&[OCTETS, 3, 7, 7], None),
            (&[SEQUENCE, 0], None),
        ] {
            let it = value(&mut Cursor::new("test", bytes), OCTETS);
            assert_eq!(it.ok().map(|it| it.left()), length, "{bytes:?}");
        }
    }

    #[test]
    fn numbers_are_small_and_not_negative() {
        for (bytes, expected) in [
            (&[INTEGER, 1, 3][..], Some(3)),
            (&[INTEGER, 2, 0x7f, 0xff], Some(0x7fff)),
            (&[INTEGER, 5, 0, 0xff, 0xff, 0xff, 0xff], Some(u32::MAX)),
            (&[INTEGER, 1, 0x80], None),
            (&[INTEGER, 0], None),
            (&[INTEGER, 5, 1, 0, 0, 0, 0], None),
        ] {
            assert_eq!(number(&mut Cursor::new("test", bytes)).ok(), expected, "{bytes:?}");
        }
    }
}
