//! Flow logs: what their rows tell, what is refused, and what becomes of them when they are damaged.

use farshore_model::row::{Opening, Sampling};
use farshore_model::{InputId, Row};
use farshore_sources::{AtOnce, FORMATS, FlowLog, Limits, OpenError, Opened, Sheet, Summary, Templates, open_any};
use proptest::prelude::*;

/// The rows that were told, as text, and why others were not.
#[derive(Debug, Default)]
struct Told {
    flows: Vec<String>,
    rows: Vec<Row>,
    unreadable: Vec<&'static str>,
}

impl Sheet for Told {
    fn flow(&mut self, number: u64, it: &Row) {
        let end = |it: farshore_model::Endpoint| format!("{}#{}", it.ip, it.port);
        let returned = if it.returned.is_empty() {
            String::new()
        } else {
            format!("/{}:{}", it.returned.packets, it.returned.bytes)
        };
        self.flows.push(format!(
            "{number} {:?} {} > {} {}:{}{returned}{}",
            it.transport,
            end(it.source),
            end(it.destination),
            it.sent.packets,
            it.sent.bytes,
            if it.refused { " refused" } else { "" },
        ));
        self.rows.push(*it);
    }

    fn unreadable(&mut self, why: &'static str) {
        self.unreadable.push(why);
    }
}

fn log(bytes: &[u8]) -> Result<Box<dyn FlowLog + '_>, OpenError> {
    match open_any(InputId(0), bytes, Limits::default(), AtOnce::default())? {
        Opened::Rows(it) => Ok(it),
        _ => panic!("no flow log"),
    }
}

fn read_with(bytes: &[u8], templates: &Templates) -> Result<(Told, Summary, Option<Templates>), OpenError> {
    let mut it = log(bytes)?;
    it.know(templates);
    let mut told = Told::default();
    while it.advance(&mut told)? {}
    let templates = it.templates();
    Ok((told, it.finish()?, templates))
}

fn read(bytes: &[u8]) -> Result<(Told, Summary), OpenError> {
    read_with(bytes, &Templates::default()).map(|(told, summary, _)| (told, summary))
}

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";
const DEFAULT: &str = "2 1 eni-a 10.0.0.5 198.51.100.7 50000 443 6 20 4249 1418530010 1418530070 ACCEPT OK\n\
2 1 eni-a 10.0.0.5 203.0.113.9 50001 22 6 2 120 1418530011 1418530070 REJECT OK\n\
2 1 eni-a - - - - - - - 1418530010 1418530070 - NODATA\n\
2 1 eni-a - - - - - - - 1418530010 1418530070 - SKIPDATA\n";
const CUSTOM: &str = "srcaddr dstaddr pkt-srcaddr pkt-dstaddr dstport srcport tcp-flags protocol bytes end start interface-id flow-direction\n\
10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 443 40000 2 6 900 1566848933 1566848875 eni-n ingress\n\
2001:db8::1 2001:db8::2 - - 53 40000 - 17 80 1566848933 1566848875 eni-n ingress\n";
const CLOUDWATCH: &str = r#"{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{"id":"1","timestamp":1,"message":"2 1 eni-a 10.0.0.5 198.51.100.7 50000 443 6 20 4249 1418530010 1418530070 ACCEPT OK"},{"id":"2","message":"2 1 eni-a - - - - - - - 1418530010 1418530070 - NODATA"}]}"#;
const EXPORTED: &str = r#"{"events": [{"message":"2 1 eni-a 10.0.0.5 198.51.100.7 50000 443 6 20 4249 1418530010 1418530070 ACCEPT OK"}], "searchedLogStreams": []}"#;
const GCP: &str = r#"{"insertId":"a","jsonPayload":{"bytes_sent":"38144","connection":{"dest_ip":"198.51.100.95","dest_port":443,"protocol":6,"src_ip":"10.10.0.3","src_port":57046},"end_time":"2025-11-07T21:18:47.883105401Z","packets_sent":"72","reporter":"SRC","rtt_msec":"12","start_time":"2025-11-07T21:17:47.862783471Z"},"logName":"l"}
{"connection":{"dest_ip":"10.10.0.3","protocol":1,"src_ip":"198.51.100.95"},"bytes_sent":800,"packets_sent":20,"reporter":"DEST"}
{"jsonPayload":{"connection":{"src_ip":"10.0.0.1"}}}
"#;
const VNET: &str = r#"{"records":[{"time":"2022-09-14T09:00:52Z","flowLogVersion":4,"macAddress":"0022487BC205","category":"FlowLogFlowEvent","flowLogResourceID":"/x","flowRecords":{"flows":[{"aclID":"a","flowGroups":[{"rule":"r","flowTuples":["1663146003599,10.0.0.6,198.51.100.199,23956,443,6,O,B,NX,0,0,0,0","1663146003606,10.0.0.6,198.51.100.199,23956,443,6,O,E,X,22,2217,33,900","1663146003637,203.0.113.17,10.0.0.6,22730,3389,6,I,D,NX,0,0,0,0"]}]}]}}], "more": {"a":[1]}}"#;
const NSG1: &str = r#"{"records":[{"category":"NetworkSecurityGroupFlowEvent","resourceId":"/n","properties":{"Version":1,"flows":[{"rule":"r","flows":[{"mac":"000D3AF8801A","flowTuples":["1487282421,203.0.113.95,10.1.0.4,51529,5358,T,I,D","1487282370,203.0.113.17,10.1.0.4,61771,3389,U,I,A"]}]}]}}]}"#;
const NSG2: &str = r#"{"records":[{"category":"NetworkSecurityGroupFlowEvent","resourceId":"/n","properties":{"Version":2,"flows":[{"rule":"r","flows":[{"mac":"000D3AF8801A","flowTuples":["1542110377,203.0.113.94,10.5.16.4,59831,443,T,I,A,E,1,66,2,120","1542110379,203.0.113.65,10.5.16.4,35370,23,T,I,D,B,,,,"]}]}]}}]}"#;

