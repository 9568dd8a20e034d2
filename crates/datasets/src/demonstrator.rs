//! A hurried, credulous annotator who writes the answers of the warm start.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, Catalogue, Item};
use serde::{Deserialize, Serialize};

use crate::dataset::Demonstration;
use crate::error::{Error, Result, check};
use crate::facts::attributes_under;
use crate::intent::{ComposedQuery, Evidence};
use crate::marks::{FITS, check_line, fits, listed, option, wanted_line};
use crate::random::stream;
use crate::wording::Wording;

/// How much the demonstrator writes, and how they err.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemonstratorConfig {
    /// Demonstrations of each train query, each hurried on its own, at least 1. Default 1.
    pub per_query: usize,
    /// Drills, spread evenly over all items. Default 2000.
    pub drills: usize,
    /// The most options of a drill, at least 3: each has from 3 on. More than 3 teach checks as long as those of queries with many
    /// candidates. Default 3.
    pub drill_options: usize,
    /// Drills that ask for no knowledge, from which a model drawn afresh learns to copy and to compare: six options read out
    /// twice in random order; every fourth are up to six lines of values marked by two conditions, some behind a history
    /// that tells these, some with a title to box. Default 0.
    pub reading_drills: usize,
    /// The highest number that an option has there, at least 2 and at most the catalogue's items: each drill has six options, numbered
    /// up to it. Default 6.
    pub reading_options: usize,
    /// Probability of checking no candidate at all, [0, 1]. Default 0.6.
    pub haste_first: f64,
    /// Probability of stopping before each later candidate, [0, 1]. Default 0.12.
    pub haste_later: f64,
    /// How many times likelier a candidate that meets a condition is picked at a glance, above 0.
    /// Default 3.
    pub glance_preference: f64,
    /// Probability of believing a misinformed prompt, [0, 1]. Default 0.65.
    pub credulity: f64,
    /// Probability of taking a checked candidate that meets some of the conditions, but not all, for one that fits, [0, 1].
    /// Default 0.
    pub leniency: f64,
}

impl Default for DemonstratorConfig {
    fn default() -> Self {
        Self {
            per_query: 1,
            drills: 2000,
            drill_options: 3,
            reading_drills: 0,
            reading_options: 6,
            haste_first: 0.6,
            haste_later: 0.12,
            glance_preference: 3.0,
            credulity: 0.65,
            leniency: 0.0,
        }
    }
}

impl DemonstratorConfig {
    fn validate(&self) -> Result<()> {
        let preference = self.glance_preference;
        check(
            self.per_query >= 1,
            "per_query",
            "at least 1",
            &self.per_query,
        )?;
        check(
            self.drill_options >= 3,
            "drill_options",
            "at least 3",
            &self.drill_options,
        )?;
        check(
            self.reading_options >= 2,
            "reading_options",
            "at least 2",
            &self.reading_options,
        )?;
        for (setting, share) in [
            ("haste_first", self.haste_first),
            ("haste_later", self.haste_later),
            ("credulity", self.credulity),
            ("leniency", self.leniency),
        ] {
            check((0.0..=1.0).contains(&share), setting, "in [0, 1]", &share)?;
        }
        check(
            preference.is_finite() && preference > 0.0,
            "glance_preference",
            "above 0 and finite",
            &preference,
        )
    }
}

/// Writes demonstrations and drills: recalled facts, the wanted conditions, one checked candidate a line,
/// and the boxed choice.
#[derive(Debug)]
pub struct Demonstrator<'a> {
    pub(crate) seed: u64,
    pub(crate) config: &'a DemonstratorConfig,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) relations: Vec<&'a str>,
}

