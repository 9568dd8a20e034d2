//! How a model is asked to choose: templates for the conversation.

use minijinja::{Value, context};
use rerec_rewards::{Attribute, Item};
use rerec_text::Message;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::template::Templates;

/// Templates (minijinja, the language of Jinja) of the messages that put a query to a model. They are checked before any prompt is made.
///
/// They know `query`, the user's words; `liked`, titles of the history; and `options`, the candidates, each with `title` and `facts`
/// ("ingredient lentils, ingredient spinach", empty unless relations are [`shown`](Self::shown)). The message of the user must show the
/// query, the title and the facts of every option.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptConfig {
    /// The system message. Default: empty, none is sent.
    pub system: String,
    /// The message of the user, where `user` does not give one of your own. Default `instructed`.
    pub layout: Layout,
    /// The message of the user, instead of the layout's. Default: none.
    pub user: Option<String>,
    /// How a title of the history stands with its rating, `{{ title }} ({{ rating }} of 5)`; a title whose rating is unknown
    /// stands alone. Default: empty, all titles stand alone.
    pub rated: String,
    /// Relations whose values stand behind each option, for models that have never heard of the items. Default: none.
    pub shown: Vec<String>,
}

/// What the message of the user holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// For pretrained models: the query, what was liked, the numbered options, and how to reason and answer.
    #[default]
    Instructed,
    /// For small models that are drawn afresh: as few tokens as possible, and no instructions, which they cannot follow.
    Compact,
}

const INSTRUCTED: &str = "\
{{ query }}
{% if liked %}
Liked so far:
{% for title in liked %}- {{ title }}
{% endfor %}{% endif %}
Options:
{% for option in options %}[{{ loop.index }}] {{ option.title }}{% if option.facts %} ({{ option.facts }}){% endif %}
{% endfor %}
Exactly one of the options is right. Think step by step: say what is asked for, then check the options one after another. \
Give the title of your choice at the end, as in \\boxed{Title of the Option}.
";

/// The number tells a small model where to go on reading; no space follows it, so that a title has the same tokens here as at the start of
/// a line and in the box.
const COMPACT: &str = "\
{{ query }}
{% if liked %}Liked:
{% for title in liked %}{{ title }}
{% endfor %}{% endif %}Options:
{% for option in options %}[{{ loop.index }}]{{ option.title }}{% if option.facts %} ({{ option.facts }}){% endif %}
{% endfor %}Answer:
";

impl PromptConfig {
    /// [`Layout::Compact`], nothing else.
    pub fn compact() -> Self {
        Self {
            layout: Layout::Compact,
            ..Self::default()
        }
    }

    fn user(&self) -> &str {
        match (&self.user, self.layout) {
            (Some(text), _) => text,
            (None, Layout::Instructed) => INSTRUCTED,
            (None, Layout::Compact) => COMPACT,
        }
    }

    /// The messages that put a query in a user's words to a model: what was liked, with its rating where that is known, and the options
    /// to choose from.
    ///
    /// ```
    /// use rerec_datasets::PromptConfig;
    /// use rerec_rewards::Item;
    ///
    /// let (heat, dune) = (Item::new("1", "Heat"), Item::new("2", "Dune"));
    /// let messages = PromptConfig::compact().conversation("A thriller.", &[], &[&heat, &dune])?;
    /// assert_eq!(messages[0].content, "A thriller.\nOptions:\n[1]Heat\n[2]Dune\nAnswer:\n");
    /// # Ok::<(), rerec_datasets::Error>(())
    /// ```
    ///
    /// # Errors
    /// A template that does not parse, asks for what is not known, or leaves out the query or an option.
    pub fn conversation(
        &self,
        query: &str,
        liked: &[(&Item, Option<f64>)],
        options: &[&Item],
    ) -> Result<Vec<Message>> {
        self.compile()?.conversation(query, liked, options)
    }

    /// Checks the templates on a sample.
    ///
    /// # Errors
    /// A template that does not parse, asks for what is not known, or leaves out the query or an option.
    pub(crate) fn compile(&self) -> Result<Prompts<'_>> {
        let mut templates = Templates::new();
        let known = ["query", "liked", "options"];
        templates.add(SYSTEM, &self.system, &known)?;
        templates.add(USER_MESSAGE, self.user(), &known)?;
        if !self.rated.is_empty() {
            templates.add(RATED, &self.rated, &["title", "rating"])?;
            let probes = context! { title => "⟨title⟩", rating => "⟨rating⟩" };
            let shown = [("⟨title⟩", "title"), ("⟨rating⟩", "rating")];
            templates.require(RATED, &probes, &shown)?;
        }
        let prompts = Prompts {
            templates,
            config: self,
        };
        prompts.check()?;
        Ok(prompts)
    }
}

