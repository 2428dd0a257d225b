//! What no pattern can say: check digits, number plans, and words that merely stand where an identifier would.
//!
//! Each check takes a candidate a pack's pattern has matched and gives its canonical spelling, or nothing.
//! Refuses to guess: a check that cannot tell an identifier from a counter says so by wanting a key name.

use std::ops::Range;
use std::sync::OnceLock;

use farshore_model::WireText;
use serde::Deserialize;

use super::base64::{self, Alphabet};
use super::check_digits::{self, luhn};

/// A value that has the shape.
pub(super) struct Candidate<'a> {
    /// The value, percent-decoded if need be.
    pub value: &'a [u8],
    /// What stands before it.
    pub before: &'a [u8],
    /// Of the field.
    pub path: &'a str,
    /// All of the text it stands in.
    pub around: &'a [u8],
    /// A key name or the field's path says that it is one.
    pub named: bool,
    /// It stands in bytes that are not text as a whole: accidents happen.
    pub opaque: bool,
}

impl Candidate<'_> {
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(self.value).ok()
    }
}

/// A value that is one.
pub(super) struct Accepted {
    /// The one spelling of it.
    pub canonical: String,
    /// The part of the value that is meant, if not all.
    pub part: Option<Range<usize>>,
    /// Decodings applied to the part.
    pub decoded_by: &'static [&'static str],
}

impl Accepted {
    pub fn plainly(canonical: impl Into<String>) -> Self {
        Self {
            canonical: canonical.into(),
            part: None,
            decoded_by: &[],
        }
    }
}

/// A check.
pub(super) type Check = fn(&Candidate<'_>) -> Option<Accepted>;

/// The checks packs may name.
const CHECKS: &[(&str, Check)] = &[
    ("ad-id", ad_id),
    ("authorization", authorization),
    ("bounding-box", bounding_box),
    ("channel", channel),
    ("chosen", chosen),
    ("client-id", ad_id),
    ("cookie", cookie),
    ("device", device),
    ("email", email),
    ("iban", check_digits::iban),
    ("iccid", check_digits::iccid),
    ("imei", imei),
    ("imsi", imsi),
    ("imsi-realm", imsi_realm),
    ("latitude", latitude),
    ("longitude", longitude),
    ("mac", mac),
    ("payment-card", check_digits::payment_card),
    ("phone", phone),
    ("phone-named", phone_named),
    ("position", position),
    ("random", random),
    ("secret", secret),
    ("subject", subject),
    ("url-credential", url_credential),
    ("user", user),
];

/// The check of that name.
pub(super) fn named(name: &str) -> Option<Check> {
    CHECKS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

/// Words that stand where a value is missing.
fn is_placeholder(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "anonymous",
        "array",
        "boolean",
        "default",
        "deleted",
        "disabled",
        "enabled",
        "false",
        "guest",
        "integer",
        "n/a",
        "nan",
        "nil",
        "none",
        "null",
        "object",
        "string",
        "true",
        "undefined",
        "unknown",
        "unset",
    ];
    let mut chars = text.chars().filter(|c| c.is_alphanumeric());
    let first = chars.next();
    let default = || {
        text.split(|c: char| !c.is_alphanumeric())
            .any(|word| word.eq_ignore_ascii_case("default"))
    };
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) || chars.all(|c| Some(c) == first) || default()
}

/// `"token": "Token"`, `"username": "User name"`: a page's words for its own fields.
fn is_label(it: &Candidate<'_>) -> bool {
    let letters = |text: &'_ [u8]| -> Vec<u8> {
        let letters = text.iter().rev().filter(|b| b.is_ascii_alphabetic());
        letters.map(u8::to_ascii_lowercase).take(it.value.len()).collect()
    };
    let near = it.before.get(it.before.len().saturating_sub(64)..).unwrap_or(it.before);
    let words = it.value.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-'));
    let label = letters(it.value);
    words && it.value.first().is_some_and(u8::is_ascii_uppercase) && letters(near).starts_with(&label)
}

/// `$num$`, `{{token}}`, `${key}`, `%s`, `<%= id %>`: a page's place for a value.
fn is_template(value: &[u8]) -> bool {
    let within = |open: &[u8], close: &[u8]| value.starts_with(open) && value.ends_with(close) && value.len() > open.len();
    within(b"$", b"$") || within(b"{{", b"}}") || within(b"${", b"}") || within(b"<%", b"%>") || within(b"%", b"%") || value == b"%s"
}

