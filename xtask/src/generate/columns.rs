//! Owns the layout of the compact files under `packs/parties`: a few columns, each its own zstd frame.
//! Refuses to know what a column means; the reader is `farshore-audit/src/parties/columns.rs`.
//!
//! ```text
//! "FSC1"  count: u8  count × { packed: u32 LE, raw: u32 LE }  count × zstd frame
//! ```

use anyhow::{Context, Result};

/// The four bytes every file opens with.
const MAGIC: &[u8; 4] = b"FSC1";

/// Level 19: the files are written once an edition and read in every run.
const LEVEL: i32 = 19;

/// Packs the columns into one file.
pub fn pack(columns: &[Vec<u8>]) -> Result<Vec<u8>> {
    let frames = columns
        .iter()
        .map(|column| zstd::bulk::compress(column, LEVEL).context("cannot compress a column"))
        .collect::<Result<Vec<_>>>()?;
    let mut file = MAGIC.to_vec();
    file.push(u8::try_from(columns.len())?);
    for (column, frame) in columns.iter().zip(&frames) {
        file.extend_from_slice(&u32::try_from(frame.len())?.to_le_bytes());
        file.extend_from_slice(&u32::try_from(column.len())?.to_le_bytes());
    }
    file.extend(frames.concat());
    Ok(file)
}

/// Unsigned LEB128: seven bits a byte, the low ones first.
pub fn leb128(column: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        column.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    column.push(value as u8);
}

/// Signed values, small either way, become small unsigned ones.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leb128_matches_the_worked_example() {
        let mut column = Vec::new();
        leb128(&mut column, 624_485);
        assert_eq!(column, [0xe5, 0x8e, 0x26]);
    }

    #[test]
    fn zigzag_alternates() {
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
    }
}