/// A datagram of NetFlow 5 with one record.
fn v5(interval: u16) -> Vec<u8> {
    let mut it = vec![0, 5, 0, 1];
    it.extend(60_000_u32.to_be_bytes());
    it.extend(1_500_000_000_u32.to_be_bytes());
    it.extend([0; 8]);
    it.extend([0, 0]);
    it.extend((0x4000 | interval).to_be_bytes());
    it.extend([10, 0, 0, 5, 198, 51, 100, 7, 0, 0, 0, 0, 0, 1, 0, 2]);
    for number in [20_u32, 4249, 30_000, 50_000] {
        it.extend(number.to_be_bytes());
    }
    it.extend(50_000_u16.to_be_bytes());
    it.extend(443_u16.to_be_bytes());
    it.extend([0, 0x1b, 6, 0]);
    it.extend([0; 8]);
    it
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|it| it.to_be_bytes()).collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [words(&[id, 4 + u16::try_from(body.len()).unwrap()]), body.to_vec()].concat()
}

fn v9(sets: &[Vec<u8>]) -> Vec<u8> {
    let mut it = words(&[9, u16::try_from(sets.len()).unwrap()]);
    for number in [60_000_u32, 1_500_000_000, 7, 3] {
        it.extend(number.to_be_bytes());
    }
    it.extend(sets.concat());
    it
}

fn ipfix(sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let mut it = words(&[10, u16::try_from(16 + body.len()).unwrap()]);
    for number in [1_500_000_000_u32, 7, 3] {
        it.extend(number.to_be_bytes());
    }
    it.extend(body);
    it
}

/// Addresses, ports, protocol, packets, bytes.
const FIELDS: [u16; 14] = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 2, 4, 1, 4];

fn template(number: u16) -> Vec<u8> {
    words(&[&[number, 7], &FIELDS[..]].concat())
}

fn data(port: u16) -> Vec<u8> {
    let mut it = vec![10, 0, 0, 5, 198, 51, 100, 7];
    it.extend(words(&[50_000, port]));
    it.push(6);
    it.extend(3_u32.to_be_bytes());
    it.extend(180_u32.to_be_bytes());
    it
}

/// Two records, and padding to four bytes.
fn two() -> Vec<u8> {
    [data(443), data(80), vec![0, 0]].concat()
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("aws-vpc", [HEADER, DEFAULT].concat().into_bytes()),
        ("aws-vpc", DEFAULT.into()),
        ("aws-vpc", CUSTOM.into()),
        ("aws-vpc", CLOUDWATCH.into()),
        ("aws-vpc", EXPORTED.into()),
        ("gcp-vpc", GCP.into()),
        ("gcp-vpc", format!("[{}]", GCP.trim_end().replace('\n', ",")).into_bytes()),
        ("azure-vnet", VNET.into()),
        ("azure-vnet", NSG1.into()),
        ("azure-vnet", NSG2.into()),
        ("netflow", v5(100)),
        ("netflow", v9(&[set(0, &template(260)), set(260, &two())])),
        ("netflow", ipfix(&[set(2, &template(260)), set(260, &two())])),
        ("har", crate::records::HAR.into()),
    ]
}

