//! What the queries of each split are made of.

use std::collections::HashSet;

use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::ItemIndex;

use super::{QueryBuilder, QueryConfig};
use crate::audience::{Audience, Like};
use crate::dataset::Rating;
use crate::error::{Error, Result};
use crate::random::stream;
use crate::split_by::SplitBy;

/// What the queries of one split may be made of: targets, users or choices. [`QueryBuilder::pools`] makes them.
#[derive(Debug, Clone)]
pub struct Pool(Stock);

#[derive(Debug, Clone)]
enum Stock {
    Targets(Vec<ItemIndex>),
    /// Users who like something.
    Users(Vec<usize>),
    Choices(Vec<Choice>),
}

#[derive(Debug, Clone, Copy)]
struct Choice {
    user: usize,
    item: ItemIndex,
    time: i64,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) user: usize,
    pub(super) time: Option<i64>,
}

impl Pool {
    /// How many targets, users or choices there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Stock::Targets(targets) => targets.len(),
            Stock::Users(users) => users.len(),
            Stock::Choices(choices) => choices.len(),
        }
    }

    /// Whether nothing can be made of it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn kind(&self) -> &'static str {
        match &self.0 {
            Stock::Targets(_) => "possible targets",
            Stock::Users(_) => "users",
            Stock::Choices(_) => "choices",
        }
    }
}

/// The pools of train, validation and test, and what training may know.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) pools: [Pool; 3],
    seen: Seen,
}

/// Which ratings are for training.
#[derive(Debug)]
enum Seen {
    All,
    /// Those of users who are not in here.
    But(HashSet<usize>),
    /// Those before this time.
    Before(i64),
}

impl Partition {
    pub(super) fn new(
        seed: u64,
        config: &QueryConfig,
        items: impl Iterator<Item = ItemIndex>,
        audience: &Audience<'_>,
    ) -> Result<Self> {
        match config.split_by {
            SplitBy::Target => Ok(Self {
                pools: shuffled(seed, "targets", items.collect(), config)
                    .map(Stock::Targets)
                    .map(Pool),
                seen: Seen::All,
            }),
            SplitBy::User => by_user(seed, config, audience),
            SplitBy::Time => by_time(config, audience),
        }
    }

    /// Whether a user's like is for training.
    pub(super) fn has_seen(&self, user: usize, time: Option<i64>) -> bool {
        match &self.seen {
            Seen::All => true,
            Seen::But(held_out) => !held_out.contains(&user),
            Seen::Before(cut) => time.is_some_and(|time| time < *cut),
        }
    }
}

/// In random order, the last ones for test, those before them for validation.
fn shuffled<T>(seed: u64, purpose: &str, mut all: Vec<T>, config: &QueryConfig) -> [Vec<T>; 3] {
    all.shuffle(&mut stream(seed, purpose, ""));
    parted(all, config)
}

fn parted<T>(mut all: Vec<T>, config: &QueryConfig) -> [Vec<T>; 3] {
    let count = all.len();
    let share = |of: f64| (count as f64 * of).round() as usize;
    // Test first: its part does not change with the share of validation. A share below 1 cannot
    // exceed the length.
    let test = all.split_off(count - share(config.test_share));
    let validation = all.split_off(all.len().saturating_sub(share(config.validation_share)));
    [all, validation, test]
}

fn by_user(seed: u64, config: &QueryConfig, audience: &Audience<'_>) -> Result<Partition> {
    let likes = |user: &usize| !audience.likes(*user).is_empty();
    let mut users: Vec<usize> = audience.users().filter(likes).collect();
    refuse_split(users.is_empty(), SplitBy::User, "there are no ratings")?;
    // By name: the parts must not change with the order of the file.
    users.sort_by_key(|&user| audience.user(user));
    let [train, validation, test] = shuffled(seed, "users", users, config);
    let held_out = validation.iter().chain(&test).copied().collect();
    Ok(Partition {
        pools: [train, validation, test].map(Stock::Users).map(Pool),
        seen: Seen::But(held_out),
    })
}

fn by_time(config: &QueryConfig, audience: &Audience<'_>) -> Result<Partition> {
    let mut choices = Vec::new();
    for user in audience.users() {
        for &Like { item, rating } in audience.likes(user) {
            let cause = "not all ratings have a time";
            refuse_split(rating.time.is_none(), SplitBy::Time, cause)?;
            let time = rating.time.unwrap_or_default();
            choices.push(Choice { user, item, time });
        }
    }
    refuse_split(choices.is_empty(), SplitBy::Time, "there are no ratings")?;
    choices.sort_by_key(|choice| choice.time);
    let [mut train, mut validation, test] = parted(choices, config);
    // What happened at the very moment of a cut belongs behind it, or one moment would be in two splits.
    let first = |part: &[Choice]| part.first().map_or(i64::MAX, |choice| choice.time);
    let test_from = first(&test);
    validation.retain(|choice| choice.time < test_from);
    let held_out_from = first(&validation).min(test_from);
    train.retain(|choice| choice.time < held_out_from);
    Ok(Partition {
        pools: [train, validation, test].map(Stock::Choices).map(Pool),
        seen: Seen::Before(held_out_from),
    })
}

