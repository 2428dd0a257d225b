//! The head of a message: start line and header lines (RFC 9112, sections 2 to 5), as ranges of its bytes.
//!
//! Lenient where senders are: a bare LF ends a line, folded values are joined, several spaces are one. Refuses what
//! names no HTTP/1 version, so HTTP/0.9, HTTP/2 and SIP are not taken for it.

use std::ops::Range;

/// Header lines kept of one message. Real ones have a few dozen; the rest would only cost time.
const MOST_HEADERS: usize = 512;

/// As many as most messages have.
const TYPICAL_HEADERS: usize = 16;

/// Methods a flow may begin with. Inside a flow any token will do.
const METHODS: &[&[u8]] = &[
    // RFC 9110, section 9; RFC 5789
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    // WebDAV and its kin: RFC 4918, 3253, 3648, 3744, 4437, 4791, 5323, 5842, 2068
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"VERSION-CONTROL",
    b"REPORT",
    b"CHECKOUT",
    b"CHECKIN",
    b"UNCHECKOUT",
    b"MKWORKSPACE",
    b"UPDATE",
    b"LABEL",
    b"MERGE",
    b"BASELINE-CONTROL",
    b"MKACTIVITY",
    b"ORDERPATCH",
    b"ACL",
    b"MKREDIRECTREF",
    b"UPDATEREDIRECTREF",
    b"MKCALENDAR",
    b"SEARCH",
    b"BIND",
    b"UNBIND",
    b"REBIND",
    b"LINK",
    b"UNLINK",
    // UPnP Device Architecture 2.0
    b"NOTIFY",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"M-SEARCH",
    b"M-POST",
    // In use without an RFC: caches, Exchange, RPC over HTTP, Icecast
    b"PURGE",
    b"BPROPFIND",
    b"BPROPPATCH",
    b"BCOPY",
    b"BDELETE",
    b"BMOVE",
    b"POLL",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"SOURCE",
];

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLine {
    Request {
        method: Range<usize>,
        target: Range<usize>,
        version: &'static str,
    },
    Response {
        status: u16,
    },
}

/// A header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: Range<usize>,
    /// Without white space around it.
    pub value: Range<usize>,
    /// Whether it goes over several lines (RFC 9112, section 5.2).
    pub folded: bool,
}

/// A head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub start: StartLine,
    pub headers: Vec<Header>,
    /// Whether there were more headers than are kept.
    pub many: bool,
}

/// How the first bytes of a message look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Other,
    /// Too short to tell.
    Open,
    Request,
    Response,
}

/// A range of `bytes`, empty when it is outside.
pub fn at<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

/// Empty lines before a message (RFC 9112, section 2.2).
pub fn blank(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Whether a flow begins with a message: a status line, or a known method with a target and an HTTP/1 version.
pub fn look(bytes: &[u8]) -> Look {
    let bytes = bytes.get(blank(bytes)..).unwrap_or_default();
    let status = b"HTTP/1.";
    let common = bytes.len().min(status.len());
    if bytes.get(..common) == status.get(..common) {
        return match line(bytes, 0) {
            Some((whole, _)) if response(at(bytes, &whole)).is_some() => Look::Response,
            None if bytes.len() < 64 => Look::Open,
            Some(_) | None => Look::Other,
        };
    }
    // All methods are spelled in capitals: most of what is no request ends here.
    if bytes.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return Look::Other;
    }
    let known = METHODS.iter().any(|method| {
        if bytes.first().is_some_and(|byte| method.first() != Some(byte)) {
            return false;
        }
        let common = bytes.len().min(method.len());
        bytes.get(..common) == method.get(..common) && matches!(bytes.get(method.len()), None | Some(b' '))
    });
    if !known {
        return Look::Other;
    }
    match line(bytes, 0) {
        Some((whole, _)) if request(at(bytes, &whole)).is_some() => Look::Request,
        Some(_) => Look::Other,
        // A target longer than what is kept of the opening: a kilobyte of visible text has told enough.
        None if bytes.iter().any(|byte| byte.is_ascii_control()) => Look::Other,
        None if bytes.len() >= 1024 => Look::Request,
        None => Look::Open,
    }
}

