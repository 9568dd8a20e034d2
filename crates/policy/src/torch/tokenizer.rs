//! Text to ids and back, with the bytes of every id known.

use std::{
    collections::{BTreeMap, HashSet},
    panic::catch_unwind,
    path::Path,
};

use minijinja::Environment;
use rerec_files::{FileSet, read_json};
use rerec_text::{LossyText, Message, TokenBytes};
use serde::{Deserialize, Serialize};
use tokenizers::{
    AddedToken, Tokenizer as HfTokenizer,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
};

use crate::{
    Prompt, TokenizerConfig,
    error::{Error, Result, check},
};

/// Ends a turn.
const END: &str = "<|end|>";
const PAD: &str = "<|pad|>";
const ROLES: [&str; 2] = ["<|user|>", "<|assistant|>"];
const CHAT_TEMPLATE: &str = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\
{% if message.role == 'assistant' %}<|end|>{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// `tokenizer_config.json`, as far as it is used here; the rest is kept, so that it is written back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SideCar {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chat_template: Option<ChatTemplate>,
    eos_token: SpecialToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bos_token: Option<SpecialToken>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// A special token: its text, or an object that describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum SpecialToken {
    Text(String),
    Described {
        content: String,
        #[serde(flatten)]
        rest: serde_json::Map<String, serde_json::Value>,
    },
}

impl SpecialToken {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Described { content: text, .. } => text,
        }
    }
}

/// One chat template, or several by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum ChatTemplate {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

impl ChatTemplate {
    fn text(&self) -> Option<&str> {
        match self {
            Self::One(text) => Some(text),
            Self::Named(all) => {
                let default = all.iter().find(|one| one.name == "default");
                default.map(|one| one.template.as_str())
            }
        }
    }
}

/// Where a folder says which further ids end a response.
#[derive(Debug, Default, Deserialize)]
struct GenerationConfig {
    #[serde(default)]
    eos_token_id: StopIds,
}

/// One id, several, or none.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum StopIds {
    One(u32),
    Several(Vec<u32>),
    #[default]
    None,
}

impl From<StopIds> for Vec<u32> {
    fn from(ids: StopIds) -> Self {
        match ids {
            StopIds::None => Vec::new(),
            StopIds::One(id) => vec![id],
            StopIds::Several(ids) => ids,
        }
    }
}

/// A byte-level BPE tokenizer with a chat template.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    side_car: SideCar,
    /// The chat template, ready to be filled in.
    chat: Environment<'static>,
    /// Ids that end a response; the first one is written behind those to learn from.
    stops: Vec<u32>,
    bytes: TokenBytes,
}

