//! Expressions of Jinja2, written anew for minijinja.

use super::tokens::Token;

/// Expressions within expressions: no template goes so deep.
const MAX_DEPTH: usize = 60;

/// Python's names for methods of dicts: `x.items` is the method and not the entry of that name.
const DICT_METHODS: [&str; 7] = ["items", "keys", "values", "get", "pop", "update", "copy"];

/// Filters that compare values down to their ground.
const COMPARING: [&str; 6] = ["sort", "unique", "min", "max", "groupby", "sum"];

/// Reads the tokens of a tag.
pub(super) struct Parser<'t> {
    pub(super) tokens: &'t [Token],
    pub(super) at: usize,
    depth: usize,
}

pub(super) type Written = Result<String, String>;

impl<'t> Parser<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(got)) if *got == op)
    }

    pub(super) fn eat_op(&mut self, op: &str) -> bool {
        let is = self.is_op(op);
        self.at += usize::from(is);
        is
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(got)) if got == name)
    }

    pub(super) fn eat_name(&mut self, name: &str) -> bool {
        let is = self.is_name(name);
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect(&mut self, op: &'static str) -> Result<(), String> {
        match self.eat_op(op) {
            true => Ok(()),
            false => Err(format!("expected {op:?}, got {}", self.seen())),
        }
    }

    pub(super) fn name(&mut self) -> Written {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(format!("expected a name, got {}", self.seen())),
        }
    }

    pub(super) fn seen(&self) -> String {
        match self.peek() {
            None => "the end of the tag".to_owned(),
            Some(token) => format!("{:?}", written(token)),
        }
    }

    pub(super) fn end(&self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(format!("unexpected {}", self.seen())),
        }
    }

    /// What is left, as it is.
    pub(super) fn rest(&mut self) -> String {
        let rest = self.tokens[self.at..].iter().map(written);
        let rest = rest.collect::<Vec<_>>().join(" ");
        self.at = self.tokens.len();
        rest
    }

    /// One expression, or several with commas between.
    pub(super) fn tuple(&mut self, with_condition: bool) -> Written {
        let one = |parser: &mut Self| match with_condition {
            true => parser.ternary(),
            false => parser.or(),
        };
        let first = one(self)?;
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.eat_op(",") {
            if self.peek().is_none() || self.is_op(")") || self.is_op("]") || self.is_name("if") {
                break;
            }
            items.push(one(self)?);
        }
        Ok(format!("__tuple({})", items.join(", ")))
    }

    pub(super) fn ternary(&mut self) -> Written {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("an expression is nested deeper than {MAX_DEPTH}"));
        }
        let mut value = self.or()?;
        while self.eat_name("if") {
            let condition = self.or()?;
            value = match self.eat_name("else") {
                true => format!("({value} if {condition} else {})", self.ternary()?),
                false => format!("({value} if {condition})"),
            };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn or(&mut self) -> Written {
        let mut parts = vec![self.and()?];
        while self.eat_name("or") {
            parts.push(self.and()?);
        }
        Ok(joined(parts, " or "))
    }

    fn and(&mut self) -> Written {
        let mut parts = vec![self.not()?];
        while self.eat_name("and") {
            parts.push(self.not()?);
        }
        Ok(joined(parts, " and "))
    }

    fn not(&mut self) -> Written {
        let mut count = 0;
        while self.eat_name("not") {
            count += 1;
        }
        let value = self.compare()?;
        Ok(match (count, count % 2) {
            (0, _) => value,
            (_, 1) => format!("(not {value})"),
            _ => format!("(not (not {value}))"),
        })
    }

    fn compare(&mut self) -> Written {
        let first = self.sum()?;
        let (mut left, mut all) = (first.clone(), Vec::new());
        while let Some(op) = self.comparison() {
            let right = self.sum()?;
            all.push(match op {
                "==" => format!("__eq({left}, {right})"),
                "!=" => format!("(not __eq({left}, {right}))"),
                "in" => format!("__in({left}, {right})"),
                "not in" => format!("(not __in({left}, {right}))"),
                op => format!("({left} {op} {right})"),
            });
            left = right;
        }
        Ok(match all.is_empty() {
            true => first,
            false => joined(all, " and "),
        })
    }

    fn comparison(&mut self) -> Option<&'static str> {
        for op in ["==", "!=", ">=", "<=", ">", "<"] {
            if self.eat_op(op) {
                return Some(op);
            }
        }
        if self.eat_name("in") {
            return Some("in");
        }
        let is_not_in = self.is_name("not")
            && matches!(self.tokens.get(self.at + 1), Some(Token::Name(name)) if name == "in");
        self.at += 2 * usize::from(is_not_in);
        is_not_in.then_some("not in")
    }

    fn sum(&mut self) -> Written {
        let mut parts = vec![self.concatenation()?];
        loop {
            if self.eat_op("+") {
                parts.push(self.concatenation()?);
            } else if self.eat_op("-") {
                let right = self.concatenation()?;
                parts = vec![format!("({} - {right})", called("__add", parts))];
            } else {
                return Ok(called("__add", parts));
            }
        }
    }

    fn concatenation(&mut self) -> Written {
        let mut parts = vec![self.product()?];
        while self.eat_op("~") {
            parts.push(self.product()?);
        }
        Ok(called("__cat", parts))
    }

    fn product(&mut self) -> Written {
        let mut left = self.power()?;
        loop {
            left = if self.eat_op("*") {
                format!("__mul({left}, {})", self.power()?)
            } else if self.eat_op("//") {
                format!("({left} // {})", self.power()?)
            } else if self.eat_op("/") {
                format!("({left} / {})", self.power()?)
            } else if self.eat_op("%") {
                format!("__mod({left}, {})", self.power()?)
            } else {
                return Ok(left);
            };
        }
    }

    fn power(&mut self) -> Written {
        let mut left = self.unary(true)?;
        while self.eat_op("**") {
            left = format!("({left} ** {})", self.unary(true)?);
        }
        Ok(left)
    }

    fn unary(&mut self, with_filters: bool) -> Written {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("an expression is nested deeper than {MAX_DEPTH}"));
        }
        let value = if self.eat_op("-") {
            format!("(-{})", self.unary(false)?)
        } else if self.eat_op("+") {
            self.unary(false)?
        } else {
            self.primary()?
        };
        let value = self.postfix(value)?;
        let value = match with_filters {
            true => self.filters(value)?,
            false => value,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Written {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        match token {
            Some(Token::Name(name)) => Ok(match name.as_str() {
                "True" => "true".to_owned(),
                "False" => "false".to_owned(),
                "None" => "none".to_owned(),
                _ => name,
            }),
            Some(token @ (Token::Number(_) | Token::Text(_))) => Ok(written(&token)),
            Some(Token::Op("(")) => {
                if self.eat_op(")") {
                    return Ok("__tuple()".to_owned());
                }
                let inside = self.tuple(true)?;
                self.expect(")")?;
                Ok(format!("({inside})"))
            }
            Some(Token::Op("[")) => Ok(format!("__list({})", self.items("]")?)),
            Some(Token::Op("{")) => self.dict(),
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(format!("expected an expression, got {}", self.seen()))
            }
        }
    }

    fn items(&mut self, end: &'static str) -> Written {
        let mut items = Vec::new();
        while !self.is_op(end) {
            items.push(self.ternary()?);
            if !self.eat_op(",") {
                break;
            }
        }
        self.expect(end)?;
        Ok(items.join(", "))
    }

    fn dict(&mut self) -> Written {
        let mut entries = Vec::new();
        while !self.is_op("}") {
            let key = self.ternary()?;
            self.expect(":")?;
            entries.push(format!("{key}, {}", self.ternary()?));
            if !self.eat_op(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(format!("__dict({})", entries.join(", ")))
    }

    fn postfix(&mut self, value: String) -> Written {
        let mut value = value;
        loop {
            value = if self.eat_op(".") {
                self.attribute(value)?
            } else if self.eat_op("[") {
                let value = self.subscript(value)?;
                self.expect("]")?;
                value
            } else if self.eat_op("(") {
                format!("{value}({})", self.arguments()?)
            } else {
                return Ok(value);
            };
        }
    }

    fn attribute(&mut self, value: String) -> Written {
        if let Some(Token::Number(index)) = self.peek().cloned() {
            self.at += 1;
            return Ok(format!("{value}[{index}]"));
        }
        let name = self.name()?;
        if self.eat_op("(") {
            let arguments = self.arguments()?;
            let arguments = match arguments.is_empty() {
                true => arguments,
                false => format!(", {arguments}"),
            };
            return Ok(format!("__call({value}, {name:?}{arguments})"));
        }
        Ok(match DICT_METHODS.contains(&name.as_str()) {
            true => format!("__bound({value}, {name:?})"),
            false => format!("{value}.{name}"),
        })
    }

    fn subscript(&mut self, value: String) -> Written {
        let mut parts = vec!["none".to_owned()];
        while !self.is_op("]") && self.peek().is_some() {
            if self.eat_op(":") {
                parts.push("none".to_owned());
                continue;
            }
            let part = self.tuple(true)?;
            if let Some(last) = parts.last_mut() {
                *last = part;
            }
            if !self.is_op(":") {
                break;
            }
        }
        Ok(match parts.len() {
            1 => format!("{value}[{}]", parts[0]),
            _ => {
                parts.resize(parts.len().max(3), "none".to_owned());
                format!("__slice({value}, {})", parts.join(", "))
            }
        })
    }

    fn arguments(&mut self) -> Written {
        let mut arguments = Vec::new();
        while !self.is_op(")") {
            let splat = ["**", "*"].into_iter().find(|op| self.eat_op(op));
            let next = self.tokens.get(self.at + 1);
            let is_named = matches!(
                (self.peek(), next),
                (Some(Token::Name(_)), Some(Token::Op("=")))
            );
            arguments.push(match splat {
                Some(splat) => format!("{splat}{}", self.ternary()?),
                None if is_named => {
                    let name = self.name()?;
                    self.expect("=")?;
                    format!("{name}={}", self.ternary()?)
                }
                None => self.ternary()?,
            });
            if !self.eat_op(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(arguments.join(", "))
    }

    fn filters(&mut self, value: String) -> Written {
        let mut value = value;
        loop {
            value = if self.eat_op("|") {
                let name = self.dotted_name()?;
                let arguments = match self.eat_op("(") {
                    true => self.arguments()?,
                    false => String::new(),
                };
                let seen = match COMPARING.contains(&name.as_str()) {
                    true => "__seen_through",
                    false => "__seen",
                };
                format!("({seen}({value})|{name}({arguments}))")
            } else if self.eat_name("is") {
                self.test(value)?
            } else if self.eat_op("(") {
                format!("{value}({})", self.arguments()?)
            } else {
                return Ok(value);
            };
        }
    }

    fn dotted_name(&mut self) -> Written {
        let mut name = self.name()?;
        while self.eat_op(".") {
            name = format!("{name}.{}", self.name()?);
        }
        Ok(name)
    }

    fn test(&mut self, value: String) -> Written {
        let not = match self.eat_name("not") {
            true => "not ",
            false => "",
        };
        let name = self.dotted_name()?;
        // Jinja2 3.1 knows these by name; the words of its operators it does not.
        let argument = if self.eat_op("(") {
            self.arguments()?
        } else if self.takes_argument() {
            let argument = self.primary()?;
            self.postfix(argument)?
        } else {
            return Ok(format!("({value} is {not}{name})"));
        };
        Ok(format!("({value} is {not}{name}({argument}))"))
    }

    /// Whether what follows a test's name is its argument.
    fn takes_argument(&self) -> bool {
        match self.peek() {
            Some(Token::Name(name)) => !["else", "or", "and", "is", "if", "in", "not", "recursive"]
                .contains(&name.as_str()),
            Some(Token::Number(_) | Token::Text(_)) => true,
            Some(Token::Op(op)) => ["[", "{"].contains(op),
            None => false,
        }
    }
}

/// One part as it is, several in one pair of brackets, so that long chains do not nest.
fn joined(mut parts: Vec<String>, operator: &str) -> String {
    match parts.len() {
        1 => parts.remove(0),
        _ => format!("({})", parts.join(operator)),
    }
}

/// As [`joined`], by a function.
fn called(function: &str, mut parts: Vec<String>) -> String {
    match parts.len() {
        1 => parts.remove(0),
        _ => format!("{function}({})", parts.join(", ")),
    }
}

/// As minijinja reads it.
pub(super) fn written(token: &Token) -> String {
    match token {
        Token::Name(name) => name.clone(),
        Token::Number(number) => number.clone(),
        Token::Op(op) => (*op).to_owned(),
        Token::Text(text) => {
            let mut out = String::from("\"");
            for c in text.chars() {
                match c {
                    '"' | '\\' => out.extend(['\\', c]),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    c => out.push(c),
                }
            }
            out + "\""
        }
    }
}
