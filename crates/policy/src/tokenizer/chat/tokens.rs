//! The tokens within a tag of a Jinja template, as Jinja2 3.1 cuts them.

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(String),
    /// Its text, escapes resolved.
    Text(String),
    Op(&'static str),
}

/// Longest first.
const OPERATORS: [&str; 28] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";", "!", "&",
];

/// The tokens of a tag's inside and how it ends.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) tokens: Vec<Token>,
    /// `-%}`, `%}` and so on.
    pub(super) end: &'static str,
    /// Bytes of the source behind the tag's opening, its end included.
    pub(super) len: usize,
}

/// Cuts `source`, which begins behind `{{` or `{%`, up to the end of the tag.
///
/// # Errors
/// Says what is not a token, or that the tag does not end.
pub(super) fn cut(source: &str, ends: &[&'static str]) -> Result<Tag, String> {
    let (mut tokens, mut rest, mut open) = (Vec::new(), source, 0usize);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let Some(first) = rest.chars().next() else {
            return Err("a tag does not end".to_owned());
        };
        // Within brackets the end of a tag is two closing brackets, as in a dict of dicts.
        if open == 0
            && let Some(end) = ends.iter().find(|end| rest.starts_with(**end))
        {
            let len = source.len() - rest.len() + end.len();
            return Ok(Tag { tokens, end, len });
        }
        let taken = match first {
            '"' | '\'' => text(rest, first, &mut tokens)?,
            c if c.is_ascii_digit() => number(rest, &mut tokens),
            c if c.is_alphabetic() || c == '_' => name(rest, &mut tokens),
            c => {
                let operator = OPERATORS.iter().find(|op| rest.starts_with(**op));
                let operator = operator.ok_or_else(|| format!("unexpected character {c:?}"))?;
                match *operator {
                    "(" | "[" | "{" => open += 1,
                    ")" | "]" | "}" => open = open.saturating_sub(1),
                    _ => {}
                }
                tokens.push(Token::Op(operator));
                operator.len()
            }
        };
        rest = &rest[taken..];
    }
}

fn name(source: &str, tokens: &mut Vec<Token>) -> usize {
    let end = source.find(|c: char| !c.is_alphanumeric() && c != '_');
    let end = end.unwrap_or(source.len());
    tokens.push(Token::Name(source[..end].to_owned()));
    end
}

/// Digits with underscores between, a fraction, an exponent. A dot without a digit behind it is an attribute's.
fn number(source: &str, tokens: &mut Vec<Token>) -> usize {
    let bytes = source.as_bytes();
    let digits = |mut at: usize| {
        while bytes
            .get(at)
            .is_some_and(|b| b.is_ascii_digit() || *b == b'_')
        {
            at += 1;
        }
        at
    };
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = digits(0);
    // Behind a dot a number is an index, `x.0.1`.
    if bytes.get(end) == Some(&b'.') && is_digit(end + 1) && tokens.last() != Some(&Token::Op("."))
    {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if is_digit(signed) {
            end = digits(signed);
        }
    }
    tokens.push(Token::Number(source[..end].replace('_', "")));
    end
}

fn text(source: &str, quote: char, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let mut escaped = false;
    let end = source.char_indices().skip(1).find(|&(_, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let (end, _) = end.ok_or("a text in quotes does not end")?;
    let text = unescaped(&source[1..end])?;
    match tokens.last_mut() {
        // Neighbouring texts are one.
        Some(Token::Text(before)) => before.push_str(&text),
        _ => tokens.push(Token::Text(text)),
    }
    Ok(end + 1)
}

/// Python's escapes; a backslash before anything else stays.
fn unescaped(text: &str) -> Result<String, String> {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = chars.next() {
        let Some(kind) = (c == '\\').then(|| chars.next()).flatten() else {
            out.push(c);
            continue;
        };
        let mut code = |digits: usize, radix: u32, first: &str| -> Result<char, String> {
            let mut number = first.to_owned();
            while number.len() < digits && chars.peek().is_some_and(|c| c.is_digit(radix)) {
                number.extend(chars.next());
            }
            let is_whole = radix == 8 || number.len() == digits;
            let code = u32::from_str_radix(&number, radix)
                .ok()
                .filter(|_| is_whole);
            let fault = || format!("\\{kind}{number} is not a character");
            code.and_then(char::from_u32).ok_or_else(fault)
        };
        let replaced = match kind {
            '\n' => None,
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'v' => Some('\x0b'),
            '\\' | '\'' | '"' => Some(kind),
            'x' => Some(code(2, 16, "")?),
            'u' => Some(code(4, 16, "")?),
            'U' => Some(code(8, 16, "")?),
            '0'..='7' => Some(code(3, 8, &kind.to_string())?),
            other => {
                out.push('\\');
                Some(other)
            }
        };
        out.extend(replaced);
    }
    Ok(out)
}
