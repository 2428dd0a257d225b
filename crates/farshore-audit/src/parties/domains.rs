//! Owns the registrable domain of a host name, by the Public Suffix List with its private section.
//! Refuses addresses and names that are themselves a public suffix.

use std::net::IpAddr;

/// The name as it is compared: lower case, without the root's dot; `None` for an address or an empty name.
pub fn plain(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || bare.parse::<IpAddr>().is_ok() {
        return None;
    }
    Some(host.to_ascii_lowercase())
}

/// Whoever registered the name holds this much of it: `example.co.uk` of `www.example.co.uk`.
pub fn registrable_domain(host: &str) -> Option<String> {
    let host = plain(host)?;
    Some(psl::domain_str(&host)?.to_owned())
}

/// The name and every domain above it, the longest first.
pub fn upwards(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |name| name.split_once('.').map(|(_, above)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrable_domains_follow_the_list() {
        for (host, domain) in [
            ("www.example.co.uk", Some("example.co.uk")),
            ("Rtc2.Agora.IO.", Some("agora.io")),
            ("someone.github.io", Some("someone.github.io")),
            ("bucket.s3.amazonaws.com", Some("bucket.s3.amazonaws.com")),
            ("relay.voice.example", Some("voice.example")),
            ("co.uk", None),
            ("192.0.2.1", None),
            ("[2001:db8::1]", None),
            ("", None),
        ] {
            assert_eq!(registrable_domain(host).as_deref(), domain, "{host}");
        }
    }

    #[test]
    fn upwards_ends_at_the_top() {
        assert_eq!(upwards("a.b.c").collect::<Vec<_>>(), ["a.b.c", "b.c", "c"]);
    }
}
