//! Every answer here was given by tcpdump 4.99 (libpcap 1.10) for the same frames in a file.

use farshore_model::{Frame, InputId, LinkType};

use super::Filter;

/// Frames on Ethernet, in hexadecimal, with what they are.
const FRAMES: [(&str, &str); 11] = [
    (
        "syn",
        "02000000000202000000000108004500002800010000400600000a010203c0000207c35001bb00000001000000005002040000000000",
    ),
    (
        "get",
        "02000000000202000000000108004600003e00010000400600000a010203c000020701010101c351005000000001000000005018040000000000474554202f20485454502f312e310d0a0d0a",
    ),
    (
        "query",
        "0200000000020200000000010800450000240001000040110000c0a801090a000001cf080035001000006162636465666768",
    ),
    (
        "fragment",
        "02000000000202000000000108004500001c000100b940110000c0a801090a000001003500357778797a",
    ),
    (
        "echo",
        "02000000000202000000000108004500001c00010000400100000a010203c00002070800000000000000",
    ),
    (
        "six",
        "3333000000fb02000000000186dd60000000000a114020010db8000000000000000000000001ff0200000000000000000000000000fb14e914e9000a00003132",
    ),
    (
        "six-fragment",
        "02000000000202000000000186dd60000000001c2c4020010db800000000000000000000000120010db8000000010000000000000002060000000000000101bbc35000000001000000005010040000000000",
    ),
    (
        "arp",
        "ffffffffffff020000000001080600010800060400010200000000010a0102030000000000000a010204",
    ),
    (
        "tagged",
        "0200000000020200000000018100000a08004500001c00010000401100000a010203c00002070001000200080000",
    ),
    (
        "twice",
        "02000000000202000000000188a800078100000a08004500002800010000400600000a010203c00002070001001600000001000000005010040000000000",
    ),
    ("cut", "02000000000202000000000108004500002800010000400600000a010203"),
];

