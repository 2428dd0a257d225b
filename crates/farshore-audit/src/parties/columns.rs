//! Owns reading the compact files under `packs/parties`: a few columns, each its own zstd frame; sorted tables in blocks, so
//! that one look-up reads one block.
//! Refuses any length the file does not bear out. The writer is `xtask/src/generate/columns.rs`.
//!
//! ```text
//! "FSC1"  count: u8  count × { packed: u32 LE, raw: u32 LE }  count × zstd frame
//! "FSB1"  shared: u32 LE  count: u32 LE  count × { first: u64 LE, length: u32 LE }  shared bytes  count × block
//! ```
//!
//! What is shared, and each block, is a file of the first form.

use std::sync::atomic::{AtomicU32, Ordering};

use ruzstd::decoding::FrameDecoder;
use thiserror::Error;

/// No column of any edition comes near it; a longer one is a broken file, not a reason to allocate.
const MOST: usize = 16 << 20;

/// Why a file cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ColumnError {
    /// It does not begin with the four bytes all begin with.
    #[error("not a column file")]
    Magic,
    /// It ends before what it announces.
    #[error("the file is shorter than it says")]
    Short,
    /// A column announces more than [`MOST`] bytes.
    #[error("column {0} claims more bytes than any column has")]
    TooLong(usize),
    /// A frame does not decode to the announced length.
    #[error("column {0} does not decode")]
    Frame(usize),
    /// The file has fewer columns than its reader needs.
    #[error("column {0} is missing")]
    Missing(usize),
}

/// The columns of one file, decoded.
#[derive(Debug)]
pub struct Columns(Vec<Vec<u8>>);

impl Columns {
    /// Decodes a whole file.
    pub fn read(file: &[u8]) -> Result<Columns, ColumnError> {
        let rest = file.strip_prefix(b"FSC1").ok_or(ColumnError::Magic)?;
        let (&count, mut rest) = rest.split_first().ok_or(ColumnError::Short)?;
        let mut lengths = Vec::new();
        for _ in 0..count {
            let (packed, after) = word(rest)?;
            let (raw, after) = word(after)?;
            lengths.push((packed, raw));
            rest = after;
        }
        let mut columns = Vec::new();
        for (index, (packed, raw)) in lengths.into_iter().enumerate() {
            let (frame, after) = rest.split_at_checked(packed).ok_or(ColumnError::Short)?;
            if raw > MOST {
                return Err(ColumnError::TooLong(index));
            }
            let mut column = vec![0; raw];
            let written = FrameDecoder::new()
                .decode_all(frame, &mut column)
                .map_err(|_| ColumnError::Frame(index))?;
            if written != raw {
                return Err(ColumnError::Frame(index));
            }
            columns.push(column);
            rest = after;
        }
        Ok(Columns(columns))
    }

    /// One column, by its place in the file.
    pub fn column(&self, index: usize) -> Result<&[u8], ColumnError> {
        self.0.get(index).map(Vec::as_slice).ok_or(ColumnError::Missing(index))
    }
}

/// A sorted table in blocks; each is decoded when it is asked for.
#[derive(Debug)]
pub struct Blocks {
    shared: Columns,
    /// The first key of each, and its bytes.
    blocks: Vec<(u64, &'static [u8])>,
}

impl Blocks {
    /// Reads what is shared, and where the blocks are.
    pub fn read(file: &'static [u8]) -> Result<Blocks, ColumnError> {
        let rest = file.strip_prefix(b"FSB1").ok_or(ColumnError::Magic)?;
        let (shared, rest) = word(rest)?;
        let (count, mut rest) = word(rest)?;
        let mut index = Vec::new();
        for _ in 0..count {
            let (first, after) = rest.split_first_chunk().ok_or(ColumnError::Short)?;
            let (length, after) = word(after)?;
            index.push((u64::from_le_bytes(*first), length));
            rest = after;
        }
        let (shared, mut rest) = rest.split_at_checked(shared).ok_or(ColumnError::Short)?;
        let mut blocks = Vec::new();
        for (first, length) in index {
            let (block, after) = rest.split_at_checked(length).ok_or(ColumnError::Short)?;
            blocks.push((first, block));
            rest = after;
        }
        Ok(Blocks {
            shared: Columns::read(shared)?,
            blocks,
        })
    }

