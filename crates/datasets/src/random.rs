//! Random streams named by what they are for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A stream that depends on nothing but (seed, purpose, id), so that what one query draws never
/// changes with how many others are drawn, or in which order.
pub(crate) fn stream(seed: u64, purpose: &str, id: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    // Lengths keep ("ab", "c") and ("a", "bc") apart.
    for part in [purpose, id] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::stream;
    use rand::RngExt;

    #[test]
    fn names_decide_the_stream() {
        let draw = |seed, purpose, id| stream(seed, purpose, id).random::<u64>();
        assert_eq!(draw(1, "query", "a"), draw(1, "query", "a"));
        assert_ne!(draw(1, "query", "a"), draw(2, "query", "a"));
        assert_ne!(draw(1, "query", "a"), draw(1, "query", "b"));
        assert_ne!(draw(1, "ab", "c"), draw(1, "a", "bc"));
    }
}