/// Expressions, and the frames that fit: a bit each, the first one lowest.
const ANSWERS: &[(&str, u16)] = &[
    (r"tcp", 0b10001000011),
    (r"udp", 0b00000101100),
    (r"ip", 0b10000011111),
    (r"ip6", 0b00001100000),
    (r"arp", 0b00010000000),
    (r"icmp", 0b00000010000),
    (r"icmp6", 0b00000000000),
    (r"port 443", 0b00000000001),
    (r"tcp port 80 or 443", 0b00000000011),
    (r"udp port 53 and not host 8.8.8.8", 0b00000000100),
    (r"src port 53", 0b00000000000),
    (r"dst portrange 1-1024", 0b00000000111),
    (r"net 10", 0b10010011111),
    (r"net 192.168.0.0/16", 0b00000001100),
    (r"src net 10.0.0.0 mask 255.0.0.0", 0b10010010011),
    (r"host 10.0.0.1 or 192.168.1.1", 0b00000001100),
    (r"not tcp and not udp", 0b01110010000),
    (r"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", 0b00000000001),
    (r"tcp[13] = 2", 0b00000000001),
    (r"ip[8] < 64", 0b00000000000),
    (r"len > 1000", 0b00000000000),
    (r"less 100", 0b11111111111),
    (r"greater 1000", 0b00000000000),
    (r"ether broadcast", 0b00010000000),
    (r"ether multicast", 0b00010100000),
    (r"ip multicast", 0b00000000000),
    (r"ip6 multicast", 0b00000100000),
    (r"vlan", 0b01100000000),
    (r"vlan and ip", 0b00100000000),
    (r"vlan 10", 0b00100000000),
    (r"ip proto 17", 0b00000001100),
    (r"ip6 proto 17", 0b00000100000),
    (r"proto 6", 0b10001000011),
    (r"ether proto 0x0806", 0b00010000000),
    (r"ether[0] & 1 = 1", 0b00010100000),
    (r"ip6 and udp port 5353", 0b00000100000),
    (r"tcp[((tcp[12]&0xf0)>>2):4] = 0x47455420", 0b00000000010),
    (r"ip[6:2] & 0x1fff != 0", 0b00000001000),
    (r"host 2001:db8::1 or net fe80::/10", 0b00001100000),
    (r"tcp or udp and port 53", 0b00000000100),
    (r"not port 53 or 80", 0b01111111011),
    (r"udp[8:2] + 1 > 5", 0b00000000100),
    (r"icmp[icmptype] = icmp-echo", 0b00000010000),
    (r"tcp src port 443 and dst port (50000 or 443)", 0b00000000000),
    (r"sctp", 0b00000000000),
    (r"esp", 0b00000000000),
    (r"src host 10.0.0.1 and dst host 10.0.0.2", 0b00000000000),
    (r"src or dst port 53", 0b00000000100),
    (r"(tcp and port 80) or (udp and (port 53 or port 123))", 0b00000000110),
    (r"ip6[6] = 17", 0b00000100000),
    (r"arp[6:2] = 1", 0b00010000000),
    (r"len / 2 > 300", 0b00000000000),
    (r"len % 2 = 1", 0b00000000000),
    (r"1 + 2 * 3 = 7", 0b11111111111),
    (r"6 & 3 | 8 = 10", 0b11111111111),
    (r"7 ^ 2 & 3 = 5", 0b11111111111),
    (r"1 << 2 + 1 = 8", 0b11111111111),
    (r"not (tcp[100] = 1)", 0b01111111100),
    (r"tcp port http", 0b00000000010),
    (r"ip host 10.0.0.1", 0b00000001100),
    (r"igmp", 0b00000000000),
    (r"multicast", 0b00010100000),
    (r"broadcast", 0b00010000000),
    (r"ether proto \ip", 0b10000011111),
    (r"vlan and vlan", 0b01000000000),
    (r"not vlan and tcp", 0b00000000000),
    (r"ip[100] = 0 or len > 0", 0b01111100000),
    (r"not ip", 0b01111100000),
    (r"host 10.1.2.3", 0b10010010011),
    (r"ip host 10.1.2.3", 0b10000010011),
    (r"arp host 10.1.2.4", 0b00010000000),
    (r"src 10.1.2.3", 0b10010010011),
    (r"net 10.1", 0b10010010011),
    (r"net 10.1.2.0/24", 0b10010010011),
    (r"dst net 192.0.2.0 mask 255.255.255.0", 0b00000010011),
    (r"ip6 host 2001:db8::1", 0b00001100000),
    (r"net 2001:db8::/48", 0b00001100000),
    (r"ether host 02:00:00:00:00:01", 0b11111111111),
    (r"ether dst ff:ff:ff:ff:ff:ff", 0b00010000000),
    (r"ether src 02:00:00:00:00:01 and arp", 0b00010000000),
    (r"port 443 or 80 or 53", 0b00000000111),
    (r"port (443 or 80)", 0b00000000011),
    (r"host (10.1.2.3 or 10.0.0.1) and udp", 0b00000001100),
    (r"not host 10.1.2.3 and 10.0.0.1", 0b00000001100),
    (r"net 0.0.0.0/0", 0b10010011111),
    (r"src net 0.0.0.0/0 and dst net 192.0.2.0/24", 0b00000010011),
    (r"vlan 7 and vlan 10 and tcp", 0b01000000000),
    (r"vlan 7 and vlan 10 and port 22", 0b01000000000),
    (r"vlan or tcp", 0b01100000000),
    (r"not vlan", 0b10011111111),
    (r"vlan 10 or port 22", 0b00100000000),
    (r"tcp[0:2] = 50000", 0b00000000001),
    (r"udp[4:2] > 8", 0b00000000100),
    (r"icmp[0] = 8", 0b00000010000),
    (r"ip6[40] = 6", 0b00001000000),
    (r"icmp6", 0b00000000000),
    (r"ip proto \tcp", 0b10000000011),
    (r"portrange 50000-50001", 0b00000000011),
    (r"tcp portrange 79-81", 0b00000000010),
    (r"src port 53", 0b00000000000),
    (r"less 42", 0b00010011000),
    (r"greater 60", 0b01001100010),
    (r"len = 54", 0b10000000001),
    (r"ip[0] & 0xf > 5", 0b00000000010),
    (r"ip[6:2] & 0x1fff = 0 and udp", 0b00000000100),
    (r"tcp[tcpflags] = tcp-syn", 0b00000000001),
    (r"tcp[tcpflags] & tcp-push != 0", 0b00000000010),
    (r"tcp[20:4] = 0x47455420", 0b00000000010),
    (r"not tcp[200] = 0", 0b01111111100),
    (r"tcp[200] = 0 or udp", 0b00000101100),
    (r"udp or tcp[200] = 0", 0b00000101100),
    (r"src or dst host 10.0.0.1", 0b00000001100),
    (r"src and dst port 5353", 0b00000100000),
    (r"dst or src port 53", 0b00000000100),
    (r"ether proto 0x86dd", 0b00001100000),
    (r"ether[12:2] = 0x0800", 0b10000011111),
    (r"! udp && ! tcp", 0b01110010000),
    (r"(udp || tcp) and not port 53", 0b00001101011),
    (r"udp and port 53 or arp", 0b00010000100),
    (r"arp or udp and port 53", 0b00000000100),
    (r"link[0] = 2", 0b11101011111),
    (r"proto 17", 0b00000101100),
    (r"ip6 proto 6", 0b00001000000),
    (r"rarp", 0b00000000000),
    (r"len - 14 = ip[2:2]", 0b10000011111),
    (r"tcp dst port https", 0b00000000001),
    (r"port domain", 0b00000000100),
    (r"010 = 8", 0b11111111111),
    (r"sctp port 5", 0b00000000000),
    (r"tcp port 443 and not src net 10", 0b00000000000),
];

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
        .collect()
}

