//! Reads values from the tokens of a file.

use super::{File, HERE, Token, Value};

/// Limits: nesting of values, and values in all.
const DEPTH: usize = 48;
const VALUES: usize = 50_000;

/// A place in a file.
struct Reader<'f> {
    file: &'f File<'f>,
    at: usize,
    depth: usize,
    left: usize,
}

impl File<'_> {
    /// The value that begins at a word.
    pub(super) fn read(&self, at: usize) -> Value {
        Reader { file: self, at, depth: 0, left: VALUES }.expression()
    }
}

/// Operators by precedence. Any other operator ends an expression or makes it Computed.
fn strength(sign: &str) -> Option<u8> {
    match sign {
        "||" | "??" => Some(1),
        "&&" => Some(2),
        "==" | "===" | "!=" | "!==" => Some(3),
        "<" | ">" | "<=" | ">=" => Some(4),
        "+" | "-" => Some(5),
        "*" | "/" | "%" => Some(6),
        _ => None,
    }
}

fn apply(sign: &str, left: Value, right: Value) -> Value {
    match (sign, left.truth()) {
        ("||", Some(true)) | ("&&", Some(false)) => left,
        ("||", Some(false)) | ("&&", Some(true)) => right,
        ("??", Some(_)) => {
            if left == Value::Nothing {
                right
            } else {
                left
            }
        }
        ("==" | "===", _) => equal(&left, &right).map_or(Value::Computed, Value::Bool),
        ("!=" | "!==", _) => equal(&left, &right).map_or(Value::Computed, |equal| Value::Bool(!equal)),
        ("+", _) => match (left, right) {
            (Value::Text(left), Value::Text(right)) => Value::Text(left + &right),
            _ => Value::Computed,
        },
        _ => Value::Computed,
    }
}

