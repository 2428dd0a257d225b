//! Expressions to tests, by recursive descent. What is not known is refused where it stands, never left out.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::test::{ARP, Chain, End, Join, Layer, Leaf, Operator, RARP, Relation, Sum, Test};
use super::{FilterError, names};
use crate::link::{IPV4, IPV6};

/// How deep parentheses and negations nest.
const DEEPEST: usize = 64;
/// Operators of arithmetic in one expression.
const MOST_OPERATORS: usize = 256;

type Read<T> = Result<T, FilterError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Sign(&'a str),
}

/// Signs, the longer ones first.
const SIGNS: [&str; 24] = [
    "&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "<", ">", "=", "!", "(", ")", "[", "]", "&", "|", "^", "+", "-", "*", "/", "%",
];

/// Reads an expression; none at all is one that every frame fits.
pub fn expression(text: &str) -> Read<Chain> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        text,
        tokens: &tokens,
        at: 0,
        depth: 0,
        operators: 0,
        moved: 0,
        last: None,
    };
    if tokens.is_empty() {
        return Ok(Chain {
            first: Box::new(Test::Not(Box::new(Test::Any(Vec::new())))),
            rest: Vec::new(),
        });
    }
    let chain = parser.chain(Parser::negated)?;
    match parser.next() {
        None => Ok(chain),
        Some(_) => {
            parser.at = parser.at.saturating_sub(1);
            parser.fail("expected `and`, `or` or the end")
        }
    }
}

fn tokens(text: &str) -> Read<Vec<(Token<'_>, Range<usize>)>> {
    let mut tokens = Vec::new();
    let (mut at, mut brackets) = (0_usize, 0_usize);
    while let Some(rest) = text.get(at..).filter(|it| !it.is_empty()) {
        let blank = rest.len().saturating_sub(rest.trim_start().len());
        if blank > 0 {
            at = at.saturating_add(blank);
            continue;
        }
        let word = word(rest, brackets > 0);
        let (token, length) = if word > 0 {
            (Token::Word(rest.get(..word).unwrap_or_default()), word)
        } else if rest.starts_with(':') {
            (Token::Sign(":"), 1)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            match sign {
                "[" => brackets = brackets.saturating_add(1),
                "]" => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            (Token::Sign(sign), sign.len())
        } else {
            let odd = rest.chars().next().unwrap_or_default();
            return Err(FilterError {
                message: format!("`{}` stands in no expression", odd.escape_debug()),
                span: at..at.saturating_add(odd.len_utf8()),
            });
        };
        let end = at.saturating_add(length);
        tokens.push((token, at..end));
        at = end;
    }
    Ok(tokens)
}

/// How long the word at the front is. Colons are of addresses, but between brackets; a backslash says that what follows is a name.
fn word(text: &str, in_brackets: bool) -> usize {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || (!in_brackets && byte == b':');
    let bytes = text.as_bytes();
    let starts = match bytes {
        [b'\\', next, ..] => next.is_ascii_alphabetic(),
        [b':', b':', ..] => !in_brackets,
        [first, ..] => first.is_ascii_alphanumeric(),
        [] => false,
    };
    if !starts {
        return 0;
    }
    let mut length = 1_usize;
    while let Some(byte) = bytes.get(length) {
        // A hyphen joins two of them: `tcp-syn`, `20-23`; between brackets names alone, as numbers are subtracted there.
        let is_name = !in_brackets || bytes.first().is_some_and(u8::is_ascii_alphabetic);
        let joins = *byte == b'-' && is_name && bytes.get(length.saturating_add(1)).is_some_and(u8::is_ascii_alphanumeric);
        if !inner(*byte) && !joins {
            break;
        }
        length = length.saturating_add(1);
    }
    length
}

/// What stands before a value: whose, at which end, of what kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head<'a> {
    protocol: Option<&'a str>,
    end: Option<End>,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    Range,
    Protocol,
}

struct Parser<'a, 't> {
    text: &'a str,
    tokens: &'t [(Token<'a>, Range<usize>)],
    at: usize,
    depth: usize,
    operators: usize,
    /// How far tags move what comes next.
    moved: usize,
    /// What a value without a head is one of.
    last: Option<Head<'a>>,
}