fn frame(link: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        input: InputId(0),
        number: 1,
        time: None,
        tick: 1000,
        link,
        interface: 0,
        // The one that is cut was as long as a TCP header without options makes it.
        wire_length: if bytes.len() == 30 {
            54
        } else {
            u32::try_from(bytes.len()).unwrap()
        },
        bytes,
    }
}

#[test]
fn frames_fit_as_tcpdump_says() {
    let frames: Vec<Vec<u8>> = FRAMES.iter().map(|(_, hex)| bytes(hex)).collect();
    for (text, wanted) in ANSWERS {
        let filter = Filter::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for (index, ((name, _), bytes)) in FRAMES.iter().zip(&frames).enumerate() {
            let fits = filter.matches(&frame(LinkType::ETHERNET, bytes));
            assert_eq!(fits, wanted >> index & 1 == 1, "{text} of {name}");
        }
    }
}

#[test]
fn ip_is_found_on_other_links() {
    let packet = bytes(FRAMES[0].1).split_off(14);
    let behind = |head: &[u8]| [head, &packet].concat();
    let cooked = [&[0; 14][..], &[8, 0]].concat();
    let cooked2 = [&[8, 0][..], &[0; 18]].concat();
    for (link, bytes) in [
        (LinkType::RAW, packet.clone()),
        (LinkType::IPV4, packet.clone()),
        (LinkType::LINUX_SLL, behind(&cooked)),
        (LinkType::LINUX_SLL2, behind(&cooked2)),
        (LinkType::NULL, behind(&[2, 0, 0, 0])),
        (LinkType(9), behind(&[0xff, 3, 0, 0x21])),
    ] {
        let frame = frame(link, &bytes);
        let fits = |text: &str| Filter::read(text).unwrap().matches(&frame);
        assert!(
            fits("ip") && fits("tcp dst port 443") && fits("host 192.0.2.7 and tcp[tcpflags] = tcp-syn"),
            "{link:?}"
        );
        assert!(
            !fits("ip6") && !fits("udp") && !fits("vlan") && !fits("ether broadcast"),
            "{link:?}"
        );
    }
}

