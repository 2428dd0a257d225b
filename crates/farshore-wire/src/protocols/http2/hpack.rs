//! HPACK (RFC 7541): header blocks into headers, with the table that the direction has built up so far.
//!
//! Refuses a table larger than it was told to keep, and to copy more of a block than that; both are said.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::huffman;
use crate::cursor::{Cursor, Stop};

/// What an entry costs beside its bytes (section 4.1).
pub const ENTRY: usize = 32;

/// The size a table has before any update (RFC 9113, section 6.5.2).
const FIRST_SIZE: usize = 4096;

/// A name or a value: entries are told more often than they are sent, so they are shared.
pub type Text = Arc<[u8]>;

/// A header, and where it stands in its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: Text,
    pub value: Text,
    /// Its representation: an index, or literals.
    pub at: Range<usize>,
    /// The value, if it stands there as it is.
    pub plain: Option<Range<usize>>,
}

/// What a block held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct List {
    pub headers: Vec<Header>,
    /// Headers beyond the ceiling were left out.
    pub clipped: bool,
}

/// Why a block could not be read. The table is void from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Cut(#[from] Stop),
    #[error("an index beyond the table")]
    Index,
    #[error("an integer larger than anything it could count")]
    Integer,
    #[error("a string that is not in the Huffman code")]
    Huffman,
    #[error("a table larger than is kept")]
    Table,
}

/// One direction's table.
#[derive(Debug)]
pub struct Decoder {
    /// Latest first.
    entries: VecDeque<(Text, Text)>,
    size: usize,
    most: usize,
    /// Both the largest table and the largest list that are kept.
    ceiling: usize,
}

impl Decoder {
    pub const fn new(ceiling: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            most: FIRST_SIZE,
            ceiling,
        }
    }

    /// Reads one whole block.
    pub fn block(&mut self, bytes: &[u8]) -> Result<List, Broken> {
        let mut it = Cursor::new("hpack", bytes);
        let mut list = List::default();
        let mut room = self.ceiling;
        while let Some(first) = it.peek(0) {
            let start = it.offset();
            let (name, value, plain) = match first {
                0x80.. => {
                    let (name, value) = self.entry(integer(&mut it, 7)?)?;
                    (name, value, None)
                }
                0x40.. => {
                    let (name, value, plain) = self.literal(&mut it, 6)?;
                    self.insert(Arc::clone(&name), Arc::clone(&value));
                    (name, value, plain)
                }
                0x20.. => {
                    self.resize(integer(&mut it, 5)?)?;
                    continue;
                }
                _ => self.literal(&mut it, 4)?,
            };
            let cost = name.len().saturating_add(value.len()).saturating_add(ENTRY);
            match room.checked_sub(cost) {
                Some(left) if !list.clipped => room = left,
                _ => {
                    // The rest is still read: the table must not fall out of step.
                    list.clipped = true;
                    continue;
                }
            }
            let at = start..it.offset();
            list.headers.push(Header { name, value, at, plain });
        }
        Ok(list)
    }

    fn literal(&self, it: &mut Cursor<'_>, bits: u32) -> Result<(Text, Text, Option<Range<usize>>), Broken> {
        let name = match integer(it, bits)? {
            0 => string(it)?.0,
            index => self.entry(index)?.0,
        };
        let (value, plain) = string(it)?;
        Ok((name, value, plain))
    }

    /// The entry of an index: the static table, then the direction's own (section 2.3.3).
    fn entry(&self, index: usize) -> Result<(Text, Text), Broken> {
        let index = index.checked_sub(1).ok_or(Broken::Index)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Ok((Arc::from(name.as_bytes()), Arc::from(value.as_bytes())));
        }
        let own = index.saturating_sub(STATIC.len());
        self.entries.get(own).cloned().ok_or(Broken::Index)
    }

    fn insert(&mut self, name: Text, value: Text) {
        let cost = name.len().saturating_add(value.len()).saturating_add(ENTRY);
        self.evict(self.most.saturating_sub(cost));
        // Larger than the table: all is evicted, and that is no error (section 4.4).
        if cost <= self.most {
            self.size = self.size.saturating_add(cost);
            self.entries.push_front((name, value));
        }
    }

    fn resize(&mut self, most: usize) -> Result<(), Broken> {
        if most > self.ceiling.max(FIRST_SIZE) {
            return Err(Broken::Table);
        }
        self.most = most;
        self.evict(most);
        Ok(())
    }

    fn evict(&mut self, until: usize) {
        while self.size > until {
            let Some((name, value)) = self.entries.pop_back() else { return };
            let cost = name.len().saturating_add(value.len()).saturating_add(ENTRY);
            self.size = self.size.saturating_sub(cost);
        }
    }
}

/// An integer whose first `bits` bits stand at the end of the next byte (section 5.1).
pub fn integer(it: &mut Cursor<'_>, bits: u32) -> Result<usize, Broken> {
    let most = 0xff_u8.checked_shr(8_u32.saturating_sub(bits)).unwrap_or(0xff);
    let first = it.u8()? & most;
    let mut value = u64::from(first);
    if first < most {
        return Ok(usize::from(first));
    }
    // Four bytes more count to 2^28: no block is that long.
    for shift in [0, 7, 14, 21] {
        let byte = it.u8()?;
        value = value.saturating_add(u64::from(byte & 0x7f) << shift);
        if byte & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| Broken::Integer);
        }
    }
    Err(Broken::Integer)
}

