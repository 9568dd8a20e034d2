//! Jinja2 templates as minijinja templates that render the same.
//!
//! Where the two languages compute differently (`+`, `~`, `%`, `*`, `==`, methods of texts and dicts, the tag `generation`), the
//! rewritten template calls a function of [`super::functions`] instead. White space control and data stay as they are.

use super::{
    expression::{Parser, Written, written},
    tokens::{Tag, Token, cut},
};

/// Rewrites a template.
///
/// # Errors
/// Says what cannot be read, with the line.
pub(super) fn rewrite(template: &str) -> Result<String, String> {
    // Jinja2 reads every line end as \n.
    let source = template.replace("\r\n", "\n").replace('\r', "\n");
    let (mut out, mut rest) = (String::with_capacity(source.len() * 2), source.as_str());
    while let Some(at) = next_tag(rest) {
        let (data, tag) = rest.split_at(at);
        out.push_str(data);
        let taken = one_tag(tag, &mut out).map_err(|what| {
            let line = 1 + source[..source.len() - tag.len()].matches('\n').count();
            format!("line {line}: {what}")
        })?;
        rest = &tag[taken..];
    }
    out.push_str(rest);
    Ok(out)
}

fn next_tag(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"]
        .iter()
        .filter_map(|open| text.find(open))
        .min()
}

/// Rewrites the tag that `source` begins with. Returns its length.
fn one_tag(source: &str, out: &mut String) -> Result<usize, String> {
    let (open, inside) = source.split_at(2);
    if open == "{#" {
        let end = inside.find("#}").ok_or("a comment does not end")?;
        out.push_str(&source[..end + 4]);
        return Ok(end + 4);
    }
    let sign = match inside.chars().next() {
        Some(sign @ ('-' | '+')) => &inside[..sign.len_utf8()],
        _ => "",
    };
    let ends: &[&'static str] = match open {
        "{{" => &["-}}", "+}}", "}}"],
        _ => &["-%}", "+%}", "%}"],
    };
    let tag = cut(&inside[sign.len()..], ends)?;
    let mut len = 2 + sign.len() + tag.len;
    if open == "{%" && tag.tokens == [Token::Name("raw".to_owned())] {
        let raw = &source[len..];
        let end = end_of_raw(raw).ok_or("a raw block does not end")?;
        len += end;
        out.push_str(&source[..len]);
        return Ok(len);
    }
    let Tag { tokens, end, .. } = tag;
    let mut parser = Parser::new(&tokens);
    let rewritten = match open {
        "{{" => parser.tuple(true)?,
        _ => parser.statement()?,
    };
    parser.end()?;
    out.push_str(&format!("{open}{sign} {rewritten} {end}"));
    Ok(len)
}

/// Bytes up to the end of `{% endraw %}`.
fn end_of_raw(text: &str) -> Option<usize> {
    text.match_indices("{%").find_map(|(at, _)| {
        let inside = text[at + 2..].trim_start_matches(['-', '+']);
        let tag = cut(inside, &["-%}", "+%}", "%}"]).ok()?;
        let is_end = tag.tokens == [Token::Name("endraw".to_owned())];
        is_end.then(|| text.len() - inside.len() + tag.len)
    })
}

impl Parser<'_> {
    fn statement(&mut self) -> Written {
        let kind = self.name()?;
        match kind.as_str() {
            "generation" => Ok("call __generation()".to_owned()),
            "endgeneration" => Ok("endcall".to_owned()),
            "if" | "elif" => Ok(format!("{kind} {}", self.tuple(false)?)),
            "for" => self.for_loop(),
            "set" => self.set(),
            "with" => self.with(),
            "macro" => {
                let name = self.name()?;
                Ok(format!("macro {name}{}", self.parameters()?))
            }
            "call" => {
                let parameters = match self.is_op("(") {
                    true => self.parameters()?,
                    false => String::new(),
                };
                // The call itself is what takes the block, so it stays a call.
                let called = self.rest();
                Ok(format!("call{parameters} {called}"))
            }
            "include" | "import" | "from" | "extends" | "block" => {
                Err(format!("{kind}: a chat template has no other templates"))
            }
            _ => Ok(format!("{kind} {}", self.rest())),
        }
    }

    fn for_loop(&mut self) -> Written {
        let targets = self.targets("in")?;
        if !self.eat_name("in") {
            return Err(format!("expected \"in\", got {}", self.seen()));
        }
        let mut out = format!("for {targets} in __iter({})", self.tuple(false)?);
        if self.eat_name("if") {
            out += &format!(" if {}", self.ternary()?);
        }
        if self.eat_name("recursive") {
            out += " recursive";
        }
        Ok(out)
    }

    /// Tokens up to an operator or a name outside of brackets.
    fn targets(&mut self, end: &str) -> Written {
        let (start, mut open) = (self.at, 0usize);
        while let Some(token) = self.peek() {
            match token {
                Token::Op("(" | "[") => open += 1,
                Token::Op(")" | "]") => open = open.saturating_sub(1),
                Token::Op(op) if open == 0 && *op == end => break,
                Token::Name(name) if open == 0 && name == end => break,
                _ => {}
            }
            self.at += 1;
        }
        let targets = self.tokens[start..self.at].iter().map(written);
        Ok(targets.collect::<Vec<_>>().join(" ").replace(" . ", "."))
    }

    fn set(&mut self) -> Written {
        let targets = self.targets("=")?;
        match self.eat_op("=") {
            true => Ok(format!("set {targets} = {}", self.tuple(true)?)),
            // A block.
            false => Ok(format!("set {targets}")),
        }
    }

    fn with(&mut self) -> Written {
        let mut pairs = Vec::new();
        while self.peek().is_some() {
            let target = self.name()?;
            self.expect("=")?;
            pairs.push(format!("{target} = {}", self.ternary()?));
            if !self.eat_op(",") {
                break;
            }
        }
        Ok(format!("with {}", pairs.join(", ")))
    }

    fn parameters(&mut self) -> Written {
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.is_op(")") {
            let name = self.name()?;
            parameters.push(match self.eat_op("=") {
                true => format!("{name}={}", self.ternary()?),
                false => name,
            });
            if !self.eat_op(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(format!("({})", parameters.join(", ")))
    }
}
