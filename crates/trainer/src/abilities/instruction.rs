//! Instructions whose following a program can check.

use serde::{Deserialize, Serialize};

/// What a response has to be like: the kinds of IFEval (arXiv 2311.07911), in words and checks of our own.
///
/// Words are what stands between white space; words that are looked for are compared without capitals and punctuation.
///
/// ```
/// use rerec_trainer::Instruction;
///
/// let brief = Instruction::WordsAtMost(3);
/// assert_eq!(brief.to_string(), "Use at most 3 words.");
/// assert!(brief.is_followed("Rain is wet."));
/// assert!(!brief.is_followed("Rain is wet and cold."));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instruction {
    /// At least so many words.
    WordsAtLeast(usize),
    /// At most so many words.
    WordsAtMost(usize),
    /// At most so many sentences.
    SentencesAtMost(usize),
    /// So many paragraphs, with blank lines between them.
    Paragraphs(usize),
    /// So many lines that begin with a bullet.
    Bullets(usize),
    /// So many lines that begin with a number.
    NumberedLines(usize),
    /// The headings `Section 1` to `Section n`.
    Sections(usize),
    /// These words, each at least once.
    Contains(Vec<String>),
    /// None of these words.
    Avoids(Vec<String>),
    /// A word at least so many times.
    Repeats(String, usize),
    /// A letter at least so many times.
    Letter(char, usize),
    /// No capital letters.
    Lowercase,
    /// Nothing but capital letters.
    Uppercase,
    /// At least so many words in capital letters.
    CapitalWords(usize),
    /// No commas.
    NoCommas,
    /// This text at the beginning.
    BeginsWith(String),
    /// This text at the end.
    EndsWith(String),
    /// Double quotation marks around the whole.
    Quoted,
    /// A title in double angle brackets.
    Title,
    /// At least so many passages between asterisks.
    Highlights(usize),
    /// At least so many words in square brackets.
    Placeholders(usize),
    /// A postscript.
    Postscript,
    /// JSON and nothing else.
    Json,
    /// One of these and nothing else.
    OneOf(Vec<String>),
    /// Two answers with six asterisks between them.
    TwoAnswers,
}

impl Instruction {
    /// The kind's name in tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WordsAtLeast(_) => "words at least",
            Self::WordsAtMost(_) => "words at most",
            Self::SentencesAtMost(_) => "sentences at most",
            Self::Paragraphs(_) => "paragraphs",
            Self::Bullets(_) => "bullets",
            Self::NumberedLines(_) => "numbered lines",
            Self::Sections(_) => "sections",
            Self::Contains(_) => "contains",
            Self::Avoids(_) => "avoids",
            Self::Repeats(..) => "repeats",
            Self::Letter(..) => "letter",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
            Self::CapitalWords(_) => "capital words",
            Self::NoCommas => "no commas",
            Self::BeginsWith(_) => "begins with",
            Self::EndsWith(_) => "ends with",
            Self::Quoted => "quoted",
            Self::Title => "title",
            Self::Highlights(_) => "highlights",
            Self::Placeholders(_) => "placeholders",
            Self::Postscript => "postscript",
            Self::Json => "json",
            Self::OneOf(_) => "one of",
            Self::TwoAnswers => "two answers",
        }
    }

    /// Whether a response is as it was asked for. One without any text never is.
    pub fn is_followed(&self, response: &str) -> bool {
        let text = response.trim();
        !text.is_empty() && self.fits(text)
    }

    fn fits(&self, text: &str) -> bool {
        let has = |word: &String| count_word(text, word) > 0;
        match self {
            Self::WordsAtLeast(least) => text.split_whitespace().count() >= *least,
            Self::WordsAtMost(most) => text.split_whitespace().count() <= *most,
            Self::SentencesAtMost(most) => sentences(text) <= *most,
            Self::Paragraphs(number) => paragraphs(text) == *number,
            Self::Bullets(number) => lines_with(text, is_bullet) == *number,
            Self::NumberedLines(number) => lines_with(text, is_numbered) == *number,
            Self::Sections(number) => (1..=*number).all(|index| has_section(text, index)),
            Self::Contains(words) => words.iter().all(has),
            Self::Avoids(words) => !words.iter().any(has),
            Self::Repeats(word, times) => count_word(text, word) >= *times,
            Self::Letter(letter, times) => count_letter(text, *letter) >= *times,
            Self::Lowercase => has_letters(text) && !text.chars().any(char::is_uppercase),
            Self::Uppercase => has_letters(text) && !text.chars().any(char::is_lowercase),
            Self::CapitalWords(least) => {
                words(text).filter(|word| is_shouted(word)).count() >= *least
            }
            Self::NoCommas => !text.contains(','),
            Self::BeginsWith(start) => text.starts_with(start.as_str()),
            Self::EndsWith(end) => text.ends_with(end.as_str()),
            Self::Quoted => text.len() > 2 && text.starts_with('"') && text.ends_with('"'),
            Self::Title => between(text, "<<", ">>").any(|title| !title.trim().is_empty()),
            Self::Highlights(least) => highlights(text) >= *least,
            Self::Placeholders(least) => {
                let marked = between(text, "[", "]").filter(|inside| !inside.trim().is_empty());
                marked.count() >= *least
            }
            Self::Postscript => text
                .lines()
                .any(|line| line.trim_start().starts_with("P.S.")),
            Self::Json => serde_json::from_str::<serde_json::Value>(without_fence(text)).is_ok(),
            Self::OneOf(choices) => {
                let bare = text.trim_matches(|mark: char| mark == '"' || mark == '.');
                choices
                    .iter()
                    .any(|choice| choice.trim_end_matches('.') == bare)
            }
            Self::TwoAnswers => {
                let answers: Vec<&str> = text.split("******").map(str::trim).collect();
                answers.len() == 2 && !answers.contains(&"")
            }
        }
    }
}