/// `0.2685`: a measure.
fn is_fraction(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(whole, rest)| !whole.is_empty() && !rest.is_empty() && is_digits(whole) && is_digits(rest))
}

/// A moment of this age, in seconds or milliseconds since 1970.
fn is_time(text: &str) -> bool {
    let seconds = match text.len() {
        10 => Some(text),
        13 => text.get(..10),
        _ => None,
    };
    seconds.is_some_and(|it| is_digits(text) && (946_684_800..2_145_916_800).contains(&it.parse().unwrap_or(0_u64)))
}

/// `1.2.3`, `v10.4`: a version says nothing of anyone.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    text.contains('.') && text.len() <= 16 && text.split('.').all(|part| !part.is_empty() && part.len() <= 4 && is_digits(part))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// RFC 5321 §4.1.2 (dot-string at a domain). Without a key name the domain must end in a suffix that exists.
fn email(it: &Candidate<'_>) -> Option<Accepted> {
    let whole = it.text()?;
    // `%22ivan`: the digits of a triplet are no part of the name.
    let skipped = if !it.named && it.before.ends_with(b"%") && percent_digits(whole) {
        2
    } else {
        0
    };
    let text = whole.get(skipped..)?.replace("%40", "@");
    let (local, domain) = text.rsplit_once('@')?;
    let labels_fit = domain
        .split('.')
        .all(|label| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-'));
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") || !domain.contains('.') || !labels_fit {
        return None;
    }
    if !it.named {
        let last = domain.rsplit('.').next()?;
        // RFC 2606 §2: names set aside for examples and tests are in no list of suffixes.
        let reserved = last.eq_ignore_ascii_case("example") || last.eq_ignore_ascii_case("test");
        let lower = domain.to_ascii_lowercase();
        let listed = psl::suffix(lower.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() != lower.as_bytes());
        if !(reserved || listed) || is_userinfo(it.before) || (it.opaque && text.len() < 10) {
            return None;
        }
    }
    // Overwritten by whoever published it, or the number of a message: digits apart, of which some are a time.
    let masked = local.len() > 3 && is_placeholder(local);
    let number = local.split(['_', '.', '-']).count() > 1 && local.split(['_', '.', '-']).any(|it| it.len() == 13 && is_time(it));
    if local.is_empty() || masked || (!it.named && (number || is_of_message(it.before))) {
        return None;
    }
    Some(Accepted {
        canonical: text.to_ascii_lowercase(),
        part: Some(skipped..whole.len()),
        decoded_by: if whole.contains("%40") { &["url"] } else { &[] },
    })
}

/// `Message-ID: <`, `References: <…> <`: numbers of messages (RFC 5322 §3.6.4) in text that nobody took apart.
fn is_of_message(before: &[u8]) -> bool {
    let near = before.get(before.len().saturating_sub(512)..).unwrap_or(before);
    let line = near.rsplit(|b| *b == b'\n').next().unwrap_or(near);
    let names = [&b"message-id:"[..], b"references:", b"in-reply-to:", b"content-id:"];
    names
        .iter()
        .any(|name| line.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name)))
}

fn percent_digits(text: &str) -> bool {
    text.as_bytes()
        .first_chunk::<2>()
        .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
}

