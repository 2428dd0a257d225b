//! Which part of an observed value may be shown when values are masked.
//!
//! Errs towards hiding. It refuses to touch host names: who was talked to is never masked.

pub(crate) const HIDDEN: &str = "****";
/// What stands for whoever is named before a host.
const HIDDEN_USER: &str = "****@";

/// Segments of paths behind which somebody or something is named.
const NAMING: &[&str] = &[
    "account",
    "accounts",
    "call",
    "calls",
    "channel",
    "channels",
    "chat",
    "chats",
    "contact",
    "contacts",
    "customer",
    "customers",
    "device",
    "devices",
    "group",
    "groups",
    "id",
    "ids",
    "member",
    "members",
    "people",
    "person",
    "profile",
    "profiles",
    "room",
    "rooms",
    "session",
    "sessions",
    "u",
    "uid",
    "user",
    "userid",
    "username",
    "users",
];

/// Path and query of a request: the shape stays, values and whatever looks like an id go.
pub fn path(sent: &str) -> String {
    let (before, fragment) = split(sent, '#');
    let (path, query) = split(before, '?');
    let mut out = String::with_capacity(sent.len());
    // Absolute form (RFC 9112, 3.2.2): the authority names the host, but may hold a user before it.
    let path = match path.split_once("://") {
        Some((scheme, rest)) => {
            let (user, host, rest) = authority(rest);
            out.push_str(&format!("{scheme}://{user}{host}"));
            rest
        }
        // The authority alone, as a tunnel is asked for (section 3.2.3).
        None => {
            let (user, host, rest) = authority(path);
            out.push_str(user);
            out.push_str(&segment(host));
            rest
        }
    };
    let mut named = false;
    join(&mut out, path.split('/'), '/', |it| {
        let shown = if named && !it.is_empty() { HIDDEN.to_owned() } else { segment(it) };
        named = NAMING.contains(&it.to_ascii_lowercase().as_str());
        shown
    });
    if let Some(query) = query {
        out.push('?');
        join(&mut out, query.split('&'), '&', pair);
    }
    if fragment.is_some() {
        out.push('#');
        out.push_str(HIDDEN);
    }
    out
}

/// An authority at the front: what stands in its user's place, its host and port, and what is behind them. A port that is no number is
/// none: so begins the password of whoever wrote a `/` or a `?` in it as it is.
fn authority(text: &str) -> (&'static str, &str, &str) {
    let (authority, rest) = text.find('/').map_or((text, ""), |at| text.split_at(at));
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(_, host)| (HIDDEN_USER, host));
    let numbered = host.starts_with('[')
        || match host.split_once(':') {
            Some((_, port)) => port.bytes().all(|byte| byte.is_ascii_digit()),
            None => true,
        };
    (user, if numbered { host } else { HIDDEN }, rest)
}

/// An id of unknown meaning: two characters stay, so that two ids can often be told apart.
pub fn id(id: &str) -> String {
    let shown: String = if id.chars().count() >= 8 {
        id.chars().take(2).collect()
    } else {
        String::new()
    };
    format!("{shown}{HIDDEN}")
}

/// Who is called, as an address such as `sip:bob@voice.example`: the scheme and the host stay.
pub fn address(address: &str) -> String {
    let (scheme, rest) = address.split_once(':').map_or(("", address), |(scheme, rest)| (scheme, rest));
    let mark = if scheme.is_empty() { "" } else { ":" };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{mark}{HIDDEN}@{host}"),
        None if scheme.starts_with("sip") && rest.contains('.') && !rest.starts_with('+') => address.to_owned(),
        None if rest.is_empty() => address.to_owned(),
        None => format!("{scheme}{mark}{HIDDEN}"),
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn join<'a>(out: &mut String, parts: impl Iterator<Item = &'a str>, with: char, mut show: impl FnMut(&str) -> String) {
    for (number, part) in parts.enumerate() {
        if number > 0 {
            out.push(with);
        }
        out.push_str(&show(part));
    }
}