impl std::fmt::Display for Instruction {
    /// The sentence that a prompt has for it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WordsAtLeast(least) => write!(f, "Use at least {least} words."),
            Self::WordsAtMost(most) => write!(f, "Use at most {most} words."),
            Self::SentencesAtMost(most) => write!(f, "Write at most {most} sentences."),
            Self::Paragraphs(number) => write!(
                f,
                "Write exactly {number} paragraphs, with a blank line between them."
            ),
            Self::Bullets(number) => write!(
                f,
                "Give exactly {number} points, each on a line of its own that begins with \"- \"."
            ),
            Self::NumberedLines(number) => write!(
                f,
                "Give exactly {number} points, each on a line of its own that begins with its number and a full stop."
            ),
            Self::Sections(number) => write!(
                f,
                "Divide the text into {number} sections, and begin each with a line that says Section and its number."
            ),
            Self::Contains(words) => write!(f, "Use the words {}.", words.join(" and ")),
            Self::Avoids(words) => write!(f, "Do not use the words {}.", words.join(" and ")),
            Self::Repeats(word, times) => write!(f, "Use the word {word} at least {times} times."),
            Self::Letter(letter, times) => {
                write!(f, "Let the letter {letter} occur at least {times} times.")
            }
            Self::Lowercase => {
                f.write_str("Write in small letters only, without any capital letter.")
            }
            Self::Uppercase => f.write_str("Write in capital letters only."),
            Self::CapitalWords(least) => {
                write!(f, "Write at least {least} words in capital letters.")
            }
            Self::NoCommas => f.write_str("Do not use any comma."),
            Self::BeginsWith(start) => write!(f, "Begin with exactly these words: {start}"),
            Self::EndsWith(end) => write!(
                f,
                "End with exactly these words and nothing after them: {end}"
            ),
            Self::Quoted => f.write_str("Put your whole answer into double quotation marks."),
            Self::Title => {
                f.write_str("Give it a title in double angle brackets, such as <<a title>>.")
            }
            Self::Highlights(least) => {
                write!(
                    f,
                    "Highlight at least {least} phrases with asterisks, *like this*."
                )
            }
            Self::Placeholders(least) => write!(
                f,
                "Leave at least {least} places to fill in, each named in square brackets, such as [name]."
            ),
            Self::Postscript => f.write_str("Add a postscript at the end that begins with P.S."),
            Self::Json => f.write_str("Answer in JSON and with nothing else."),
            Self::OneOf(choices) => write!(
                f,
                "Answer with one of the following and nothing else: {}",
                choices.join(" / ")
            ),
            Self::TwoAnswers => {
                f.write_str("Give two different answers, with six asterisks between them: ******")
            }
        }
    }
}