fn equal(left: &Value, right: &Value) -> Option<bool> {
    let plain = |value: &Value| matches!(value, Value::Text(_) | Value::Bool(_) | Value::Nothing);
    (plain(left) && plain(right)).then(|| left == right)
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token<'_>> {
        self.file.tokens.get(self.at)
    }

    fn is(&self, sign: &str) -> bool {
        self.peek() == Some(&Token::Sign(sign))
    }

    /// The position after the partner of a bracket.
    fn behind(&self, at: usize) -> usize {
        self.file.pairs.get(at).map_or(self.file.tokens.len(), |partner| partner + 1)
    }

    /// A value, with conditions.
    fn expression(&mut self) -> Value {
        if self.depth >= DEPTH || self.left == 0 {
            self.at = self.file.tokens.len();
            return Value::Computed;
        }
        self.depth += 1;
        self.left -= 1;
        let value = self.operators(1);
        let value = if self.is("?") { self.condition(&value) } else { value };
        self.depth -= 1;
        value
    }

    fn condition(&mut self, asked: &Value) -> Value {
        self.at += 1;
        let yes = self.expression();
        if !self.is(":") {
            return Value::Computed;
        }
        self.at += 1;
        let no = self.expression();
        match asked.truth() {
            Some(true) => yes,
            Some(false) => no,
            None if yes == no => yes,
            None => Value::Computed,
        }
    }

    fn operators(&mut self, least: u8) -> Value {
        let mut left = self.operand();
        while let Some(Token::Sign(sign)) = self.file.tokens.get(self.at) {
            let Some(strength) = strength(sign).filter(|strength| *strength >= least) else { break };
            self.at += 1;
            let right = self.operators(strength + 1);
            left = apply(sign, left, right);
        }
        left
    }

    fn operand(&mut self) -> Value {
        if self.left == 0 || self.depth >= DEPTH {
            self.at = self.file.tokens.len();
            return Value::Computed;
        }
        self.left -= 1;
        let start = self.at;
        self.at += 1;
        let value = match self.file.tokens.get(start) {
            Some(Token::Text(text)) => Value::Text(text.clone()),
            Some(Token::Sign("{")) => self.object(start),
            Some(Token::Sign("[")) => self.list(start),
            Some(Token::Sign("(")) => self.group(start),
            Some(Token::Sign("!")) => {
                self.nested(Self::operand).truth().map_or(Value::Computed, |truth| Value::Bool(!truth))
            }
            Some(Token::Sign("-" | "+" | "...")) => {
                self.nested(Self::operand);
                Value::Computed
            }
            Some(Token::Word(word)) => self.word(word),
            Some(Token::Other) => Value::Computed,
            // The end of the enclosing value.
            Some(Token::Sign(_)) | None => {
                self.at = start;
                return Value::Computed;
            }
        };
        self.behind_value(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Value) -> Value {
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &str) -> Value {
        match word {
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            "undefined" | "null" => return Value::Nothing,
            "await" | "new" => return self.nested(Self::operand),
            "async" if !self.is("=>") => return self.nested(Self::operand),
            "typeof" | "void" | "delete" => {
                self.nested(Self::operand);
                return Value::Computed;
            }
            "function" => return self.function(),
            _ => {}
        }
        if self.is("=>") {
            return self.body();
        }
        let mut name = word.to_owned();
        while self.is(".") || self.is("?.") {
            let Some(Token::Word(member)) = self.file.tokens.get(self.at + 1) else { break };
            name = format!("{name}.{member}");
            self.at += 2;
        }
        self.type_arguments();
        if self.is("(") {
            let given = self.list(self.at);
            let Value::List(given) = given else { return Value::Computed };
            return self.call(&name, given);
        }
        self.named(&name)
    }

    /// `f<T>(…)`: the part in angles.
    fn type_arguments(&mut self) {
        if self.is("<") {
            let end = self.file.angle_end(self.at);
            if end - self.at < 64 && self.file.tokens.get(end) == Some(&Token::Sign("(")) {
                self.at = end;
            }
        }
    }

    /// What may follow a value: members, calls, types.
    fn behind_value(&mut self, mut value: Value) -> Value {
        loop {
            match self.peek() {
                Some(Token::Sign("." | "?.")) => {
                    self.at += 2;
                    value = Value::Computed;
                }
                Some(Token::Sign("[")) => {
                    self.at = self.behind(self.at);
                    value = Value::Computed;
                }
                Some(Token::Sign("(")) => {
                    let given = self.list(self.at);
                    value = match (value, given) {
                        // A wrapper that a call returned: its arguments count.
                        (Value::Call(name, _), Value::List(given)) => Value::Call(name, given),
                        _ => Value::Computed,
                    };
                }
                Some(Token::Word("as" | "satisfies")) => self.at = self.file.type_end(self.at + 1),
                Some(Token::Sign("!")) => self.at += 1,
                _ => return value,
            }
        }
    }

    /// Parentheses: around a value, or around the parameters of a function.
    fn group(&mut self, open: usize) -> Value {
        let behind = self.behind(open);
        self.at = behind;
        if self.is(":") {
            let end = self.file.type_end(behind + 1);
            if self.file.tokens.get(end) == Some(&Token::Sign("=>")) {
                self.at = end;
            }
        }
        if self.is("=>") {
            return self.body();
        }
        self.at = open + 1;
        let value = self.expression();
        self.at = behind;
        value
    }

    /// The value that `=> …` returns.
    fn body(&mut self) -> Value {
        self.at += 1;
        if self.is("{") { self.returned(self.at) } else { self.expression() }
    }

    /// `function name(…) { … }`: what it returns.
    fn function(&mut self) -> Value {
        while self.peek().is_some() && !self.is("(") {
            self.at += 1;
        }
        self.at = self.behind(self.at);
        while self.peek().is_some() && !self.is("{") {
            self.at += 1;
        }
        self.returned(self.at)
    }

    /// The value of the last unconditional `return` of a block, else of the last one.
    fn returned(&mut self, open: usize) -> Value {
        let end = self.behind(open);
        let (mut plain, mut guarded) = (None, None);
        let (mut at, mut depth) = (open + 1, 0_usize);
        while at + 1 < end {
            match &self.file.tokens[at] {
                Token::Word("return") if depth == 0 => plain = Some(at + 1),
                Token::Word("return") => guarded = Some(at + 1),
                Token::Sign("{") if self.begins_function(at) => {
                    at = self.behind(at);
                    continue;
                }
                Token::Sign("{") => depth += 1,
                Token::Sign("}") => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        let Some(start) = plain.or(guarded) else {
            self.at = end;
            return Value::Nothing;
        };
        self.at = start;
        let value = self.expression();
        self.at = end;
        value
    }

    /// Whether a brace opens the body of a function and not that of `if` and the like.
    fn begins_function(&self, brace: usize) -> bool {
        let Some(before) = brace.checked_sub(1) else { return false };
        match &self.file.tokens[before] {
            Token::Sign("=>") => true,
            Token::Sign(")") => {
                let word = self.file.pairs.get(before).and_then(|open| open.checked_sub(1));
                !matches!(
                    word.and_then(|at| self.file.tokens.get(at)),
                    Some(Token::Word("if" | "for" | "while" | "switch" | "catch"))
                )
            }
            _ => false,
        }
    }

    fn list(&mut self, open: usize) -> Value {
        let behind = self.behind(open);
        self.at = open + 1;
        let mut values = Vec::new();
        while self.at + 1 < behind {
            values.push(self.expression());
            self.skip_to_comma(behind);
        }
        self.at = behind;
        Value::List(values)
    }

    /// The position after the next comma of this bracket.
    fn skip_to_comma(&mut self, behind: usize) {
        while self.at + 1 < behind && !self.is(",") {
            let opens = matches!(self.peek(), Some(Token::Sign("(" | "[" | "{")));
            self.at = if opens { self.behind(self.at) } else { self.at + 1 };
        }
        self.at += 1;
    }

    fn object(&mut self, open: usize) -> Value {
        let behind = self.behind(open);
        self.at = open + 1;
        let mut entries = Vec::new();
        while self.at + 1 < behind {
            self.entry(&mut entries);
            self.skip_to_comma(behind);
        }
        self.at = behind;
        Value::Object(entries)
    }

    fn entry(&mut self, entries: &mut Vec<(String, Value)>) {
        if self.is("...") {
            self.at += 1;
            if let Value::Object(spread) = self.expression() {
                entries.extend(spread);
            }
            return;
        }
        let key = match self.peek() {
            Some(Token::Word(word)) => (*word).to_owned(),
            Some(Token::Text(text)) => text.clone(),
            _ => return,
        };
        let is_name = matches!(self.peek(), Some(Token::Word(_)));
        self.at += 1;
        match self.peek() {
            Some(Token::Sign(":")) => {
                self.at += 1;
                let value = self.expression();
                entries.push((key, value));
            }
            Some(Token::Sign("," | "}")) if is_name => {
                let value = self.named(&key);
                entries.push((key, value));
            }
            // A method, a getter.
            _ => entries.push((key, Value::Computed)),
        }
    }

    /// The value of a name and of what is below it.
    fn named(&mut self, name: &str) -> Value {
        if let Some(variable) = name.strip_prefix("process.env.") {
            let set = self.file.environment.get(variable);
            let usual = (variable == "NODE_ENV").then_some("production");
            let text = set.map(String::as_str).or(usual);
            return text.map_or(Value::Nothing, |text| Value::Text(text.to_owned()));
        }
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        let Some(at) = self.file.declared.get(first) else {
            return match name {
                "__dirname" | "import.meta.dirname" => Value::Text(HERE.to_owned()),
                "import.meta.url" | "__filename" | "import.meta.filename" => Value::Text(format!("{HERE}/_")),
                // The parameters of the function that a configuration may be.
                "mode" => Value::Text("production".to_owned()),
                "command" => Value::Text("build".to_owned()),
                _ => Value::Computed,
            };
        };
        let mut value = self.elsewhere(*at);
        for (path, at) in self.file.assigned.iter().filter(|(path, _)| path[0] == first) {
            let assigned = self.elsewhere(*at);
            set(&mut value, &path[1..], assigned);
        }
        parts.try_fold(value, |value, part| value.key(part).cloned().ok_or(())).unwrap_or(Value::Computed)
    }

    /// A value at another place of the file.
    fn elsewhere(&mut self, at: usize) -> Value {
        let here = std::mem::replace(&mut self.at, at);
        let value = self.nested(Self::expression);
        self.at = here;
        value
    }

    fn call(&mut self, name: &str, given: Vec<Value>) -> Value {
        let texts: Option<Vec<&str>> = given.iter().map(Value::text).collect();
        let last = name.rsplit('.').next().unwrap_or(name);
        match (last, texts.as_deref()) {
            ("cwd", Some([])) if name == "process.cwd" => return Value::Text(HERE.to_owned()),
            ("resolve" | "join", Some(parts @ [_, ..])) => {
                let begins = last == "join" || parts[0].starts_with('/');
                let from = if begins { Vec::new() } else { vec![HERE] };
                return Value::Text([from, parts.to_vec()].concat().join("/"));
            }
            ("URL", Some([path, base])) if base.starts_with(HERE) => {
                return Value::Text(format!("{HERE}/{path}"));
            }
            ("fileURLToPath" | "String" | "normalizePath", Some([path])) => {
                return Value::Text((*path).to_owned());
            }
            ("dirname", Some([path])) => {
                let parent = path.rsplit_once('/').map_or(".", |(parent, _)| parent);
                return Value::Text(parent.to_owned());
            }
            _ => {}
        }
        if self.file.declared.contains_key(name) {
            let value = self.named(name);
            if !matches!(value, Value::Call(..) | Value::Computed | Value::Nothing) {
                return value;
            }
        }
        Value::Call(name.to_owned(), given)
    }
}

/// Sets the value below keys of an object.
fn set(value: &mut Value, path: &[&str], to: Value) {
    let Value::Object(entries) = value else { return };
    match path {
        [] => {}
        [key] => entries.push(((*key).to_owned(), to)),
        [key, rest @ ..] => {
            if let Some((_, inner)) = entries.iter_mut().rev().find(|(name, _)| name == key) {
                set(inner, rest, to);
            }
        }
    }
}