impl Tokenizer {
    /// Trains a byte-level BPE on `corpus`.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a vocabulary below 260.
    pub fn train<'a>(
        config: &TokenizerConfig,
        corpus: impl Iterator<Item = &'a str> + Send,
    ) -> Result<Self> {
        check(
            config.vocab_size >= 260,
            "vocab_size",
            config.vocab_size,
            "at least 260",
        )?;
        let mut inner = HfTokenizer::new(BPE::default());
        let byte_level = || ByteLevel::default().add_prefix_space(false);
        inner.with_pre_tokenizer(Some(byte_level()));
        inner.with_decoder(Some(byte_level()));
        let special = [PAD, END, ROLES[0], ROLES[1]].map(|t| AddedToken::from(t, true));
        // The alphabet is a hash set, but the library sorts it: ids do not depend on its order.
        let mut trainer: TrainerWrapper = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(config.vocab_size)
            .special_tokens(special.to_vec())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build()
            .into();
        inner
            .train(&mut trainer, corpus)
            .map_err(Error::Tokenizer)?;
        let side_car = SideCar {
            chat_template: Some(ChatTemplate::One(CHAT_TEMPLATE.to_owned())),
            eos_token: SpecialToken::Text(END.to_owned()),
            bos_token: None,
            rest: tokenizer_class(PAD),
        };
        Self::assemble(inner, side_car, &[], Path::new("tokenizer.json"))
    }

    /// Reads `tokenizer.json` and `tokenizer_config.json` of a Hugging Face folder and, where present, `chat_template.jinja` and
    /// the end tokens of `generation_config.json`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::InvalidFile`], [`Error::ChatTemplate`] or [`Error::Tokenizer`].
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let mut side_car: SideCar = read_json(&folder.join("tokenizer_config.json"))?;
        // Newer versions of transformers keep the template in a file of its own, which goes before `tokenizer_config.json`.
        let path = folder.join("chat_template.jinja");
        if path.exists() {
            let text = rerec_files::read_text(&path)?;
            side_car.chat_template = Some(ChatTemplate::One(text));
        }
        let path = folder.join("generation_config.json");
        let generation = match path.exists() {
            true => read_json(&path)?,
            false => GenerationConfig::default(),
        };
        let path = folder.join("tokenizer.json");
        let further: Vec<u32> = generation.eos_token_id.into();
        Self::assemble(read(&path)?, side_car, &further, &path)
    }

    /// A tokenizer with the content of its `tokenizer_config.json` and further ids that end a response, all from the file at
    /// `path`.
    pub(super) fn from_parts(
        inner: HfTokenizer,
        side_car: serde_json::Value,
        further_stops: &[u32],
        path: &Path,
    ) -> Result<Self> {
        let side_car = serde_json::from_value(side_car).map_err(|e| Error::InvalidFile {
            path: path.to_owned(),
            what: e.to_string(),
        })?;
        Self::assemble(inner, side_car, further_stops, path)
    }

    /// Writes `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`.
    pub(super) fn save(&self, files: &mut FileSet<'_>) -> Result<()> {
        let text = self.inner.to_string(false).map_err(Error::Tokenizer)?;
        files.text("tokenizer.json", &text)?;
        files.json("tokenizer_config.json", &self.side_car)?;
        let stops = serde_json::json!({ "eos_token_id": self.stops });
        Ok(files.json("generation_config.json", &stops)?)
    }

    fn assemble(
        mut inner: HfTokenizer,
        side_car: SideCar,
        further_stops: &[u32],
        path: &Path,
    ) -> Result<Self> {
        let fault = |what: String| Error::InvalidFile {
            path: path.to_owned(),
            what,
        };
        let end = side_car.eos_token.text();
        let eos = inner
            .token_to_id(end)
            .ok_or_else(|| fault(format!("token {end:?} is missing")))?;
        // A file may ask for both, but a prompt has to be read whole, and nothing is padded here.
        inner.with_truncation(None).map_err(Error::Tokenizer)?;
        inner.with_padding(None);
        let bytes = TokenBytes::from_tokenizer(&inner).map_err(|e| fault(e.to_string()))?;
        if !bytes.is_byte_level() {
            return Err(fault("only byte-level BPE is read".to_owned()));
        }
        let mut stops = vec![eos];
        stops.extend(further_stops);
        // Duplicates go, the order stays: the first one is what a response to learn from ends with.
        let mut seen = HashSet::new();
        stops.retain(|&id| seen.insert(id));
        if let Some(id) = stops.iter().find(|&&id| id as usize >= bytes.len()) {
            let count = bytes.len();
            return Err(fault(format!(
                "{id} is to end a response, but there are {count} tokens"
            )));
        }
        let chat = chat_environment(side_car.chat_template.as_ref())?;
        Ok(Self {
            inner,
            side_car,
            chat,
            stops,
            bytes,
        })
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// The ids that end a response when it is sampled; the first one is written behind a response to learn from.
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// The bytes an id stands for; none for special tokens and unknown ids.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id).unwrap_or_default()
    }

    /// Ids of a prompt, up to where the answer begins. A chat template that asks for today's date gets none and takes its own:
    /// prompts are the same every day.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`], [`Error::ChatTemplate`] or [`Error::Tokenizer`].
    pub fn encode_prompt<'a>(&self, prompt: impl Into<Prompt<'a>>) -> Result<Vec<u32>> {
        match prompt.into() {
            Prompt::User(content) => self.encode_chat(&[Message::user(content)]),
            Prompt::Chat(messages) => self.encode_chat(messages),
            Prompt::Text(text) => self.encode(text),
            Prompt::Ids(ids) => Ok(ids.to_vec()),
        }
    }

    fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>> {
        let template = self.chat.get_template(CHAT);
        let mut context = BTreeMap::from([
            ("messages", minijinja::Value::from_serialize(messages)),
            ("add_generation_prompt", true.into()),
            ("eos_token", self.side_car.eos_token.text().into()),
        ]);
        // Without a BOS token the name stays undefined, which a template renders as nothing and may test for.
        if let Some(bos) = &self.side_car.bos_token {
            context.insert("bos_token", bos.text().into());
        }
        let text = template
            .map_err(|_| Error::NoChatTemplate)?
            .render(context)?;
        self.encode(&text)
    }

    /// Ids of an assistant's answer, the end token included.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn encode_response(&self, response: &str) -> Result<Vec<u32>> {
        let mut ids = self.encode(response)?;
        ids.extend(self.stops.first());
        Ok(ids)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            // Without special tokens: the chat template writes BOS itself, and the tokenizer would add a second.
            .encode_fast(text, false)
            .map_err(Error::Tokenizer)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of sampled ids and how many of its bytes each id stands for.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, counted for the id that holds the first of them, so the
    /// lengths add up to the text's length whatever was sampled.
    pub fn decode_with_lengths(&self, ids: &[u32]) -> (String, Vec<u32>) {
        let decoded = LossyText::of_tokens(ids.iter().map(|&id| self.token_bytes(id)));
        (decoded.text, decoded.token_byte_lens)
    }
}