#[test]
fn each_sample_is_of_exactly_one_format() {
    for (id, sample) in samples() {
        let claimed: Vec<_> = FORMATS.iter().filter(|it| it.claims(&sample)).map(|it| it.id()).collect();
        assert_eq!(claimed, [id], "{}", String::from_utf8_lossy(&sample));
    }
}

#[test]
fn rows_of_the_default_format_are_read_with_and_without_a_header() {
    for text in [DEFAULT.to_owned(), [HEADER, DEFAULT].concat(), [DEFAULT, HEADER, DEFAULT].concat()] {
        let (told, summary) = read(text.as_bytes()).unwrap();
        let times = text.matches("NODATA").count() as u64;
        assert_eq!(
            told.flows[..2],
            [
                "1 Tcp 10.0.0.5#50000 > 198.51.100.7#443 20:4249",
                "2 Tcp 10.0.0.5#50001 > 203.0.113.9#22 2:120 refused"
            ]
        );
        let log = summary.record.log.unwrap();
        assert_eq!(
            (summary.record.frames, log.quiet, log.skipped),
            (4 * times, times, times),
            "headers are no rows"
        );
        assert_eq!(
            (log.longest, log.tells_refusal, log.sampling),
            (60_000_000_000, true, Sampling::Whole)
        );
        assert_eq!(summary.record.first.unwrap().to_string(), "2014-12-14T04:06:50.000000000Z");
        assert!(told.unreadable.is_empty() && !summary.record.cut_short);
    }
}

#[test]
fn a_header_decides_which_column_is_what() {
    let (told, summary) = read(CUSTOM.as_bytes()).unwrap();
    assert_eq!(
        told.flows,
        [
            "1 Tcp 10.0.1.5#40000 > 203.0.113.5#443 0:900",
            "2 Udp 2001:db8::1#40000 > 2001:db8::2#53 0:80"
        ],
        "the packet's own addresses count where they are told"
    );
    assert_eq!(told.rows[0].opening, Opening::Source);
    assert!(!summary.record.log.unwrap().tells_refusal, "no column tells what was rejected");
}

#[test]
fn flags_tell_who_began() {
    for (flags, opening) in [
        ("2", Opening::Source),
        ("3", Opening::Source),
        ("18", Opening::Destination),
        ("19", Opening::Destination),
        ("1", Opening::Untold),
        ("0", Opening::Untold),
    ] {
        let text = format!("srcaddr dstaddr protocol tcp-flags\n10.0.0.1 10.0.0.2 6 {flags}\n");
        assert_eq!(read(text.as_bytes()).unwrap().0.rows[0].opening, opening, "{flags}");
    }
}

#[test]
fn rows_that_nothing_names_are_refused_with_what_is_missing() {
    let refused = |text: &str| match log(text.as_bytes()) {
        Ok(_) => panic!("{text} was opened"),
        Err(error) => error.to_string(),
    };
    let told = refused("3 000000000000 - 192.0.2.1 192.0.2.2 64072 22 17 46 14927 1755678619 1755678641 REJECT OK - - ingress\n");
    assert!(
        told.starts_with("offset 0: this row has 17 fields and no header line names them; expected the 14 fields"),
        "{told}"
    );
    let told = refused("version srcaddr srcport action\n2 10.0.0.1 5 ACCEPT\n");
    assert!(told.contains("names no column `dstaddr` and no `protocol`"), "{told}");
    assert!(refused("PAR1....").contains("this is Parquet, which is not read"));
}

#[test]
fn lines_that_are_no_rows_are_counted() {
    let text = [
        HEADER,
        "bogus line\n",
        "2 1 eni-a 10.0.0.5 198.51.100.7 x 443 6 20 4249 1 2 ACCEPT OK\n",
        DEFAULT,
    ]
    .concat();
    let (told, summary) = read(text.as_bytes()).unwrap();
    assert_eq!(
        told.unreadable,
        ["a line that is no row", "a row whose fields do not fit the columns"]
    );
    assert_eq!((summary.record.frames, told.flows.len()), (6, 2));
    let long = [HEADER, &"x".repeat(3 << 20), "\n", DEFAULT].concat();
    let (told, summary) = read(long.as_bytes()).unwrap();
    assert_eq!((summary.record.frames, told.flows.len()), (5, 2));
    let cut = HEADER.len() + 40;
    let (_, summary) = read(&[HEADER, DEFAULT].concat().as_bytes()[..cut]).unwrap();
    assert!(
        summary.record.cut_short
            && summary
                .damage
                .unwrap()
                .starts_with(&format!("offset {}: the file ends inside", HEADER.len()))
    );
}

