//! How ggml packs numbers: blocks that share scales.

use half::{bf16, f16};

/// A storage type of ggml, as far as it can be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgmlType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 16-bit brain floats.
    BF16,
    /// 4 bits and a scale for 32 numbers.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 numbers.
    Q4_1,
    /// 5 bits and a scale for 32 numbers.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 numbers.
    Q5_1,
    /// 8 bits and a scale for 32 numbers.
    Q8_0,
    /// 4 bits; scales and minima of 6 bits for each 32 of 256 numbers.
    Q4K,
    /// 5 bits; scales and minima of 6 bits for each 32 of 256 numbers.
    Q5K,
    /// 6 bits; scales of 8 bits for each 16 of 256 numbers.
    Q6K,
}

impl GgmlType {
    /// The type of that number in the file format.
    pub fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// Its number in the file format.
    pub fn code(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::BF16 => 30,
        }
    }

    /// Numbers in a block.
    pub fn block_numbers(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// The numbers of whole blocks; a rest that fills no block is left out.
    pub fn dequantise(self, bytes: &[u8]) -> Vec<f32> {
        let mut numbers =
            Vec::with_capacity(bytes.len() / self.block_bytes() * self.block_numbers());
        let out = &mut numbers;
        for block in bytes.chunks_exact(self.block_bytes()) {
            match self {
                Self::F32 => out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
                Self::F16 => out.push(half(block, 0)),
                Self::BF16 => out.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
                Self::Q4_0 => nibbles(half(block, 0), -8.0, NOTHING, &block[2..], out),
                Self::Q4_1 => nibbles(half(block, 0), 0.0, half(block, 2), &block[4..], out),
                Self::Q5_0 => fives(half(block, 0), -16.0, NOTHING, &block[2..], out),
                Self::Q5_1 => fives(half(block, 0), 0.0, half(block, 2), &block[4..], out),
                Self::Q8_0 => {
                    let scale = half(block, 0);
                    out.extend(block[2..].iter().map(|&q| scale * f32::from(q as i8)));
                }
                Self::Q4K => four_or_five(block, &block[16..], None, out),
                Self::Q5K => four_or_five(block, &block[48..], Some(&block[16..48]), out),
                Self::Q6K => sixes(block, out),
            }
        }
        numbers
    }
}

/// Added to a number it leaves it as it is; 0 would turn -0 into 0.
const NOTHING: f32 = -0.0;

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// 32 numbers of 4 bits: the low halves of 16 bytes, then the high ones.
fn nibbles(scale: f32, shift: f32, minimum: f32, packed: &[u8], out: &mut Vec<f32>) {
    let number = |q: u8| scale * (f32::from(q) + shift) + minimum;
    out.extend(packed.iter().map(|q| number(q & 0xF)));
    out.extend(packed.iter().map(|q| number(q >> 4)));
}

/// As [`nibbles`], with the fifth bits in four bytes before them.
fn fives(scale: f32, shift: f32, minimum: f32, packed: &[u8], out: &mut Vec<f32>) {
    let high = u32::from_le_bytes([packed[0], packed[1], packed[2], packed[3]]);
    let number = |q: u8, bit: usize| {
        let q = q | (((high >> bit) & 1) << 4) as u8;
        scale * (f32::from(q) + shift) + minimum
    };
    let low = packed[4..].iter().enumerate();
    out.extend(low.clone().map(|(i, q)| number(q & 0xF, i)));
    out.extend(low.map(|(i, q)| number(q >> 4, i + 16)));
}

/// 256 numbers in 8 parts, each with a scale and a minimum of 6 bits.
fn four_or_five(block: &[u8], packed: &[u8], high: Option<&[u8]>, out: &mut Vec<f32>) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    let six_bits = &block[4..16];
    for (pair, low) in packed.chunks_exact(32).enumerate() {
        for (part, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let (factor, offset) = scale_and_minimum(six_bits, part);
            // The 6-bit scale goes into the block's first, as in ggml: another order would round differently.
            let (factor, offset) = (scale * factor, minimum * offset);
            out.extend(low.iter().enumerate().map(|(i, q)| {
                // Byte i of `high` has the fifth bit of number i of all eight parts.
                let fifth = high.map_or(0, |high| (high[i] >> part) & 1);
                factor * f32::from((q >> shift) & 0xF | fifth << 4) - offset
            }));
        }
    }
}

/// Eight scales and eight minima of 6 bits in 12 bytes.
fn scale_and_minimum(packed: &[u8], part: usize) -> (f32, f32) {
    // Bytes 0 to 3 are scales 0 to 3 and bytes 4 to 7 minima 0 to 3, in their low 6 bits. For parts 4 to 7, bytes 8 to 11 have
    // the low 4 bits, the scale below the minimum, and the 2 free bits of the first eight bytes are the high ones.
    let (scale, minimum) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        let shared = packed[part + 4];
        (
            shared & 0xF | (packed[part - 4] >> 6) << 4,
            shared >> 4 | (packed[part] >> 6) << 4,
        )
    };
    (f32::from(scale), f32::from(minimum))
}

/// 256 numbers of 6 bits: 128 bytes of low halves, 64 of high pairs, 16 scales, one scale of scales.
fn sixes(block: &[u8], out: &mut Vec<f32>) {
    let scale = half(block, 208);
    for part in 0..2 {
        let low = &block[64 * part..][..64];
        let high = &block[128 + 32 * part..][..32];
        let scales = &block[192 + 8 * part..][..8];
        for quarter in 0..4 {
            // Quarters 0 and 1 are the low halves of the first and the last 32 bytes, quarters 2 and 3 their high halves; each
            // byte of `high` has 2 bits for every quarter.
            let (offset, shift) = (32 * (quarter % 2), 4 * (quarter / 2));
            out.extend((0..32).map(|i| {
                let q = (low[i + offset] >> shift) & 0xF | ((high[i] >> (2 * quarter)) & 3) << 4;
                let factor = scale * f32::from(scales[2 * quarter + i / 16] as i8);
                factor * (f32::from(q) - 32.0)
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(scale: f32, rest: &[u8]) -> Vec<u8> {
        [&f16::from_f32(scale).to_le_bytes(), rest].concat()
    }

    #[test]
    fn four_bits_are_low_halves_then_high_ones() {
        let mut packed = [0x80; 16];
        packed[1] = 0x2F;
        let numbers = GgmlType::Q4_0.dequantise(&scaled(2.0, &packed));
        assert_eq!(numbers.len(), 32);
        assert_eq!((numbers[0], numbers[1]), (-16.0, 14.0));
        assert_eq!((numbers[16], numbers[17]), (0.0, -12.0));
    }

    #[test]
    fn the_fifth_bit_comes_from_its_own_bytes() {
        let mut packed = [0; 20];
        packed[0] = 0b10;
        packed[2] = 0b1;
        let numbers = GgmlType::Q5_0.dequantise(&scaled(1.0, &packed));
        assert_eq!(&numbers[..3], [-16.0, 0.0, -16.0]);
        assert_eq!(&numbers[16..18], [0.0, -16.0]);
    }

    #[test]
    fn six_bit_scales_reach_over_both_halves() {
        let mut packed = [0u8; 12];
        (packed[0], packed[4], packed[8]) = (0b1100_0001, 0b0100_0010, 0x53);
        assert_eq!(scale_and_minimum(&packed, 0), (1.0, 2.0));
        assert_eq!(scale_and_minimum(&packed, 4), (51.0, 21.0));
    }
}
