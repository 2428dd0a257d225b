//! Every readable value of a message, under a path of its own. Names from the wire are made safe for a path; values
//! are handed on as they were sent, percent-encoding included: decoding is the detectors' business.
//!
//! HTTP/1 and HTTP/2 tell their values through this one vocabulary; it refuses to know how a head was carried.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::head::{Head, StartLine, at, is_token, trimmed};
pub(crate) use crate::content::Text;
use crate::protocols::{Field, Gathered, Sink, ntlm};

/// Bytes of a name from the wire that stand in a path.
const LONGEST_NAME: usize = 64;

/// A path: `prefix` and a name from the wire, lower-cased, cut, its odd bytes replaced.
pub fn path(prefix: &str, name: &[u8]) -> String {
    let name = name.get(..LONGEST_NAME).unwrap_or(name);
    let mut path = String::with_capacity(prefix.len().saturating_add(name.len()).saturating_add(1));
    path.push_str(prefix);
    path.push('.');
    path.extend(name.iter().map(|byte| match is_token(*byte) {
        true => char::from(byte.to_ascii_lowercase()),
        false => '_',
    }));
    path
}

/// Tells one value, unless it is empty.
pub fn tell(text: Text<'_>, path: &str, range: Range<usize>, out: &mut dyn Sink) {
    let value = at(text.bytes, &range);
    if !value.is_empty() {
        let at = (text.place)(range);
        out.field(Field { path, value, at });
    }
}

/// Tells what the head at the front of `gathered` holds.
pub fn head(gathered: &Gathered, head: &Head, out: &mut dyn Sink) {
    let text = Text {
        bytes: gathered.bytes(),
        place: &|range| gathered.span(range),
    };
    let asked = match &head.start {
        StartLine::Request { target, .. } => {
            target_values(text, target, out);
            true
        }
        StartLine::Response { .. } => false,
    };
    for header in &head.headers {
        let name = at(text.bytes, &header.name);
        self::header(text, asked, name, header.value.clone(), header.folded, out);
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if asked && (is(b"authorization") || is(b"proxy-authorization")) {
            login(text, "http.authorization", header.value.clone(), out);
        } else if !asked && (is(b"www-authenticate") || is(b"proxy-authenticate")) {
            login(text, "http.challenge", header.value.clone(), out);
        }
    }
}

/// Tells one header of a request (`asked`) or a response.
pub fn header(text: Text<'_>, asked: bool, name: &[u8], value: Range<usize>, folded: bool, out: &mut dyn Sink) {
    let is = |of_request: bool, known: &[u8]| asked == of_request && name.eq_ignore_ascii_case(known);
    if is(true, b"host") {
        host(text, value, out);
    } else if is(true, b"authorization") || is(true, b"proxy-authorization") {
        tell(text, "http.authorization", value, out);
    } else if is(true, b"cookie") {
        for pair in split(text.bytes, value, b";") {
            named(text, "http.cookie", pair, out);
        }
    } else if is(false, b"set-cookie") {
        if let Some(pair) = split(text.bytes, value, b";").next() {
            named(text, "http.set-cookie", pair, out);
        }
    } else {
        let path = path(if asked { "http.request.header" } else { "http.response.header" }, name);
        if folded {
            unfolded(text, &path, value, out);
        } else {
            tell(text, &path, value, out);
        }
    }
}

/// Tells a host, and the user and password that some write before it, where neither belongs (RFC 9110, section 4.2.4).
pub fn host(text: Text<'_>, value: Range<usize>, out: &mut dyn Sink) {
    user(text, &value, out);
    tell(text, "http.host", host_of(text.bytes, &value), out);
}