/// Runs of letters, digits and apostrophes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_outside = |c: char| !c.is_alphanumeric() && c != '\'';
    text.split(is_outside).filter(|word| !word.is_empty())
}

fn count_word(text: &str, wanted: &str) -> usize {
    let wanted = wanted.to_lowercase();
    words(text)
        .filter(|word| word.to_lowercase() == wanted)
        .count()
}

fn count_letter(text: &str, letter: char) -> usize {
    let letters = text.chars().flat_map(char::to_lowercase);
    letters.filter(|&one| one == letter).count()
}

fn has_letters(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// A word of two letters and more, all of them capital.
fn is_shouted(word: &str) -> bool {
    word.chars().count() > 1 && word.chars().all(char::is_uppercase)
}

/// Ends of sentences, and what is left after the last of them.
fn sentences(text: &str) -> usize {
    let is_end = |word: &&str| {
        let bare = word.trim_end_matches(['"', '\'', ')', '*']);
        bare.ends_with(['.', '!', '?'])
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let ends = words.iter().filter(|word| is_end(word)).count();
    let is_open = words.last().is_some_and(|last| !is_end(last));
    ends + usize::from(is_open)
}

fn paragraphs(text: &str) -> usize {
    let mut number = 0;
    let mut was_blank = true;
    for line in text.lines() {
        let is_blank = line.trim().is_empty();
        number += usize::from(was_blank && !is_blank);
        was_blank = is_blank;
    }
    number
}

fn lines_with(text: &str, is: impl Fn(&str) -> bool) -> usize {
    text.lines().filter(|line| is(line.trim())).count()
}

fn is_bullet(line: &str) -> bool {
    ["- ", "* ", "• "]
        .iter()
        .any(|bullet| line.starts_with(bullet))
}

fn is_numbered(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len() && rest.starts_with(". ")
}

fn has_section(text: &str, index: usize) -> bool {
    let heading = format!("section {index}");
    text.lines().any(|line| {
        let line = line.trim_start_matches(['#', '*', ' ']).to_lowercase();
        let rest = line.strip_prefix(&heading);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// What stands between a pair of marks, in one line.
fn between<'t>(text: &'t str, open: &'t str, close: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().flat_map(move |line| {
        let parts = line.split(open).skip(1);
        parts.filter_map(move |part| part.split_once(close).map(|(inside, _)| inside))
    })
}

/// Passages between asterisks, single or double, in one line each.
fn highlights(text: &str) -> usize {
    let of_line = |line: &str| {
        let line = line.trim().trim_start_matches("* ").replace("**", "*");
        let parts: Vec<&str> = line.split('*').collect();
        // Every other part is inside, and the last one is not closed.
        let inside = parts.iter().enumerate().skip(1).step_by(2);
        let closed =
            inside.filter(|(place, part)| place + 1 < parts.len() && !part.trim().is_empty());
        closed.count()
    };
    text.lines().map(of_line).sum()
}

/// The inside of a code block, where the whole is one.
fn without_fence(text: &str) -> &str {
    let inside = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    inside.map_or(text, |inside| inside.trim_start_matches("json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &str) -> Vec<String> {
        all.split(' ').map(str::to_owned).collect()
    }

    /// Each with responses that follow it, and others that do not.
    fn cases() -> Vec<(Instruction, Vec<&'static str>, Vec<&'static str>)> {
        use Instruction as I;
        vec![
            (
                I::WordsAtLeast(3),
                vec!["one two three"],
                vec!["one two", "well-known word"],
            ),
            (I::WordsAtMost(2), vec!["one two"], vec!["one two three"]),
            (
                I::SentencesAtMost(2),
                vec!["One. Two!", "3.5 litres of it"],
                vec!["One. Two. And", "A! B? \"C.\""],
            ),
            (
                I::Paragraphs(2),
                vec!["a\nb\n\n\nc", "a\n \nb"],
                vec!["a\nb", "a\n\nb\n\nc"],
            ),
            (
                I::Bullets(2),
                vec!["- a\n- b", "So:\n* a\n\n • b"],
                vec!["- a", "-a\n-b", "- a\n- b\n- c"],
            ),
            (
                I::NumberedLines(2),
                vec!["1. a\n2. b", "Here:\n 9. a\n10. b"],
                vec!["1) a\n2) b", "1.5 litres\n2. b"],
            ),
            (
                I::Sections(2),
                vec!["Section 1\na\nSECTION 2: b", "## Section 1\n**Section 2**"],
                vec!["Section 1", "Section 1\nSection 20"],
            ),
            (
                I::Contains(words("rain sun")),
                vec!["Sun, then rain."],
                vec!["Sunny and rain", "sun"],
            ),
            (
                I::Avoids(words("rain sun")),
                vec!["Rainy and sunny."],
                vec!["RAIN!"],
            ),
            (
                I::Repeats("rain".into(), 2),
                vec!["Rain, rain."],
                vec!["rain rainy"],
            ),
            (I::Letter('z', 2), vec!["Zigzag"], vec!["zoo"]),
            (I::Lowercase, vec!["all small."], vec!["Not all", "123"]),
            (I::Uppercase, vec!["ALL 3 OF THEM"], vec!["ALMOSt", "123"]),
            (
                I::CapitalWords(2),
                vec!["NOW or NEVER"],
                vec!["A and I", "NOW or Never"],
            ),
            (I::NoCommas, vec!["none here"], vec!["one, here"]),
            (
                I::BeginsWith("In short".into()),
                vec!["In short, yes", "  In short"],
                vec!["in short", "Yes. In short"],
            ),
            (
                I::EndsWith("Any questions?".into()),
                vec!["Yes. Any questions? "],
                vec!["Any questions? No."],
            ),
            (
                I::Quoted,
                vec!["\"all of it\""],
                vec!["\"part\" of it", "\""],
            ),
            (
                I::Title,
                vec!["<<Rain>>\ntext"],
                vec!["<Rain>", "<< >>", "<<Rain\n>>"],
            ),
            (
                I::Highlights(2),
                vec!["*a* and *b*", "**a**\n* *b*"],
                vec!["*a* and *b", "* a\n* b", "**"],
            ),
            (
                I::Placeholders(2),
                vec!["Dear [name], see [place]"],
                vec!["[name]", "[] [ ]"],
            ),
            (
                I::Postscript,
                vec!["Yes.\nP.S. No."],
                vec!["Yes. P.S. No.", "PS: no"],
            ),
            (
                I::Json,
                vec!["{\"a\": [1]}", "```json\n[1]\n```"],
                vec!["{a: 1}", "Here: {}"],
            ),
            (
                I::OneOf(vec!["It is.".into(), "It is not.".into()]),
                vec!["It is.", "It is not", "\"It is.\""],
                vec!["It is not so.", "Yes"],
            ),
            (
                I::TwoAnswers,
                vec!["a\n******\nb"],
                vec!["a", "a ****** ", "a ****** b ****** c"],
            ),
        ]
    }

    #[test]
    fn every_kind_is_checked() {
        for (instruction, right, wrong) in cases() {
            for response in right {
                assert!(
                    instruction.is_followed(response),
                    "{instruction} {response:?}"
                );
            }
            for response in wrong.into_iter().chain(["", " \n"]) {
                assert!(
                    !instruction.is_followed(response),
                    "{instruction} {response:?}"
                );
            }
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = cases()
            .iter()
            .map(|(instruction, ..)| instruction.kind())
            .collect();
        assert_eq!(names.len(), 25);
    }
}