/// A string literal, and where it stands if as it is (section 5.2).
fn string(it: &mut Cursor<'_>) -> Result<(Text, Option<Range<usize>>), Broken> {
    string_after(it, 7)
}

/// The same, its length begun with so many bits of the next byte; the bit before them tells whether it is Huffman-coded.
pub fn string_after(it: &mut Cursor<'_>, bits: u32) -> Result<(Text, Option<Range<usize>>), Broken> {
    let mark = 1_u8.checked_shl(bits).unwrap_or(0);
    let coded = it.peek(0).is_some_and(|byte| byte & mark != 0);
    let length = integer(it, bits)?;
    let start = it.offset();
    let bytes = it.take(length)?;
    if coded {
        let text = huffman::decode(bytes).ok_or(Broken::Huffman)?;
        return Ok((Arc::from(text), None));
    }
    Ok((Arc::from(bytes), Some(start..it.offset())))
}

/// The static table (appendix A).
const STATIC: &[(&str, &str)] = &[
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|it| !it.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
            .collect()
    }

    fn texts(list: &List) -> Vec<String> {
        let show = |it: &Header| format!("{}: {}", String::from_utf8_lossy(&it.name), String::from_utf8_lossy(&it.value));
        list.headers.iter().map(show).collect()
    }

    /// The requests of RFC 7541, appendix C.3 and C.4: the same, without and with Huffman.
    #[test]
    fn the_published_requests() {
        let plain = [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ];
        let coded = [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ];
        let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
        for (blocks, is_plain) in [(plain, true), (coded, false)] {
            let mut it = Decoder::new(1 << 16);
            let list = it.block(&bytes(blocks[0])).unwrap();
            assert_eq!(texts(&list), first);
            assert_eq!(list.headers[3].plain, is_plain.then_some(5..20));
            let list = it.block(&bytes(blocks[1])).unwrap();
            assert_eq!(texts(&list), [&first[..], &["cache-control: no-cache"]].concat());
            assert_eq!((list.headers[3].at.clone(), &list.headers[3].plain), (3..4, &None));
            let list = it.block(&bytes(blocks[2])).unwrap();
            assert_eq!(
                texts(&list),
                [
                    ":method: GET",
                    ":scheme: https",
                    ":path: /index.html",
                    ":authority: www.example.com",
                    "custom-key: custom-value"
                ]
            );
            assert_eq!((it.size, it.entries.len()), (164, 3));
        }
    }

    /// The responses of appendix C.5 and C.6: a table of 256 bytes, which evicts.
    #[test]
    fn the_published_responses() {
        let plain = [
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        ];
        let coded = [
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ];
        for blocks in [plain, coded] {
            let mut it = Decoder::new(1 << 16);
            it.most = 256;
            let told: Vec<_> = blocks.iter().map(|block| texts(&it.block(&bytes(block)).unwrap())).collect();
            assert_eq!(
                told[0],
                [
                    ":status: 302",
                    "cache-control: private",
                    "date: Mon, 21 Oct 2013 20:13:21 GMT",
                    "location: https://www.example.com"
                ]
            );
            assert_eq!(told[1][0], ":status: 307");
            assert_eq!(told[1][1..], told[0][1..]);
            assert_eq!(
                told[2],
                [
                    ":status: 200",
                    "cache-control: private",
                    "date: Mon, 21 Oct 2013 20:13:22 GMT",
                    "location: https://www.example.com",
                    "content-encoding: gzip",
                    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
                ]
            );
            assert_eq!((it.size, it.entries.len()), (215, 3));
        }
    }

    /// The integers of appendix C.1.
    #[test]
    fn the_published_integers() {
        let read = |bytes: &[u8], bits| integer(&mut Cursor::new("test", bytes), bits);
        assert_eq!(read(&[0b1110_1010], 5), Ok(10));
        assert_eq!(read(&[0b1111_1111, 0x9a, 0x0a], 5), Ok(1337));
        assert_eq!(read(&[42], 8), Ok(42));
        assert_eq!(read(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 7), Err(Broken::Integer));
    }

    /// One entry as large as the table, named by one byte a thousand times: read, but not kept a thousand times.
    #[test]
    fn a_bomb_is_clipped() {
        let mut it = Decoder::new(1 << 14);
        let mut block = vec![0x40, 1, b'a', 0x7f, 0x81, 0x1e];
        block.extend([b'x'; 127 + 1 + (0x1e << 7)]);
        block.extend([0xbe; 1000]);
        let list = it.block(&block).unwrap();
        assert_eq!((list.clipped, list.headers.len()), (true, 4));
        assert_eq!(it.block(&[0xbe]).unwrap().headers.len(), 1, "the table is in step");
        assert_eq!(it.block(&[0x3f, 0xe1, 0xff, 0x7f]), Err(Broken::Table));
    }

    #[test]
    fn damage_is_refused() {
        let mut it = Decoder::new(1 << 16);
        assert_eq!(it.block(&[0x80]), Err(Broken::Index));
        assert_eq!(it.block(&[0xbe]), Err(Broken::Index));
        assert!(matches!(it.block(&[0x40, 5, b'a']), Err(Broken::Cut(_))));
        assert_eq!(it.block(&[0x00, 0x81, 0x00]), Err(Broken::Huffman));
        assert_eq!(it.block(&[0x20, 0x82]).unwrap().headers.len(), 1, "a table of nothing");
    }
}
