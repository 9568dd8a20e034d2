//! How a model is asked to choose: templates for the conversation, checked when they are read.

use minijinja::{Environment, UndefinedBehavior, context};
use rerec_text::Message;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Templates (minijinja, the language of Jinja) of the messages that put a query to a model.
///
/// They know `query`, the user's words; `liked`, titles of the history; and `options`, titles of the candidates. The message of the user
/// must show the query and every option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptConfig {
    /// The system message. Default: empty, none is sent.
    pub system: String,
    /// The message of the user. Default: the query, what was liked, the numbered options, and how to answer.
    pub user: String,
}

const USER: &str = "\
{{ query }}
{% if liked %}
Liked so far:
{% for title in liked %}- {{ title }}
{% endfor %}{% endif %}
Options:
{% for title in options %}[{{ loop.index }}] {{ title }}
{% endfor %}
Exactly one of the options is right. Think step by step: say what is asked for, then check the options one after another. \
Give the title of your choice at the end, as in \\boxed{Title of the Option}.
";

impl Default for PromptConfig {
    fn default() -> Self {
        Self {
            system: String::new(),
            user: USER.to_owned(),
        }
    }
}

impl PromptConfig {
    /// Checks the templates on a sample.
    ///
    /// # Errors
    /// A template that does not parse, asks for what there is not, or leaves out the query or an option.
    pub(crate) fn compile(&self) -> Result<Prompts> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        for (name, template) in [("prompt.system", &self.system), ("prompt.user", &self.user)] {
            let added = environment.add_template_owned(name, template.clone());
            added.map_err(fault(name))?;
        }
        let prompts = Prompts {
            environment,
            has_system: !self.system.is_empty(),
        };
        prompts.check()?;
        Ok(prompts)
    }
}

/// Compiled templates.
#[derive(Debug)]
pub(crate) struct Prompts {
    environment: Environment<'static>,
    has_system: bool,
}

impl Prompts {
    /// The messages that ask a query.
    pub(crate) fn conversation(
        &self,
        query: &str,
        liked: &[&str],
        options: &[&str],
    ) -> Result<Vec<Message>> {
        let render = |name: &'static str| {
            let template = self.environment.get_template(name).map_err(fault(name))?;
            let known = context! { query, liked, options };
            template.render(known).map_err(fault(name))
        };
        let mut messages = Vec::new();
        if self.has_system {
            messages.push(Message::system(render("prompt.system")?));
        }
        messages.push(Message::user(render("prompt.user")?));
        Ok(messages)
    }

    /// Both forms of a prompt, with and without a history, must show what they are about.
    fn check(&self) -> Result<()> {
        const PROBES: [&str; 4] = ["⟨query⟩", "⟨option 1⟩", "⟨option 2⟩", "⟨liked⟩"];
        let [query, first, second, liked] = PROBES;
        for liked in [&[][..], &[liked]] {
            let messages = self.conversation(query, liked, &[first, second])?;
            let text = messages.last().map_or("", |message| &message.content);
            for (probe, place) in [query, first, second]
                .iter()
                .zip(["query", "options", "options"])
            {
                if !text.contains(probe) {
                    return Err(Error::Template {
                        setting: "prompt.user",
                        cause: format!("it leaves out {{{{ {place} }}}}"),
                    });
                }
            }
        }
        Ok(())
    }
}

fn fault(setting: &'static str) -> impl Fn(minijinja::Error) -> Error {
    move |error| {
        let line = error.line().map(|line| format!(" (line {line} of it)"));
        let detail = error.detail().map(|detail| format!(": {detail}"));
        Error::Template {
            setting,
            cause: format!(
                "{}{}{}",
                error.kind(),
                detail.unwrap_or_default(),
                line.unwrap_or_default()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(user: &str) -> String {
        let config = PromptConfig {
            user: user.to_owned(),
            ..PromptConfig::default()
        };
        config.compile().unwrap_err().to_string()
    }

    #[test]
    fn the_default_numbers_the_options_and_says_how_to_answer() {
        let prompts = PromptConfig::default().compile().unwrap();
        let messages = prompts
            .conversation("A western, please.", &["Moor (1991)"], &["Heat", "Dune"])
            .unwrap();
        assert_eq!(messages.len(), 1);
        assert!(messages[0].content.starts_with(
            "A western, please.\n\nLiked so far:\n- Moor (1991)\n\nOptions:\n[1] Heat\n[2] Dune\n\nExactly one"
        ), "{}", messages[0].content);
        assert!(
            messages[0]
                .content
                .ends_with("\\boxed{Title of the Option}.\n")
        );
    }

    #[test]
    fn a_system_message_is_sent_where_there_is_one() {
        let config = PromptConfig {
            system: "Answer in a box.".to_owned(),
            ..PromptConfig::default()
        };
        let messages = config
            .compile()
            .unwrap()
            .conversation("Q", &[], &["A", "B"])
            .unwrap();
        assert_eq!(messages[0], Message::system("Answer in a box."));
    }

    #[test]
    fn templates_are_checked_when_they_are_read() {
        assert_eq!(
            refused("{{ query }}"),
            "prompt.user: it leaves out {{ options }}"
        );
        assert_eq!(
            refused("{% for title in options %}{{ title }}{% endfor %}"),
            "prompt.user: it leaves out {{ query }}"
        );
        let misspelt = refused("{{ qeury }} {{ options }}");
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
