use half::{bf16, f16};

/// Number types that embedding files may hold; all become f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    F16,
    Bf16,
    F32,
    F64,
}

impl Scalar {
    pub(super) const fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Little-endian numbers; a last incomplete one is left out.
    pub(super) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> f32) -> Vec<f32> {
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|chunk| number(*chunk))
                .collect()
        }
        match self {
            Self::F16 => each(bytes, |chunk| f16::from_le_bytes(chunk).to_f32()),
            Self::Bf16 => each(bytes, |chunk| bf16::from_le_bytes(chunk).to_f32()),
            Self::F32 => each(bytes, f32::from_le_bytes),
            // A number outside the range of f32 becomes infinite, which the table rejects.
            Self::F64 => each(bytes, |chunk| f64::from_le_bytes(chunk) as f32),
        }
    }
}