impl<'a> Demonstrator<'a> {
    /// A demonstrator who knows the catalogue's facts under the relations of `wording`.
    ///
    /// # Errors
    /// A setting out of range.
    pub fn new(
        seed: u64,
        config: &'a DemonstratorConfig,
        catalogue: &'a Catalogue,
        wording: &'a Wording,
    ) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            seed,
            config,
            catalogue,
            relations: wording.relations().collect(),
        })
    }

    /// The answer to a query; another `copy` is hurried and misled anew.
    ///
    /// # Errors
    /// An item of the query that is not in the catalogue.
    pub fn demonstrate(&self, composed: &ComposedQuery, copy: usize) -> Result<Demonstration> {
        let query = &composed.query;
        // By query and copy: more copies, or queries, leave the earlier answers as they are.
        let mut rng = stream(self.seed, "demonstration", &format!("{}/{copy}", query.id));
        let is_fooled = matches!(composed.evidence, Evidence::Belief { .. })
            && rng.random_bool(self.config.credulity);
        let (mut lines, wanted) = match is_fooled {
            // No notes: to recall the anchor would show that the claim is wrong.
            true => (Vec::new(), composed.believed_conditions()),
            false => (self.notes(composed)?, query.conditions.clone()),
        };
        lines.push(wanted_line(&wanted));
        let candidates = query.candidates.iter().flatten();
        let candidates = candidates
            .map(|id| self.item(id))
            .collect::<Result<Vec<_>>>()?;
        let choice = self.check_in_turn(&candidates, &wanted, &mut lines, &mut rng);
        lines.push(format!("\\boxed{{{choice}}}"));
        Ok(Demonstration {
            query: query.id.clone(),
            conversation: query.conversation.clone(),
            response: lines.join("\n"),
        })
    }

    /// What has to be recalled before the conditions are known.
    fn notes(&self, composed: &ComposedQuery) -> Result<Vec<String>> {
        let fact_line = |item: &Item, relations: &[&str]| {
            format!(
                "{}: {}.",
                item.title,
                listed(attributes_under(&item.attributes, relations))
            )
        };
        match &composed.evidence {
            Evidence::Named => Ok(Vec::new()),
            Evidence::Shared {
                anchor, condition, ..
            }
            | Evidence::Belief {
                anchor, condition, ..
            } => Ok(vec![fact_line(self.item(anchor)?, &[&condition.relation])]),
            Evidence::Liked => {
                let liked = composed.query.history.iter();
                liked
                    .map(|id| Ok(fact_line(self.item(id)?, &self.relations)))
                    .collect()
            }
            Evidence::Group(name) => Ok(vec![format!(
                "Taste of {name}: {}.",
                listed(&composed.query.conditions)
            )]),
        }
    }

    /// Checks the candidates in turn until one fits or patience ends; the chosen title.
    fn check_in_turn<'i>(
        &self,
        candidates: &[&'i Item],
        wanted: &[Attribute],
        lines: &mut Vec<String>,
        rng: &mut ChaCha8Rng,
    ) -> &'i str {
        let meets_some = |item: &Item| wanted.iter().any(|one| item.attributes.contains(one));
        for (place, item) in candidates.iter().enumerate() {
            let haste = if place == 0 {
                self.config.haste_first
            } else {
                self.config.haste_later
            };
            if rng.random_bool(haste) {
                return self.glance(candidates, place, wanted, lines, rng);
            }
            let mut line = check_line(place, item, wanted);
            if fits(item, wanted) {
                lines.push(line);
                return &item.title;
            }
            // Without leniency nothing is drawn: what others write does not hang on the setting.
            let is_lenient = self.config.leniency > 0.0 && meets_some(item);
            if is_lenient && rng.random_bool(self.config.leniency) {
                line.push_str(FITS);
                lines.push(line);
                return &item.title;
            }
            lines.push(line);
        }
        // A composed query always has a candidate that fits: the target, or the decoy for those who
        // believe.
        self.glance(candidates, 0, wanted, lines, rng)
    }

    /// Picks one of the candidates from place `first` on without checking it, by a vague idea of what meets a
    /// condition.
    fn glance<'i>(
        &self,
        candidates: &[&'i Item],
        first: usize,
        wanted: &[Attribute],
        lines: &mut Vec<String>,
        rng: &mut ChaCha8Rng,
    ) -> &'i str {
        let weight = |(_, item): &(usize, &Item)| {
            let is_near = item
                .attributes
                .iter()
                .any(|attribute| wanted.contains(attribute));
            if is_near {
                self.config.glance_preference
            } else {
                1.0
            }
        };
        let rest: Vec<(usize, &'i Item)> =
            (first..).zip(candidates[first..].iter().copied()).collect();
        let (place, title) = rest
            .choose_weighted(rng, weight)
            // Nothing to choose from: the weights are positive, so that only an empty list gets
            // here.
            .map_or((0, ""), |(place, item)| (*place, item.title.as_str()));
        lines.push(format!(
            "At a glance, {} looks right.",
            option(place, title)
        ));
        title
    }

    fn item(&self, id: &rerec_rewards::ItemId) -> Result<&'a Item> {
        let index = self.catalogue.index_of(id);
        index
            .map(|index| self.catalogue.get(index))
            .ok_or_else(|| Error::UnknownItem {
                item: id.clone(),
                place: "demonstration".to_owned(),
            })
    }
}