/// `scheme://user:secret@host`: what stands before the `@` is no mailbox.
fn is_userinfo(before: &[u8]) -> bool {
    let near = before.get(before.len().saturating_sub(256)..).unwrap_or(before);
    let word = near
        .rsplit(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<'))
        .next()
        .unwrap_or(near);
    let Some(at) = word.windows(3).rposition(|three| three == b"://") else {
        return false;
    };
    !word.iter().skip(at.saturating_add(3)).any(|b| matches!(b, b'/' | b'?' | b'#'))
}

/// 3GPP TS 23.003 §6.2.1 and annex B: 14 digits and a Luhn digit.
fn imei(it: &Candidate<'_>) -> Option<Accepted> {
    let digits: String = it.text()?.chars().filter(char::is_ascii_digit).collect();
    let fits = digits.len() == 15 && luhn(&digits) && !digits.starts_with("00000000");
    fits.then(|| Accepted::plainly(digits))
}

#[derive(Deserialize, Default)]
struct CountryCodes {
    codes: Vec<u16>,
}

#[derive(Deserialize, Default)]
struct CallingCodes {
    codes: Vec<(u16, usize, usize)>,
}

/// 3GPP TS 23.003 §2.2: a mobile country code that is in use, a network code, a number.
fn imsi(it: &Candidate<'_>) -> Option<Accepted> {
    static TABLE: OnceLock<CountryCodes> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        // The table is compiled in and read by a test: it cannot fail here without failing there.
        toml::from_str(include_str!("../../../../packs/identifiers/tables/mobile-country-codes.toml")).unwrap_or_default()
    });
    let text = it.text()?;
    let country: u16 = text.get(..3)?.parse().ok()?;
    (table.codes.contains(&country) && !text.ends_with("00000000")).then(|| Accepted::plainly(text))
}

/// 3GPP TS 23.003 §13.3: the number at the realm of its network, which names the same country.
fn imsi_realm(it: &Candidate<'_>) -> Option<Accepted> {
    let (digits, realm) = it.text()?.split_once('@')?;
    let country = realm.rsplit_once(".mcc")?.1.get(..3)?;
    // §19.3.2: which method of EAP; and bytes have a length before all of it, which may be the code of a digit.
    let number = (0..=2)
        .filter_map(|before| digits.get(before..))
        .find(|it| (14..=15).contains(&it.len()) && it.starts_with(country))?;
    let before = digits.len().saturating_sub(number.len());
    Some(Accepted {
        canonical: number.to_owned(),
        part: Some(before..digits.len()),
        decoded_by: &[],
    })
}

/// IEEE 802: six octets of one interface: neither zero nor a group address (broadcast is one).
fn mac(it: &Candidate<'_>) -> Option<Accepted> {
    let digits: String = it
        .text()?
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect::<String>()
        .to_ascii_lowercase();
    let first = u8::from_str_radix(digits.get(..2)?, 16).ok()?;
    // What Android 6 and iOS 7 give an app that asks for the address of the interface.
    let withheld = digits == "020000000000";
    if digits.len() != 12 || first & 1 == 1 || withheld || digits.bytes().all(|b| b == b'0') {
        return None;
    }
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let pairs: Vec<&str> = pairs.iter().filter_map(|pair| str::from_utf8(pair).ok()).collect();
    Some(Accepted::plainly(pairs.join(":")))
}

/// A UUID or other digest given out for advertising; zeros say that the user refused.
fn ad_id(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?;
    (!is_placeholder(text)).then(|| Accepted::plainly(text.to_ascii_lowercase()))
}

/// ITU-T E.164: `+`, a country code in use, as many digits as its plan has.
fn phone(it: &Candidate<'_>) -> Option<Accepted> {
    static TABLE: OnceLock<CallingCodes> = OnceLock::new();
    let table =
        TABLE.get_or_init(|| toml::from_str(include_str!("../../../../packs/identifiers/tables/calling-codes.toml")).unwrap_or_default());
    let digits = dialled(it.text()?);
    let planned = table.codes.iter().any(|(code, least, most)| {
        let Some(national) = digits.strip_prefix(&code.to_string()) else {
            return false;
        };
        // The North American plan has ten digits, area and exchange from 2 up.
        let north_american = *code != 1
            || national.len() == 10
                && [0, 3]
                    .iter()
                    .all(|place| national.as_bytes().get(*place).is_some_and(|b| *b >= b'2'));
        (*least..=*most).contains(&national.len()) && north_american
    });
    let fits = planned && digits.len() >= 8 && digits.len() <= 15 && !is_placeholder(&digits);
    fits.then(|| Accepted::plainly(format!("+{digits}")))
}

fn phone_named(it: &Candidate<'_>) -> Option<Accepted> {
    let plain = of_hex(it.text()?);
    let text = plain.as_deref().unwrap_or(it.text()?);
    let digits = dialled(text);
    if !(7..=15).contains(&digits.len()) || is_placeholder(&digits) {
        return None;
    }
    match (text.starts_with('+'), digits.strip_prefix("00")) {
        (true, _) => Some(Accepted::plainly(format!("+{digits}"))),
        (false, Some(international)) => Some(Accepted::plainly(format!("+{international}"))),
        (false, None) => Some(Accepted::plainly(digits)),
    }
}

