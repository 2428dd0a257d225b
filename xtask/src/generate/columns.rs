//! Owns the layout of the compact files under `packs/parties`: a few columns, each its own zstd frame.
//! Refuses to know what a column means; the reader is `farshore-audit/src/parties/columns.rs`.
//!
//! ```text
//! "FSC1"  count: u8  count × { packed: u32 LE, raw: u32 LE }  count × zstd frame
//! ```
//!
//! Sorted tables are cut into blocks, each such a file, behind one that all of them share:
//!
//! ```text
//! "FSB1"  shared: u32 LE  count: u32 LE  count × { first: u64 LE, length: u32 LE }  shared bytes  count × block
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

/// Rows of a block: a look-up reads one block, so fewer are quicker, and more take less room.
pub const BLOCK: usize = 4096;

/// Packs blocks, each under its first key, behind what all of them share.
pub fn blocks(shared: &[Vec<u8>], blocks: &[(u64, Vec<Vec<u8>>)]) -> Result<Vec<u8>> {
    let shared = pack(shared)?;
    let mut file = b"FSB1".to_vec();
    file.extend_from_slice(&u32::try_from(shared.len())?.to_le_bytes());
    file.extend_from_slice(&u32::try_from(blocks.len())?.to_le_bytes());
    let mut packed = Vec::new();
    for (first, columns) in blocks {
        let block = pack(columns)?;
        file.extend_from_slice(&first.to_le_bytes());
        file.extend_from_slice(&u32::try_from(block.len())?.to_le_bytes());
        packed.extend(block);
    }
    file.extend(shared);
    file.extend(packed);
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
