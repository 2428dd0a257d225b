//! MurmurHash3 (Austin Appleby, public domain) with seed 0: the 32-bit and the 128-bit variant for 64-bit machines.
//!
//! Written here because the crates for it are unmaintained. Refuses other seeds: they are not known.

/// `MurmurHash3_x86_32`.
pub(super) fn murmur3_32(bytes: &[u8]) -> u32 {
    let scramble = |it: u32| it.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        (hash ^ scramble(u32::from_le_bytes(*block)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    if !rest.is_empty() {
        hash ^= scramble(u32::try_from(tail(rest)).unwrap_or(0));
    }
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// `MurmurHash3_x64_128`: its two halves.
pub(super) fn murmur3_128(bytes: &[u8]) -> [u64; 2] {
    const ONE: u64 = 0x87c3_7b91_1142_53d5;
    const TWO: u64 = 0x4cf5_ad43_2745_937f;
    let first = |it: u64| it.wrapping_mul(ONE).rotate_left(31).wrapping_mul(TWO);
    let second = |it: u64| it.wrapping_mul(TWO).rotate_left(33).wrapping_mul(ONE);
    let (blocks, rest) = bytes.as_chunks::<16>();
    let (mut a, mut b) = (0_u64, 0_u64);
    for block in blocks {
        let block = u128::from_le_bytes(*block);
        let (low, high) = (block as u64, (block >> 64) as u64);
        a = (a ^ first(low))
            .rotate_left(27)
            .wrapping_add(b)
            .wrapping_mul(5)
            .wrapping_add(0x52dc_e729);
        b = (b ^ second(high))
            .rotate_left(31)
            .wrapping_add(a)
            .wrapping_mul(5)
            .wrapping_add(0x3849_5ab5);
    }
    let (low, high) = rest.split_at(rest.len().min(8));
    if !high.is_empty() {
        b ^= second(tail(high));
    }
    if !low.is_empty() {
        a ^= first(tail(low));
    }
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    (a, b) = (a ^ length, b ^ length);
    a = a.wrapping_add(b);
    b = b.wrapping_add(a);
    (a, b) = (finish(a), finish(b));
    a = a.wrapping_add(b);
    b = b.wrapping_add(a);
    [a, b]
}

fn finish(it: u64) -> u64 {
    let it = (it ^ it >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let it = (it ^ it >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    it ^ it >> 33
}

/// Up to eight bytes as a number, the first the lowest.
fn tail(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the reference implementation gives them.
    #[test]
    fn agrees_with_the_reference() {
        let fox = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(murmur3_32(b""), 0);
        assert_eq!(murmur3_32(b"test"), 0xba6b_d213);
        assert_eq!(murmur3_32(fox), 0x2e4f_f723);
        assert_eq!(murmur3_128(fox), [0xe34b_bc7b_bc07_1b6c, 0x7a43_3ca9_c49a_9347]);
        assert_eq!(murmur3_128(b"hello"), [0xcbd8_a7b3_41bd_9b02, 0x5b1e_906a_48ae_1d19]);
    }
}
