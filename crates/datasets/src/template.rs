//! Templates of a configuration (minijinja, the language of Jinja), checked when they are read.

use minijinja::{Environment, UndefinedBehavior, Value};

use crate::error::{Error, Result};

/// Compiled templates, each under the name of the setting that holds it.
#[derive(Debug)]
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        // By default an unknown name renders as nothing, and every prompt would lack it.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Jinja drops the last newline. Prompts end in one, so that the answer starts a line.
        environment.set_keep_trailing_newline(true);
        Self(environment)
    }

    /// Compiles a template that may use nothing but the `known` placeholders.
    pub(crate) fn add(&mut self, setting: &str, source: &str, known: &[&str]) -> Result<()> {
        // Jinja prints single braces as they stand, and so would every prompt.
        if let Some(name) = single_braced(source) {
            let cause = format!("{{{name}}} is no placeholder; write {{{{ {name} }}}}");
            return Err(refused(setting, cause));
        }
        let added = self
            .0
            .add_template_owned(setting.to_owned(), source.to_owned());
        added.map_err(|error| fault(setting, &error))?;
        let template = self.0.get_template(setting);
        let template = template.map_err(|error| fault(setting, &error))?;
        let mut asked: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        // A hash set: without an order the message would name another placeholder on each run.
        asked.sort_unstable();
        // Jinja's own functions, such as `range`, count as variables that nobody set.
        let globals: Vec<&str> = self.0.globals().map(|(name, _)| name).collect();
        let is_known =
            |name: &&String| known.contains(&name.as_str()) || globals.contains(&name.as_str());
        match asked.iter().find(|name| !is_known(name)) {
            Some(name) => {
                let known: Vec<String> = known
                    .iter()
                    .map(|name| format!("{{{{ {name} }}}}"))
                    .collect();
                let cause = format!(
                    "{{{{ {name} }}}} is not known here; known are {}",
                    known.join(", ")
                );
                Err(refused(setting, cause))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn render(&self, setting: &str, context: &Value) -> Result<String> {
        let template = self.0.get_template(setting);
        let text = template.and_then(|template| template.render(context));
        text.map_err(|error| fault(setting, &error))
    }

    /// Renders a probe; the text must show each of the `(probe, placeholder)` pairs.
    pub(crate) fn require(
        &self,
        setting: &str,
        context: &Value,
        shown: &[(&str, &str)],
    ) -> Result<()> {
        let text = self.render(setting, context)?;
        match shown.iter().find(|(probe, _)| !text.contains(probe)) {
            Some((_, placeholder)) => Err(refused(
                setting,
                format!("it leaves out {{{{ {placeholder} }}}}"),
            )),
            None => Ok(()),
        }
    }
}

/// The name in `{name}`, where nothing makes it a placeholder or a tag.
fn single_braced(source: &str) -> Option<&str> {
    let mut rest = source;
    while let Some(open) = rest.find('{') {
        let doubled = rest[..open].ends_with('\\') || rest[open + 1..].starts_with(['{', '%', '#']);
        if doubled {
            // Past the tag as a whole: braces within it are Jinja's own.
            let close = rest[open + 1..]
                .find('}')
                .map_or(rest.len(), |at| open + 1 + at + 1);
            rest = rest[close..].trim_start_matches('}');
            continue;
        }
        let inner = &rest[open + 1..];
        let end = inner.find('}')?;
        let name = &inner[..end];
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        // `\boxed{…}` and the like are LaTeX: a command stands before the brace.
        let is_command = rest[..open].ends_with(char::is_alphabetic);
        if !is_command && !name.is_empty() && name.chars().all(is_name) {
            return Some(name);
        }
        rest = inner;
    }
    None
}

fn fault(setting: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map(|line| format!(" (line {line} of it)"));
    let detail = error.detail().map(|detail| format!(": {detail}"));
    let cause = format!(
        "{}{}{}",
        error.kind(),
        detail.unwrap_or_default(),
        line.unwrap_or_default()
    );
    refused(setting, cause)
}

fn refused(setting: &str, cause: String) -> Error {
    Error::Template {
        setting: setting.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_jinja_are_known() {
        let mut templates = Templates::new();
        let source = "{% for n in range(2) %}{{ n }}{{ query }}{% endfor %}";
        templates.add("user", source, &["query"]).unwrap();
        let known = minijinja::context! { query => "q" };
        assert_eq!(templates.render("user", &known).unwrap(), "0q1q");
    }

    #[test]
    fn single_braces_are_found_and_latex_is_not() {
        for (source, expected) in [
            ("with {ingredient}", Some("ingredient")),
            ("{{ values }} {more}", Some("more")),
            ("{{ values }}", None),
            ("{% if liked %}x{% endif %}", None),
            ("as in \\boxed{Title}", None),
            ("{ two words }", None),
            ("{", None),
        ] {
            assert_eq!(single_braced(source), expected, "{source}");
        }
    }
}