#[test]
fn what_is_not_known_is_refused_where_it_stands() {
    for (text, at, wanted) in [
        ("tcp prt 80", "prt", "names are not looked up"),
        ("host www.example.com", "www.example.com", "names are not looked up"),
        ("tcp port 80 and", "", "it ends"),
        ("port 70000", "70000", "up to 65535"),
        ("port nowhere", "nowhere", "no port"),
        ("portrange 80", "", ""),
        ("icmp port 80", "80", "has no ports"),
        ("tcp host 10.0.0.1", "10.0.0.1", "has no such addresses"),
        ("net 10.1.2.3/8", "8", "beyond the prefix"),
        ("net 10.0.0.0/33", "33", "at most 32"),
        ("net 2001:db8::/129", "129", "at most 128"),
        ("ether host 10.0.0.1", "10.0.0.1", "hardware address"),
        ("10.0.0.1", "10.0.0.1", "expected a test"),
        ("tcp[0", "", "expected `]`"),
        ("tcp[0:3] = 1", "3", "1, 2 or 4"),
        ("foo[0] = 1", "foo", "no layer"),
        ("len > ", "", "expected a number"),
        ("len / 0 = 1", "0", "divided by 0"),
        ("(tcp or udp", "", "expected `)`"),
        ("tcp udp", "udp", ""),
        ("tcp)", ")", "the end"),
        ("mpls 7", "mpls", "not read"),
        ("ip protochain 6", "protochain", "not read"),
        ("ip broadcast", "broadcast", "netmask"),
        ("vlan 5000", "5000", "4095"),
        ("less many", "many", "a length"),
        ("tcp # comment", "#", "in no expression"),
        ("host 10.0.0.1 or \u{1f600}", "\u{1f600}", "in no expression"),
    ] {
        // One port is a range of its own, to tcpdump too.
        if wanted.is_empty() && text.starts_with("portrange") {
            assert!(Filter::read(text).is_ok());
            continue;
        }
        let error = Filter::read(text).unwrap_err();
        assert!(error.message.contains(wanted), "{text}: {error}");
        assert_eq!(&text[error.span.clone()], at, "{text}: {error}");
    }
}

#[test]
fn an_expression_is_as_deep_as_it_may_be() {
    let wrapped = |depth: usize, open: &str, close: &str| format!("{}tcp{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [("(", ")"), ("not ", ""), ("! (", ")")] {
        assert!(Filter::read(&wrapped(30, open, close)).is_ok(), "{open}");
        assert!(Filter::read(&wrapped(100_000, open, close)).is_err(), "{open}");
    }
    assert!(Filter::read(&format!("len = 1{}", " + 1".repeat(200))).is_ok());
    assert!(Filter::read(&format!("len = 1{}", " + 1".repeat(100_000))).is_err());
    assert!(Filter::read(&format!("len = {}1", "-".repeat(100_000))).is_err());
    // A list may be as long as it likes.
    let hosts = vec!["host 192.0.2.1"; 20_000].join(" or ");
    let filter = Filter::read(&hosts).unwrap();
    assert!(!filter.matches(&frame(LinkType::ETHERNET, &bytes(FRAMES[0].1))));
    assert!(Filter::read(" ").unwrap().matches(&frame(LinkType::ETHERNET, &[])));
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_frame_is_too_odd(text in "([a-z0-9.:/()!&|<>=+*%^\\[\\]-]{0,8} ?){0,12}", bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80), link in 0_u32..300) {
        if let Ok(filter) = Filter::read(&text) {
            filter.matches(&frame(LinkType(link), &bytes));
        }
    }

    #[test]
    fn words_in_any_order_are_read_or_refused(words in proptest::collection::vec(proptest::sample::select(vec!["tcp", "port", "80", "and", "or", "not", "(", ")", "host", "10.0.0.1", "net", "/", "8", "vlan", "len", ">", "=", "[", "]", ":", "2", "ip6", "src", "dst", "&", "-"]), 0..16), number in 0_usize..11) {
        if let Ok(filter) = Filter::read(&words.join(" ")) {
            filter.matches(&frame(LinkType::ETHERNET, &bytes(FRAMES[number].1)));
        }
    }
}
