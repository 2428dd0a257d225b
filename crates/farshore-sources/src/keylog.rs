//! Key logs in the NSS format (draft-ietf-tls-keylogfile), and the lines that OpenSSL's tools print of a session: text to rows, whatever
//! pieces it comes in. It owns lines and digits; what a label means, and whether it is of use, is for others to say.

/// Longest line that is read: the longest secrets there are take a third of it.
const LONGEST: usize = 1 << 10;

/// Longest value of a row.
const VALUE: usize = 256;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The label, such as `CLIENT_RANDOM`.
    pub label: &'a str,
    /// What the secret goes by: the client's random, for most labels.
    pub of: &'a [u8],
    /// The secret.
    pub secret: &'a [u8],
}

/// What a key log held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Rows.
    pub rows: u64,
    /// Lines that are neither rows nor empty nor comments.
    pub others: u64,
}

/// Reads a key log piece by piece.
#[derive(Debug, Default)]
pub struct Keylog {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The line in the making is too long to be one.
    overlong: bool,
    lines: Lines,
}

impl Keylog {
    /// Ready for the first piece.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    pub fn push(&mut self, mut piece: &[u8], each: &mut dyn FnMut(Row<'_>)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = piece.split_at(end);
            piece = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() && !self.overlong && line.len() <= LONGEST {
                self.read(line, each);
            } else {
                self.keep(line);
                self.finish_line(each);
            }
        }
        self.keep(piece);
    }

    /// The text has ended, whether or not its last line did.
    pub fn end(&mut self, each: &mut dyn FnMut(Row<'_>)) -> Lines {
        self.finish_line(each);
        self.lines
    }

    fn keep(&mut self, part: &[u8]) {
        self.overlong |= self.line.len().saturating_add(part.len()) > LONGEST;
        if self.overlong {
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn finish_line(&mut self, each: &mut dyn FnMut(Row<'_>)) {
        if std::mem::take(&mut self.overlong) {
            self.lines.others = self.lines.others.saturating_add(1);
        }
        let line = std::mem::take(&mut self.line);
        self.read(&line, each);
        self.line = line;
        self.line.clear();
    }

    fn read(&mut self, line: &[u8], each: &mut dyn FnMut(Row<'_>)) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        let (mut of, mut secret) = ([0; VALUE], [0; VALUE]);
        let row = words(line).and_then(|(label, a, b)| {
            Some(Row {
                label,
                of: digits(a, &mut of)?,
                secret: digits(b, &mut secret)?,
            })
        });
        match row {
            Some(row) => {
                self.lines.rows = self.lines.rows.saturating_add(1);
                each(row);
            }
            None => self.lines.others = self.lines.others.saturating_add(1),
        }
    }
}

/// The three parts of a line.
fn words(line: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    // As `openssl s_client` and others print it: RSA Session-ID:… Master-Key:…
    if let Some(rest) = line.strip_prefix(b"RSA Session-ID:") {
        let space = rest.iter().position(u8::is_ascii_whitespace)?;
        let (id, rest) = rest.split_at(space);
        return Some(("RSA Session-ID", id, rest.trim_ascii().strip_prefix(b"Master-Key:")?));
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (label, of, secret) = (words.next()?, words.next()?, words.next()?);
    let named = label
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    let label = std::str::from_utf8(label).ok().filter(|_| named)?;
    words.next().is_none().then_some((label, of, secret))
}

/// Hexadecimal digits as bytes; `None` for anything else, and for what is too long.
fn digits<'a>(text: &[u8], into: &'a mut [u8; VALUE]) -> Option<&'a [u8]> {
    let (pairs, rest) = text.as_chunks::<2>();
    let into = into.get_mut(..pairs.len()).filter(|_| rest.is_empty())?;
    for (place, [high, low]) in into.iter_mut().zip(pairs) {
        *place = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(into)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}# NSS key log\r\n\
        CLIENT_RANDOM 00ff aBcD\r\n\
        \n\
        SERVER_TRAFFIC_SECRET_0\t0102 0304  \n\
        RSA Session-ID:0A0B Master-Key:0c0d\n\
        CLIENT_RANDOM 00f abcd\n\
        CLIENT_RANDOM 00ff\n\
        CLIENT_RANDOM 00ff abcd ef\n\
        client random 00ff abcd\n\
        CLIENT_RANDOM 00gg abcd\n\
        EXPORTER_SECRET 05 06";

    type Kept = (String, Vec<u8>, Vec<u8>);

    fn read(pieces: &[&[u8]]) -> (Vec<Kept>, Lines) {
        let mut rows = Vec::new();
        let mut it = Keylog::new();
        let mut each = |row: Row<'_>| rows.push((row.label.to_owned(), row.of.to_vec(), row.secret.to_vec()));
        for piece in pieces {
            it.push(piece, &mut each);
        }
        let lines = it.end(&mut each);
        (rows, lines)
    }

    #[test]
    fn lines_become_rows_in_any_pieces() {
        let expected = vec![
            ("CLIENT_RANDOM".to_owned(), vec![0x00, 0xff], vec![0xab, 0xcd]),
            ("SERVER_TRAFFIC_SECRET_0".to_owned(), vec![1, 2], vec![3, 4]),
            ("RSA Session-ID".to_owned(), vec![0x0a, 0x0b], vec![0x0c, 0x0d]),
            ("EXPORTER_SECRET".to_owned(), vec![5], vec![6]),
        ];
        for size in [1, 2, 7, 1000] {
            let pieces: Vec<&[u8]> = TEXT.as_bytes().chunks(size).collect();
            let (rows, lines) = read(&pieces);
            assert_eq!(
                (rows, lines),
                (expected.clone(), Lines { rows: 4, others: 5 }),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let long = [
            b"CLIENT_RANDOM ".to_vec(),
            vec![b'0'; 1 << 20],
            b" 00\nCLIENT_RANDOM 01 02\n".to_vec(),
        ]
        .concat();
        for size in [1000, 1 << 21] {
            let pieces: Vec<&[u8]> = long.chunks(size).collect();
            let (rows, lines) = read(&pieces);
            assert_eq!((rows.len(), lines), (1, Lines { rows: 1, others: 1 }));
        }
        let value = [b"CLIENT_RANDOM ".to_vec(), vec![b'0'; 600], b" 00".to_vec()].concat();
        assert_eq!(read(&[&value]).1, Lines { rows: 0, others: 1 });
    }
}