#[test]
fn lines_inside_json_are_rows() {
    let (told, summary) = read(CLOUDWATCH.as_bytes()).unwrap();
    assert_eq!(told.flows, ["1 Tcp 10.0.0.5#50000 > 198.51.100.7#443 20:4249"]);
    assert_eq!((summary.record.frames, summary.record.log.unwrap().quiet), (2, 1));
    let (told, summary) = read(EXPORTED.as_bytes()).unwrap();
    assert_eq!((told.flows.len(), summary.record.frames, summary.damage), (1, 1, None));
}

#[test]
fn entries_of_google_cloud_are_rows_however_they_are_wrapped() {
    let list = GCP.trim_end().replace('\n', ",");
    for text in [
        GCP.to_owned(),
        format!("[{list}]"),
        format!("{{\"entries\":[{list}]}}"),
        GCP.replace(":{", ":\n {"),
    ] {
        let (told, summary) = read(text.as_bytes()).unwrap();
        assert_eq!(
            told.flows,
            [
                "1 Tcp 10.10.0.3#57046 > 198.51.100.95#443 72:38144",
                "2 Icmp 198.51.100.95#0 > 10.10.0.3#0 20:800"
            ]
        );
        assert_eq!(told.unreadable, ["an entry without a connection"]);
        assert_eq!((told.rows[0].rtt, summary.record.frames), (Some(12_000_000), 3));
        assert_ne!(told.rows[0].observer, told.rows[1].observer);
        let log = summary.record.log.unwrap();
        assert_eq!((log.sampling, log.tells_refusal), (Sampling::Part, false));
    }
}

#[test]
fn flows_of_azure_are_read_by_version() {
    let (told, summary) = read(VNET.as_bytes()).unwrap();
    assert_eq!(
        told.flows,
        [
            "1 Tcp 10.0.0.6#23956 > 198.51.100.199#443 0:0",
            "1 Tcp 10.0.0.6#23956 > 198.51.100.199#443 22:2217/33:900",
            "1 Tcp 203.0.113.17#22730 > 10.0.0.6#3389 0:0 refused"
        ]
    );
    assert_eq!(summary.record.frames, 1, "a row is a record");
    assert_eq!(told.rows[0].first.unwrap().to_string(), "2022-09-14T09:00:03.599000000Z");
    assert_eq!(told.rows[0].opening, Opening::Named);
    assert!(
        summary.record.notes[0]
            .as_str()
            .starts_with("encryption of the virtual network was on for 1 of 3")
    );
    let (told, _) = read(NSG1.as_bytes()).unwrap();
    assert_eq!(
        told.flows,
        [
            "1 Tcp 203.0.113.95#51529 > 10.1.0.4#5358 0:0 refused",
            "1 Udp 203.0.113.17#61771 > 10.1.0.4#3389 0:0"
        ]
    );
    assert_eq!(
        told.rows[0].first.unwrap().to_string(),
        "2017-02-16T22:00:21.000000000Z",
        "seconds before version 4"
    );
    let (told, _) = read(NSG2.as_bytes()).unwrap();
    assert_eq!(
        told.flows,
        [
            "1 Tcp 203.0.113.94#59831 > 10.5.16.4#443 1:66/2:120",
            "1 Tcp 203.0.113.65#35370 > 10.5.16.4#23 0:0 refused"
        ]
    );
}