/// The line at `from` without its end, and where the next begins.
pub fn line(bytes: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
    let length = bytes.get(from..)?.iter().position(|byte| *byte == b'\n')?;
    let end = from.saturating_add(length);
    let bare = match end.checked_sub(1).filter(|before| *before >= from) {
        Some(before) if bytes.get(before) == Some(&b'\r') => before,
        _ => end,
    };
    Some((from..bare, end.saturating_add(1)))
}

/// How far the head that begins at 0 was searched for its end, so that no byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search {
    /// Start of the last line, which is not whole yet.
    line: usize,
    /// Bytes looked at.
    seen: usize,
}

impl Search {
    /// The next whole line, without its end.
    pub fn line(&mut self, bytes: &[u8]) -> Option<Range<usize>> {
        let Some(length) = bytes.get(self.seen..).and_then(|it| it.iter().position(|byte| *byte == b'\n')) else {
            self.seen = bytes.len();
            return None;
        };
        let start = self.line;
        let end = self.seen.saturating_add(length);
        self.line = end.saturating_add(1);
        self.seen = self.line;
        let bare = end
            .checked_sub(1)
            .filter(|before| *before >= start && bytes.get(*before) == Some(&b'\r'));
        Some(start..bare.unwrap_or(end))
    }

    /// Where the lines found so far end.
    pub const fn end(&self) -> usize {
        self.line
    }
}

/// Reads a head; one that was cut short is read up to its last whole line.
pub fn read(bytes: &[u8]) -> Option<Head> {
    let (first, mut next) = line(bytes, 0)?;
    let text = at(bytes, &first);
    let mut head = Head {
        start: request(text).or_else(|| response(text))?,
        headers: Vec::new(),
        many: false,
    };
    while let Some((whole, after)) = line(bytes, next).filter(|(whole, _)| !whole.is_empty()) {
        if head.headers.is_empty() {
            head.headers.reserve(TYPICAL_HEADERS);
        }
        next = after;
        if matches!(bytes.get(whole.start), Some(b' ' | b'\t')) {
            if let Some(last) = head.headers.last_mut() {
                let more = trimmed(bytes, whole);
                if !more.is_empty() {
                    last.folded |= !last.value.is_empty();
                    last.value = if last.value.is_empty() { more } else { last.value.start..more.end };
                }
            }
            continue;
        }
        // A line without a colon is no header; whoever sent it, the lines after it still are.
        let Some(colon) = at(bytes, &whole).iter().position(|byte| *byte == b':') else {
            continue;
        };
        if head.headers.len() >= MOST_HEADERS {
            head.many = true;
            break;
        }
        let colon = whole.start.saturating_add(colon);
        head.headers.push(Header {
            name: trimmed(bytes, whole.start..colon),
            value: trimmed(bytes, colon.saturating_add(1)..whole.end),
            folded: false,
        });
    }
    Some(head)
}

/// A range without the white space at its ends.
pub fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = at(bytes, &range);
    let white = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let before = text.iter().take_while(white).count();
    let after = text.iter().rev().take_while(white).count();
    let start = range.start.saturating_add(before).min(range.end);
    start..range.end.saturating_sub(after).max(start)
}

/// `method SP target SP HTTP/1.x`
fn request(line: &[u8]) -> Option<StartLine> {
    let method = line.iter().position(|byte| *byte == b' ')?;
    let mark = b" HTTP/1.";
    let last = line.windows(mark.len()).rposition(|window| window == mark)?;
    let minor = line.get(last.saturating_add(mark.len())..)?;
    let target = trimmed(line, method..last.max(method));
    let token = method > 0 && line.get(..method)?.iter().all(|byte| is_token(*byte));
    let number = minor.first()?.is_ascii_digit() && minor.iter().skip(1).all(|byte| *byte == b' ');
    (token && number && !target.is_empty()).then_some(StartLine::Request {
        method: 0..method,
        target,
        version: if minor.first() == Some(&b'0') { "1.0" } else { "1.1" },
    })
}

