//! Text to ids and back, with the bytes of every id known.

mod chat;
mod side_files;

use std::{collections::HashSet, ops::Range, panic::catch_unwind, path::Path};

#[cfg(feature = "torch")]
use rerec_files::FileSet;
use rerec_files::read_json;
use rerec_text::{Message, TokenBytes};
use tokenizers::{
    AddedToken, DecoderWrapper, Tokenizer as HfTokenizer,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
};

use self::{
    chat::ChatTemplate,
    side_files::{SideFiles, fault},
};
use crate::{
    Prompt, TemplateConfig, TokenizerConfig,
    error::{Error, Result, check},
    learner::is_within,
};

/// Ends a turn.
const END: &str = "<|end|>";
const PAD: &str = "<|pad|>";
const ROLES: [&str; 2] = ["<|user|>", "<|assistant|>"];
const CHAT_TEMPLATE: &str = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\
{% if message.role == 'assistant' %}<|end|>{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// A byte-level or SentencePiece-type tokenizer with a chat template.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "saving reads it"))]
    files: SideFiles,
    /// None where the files have no chat template.
    chat: Option<ChatTemplate>,
    /// Ids that end a response; the first one is written behind those to learn from.
    stops: Vec<u32>,
    bytes: TokenBytes,
    /// What the chat template is given beside the conversation.
    template: TemplateConfig,
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
        let whole = config.tokens.iter();
        let whole: Vec<AddedToken> = whole.map(|text| AddedToken::from(text, false)).collect();
        inner.add_tokens(&whole);
        let mut config = tokenizer_class(PAD);
        config.insert("chat_template".to_owned(), CHAT_TEMPLATE.into());
        config.insert("eos_token".to_owned(), END.into());
        let path = Path::new("tokenizer.json");
        Self::assemble(inner, SideFiles::of_config(config), &[], path)
    }

    /// Reads `tokenizer.json` of a Hugging Face folder and what lies beside it: `tokenizer_config.json`, `special_tokens_map.json` and
    /// `added_tokens.json` of older folders, `chat_template.jinja`, and the end tokens of `generation_config.json` or else
    /// `config.json`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::InvalidFile`], [`Error::ChatTemplate`] or [`Error::Tokenizer`].
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        if !path.exists() && folder.join("tokenizer.model").exists() {
            let what = "is missing; tokenizer.model is not read: save the tokenizer with transformers' fast class";
            return Err(fault(&path)(what.to_owned()));
        }
        let inner = read(&path)?;
        let files = SideFiles::read(folder)?;
        let ends = files.ends().map_err(fault(&path))?;
        Self::assemble(inner, files, &ends, &path)
    }

    /// A tokenizer with the content of its `tokenizer_config.json` and further ids that end a response, all from the file at
    /// `path`.
    #[cfg(feature = "torch")]
    pub(crate) fn from_parts(
        inner: HfTokenizer,
        config: serde_json::Map<String, serde_json::Value>,
        further_stops: &[u32],
        path: &Path,
    ) -> Result<Self> {
        Self::assemble(inner, SideFiles::of_config(config), further_stops, path)
    }

    /// Writes `tokenizer.json` and the files beside it.
    #[cfg(feature = "torch")]
    pub(crate) fn save(&self, files: &mut FileSet<'_>) -> Result<()> {
        let text = self.inner.to_string(false).map_err(Error::Tokenizer)?;
        files.text("tokenizer.json", &text)?;
        self.files.save(files, &self.stops)
    }

    /// What `tokenizer.json` says.
    #[cfg(feature = "torch")]
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        let text = self.inner.to_string(false).map_err(Error::Tokenizer)?;
        serde_json::from_str(&text).map_err(|error| Error::Tokenizer(error.into()))
    }

    /// The id of a special token by its name in `tokenizer_config.json`, such as `bos_token`.
    #[cfg(feature = "torch")]
    pub(crate) fn special_id(&self, name: &str) -> Option<u32> {
        let special = self.files.special_texts().ok()?;
        let (_, text) = special.into_iter().find(|(known, _)| known == name)?;
        self.inner.token_to_id(text.as_str()?)
    }

    /// The chat template's text.
    #[cfg(feature = "torch")]
    pub(crate) fn chat_template(&self) -> Option<&str> {
        self.files.chat_template().ok().flatten()
    }

    fn assemble(
        mut inner: HfTokenizer,
        files: SideFiles,
        further_stops: &[u32],
        path: &Path,
    ) -> Result<Self> {
        let fault = fault(path);
        let end = files.end().map_err(&fault)?;
        files.complete(&mut inner).map_err(&fault)?;
        // A file may ask for both, but a prompt has to be read whole, and nothing is padded here.
        inner.with_truncation(None).map_err(Error::Tokenizer)?;
        inner.with_padding(None);
        let bytes = TokenBytes::from_tokenizer(&inner).map_err(|e| fault(e.to_string()))?;
        if let Some(DecoderWrapper::WordPiece(_)) = inner.get_decoder() {
            let what = "its decoder must be byte-level or SentencePiece-style, got WordPiece, which loses spaces";
            return Err(fault(what.to_owned()));
        }
        let eos = |end: &String| {
            let id = inner
                .token_to_id(end)
                .filter(|id| (*id as usize) < bytes.len());
            id.ok_or_else(|| fault(format!("token {end:?} is missing")))
        };
        let mut stops: Vec<u32> = end.iter().map(eos).collect::<Result<_>>()?;
        stops.extend(further_stops);
        // Duplicates go, the order stays: the first one is what a response to learn from ends with.
        let mut seen = HashSet::new();
        stops.retain(|&id| seen.insert(id));
        if stops.is_empty() {
            let what = "names no end of a response: neither eos_token in tokenizer_config.json nor eos_token_id in \
                        generation_config.json or config.json is given";
            return Err(fault(what.to_owned()));
        }
        if let Some(id) = stops.iter().find(|&&id| id as usize >= bytes.len()) {
            let count = bytes.len();
            return Err(fault(format!(
                "{id} is to end a response, but there are {count} tokens"
            )));
        }
        let special = files.special_texts().map_err(&fault)?;
        let template = files.chat_template().map_err(&fault)?;
        let chat = template
            .map(|text| ChatTemplate::new(text, special))
            .transpose()?;
        Ok(Self {
            inner,
            files,
            chat,
            stops,
            bytes,
            template: TemplateConfig::default(),
        })
    }

    /// Gives the chat template a date and variables from now on.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for what is no date.
    pub fn with_template(self, template: TemplateConfig) -> Result<Self> {
        template.validate()?;
        Ok(Self { template, ..self })
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// The ids that end a response when it is sampled; the first one is written behind a response to learn from.
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// The bytes an id adds to the text before it; none for special tokens and unknown ids.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id).unwrap_or_default()
    }

    /// Ids of a prompt, up to where the answer begins. A chat template that asks for today's date gets that of
    /// [`Tokenizer::with_template`], or none: prompts are the same every day.
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
        self.encode(&self.render_chat(messages, true)?)
    }

    /// The text that the chat template makes of a conversation; with `add_generation_prompt` up to where the next answer begins.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`], or [`Error::ChatTemplate`] with what the template says or cannot do.
    pub fn render_chat(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let chat = self.chat.as_ref().ok_or(Error::NoChatTemplate)?;
        let rendered = chat.render(messages, add_generation_prompt, &self.template)?;
        Ok(rendered.text)
    }

    /// Ids of a whole conversation, and which of them the assistant wrote: those that the chat template puts between
    /// `{% generation %}` and `{% endgeneration %}`. Without these marks there are none.
    ///
    /// # Errors
    /// As for [`Tokenizer::render_chat`]; [`Error::Tokenizer`].
    pub fn encode_conversation(&self, messages: &[Message]) -> Result<(Vec<u32>, Vec<bool>)> {
        let chat = self.chat.as_ref().ok_or(Error::NoChatTemplate)?;
        let rendered = chat.render(messages, false, &self.template)?;
        self.encode_within(&rendered.text, &rendered.generated)
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

    /// Ids as of [`encode_response`](Self::encode_response), and which of them share a byte with one of the ranges; the end token does not.
    pub(crate) fn encode_response_within(
        &self,
        response: &str,
        ranges: &[Range<usize>],
    ) -> Result<(Vec<u32>, Vec<bool>)> {
        let (mut ids, mut within) = self.encode_within(response, ranges)?;
        ids.extend(self.stops.first());
        within.resize(ids.len(), false);
        Ok((ids, within))
    }

    /// Ids, and which of them share a byte with one of the ranges.
    fn encode_within(&self, text: &str, ranges: &[Range<usize>]) -> Result<(Vec<u32>, Vec<bool>)> {
        let encoding = self.inner.encode(text, false).map_err(Error::Tokenizer)?;
        let offsets = encoding.get_offsets().iter();
        let within = offsets.map(|&(start, end)| is_within(&(start..end), ranges));
        Ok((encoding.get_ids().to_vec(), within.collect()))
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
        // Rows of the embedding that no token belongs to hold no text.
        let is_known = |id: &u32| (*id as usize) < self.bytes.len();
        let known: Vec<u32> = ids.iter().copied().filter(is_known).collect();
        let Ok(decoded) = self.bytes.decode(&known) else {
            return (String::new(), vec![0; ids.len()]);
        };
        let mut lengths = decoded.token_byte_lens.into_iter();
        let length = |id| match is_known(id) {
            true => lengths.next().unwrap_or_default(),
            false => 0,
        };
        (decoded.text, ids.iter().map(length).collect())
    }
}

