//! The users: who liked what, and what a group of them likes more than others do.

use std::collections::{BTreeMap, HashMap};

use rerec_rewards::{Catalogue, ItemIndex};

use crate::dataset::{Rating, UserGroup, UserId};
use crate::error::{Error, Result};
use crate::facts::{FactPair, FactTable};

/// An item that a user likes, and their rating.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Like<'a> {
    pub(crate) item: ItemIndex,
    pub(crate) rating: &'a Rating,
}

/// Who liked what.
#[derive(Debug)]
pub(crate) struct Audience<'a> {
    users: Vec<&'a UserId>,
    positions: HashMap<&'a UserId, usize>,
    /// Per user, in the order of the ratings.
    likes: Vec<Vec<Like<'a>>>,
    /// Per item, the positions of users.
    fans: Vec<Vec<usize>>,
}

impl<'a> Audience<'a> {
    /// Keeps the ratings of at least `liked_from`.
    pub(crate) fn new(
        catalogue: &Catalogue,
        ratings: &'a [Rating],
        liked_from: f64,
    ) -> Result<Self> {
        let mut audience = Self {
            users: Vec::new(),
            positions: HashMap::new(),
            likes: Vec::new(),
            fans: vec![Vec::new(); catalogue.len()],
        };
        for rating in ratings {
            let item = catalogue
                .index_of(&rating.item)
                .ok_or_else(|| Error::UnknownItem {
                    item: rating.item.clone(),
                    place: format!("the ratings of user {}", rating.user),
                })?;
            let next = audience.likes.len();
            let user = *audience.positions.entry(&rating.user).or_insert(next);
            if user == next {
                audience.users.push(&rating.user);
                audience.likes.push(Vec::new());
            }
            // A repeated rating counts once. The scan is over one user's likes; a set of all pairs
            // would take more memory than the ratings.
            let is_known = || audience.likes[user].iter().any(|like| like.item == item);
            if rating.rating >= liked_from && !is_known() {
                audience.likes[user].push(Like { item, rating });
                audience.fans[item.position()].push(user);
            }
        }
        Ok(audience)
    }

    pub(crate) fn user(&self, user: usize) -> &'a UserId {
        self.users[user]
    }

    pub(crate) fn position(&self, user: &UserId) -> Option<usize> {
        self.positions.get(user).copied()
    }

    /// All users, by their positions.
    pub(crate) fn users(&self) -> std::ops::Range<usize> {
        0..self.users.len()
    }

    /// What a user likes.
    pub(crate) fn likes(&self, user: usize) -> &[Like<'a>] {
        &self.likes[user]
    }

    /// Who likes an item.
    pub(crate) fn fans(&self, item: ItemIndex) -> &[usize] {
        &self.fans[item.position()]
    }
}

/// What a group likes more than others do.
#[derive(Debug, Clone)]
pub(crate) struct GroupTaste {
    pub(crate) name: String,
    pub(crate) pair: FactPair,
}

/// The taste of each group: the pair of facts with the largest p ln(p / q), where p and q are its shares
/// of the items liked by the group and by everybody (the pointwise Kullback-Leibler divergence). Only what `is_seen` counts.
pub(crate) fn group_tastes(
    facts: &FactTable<'_>,
    audience: &Audience<'_>,
    groups: &[UserGroup],
    is_seen: &dyn Fn(usize, &Rating) -> bool,
) -> Result<Vec<GroupTaste>> {
    let everybody = pair_shares(facts, audience, audience.users(), is_seen);
    let taste = |group: &UserGroup| {
        let members = group
            .users
            .iter()
            .filter_map(|user| audience.positions.get(user).copied());
        // `everybody` has each pair of a group, whose members are counted there too.
        let keyness = |(pair, p): (&FactPair, &f64)| p * (p / everybody[pair]).ln();
        let shares = pair_shares(facts, audience, members, is_seen);
        let best = shares
            .iter()
            .max_by(|a, b| keyness(*a).total_cmp(&keyness(*b)));
        let (&pair, _) = best.ok_or_else(|| Error::NoTaste {
            group: group.name.clone(),
        })?;
        Ok(GroupTaste {
            name: group.name.clone(),
            pair,
        })
    };
    groups.iter().map(taste).collect()
}

/// How often each pair of facts of different relations occurs, per liked item.
fn pair_shares(
    facts: &FactTable<'_>,
    audience: &Audience<'_>,
    users: impl Iterator<Item = usize>,
    is_seen: &dyn Fn(usize, &Rating) -> bool,
) -> BTreeMap<FactPair, f64> {
    // Ordered: ties between pairs are then broken in the same way on every run.
    let mut shares = BTreeMap::new();
    let mut total = 0.0;
    let likes = users.flat_map(|user| audience.likes(user).iter().map(move |like| (user, like)));
    for (_, like) in likes.filter(|(user, like)| is_seen(*user, like.rating)) {
        total += 1.0;
        for pair in pairs(facts.of(like.item)) {
            if facts.fact(pair[0]).relation != facts.fact(pair[1]).relation {
                *shares.entry(pair).or_insert(0.0) += 1.0;
            }
        }
    }
    // No division by zero: without a liked item there are no shares.
    shares.values_mut().for_each(|share| *share /= total);
    shares
}

/// Every two of the elements, in order.
fn pairs<T: Copy>(of: &[T]) -> impl Iterator<Item = [T; 2]> {
    of.iter()
        .enumerate()
        .flat_map(move |(i, &first)| of[i + 1..].iter().map(move |&second| [first, second]))
}