    /// A column that all blocks share.
    pub fn shared(&self, index: usize) -> Result<&[u8], ColumnError> {
        self.shared.column(index)
    }

    /// The block in which a key is, if it is in any, with the block's first key.
    pub fn around(&self, key: u64) -> Option<(u64, Result<Columns, ColumnError>)> {
        let after = self.blocks.partition_point(|(first, _)| *first <= key);
        let (first, bytes) = self.blocks.get(after.checked_sub(1)?)?;
        Some((*first, Columns::read(bytes)))
    }

    /// All blocks in order.
    pub fn all(&self) -> impl Iterator<Item = (u64, Result<Columns, ColumnError>)> + '_ {
        self.blocks.iter().map(|(first, bytes)| (*first, Columns::read(bytes)))
    }
}

/// How often a table is asked before all of it is decoded: a few blocks are quicker than the whole, many are not.
#[derive(Debug, Default)]
pub struct Asked(AtomicU32);

impl Asked {
    /// Counts a question; whether it is one of few.
    pub fn is_rare(&self) -> bool {
        const FEW: u32 = 32;
        self.0.load(Ordering::Relaxed) < FEW && self.0.fetch_add(1, Ordering::Relaxed) < FEW
    }
}

fn word(bytes: &[u8]) -> Result<(usize, &[u8]), ColumnError> {
    let (word, rest) = bytes.split_first_chunk().ok_or(ColumnError::Short)?;
    let word = usize::try_from(u32::from_le_bytes(*word)).map_err(|_| ColumnError::Short)?;
    Ok((word, rest))
}

/// Unsigned LEB128 values to the end of a column. A value cut short or wider than 64 bits ends it.
pub fn leb128(mut column: &[u8]) -> impl Iterator<Item = u64> + '_ {
    std::iter::from_fn(move || {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        loop {
            let (&byte, rest) = column.split_first()?;
            column = rest;
            if shift > 63 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift = shift.saturating_add(7);
        }
    })
}

/// The signed value a zigzag number stands for.
pub fn unzigzag(value: u64) -> i64 {
    let half = (value >> 1) as i64;
    if value & 1 == 0 { half } else { !half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_refused_and_never_panics() {
        let whole = include_bytes!("../../../../packs/parties/borders/borders.bin");
        assert!(Columns::read(whole).is_ok());
        assert_eq!(Columns::read(b"").err(), Some(ColumnError::Magic));
        for end in 0..40 {
            let cut = whole.get(..end).unwrap_or_default();
            assert!(Columns::read(cut).is_err(), "{end}");
        }
        let mut long = whole.to_vec();
        for byte in long.iter_mut().skip(9).take(4) {
            *byte = 0xff;
        }
        assert_eq!(Columns::read(&long).err(), Some(ColumnError::TooLong(0)));
    }

    #[test]
    fn damaged_blocks_are_refused_and_never_panic() {
        let whole: &[u8] = include_bytes!("../../../../packs/parties/asn-country/countries.bin");
        let blocks = Blocks::read(whole).unwrap();
        assert!(blocks.all().count() > 10 && blocks.all().all(|(_, block)| block.is_ok()));
        assert!(blocks.around(0).is_none() && blocks.around(u64::MAX).is_some());
        for end in (0..400).chain([whole.len() - 1]) {
            assert!(Blocks::read(whole.get(..end).unwrap_or_default()).is_err(), "{end}");
        }
        for at in 4..300 {
            let mut bent = whole.to_vec();
            bent[at] ^= 0xff;
            if let Ok(blocks) = Blocks::read(bent.leak()) {
                let _ = blocks.all().filter(|(_, block)| block.is_err()).count();
            }
        }
    }

    #[test]
    fn numbers_read_back() {
        assert_eq!(leb128(&[0xe5, 0x8e, 0x26, 0x07]).collect::<Vec<_>>(), [624_485, 7]);
        assert_eq!(leb128(&[0x80]).count(), 0);
        assert_eq!(leb128(&[0xff; 12]).count(), 0);
        assert_eq!([0, 1, 2, 3].map(unzigzag), [0, -1, 1, -2]);
    }
}