impl<'a> Parser<'a, '_> {
    fn peek(&self) -> Option<Token<'a>> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at.saturating_add(by)).map(|(token, _)| *token)
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(token)
    }

    fn takes(&mut self, wanted: Token<'_>) -> bool {
        let is = self.peek() == Some(wanted);
        self.at = self.at.saturating_add(usize::from(is));
        is
    }

    /// Takes one of these words.
    fn word_of(&mut self, words: &[&str]) -> Option<&'a str> {
        match self.peek() {
            Some(Token::Word(it)) if words.contains(&it) => {
                self.at = self.at.saturating_add(1);
                Some(it)
            }
            _ => None,
        }
    }

    /// What is wrong with the next token.
    fn fail<T>(&self, message: &str) -> Read<T> {
        let end = self.text.len();
        let span = self.tokens.get(self.at).map_or(end..end, |(_, span)| span.clone());
        let message = match self.text.get(span.clone()) {
            Some("") | None => format!("{message}, and it ends"),
            Some(found) => format!("{message}, found `{found}`"),
        };
        Err(FilterError { message, span })
    }

    /// What is wrong with the latest token.
    fn fail_at<T>(&self, message: String) -> Read<T> {
        let span = self.tokens.get(self.at.saturating_sub(1)).map_or(0..0, |(_, span)| span.clone());
        Err(FilterError { message, span })
    }

    /// What is wrong with the token that was taken, if there was one.
    fn reject<T>(&mut self, token: Option<Token<'_>>, message: &str) -> Read<T> {
        self.at = self.at.saturating_sub(usize::from(token.is_some()));
        self.fail(message)
    }

    fn deeper(&mut self) -> Read<()> {
        self.depth = self.depth.saturating_add(1);
        match self.depth > DEEPEST {
            true => self.fail(&format!("it is nested more than {DEEPEST} deep")),
            false => Ok(()),
        }
    }

    /// Tests with `and` and `or` between them.
    fn chain(&mut self, one: impl Fn(&mut Self) -> Read<Test>) -> Read<Chain> {
        let first = Box::new(one(self)?);
        let mut rest = Vec::new();
        while let Some(join) = self.join() {
            rest.push((join, one(self)?));
        }
        Ok(Chain { first, rest })
    }

    /// The same, up to the parenthesis that closes.
    fn enclosed(&mut self, one: impl Fn(&mut Self) -> Read<Test>) -> Read<Test> {
        self.deeper()?;
        let chain = self.chain(one)?;
        self.depth = self.depth.saturating_sub(1);
        match self.takes(Token::Sign(")")) {
            true => Ok(Test::Chain(chain)),
            false => self.fail("expected `)`"),
        }
    }

    fn takes_not(&mut self) -> bool {
        self.takes(Token::Word("not")) || self.takes(Token::Sign("!"))
    }

    fn join(&mut self) -> Option<Join> {
        let join = match self.peek()? {
            Token::Word("and") | Token::Sign("&&") => Join::And,
            Token::Word("or") | Token::Sign("||") => Join::Or,
            _ => return None,
        };
        self.at = self.at.saturating_add(1);
        Some(join)
    }

    fn negated(&mut self) -> Read<Test> {
        if self.takes_not() {
            self.deeper()?;
            let test = self.negated()?;
            self.depth = self.depth.saturating_sub(1);
            return Ok(Test::Not(Box::new(test)));
        }
        self.term()
    }

    fn term(&mut self) -> Read<Test> {
        if self.peek() == Some(Token::Sign("(")) {
            // Parentheses are of arithmetic, or of tests.
            let (at, operators, depth) = (self.at, self.operators, self.depth);
            if let Ok(Some(test)) = self.comparison() {
                return Ok(test);
            }
            (self.at, self.operators, self.depth) = (at, operators, depth);
            self.at = self.at.saturating_add(1);
            return self.enclosed(Self::negated);
        }
        if self.is_arithmetic() {
            return match self.comparison()? {
                Some(test) => Ok(test),
                None => self.fail("expected a comparison, such as `>` or `=`"),
            };
        }
        self.primitive()
    }

    /// Whether what comes is a number to compare, rather than a value of a head.
    fn is_arithmetic(&self) -> bool {
        let operates = |token: Option<Token<'_>>| matches!(token, Some(Token::Sign(sign)) if !matches!(sign, "(" | ")" | "[" | "]" | "&&" | "||" | "!" | ":" | "/"));
        match self.peek() {
            Some(Token::Sign("-")) => true,
            Some(Token::Word("len")) => true,
            Some(Token::Word(word)) if number(word).is_some() || names::constant(word).is_some() => operates(self.ahead(1)),
            Some(Token::Word(_)) => self.ahead(1) == Some(Token::Sign("[")),
            _ => false,
        }
    }

    /// `tcp[tcpflags] & tcp-syn != 0`; none if no comparison stands there.
    fn comparison(&mut self) -> Read<Option<Test>> {
        let left = self.sum(0)?;
        let relation = match self.peek() {
            Some(Token::Sign("<")) => Relation::Less,
            Some(Token::Sign("<=")) => Relation::LessOrEqual,
            Some(Token::Sign("=" | "==")) => Relation::Equal,
            Some(Token::Sign("!=")) => Relation::NotEqual,
            Some(Token::Sign(">=")) => Relation::GreaterOrEqual,
            Some(Token::Sign(">")) => Relation::Greater,
            _ => return Ok(None),
        };
        self.at = self.at.saturating_add(1);
        let right = self.sum(0)?;
        Ok(Some(self.leaf(Leaf::Compare(Box::new(left), relation, Box::new(right)))))
    }

    /// Sums by how tight their operators bind: `|`, `&`, shifts, `+`, `*`, as in libpcap's grammar (`|` and `^` least, then `&`).
    fn sum(&mut self, tightness: u8) -> Read<Sum> {
        let mut left = self.atom()?;
        while let Some((operator, tight)) = self.peek().and_then(operator) {
            if tight < tightness {
                break;
            }
            self.operators = self.operators.saturating_add(1);
            if self.operators > MOST_OPERATORS {
                return self.fail(&format!("there are more than {MOST_OPERATORS} operators"));
            }
            self.at = self.at.saturating_add(1);
            let right = self.sum(tight.saturating_add(1))?;
            if matches!((operator, &right), (Operator::Divide | Operator::Modulo, Sum::Number(0))) {
                return self.fail_at("nothing is divided by 0".to_owned());
            }
            left = Sum::Two(Box::new(left), operator, Box::new(right));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Read<Sum> {
        self.deeper()?;
        let sum = match self.next() {
            Some(Token::Sign("-")) => Sum::Minus(Box::new(self.atom()?)),
            Some(Token::Sign("(")) => {
                let sum = self.sum(0)?;
                if !self.takes(Token::Sign(")")) {
                    return self.fail("expected `)`");
                }
                sum
            }
            Some(Token::Word("len")) => Sum::Length,
            Some(Token::Word(word)) => match number(word).or_else(|| names::constant(word)) {
                Some(number) => Sum::Number(number),
                None => self.bytes(word)?,
            },
            token => return self.reject(token, "expected a number, `len` or bytes such as `tcp[13]`"),
        };
        self.depth = self.depth.saturating_sub(1);
        Ok(sum)
    }

    /// `tcp[0:2]`, behind its name.
    fn bytes(&mut self, word: &str) -> Read<Sum> {
        let of = match word {
            "ether" | "link" => Layer::Link,
            "ip" => Layer::Network(IPV4),
            "ip6" => Layer::Network(IPV6),
            "arp" => Layer::Network(ARP),
            "rarp" => Layer::Network(RARP),
            "icmp6" => Layer::OverV6(58),
            "tcp" | "udp" | "icmp" | "igmp" | "igrp" | "pim" | "vrrp" | "carp" | "sctp" => match names::protocol(word) {
                Some(protocol) => Layer::OverV4(protocol),
                None => return self.fail_at(format!("the bytes of `{word}` are not read")),
            },
            _ => {
                let known = "ether, link, ip, ip6, arp, rarp, tcp, udp, sctp, icmp, icmp6, igmp, igrp, pim, vrrp, carp";
                return self.fail_at(format!(
                    "`{word}` is no number, and no layer whose bytes are read; there are: {known}"
                ));
            }
        };
        if !self.takes(Token::Sign("[")) {
            return self.fail("expected `[` and an offset");
        }
        let at = Box::new(self.sum(0)?);
        let mut size = 1;
        if self.takes(Token::Sign(":")) {
            size = match self.next() {
                Some(Token::Word("1")) => 1,
                Some(Token::Word("2")) => 2,
                Some(Token::Word("4")) => 4,
                token => return self.reject(token, "expected 1, 2 or 4 bytes"),
            };
        }
        match self.takes(Token::Sign("]")) {
            true => Ok(Sum::Bytes { of, at, size }),
            false => self.fail("expected `]`"),
        }
    }

    fn leaf(&self, leaf: Leaf) -> Test {
        Test::Leaf(leaf, self.moved)
    }

    fn any(&self, leaves: impl IntoIterator<Item = Leaf>) -> Test {
        Test::Any(leaves.into_iter().map(|it| self.leaf(it)).collect())
    }

    /// `tcp src port 80`, `vlan 7`, `10.0.0.1`.
    fn primitive(&mut self) -> Read<Test> {
        match self.peek() {
            Some(Token::Word("vlan")) => return self.vlan(),
            Some(Token::Word(word @ ("less" | "greater"))) => {
                self.at = self.at.saturating_add(1);
                let wanted = Box::new(Sum::Number(self.number("a length in bytes")?));
                let relation = if word == "less" {
                    Relation::LessOrEqual
                } else {
                    Relation::GreaterOrEqual
                };
                return Ok(self.leaf(Leaf::Compare(Box::new(Sum::Length), relation, wanted)));
            }
            _ => {}
        }
        let head = self.head()?;
        if let Some(group) = self.word_of(&["broadcast", "multicast"]) {
            return self.group(head, group);
        }
        let is_bare = head == Head::default();
        if let Some(Token::Word(word)) = self.peek()
            && UNREAD.contains(&word)
        {
            return self.fail(NOT_READ);
        }
        let has_value = match self.peek() {
            Some(Token::Sign("(")) => head.kind.is_some() || head.end.is_some(),
            Some(Token::Word(word)) => !JOINS.contains(&word) && (!is_bare || self.last.is_some()),
            _ => false,
        };
        if !has_value {
            return match head {
                Head {
                    protocol: Some(protocol),
                    end: None,
                    kind: None,
                } => self.protocol(protocol),
                _ if is_bare => self.fail("expected a test, such as `host 192.0.2.7`, `net 10.0.0.0/8` or `tcp port 443`"),
                _ => self.fail("expected a value"),
            };
        }
        let head = if is_bare { self.last.unwrap_or_default() } else { head };
        self.last = Some(head);
        self.values(head)
    }

    /// One value, or several in parentheses, joined.
    fn values(&mut self, head: Head<'a>) -> Read<Test> {
        if !self.takes(Token::Sign("(")) {
            return self.value(head);
        }
        self.enclosed(|it| match it.takes_not() {
            true => it.values(head).map(|test| Test::Not(Box::new(test))),
            false => it.values(head),
        })
    }

    fn head(&mut self) -> Read<Head<'a>> {
        let mut head = Head {
            protocol: self.word_of(&PROTOCOLS),
            ..Head::default()
        };
        let end = |word: &str| if word == "src" { End::Source } else { End::Destination };
        if let Some(first) = self.word_of(&["src", "dst"]) {
            head.end = Some(end(first));
            let other = if first == "src" { "dst" } else { "src" };
            if self.ahead(1) == Some(Token::Word(other))
                && let Some(join) = self.join()
            {
                self.at = self.at.saturating_add(1);
                head.end = Some(if join == Join::Or { End::Either } else { End::Both });
            }
        }
        head.kind = match self.word_of(&["host", "net", "port", "portrange", "proto"]) {
            Some("host") => Some(Kind::Host),
            Some("net") => Some(Kind::Net),
            Some("port") => Some(Kind::Port),
            Some("portrange") => Some(Kind::Range),
            Some(_) => Some(Kind::Protocol),
            None => None,
        };
        Ok(head)
    }

    fn vlan(&mut self) -> Read<Test> {
        self.at = self.at.saturating_add(1);
        let number = match self.peek() {
            Some(Token::Word(word)) => number(word),
            _ => None,
        };
        if let Some(number) = number {
            self.at = self.at.saturating_add(1);
            if number > 0x0fff {
                return self.fail_at("the numbers of VLANs end at 4095".to_owned());
            }
        }
        let number = number.and_then(|it| u16::try_from(it).ok());
        let test = self.leaf(Leaf::Vlan(number));
        self.moved = self.moved.saturating_add(4);
        Ok(test)
    }

    /// A protocol alone.
    fn protocol(&self, name: &str) -> Read<Test> {
        if let Some(kind) = names::ether(name) {
            return Ok(self.leaf(Leaf::Kind(kind)));
        }
        match (name, names::protocol(name)) {
            ("icmp6", Some(number)) => Ok(self.leaf(Leaf::Above(IPV6, number))),
            ("icmp" | "igmp" | "igrp", Some(number)) => Ok(self.leaf(Leaf::Above(IPV4, number))),
            (_, Some(number)) => Ok(self.any([Leaf::Above(IPV4, number), Leaf::Above(IPV6, number)])),
            (_, None) => self.fail_at(format!("`{name}` alone asks for nothing")),
        }
    }

    fn group(&self, head: Head<'_>, word: &str) -> Read<Test> {
        let leaf = match (head.protocol, word) {
            _ if head.end.is_some() || head.kind.is_some() => {
                return self.fail_at(format!("`{word}` has no end of its own"));
            }
            (None | Some("ether" | "link"), "broadcast") => Leaf::Mac {
                end: End::Destination,
                address: [0xff; 6],
            },
            (None | Some("ether" | "link"), _) => Leaf::Group,
            (Some("ip"), "multicast") => Leaf::V4Group,
            (Some("ip6"), "multicast") => Leaf::V6Group,
            (Some("ip"), _) => return self.fail_at("`ip broadcast` takes the netmask of the interface, which no file tells".to_owned()),
            (Some(protocol), _) => return self.fail_at(format!("`{protocol}` has no `{word}`")),
        };
        Ok(self.leaf(leaf))
    }

    fn number(&mut self, what: &str) -> Read<u32> {
        match self.peek() {
            Some(Token::Word(word)) if number(word).is_some() => {
                self.at = self.at.saturating_add(1);
                Ok(number(word).unwrap_or_default())
            }
            _ => self.fail(&format!("expected {what}")),
        }
    }

    fn value(&mut self, head: Head<'a>) -> Read<Test> {
        let Some(Token::Word(word)) = self.peek() else {
            return self.fail("expected a value");
        };
        self.at = self.at.saturating_add(1);
        let word = word.strip_prefix('\\').unwrap_or(word);
        let end = head.end.unwrap_or(End::Either);
        match head.kind {
            Some(Kind::Port) => self.ports(head, end, word, false),
            Some(Kind::Range) => self.ports(head, end, word, true),
            Some(Kind::Protocol) => self.above(head, word),
            Some(Kind::Net) => self.net(head, end, word),
            Some(Kind::Host) => self.host(head, end, word),
            // A network shows by its length, or by an address that is cut short.
            None if self.peek() == Some(Token::Sign("/")) || (word.parse::<Ipv4Addr>().is_err() && is_dotted(word)) => {
                self.net(head, end, word)
            }
            None => self.host(head, end, word),
        }
    }

    fn ports(&self, head: Head<'_>, end: End, word: &str, range: bool) -> Read<Test> {
        let protocols: &[u8] = match head.protocol {
            None => &[6, 17, 132],
            Some("tcp") => &[6],
            Some("udp") => &[17],
            Some("sctp") => &[132],
            Some(other) => return self.fail_at(format!("`{other}` has no ports; tcp, udp and sctp have")),
        };
        let port = |text: &str| {
            let number = number(text).and_then(|it| u16::try_from(it).ok());
            number.or_else(|| names::service(text))
        };
        let both = match word.split_once('-').filter(|_| range) {
            Some((from, to)) => port(from).zip(port(to)),
            None => port(word).map(|it| (it, it)),
        };
        let Some((one, other)) = both else {
            return self.fail_at(format!(
                "`{word}` is no port: a number up to 65535{}, or a service that is known by name",
                if range { ", two of them (20-23)" } else { "" }
            ));
        };
        let (from, to) = (one.min(other), one.max(other));
        Ok(self.any(protocols.iter().map(|protocol| Leaf::Ports {
            protocol: *protocol,
            end,
            from,
            to,
        })))
    }

    fn above(&self, head: Head<'_>, word: &str) -> Read<Test> {
        if head.end.is_some() {
            return self.fail_at("a protocol has no end of its own".to_owned());
        }
        match head.protocol {
            Some("ether" | "link") => {
                let kind = number(word).and_then(|it| u16::try_from(it).ok()).filter(|it| *it > 1500);
                match kind.or_else(|| names::ether(word)) {
                    Some(kind) => Ok(self.leaf(Leaf::Kind(kind))),
                    None => self.fail_at(format!(
                        "`{word}` is no EtherType: a number from 1536 to 65535, ip, ip6, arp or rarp"
                    )),
                }
            }
            protocol @ (None | Some("ip" | "ip6")) => {
                let number = number(word).and_then(|it| u8::try_from(it).ok()).or_else(|| names::protocol(word));
                let Some(number) = number else {
                    return self.fail_at(format!("`{word}` is no protocol: a number up to 255, or a name such as tcp"));
                };
                let kinds: &[u16] = match protocol {
                    Some("ip") => &[IPV4],
                    Some(_) => &[IPV6],
                    None => &[IPV4, IPV6],
                };
                Ok(self.any(kinds.iter().map(|kind| Leaf::Above(*kind, number))))
            }
            Some(other) => self.fail_at(format!("`{other}` carries no protocol by number; ether, ip and ip6 do")),
        }
    }

    /// The headers that hold addresses of IPv4.
    fn kinds(&self, head: Head<'_>) -> Read<&'static [u16]> {
        match head.protocol {
            None => Ok(&[IPV4, ARP, RARP]),
            Some("ip") => Ok(&[IPV4]),
            Some("arp") => Ok(&[ARP]),
            Some("rarp") => Ok(&[RARP]),
            Some(other) => self.fail_at(format!("`{other}` has no such addresses; ip, arp and rarp have")),
        }
    }

    fn host(&self, head: Head<'_>, end: End, word: &str) -> Read<Test> {
        if matches!(head.protocol, Some("ether" | "link")) {
            return match hardware(word) {
                Some(address) => Ok(self.leaf(Leaf::Mac { end, address })),
                None => self.fail_at(format!("`{word}` is no hardware address such as 02:00:5e:10:00:00")),
            };
        }
        if let Ok(address) = word.parse::<Ipv4Addr>() {
            return self.v4(head, end, address.to_bits(), u32::MAX);
        }
        if let Ok(address) = word.parse::<Ipv6Addr>() {
            return self.v6(head, end, address.to_bits(), u128::MAX);
        }
        self.fail_at(format!(
            "`{word}` is no address; names are not looked up: give the address, or audit all and look at the destination of that name"
        ))
    }

    fn v4(&self, head: Head<'_>, end: End, address: u32, mask: u32) -> Read<Test> {
        let kinds = self.kinds(head)?;
        Ok(self.any(kinds.iter().map(|kind| Leaf::V4 {
            kind: *kind,
            end,
            address,
            mask,
        })))
    }

    fn v6(&self, head: Head<'_>, end: End, address: u128, mask: u128) -> Read<Test> {
        match head.protocol {
            None | Some("ip6") => Ok(self.leaf(Leaf::V6 { end, address, mask })),
            Some(other) => self.fail_at(format!("`{other}` has no addresses of IPv6")),
        }
    }

    /// `10`, `10.1`, `10.1.0.0/16`, `10.1.0.0 mask 255.255.0.0`, `2001:db8::/32`.
    fn net(&mut self, head: Head<'_>, end: End, word: &str) -> Read<Test> {
        let length = |it: &mut Self| -> Read<Option<u32>> {
            match it.takes(Token::Sign("/")) {
                true => it.number("the length of a prefix").map(Some),
                false => Ok(None),
            }
        };
        if let Ok(address) = word.parse::<Ipv6Addr>() {
            let length = length(self)?.unwrap_or(128);
            let Some(mask) = 128_u32.checked_sub(length).map(|rest| u128::MAX.checked_shl(rest).unwrap_or(0)) else {
                return self.fail_at("a prefix of IPv6 has at most 128 bits".to_owned());
            };
            return match address.to_bits() & !mask {
                0 => self.v6(head, end, address.to_bits(), mask),
                _ => self.fail_at(format!("{word} has bits beyond the prefix")),
            };
        }
        let parts: Vec<&str> = word.split('.').collect();
        let octets: Option<Vec<u8>> = parts.iter().map(|it| it.parse().ok()).collect();
        let Some(octets) = octets.filter(|it| it.len() <= 4) else {
            return self.fail_at(format!("`{word}` is no network such as 10.1, 10.1.0.0/16 or 2001:db8::/32"));
        };
        let given = u32::try_from(octets.len()).unwrap_or(4);
        let mut whole = [0_u8; 4];
        whole.iter_mut().zip(&octets).for_each(|(to, from)| *to = *from);
        let address = u32::from_be_bytes(whole);
        let mask = if self.takes(Token::Word("mask")) {
            match self.next() {
                Some(Token::Word(it)) if it.parse::<Ipv4Addr>().is_ok() => it.parse::<Ipv4Addr>().map_or(0, |it| it.to_bits()),
                token => return self.reject(token, "expected a mask such as 255.255.0.0"),
            }
        } else {
            let length = length(self)?.unwrap_or_else(|| given.saturating_mul(8));
            let Some(mask) = 32_u32.checked_sub(length).map(|rest| u32::MAX.checked_shl(rest).unwrap_or(0)) else {
                return self.fail_at("a prefix of IPv4 has at most 32 bits".to_owned());
            };
            mask
        };
        match address & !mask {
            0 => self.v4(head, end, address, mask),
            _ => self.fail_at(format!("{word} has bits beyond the prefix")),
        }
    }
}

/// What may stand first in a head, or alone.
const PROTOCOLS: [&str; 18] = [
    "ether", "link", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "igrp", "pim", "ah", "esp", "vrrp", "carp",
];
const JOINS: [&str; 3] = ["and", "or", "not"];
const NOT_READ: &str = "this part of the language is not read";
/// Words of the language that are not read, so that they are not taken for names.
const UNREAD: [&str; 32] = [
    "gateway",
    "mpls",
    "pppoed",
    "pppoes",
    "geneve",
    "vxlan",
    "protochain",
    "inbound",
    "outbound",
    "ifname",
    "on",
    "ifindex",
    "rnr",
    "rulenum",
    "reason",
    "rset",
    "ruleset",
    "srnr",
    "subrulenum",
    "action",
    "wlan",
    "type",
    "subtype",
    "dir",
    "fddi",
    "tr",
    "ppp",
    "slip",
    "decnet",
    "iso",
    "stp",
    "llc",
];

fn operator(token: Token<'_>) -> Option<(Operator, u8)> {
    let Token::Sign(sign) = token else { return None };
    Some(match sign {
        "|" => (Operator::Or, 0),
        "^" => (Operator::Xor, 0),
        "&" => (Operator::And, 1),
        "<<" => (Operator::Left, 2),
        ">>" => (Operator::Right, 2),
        "+" => (Operator::Add, 3),
        "-" => (Operator::Subtract, 3),
        "*" => (Operator::Multiply, 4),
        "/" => (Operator::Divide, 4),
        "%" => (Operator::Modulo, 4),
        _ => return None,
    })
}

/// Decimal, `0x` hexadecimal, or `0` octal.
fn number(word: &str) -> Option<u32> {
    if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    let radix = if word.len() > 1 && word.starts_with('0') { 8 } else { 10 };
    let plain = word.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| u32::from_str_radix(word, radix).ok()).flatten()
}

fn is_dotted(word: &str) -> bool {
    word.split('.')
        .all(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An address of a link: six octets in hexadecimal, between colons, hyphens or dots.
fn hardware(word: &str) -> Option<[u8; 6]> {
    let parts = word.split([':', '-', '.']);
    let octets: Option<Vec<u8>> = parts
        .map(|it| if it.len() <= 2 { u8::from_str_radix(it, 16).ok() } else { None })
        .collect();
    octets?.try_into().ok()
}
