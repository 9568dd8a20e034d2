//! Questions of people to a model that knows a catalogue.

use std::collections::HashSet;
use std::sync::Arc;

use rerec_datasets::{Dataset, PromptConfig, Retriever};
use rerec_rewards::{
    AnswerChoice, AnswerReader, Catalogue, DualGraphConfig, EmbeddingTable, Flag, Item, ItemId,
    ItemIndex, LightGcnConfig, TitleMatch,
};
use rerec_text::Message;
use serde::Serialize;

use crate::baseline::likeness;
use crate::error::{Error, Result};
use crate::reward_source::lightgcn_embeddings;

/// Finds candidates for a question, puts both into a prompt, and resolves the answer to items of the catalogue.
///
/// Candidates come from BM25 over titles and attributes; for a user whose choices are known, every second one comes from LightGCN.
/// Where both find too few, the most popular items follow.
///
/// ```
/// use rerec_datasets::{Dataset, PromptConfig};
/// use rerec_rewards::{Catalogue, Item};
/// use rerec_trainer::Assistant;
///
/// let titles = ["Heat (1995)", "The Heat (2013)", "Dune (2021)", "Alien (1979)"];
/// let items = titles.iter().zip(0..).map(|(title, id)| Item::new(id.to_string(), *title));
/// let dataset = Dataset { catalogue: Catalogue::new(items.collect())?, ..Dataset::default() };
/// let assistant = Assistant::new(&dataset, PromptConfig::compact())?;
/// let asked = assistant.ask(None, "Something like Heat, please.", None, 2)?;
/// assert!(asked.conversation[0].content.contains("[1]Heat (1995)\n[2]The Heat (2013)\n"));
/// let advice = assistant.resolve(&asked, r"Crime in Los Angeles: \boxed{Heat}");
/// assert_eq!(advice.items[0].title, "Heat (1995)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Assistant<'d> {
    dataset: &'d Dataset,
    prompt: PromptConfig,
    retriever: Retriever,
    embeddings: Option<EmbeddingTable>,
    reader: AnswerReader,
    catalogue: Arc<Catalogue>,
    /// All items, the most popular first.
    popular: Vec<ItemId>,
}

impl std::fmt::Debug for Assistant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assistant").finish_non_exhaustive()
    }
}

/// A question with what is offered as its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// The user's questions, this one last.
    pub questions: Vec<String>,
    /// What is put before the model.
    pub conversation: Vec<Message>,
    /// The items to choose from, in the order of the prompt.
    pub candidates: Vec<ItemId>,
    /// What the user is known to have liked.
    pub liked: Vec<ItemId>,
}

impl Asked {
    /// Leaves out the oldest question with the answer to it, for a model that has no room for both and a response. The system message
    /// stays. Whether there was one: the last question is never left out.
    pub fn forget_oldest(&mut self) -> bool {
        let messages = &self.conversation;
        let Some(answer) = messages.iter().position(|one| one.role == "assistant") else {
            return false;
        };
        let system = messages.iter().take_while(|one| one.role == "system");
        let first = system.count();
        self.conversation.drain(first..=answer);
        self.questions.remove(0);
        true
    }
}

/// A model's answer in terms of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// The recommended items, best first, with their attributes; none where the response names none.
    pub items: Vec<Item>,
    /// What is notable about the answer, each once.
    pub flags: Vec<Flag>,
}

/// The most items of a user's history that a prompt shows: the last ones of the ratings.
const SHOWN: usize = 10;

impl<'d> Assistant<'d> {
    /// Indexes the catalogue.
    ///
    /// # Errors
    /// Templates of the prompt that do not hold what they should.
    pub fn new(dataset: &'d Dataset, prompt: PromptConfig) -> Result<Self> {
        // On a sample, so that a fault shows before a model is read.
        prompt.conversation(
            "a question",
            &[],
            &[&Item::new("1", "A"), &Item::new("2", "B")],
        )?;
        let catalogue = Arc::new(dataset.catalogue.clone());
        Ok(Self {
            retriever: Retriever::new(&catalogue),
            reader: AnswerReader::new(catalogue.clone(), TitleMatch::Title, AnswerChoice::Last),
            embeddings: None,
            popular: by_popularity(dataset),
            catalogue,
            dataset,
            prompt,
        })
    }

    /// Reads answers as a reward does: which titles match, and which of several boxes counts.
    #[must_use]
    pub fn reading_as(mut self, reward: &DualGraphConfig) -> Self {
        self.reader = AnswerReader::new(self.catalogue.clone(), reward.title_match, reward.answer);
        self
    }