/// `34393135…`: digits as their ASCII codes in hex, as WAP gateways write them. Longer than any number (ITU-T E.164 §6.2) as it
/// stands, so nothing else is lost.
fn of_hex(text: &str) -> Option<String> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digits = pairs
        .iter()
        .map(|[three, digit]| (*three == b'3' && digit.is_ascii_digit()).then(|| char::from(*digit)));
    (rest.is_empty() && pairs.len() >= 8).then(|| digits.collect())?
}

fn dialled(text: &str) -> String {
    text.replace("%2B", "")
        .replace("%2b", "")
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}

/// Degrees north (ISO 6709): two decimals are a kilometre.
fn latitude(it: &Candidate<'_>) -> Option<Accepted> {
    degrees(it.text()?, 90.0)
}

/// Degrees east (ISO 6709).
fn longitude(it: &Candidate<'_>) -> Option<Accepted> {
    degrees(it.text()?, 180.0)
}

fn degrees(text: &str, most: f64) -> Option<Accepted> {
    let value: f64 = text.parse().ok()?;
    // Zero stands for "not known" in practice.
    (value.abs() <= most && value != 0.0).then(|| Accepted::plainly(text))
}

fn position(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?.to_ascii_lowercase().replace("%2c", ",").replace(' ', "");
    let (north, east) = text.split_once([',', ';'])?;
    let (north, east) = (degrees(north, 90.0)?, degrees(east, 180.0)?);
    Some(Accepted::plainly(format!("{},{}", north.canonical, east.canonical)))
}

/// West, south, east, north. The whole world is nobody's place.
fn bounding_box(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it
        .text()?
        .to_ascii_lowercase()
        .replace("%2c", ",")
        .replace(';', ",")
        .replace(' ', "");
    let sides: Vec<f64> = text.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [west, south, east, north] = *sides.as_slice() else {
        return None;
    };
    let inside = west.abs() <= 180.0 && east.abs() <= 180.0 && south.abs() <= 90.0 && north.abs() <= 90.0;
    let small = east - west < 20.0 && north - south < 20.0;
    (inside && small && west < east && south < north).then(|| Accepted::plainly(text))
}

/// RFC 9110 §11.4: a scheme, then what proves who asks. RFC 7617 (Basic) is base64 of `user:password`.
fn authorization(it: &Candidate<'_>) -> Option<Accepted> {
    let space = it.value.iter().position(|b| *b == b' ')?;
    let scheme = it.value.get(..space)?;
    let start = it.value.iter().skip(space).position(|b| *b != b' ')?.saturating_add(space);
    let rest = it.value.get(start..)?;
    let part = Some(start..it.value.len());
    if scheme.eq_ignore_ascii_case(b"basic") {
        let decoded = base64::decode_prefix(rest, Alphabet::Standard);
        if !decoded.contains(&b':') {
            return None;
        }
        return Some(Accepted {
            canonical: WireText::from_bytes(&decoded).as_str().to_owned(),
            part,
            decoded_by: &["base64"],
        });
    }
    // MS-NLMP §2.2.1.1: how it asks to log on; who does comes later.
    let asks = base64::decode_prefix(rest, Alphabet::Standard).starts_with(b"NTLMSSP\0\x01");
    // RFC 7616 §3.4: of unquoted text the name of the first parameter, and nothing of what it says.
    let name_alone = scheme.eq_ignore_ascii_case(b"digest") && rest.ends_with(b"=");
    (rest.len() >= 6 && !asks && !name_alone).then(|| Accepted {
        canonical: WireText::from_bytes(rest).as_str().to_owned(),
        part,
        decoded_by: &[],
    })
}

/// RFC 3986 §3.2.1: `//user:password@`.
fn url_credential(it: &Candidate<'_>) -> Option<Accepted> {
    let start = it.value.windows(3).position(|three| three == b"://")?.saturating_add(3);
    let end = it.value.iter().rposition(|b| *b == b'@')?;
    let inner = it.value.get(start..end)?;
    let secret = inner.splitn(2, |b| *b == b':').nth(1)?;
    let fits = !secret.is_empty() && !is_hidden(secret);
    fits.then(|| Accepted {
        canonical: WireText::from_bytes(inner).as_str().to_owned(),
        part: Some(start..end),
        decoded_by: &[],
    })
}

