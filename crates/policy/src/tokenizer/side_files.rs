//! The files beside `tokenizer.json`: special tokens, the chat template, ends of a response. All are kept whole, so that they are
//! written back with what is not understood here.

use std::{collections::BTreeMap, path::Path};

#[cfg(feature = "torch")]
use rerec_files::FileSet;
use rerec_files::{read_json, read_text};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::{AddedToken, PreTokenizerWrapper, Tokenizer as HfTokenizer};

use crate::error::{Error, Result};

const CONFIG: &str = "tokenizer_config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";
const ADDED_TOKENS: &str = "added_tokens.json";
const TEMPLATE: &str = "chat_template.jinja";
const GENERATION: &str = "generation_config.json";

/// Special tokens by the names that chat templates know them by.
const ROLES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];
/// Further ones without a name of their own.
const ADDITIONAL: &str = "additional_special_tokens";
/// By names of the model's own, or a list.
const EXTRA: &str = "extra_special_tokens";

/// The files' content.
#[derive(Debug, Clone, Default)]
pub(super) struct SideFiles {
    config: Map<String, Value>,
    special_tokens: Option<Map<String, Value>>,
    added_tokens: Option<Map<String, Value>>,
    /// `chat_template.jinja`, which goes before the template in `tokenizer_config.json`.
    template: Option<String>,
    generation: Option<Map<String, Value>>,
    /// `eos_token_id` of `config.json`.
    model_ends: Value,
}

/// A special token as it is written: its text, or an object that describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum SpecialToken {
    Text(String),
    Described(Description),
}

/// What transformers takes for flags that are left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Description {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

impl Description {
    fn token(self, special: bool) -> AddedToken {
        let special = special || self.special;
        AddedToken::from(self.content, special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!self.special))
    }
}

impl SpecialToken {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Described(described) => &described.content,
        }
    }

    fn token(self) -> AddedToken {
        match self {
            Self::Text(text) => AddedToken::from(text, true),
            Self::Described(described) => described.token(true),
        }
    }
}

