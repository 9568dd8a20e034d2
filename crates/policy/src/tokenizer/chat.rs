//! Chat templates, rendered as transformers renders them with Jinja2.

mod budget;
mod date;
mod expression;
mod filters;
mod functions;
mod methods;
mod percent;
mod python;
mod rewrite;
mod strings;
mod tokens;

use std::{collections::BTreeMap, ops::Range, thread};

use minijinja::{Environment, ErrorKind, State, Value, value::Kwargs};
use rerec_text::Message;

use self::{date::Date, python::fault};
use crate::{
    TemplateConfig,
    error::{Error, Result, check},
};

/// Name of the template within its environment.
const CHAT: &str = "chat";
/// Stack of a rendering: values that a template nests are dropped one within the other.
const STACK: usize = 1 << 28;
/// Characters that stand for nothing in any text; two that the conversation does not hold mark what the assistant wrote.
const MARKS: Range<u32> = 0xfdd0..0xfdf0;

/// A chat template, ready to be filled in.
#[derive(Debug, Clone)]
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    /// Special tokens by their names.
    special: Vec<(String, Value)>,
}

/// A conversation as text.
#[derive(Debug, PartialEq)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// Bytes that the assistant wrote, by the template's `generation` blocks.
    pub(super) generated: Vec<Range<usize>>,
}

impl ChatTemplate {
    /// # Errors
    /// [`Error::ChatTemplate`] with the line of what cannot be read.
    pub(super) fn new(template: &str, special: Vec<(String, serde_json::Value)>) -> Result<Self> {
        let mut environment = Environment::new();
        // Both as transformers sets them; templates are written for that white space.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(budget::FUEL));
        environment.set_formatter(|out, _, value| {
            let text = python::text(value)?;
            Ok(out.write_str(&text)?)
        });
        functions::add_to(&mut environment);
        filters::add_to(&mut environment);
        let rewritten = rewrite::rewrite(template)
            .map_err(|what| minijinja::Error::new(ErrorKind::SyntaxError, what))?;
        environment.add_template_owned(CHAT, rewritten)?;
        let value = |(name, value)| (name, Value::from_serialize(value));
        Ok(Self {
            environment,
            special: special.into_iter().map(value).collect(),
        })
    }

    /// Renders a conversation in bounded time and memory.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] with what the template says or cannot do.
    pub(super) fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        settings: &TemplateConfig,
    ) -> Result<Rendered> {
        let mut context: BTreeMap<&str, Value> = BTreeMap::from([
            // As transformers has it, both are there and none.
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ]);
        for (name, value) in &self.special {
            context.insert(name, value.clone());
        }
        for (name, value) in &settings.variables {
            context.insert(name, Value::from_serialize(value));
        }
        let has_system = messages.first().is_some_and(|first| first.role == "system");
        let system = settings.system_message.as_ref().filter(|_| !has_system);
        let system = system.map(Message::system);
        let messages: Vec<&Message> = system.iter().chain(messages).collect();
        context.insert("messages", Value::from_serialize(messages));
        context.insert("add_generation_prompt", add_generation_prompt.into());
        self.fill_in(context, settings)
    }

    fn fill_in(
        &self,
        context: BTreeMap<&str, Value>,
        settings: &TemplateConfig,
    ) -> Result<Rendered> {
        let marks = marks(&context);
        let mut environment = self.environment.clone();
        environment.add_function(
            "__generation",
            move |state: &State<'_, '_>, named: Kwargs| {
                let caller: Value = named.get("caller")?;
                let written = caller.call(state, &[])?;
                Ok::<_, minijinja::Error>(format!("{}{written}{}", marks[0], marks[1]))
            },
        );
        if let Some(date) = settings.date()? {
            environment.add_function("strftime_now", move |format: String| {
                date.format(&format).map_err(fault)
            });
        }
        let rendering = || -> Result<String, minijinja::Error> {
            environment.get_template(CHAT)?.render(context)
        };
        let rendered = thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK);
            let thread = thread.spawn_scoped(scope, rendering);
            thread.map(thread::ScopedJoinHandle::join)
        });
        let text = match rendered {
            Ok(Ok(text)) => text.map_err(explained)?,
            _ => return Err(fault("cannot be rendered").into()),
        };
        Ok(Rendered::without_marks(&text, marks))
    }
}

/// Two characters that occur in none of the values.
fn marks(context: &BTreeMap<&str, Value>) -> [char; 2] {
    let said = format!("{context:?}");
    // The debug format escapes them.
    let is_free = |c: &char| !said.contains(&format!("{:x}", *c as u32)) && !said.contains(*c);
    let mut free = MARKS.filter_map(char::from_u32).filter(is_free);
    [
        free.next().unwrap_or('\u{fdd0}'),
        free.next().unwrap_or('\u{fdd1}'),
    ]
}

impl Rendered {
    fn without_marks(marked: &str, [start, end]: [char; 2]) -> Self {
        let mut out = Self {
            text: String::with_capacity(marked.len()),
            generated: Vec::new(),
        };
        let mut begun = 0;
        for c in marked.chars() {
            if c == start {
                begun = out.text.len();
            } else if c == end {
                out.generated.push(begun..out.text.len());
            } else {
                out.text.push(c);
            }
        }
        out
    }
}

/// A template that asks for the date has to be given one: by the clock the same prompt would differ from day to day.
fn explained(error: minijinja::Error) -> Error {
    let asks = error.kind() == ErrorKind::UnknownFunction
        && error
            .detail()
            .is_some_and(|what| what.contains("strftime_now"));
    match asks {
        true => {
            fault("the template asks for today's date (strftime_now), and template.date gives none")
                .into()
        }
        false => error.into(),
    }
}

impl TemplateConfig {
    /// The date, if one is given.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for what is no date.
    fn date(&self) -> Result<Option<Date>> {
        let Some(text) = &self.date else {
            return Ok(None);
        };
        let date = Date::parse(text);
        check(
            date.is_some(),
            "template.date",
            text,
            "a date as YYYY-MM-DD",
        )?;
        Ok(date)
    }

    /// Checks that the date is one.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`].
    pub(crate) fn validate(&self) -> Result<()> {
        self.date().map(drop)
    }
}
