//! The Huffman code of HPACK (RFC 7541, appendix B). Refuses padding that is not the start of the end mark.

/// Length in bits, code of the first symbol, and the symbols of that length in the order of their codes. The code is
/// canonical: symbols of one length follow each other.
const CODE: &[(u32, u64, &[u8])] = &[
    (5, 0x0, b"012aceiost"),
    (6, 0x14, b" %-./3456789=A_bdfghlmnpru"),
    (7, 0x5c, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, 0xf8, b"&*,;XZ"),
    (10, 0x3f8, b"!\"()?"),
    (11, 0x7fa, b"'+|"),
    (12, 0xffa, b"#>"),
    (13, 0x1ff8, b"\x00$@[]~"),
    (14, 0x3ffc, b"^}"),
    (15, 0x7ffc, b"<`{"),
    (19, 0x7fff0, b"\\\xc3\xd0"),
    (20, 0xfffe6, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, 0x1fffdc, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (
        22,
        0x3fffd2,
        b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    ),
    (
        23,
        0x7fffd8,
        b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    ),
    (24, 0xffffea, b"\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, 0x1ffffec, b"\xc7\xcf\xea\xeb"),
    (26, 0x3ffffe0, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (
        27,
        0x7ffffde,
        b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    ),
    (
        28,
        0xfffffe2,
        b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
    ),
    // The fourth code of 30 bits is the end mark, which no string may hold.
    (30, 0x3ffffffc, b"\x0a\x0d\x16"),
];

/// Decodes a string; `None` when it is no code, or ends otherwise than in up to seven bits of the end mark.
pub fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    // The low `held` bits of `bits` are not decoded yet.
    let (mut bits, mut held) = (0_u64, 0_u32);
    loop {
        while held <= 48 {
            let Some(byte) = rest.next() else { break };
            bits = (bits << 8) | u64::from(*byte);
            held = held.saturating_add(8);
        }
        let Some((length, symbol)) = symbol(bits, held) else { break };
        text.push(symbol);
        held = held.saturating_sub(length);
        bits &= mask(held);
    }
    (held < 8 && bits == mask(held)).then_some(text)
}

/// The symbol in front, and how many bits it takes.
fn symbol(bits: u64, held: u32) -> Option<(u32, u8)> {
    CODE.iter().find_map(|(length, first, symbols)| {
        let code = bits.checked_shr(held.checked_sub(*length)?)?;
        let index = usize::try_from(code.checked_sub(*first)?).ok()?;
        symbols.get(index).map(|symbol| (*length, *symbol))
    })
}

fn mask(held: u32) -> u64 {
    1_u64.checked_shl(held).unwrap_or(0).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_code_and_the_code_is_complete() {
        let mut all: Vec<u8> = CODE.iter().flat_map(|(_, _, symbols)| symbols.to_vec()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..=255).collect::<Vec<u8>>());
        // Kraft: with the end mark of 30 bits the code leaves nothing over.
        let sum: u64 = CODE
            .iter()
            .map(|(length, _, symbols)| symbols.len() as u64 * (1 << (30 - length)))
            .sum();
        assert_eq!(sum + 1, 1 << 30);
    }

    #[test]
    fn every_symbol_is_decoded_from_its_code() {
        for (length, first, symbols) in CODE {
            for (index, symbol) in symbols.iter().enumerate() {
                let pad = (8 - length % 8) % 8;
                let code = ((first + index as u64) << pad) | mask(pad);
                let bytes = &code.to_be_bytes()[8 - (length + pad) as usize / 8..];
                assert_eq!(decode(bytes), Some(vec![*symbol]), "{symbol:#x}");
            }
        }
    }

    #[test]
    fn bad_padding_and_the_end_mark_are_refused() {
        assert_eq!(decode(&[0x07]), Some(b"0".to_vec()));
        assert_eq!(decode(&[0x00]), None, "padded with zeros");
        assert_eq!(decode(&[0x07, 0xff]), None, "a whole byte of padding");
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff]), None, "the end mark");
        assert_eq!(decode(&[]), Some(vec![]));
    }
}