impl SideFiles {
    /// The content of `tokenizer_config.json` alone.
    pub(super) fn of_config(config: Map<String, Value>) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Reads those that a folder has.
    ///
    /// # Errors
    /// Names the file that is not JSON.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let json = |name: &str| -> Result<Option<Map<String, Value>>> {
            let path = folder.join(name);
            let is_there = path.exists();
            Ok(is_there.then(|| read_json(&path)).transpose()?)
        };
        let path = folder.join(TEMPLATE);
        let template = path.exists().then(|| read_text(&path)).transpose()?;
        let mut model = json("config.json")?.unwrap_or_default();
        Ok(Self {
            config: json(CONFIG)?.unwrap_or_default(),
            special_tokens: json(SPECIAL_TOKENS)?,
            added_tokens: json(ADDED_TOKENS)?,
            template,
            generation: json(GENERATION)?,
            model_ends: model.remove("eos_token_id").unwrap_or_default(),
        })
    }

    /// Writes them, the ends of a response as `stops`.
    #[cfg(feature = "torch")]
    pub(super) fn save(&self, files: &mut FileSet<'_>, stops: &[u32]) -> Result<()> {
        files.json(CONFIG, &self.config)?;
        for (name, content) in [
            (SPECIAL_TOKENS, &self.special_tokens),
            (ADDED_TOKENS, &self.added_tokens),
        ] {
            if let Some(content) = content {
                files.json(name, content)?;
            }
        }
        if let Some(template) = &self.template {
            files.text(TEMPLATE, template)?;
        }
        let mut generation = self.generation.clone().unwrap_or_default();
        generation.insert("eos_token_id".to_owned(), stops.into());
        Ok(files.json(GENERATION, &generation)?)
    }

    /// The chat template; of several by name the one that is called `default`.
    ///
    /// # Errors
    /// Says what a template is.
    pub(super) fn chat_template(&self) -> Result<Option<&str>, String> {
        if let Some(template) = &self.template {
            return Ok(Some(template));
        }
        match self.config.get("chat_template") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Array(named)) => {
                let default = named.iter().find(|one| one["name"] == "default");
                Ok(default.and_then(|one| one["template"].as_str()))
            }
            Some(other) => Err(format!(
                "chat_template must be a text or a list of named texts, got {other}"
            )),
        }
    }

    /// Ids that end a response beside the tokenizer's own end: those of `generation_config.json`, or else of `config.json`.
    ///
    /// # Errors
    /// Says what an id is.
    pub(super) fn ends(&self) -> Result<Vec<u32>, String> {
        let said = self.generation.as_ref().and_then(|g| g.get("eos_token_id"));
        let ends = said
            .filter(|ends| !ends.is_null())
            .unwrap_or(&self.model_ends);
        let id = |value: &Value| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| format!("eos_token_id must be one id or a list of ids, got {ends}"))
        };
        match ends {
            Value::Null => Ok(Vec::new()),
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => Ok(vec![id(one)?]),
        }
    }

    /// What templates know as `bos_token` and so on, `additional_special_tokens` as a list.
    ///
    /// # Errors
    /// Names the key of what is not a token.
    pub(super) fn special_texts(&self) -> Result<Vec<(String, Value)>, String> {
        let mut texts = Vec::new();
        for role in ROLES {
            if let Some(token) = self.special(role)? {
                texts.push((role.to_owned(), token.text().into()));
            }
        }
        // Names of the model's own, such as `image_token`.
        if let Some(Value::Object(named)) = self.said(EXTRA) {
            for (name, value) in named {
                texts.push((name.clone(), token(EXTRA, value)?.text().into()));
            }
        }
        let additional = self.listed_specials(ADDITIONAL)?;
        if !additional.is_empty() {
            let list = additional.iter().map(|token| Value::from(token.text()));
            texts.push((ADDITIONAL.to_owned(), list.collect()));
        }
        Ok(texts)
    }

    /// The text that ends a turn.
    ///
    /// # Errors
    /// As for [`SideFiles::special_texts`].
    pub(super) fn end(&self) -> Result<Option<String>, String> {
        let end = self.special("eos_token")?;
        Ok(end.map(|token| token.text().to_owned()))
    }

    /// Older folders say in a file of its own what `tokenizer_config.json` says in newer ones; where the newer list is, the older
    /// file does not count.
    fn said(&self, key: &str) -> Option<&Value> {
        let legacy = self.special_tokens.as_ref().filter(|_| self.is_legacy());
        let said = legacy
            .and_then(|map| map.get(key))
            .or_else(|| self.config.get(key));
        // An empty text is no token.
        said.filter(|value| !value.is_null() && **value != "")
    }

    fn special(&self, role: &str) -> Result<Option<SpecialToken>, String> {
        self.said(role).map(|value| token(role, value)).transpose()
    }

    fn listed_specials(&self, key: &str) -> Result<Vec<SpecialToken>, String> {
        match self.said(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|value| token(key, value)).collect(),
            Some(Value::Object(named)) if key == EXTRA => {
                named.values().map(|value| token(key, value)).collect()
            }
            Some(other) => Err(format!("{key} must be a list, got {other}")),
        }
    }

    /// All special tokens.
    fn specials(&self) -> Result<Vec<SpecialToken>, String> {
        let mut all = Vec::new();
        for role in ROLES {
            all.extend(self.special(role)?);
        }
        all.extend(self.listed_specials(ADDITIONAL)?);
        all.extend(self.listed_specials(EXTRA)?);
        Ok(all)
    }

    /// Whether the folder is of before `added_tokens_decoder`.
    fn is_legacy(&self) -> bool {
        !self.config.contains_key("added_tokens_decoder")
    }

    /// Adds tokens and flags that these files know and `tokenizer.json` does not, in the order of transformers 4.57.6.
    ///
    /// # Errors
    /// Names the token whose id is not the one that is said, and settings that are not supported.
    pub(super) fn complete(&self, inner: &mut HfTokenizer) -> Result<(), String> {
        if self.config.get("split_special_tokens") == Some(&Value::Bool(true)) {
            return Err("split_special_tokens must be false, got true".to_owned());
        }
        let (listed, special) = (self.listed(inner)?, self.specials()?);
        let mut tokens: Vec<AddedToken> = listed.iter().map(|(_, token)| token.clone()).collect();
        for token in &mut tokens {
            token.special |= special.iter().any(|one| one.text() == token.content);
        }
        let own = inner.get_added_tokens_decoder();
        let is_known = |token: &SpecialToken| {
            let is_text = matches!(token, SpecialToken::Text(_));
            let listed = tokens.iter().any(|one| one.content == token.text());
            // One that is described overrules `tokenizer.json`.
            listed || is_text && own.values().any(|one| one.content == token.text())
        };
        let unknown: Vec<SpecialToken> = special.into_iter().filter(|t| !is_known(t)).collect();
        tokens.extend(unknown.into_iter().map(SpecialToken::token));
        inner.add_tokens(&tokens);
        for (id, token) in &listed {
            let got = inner.token_to_id(&token.content);
            if got != Some(*id) {
                let content = &token.content;
                return Err(format!(
                    "token {content:?} is said to be id {id}, but tokenizer.json makes it {got:?}"
                ));
            }
        }
        self.set_prefix_space(inner);
        Ok(())
    }

    /// Ids and tokens of `added_tokens_decoder`, or of the older `added_tokens.json` and `tokenizer.json` itself.
    fn listed(&self, inner: &HfTokenizer) -> Result<Vec<(u32, AddedToken)>, String> {
        let mut listed = BTreeMap::new();
        if let Some(decoder) = self.config.get("added_tokens_decoder") {
            let decoder = decoder
                .as_object()
                .ok_or_else(|| format!("added_tokens_decoder must be an object, got {decoder}"))?;
            for (id, value) in decoder {
                let id = id.parse().map_err(|_| {
                    format!("a key of added_tokens_decoder must be an id, got {id:?}")
                })?;
                let described: Description = serde_json::from_value(value.clone())
                    .map_err(|e| format!("added_tokens_decoder, id {id}: {e}"))?;
                listed.insert(id, described.token(false));
            }
            return Ok(listed.into_iter().collect());
        }
        for (content, id) in self.added_tokens.iter().flatten() {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| format!("{ADDED_TOKENS}: {content:?} has no id"))?;
            let is_special = self.specials()?.iter().any(|one| one.text() == content);
            listed.insert(id, AddedToken::from(content.clone(), is_special));
        }
        listed.extend(inner.get_added_tokens_decoder());
        Ok(listed.into_iter().collect())
    }

    /// The setting of `tokenizer_config.json` overrules that of a tokenizer whose only cut is the byte-level one.
    fn set_prefix_space(&self, inner: &mut HfTokenizer) {
        let asked = self.config.get("add_prefix_space") == Some(&Value::Bool(true));
        if let Some(PreTokenizerWrapper::ByteLevel(cut)) = inner.get_pre_tokenizer()
            && cut.add_prefix_space != asked
        {
            let cut = cut.add_prefix_space(asked);
            inner.with_pre_tokenizer(Some(cut));
        }
    }
}

fn token(key: &str, value: &Value) -> Result<SpecialToken, String> {
    serde_json::from_value(value.clone())
        .map_err(|_| format!("{key} must be a text or an object with its content, got {value}"))
}

/// A fault of the folder's tokenizer.
pub(super) fn fault(path: &Path) -> impl Fn(String) -> Error + '_ {
    |what| Error::InvalidFile {
        path: path.to_owned(),
        what,
    }
}
