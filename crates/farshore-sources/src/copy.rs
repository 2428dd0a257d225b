//! Frames on their way to a pcapng of their own (draft-ietf-opsawg-pcapng), as they were captured: bytes, time, length on the wire, link type.
//! Each says which frame of the input it was, as it has another number now. Refuses frames whose time the format could only make up.

use std::io::{self, Write};

use farshore_model::{Frame, LinkType};

use crate::pcapng::{ENHANCED_PACKET, INTERFACE, SECTION_HEADER, option};

/// The clock of all that is written: 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// What a copy says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What wrote it.
    pub application: &'a str,
    /// Of what.
    pub comment: &'a str,
    /// The filter that its frames fit, if there is one.
    pub filter: Option<&'a str>,
}

/// Writes frames.
pub struct Copier<'a, W> {
    out: W,
    /// The interfaces described so far, each for its link type: in the order of their numbers.
    interfaces: Vec<(u32, LinkType)>,
    /// The filter that what is written fits.
    filter: Option<&'a str>,
    /// Room for a block.
    block: Vec<u8>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It was written.
    Written,
    /// It has no time, or none that can be written, or a link type that has no number.
    Unfit,
}

impl<'a, W: Write> Copier<'a, W> {
    /// Into a file that says so of itself.
    pub fn new(out: W, origin: Origin<'a>) -> io::Result<Self> {
        let mut it = Self {
            out,
            interfaces: Vec::new(),
            filter: origin.filter,
            block: Vec::new(),
        };
        it.block.extend(0x1a2b_3c4d_u32.to_le_bytes());
        it.block.extend(1_u16.to_le_bytes());
        it.block.extend(0_u16.to_le_bytes());
        // The section's length: not told.
        it.block.extend(u64::MAX.to_le_bytes());
        it.option(option::COMMENT, origin.comment.as_bytes());
        it.option(option::APPLICATION, origin.application.as_bytes());
        it.end(SECTION_HEADER)?;
        Ok(it)
    }

    /// The next frame.
    pub fn frame(&mut self, frame: &Frame<'_>) -> io::Result<Copied> {
        let time = frame.time.and_then(|it| u64::try_from(it.as_nanos()).ok());
        let (Some(time), Ok(link)) = (time, u16::try_from(frame.link.0)) else {
            return Ok(Copied::Unfit);
        };
        let Ok(captured) = u32::try_from(frame.bytes.len()) else {
            return Ok(Copied::Unfit);
        };
        let interface = self.interface(frame, link)?;
        self.block.extend(interface.to_le_bytes());
        // The upper half first.
        self.block.extend(u32::try_from(time >> 32).unwrap_or_default().to_le_bytes());
        self.block
            .extend(u32::try_from(time & 0xffff_ffff).unwrap_or_default().to_le_bytes());
        self.block.extend(captured.to_le_bytes());
        self.block.extend(frame.wire_length.to_le_bytes());
        self.block.extend(frame.bytes);
        self.pad();
        self.option(option::COMMENT, format!("frame {}", frame.number).as_bytes());
        self.end(ENHANCED_PACKET)?;
        Ok(Copied::Written)
    }

    /// Writes what is still held back.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The number of a frame's interface, which is described when it is met first.
    fn interface(&mut self, frame: &Frame<'_>, link: u16) -> io::Result<u32> {
        let wanted = (frame.interface, frame.link);
        let at = match self.interfaces.iter().position(|it| *it == wanted) {
            Some(at) => at,
            None => {
                self.interfaces.push(wanted);
                self.block.extend(link.to_le_bytes());
                self.block.extend(0_u16.to_le_bytes());
                // No limit to what was captured of a frame is known.
                self.block.extend(0_u32.to_le_bytes());
                self.option(option::RESOLUTION, &[NANOSECONDS]);
                if let Some(filter) = self.filter {
                    // Behind a zero: as text.
                    self.option(option::FILTER, format!("\0{filter}").as_bytes());
                }
                self.end(INTERFACE)?;
                self.interfaces.len().saturating_sub(1)
            }
        };
        Ok(u32::try_from(at).unwrap_or(u32::MAX))
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        // Longer than the format allows is cut.
        let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
        self.block.extend(code.to_le_bytes());
        self.block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.block.extend(value);
        self.pad();
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Ends the options, and writes the block.
    fn end(&mut self, kind: u32) -> io::Result<()> {
        self.block.extend([0; 4]);
        // Kind, and the length at both ends.
        let length = self.block.len().saturating_add(12);
        let length = u32::try_from(length).map_err(|_| io::Error::other("a frame is longer than a block of pcapng can be"))?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{InputId, Timestamp};

    use super::*;
    use crate::{Limits, open};

    const ORIGIN: Origin<'_> = Origin {
        application: "test",
        comment: "of a test",
        filter: Some("port 53"),
    };

    fn frame(number: u64, time: Option<i64>, link: u32, interface: u32, bytes: &[u8]) -> Frame<'_> {
        Frame {
            input: InputId(0),
            number,
            time: time.map(Timestamp::from_nanos),
            tick: 1,
            link: LinkType(link),
            interface,
            wire_length: u32::try_from(bytes.len()).unwrap() + 7,
            bytes,
        }
    }

    #[test]
    fn what_is_written_reads_as_it_was() {
        let frames = [
            frame(3, Some(1_700_000_000_123_456_789), 1, 0, b"one"),
            frame(7, Some(0), 101, 2, b""),
            frame(9, Some(i64::MAX), 1, 0, b"four"),
            frame(10, Some(5), 113, 0, b"fives"),
        ];
        let mut file = Vec::new();
        let mut copier = Copier::new(&mut file, ORIGIN).unwrap();
        for it in &frames {
            assert_eq!(copier.frame(it).unwrap(), Copied::Written);
        }
        copier.finish().unwrap();
        let mut read = open(InputId(0), &file[..], Limits::default()).unwrap();
        let mut interfaces = Vec::new();
        for wanted in &frames {
            let it = read.next().unwrap().unwrap();
            let same = (it.time, it.link, it.wire_length, it.bytes) == (wanted.time, wanted.link, wanted.wire_length, wanted.bytes);
            assert!(same, "{it:?} {wanted:?}");
            interfaces.push(it.interface);
        }
        assert!(read.next().unwrap().is_none());
        let record = read.finish().unwrap().record;
        assert_eq!(record.filter.as_ref().map(|it| it.as_str()), Some("port 53"));
        assert_eq!(interfaces, [0, 1, 0, 2]);
        let text = String::from_utf8_lossy(&file);
        assert!(text.contains("frame 7") && text.contains("of a test"), "{text}");
    }

    #[test]
    fn a_time_is_never_made_up() {
        let mut file = Vec::new();
        let mut copier = Copier::new(&mut file, Origin { filter: None, ..ORIGIN }).unwrap();
        for it in [
            frame(1, None, 1, 0, b"none"),
            frame(2, Some(-1), 1, 0, b"before"),
            frame(3, Some(1), u32::MAX, 0, b"link"),
        ] {
            assert_eq!(copier.frame(&it).unwrap(), Copied::Unfit);
        }
        copier.finish().unwrap();
        let mut read = open(InputId(0), &file[..], Limits::default()).unwrap();
        assert!(read.next().unwrap().is_none());
        assert_eq!(read.finish().unwrap().record.filter, None);
    }
}
