//! Step credit over a catalogue: the glue between what a reward read and what a credit assigner wants to know.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rerec_advantage::{
    Credit, CreditAssigner, CreditConfig, ItemNames, JudgedAnswer, JudgedResponse, Lexicon,
    MentionMode,
};
use rerec_rewards::{Answer, Catalogue, Item, ItemIndex};

use crate::assessor::ResponseText;
use crate::error::Result;

/// Gives the tokens of responses the part of the reward that their steps earned, in terms of a catalogue.
///
/// ```
/// use rerec::rewards::{Catalogue, Item};
/// use rerec::{Crediter, ResponseText, advantage::CreditConfig};
///
/// let items = ["Heat (1995)", "Casino (1995)"].map(|title| Item::new(title, title));
/// let catalogue = Catalogue::new(items.into())?;
/// let crediter = Crediter::new(CreditConfig::default(), &catalogue)?;
/// let query = crediter.query(&catalogue.indices_of(["Heat (1995)"])?, None)?;
/// // No answer, so no step argues for a wrong one: all tokens keep the reward.
/// let response = ResponseText { text: "Heat? Casino?", token_byte_lens: &[6, 7] };
/// let rewards = query.credit(&response, None, -0.5, |credit| credit.token_rewards)?;
/// assert_eq!(rewards, [-0.5, -0.5]);
/// # Ok::<(), rerec::Error>(())
/// ```
#[derive(Debug)]
pub struct Crediter {
    assigner: CreditAssigner,
    /// The names by which responses may speak of each item.
    names: Vec<ItemNames>,
    /// The lexicon of all items, made when a query without candidates first asks for it.
    whole: OnceLock<Lexicon>,
}

/// A [`Crediter`] for the responses to one query.
#[derive(Debug)]
pub struct QueryCrediter<'a> {
    crediter: &'a Crediter,
    lexicon: QueryLexicon<'a>,
    targets: Vec<&'a str>,
}

/// The items that responses to a query may speak of.
#[derive(Debug)]
enum QueryLexicon<'a> {
    Own(Box<Lexicon>),
    Whole(&'a Lexicon),
}

impl Crediter {
    /// Prepares the names of a catalogue's items.
    ///
    /// # Errors
    /// A setting out of range.
    pub fn new(config: CreditConfig, catalogue: &Catalogue) -> Result<Self> {
        let mode = config.mentions;
        Ok(Self {
            assigner: CreditAssigner::new(config)?,
            names: catalogue
                .items()
                .iter()
                .map(|item| names(item, mode))
                .collect(),
            whole: OnceLock::new(),
        })
    }

    /// Prepares a query; its responses share the work.
    ///
    /// # Errors
    /// Names too many to search for.
    pub fn query(
        &self,
        targets: &[ItemIndex],
        candidates: Option<&[ItemIndex]>,
    ) -> Result<QueryCrediter<'_>> {
        // A name within another's, "Toy Story" in "Toy Story 2", is told from it only where both are known, so all candidates
        // are in the lexicon, not the targets alone.
        let lexicon = match candidates {
            Some(candidates) => {
                let items = candidates.iter().chain(targets);
                let names = items.filter_map(|item| self.names.get(item.position()));
                QueryLexicon::Own(Box::new(self.assigner.lexicon(distinct(names))?))
            }
            None => QueryLexicon::Whole(self.whole()?),
        };
        Ok(QueryCrediter {
            targets: targets.iter().map(|&item| self.name(item)).collect(),
            crediter: self,
            lexicon,
        })
    }

    /// The name of an item; empty for one that is not in the catalogue.
    fn name(&self, item: ItemIndex) -> &str {
        let names = self.names.get(item.position());
        names.map_or("", |names| names.name.as_str())
    }

    fn whole(&self) -> Result<&Lexicon> {
        if let Some(lexicon) = self.whole.get() {
            return Ok(lexicon);
        }
        // `get_or_try_init` is not stable: if two threads build the lexicon at once, one of them is
        // dropped.
        let lexicon = self.assigner.lexicon(distinct(&self.names))?;
        Ok(self.whole.get_or_init(|| lexicon))
    }
}

