//! Where a name stands: at the beginning of a sentence, in quotes, by itself.

/// Whether nothing of the sentence stands before a name.
pub(super) fn opens_sentence(before: &str) -> bool {
    // Line ends are not skipped like blanks: a new sentence begins after one.
    let is_line_end = |c: char| c.is_whitespace() && !matches!(c, ' ' | '\t' | '\u{a0}');
    let passed = |c: &char| {
        c.is_whitespace() && !is_line_end(*c)
            || matches!(
                c,
                '"' | '\'' | '“' | '‘' | '*' | '_' | '(' | '[' | '-' | '•' | '>' | '#'
            )
    };
    let last = before.chars().rev().find(|c| !passed(c));
    last.is_none_or(|c| {
        is_line_end(c) || matches!(c, '.' | '!' | '?' | '…' | ':' | '。' | '！' | '？' | '：')
    })
}

/// Whether quotes or markup stand right around a name.
pub(super) fn is_marked(before: &str, after: &str) -> bool {
    let opens = before.ends_with([
        '*', '_', '`', '"', '\'', '“', '‘', '«', '‹', '「', '『', '《', '〈', '{', '>', '[',
    ]);
    let closes = after.starts_with([
        '*', '_', '`', '"', '\'', '”', '’', '»', '›', '」', '』', '》', '〉', '}', '<', ']',
    ]);
    // "It's": an apostrophe closes nothing.
    let apostrophe = after
        .strip_prefix(['\'', '’'])
        .is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    opens && closes && !apostrophe
}

/// Whether a name is all that its line or sentence says, or a heading of what follows.
pub(super) fn stands_alone(after: &str) -> bool {
    let rest = after.trim_start_matches([' ', '\t']);
    rest.is_empty() || rest.starts_with(['\n', '\r', ':', '-', '–', '—', '.', '!', '?', '：', '。'])
}