/// `****`: someone masked it already.
fn is_hidden(value: &[u8]) -> bool {
    value.iter().all(|b| matches!(b, b'*' | b'.' | b'x' | b'X' | b'-' | b'#'))
}

fn secret(it: &Candidate<'_>) -> Option<Accepted> {
    let text = WireText::from_bytes(it.value);
    (!is_hidden(it.value) && !is_placeholder(text.as_str()) && !is_template(it.value) && !is_label(it))
        .then(|| Accepted::plainly(text.as_str()))
}

/// Drawn by a machine, so that no two are alike: letters and digits, many of them different, and no date, host or words.
fn random(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?;
    let mut seen = [false; 256];
    for byte in text.bytes() {
        if let Some(place) = seen.get_mut(usize::from(byte)) {
            *place = true;
        }
    }
    let different = seen.iter().filter(|it| **it).count();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let words = text
        .split(['-', '_', '.', ' '])
        .filter(|word| word.len() > 2)
        .all(|word| word.bytes().all(|b| b.is_ascii_lowercase()));
    let dated = text
        .get(..5)
        .is_some_and(|year| is_digits(year.trim_end_matches('-')) && year.ends_with('-'))
        && text.contains('T');
    let numbers = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_punctuation());
    (different >= 8 && digits >= 2 && !words && !dated && !numbers && !is_placeholder(text)).then(|| Accepted::plainly(text))
}

/// RFC 7519 §4.1: a claim among claims of a token.
fn subject(it: &Candidate<'_>) -> Option<Accepted> {
    let holds = |claim: &[u8]| it.around.windows(claim.len()).any(|at| at == claim);
    let claims = it.around.trim_ascii_start().starts_with(b"{") && (holds(b"\"iss\"") || holds(b"\"exp\"") || holds(b"\"iat\""));
    if claims { user(it) } else { None }
}

fn user(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?;
    // Few digits number kinds and settings.
    let small = text.len() < 4 && is_digits(text);
    // The button of a form, which browsers send as one of its fields.
    let button = ["login", "log in", "log on", "logon", "sign in", "submit"]
        .iter()
        .any(|it| text.eq_ignore_ascii_case(it));
    let none = small
        || button
        || of_address(it)
        || is_label(it)
        || is_placeholder(text)
        || is_version(text)
        || is_fraction(text)
        || is_template(it.value);
    (!none).then(|| Accepted::plainly(text))
}

/// `<sip:…;user=phone>`, `<sip:…;lr;did=078.4c52>`: a parameter of an address says how to read it (RFC 3261 §19.1.1, `user`), or is
/// a proxy's own mark of the dialog, which it asks to be given back (§16.6). Others may name a device (RFC 5627, `gr`).
fn of_address(it: &Candidate<'_>) -> bool {
    let near = it.before.get(it.before.len().saturating_sub(256)..).unwrap_or(it.before);
    let uri = near
        .rsplit(|b| b.is_ascii_whitespace() || matches!(b, b'<' | b'>' | b'"' | b',' | b'?'))
        .next()
        .unwrap_or(near);
    let kind = [&b"phone"[..], b"ip", b"dialstring"]
        .iter()
        .any(|kind| it.value.eq_ignore_ascii_case(kind));
    let scheme = |it: &[u8]| uri.get(..it.len()).is_some_and(|at| at.eq_ignore_ascii_case(it));
    near.ends_with(b";did=") && (scheme(b"sip:") || scheme(b"sips:")) || kind && near.ends_with(b";user=")
}

/// A device's name for itself has digits; a model's name mostly has white space or few.
fn device(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (digits >= 2 && !is_placeholder(text) && !is_version(text) && !of_message(it) && !of_address(it)).then(|| {
        let hex = text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        Accepted::plainly(if hex { text.to_ascii_lowercase() } else { text.to_owned() })
    })
}

/// Whatever somebody chose, where a protocol wants a name of its own.
fn chosen(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?;
    let mut chars = text.chars();
    let first = chars.next();
    (!is_placeholder(text) && chars.any(|c| Some(c) != first)).then(|| Accepted::plainly(text))
}

