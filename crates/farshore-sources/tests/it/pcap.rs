//! The classic file: both byte orders, both clocks, every header field that matters.

use farshore_sources::{Limits, OpenError};

use crate::files::{ORDERS, Order, VARIANTS, body, pcap, read, variant, whole};

#[test]
fn both_orders_and_both_clocks() {
    let records = [
        (1_613_066_400, 123, body(1, 60), 60),
        (1_613_066_401, 999_999, body(2, 1), 1_500),
        // A clock that steps back is the file's business.
        (1_613_066_399, 0, Vec::new(), 0),
        (u32::MAX, 7, body(3, 1_514), 1_514),
    ];
    for order in ORDERS {
        for (nanoseconds, tick) in [(false, 1_000), (true, 1)] {
            let (file, _) = pcap(order, nanoseconds, 1, &records);
            let (frames, summary) = whole(&file);
            assert_eq!(frames.len(), records.len());
            for (number, (got, (seconds, fraction, bytes, wire_length))) in (1..).zip(frames.iter().zip(&records)) {
                let nanos = i64::from(*seconds) * 1_000_000_000 + i64::from(*fraction) * tick;
                assert_eq!((got.number, got.nanos, got.tick), (number, Some(nanos), tick as u64));
                assert_eq!((got.link, got.interface, got.wire_length, &got.bytes), (1, 0, *wire_length, bytes));
            }
            let record = &summary.record;
            assert_eq!(
                (record.format, record.file_bytes, record.cut_short),
                ("pcap", file.len() as u64, false)
            );
            assert_eq!(record.first.map(|it| it.as_nanos()), Some(1_613_066_399_000_000_000));
            assert_eq!(
                record.last.map(|it| it.as_nanos()),
                Some(i64::from(u32::MAX) * 1_000_000_000 + 7 * tick)
            );
            assert_eq!(
                (summary.dropped, summary.damage),
                (None, None),
                "a classic file does not tell its losses"
            );
        }
    }
}

/// A magic number in one byte order before a version in the other: of the two the magic number is right.
#[test]
fn a_version_in_the_other_order_is_version_2() {
    for order in ORDERS {
        let (mut file, _) = pcap(order, false, 1, &[(5, 123, body(1, 60), 60)]);
        file[4..6].reverse();
        let (frames, summary) = whole(&file);
        assert_eq!((frames.len(), summary.damage), (1, None));
    }
}

/// Before version 2.3 the length on the wire stood first; in files that call themselves 2.3 either may.
#[test]
fn old_versions_tell_their_lengths_the_other_way_round() {
    for order in ORDERS {
        let records = [(5, 123, body(1, 60), 90), (6, 0, body(2, 9), 9)];
        let (file, ends) = pcap(order, false, 1, &records);
        for (major, minor, turned) in [
            (2, 0, true),
            (2, 2, true),
            (543, 0, true),
            (2, 3, true),
            (2, 3, false),
            (2, 4, false),
        ] {
            let mut file = file.clone();
            file[4..8].copy_from_slice(&[order.u16(major), order.u16(minor)].concat());
            for at in [24, ends[0]] {
                if turned {
                    file[at + 8..at + 16].rotate_left(4);
                }
            }
            let (frames, summary) = whole(&file);
            let got: Vec<_> = frames.iter().map(|it| (it.bytes.clone(), it.wire_length)).collect();
            assert_eq!(got, [(body(1, 60), 90), (body(2, 9), 9)], "{major}.{minor}");
            assert_eq!(summary.damage, None);
        }
    }
}

#[test]
fn longer_headers_are_stepped_over() {
    let records = [(5, 123, body(1, 60), 60), (6, 7, Vec::new(), 0), (7, 0, body(2, 1_514), 1_600)];
    for order in ORDERS {
        for it in VARIANTS {
            let (file, _) = variant(order, it, 113, &records);
            let (frames, summary) = whole(&file);
            let tick = if it.0 == 0x1c00_01ac { 1 } else { 1_000 };
            let got: Vec<_> = frames
                .iter()
                .map(|it| (it.nanos, it.tick, it.link, it.wire_length, it.bytes.clone()))
                .collect();
            let expected: Vec<_> = records
                .iter()
                .map(|(seconds, fraction, bytes, length)| {
                    let nanos = i64::from(*seconds) * 1_000_000_000 + i64::from(*fraction) * tick;
                    (Some(nanos), tick as u64, 113, *length, bytes.clone())
                })
                .collect();
            assert_eq!(got, expected, "{it:x?}");
            assert_eq!((summary.damage, summary.record.cut_short), (None, false));
            // Shorter than its own header.
            for cut in 4..24 + it.1 {
                let error = read(&file[..cut], Limits::default()).err().unwrap();
                assert!(matches!(error, OpenError::HeaderCut { expected, .. } if expected == 24 + it.1 as u64));
            }
        }
    }
}

#[test]
fn the_upper_bits_of_the_link_field_are_not_the_link() {
    // Frame check sequence of four bytes, as section 4 of the draft packs it.
    let (file, _) = pcap(Order::Big, false, 0x4400_0071, &[(0, 0, body(1, 20), 20)]);
    assert_eq!(whole(&file).0[0].link, 113);
}

#[test]
fn a_file_with_no_frames_is_a_capture() {
    let (file, _) = pcap(Order::Little, false, 1, &[]);
    let (frames, summary) = whole(&file);
    assert!(frames.is_empty());
    assert_eq!((summary.record.first, summary.record.last, summary.damage), (None, None, None));
}

#[test]
fn a_frame_beyond_any_sense_ends_the_reading_there() {
    let (mut file, ends) = pcap(Order::Little, false, 1, &[(1, 0, body(1, 60), 60), (2, 0, body(2, 60), 60)]);
    file[ends[0] + 8..ends[0] + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let (frames, summary) = whole(&file);
    assert_eq!(frames.len(), 1);
    let said = summary.damage.unwrap();
    assert!(
        said.starts_with(&format!("offset {}: ", ends[0])) && said.contains("2147483647"),
        "{said}"
    );
    assert_eq!(
        summary.record.file_bytes,
        file.len() as u64,
        "the digest covers the whole file all the same"
    );
    // The ceiling is the caller's.
    let (file, ends) = pcap(Order::Little, false, 1, &[(1, 0, body(1, 60), 60), (2, 0, body(2, 61), 61)]);
    let limits = Limits {
        frame_bytes: 60,
        ..Limits::default()
    };
    let (frames, summary) = read(&file[..], limits).unwrap();
    assert_eq!(frames.len(), 1);
    assert!(summary.damage.unwrap().starts_with(&format!("offset {}: ", ends[0])));
}

#[test]
fn another_version_is_refused_with_its_place() {
    for order in ORDERS {
        let (mut file, _) = pcap(order, false, 1, &[]);
        file[4..6].copy_from_slice(&order.u16(543));
        let error = read(&file[..], Limits::default()).unwrap_err();
        assert!(matches!(error, OpenError::Header { offset: 4, .. }), "{error}");
        assert!(error.to_string().contains("543"));
    }
}
