//! The file of blocks: sections, interfaces, clocks, losses, and what is to be stepped over.

use farshore_sources::{Limits, OpenError};

use crate::files::{Blocks, Got, ORDERS, Order, body, medley, read, whole};

#[test]
fn a_medley_of_sections_interfaces_and_blocks() {
    let file = medley();
    let (frames, summary) = whole(&file.bytes);
    let got = |number, nanos, tick, link, interface, wire_length, bytes| Got {
        number,
        nanos,
        tick,
        link,
        interface,
        wire_length,
        bytes,
    };
    let wanted = [
        got(1, Some(1_613_066_400_000_000_005), 1, 1, 0, 60, body(1, 60)),
        // 3 << 19 units of 2^-20 s are 1.5 s, moved by 1000 s.
        got(2, Some(1_001_500_000_000), 953, 101, 1, 140, body(3, 33)),
        got(3, None, 1, 1, 0, 41, body(4, 41)),
        got(4, Some(1_700_000_000_000_001_000), 1_000, 113, 0, 20, body(5, 20)),
        got(5, Some(1_700_000_000_000_002_000), 1_000, 113, 0, 0, Vec::new()),
        got(6, None, 1_000, 276, 0, 90, body(6, 24)),
        got(7, Some(1_700_000_001_000_000_000), 1_000, 276, 0, 90, body(7, 24)),
    ];
    assert_eq!(frames, wanted);
    assert_eq!(summary.damage, None);
    // By the interface's own statistics: for want of buffers, and in the system. Packets' counts are part of these.
    assert_eq!(summary.dropped, Some(7));
    let notes: Vec<&str> = summary.record.notes.iter().map(|it| it.as_str()).collect();
    assert_eq!(notes, ["interface 0 device: eth0", "application: a test"]);
    assert_eq!(summary.record.format, "pcapng");
    assert_eq!(summary.record.first.map(|it| it.as_nanos()), Some(1_001_500_000_000));
}

/// Early writers wrote the length of what a block holds and filled it up all the same.
#[test]
fn blocks_that_leave_out_their_padding_are_read() {
    for order in ORDERS {
        let mut file = Blocks::new(order);
        file.interface(1, 0, &[]);
        for seed in 0..3 {
            let length = order.u32(12 + 20 + 58);
            let head = [0, 0, 0, 58, 58].map(|word| order.u32(word)).concat();
            file.bytes.extend([order.u32(6), length].concat());
            file.bytes.extend([&head[..], &body(seed, 58), &[0; 2], &length].concat());
        }
        let (frames, summary) = whole(&file.bytes);
        let bytes: Vec<_> = frames.into_iter().map(|it| it.bytes).collect();
        assert_eq!((bytes, summary.damage), (vec![body(0, 58), body(1, 58), body(2, 58)], None));
    }
}

#[test]
fn every_clock_tells_its_time() {
    // if_tsresol, units, nanoseconds since 1970.
    for (resolution, units, nanos, tick) in [
        (0, 1_700_000_000, 1_700_000_000_000_000_000_i64, 1_000_000_000),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000, 1_000_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000, 1_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789, 1),
        // Finer than nanoseconds: what does not fit is cut.
        (12, 1_700_000_123_456_789_999, 1_700_000_123_456_789, 1),
        (0x80, 1_700_000_000, 1_700_000_000_000_000_000, 1_000_000_000),
        (0x80 | 10, 1_700_000_000 << 10 | 512, 1_700_000_000_500_000_000, 976_562),
        (0x80 | 32, 1_700_000_000 << 32 | 1 << 30, 1_700_000_000_250_000_000, 1),
    ] {
        for order in ORDERS {
            for (shift, moved) in [(0_i64, 0_i64), (-3_600, -3_600_000_000_000), (86_400, 86_400_000_000_000)] {
                let mut file = Blocks::new(order);
                let shift = (14, order.u64(shift.cast_unsigned()).to_vec());
                file.interface(1, 0, &[(9, vec![resolution]), shift]);
                file.enhanced(0, units, &[1, 2, 3], 3, &[]);
                let (frames, _) = whole(&file.bytes);
                assert_eq!(
                    (frames[0].nanos, frames[0].tick),
                    (Some(nanos + moved), tick),
                    "{resolution:#x} {order:?}"
                );
            }
        }
    }
    // A resolution nothing could have is the default one.
    let mut file = Blocks::new(Order::Big);
    file.interface(1, 0, &[(9, vec![0x7f])]).enhanced(0, 5, &[1], 1, &[]);
    assert_eq!(whole(&file.bytes).0[0].nanos, Some(5_000));
}