    /// Trains LightGCN on the data's choices, so that the users among them get candidates by it.
    ///
    /// # Errors
    /// Ratings that cannot be trained on.
    pub fn with_lightgcn(mut self, config: LightGcnConfig) -> Result<Self> {
        let choices = self.dataset.choices();
        self.embeddings = Some(lightgcn_embeddings(choices, config, |_| ())?);
        Ok(self)
    }

    /// Puts a question, behind an earlier one and what was answered to it where there is one. `candidates` items are looked for by the words
    /// of all questions.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] for a user without choices in the data.
    pub fn ask(
        &self,
        earlier: Option<(&Asked, &str)>,
        question: &str,
        user: Option<&str>,
        candidates: usize,
    ) -> Result<Asked> {
        let liked = user.map_or(Ok(Vec::new()), |user| self.liked(user))?;
        let mut questions = earlier.map_or(Vec::new(), |(asked, _)| asked.questions.clone());
        questions.push(question.to_owned());
        let found = self.candidates(&questions.join("\n"), &liked, candidates);
        let items = |ids: &[ItemId]| -> Vec<&Item> {
            let known = ids
                .iter()
                .filter_map(|id| self.dataset.catalogue.index_of(id));
            known.map(|item| self.dataset.catalogue.get(item)).collect()
        };
        let shown = items(&liked[liked.len().saturating_sub(SHOWN)..]);
        let shown: Vec<(&Item, Option<f64>)> = shown.into_iter().map(|item| (item, None)).collect();
        let asked = self.prompt.conversation(question, &shown, &items(&found))?;
        let mut conversation = Vec::new();
        if let Some((earlier, response)) = earlier {
            conversation.clone_from(&earlier.conversation);
            conversation.push(Message::assistant(response));
        }
        // A system message stands first or nowhere.
        let is_first = conversation.is_empty();
        conversation.extend(
            asked
                .into_iter()
                .filter(|message| is_first || message.role != "system"),
        );
        Ok(Asked {
            questions,
            conversation,
            candidates: found,
            liked,
        })
    }

    /// Reads the answer out of a response.
    pub fn resolve(&self, asked: &Asked, response: &str) -> Advice {
        let catalogue = &self.dataset.catalogue;
        let candidates: Vec<ItemIndex> = asked
            .candidates
            .iter()
            .filter_map(|id| catalogue.index_of(id))
            .collect();
        let Some(answer) = self.reader.read(response, Some(&candidates)) else {
            return Advice {
                items: Vec::new(),
                flags: vec![Flag::NoBox],
            };
        };
        let mut flags: Vec<Flag> = answer.items.iter().filter_map(|item| item.flag).collect();
        flags.sort();
        flags.dedup();
        let items = answer
            .ranking()
            .flatten()
            .map(|item| catalogue.get(item).clone());
        Advice {
            items: items.collect(),
            flags,
        }
    }

    /// What a user chose, in the order of the ratings.
    fn liked(&self, user: &str) -> Result<Vec<ItemId>> {
        let chosen = self.dataset.choices().filter(|(who, _)| *who == user);
        let liked: Vec<ItemId> = chosen.map(|(_, item)| item.into()).collect();
        match liked.is_empty() {
            true => Err(Error::UnknownUser {
                user: user.to_owned(),
            }),
            false => Ok(liked),
        }
    }

    fn candidates(&self, said: &str, liked: &[ItemId], count: usize) -> Vec<ItemId> {
        let catalogue = &self.dataset.catalogue;
        let id = |item: ItemIndex| catalogue.get(item).id.clone();
        let known: HashSet<&ItemId> = liked.iter().collect();
        let by_words = self.retriever.search(said, count + liked.len());
        let mut by_words = by_words.into_iter().map(|(item, _)| id(item));
        let mut by_choices = self.by_choices(liked).into_iter();
        let mut popular = self.popular.iter().cloned();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        while found.len() < count {
            let from_choices = found.len() % 2 == 1;
            let next = if from_choices {
                by_choices.next().or_else(|| by_words.next())
            } else {
                by_words.next().or_else(|| by_choices.next())
            };
            let Some(next) = next.or_else(|| popular.next()) else {
                break;
            };
            if !known.contains(&next) && seen.insert(next.clone()) {
                found.push(next);
            }
        }
        found
    }

    /// All items, the nearest to what was liked first; none without a history or embeddings.
    fn by_choices(&self, liked: &[ItemId]) -> Vec<ItemId> {
        match &self.embeddings {
            Some(embeddings) if !liked.is_empty() => by_score(&self.catalogue, |item| {
                likeness(embeddings, &item.id, liked)
            }),
            _ => Vec::new(),
        }
    }
}