/// What `tokenizer_config.json` says for transformers.
pub(crate) fn tokenizer_class(pad: &str) -> serde_json::Map<String, serde_json::Value> {
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

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn tokenizer() -> Tokenizer {
        let corpus = [
            "Velmora Nights (1987)",
            "Amélie — 千と千尋",
            "Velmora Nights",
        ];
        Tokenizer::train(&TokenizerConfig::new(300), corpus.into_iter()).unwrap()
    }

    #[test]
    fn some_texts_are_one_token_wherever_they_stand() {
        let config = TokenizerConfig {
            tokens: vec!["[1]".to_owned(), "[12]".to_owned()],
            ..TokenizerConfig::new(300)
        };
        let tokenizer = Tokenizer::train(&config, ["[1]Velmora"].into_iter()).unwrap();
        let ids = tokenizer.encode("a[12]b[1]").unwrap();
        assert_eq!(ids.len(), 4);
        assert_eq!(tokenizer.token_bytes(ids[1]), b"[12]");
        assert_eq!(tokenizer.decode_with_lengths(&ids).1, [1, 4, 1, 3]);
    }

    fn map(json: Value) -> Map<String, Value> {
        serde_json::from_value(json).unwrap()
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
        let limited =
            Tokenizer::from_parts(inner, map(side_car), &[1, 2], Path::new("t.json")).unwrap();
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
        let refused = Tokenizer::from_parts(inner, map(side_car), &[], Path::new("t.json"));
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