const SYSTEM: &str = "prompt.system";
const USER_MESSAGE: &str = "prompt.user";
const RATED: &str = "prompt.rated";

/// Compiled templates.
#[derive(Debug)]
pub(crate) struct Prompts<'c> {
    templates: Templates,
    config: &'c PromptConfig,
}

impl Prompts<'_> {
    /// The messages that ask a query; the items of the history come with their ratings, where these are known.
    pub(crate) fn conversation(
        &self,
        query: &str,
        liked: &[(&Item, Option<f64>)],
        options: &[&Item],
    ) -> Result<Vec<Message>> {
        let liked = self.liked(liked)?;
        let options: Vec<Value> = options.iter().map(|item| self.option(item)).collect();
        let known = context! { query, liked, options };
        let mut messages = Vec::new();
        if !self.config.system.is_empty() {
            messages.push(Message::system(self.templates.render(SYSTEM, &known)?));
        }
        messages.push(Message::user(self.templates.render(USER_MESSAGE, &known)?));
        Ok(messages)
    }

    /// The lines of a history.
    pub(crate) fn liked(&self, items: &[(&Item, Option<f64>)]) -> Result<Vec<String>> {
        let line = |(item, rating): &(&Item, Option<f64>)| match rating {
            Some(rating) if !self.config.rated.is_empty() => {
                // As a text: minijinja would write 4.0, `Display` writes 4.
                let known = context! { title => item.title, rating => rating.to_string() };
                self.templates.render(RATED, &known)
            }
            _ => Ok(item.title.clone()),
        };
        items.iter().map(line).collect()
    }

    fn option(&self, item: &Item) -> Value {
        let shown = self.config.shown.iter();
        let facts: Vec<String> = shown.filter_map(|shown| facts(item, shown)).collect();
        context! { title => item.title, facts => facts.join("; ") }
    }

    /// Both forms of a prompt, with and without a history, must show what they are about.
    fn check(&self) -> Result<()> {
        let fact_of = |title: &str| title.replace("option", "fact");
        let item = |title: &str| {
            let mut item = Item::new(title, title);
            let fact = |relation: &String| Attribute {
                relation: relation.clone(),
                value: fact_of(title),
            };
            item.attributes = self.config.shown.iter().map(fact).collect();
            item
        };
        // Two options: a template that shows only the first, without a loop, is found out.
        let [first, second, liked] = ["⟨option 1⟩", "⟨option 2⟩", "⟨liked⟩"].map(item);
        for liked in [&[][..], &[(&liked, None)]] {
            let messages = self.conversation("⟨query⟩", liked, &[&first, &second])?;
            let text = messages.last().map_or("", |message| &message.content);
            let mut wanted = vec![("⟨query⟩".to_owned(), "query")];
            for option in [&first, &second] {
                wanted.push((option.title.clone(), "option.title"));
                if !self.config.shown.is_empty() {
                    wanted.push((fact_of(&option.title), "option.facts"));
                }
            }
            let missing = wanted.iter().find(|(probe, _)| !text.contains(probe));
            if let Some((_, place)) = missing {
                return Err(Error::Template {
                    setting: USER_MESSAGE.to_owned(),
                    cause: format!("it leaves out {{{{ {place} }}}}"),
                });
            }
        }
        Ok(())
    }
}