/// Tells user and password of an authority, and gives what stands behind them.
fn user(text: Text<'_>, authority: &Range<usize>, out: &mut dyn Sink) -> Range<usize> {
    let host = without_user(text.bytes, authority);
    let value = authority.start..host.start.saturating_sub(1);
    let mut parts = at(text.bytes, &value).splitn(2, |byte| *byte == b':');
    let name = parts.next().map_or(0, <[u8]>::len);
    let end = value.start.saturating_add(name);
    tell(text, "http.userinfo.user", value.start..end, out);
    if let Some(password) = parts.next() {
        let password = value.end.saturating_sub(password.len())..value.end;
        tell(text, "http.userinfo.password", password, out);
    }
    host
}

/// The host of an authority and its port, without the user before them. Empty where the port is no number: that begins like the user and
/// the password of whoever wrote a `/` or the like in a password as it is, and nothing tells where those end.
pub fn host_of(bytes: &[u8], authority: &Range<usize>) -> Range<usize> {
    let host = without_user(bytes, authority);
    let text = at(bytes, &host);
    let numbered = text.iter().position(|byte| *byte == b':').is_none_or(|colon| {
        let port = text.iter().skip(colon).skip(1).take_while(|byte| **byte != b'/');
        // An address of version 6 has more colons, with brackets around it or, as some write it, without.
        text.first() == Some(&b'[') || port.clone().all(u8::is_ascii_digit) || {
            let part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            text.iter().filter(|byte| **byte == b':').count() > 1 && text.iter().all(part)
        }
    });
    if numbered { host } else { host.end..host.end }
}

/// What stands behind the user information of an authority, if there is any.
fn without_user(bytes: &[u8], authority: &Range<usize>) -> Range<usize> {
    let user = at(bytes, authority)
        .iter()
        .rposition(|byte| *byte == b'@')
        .map_or(0, |it| it.saturating_add(1));
    authority.start.saturating_add(user)..authority.end
}

/// Tells the names in a login by NTLM, alone or in the wrapping that it shares with Kerberos (RFC 4559, MS-NTHT).
fn login(text: Text<'_>, prefix: &str, value: Range<usize>, out: &mut dyn Sink) {
    let header = at(text.bytes, &value);
    let Some(space) = header.iter().position(|byte| *byte == b' ') else {
        return;
    };
    let (scheme, token) = header.split_at(space);
    if ![&b"ntlm"[..], b"negotiate"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) {
        return;
    }
    let Ok(token) = STANDARD.decode(token.trim_ascii()) else { return };
    ntlm::tell(&token, prefix, &["base64"], |_| (text.place)(value.clone()), out);
}

/// A value that went over several lines, its line ends replaced by one space each (RFC 9112, section 5.2).
fn unfolded(text: Text<'_>, path: &str, range: Range<usize>, out: &mut dyn Sink) {
    let lines = at(text.bytes, &range).split(|byte| *byte == b'\n');
    let value = lines.map(<[u8]>::trim_ascii).collect::<Vec<_>>().join(&b' ');
    out.field(Field {
        path,
        value: &value,
        at: (text.place)(range),
    });
}

/// The target's path, and each parameter of its query.
pub fn target_values(text: Text<'_>, target: &Range<usize>, out: &mut dyn Sink) {
    let bytes = text.bytes;
    // The path begins behind the authority of an absolute target (RFC 9112, section 3.2.2). One that is all there is, as of a `CONNECT`
    // (section 3.2.3), is told without the user.
    let start = match absolute(bytes, target) {
        Some(authority) => {
            user(text, &authority, out);
            authority.end
        }
        None if at(bytes, target).first() == Some(&b'/') => target.start,
        None => user(text, &authority_at(bytes, target), out).start,
    };
    let target_text = at(bytes, &(start..target.end));
    let end_of = |mark: u8| target_text.iter().position(|byte| *byte == mark).map(|it| start.saturating_add(it));
    let fragment = end_of(b'#').unwrap_or(target.end);
    let query = end_of(b'?').filter(|it| *it < fragment);
    tell(text, "http.path", start..query.unwrap_or(fragment), out);
    if let Some(query) = query {
        pairs(text, "http.query", query.saturating_add(1)..fragment, out);
    }
}