/// One segment of a path, with its matrix parameters (`;jsessionid=…`).
fn segment(segment: &str) -> String {
    let (name, parameters) = split(segment, ';');
    let mut out = match name.split_once('=') {
        Some(_) => pair(name),
        None if is_revealing(name) => HIDDEN.to_owned(),
        None => name.to_owned(),
    };
    if let Some(parameters) = parameters {
        out.push(';');
        join(&mut out, parameters.split(';'), ';', pair);
    }
    out
}

fn pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((key, _)) if is_revealing(key) => format!("{HIDDEN}={HIDDEN}"),
        Some((key, _)) => format!("{key}={HIDDEN}"),
        None if pair.is_empty() => String::new(),
        // A query without a key is a value.
        None => HIDDEN.to_owned(),
    }
}

/// Whether a piece of a path may name a person, a device or a session.
fn is_revealing(piece: &str) -> bool {
    let piece = percent_decoded(piece);
    let digits = piece.chars().filter(|c| c.is_numeric()).count();
    let longest_hex = piece.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or(0);
    let mixed = digits > 0 && piece.chars().any(char::is_uppercase) && piece.chars().any(char::is_lowercase);
    let length = piece.chars().count();
    piece.contains('@') || digits >= 4 || longest_hex >= 8 || alternations(&piece) >= 3 || (mixed && length >= 12) || length >= 32
}

/// How often letters and digits follow each other: words and versions do it once or twice, what was drawn by lot all the time.
fn alternations(piece: &str) -> usize {
    let kinds = piece.chars().filter(|it| it.is_alphanumeric()).map(char::is_numeric);
    kinds.clone().zip(kinds.skip(1)).filter(|(a, b)| a != b).count()
}

fn percent_decoded(piece: &str) -> String {
    let mut bytes = Vec::with_capacity(piece.len());
    let mut rest = piece.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = match rest {
            [b'%', a, b, ..] => Option::zip(char::from(*a).to_digit(16), char::from(*b).to_digit(16)),
            _ => None,
        };
        match hex {
            Some((high, low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(u8::MAX));
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_path_stays_and_its_values_go() {
        for (sent, shown) in [
            ("/v1/join", "/v1/join"),
            ("/v1/rooms/918273/join?uid=7&token=abc&", "/v1/rooms/****/join?uid=****&token=****&"),
            ("/u/alice%40example.com", "/u/****"),
            ("/u/%31%32%33%34", "/u/****"),
            ("/d/deadbeef/x", "/d/****/x"),
            ("/v1/users/alice/avatar", "/v1/users/****/avatar"),
            ("/u/", "/u/"),
            ("/sync/P2JCJH3E/utf8/h264", "/sync/****/utf8/h264"),
            ("/d/0f0e7cda-1b2c-4d5e-8f90-aabbccddeeff", "/d/****"),
            ("/a;jsessionid=x/b", "/a;jsessionid=****/b"),
            ("/?354803066", "/?****"),
            ("/?13800138000=1", "/?****=****"),
            ("http://bob:pw@shop.example/p?q=1#me", "http://****@shop.example/p?q=****#****"),
            ("bob:pw@shop.example:443", "****@shop.example:443"),
            ("/p/@bob", "/p/****"),
            ("http://bob:pw/x@shop.example/p", "http://****/****/p"),
            ("http://bob:pw?x@shop.example/p", "http://****?****"),
            ("http://[2001:db8::1]:81/p", "http://[2001:db8::1]:81/p"),
            ("bob:pw/x@shop.example:443", "****/****"),
            ("/t/Ab3dEfGhIjKlMn", "/t/****"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path(sent), shown, "{sent}");
        }
    }

    #[test]
    fn an_address_keeps_its_host() {
        for (sent, shown) in [
            ("sip:bob@voice.example", "sip:****@voice.example"),
            ("sips:bob:pw@voice.example:5061", "sips:****@voice.example:5061"),
            ("sip:voice.example", "sip:voice.example"),
            ("sip:+49.151.234", "sip:****"),
            ("tel:+4915123456789", "tel:****"),
            ("bob@voice.example", "****@voice.example"),
            ("bob", "****"),
            ("", ""),
        ] {
            assert_eq!(address(sent), shown, "{sent}");
        }
    }

    #[test]
    fn an_id_keeps_two_characters_at_most() {
        assert_eq!(id("8394c8f03e515708"), "83****");
        assert_eq!(id("abc"), "****");
    }
}
