//! Random numbers without a generator: each is a function of what it is for.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A number in [0, 1) that depends on the seed, the purpose, the counter and the query id alone.
pub(crate) fn uniform(seed: u64, purpose: &str, counter: u64, id: &str) -> f64 {
    // Hashes of hashes instead of a generator: what one query draws does not depend on who drew before it.
    let stream = xxh3_64_with_seed(
        &counter.to_le_bytes(),
        xxh3_64_with_seed(purpose.as_bytes(), seed),
    );
    let bits = xxh3_64_with_seed(id.as_bytes(), stream);
    // The upper 53 bits: as many as a float has, so that 1 is never drawn.
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_independent_of_each_other() {
        let draws: Vec<f64> = (0..10_000)
            .map(|i| uniform(1, "test", i % 2, &format!("{}", i / 2)))
            .collect();
        let mean = draws.iter().sum::<f64>() / 1e4;
        // Standard errors: 0.0029 for the mean, 0.0012 for the covariance of the two counters.
        let covariance = draws
            .chunks(2)
            .map(|pair| (pair[0] - 0.5) * (pair[1] - 0.5))
            .sum::<f64>()
            / 5e3;
        assert!(
            (mean - 0.5).abs() < 0.012 && covariance.abs() < 0.005,
            "{mean} {covariance}"
        );
        assert_ne!(uniform(1, "a", 0, "q"), uniform(1, "b", 0, "q"));
        assert_ne!(uniform(1, "a", 0, "q"), uniform(2, "a", 0, "q"));
    }
}
