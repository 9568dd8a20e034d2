use crate::catalogue::require_countable;
use crate::{Error, ItemIndex, Result};

/// How often each item of a catalogue is recommended, for the metrics of all lists together.
///
/// ```
/// # use rerec_rewards::{EntropyForm, Exposure, ItemIndex};
/// let [a, b, c] = [0, 1, 2].map(|position| ItemIndex::from_position(position).unwrap());
/// // Three items; of the lists [a, b] and [a, c] the first two ranks: a twice, b and c once.
/// let exposure = Exposure::of(3, [&[a, b][..], &[a, c]], 2)?;
/// assert_eq!(exposure.coverage(), 1.0);
/// // Entropy of (1/2, 1/4, 1/4): 1.5 bits.
/// assert_eq!(exposure.entropy(EntropyForm::Bits), 1.5);
/// // Ascending counts 1, 1, 2: ((2 - 4) 1 + (4 - 4) 1 + (6 - 4) 2) / (3 * 4) = 1/6.
/// assert!((exposure.gini() - 1.0 / 6.0).abs() < 1e-15);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    counts: Vec<u64>,
    total: u64,
}

/// Which entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntropyForm {
    /// -Σ p log2 p.
    #[default]
    Bits,
    /// -Σ p ln p.
    Nats,
    /// -Σ p ln p divided by the number of recommended items, as RecBole computes it.
    NatsPerItem,
}

impl Exposure {
    /// Counts the first `k` items of each list over a catalogue of `items` items.
    ///
    /// # Errors
    /// [`Error::CatalogueTooLarge`], [`Error::IndexOutOfCatalogue`].
    pub fn of<'a>(
        items: usize,
        lists: impl IntoIterator<Item = &'a [ItemIndex]>,
        k: usize,
    ) -> Result<Self> {
        require_countable(items)?;
        let mut exposure = Self {
            counts: vec![0; items],
            total: 0,
        };
        for item in lists.into_iter().flat_map(|list| list.iter().take(k)) {
            let index = item.position();
            let count = exposure
                .counts
                .get_mut(index)
                .ok_or(Error::IndexOutOfCatalogue { index, items })?;
            *count += 1;
            exposure.total += 1;
        }
        Ok(exposure)
    }

    /// Share of the catalogue that is recommended at all; 0 for an empty catalogue.
    pub fn coverage(&self) -> f64 {
        let seen = self.counts.iter().filter(|&&count| count > 0).count();
        if self.counts.is_empty() {
            0.0
        } else {
            seen as f64 / self.counts.len() as f64
        }
    }

    /// Gini index: 0 if all items are recommended alike, towards 1 if few get all; 0 if nothing is recommended.
    ///
    /// Σ_j (2j - |I| - 1) c_j / (|I| Σ c), counts c ascending, items never recommended among them.
    pub fn gini(&self) -> f64 {
        let mut counts = self.counts.clone();
        counts.sort_unstable();
        let items = counts.len() as f64;
        let weighted = counts.iter().zip(1u64..).fold(0.0, |sum, (&count, rank)| {
            sum + (2.0 * rank as f64 - items - 1.0) * count as f64
        });
        if self.total == 0 {
            0.0
        } else {
            weighted / (items * self.total as f64)
        }
    }

    /// Shannon entropy of the recommended items; 0 if nothing is recommended.
    pub fn entropy(&self, form: EntropyForm) -> f64 {
        let shares = self
            .counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| count as f64 / self.total as f64);
        let recommended = shares.clone().count().max(1) as f64;
        let nats = shares.fold(0.0, |sum, share| sum - share * share.ln());
        match form {
            EntropyForm::Bits => nats / std::f64::consts::LN_2,
            EntropyForm::Nats => nats,
            EntropyForm::NatsPerItem => nats / recommended,
        }
    }
}

/// How popular the items of a catalogue are among users.
///
/// ```
/// # use rerec_rewards::{ItemIndex, Popularity};
/// let [a, b] = [0, 1].map(|position| ItemIndex::from_position(position).unwrap());
/// let popularity = Popularity::new(vec![6, 2]);
/// assert_eq!(popularity.mean_count(&[a, b])?, Some(4.0));
/// // -log2(6/8) = 0.415 and -log2(2/8) = 2.
/// assert!((popularity.novelty(&[a, b])?.unwrap() - 1.207_518_749_639_422).abs() < 1e-12);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Popularity {
    counts: Vec<u64>,
    total: u64,
}

impl Popularity {
    /// From the number of interactions of each item, in catalogue order.
    pub fn new(counts: Vec<u64>) -> Self {
        let total = counts
            .iter()
            .fold(0, |sum: u64, &count| sum.saturating_add(count));
        Self { counts, total }
    }

    /// Mean number of interactions of the items of a list; none for an empty list.
    ///
    /// # Errors
    /// [`Error::IndexOutOfCatalogue`].
    pub fn mean_count(&self, list: &[ItemIndex]) -> Result<Option<f64>> {
        Ok(mean(&self.counts_of(list)?, |count| count as f64))
    }

    /// Mean self-information -log2(count / interactions) of the items of a list; none for an empty list.
    ///
    /// An item without interactions counts as if it had one, the rarest that the data could show.
    ///
    /// # Errors
    /// [`Error::IndexOutOfCatalogue`].
    pub fn novelty(&self, list: &[ItemIndex]) -> Result<Option<f64>> {
        let total = self.total.max(1) as f64;
        Ok(mean(&self.counts_of(list)?, |count| {
            -(count.max(1) as f64 / total).log2()
        }))
    }

    fn counts_of(&self, list: &[ItemIndex]) -> Result<Vec<u64>> {
        let items = self.counts.len();
        let count = |item: &ItemIndex| {
            let index = item.position();
            self.counts
                .get(index)
                .copied()
                .ok_or(Error::IndexOutOfCatalogue { index, items })
        };
        list.iter().map(count).collect()
    }
}

fn mean(counts: &[u64], value: impl Fn(u64) -> f64) -> Option<f64> {
    let sum = counts.iter().fold(0.0, |sum, &count| sum + value(count));
    (!counts.is_empty()).then(|| sum / counts.len() as f64)
}

/// Mean over all pairs of a list of 1 - similarity; none for fewer than two items.
///
/// ```
/// # use rerec_rewards::intra_list_diversity;
/// let similarity = |a: &i32, b: &i32| if a == b { 1.0 } else { 0.4 };
/// // Pairs (1, 1), (1, 2), (1, 2): (0 + 0.6 + 0.6) / 3.
/// assert!((intra_list_diversity(&[1, 1, 2], similarity).unwrap() - 0.4).abs() < 1e-15);
/// assert_eq!(intra_list_diversity(&[1], similarity), None);
/// ```
pub fn intra_list_diversity<T>(list: &[T], similarity: impl Fn(&T, &T) -> f64) -> Option<f64> {
    let pairs = list
        .iter()
        .enumerate()
        .flat_map(|(at, a)| list[at + 1..].iter().map(move |b| (a, b)));
    let (sum, count) = pairs.fold((0.0, 0u64), |(sum, count), (a, b)| {
        (sum + 1.0 - similarity(a, b), count + 1)
    });
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_that_no_index_reaches_is_refused() {
        let error = Exposure::of(usize::MAX, [], 1).unwrap_err();
        assert!(
            matches!(
                error,
                Error::CatalogueTooLarge {
                    got: usize::MAX,
                    ..
                }
            ),
            "{error}"
        );
    }
}
