//! Chat templates render as transformers renders them (`make_templates.py` made the numbers).
#![cfg(feature = "tokenizer")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use rerec_policy::{Message, Result, TemplateConfig, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Corpus {
    date: String,
    templates: Vec<String>,
    conversations: Vec<Conversation>,
    hashes: Vec<Vec<Option<String>>>,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Message>,
    add_generation_prompt: bool,
    variables: Map<String, Value>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The tokenizer of a checkpoint with another chat template.
fn tokenizer(template: &str) -> Result<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let source = data().join("checkpoints/llama-tied");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    Tokenizer::from_folder(folder.path())
}

fn with(tokenizer: &Tokenizer, date: &str, variables: &Map<String, Value>) -> Tokenizer {
    let template = TemplateConfig {
        date: Some(date.to_owned()),
        variables: variables.clone(),
        ..Default::default()
    };
    tokenizer.clone().with_template(template).unwrap()
}

fn hash(text: &str) -> String {
    let mut out = String::new();
    for byte in &Sha256::digest(text)[..8] {
        write!(out, "{byte:02x}").unwrap();
    }
    out
}

#[test]
fn renderings_are_those_of_transformers() {
    let text = fs::read_to_string(data().join("templates.json")).unwrap();
    let corpus: Corpus = serde_json::from_str(&text).unwrap();
    assert!(corpus.templates.len() >= 60 && corpus.conversations.len() == 20);
    let mut wrong = String::new();
    for (index, template) in corpus.templates.iter().enumerate() {
        let loaded = tokenizer(template).unwrap_or_else(|e| panic!("{index}: {template}: {e}"));
        for (place, talk) in corpus.conversations.iter().enumerate() {
            let loaded = with(&loaded, &corpus.date, &talk.variables);
            let rendered = loaded.render_chat(&talk.messages, talk.add_generation_prompt);
            let expected = corpus.hashes[index][place].as_ref();
            let same = match &rendered {
                Ok(text) => expected == Some(&hash(text)),
                Err(_) => expected.is_none(),
            };
            if !same {
                let rendered = rendered.map_err(|e| format!("{e:?}"));
                writeln!(
                    wrong,
                    "template {index}, conversation {place}: {rendered:?}"
                )
                .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_assistant_wrote_what_stands_in_generation_blocks() {
    let template = "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}\
                    {{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
    let tokenizer = tokenizer(template).unwrap();
    // Contents may hold what is used as a mark elsewhere.
    let talk = [Message::user("a\u{fdd0}"), Message::assistant("b")];
    let (ids, written) = tokenizer.encode_conversation(&talk).unwrap();
    let text = tokenizer.render_chat(&talk, false).unwrap();
    assert_eq!(text, "<|user|>a\u{fdd0}<|assistant|>b<|end|>");
    assert_eq!(ids[..2], [2, 68]);
    assert_eq!(ids[ids.len() - 3..], [3, 69, 1]);
    let (before, own) = written.split_at(written.len() - 2);
    assert!(before.iter().all(|written| !written));
    assert_eq!(own, [true, true]);
}

#[test]
fn the_date_is_the_callers() {
    let tokenizer = tokenizer("{{ strftime_now('%d %B %Y') }}").unwrap();
    let talk = [Message::user("a")];
    let said = tokenizer.encode_prompt("a").unwrap_err();
    let said = std::error::Error::source(&said).unwrap().to_string();
    assert!(said.contains("template.date gives none"), "{said}");
    let dated = with(&tokenizer, "2024-02-29", &Map::new());
    assert_eq!(dated.render_chat(&talk, true).unwrap(), "29 February 2024");
    let template = TemplateConfig {
        date: Some("29.2.2024".to_owned()),
        ..Default::default()
    };
    let refused = tokenizer.with_template(template).unwrap_err().to_string();
    assert_eq!(
        refused,
        "template.date must be a date as YYYY-MM-DD, got 29.2.2024"
    );
}

#[test]
fn a_system_message_stands_before_conversations_without_one() {
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}. {% endfor %}";
    let settings = TemplateConfig {
        system_message: Some("Be brief".to_owned()),
        ..Default::default()
    };
    let tokenizer = tokenizer(template).unwrap().with_template(settings);
    let tokenizer = tokenizer.unwrap();
    let rendered = |talk: &[Message]| tokenizer.render_chat(talk, true).unwrap();
    assert_eq!(
        rendered(&[Message::user("a")]),
        "system: Be brief. user: a. "
    );
    let own = [Message::system("b"), Message::user("a")];
    assert_eq!(rendered(&own), "system: b. user: a. ");
}

/// Each would take hours or all memory if it were carried out.
#[test]
fn what_a_template_may_spend_is_bounded() {
    for template in [
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x.replace('b', ns.x) %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
        "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}\
         {% endfor %}{{ ns.x == ns.y }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
        "{{ 'a' * 10 ** 12 }}",
        "{{ [0] * 10 ** 12 }}",
        "{{ '%999999999999d' % 1 }}",
        "{{ '{:>99999999999}'.format('a') }}",
        "{{ 'a'.center(10 ** 12) }}",
        "{{ 'a\nb' | indent(10 ** 12) }}",
        "{{ [1] | tojson(indent=10 ** 12) }}",
        "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        "{% set b = 'a' * 9999999 %}{% for i in range(9999) %}{{ b }}{% endfor %}",
        "{% set b = 'a' * 9999999 %}{% for i in range(9999) %}{% set c = b | upper %}{% endfor %}",
    ] {
        let rendered = tokenizer(template).unwrap().render_chat(&[], true);
        assert!(rendered.is_err(), "{template}");
    }
    let deep = "(".repeat(10_000);
    assert!(tokenizer(&format!("{{{{ {deep} }}}}")).is_err());
    // A value as deep as the loop is long is made and dropped again.
    let nested = "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}ok";
    let rendered = tokenizer(nested).unwrap().render_chat(&[], true);
    assert_eq!(rendered.unwrap(), "ok");
}

const PIECES: [&str; 44] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "-",
    "+",
    " ",
    "\n",
    "if",
    "for",
    "x",
    "in",
    "set",
    "=",
    "messages",
    "endif",
    "endfor",
    "|",
    "tojson",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    ".",
    "'a'",
    "\"",
    "1",
    "~",
    "*",
    "%",
    "is",
    "not",
    "raw",
    "endraw",
    "generation",
    "endgeneration",
    "macro",
    "\\",
];

proptest::proptest! {
    #[test]
    fn no_template_panics(pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let template: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        if let Ok(tokenizer) = tokenizer(&template) {
            let _ = tokenizer.render_chat(&[Message::user("a")], true);
        }
    }
}
