use std::sync::LazyLock;

const TABLE: usize = 256;

static DISCOUNTS: LazyLock<[f64; TABLE]> =
    LazyLock::new(|| std::array::from_fn(|position| 1.0 / ((position + 2) as f64).log2()));

/// 1 / log2(i + 1) for rank i = position + 1.
pub(crate) fn discount(position: usize) -> f64 {
    match DISCOUNTS.get(position) {
        Some(&discount) => discount,
        None => 1.0 / ((position + 2) as f64).log2(),
    }
}

/// NDCG@k with binary gains, from which ranks of a list without duplicates are hits and how many items are relevant;
/// 0 where nothing is relevant.
#[cfg(any(feature = "reward", test))]
pub(crate) fn ndcg_of_hits(hits: impl Iterator<Item = bool>, relevant: usize, k: usize) -> f64 {
    let ideal = (0..relevant.min(k)).fold(0.0, |sum, position| sum + discount(position));
    let ranks = hits.take(k).enumerate().filter(|&(_, hit)| hit);
    let gain = ranks.fold(0.0, |sum, (position, _)| sum + discount(position));
    if ideal > 0.0 { gain / ideal } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ndcg_by_hand() {
        // One of two relevant items, at rank 2: (1 / log2 3) / (1 + 1 / log2 3) = 0.6309 / 1.6309.
        let ndcg = ndcg_of_hits([false, true, false].into_iter(), 2, 3);
        assert!((ndcg - 0.386_852_807_234_541_6).abs() < 1e-15);
        assert_eq!(ndcg_of_hits([false, true].into_iter(), 1, 1), 0.0);
        assert_eq!(ndcg_of_hits([false].into_iter(), 0, 1), 0.0);
    }
}
