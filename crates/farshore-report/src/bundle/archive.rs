//! The archive of a bundle: POSIX ustar, regular files only, no time, no owner, nothing behind the end.
//!
//! A header is read by writing the one there must be and comparing: links, sparse files, extended headers, odd modes and
//! other spellings of a number all differ from it. Members go by in pieces; only the envelope and the files that users gave are
//! kept, up to a ceiling. It refuses to make a path of a name.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::{Check, ENVELOPE, FILES, Refusal, hex};

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes read at a time.
const PIECE: usize = 1 << 16;
/// The largest member: what eleven octal digits tell.
pub const MOST_OF_A_MEMBER: u64 = 0o777_7777_7777;
/// Bytes that are kept of an envelope, and of all files together: policies and scopes are pages, not books.
pub const MOST_KEPT: u64 = 16 << 20;
/// Members that are read.
pub const MOST_MEMBERS: usize = 1000;

/// The one header of a member. `None`: there is none for such a name or size.
fn header(name: &str, size: u64) -> Option<Header> {
    if !is_name(name) || size > MOST_OF_A_MEMBER {
        return None;
    }
    let mut header = Header::new_ustar();
    header.set_path(name).ok()?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Some(header)
}

/// Whether a member may have that name: short, in plain letters, and nothing a file system would climb by.
fn is_name(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'.' | b'-' | b'/');
    !name.is_empty() && name.len() < 100 && name.bytes().all(plain) && name.split('/').all(|it| !it.is_empty() && !it.starts_with('.'))
}

/// An archive that is being written.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Writer<'a> {
    /// Writes to there.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// Adds a member of just so many bytes.
    pub fn member(&mut self, name: &str, size: u64, body: &mut dyn Read) -> io::Result<()> {
        let header = header(name, size).ok_or_else(|| {
            io::Error::other(format!(
                "{name}: {size} bytes; a member of a bundle holds {MOST_OF_A_MEMBER} at most"
            ))
        })?;
        self.out.write_all(header.as_bytes())?;
        let written = io::copy(&mut body.take(size), self.out)?;
        if written != size {
            return Err(io::Error::other(format!("{name}: {written} bytes of {size}")));
        }
        self.out.write_all(zeros(padding(size)))
    }

    /// Ends it.
    pub fn end(self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])
    }
}

/// Bytes that fill the last block of a member.
fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    if over == 0 { 0 } else { BLOCK - over }
}

fn zeros(count: usize) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    ZEROS.get(..count).unwrap_or_default()
}

/// A member as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its length.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its bytes, of the envelope and of files that users gave.
    pub kept: Option<Vec<u8>>,
}

/// What an archive holds: the envelope, and all members behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The bytes of the first member.
    pub envelope: Vec<u8>,
    /// The others, as they stand.
    pub members: Vec<Member>,
}

/// Why an archive was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no archive of a bundle.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Reads an archive to its last byte.
pub fn read(input: &mut dyn Read) -> Result<Contents, ReadError> {
    let mut it = Reader {
        input,
        at: 0,
        left_to_keep: MOST_KEPT,
    };
    let Some(first) = it.member(true)? else {
        return Err(refused("it is empty").into());
    };
    if first.name != ENVELOPE {
        return Err(refused(format!("the first member is `{}`; expected `{ENVELOPE}`", first.name)).into());
    }
    let mut members: Vec<Member> = Vec::new();
    while let Some(member) = it.member(false)? {
        if member.name == ENVELOPE {
            return Err(refused(format!("`{ENVELOPE}` is there twice")).into());
        }
        if members.iter().any(|other| other.name == member.name) {
            return Err(refused(format!("the member `{}` is there twice", member.name)).into());
        }
        if members.len() >= MOST_MEMBERS {
            return Err(refused(format!("more than {MOST_MEMBERS} members")).into());
        }
        members.push(member);
    }
    it.end()?;
    Ok(Contents {
        envelope: first.kept.unwrap_or_default(),
        members,
    })
}

fn refused(because: impl Into<String>) -> Refusal {
    Refusal::new(Check::Archive, because)
}

struct Reader<'a> {
    input: &'a mut dyn Read,
    at: u64,
    left_to_keep: u64,
}