fn refuse_split(refused: bool, split_by: SplitBy, cause: &str) -> Result<()> {
    match refused {
        true => Err(Error::InvalidSetting {
            setting: "split_by",
            got: format!("{split_by:?}").to_lowercase(),
            allowed: format!("\"target\" where {cause}"),
        }),
        false => Ok(()),
    }
}

impl QueryBuilder<'_> {
    /// What train, validation and test queries are made of, in this order.
    pub fn pools(&self) -> &[Pool; 3] {
        &self.partition.pools
    }

    /// The ratings that training may know: all where targets are split; else none of held-out users, none from the
    /// first held-out choice on.
    pub(crate) fn is_seen(&self, rating: &Rating) -> bool {
        let position = || self.audience.position(&rating.user);
        match self.partition.seen {
            // Nobody is looked up among millions for nothing.
            Seen::All => true,
            _ => position().is_some_and(|user| self.partition.has_seen(user, rating.time)),
        }
    }

    /// A target, and who asks for it where the splits are by user or time.
    pub(super) fn draw_target(
        &self,
        pool: &Pool,
        rng: &mut ChaCha8Rng,
    ) -> Option<(ItemIndex, Option<Asker>)> {
        match &pool.0 {
            Stock::Targets(targets) => targets.choose(rng).map(|&target| (target, None)),
            Stock::Users(users) => {
                let &user = users.choose(rng)?;
                let like = self.audience.likes(user).choose(rng)?;
                Some((like.item, Some(Asker { user, time: None })))
            }
            Stock::Choices(choices) => {
                let &Choice { user, item, time } = choices.choose(rng)?;
                let time = Some(time);
                Some((item, Some(Asker { user, time })))
            }
        }
    }

    /// As [`draw_target`](Self::draw_target), of items that fit; of users and choices one is drawn, which may not.
    pub(super) fn draw_fitting(
        &self,
        pool: &Pool,
        fits: impl Fn(ItemIndex) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> Option<(ItemIndex, Option<Asker>)> {
        match &pool.0 {
            Stock::Targets(targets) => {
                let fitting = targets.iter().copied().filter(|&item| fits(item));
                fitting.choose(rng).map(|target| (target, None))
            }
            _ => self
                .draw_target(pool, rng)
                .filter(|&(target, _)| fits(target)),
        }
    }

    /// What a user liked before they asked.
    pub(super) fn liked_before(&self, asker: Asker) -> impl Iterator<Item = &Like<'_>> {
        let is_earlier = move |like: &&Like<'_>| match (asker.time, like.rating.time) {
            (Some(asked), Some(liked)) => liked < asked,
            _ => true,
        };
        self.audience.likes(asker.user).iter().filter(is_earlier)
    }
}

#[cfg(test)]
mod tests {
    use rerec_rewards::{Catalogue, Item};

    use super::*;

    /// The times of the choices of each split, where item n was chosen at the nth of `times`.
    fn split_times(times: &[i64]) -> Vec<Vec<i64>> {
        let items = (0..times.len()).map(|n| Item::new(n.to_string(), n.to_string()));
        let catalogue = Catalogue::new(items.collect()).unwrap();
        let rating = |(n, &time): (usize, &i64)| Rating {
            user: format!("u{}", n % 3).into(),
            item: n.to_string().into(),
            rating: 5.0,
            time: Some(time),
        };
        let ratings: Vec<Rating> = times.iter().enumerate().map(rating).collect();
        let config = QueryConfig {
            split_by: SplitBy::Time,
            validation_share: 0.1,
            test_share: 0.2,
            ..QueryConfig::default()
        };
        let audience = Audience::new(&catalogue, &ratings, 4.0).unwrap();
        let partition = Partition::new(0, &config, std::iter::empty(), &audience).unwrap();
        let of_pool = |pool: &Pool| match &pool.0 {
            Stock::Choices(choices) => choices.iter().map(|choice| choice.time).collect(),
            _ => Vec::new(),
        };
        partition.pools.iter().map(of_pool).collect()
    }

    #[test]
    fn the_latest_choices_are_held_out() {
        let splits = split_times(&[3, 1, 2, 10, 5, 4, 7, 6, 9, 8]);
        assert_eq!(splits, [vec![1, 2, 3, 4, 5, 6, 7], vec![8], vec![9, 10]]);
    }

    #[test]
    fn one_moment_is_in_one_split() {
        // The cut before the last two goes through the moment 8.
        let splits = split_times(&[1, 2, 3, 4, 5, 6, 7, 8, 8, 10]);
        assert_eq!(splits, [vec![1, 2, 3, 4, 5, 6, 7], vec![], vec![8, 10]]);
    }
}
