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

/// NDCG@k with binary gains, from which ranks are hits and how many items are relevant.
///
/// DCG = sum over ranks i = 1..k of hit_i / log2(i + 1); the ideal has min(relevant, k) hits in front. The
/// list must be free of duplicates. 0 where nothing is relevant.
///
/// ```
/// # use rerec_rewards::ndcg_of_hits;
/// // One of two relevant items, at rank 2: (1 / log2 3) / (1 + 1 / log2 3) = 0.6309 / 1.6309.
/// let ndcg = ndcg_of_hits([false, true, false], 2, 3);
/// assert!((ndcg - 0.386_852_807_234_541_6).abs() < 1e-15);
/// assert_eq!(ndcg_of_hits([false, true], 1, 1), 0.0);
/// ```
pub fn ndcg_of_hits(hits: impl IntoIterator<Item = bool>, relevant: usize, k: usize) -> f64 {
    let ideal = (0..relevant.min(k)).fold(0.0, |sum, position| sum + discount(position));
    let ranks = hits.into_iter().take(k).enumerate().filter(|&(_, hit)| hit);
    let gain = ranks.fold(0.0, |sum, (position, _)| sum + discount(position));
    if ideal > 0.0 { gain / ideal } else { 0.0 }
}