#[test]
fn losses_are_told_by_interface_or_summed_over_packets() {
    let drops = |n: u64| vec![(4_u16, Order::Little.u64(n).to_vec())];
    let mut file = Blocks::new(Order::Little);
    file.interface(1, 0, &[]).enhanced(0, 1, &[1], 1, &[]);
    assert_eq!(whole(&file.bytes).1.dropped, None, "nothing is said");
    file.enhanced(0, 2, &[1], 1, &drops(2)).enhanced(0, 3, &[1], 1, &drops(5));
    assert_eq!(whole(&file.bytes).1.dropped, Some(7));
    file.statistics(0, &[(4, Order::Little.u64(3).to_vec())]);
    assert_eq!(whole(&file.bytes).1.dropped, Some(7), "statistics that say nothing of losses");
    file.statistics(0, &[(5, Order::Little.u64(8).to_vec())]);
    assert_eq!(whole(&file.bytes).1.dropped, Some(8));
    // They count on: the latest holds. Another interface counts for itself.
    file.interface(1, 0, &[])
        .statistics(0, &[(5, Order::Little.u64(10).to_vec())])
        .statistics(1, &[(7, Order::Little.u64(1).to_vec())]);
    assert_eq!(whole(&file.bytes).1.dropped, Some(11));
    file.section(Order::Big, &[])
        .interface(1, 0, &[])
        .statistics(0, &[(5, Order::Big.u64(100).to_vec())]);
    assert_eq!(whole(&file.bytes).1.dropped, Some(111));
    file.statistics(0, &[(5, Order::Big.u64(u64::MAX).to_vec())]);
    assert_eq!(whole(&file.bytes).1.dropped, Some(u64::MAX));
}

#[test]
fn a_simple_packet_is_cut_where_its_interface_says() {
    for (snap, wire_length, captured) in [(0, 30, 30), (96, 30, 30), (16, 30, 16), (30, 30, 30)] {
        let mut file = Blocks::new(Order::Big);
        file.interface(1, snap, &[]).simple(&body(1, captured), wire_length);
        let (frames, _) = whole(&file.bytes);
        assert_eq!((frames[0].bytes.len(), frames[0].wire_length), (captured, wire_length), "{snap}");
    }
}

#[test]
fn a_frame_of_no_interface_is_kept_without_time_or_link() {
    let mut file = Blocks::new(Order::Little);
    file.enhanced(9, 1_000, &body(1, 8), 8, &[]);
    let (frames, _) = whole(&file.bytes);
    assert_eq!((frames[0].nanos, frames[0].link, frames[0].bytes.len()), (None, u32::MAX, 8));
}

#[test]
fn what_is_too_large_to_hold_is_stepped_over_or_ends_the_reading() {
    let limits = Limits {
        frame_bytes: 64,
        block_bytes: 256,
        ..Limits::default()
    };
    let mut file = Blocks::new(Order::Little);
    file.interface(1, 0, &[])
        .enhanced(0, 1, &body(1, 60), 60, &[])
        .block(0x0bad, &body(2, 600_000))
        .enhanced(0, 2, &body(3, 60), 60, &[]);
    let (frames, summary) = read(&file.bytes[..], limits).unwrap();
    assert_eq!((frames.len(), summary.damage), (2, None));
    assert!(summary.record.notes.iter().any(|it| it.as_str().contains("stepped over")));

    let at = file.bytes.len();
    file.enhanced(0, 3, &body(4, 65), 65, &[]).enhanced(0, 4, &body(5, 60), 60, &[]);
    let (frames, summary) = read(&file.bytes[..], limits).unwrap();
    assert_eq!(frames.len(), 2);
    assert!(summary.damage.unwrap().starts_with(&format!("offset {at}: ")));

    // A packet that claims more than its block holds.
    let mut file = Blocks::new(Order::Little);
    file.interface(1, 0, &[]).enhanced(0, 1, &body(1, 60), 60, &[]);
    let at = file.bytes.len();
    file.enhanced(0, 1, &body(1, 40), 40, &[]);
    file.bytes[at + 20..at + 24].copy_from_slice(&41_u32.to_le_bytes());
    assert_eq!(whole(&file.bytes).0.len(), 1);
    assert!(whole(&file.bytes).1.damage.unwrap().contains("41"));
}

#[test]
fn a_header_that_cannot_be_is_refused_with_its_place() {
    let good = Blocks::new(Order::Big).bytes;
    for (at, bytes, offset) in [(8, [0, 0, 0, 0], 8), (4, [0, 0, 0, 24], 4), (4, [0, 0, 0, 29], 4)] {
        let mut bad = good.clone();
        bad[at..at + 4].copy_from_slice(&bytes);
        let error = read(&bad[..], Limits::default()).unwrap_err();
        assert!(matches!(error, OpenError::Header { offset: told, .. } if told == offset), "{error}");
    }
    for cut in 1..good.len() {
        let error = read(&good[..cut], Limits::default()).unwrap_err();
        let told = match &error {
            OpenError::HeaderCut { have, .. } => *have,
            OpenError::Unrecognised { .. } if cut < 4 => cut as u64,
            other => panic!("{other}"),
        };
        assert_eq!(told, cut as u64);
    }
}
