//! Random streams named by what they are for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A random stream that depends on nothing but its name: (seed, purpose, query id, sample index).
///
/// Batch order, batch size and thread count therefore never change what a sample draws.
///
/// ```
/// use rand::RngExt;
/// let mut a = rerec_policy::random_stream(7, "rollout", "q1", 0);
/// let mut b = rerec_policy::random_stream(7, "rollout", "q1", 0);
/// let mut c = rerec_policy::random_stream(7, "rollout", "q1", 1);
/// let x: f64 = a.random();
/// assert_eq!(x, b.random::<f64>());
/// assert_ne!(x, c.random::<f64>());
/// ```
pub fn random_stream(seed: u64, purpose: &str, query: &str, sample: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    // Lengths keep ("ab", "c") and ("a", "bc") apart.
    for part in [purpose, query] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(sample.to_le_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}