/// `x-request-uuid`, `trace_guid`: numbers of a message, drawn anew for each.
fn of_message(it: &Candidate<'_>) -> bool {
    const WORDS: &[&[u8]] = &[b"request", b"trace", b"correlation", b"transaction", b"message", b"event"];
    let path = it.path.rsplit_once(".header.").map_or("", |(_, name)| name);
    let near = it.before.get(it.before.len().saturating_sub(40)..).unwrap_or(it.before);
    let key = near
        .rsplit(|b| matches!(b, b'&' | b'?' | b',' | b'{' | b';' | b' ' | b'\n'))
        .next()
        .unwrap_or(near);
    let says = |text: &[u8]| {
        let mut words = text.split(|b| !b.is_ascii_alphanumeric());
        words.any(|word| WORDS.iter().any(|it| word.eq_ignore_ascii_case(it)))
    };
    says(path.as_bytes()) || says(key)
}

/// `channel` is also what app shops and radio bands are called: a room's name among them has digits.
fn channel(it: &Candidate<'_>) -> Option<Accepted> {
    let text = it.text()?;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    // `a=ssrc:1 cname:…` names a source of media, anew for each call (RFC 5576 section 6.1, RFC 7022).
    let line = it.before.rsplit(|b| *b == b'\n').next().unwrap_or(it.before);
    (!line.starts_with(b"a=ssrc:") && digits >= 3 && !is_placeholder(text) && !is_version(text)).then(|| Accepted::plainly(text))
}

/// RFC 6265 §4.1.1: the value ends at `;`. One that could tell users apart is long and has digits in it;
/// `dark`, `en-US`, `true`, a bare number that could be a domain's or a time, words with a number behind could not.
fn cookie(it: &Candidate<'_>) -> Option<Accepted> {
    let end = it.value.iter().position(|b| *b == b';').unwrap_or(it.value.len());
    let value = it.value.get(..end)?;
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let text = WireText::from_bytes(value);
    let telling = value.len() >= 8 && digits >= 2 || value.len() >= 16 && !value.contains(&b' ');
    (telling && tells_apart(text.as_str()) && !is_placeholder(text.as_str()) && !is_version(text.as_str())).then(|| Accepted {
        canonical: text.as_str().to_owned(),
        part: Some(0..end),
        decoded_by: &[],
    })
}

/// Whether there is room in a value for telling users apart: 32 bits and more that are neither a time nor words.
fn tells_apart(text: &str) -> bool {
    if is_digits(text) {
        return text.len() >= 10 && !is_time(text);
    }
    // Overwritten by whoever published it.
    let mut alike: Vec<char> = text.chars().collect();
    alike.sort_unstable();
    let most = alike.chunk_by(PartialEq::eq).map(<[char]>::len).max().unwrap_or_default();
    if most.saturating_mul(2) > text.len() {
        return false;
    }
    let word = |it: &str| {
        let letters = it.trim_end_matches(|c: char| c.is_ascii_digit());
        it.len().saturating_sub(letters.len()) <= 3 && letters.bytes().all(|b| b.is_ascii_lowercase()) && letters.len() < 16
    };
    let words = |it: &str| it.split(|c: char| !c.is_alphanumeric()).all(word);
    // Of an object what stands behind the names: experiments have long numbers, and users a word in each.
    if let Some(object) = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
        let mut values = object
            .split(':')
            .skip(1)
            .map(|it| it.rsplit_once(',').map_or(it, |(value, _)| value));
        return values.any(|it| it.len() >= 10 && !words(it.trim_matches('"')));
    }
    !words(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_whole() {
        let countries: CountryCodes =
            toml::from_str(include_str!("../../../../packs/identifiers/tables/mobile-country-codes.toml")).unwrap();
        assert!(countries.codes.len() > 200 && countries.codes.iter().all(|code| *code < 1000));
        let calling: CallingCodes = toml::from_str(include_str!("../../../../packs/identifiers/tables/calling-codes.toml")).unwrap();
        assert!(calling.codes.len() > 200 && calling.codes.iter().all(|(_, least, most)| least <= most && *most <= 15));
        assert!(CHECKS.is_sorted_by_key(|(name, _)| *name));
    }
}
