//! Which responses answer the same query.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use crate::error::{Error, Result};

/// The responses of a batch by the query they answer; a group need not be contiguous.
///
/// ```
/// use rerec_advantage::Groups;
///
/// let groups = Groups::from_ids(["q7", "q2", "q7"]);
/// assert_eq!(groups.members(0), Some([0, 2].as_slice())); // q7 came first
/// assert_eq!(groups.members(1), Some([1].as_slice()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    members: Vec<usize>,
    offsets: Vec<usize>,
}

impl Groups {
    /// Groups responses by the id of their query, in order of first appearance.
    pub fn from_ids<K: Hash + Eq>(ids: impl IntoIterator<Item = K>) -> Self {
        let mut group_of = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (response, id) in ids.into_iter().enumerate() {
            match group_of.entry(id) {
                Entry::Vacant(slot) => {
                    slot.insert(groups.len());
                    groups.push(vec![response]);
                }
                Entry::Occupied(slot) => groups[*slot.get()].push(response),
            }
        }
        // One flat list with offsets instead of a list of lists: groups are small and many.
        let mut offsets = vec![0];
        offsets.extend(groups.iter().scan(0, |end, group| {
            *end += group.len();
            Some(*end)
        }));
        Self {
            members: groups.concat(),
            offsets,
        }
    }

    /// Groups that follow each other: the first `sizes[0]` responses, then `sizes[1]`, …
    ///
    /// # Errors
    /// A size of 0; more responses than memory can address.
    pub fn from_sizes(sizes: &[usize]) -> Result<Self> {
        let mut offsets = vec![0];
        let mut end = 0_usize;
        for (group, &size) in sizes.iter().enumerate() {
            if size == 0 {
                return Err(Error::EmptyGroup { group });
            }
            end = end.saturating_add(size);
            offsets.push(end);
        }
        // Sizes may come from a file: memory that is not there is an error and no abort.
        let mut members = Vec::new();
        let reserved = members.try_reserve_exact(end);
        reserved.map_err(|_| Error::TooLarge {
            what: "responses",
            got: end,
        })?;
        members.extend(0..end);
        Ok(Self { members, offsets })
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no group at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of responses in all groups together.
    pub fn num_responses(&self) -> usize {
        self.members.len()
    }

    /// The responses of group `index`, ascending, if there is such a group.
    pub fn members(&self, index: usize) -> Option<&[usize]> {
        self.members
            .get(*self.offsets.get(index)?..*self.offsets.get(index + 1)?)
    }

    /// The responses of each group, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.offsets
            .windows(2)
            .map(|pair| &self.members[pair[0]..pair[1]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ids_agree() {
        let by_size = Groups::from_sizes(&[2, 1, 3]).unwrap();
        assert_eq!(by_size, Groups::from_ids([5, 5, 1, 9, 9, 9]));
        assert_eq!(by_size.num_responses(), 6);
    }

    #[test]
    fn an_empty_group_is_named() {
        let error = Groups::from_sizes(&[2, 0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group 1 must have at least 1 response, got 0"
        );
    }

    #[test]
    fn more_responses_than_memory_are_refused() {
        let most = usize::MAX;
        for sizes in [[most, 1], [1, most], [most / 8, 1]] {
            let error = Groups::from_sizes(&sizes).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::TooLarge {
                        what: "responses",
                        ..
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn no_responses_make_no_groups() {
        assert!(Groups::from_ids::<u64>([]).is_empty());
    }
}