impl Reader<'_> {
    /// The next member; `None` where a block of zeros begins the end.
    fn member(&mut self, envelope: bool) -> Result<Option<Member>, ReadError> {
        let place = self.at;
        let mut block = [0; BLOCK];
        self.fill(&mut block, "a header")?;
        if block == [0; BLOCK] {
            return Ok(None);
        }
        let (name, size) = named(&block).map_err(|why| refused(format!("offset {place}: {why}")))?;
        let keep = envelope || name.starts_with(FILES);
        if keep && size > self.left_to_keep {
            let what = if envelope { "an envelope" } else { "files" };
            return Err(refused(format!(
                "offset {place}: `{name}` states {size} bytes; {what} of at most {MOST_KEPT} are read"
            ))
            .into());
        }
        if keep && !envelope {
            self.left_to_keep = self.left_to_keep.saturating_sub(size);
        }
        // Room is taken as bytes come, never by the length that a header states.
        let mut kept = keep.then(Vec::new);
        let mut hash = Sha256::new();
        let mut left = size;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let bytes = piece.get_mut(..wanted).unwrap_or_default();
            self.fill(bytes, &format!("`{name}`, which states {size} bytes"))?;
            hash.update(&*bytes);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(bytes);
            }
            left = left.saturating_sub(wanted as u64);
        }
        let mut rest = [0; BLOCK];
        let rest = rest.get_mut(..padding(size)).unwrap_or_default();
        self.fill(rest, &format!("the padding of `{name}`"))?;
        if rest.iter().any(|it| *it != 0) {
            return Err(refused(format!("the padding of `{name}` is not zero")).into());
        }
        Ok(Some(Member {
            name,
            size,
            sha256: hex(&hash.finalize()),
            kept,
        }))
    }

    /// The second block of zeros, and nothing behind it.
    fn end(&mut self) -> Result<(), ReadError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block, "its end")?;
        if block != [0; BLOCK] {
            return Err(refused("a block of zeros between members").into());
        }
        let place = self.at;
        let mut more = [0; 1];
        loop {
            match self.input.read(&mut more) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(refused(format!("offset {place}: bytes behind its end")).into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fill(&mut self, bytes: &mut [u8], what: &str) -> Result<(), ReadError> {
        match self.input.read_exact(bytes) {
            Ok(()) => {
                self.at = self.at.saturating_add(bytes.len() as u64);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(refused(format!("offset {}: it is cut short in {what}", self.at)).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Name and length, of a header that is the one for them; else what is wrong with it.
fn named(block: &[u8; BLOCK]) -> Result<(String, u64), String> {
    let mut found = Header::new_old();
    found.as_mut_bytes().copy_from_slice(block);
    // The sum is of all bytes, with blanks for its own eight.
    let own = |at: &usize| (148..156).contains(at);
    let sum = block.iter().enumerate().fold(0, |sum: u32, (at, byte)| {
        sum.saturating_add(if own(&at) { 32 } else { u32::from(*byte) })
    });
    if found.cksum().ok() != Some(sum) {
        return Err("no header of an archive: its sum is another".to_owned());
    }
    let name = String::from_utf8_lossy(&found.path_bytes()).into_owned();
    let kind = found.entry_type();
    if kind != EntryType::Regular {
        let what = match kind {
            EntryType::Link => "a hard link",
            EntryType::Symlink => "a symbolic link",
            EntryType::Char | EntryType::Block => "a device",
            EntryType::Directory => "a folder",
            EntryType::Fifo => "a pipe",
            EntryType::GNULongName | EntryType::GNULongLink => "a GNU long name",
            EntryType::GNUSparse => "a sparse file",
            EntryType::XGlobalHeader | EntryType::XHeader => "an extended header",
            _ => "of an unknown type",
        };
        return Err(format!("`{name}` is {what}; a bundle holds regular files"));
    }
    if !is_name(&name) {
        return Err(format!("`{name}` is no name of a member"));
    }
    let size = found
        .entry_size()
        .map_err(|_| format!("`{name}` has a length that cannot be read"))?;
    if size > MOST_OF_A_MEMBER {
        return Err(format!("`{name}` states {size} bytes; a member holds {MOST_OF_A_MEMBER} at most"));
    }
    match header(&name, size) {
        Some(it) if it.as_bytes() == block => Ok((name, size)),
        _ => Err(format!(
            "`{name}` has another header than a bundle gives it (times, owners, mode 644, spelling of numbers)"
        )),
    }
}
