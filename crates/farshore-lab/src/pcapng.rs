//! Owns the writing of pcapng files (draft-ietf-opsawg-pcapng): one section, one Ethernet interface.
//!
//! Refuses everything a lab capture does not need: name resolution, secrets and custom blocks.

/// Who wrote a file and what it is.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// `shb_userappl`.
    pub application: &'a str,
    /// `opt_comment` of the section.
    pub comment: &'a str,
    /// `if_name`.
    pub interface: &'a str,
    /// `if_description`.
    pub description: &'a str,
}

/// Writes a whole file: `frames` are (nanoseconds since 1970, bytes), oldest first.
pub fn file<'f>(section: &Section<'_>, frames: impl Iterator<Item = (u64, &'f [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut head = Vec::new();
    head.extend(0x1a2b_3c4d_u32.to_le_bytes());
    head.extend(1_u16.to_le_bytes());
    head.extend(0_u16.to_le_bytes());
    head.extend(u64::MAX.to_le_bytes()); // section length: not specified
    option(&mut head, 1, section.comment.as_bytes());
    option(&mut head, 4, section.application.as_bytes());
    end_of_options(&mut head);
    block(&mut out, 0x0a0d_0d0a, &head);

    let mut interface = Vec::new();
    interface.extend(1_u16.to_le_bytes()); // LINKTYPE_ETHERNET
    interface.extend(0_u16.to_le_bytes());
    interface.extend(0_u32.to_le_bytes()); // no snap length
    option(&mut interface, 2, section.interface.as_bytes());
    option(&mut interface, 3, section.description.as_bytes());
    option(&mut interface, 9, &[9]); // if_tsresol: 10^-9 s
    end_of_options(&mut interface);
    block(&mut out, 1, &interface);

    let (mut first, mut last, mut count) = (None, 0, 0_u64);
    for (at, frame) in frames {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut packet = Vec::with_capacity(frame.len() + 24);
        packet.extend(0_u32.to_le_bytes());
        packet.extend(timestamp(at));
        packet.extend(length.to_le_bytes());
        packet.extend(length.to_le_bytes());
        packet.extend(frame);
        pad(&mut packet);
        block(&mut out, 6, &packet);
        first.get_or_insert(at);
        last = at;
        count += 1;
    }

    let mut statistics = Vec::new();
    statistics.extend(0_u32.to_le_bytes());
    statistics.extend(timestamp(last));
    option(&mut statistics, 2, &timestamp(first.unwrap_or(last))); // isb_starttime
    option(&mut statistics, 3, &timestamp(last)); // isb_endtime
    option(&mut statistics, 4, &count.to_le_bytes()); // isb_ifrecv
    option(&mut statistics, 5, &0_u64.to_le_bytes()); // isb_ifdrop
    end_of_options(&mut statistics);
    block(&mut out, 5, &statistics);
    out
}

/// Times are two 32-bit words, the higher first, each in the section's byte order.
fn timestamp(at: u64) -> [u8; 8] {
    let mut out = [0; 8];
    out[..4].copy_from_slice(&((at >> 32) as u32).to_le_bytes());
    out[4..].copy_from_slice(&(at as u32).to_le_bytes());
    out
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let total = (body.len() as u32 + 12).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(total);
    out.extend(body);
    out.extend(total);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
    pad(out);
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