impl QueryCrediter<'_> {
    /// Credits the steps of a response with reward `reward`, and hands the result to `read`.
    ///
    /// `answer` is what a reward or an [`AnswerReader`](rerec_rewards::AnswerReader) read, and whether it is right.
    ///
    /// # Errors
    /// Token lengths that do not add up to the response's bytes; a reward that is not finite.
    pub fn credit<T>(
        &self,
        response: &ResponseText<'_>,
        answer: Option<(&Answer, bool)>,
        reward: f64,
        read: impl FnOnce(Credit<'_>) -> T,
    ) -> rerec_advantage::Result<T> {
        // An item that the catalogue does not have goes by what the response called it.
        let items: Vec<&str> = answer
            .iter()
            .flat_map(|(answer, _)| &answer.items)
            .map(|item| {
                item.index
                    .map_or(item.text.as_str(), |i| self.crediter.name(i))
            })
            // A lexicon refuses blank names; an index from another catalogue has one.
            .filter(|name| !name.trim().is_empty())
            .collect();
        let judged = JudgedResponse {
            response: response.text,
            token_byte_lens: response.token_byte_lens,
            answer: answer.map(|(answer, is_right)| JudgedAnswer {
                span: answer.span.clone(),
                items: &items,
                is_right,
            }),
            targets: &self.targets,
            reward,
        };
        let lexicon: &Lexicon = match &self.lexicon {
            QueryLexicon::Own(lexicon) => lexicon,
            QueryLexicon::Whole(lexicon) => lexicon,
        };
        Ok(read(self.crediter.assigner.assign(&judged, lexicon)?))
    }
}

/// The released code searches for titles as they stand; other spellings are the matcher's business.
fn names(item: &Item, mode: MentionMode) -> ItemNames {
    let mut names = match mode {
        MentionMode::Title => ItemNames::from_title(&item.title),
        MentionMode::Substring | MentionMode::SubstringIgnoreCase => ItemNames::new(&item.title),
    };
    names.aliases.extend(item.aliases.iter().cloned());
    names
}

/// Names of different items may be equal, as those of a remake without its year; a lexicon has each once.
fn distinct<'a>(names: impl IntoIterator<Item = &'a ItemNames>) -> Vec<ItemNames> {
    let mut seen = BTreeSet::new();
    let names = names.into_iter();
    let first = names.filter(|names| seen.insert(names.name.as_str()));
    first.cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rerec_rewards::{AnswerChoice, AnswerReader, TitleMatch};

    use super::*;

    /// The wrong answer is "Toy Story"; a step about "Toy Story 2" is not about it, one that uses its other name is.
    #[test]
    fn names_within_names_and_aliases_are_told_apart() {
        let titles = ["Toy Story (1995)", "Toy Story 2 (1999)", "Jumanji (1995)"];
        let mut items: Vec<Item> = titles.iter().map(|t| Item::new(*t, *t)).collect();
        items[0].aliases.push("Woody's World".to_owned());
        let catalogue = Arc::new(Catalogue::new(items).unwrap());
        let all: Vec<ItemIndex> = catalogue.iter().map(|(index, _)| index).collect();
        let text = "Toy Story 2 is a sequel.\n\nToy Story is not.\n\nWoody's World fits.\n\n\\boxed{Toy Story (1995)}";
        let reader = AnswerReader::new(catalogue.clone(), TitleMatch::Title, AnswerChoice::Last);
        let answer = reader.read(text, Some(&all)).unwrap();
        let crediter = Crediter::new(CreditConfig::default(), &catalogue).unwrap();
        let lens = [text.len() as u32];
        let response = ResponseText {
            text,
            token_byte_lens: &lens,
        };
        for candidates in [Some(all.as_slice()), None] {
            let query = crediter.query(&all[2..], candidates).unwrap();
            let penalised = query.credit(&response, Some((&answer, false)), 1.0, |credit| {
                credit
                    .steps
                    .iter()
                    .map(|step| step.penalised)
                    .collect::<Vec<_>>()
            });
            assert_eq!(penalised.unwrap(), [false, true, true, false]);
        }
    }
}