/// Host and port that a `CONNECT` asks for; of what some write behind them, nothing.
pub fn host_and_port(bytes: &[u8], target: &Range<usize>) -> Option<Range<usize>> {
    let host = host_of(bytes, &authority_at(bytes, target));
    (!host.is_empty()).then_some(host)
}

/// The host and port of an absolute target; empty where they cannot be told.
pub fn authority(bytes: &[u8], target: &Range<usize>) -> Option<Range<usize>> {
    Some(host_of(bytes, &absolute(bytes, target)?))
}

/// The authority of an absolute target.
fn absolute(bytes: &[u8], target: &Range<usize>) -> Option<Range<usize>> {
    let text = at(bytes, target);
    let mark = text.windows(3).position(|it| it == b"://")?;
    let scheme = text.get(..mark)?;
    if scheme.is_empty()
        || !scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    {
        return None;
    }
    let start = target.start.saturating_add(mark).saturating_add(3);
    Some(authority_at(bytes, &(start..target.end)))
}

/// The authority with which that begins.
fn authority_at(bytes: &[u8], range: &Range<usize>) -> Range<usize> {
    let text = at(bytes, range);
    let ends = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b' ');
    let length = text.iter().position(ends).unwrap_or(text.len());
    range.start..range.start.saturating_add(length)
}

/// `a=1&b=2` (WHATWG URL, application/x-www-form-urlencoded).
pub fn pairs(text: Text<'_>, prefix: &str, range: Range<usize>, out: &mut dyn Sink) {
    for pair in split(text.bytes, range, b"&") {
        named(text, prefix, pair, out);
    }
}

/// One `name=value`; without a `=` the whole of it is a value under the bare prefix.
fn named(text: Text<'_>, prefix: &str, pair: Range<usize>, out: &mut dyn Sink) {
    let bytes = text.bytes;
    match at(bytes, &pair).iter().position(|byte| *byte == b'=') {
        Some(mark) => {
            let mark = pair.start.saturating_add(mark);
            let path = path(prefix, at(bytes, &trimmed(bytes, pair.start..mark)));
            tell(text, &path, trimmed(bytes, mark.saturating_add(1)..pair.end), out);
        }
        None => tell(text, prefix, pair, out),
    }
}

/// The parts between any of `marks`, without white space around them.
fn split<'a>(bytes: &'a [u8], range: Range<usize>, marks: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut next = range.start;
    at(bytes, &range).split(move |byte| marks.contains(byte)).map(move |part| {
        let start = next;
        let end = start.saturating_add(part.len());
        next = end.saturating_add(1);
        trimmed(bytes, start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_wire_are_made_safe() {
        assert_eq!(path("http.query", b"User ID[\xff]"), "http.query.user_id___");
        assert_eq!(path("x", &[b'a'; 80]).len(), 2 + 64);
    }

    #[test]
    fn authorities_of_absolute_targets() {
        let told = |text: &str| authority(text.as_bytes(), &(0..text.len())).map(|it| text[it].to_owned());
        assert_eq!(told("http://a.example:81/b?c").as_deref(), Some("a.example:81"));
        assert_eq!(told("http://u:p@a.example").as_deref(), Some("a.example"));
        assert_eq!(told("http://a?x=@").as_deref(), Some("a"));
        assert_eq!(told("/r?u=http://b.example/"), None);
        assert_eq!(told("a.example:443"), None);
    }

    #[test]
    fn a_port_is_a_number() {
        for (authority, host) in [
            ("a.example", "a.example"),
            ("a.example:", "a.example:"),
            ("a.example:81", "a.example:81"),
            ("a.example:81/", "a.example:81/"),
            ("[2001:db8::1]:81", "[2001:db8::1]:81"),
            ("2001:db8::1f", "2001:db8::1f"),
            ("ann:s3cret", ""),
            ("ann:81s", ""),
            ("ann:s3:cret", ""),
            ("bob@ann:s3cret", ""),
        ] {
            assert_eq!(
                &authority[host_of(authority.as_bytes(), &(0..authority.len()))],
                host,
                "{authority}"
            );
        }
    }
}