/// `HTTP/1.x SP status [SP reason]`
fn response(line: &[u8]) -> Option<StartLine> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_first()?;
    let (space, rest) = rest.split_first()?;
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    let status = digits.iter().try_fold(0_u16, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|it| *it < 10)?;
        sum.checked_mul(10)?.checked_add(u16::from(digit))
    })?;
    let ends = matches!(rest.first(), None | Some(b' '));
    (minor.is_ascii_digit() && *space == b' ' && ends && status >= 100).then_some(StartLine::Response { status })
}

/// RFC 9110, section 5.6.2.
pub const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Vec<(String, String)> {
        let show = |range: &Range<usize>| String::from_utf8_lossy(at(text, range)).into_owned();
        read(text)
            .unwrap()
            .headers
            .iter()
            .map(|it| (show(&it.name), show(&it.value)))
            .collect()
    }

    #[test]
    fn start_lines() {
        for (text, expected) in [
            ("GET / HTTP/1.1", Some("1.1")),
            ("M-SEARCH * HTTP/1.1", Some("1.1")),
            ("GET  /a b  HTTP/1.0", Some("1.0")),
            ("GET /x HTTP/1.1 HTTP/1.1", Some("1.1")),
            ("GET / HTTP/2.0", None),
            ("GET /", None),
            ("GET HTTP/1.1", None),
            (" / HTTP/1.1", None),
            ("INVITE sip:a@b SIP/2.0", None),
        ] {
            let version = request(text.as_bytes()).map(|it| match it {
                StartLine::Request { version, .. } => version,
                StartLine::Response { .. } => "",
            });
            assert_eq!(version, expected, "{text}");
        }
        assert_eq!(response(b"HTTP/1.1 404 Not Found"), Some(StartLine::Response { status: 404 }));
        assert_eq!(response(b"HTTP/1.0 200"), Some(StartLine::Response { status: 200 }));
        assert_eq!(response(b"HTTP/1.1 2000 OK"), None);
        assert_eq!(response(b"HTTP/1.1 +20 OK"), None);
    }

    #[test]
    fn lines_may_be_folded_bare_or_broken() {
        let text = b"GET / HTTP/1.1\nA: 1\r\nno colon\r\nB:\r\n  two\r\n\tthree \r\nC :4\n\n";
        assert_eq!(
            pairs(text),
            [("A", "1"), ("B", "two\r\n\tthree"), ("C", "4")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        let mut search = Search::default();
        let lines = std::iter::from_fn(|| search.line(text)).collect::<Vec<_>>();
        assert_eq!((lines.len(), lines[0].clone(), lines[2].clone()), (8, 0..14, 21..29));
        assert_eq!((lines[7].is_empty(), search.end()), (true, text.len()));
    }

    #[test]
    fn a_flow_begins_with_a_known_method_or_a_status() {
        for (text, expected) in [
            (&b"GET /a HTTP/1.1\r\n"[..], Look::Request),
            (b"\r\n\r\nPOST /a HTTP/1.0\n", Look::Request),
            (b"HTTP/1.1 200 OK\r\n", Look::Response),
            (b"GE", Look::Open),
            (b"GET /a HT", Look::Open),
            (b"HTT", Look::Open),
            (b"GET /a\r\n", Look::Other),
            (b"GETS / HTTP/1.1\r\n", Look::Other),
            (b"HTTP/1.1 OK\r\n", Look::Other),
            (b"NOTIFY sip:a@b.example SIP/2.0\r\n", Look::Other),
            (b"GET \x01\x02", Look::Other),
            (b"\x16\x03\x01", Look::Other),
        ] {
            assert_eq!(look(text), expected, "{text:?}");
        }
        assert_eq!(look(&[b"GET /".to_vec(), vec![b'a'; 2000]].concat()), Look::Request);
    }
}