#[test]
fn exports_are_read_one_behind_the_other() {
    let all = [
        v5(100),
        v9(&[set(0, &template(260)), set(260, &two())]),
        v5(0),
        ipfix(&[set(2, &template(260)), set(260, &two())]),
    ]
    .concat();
    let (told, summary) = read(&all).unwrap();
    let two = |row: u64| {
        [443, 80]
            .into_iter()
            .zip(row..)
            .map(|(port, row)| format!("{row} Tcp 10.0.0.5#50000 > 198.51.100.7#{port} 3:180"))
    };
    let five = |row| format!("{row} Tcp 10.0.0.5#50000 > 198.51.100.7#443 20:4249");
    let wanted: Vec<_> = [five(1)].into_iter().chain(two(2)).chain([five(4)]).chain(two(5)).collect();
    assert_eq!(told.flows, wanted);
    assert_eq!(summary.damage, None);
    assert_eq!(summary.record.log.unwrap().sampling, Sampling::OneIn(100));
    assert_eq!(
        told.rows[0].first.unwrap().to_string(),
        "2017-07-14T02:39:30.000000000Z",
        "30 seconds before it was sent"
    );
}

#[test]
fn data_without_a_template_is_counted_and_never_guessed() {
    let data = v9(&[set(260, &two())]);
    let (told, summary) = read(&data).unwrap();
    assert_eq!((told.flows.len(), told.unreadable.len(), summary.record.frames), (0, 1, 1));
    let (_, _, templates) = read_with(&v9(&[set(0, &template(260))]), &Templates::default()).unwrap();
    let (told, summary, _) = read_with(&data, &templates.unwrap()).unwrap();
    assert_eq!((told.flows.len(), told.unreadable.len()), (2, 0));
    assert!(
        summary.record.notes[0]
            .as_str()
            .starts_with("1 set of data read by templates of an input before")
    );
    // IPFIX numbers its templates for itself.
    let (_, _, templates) = read_with(&ipfix(&[set(2, &template(260))]), &Templates::default()).unwrap();
    assert_eq!(read_with(&data, &templates.unwrap()).unwrap().0.flows.len(), 0);
}

#[test]
fn options_tell_of_sampling_and_are_no_rows() {
    let options = words(&[261, 4, 4, 1, 4, 34, 4]);
    let all = v9(&[set(1, &options), set(261, &[0, 0, 0, 1, 0, 0, 3, 232])]);
    let (told, summary) = read(&all).unwrap();
    assert_eq!((told.flows.len(), summary.record.frames), (0, 0));
    assert_eq!(summary.record.log.unwrap().sampling, Sampling::OneIn(1_000));
}

#[test]
fn fields_of_others_and_of_any_length_are_stepped_over() {
    // A text of variable length, an element of somebody's own, counts of two bytes, the way back.
    let mut template = words(&[300, 9, 8, 4, 12, 4, 4, 1, 96, 0xffff, 0x8000 | 7, 2, 0, 9, 2, 2, 1, 2]);
    template.extend(words(&[0x8001, 2, 0, 29_305, 32, 2]));
    let mut data = vec![10, 0, 0, 5, 198, 51, 100, 7, 1, 3, b'a', b'b', b'c', 9, 9];
    data.extend(words(&[3, 180, 60, 0x0800]));
    let all = ipfix(&[set(2, &template), set(300, &data)]);
    assert_eq!(read(&all).unwrap().0.flows, ["1 Icmp 10.0.0.5#8 > 198.51.100.7#0 3:180/0:60"]);
}

#[test]
fn every_cut_leaves_the_rows_before_it() {
    for (id, sample) in samples().into_iter().filter(|it| it.0 != "har") {
        let (all, _) = read(&sample).unwrap();
        for cut in 0..sample.len() {
            let Ok(Opened::Rows(_)) = open_any(InputId(0), &sample[..cut], Limits::default(), AtOnce::default()) else {
                continue;
            };
            let (left, summary) = read(&sample[..cut]).unwrap();
            assert!(left.flows.len() <= all.flows.len(), "{id} {cut}");
            // The last of what is left may have lost digits of a count; what stands before it stands.
            let before = left.flows.len().saturating_sub(1);
            assert_eq!(left.flows[..before], all.flows[..before], "{id} {cut}");
            if let Some(said) = summary.damage {
                assert!(said.starts_with("offset ") && summary.record.cut_short, "{said}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(which in 0_usize..13, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..12)) {
        let (_, mut bytes) = samples().swap_remove(which);
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
                _ => bytes.insert(at, byte),
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        if let Ok(Opened::Rows(mut it)) = open_any(InputId(0), &bytes[..], Limits::default(), AtOnce::default()) {
            let mut told = Told::default();
            while it.advance(&mut told).unwrap() {}
            let rows = it.finish().unwrap().record.frames;
            prop_assert!(told.flows.len() + told.unreadable.len() <= bytes.len());
            prop_assert!(rows <= bytes.len() as u64);
        }
    }
}