/// "ingredient lentils, spinach", or nothing where the item has no value.
fn facts(item: &Item, relation: &str) -> Option<String> {
    let under = item.attributes.iter().filter(|a| a.relation == relation);
    let values: Vec<&str> = under.map(|attribute| attribute.value.as_str()).collect();
    (!values.is_empty()).then(|| format!("{relation} {}", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(titles: &[&str]) -> Vec<Item> {
        titles
            .iter()
            .map(|&title| Item::new(title, title))
            .collect()
    }

    fn asked(config: &PromptConfig, liked: &[&str], options: &[Item]) -> Vec<Message> {
        let liked = items(liked);
        let liked: Vec<(&Item, Option<f64>)> = liked.iter().map(|item| (item, Some(4.5))).collect();
        let options: Vec<&Item> = options.iter().collect();
        let prompts = config.compile().unwrap();
        prompts
            .conversation("A western, please.", &liked, &options)
            .unwrap()
    }

    #[test]
    fn the_default_numbers_the_options_and_says_how_to_answer() {
        let messages = asked(
            &PromptConfig::default(),
            &["Moor (1991)"],
            &items(&["Heat", "Dune"]),
        );
        assert_eq!(messages.len(), 1);
        let text = &messages[0].content;
        let start = "A western, please.\n\nLiked so far:\n- Moor (1991)\n\nOptions:\n[1] Heat\n[2] Dune\n\nExactly one";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with("\\boxed{Title of the Option}.\n"), "{text}");
    }

    #[test]
    fn the_compact_layout_has_one_title_a_line() {
        let options = items(&["B (1981)", "C (1982)"]);
        let messages = asked(&PromptConfig::compact(), &["A (1980)"], &options);
        assert_eq!(
            messages[0].content,
            "A western, please.\nLiked:\nA (1980)\nOptions:\n[1]B (1981)\n[2]C (1982)\nAnswer:\n"
        );
        let messages = asked(&PromptConfig::compact(), &[], &options);
        assert!(!messages[0].content.contains("Liked"));
    }

    #[test]
    fn options_show_their_facts_where_that_is_wanted() {
        let mut options = items(&["Dal", "Soup"]);
        options[0].attributes = ["lentils", "spinach"]
            .map(|value| Attribute {
                relation: "ingredient".to_owned(),
                value: value.to_owned(),
            })
            .into();
        let config = PromptConfig {
            shown: vec!["ingredient".to_owned()],
            ..PromptConfig::default()
        };
        let text = &asked(&config, &[], &options)[0].content;
        assert!(
            text.contains("[1] Dal (ingredient lentils, spinach)\n[2] Soup\n"),
            "{text}"
        );
    }

    #[test]
    fn ratings_stand_beside_what_was_liked_where_that_is_wanted() {
        let config = PromptConfig {
            rated: "{{ title }}, {{ rating }} stars".to_owned(),
            ..PromptConfig::compact()
        };
        let text = &asked(&config, &["Dal"], &items(&["A", "B"]))[0].content;
        assert!(text.contains("Liked:\nDal, 4.5 stars\nOptions:"), "{text}");
        let wordless = PromptConfig {
            rated: "{{ title }} again".to_owned(),
            ..PromptConfig::default()
        };
        let wordless = wordless.compile().map(drop).unwrap_err().to_string();
        assert_eq!(wordless, "prompt.rated: it leaves out {{ rating }}");
    }

    #[test]
    fn a_system_message_is_sent_where_there_is_one() {
        let config = PromptConfig {
            system: "Answer in a box.".to_owned(),
            ..PromptConfig::default()
        };
        let messages = asked(&config, &[], &items(&["A", "B"]));
        assert_eq!(messages[0], Message::system("Answer in a box."));
    }

    #[test]
    fn templates_are_checked_when_they_are_read() {
        let refused = |user: &str| {
            let config = PromptConfig {
                user: Some(user.to_owned()),
                shown: vec!["genre".to_owned()],
                ..PromptConfig::default()
            };
            config.compile().map(drop).unwrap_err().to_string()
        };
        let all = "{% for option in options %}{{ option.title }} {{ option.facts }}{% endfor %}";
        assert_eq!(
            refused("{{ query }}"),
            "prompt.user: it leaves out {{ option.title }}"
        );
        assert_eq!(refused(all), "prompt.user: it leaves out {{ query }}");
        assert_eq!(
            refused("{{ query }}{% for option in options %}{{ option.title }}{% endfor %}"),
            "prompt.user: it leaves out {{ option.facts }}"
        );
        assert_eq!(
            refused(&format!("{{{{ qeury }}}} {all}")),
            "prompt.user: {{ qeury }} is not known here; known are {{ query }}, {{ liked }}, {{ options }}"
        );
        let misspelt =
            refused("{{ query }}{% for option in options %}{{ option.titel }}{% endfor %}");
        assert!(
            misspelt.starts_with("prompt.user: undefined value"),
            "{misspelt}"
        );
        let broken = refused("{{ query }}\n{% for title in options %}{{ title }}");
        assert!(
            broken.starts_with("prompt.user: syntax error: "),
            "{broken}"
        );
        assert!(broken.ends_with("(line 2 of it)"), "{broken}");
    }
}