fn by_popularity(dataset: &Dataset) -> Vec<ItemId> {
    let counts = dataset.popularity();
    let mut counts = counts.into_iter();
    by_score(&dataset.catalogue, |_| {
        counts.next().map_or(0.0, |count| count as f64)
    })
}

/// The catalogue by descending score; items of equal score in its order.
fn by_score(catalogue: &Catalogue, score: impl FnMut(&Item) -> f64) -> Vec<ItemId> {
    let items = catalogue.items();
    let mut scored: Vec<(f64, &Item)> = items.iter().map(score).zip(items).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let ids = scored.into_iter().map(|(_, item)| item.id.clone());
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rerec_datasets::Rating;

    fn dataset() -> Dataset {
        let titles = [
            "Heat (1995)",
            "Alien (1979)",
            "Aliens (1986)",
            "Dune (2021)",
        ];
        let items = titles
            .iter()
            .zip(0..)
            .map(|(title, id)| Item::new(id.to_string(), *title));
        let rating = |user: &str, item: &str| Rating {
            user: user.into(),
            item: item.into(),
            rating: 1.0,
            time: None,
        };
        Dataset {
            catalogue: Catalogue::new(items.collect()).unwrap(),
            ratings: vec![rating("a", "3"), rating("b", "3"), rating("a", "1")],
            ..Dataset::default()
        }
    }

    fn ids(asked: &Asked) -> Vec<&str> {
        asked.candidates.iter().map(|id| id.as_str()).collect()
    }

    #[test]
    fn words_come_first_and_popular_items_fill_up() {
        let dataset = dataset();
        let assistant = Assistant::new(&dataset, PromptConfig::compact()).unwrap();
        let asked = assistant.ask(None, "the film Heat", None, 3).unwrap();
        assert_eq!(ids(&asked), ["0", "3", "1"]);
        // No more than there are.
        assert_eq!(
            assistant.ask(None, "x", None, 99).unwrap().candidates.len(),
            4
        );
    }

    #[test]
    fn what_a_user_has_is_not_offered_again() {
        let dataset = dataset();
        let assistant = Assistant::new(&dataset, PromptConfig::compact()).unwrap();
        let asked = assistant.ask(None, "alien", Some("a"), 9).unwrap();
        assert_eq!(ids(&asked), ["0", "2"]);
        assert!(
            asked.conversation[0]
                .content
                .contains("Liked:\nDune (2021)\nAlien (1979)\n")
        );
        let unknown = assistant.ask(None, "alien", Some("z"), 9).unwrap_err();
        assert_eq!(unknown.to_string(), "user z has no choices in the data");
    }

    #[test]
    fn a_conversation_goes_on_and_counts_for_the_search() {
        let dataset = dataset();
        let mut prompt = PromptConfig::compact();
        prompt.system = "Answer in a box.".to_owned();
        let assistant = Assistant::new(&dataset, prompt).unwrap();
        let first = assistant.ask(None, "alien", None, 1).unwrap();
        let earlier = Some((&first, r"\boxed{Alien}"));
        let second = assistant
            .ask(earlier, "or something with heat", None, 2)
            .unwrap();
        let roles: Vec<&str> = second.conversation.iter().map(|m| &*m.role).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user"]);
        assert_eq!(ids(&second).len(), 2);
        assert!(ids(&second).contains(&"0"));
        // Where there is no room for both, the first is forgotten.
        let mut short = second.clone();
        assert!(short.forget_oldest());
        let roles: Vec<&str> = short.conversation.iter().map(|m| &*m.role).collect();
        assert_eq!(roles, ["system", "user"]);
        assert_eq!(short.conversation[1], second.conversation[3]);
        assert_eq!(short.questions, ["or something with heat"]);
        assert!(!short.forget_oldest());
    }

    #[test]
    fn an_answer_is_an_item_or_a_flag() {
        let dataset = dataset();
        let assistant = Assistant::new(&dataset, PromptConfig::compact()).unwrap();
        let asked = assistant.ask(None, "alien", None, 2).unwrap();
        let titles = |response: &str| {
            let advice = assistant.resolve(&asked, response);
            let titles: Vec<String> = advice.items.iter().map(|item| item.title.clone()).collect();
            (titles, advice.flags)
        };
        assert_eq!(
            titles(r"\boxed{Alien}"),
            (vec!["Alien (1979)".to_owned()], vec![])
        );
        assert_eq!(titles(r"\boxed{Heat}").1, [Flag::OutsideCandidates]);
        assert_eq!(titles("Alien").1, [Flag::NoBox]);
    }
}