/// What `tokenizer_config.json` says for transformers.
pub(super) fn tokenizer_class(pad: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::from_iter([
        ("pad_token".to_owned(), pad.into()),
        (
            "tokenizer_class".to_owned(),
            "PreTrainedTokenizerFast".into(),
        ),
        // That class would hand out `token_type_ids` too, which transformers' decoders refuse.
        (
            "model_input_names".to_owned(),
            ["input_ids", "attention_mask"].as_slice().into(),
        ),
    ])
}

/// Name of the template within its environment.
const CHAT: &str = "chat";

/// Reads `tokenizer.json`.
fn read(path: &Path) -> Result<HfTokenizer> {
    let fault = |what: String| Error::InvalidFile {
        path: path.to_owned(),
        what,
    };
    // The library panics at some files: at faulty JSON within a decoder, and at tables that do not decode.
    let json: serde_json::Value = read_json(path)?;
    let parsed = catch_unwind(|| serde_json::from_value::<HfTokenizer>(json));
    parsed
        .map_err(|_| fault("describes a tokenizer that cannot be".to_owned()))?
        .map_err(|e| fault(e.to_string()))
}

/// Templates lean on Python's string methods and may refuse a conversation.
fn chat_environment(template: Option<&ChatTemplate>) -> Result<Environment<'static>> {
    let mut chat = Environment::new();
    // Both as transformers sets them; templates are written for that white space.
    chat.set_trim_blocks(true);
    chat.set_lstrip_blocks(true);
    chat.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    chat.add_function("raise_exception", |what: String| -> Result<String, _> {
        Err::<String, _>(minijinja::Error::new(
            minijinja::ErrorKind::InvalidOperation,
            what,
        ))
    });
    if let Some(text) = template.and_then(ChatTemplate::text) {
        chat.add_template_owned(CHAT, text.to_owned())?;
    }
    Ok(chat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        let corpus = [
            "Velmora Nights (1987)",
            "Amélie — 千と千尋",
            "Velmora Nights",
        ];
        Tokenizer::train(&TokenizerConfig { vocab_size: 300 }, corpus.into_iter()).unwrap()
    }

    #[test]
    fn text_and_lengths_survive_the_round_trip() {
        let tokenizer = tokenizer();
        for text in ["Velmora Nights (1987)", "Amélie — 千", "\r\n\u{2028}", "🎬"] {
            let ids = tokenizer.encode_response(text).unwrap();
            let (decoded, lengths) = tokenizer.decode_with_lengths(&ids);
            assert_eq!(decoded, text);
            assert_eq!(lengths.len(), ids.len());
            assert_eq!(lengths.iter().sum::<u32>() as usize, text.len());
            assert_eq!(lengths.last(), Some(&0), "the end token holds no byte");
        }
    }

    #[test]
    fn prompts_are_neither_cut_nor_filled_up_nor_spoken_for() {
        let whole = tokenizer().encode("Velmora Nights (1987)").unwrap();
        let mut json: serde_json::Value =
            serde_json::from_str(&tokenizer().inner.to_string(false).unwrap()).unwrap();
        json["truncation"] = serde_json::json!({
            "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0
        });
        json["padding"] = serde_json::json!({
            "strategy": { "Fixed": 99 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
            "pad_token": PAD
        });
        let side_car = serde_json::json!({
            "eos_token": END, "chat_template": "{{ bos_token }}{{ messages[0].content }}"
        });
        let inner = serde_json::from_value(json).unwrap();
        let limited = Tokenizer::from_parts(inner, side_car, &[1, 2], Path::new("t.json")).unwrap();
        assert_eq!(
            limited.encode_prompt("Velmora Nights (1987)").unwrap(),
            whole
        );
        assert_eq!(limited.stops(), [1, 2]);
    }

    #[test]
    fn tokens_that_are_not_bytes_are_refused() {
        let mut json: serde_json::Value =
            serde_json::from_str(&tokenizer().inner.to_string(false).unwrap()).unwrap();
        json["model"]["vocab"]["\u{2581}the"] = tokenizer().vocab_size().into();
        let side_car = serde_json::json!({ "eos_token": END });
        let inner = serde_json::from_value(json).unwrap();
        let refused = Tokenizer::from_parts(inner, side_car, &[], Path::new("t.json"));
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("token \"\u{2581}the\" is not written in bytes"),
            "{refused}"
        );
    }

    #[test]
    fn a_prompt_ends_where_the_answer_begins() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode_prompt("hello").unwrap();
        assert_eq!(
            ids.first(),
            tokenizer.inner.token_to_id("<|user|>").as_ref()
        );
        assert_eq!(
            ids.last(),
            tokenizer.inner.token_to_id("<|assistant|>").as_ref()
        );
    }

    #[test]
    fn conversations_go_through_the_template_and_text_and_ids_do_not() {
        let tokenizer = tokenizer();
        let talk = [
            Message::user("hi"),
            Message::assistant("yes"),
            Message::user("and"),
        ];
        let text = "<|user|>hi<|assistant|>yes<|end|><|user|>and<|assistant|>";
        let expected = tokenizer.encode(text).unwrap();
        assert_eq!(
            tokenizer.encode_prompt(Prompt::Chat(&talk)).unwrap(),
            expected
        );
        assert_eq!(
            tokenizer.encode_prompt(Prompt::Text(text)).unwrap(),
            expected
        );
        assert_eq!(
            tokenizer.encode_prompt(Prompt::Ids(&expected)).unwrap(),
            expected
        );
    }

    #[test]
    fn training_twice_gives_the_same_ids() {
        let (a, b) = (tokenizer(), tokenizer());
        assert_eq!(
            a.inner.to_string(false).unwrap(),
            b.inner.to_string(false).unwrap()
        );
    }
}
