//! What a configuration in JavaScript or TypeScript exports, read as syntax and never run.
//!
//! The reader understands objects, texts, conditions on the mode and the environment, paths joined from `__dirname`,
//! functions that return the configuration, and wrappers such as `defineConfig`. Everything else is
//! [`Value::Computed`]. Work and depth are limited, because the text is untrusted.

use std::collections::{BTreeMap, HashMap};

use super::super::names::resolved;
use tokens::{Token, tokens};

mod reader;
mod tokens;

/// The prefix of paths that a configuration builds from its own directory.
const HERE: &str = "/@here";

/// A value as far as it can be known without running anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Bool(bool),
    /// `undefined`, `null`, or a variable that is not set.
    Nothing,
    Object(Vec<(String, Value)>),
    List(Vec<Value>),
    /// A call of an unknown function, with its arguments.
    Call(String, Vec<Value>),
    /// Only running it would tell.
    Computed,
}

/// The default export of a file; Computed if it cannot be read. `environment` is what `process.env` has besides
/// `NODE_ENV=production`.
pub(super) fn exported(text: &str, environment: &BTreeMap<String, String>) -> Value {
    let tokens = tokens(text);
    let file = File::new(&tokens, environment);
    file.exports.map_or(Value::Computed, |at| file.read(at))
}

/// A file as tokens, and where its names get their values.
struct File<'t> {
    tokens: &'t [Token<'t>],
    environment: &'t BTreeMap<String, String>,
    /// The partner of every bracket; the end for one without a partner.
    pairs: Vec<usize>,
    /// Where the value of a name begins.
    declared: HashMap<&'t str, usize>,
    /// `name.a.b = value` at the top of the file.
    assigned: Vec<(Vec<&'t str>, usize)>,
    /// Where the exported value begins.
    exports: Option<usize>,
}

impl<'t> File<'t> {
    fn new(tokens: &'t [Token<'t>], environment: &'t BTreeMap<String, String>) -> Self {
        let mut file = Self {
            tokens,
            environment,
            pairs: pairs(tokens),
            declared: HashMap::new(),
            assigned: Vec::new(),
            exports: None,
        };
        let mut depth = 0_usize;
        for (at, token) in tokens.iter().enumerate() {
            match *token {
                Token::Sign("{") => depth += 1,
                Token::Sign("}") => depth = depth.saturating_sub(1),
                Token::Word(word) => file.note(word, at, depth == 0),
                _ => {}
            }
        }
        file
    }

    /// Notes what a statement that begins with this word declares, assigns or exports.
    fn note(&mut self, word: &'t str, at: usize, top: bool) {
        let word_at = |at: usize| match self.tokens.get(at) {
            Some(Token::Word(word)) => Some(*word),
            _ => None,
        };
        let is_sign = |at: usize, sign: &str| self.tokens.get(at) == Some(&Token::Sign(sign));
        match (word, word_at(at + 1)) {
            ("const" | "let" | "var", Some(name)) => {
                let typed = if is_sign(at + 2, ":") { self.type_end(at + 3) } else { at + 2 };
                if is_sign(typed, "=") {
                    self.declared.entry(name).or_insert(typed + 1);
                }
            }
            ("function", Some(name)) => {
                self.declared.entry(name).or_insert(at);
            }
            ("export", Some("default")) if top => self.exports = Some(at + 2),
            _ if top
                && !(at > 0 && (is_sign(at - 1, ".") || matches!(self.tokens[at - 1], Token::Word(_)))) =>
            {
                let mut path = vec![word];
                let mut end = at + 1;
                while let (true, Some(name)) = (is_sign(end, "."), word_at(end + 1)) {
                    path.push(name);
                    end += 2;
                }
                if path.len() == 1 || !is_sign(end, "=") {
                    return;
                }
                if matches!(
                    path[..],
                    ["module", "exports"] | ["exports", "default"] | ["module", "exports", "default"]
                ) {
                    self.exports = Some(end + 1);
                } else {
                    self.assigned.push((path, end + 1));
                }
            }
            _ => {}
        }
    }

    /// Where a type of TypeScript ends.
    fn type_end(&self, mut at: usize) -> usize {
        let mut wanted = true;
        while let Some(token) = self.tokens.get(at) {
            match token {
                Token::Word("keyof" | "typeof" | "readonly") if wanted => at += 1,
                Token::Word(_) | Token::Text(_) if wanted => {
                    wanted = false;
                    at += 1;
                }
                Token::Sign("." | "|" | "&" | "=>") => {
                    wanted = true;
                    at += 1;
                }
                Token::Sign("{" | "(") if wanted => {
                    wanted = false;
                    at = self.pairs[at] + 1;
                }
                Token::Sign("[") => at = self.pairs[at] + 1,
                Token::Sign("<") => at = self.angle_end(at),
                _ => break,
            }
        }
        at
    }

    /// The position after the partner of `<`.
    fn angle_end(&self, at: usize) -> usize {
        let mut open = 0_usize;
        for (index, token) in self.tokens.iter().enumerate().skip(at) {
            match token {
                Token::Sign("<") => open += 1,
                Token::Sign(">") if open == 1 => return index + 1,
                Token::Sign(">") => open -= 1,
                _ => {}
            }
        }
        self.tokens.len()
    }
}

fn pairs(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut pairs = vec![tokens.len(); tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(" | "[" | "{") => open.push(at),
            Token::Sign(")" | "]" | "}") => {
                if let Some(partner) = open.pop() {
                    pairs[partner] = at;
                    pairs[at] = partner;
                }
            }
            _ => {}
        }
    }
    pairs
}

impl Value {
    /// The value below keys, in this configuration or the one that a wrapper receives.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self.configuration()?, |value, key| value.key(key))
    }

    fn key(&self, key: &str) -> Option<&Value> {
        let Self::Object(entries) = self else { return None };
        entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The object itself, or the first one that a wrapper such as `defineConfig` receives.
    fn configuration(&self) -> Option<&Value> {
        match self {
            Self::Object(_) => Some(self),
            Self::Call(_, given) => given.iter().find_map(Self::configuration),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Whether it is truthy; None: only running it would tell.
    fn truth(&self) -> Option<bool> {
        match self {
            Self::Text(text) => Some(!text.is_empty()),
            Self::Bool(value) => Some(*value),
            Self::Nothing => Some(false),
            Self::Object(_) | Self::List(_) => Some(true),
            Self::Call(..) | Self::Computed => None,
        }
    }
}

/// A path of a configuration, relative to the directory of the source. `root` is what other paths are relative to. None
/// if it leaves the source.
pub(super) fn directory(root: &str, path: &str) -> Option<String> {
    match path.strip_prefix(HERE) {
        Some(rest) => resolved("", rest),
        None if path.starts_with('/') => None,
        None => resolved(root, path),
    }
}

#[cfg(test)]
mod tests;
