//! Reads Python as far as detection needs it: the statements of a module, with strings, comments and brackets
//! recognized. It runs nothing.

/// Most statements of a file that are read.
const MAX_STATEMENTS: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a keyword or a number.
    Word(String),
    /// The content of a string without interpolation.
    Text(String),
    /// Any other character.
    Sign(char),
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// A simple statement, or the head of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) line: usize,
    /// It runs when the module is imported: it is not in a function, in a class or below `if __name__ == …`.
    pub(super) imported: bool,
    pub(super) tokens: Vec<Token>,
}

/// An assignment, with the called name or other value at its right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment<'s> {
    /// The names that get a value: `app` of `app: Flask = …`, both of `app, rt = …`.
    pub(super) names: Vec<&'s str>,
    /// The last name before the first bracket of a call: `Flask` of `flask.Flask(…)`.
    pub(super) called: Option<&'s str>,
    /// The tokens of the value.
    pub(super) value: &'s [Token],
}

impl Statement {
    /// `a = b = value`, `a: T = value` and `a, b = value`.
    pub(super) fn assignment(&self) -> Option<Assignment<'_>> {
        let tokens = &self.tokens;
        let mut depth = 0_usize;
        let mut signs = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                Token::Sign('=') if depth == 0 => {
                    let before = index.checked_sub(1).and_then(|at| tokens.get(at));
                    let after = tokens.get(index + 1);
                    if matches!(before, Some(Token::Sign(sign)) if "=!<>+-*/|&%^@:".contains(*sign))
                        || after.is_none_or(|token| token.is('='))
                    {
                        return None;
                    }
                    signs.push(index);
                }
                _ => {}
            }
        }
        let last = *signs.last()?;
        let mut names = Vec::new();
        let mut from = 0;
        for end in signs {
            let target = &tokens[from..end];
            let target = target.split(|token| token.is(':')).next().unwrap_or_default();
            // A name, or names separated by commas; not `a.b` or `a[0]`.
            let plain = target.iter().enumerate().all(|(at, token)| match token {
                Token::Word(_) => at % 2 == 0,
                token => at % 2 == 1 && token.is(','),
            });
            if plain {
                names.extend(target.iter().filter_map(Token::word));
            }
            from = end + 1;
        }
        let value = &tokens[last + 1..];
        (!names.is_empty()).then(|| Assignment { names, called: called(value), value })
    }

    /// Of `from shop.web import app as application`: module and pairs of the name there and the name here.
    pub(super) fn import_from(&self) -> Option<(String, Vec<(&str, &str)>)> {
        let tokens = &self.tokens;
        if tokens.first()?.word() != Some("from") {
            return None;
        }
        let at = tokens.iter().position(|token| token.word() == Some("import"))?;
        let module = tokens[1..at].iter().map(|token| match token {
            Token::Word(word) => word.clone(),
            Token::Sign(sign) => sign.to_string(),
            Token::Text(_) => String::new(),
        });
        let names = tokens[at + 1..].split(|token| token.is(',')).filter_map(|part| {
            let words: Vec<&str> = part.iter().filter_map(Token::word).collect();
            match words.as_slice() {
                [name] => Some((*name, *name)),
                [name, "as", other] => Some((*name, *other)),
                _ => None,
            }
        });
        Some((module.collect(), names.collect()))
    }

    /// Of `def create_app(config, debug=False):` the name and how many arguments it must be given.
    pub(super) fn function(&self) -> Option<(&str, usize)> {
        let at = self.tokens.iter().position(|token| token.word() == Some("def"))?;
        let before = self.tokens[..at].iter().all(|token| token.word() == Some("async"));
        let name = self.tokens.get(at + 1)?.word().filter(|_| before)?;
        let parameters = inside(&self.tokens[at + 2..]);
        let required = split(parameters).into_iter().filter(|parameter| {
            let optional = parameter.iter().any(|token| token.is('='));
            !optional && parameter.first().is_some_and(|token| token.word().is_some())
        });
        Some((name, required.count()))
    }

    /// Of `class Shop(flask.Flask):` the name and those of what it is derived from.
    pub(super) fn class(&self) -> Option<(&str, Vec<&str>)> {
        if self.tokens.first()?.word() != Some("class") {
            return None;
        }
        let name = self.tokens.get(1)?.word()?;
        let bases = split(inside(&self.tokens[2..]));
        Some((name, bases.iter().filter_map(|base| base.iter().rev().find_map(Token::word)).collect()))
    }
}

/// The name that a value calls first: `Flask` of `flask.Flask(__name__)`.
fn called(value: &[Token]) -> Option<&str> {
    let at = value.iter().position(|token| token.is('('))?;
    let before = value[..at].iter().all(|token| token.is('.') || token.word().is_some());
    value[..at].last().filter(|_| before)?.word().filter(|word| *word != "lambda")
}

/// The tokens inside of the first bracket.
fn inside(tokens: &[Token]) -> &[Token] {
    if !tokens.first().is_some_and(|token| token.is('(')) {
        return &[];
    }
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &tokens[1..index];
        }
    }
    &[]
}

/// The parts between commas outside of brackets.
fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut from) = (0_usize, 0);
    let mut parts = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Token::Sign(',') if depth == 0 => {
                parts.push(&tokens[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[from..]);
    parts
}

/// The statements of a module in their order. Text that is not Python becomes meaningless statements.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut reader =
        Reader { chars: text.chars().collect(), at: 0, line: 1, found: Vec::new(), blocks: Vec::new() };
    while reader.at < reader.chars.len() && reader.found.len() < MAX_STATEMENTS {
        reader.line();
    }
    reader.found
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    found: Vec<Statement>,
    /// The open blocks: their indentation, and whether their content runs at import.
    blocks: Vec<(usize, bool)>,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += 1;
        self.line += usize::from(char == '\n');
        Some(char)
    }

    /// A logical line: it ends with a newline outside brackets, and may hold several statements.
    fn line(&mut self) {
        let mut indent = 0;
        while let Some(char @ (' ' | '\t' | '\u{c}')) = self.peek() {
            indent += if char == '\t' { 8 - indent % 8 } else { 1 };
            self.at += 1;
        }
        let mut tokens = Vec::new();
        let mut line = self.line;
        let mut depth = 0_usize;
        while let Some(char) = self.peek() {
            match char {
                '\n' if depth == 0 => {
                    self.next();
                    break;
                }
                '#' => {
                    while self.peek().is_some_and(|char| char != '\n') {
                        self.at += 1;
                    }
                }
                '\\' => {
                    self.at += 1;
                    if self.peek() == Some('\r') {
                        self.at += 1;
                    }
                    self.next();
                }
                '"' | '\'' => {
                    let text = self.string();
                    tokens.push(text);
                }
                ';' if depth == 0 => {
                    self.next();
                    self.add(line, indent, std::mem::take(&mut tokens));
                    line = self.line;
                }
                char if char.is_alphanumeric() || char == '_' => {
                    let token = self.word();
                    tokens.push(token);
                }
                char => {
                    match char {
                        '(' | '[' | '{' => depth += 1,
                        ')' | ']' | '}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    self.next();
                    if !char.is_whitespace() {
                        tokens.push(Token::Sign(char));
                    }
                }
            }
        }
        self.add(line, indent, tokens);
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        while self.peek().is_some_and(|char| char.is_alphanumeric() || char == '_') {
            self.at += 1;
        }
        let word: String = self.chars[start..self.at].iter().collect();
        let prefix = word.len() <= 2 && word.chars().all(|char| "rRbBuUfFtT".contains(char));
        if prefix && matches!(self.peek(), Some('"' | '\'')) {
            let lower = word.to_ascii_lowercase();
            let text = self.string();
            // Interpolated values are unknown.
            return if lower.contains(['f', 't']) { Token::Sign('"') } else { text };
        }
        Token::Word(word)
    }

    fn string(&mut self) -> Token {
        let Some(quote) = self.next() else { return Token::Sign('"') };
        let triple = self.chars.get(self.at..self.at + 2) == Some(&[quote, quote]);
        if triple {
            self.at += 2;
        }
        let mut text = String::new();
        while let Some(char) = self.peek() {
            if char == '\\' {
                self.next();
                text.extend(self.next());
            } else if triple {
                if self.chars.get(self.at..self.at + 3) == Some(&[quote, quote, quote]) {
                    self.at += 3;
                    break;
                }
                text.extend(self.next());
            } else {
                if char == '\n' {
                    break;
                }
                self.next();
                if char == quote {
                    break;
                }
                text.push(char);
            }
        }
        Token::Text(text)
    }

    fn add(&mut self, line: usize, indent: usize, tokens: Vec<Token>) {
        if tokens.is_empty() {
            return;
        }
        self.blocks.retain(|(block, _)| *block < indent);
        let imported = self.blocks.iter().all(|(_, imported)| *imported);
        let first = tokens.iter().filter_map(Token::word).find(|word| *word != "async");
        let opens = tokens.last().is_some_and(|token| token.is(':'));
        let main = first == Some("if") && tokens.iter().any(|token| token.word() == Some("__name__"));
        if matches!(first, Some("def" | "class")) || main {
            self.blocks.push((indent, false));
        } else if opens {
            self.blocks.push((indent, true));
        }
        self.found.push(Statement { line, imported, tokens });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(String, Option<String>, bool)> {
        statements(text)
            .iter()
            .flat_map(|statement| {
                let assignment = statement.assignment();
                let called = assignment.as_ref().and_then(|found| found.called.map(str::to_owned));
                let names =
                    assignment.map(|found| found.names.iter().map(|name| (*name).to_owned()).collect());
                let imported = statement.imported;
                names.unwrap_or_else(Vec::new).into_iter().map(move |name| (name, called.clone(), imported))
            })
            .collect()
    }

    #[test]
    fn assignments_in_strings_and_comments_are_ignored() {
        let text =
            "'''\napp = Flask(__name__)\n'''\n# app = Flask(1)\nx = \"app = Flask(2)\"\nf(app=Flask(3))\n";
        assert_eq!(names(text), [("x".to_owned(), None, true)]);
    }

    #[test]
    fn a_call_is_read_across_lines_and_with_a_type_annotation() {
        let text = "app: flask.Flask = flask.Flask(\n    __name__,\n    a='#',\n)\na, rt = fast_app()\nb = c = \\\n  F()\n";
        let found: Vec<(String, String)> =
            names(text).into_iter().map(|(name, called, _)| (name, called.unwrap())).collect();
        let expected = [("app", "Flask"), ("a", "fast_app"), ("rt", "fast_app"), ("b", "F"), ("c", "F")];
        assert_eq!(found, expected.map(|(name, called)| (name.to_owned(), called.to_owned())));
    }

    #[test]
    fn only_statements_that_run_at_import_are_marked_as_such() {
        let text = "def f():\n    a = A()\nif x:\n    b = B()\ntry:\n    c = C()\nexcept E:\n    c = D()\nclass K:\n    d = D()\n\
                    if __name__ == '__main__':\n    e = E()\ng = G()\n";
        let imported: Vec<String> =
            names(text).into_iter().filter(|(_, _, imported)| *imported).map(|(name, _, _)| name).collect();
        assert_eq!(imported, ["b", "c", "c", "g"]);
    }

    #[test]
    fn required_arguments_of_a_function_are_counted() {
        let needs = |text: &str| statements(text)[0].function().map(|(name, needs)| (name.to_owned(), needs));
        assert_eq!(needs("def create_app():"), Some(("create_app".into(), 0)));
        assert_eq!(
            needs("def create_app(config: dict[str, int] = {}, *args, debug=False, **more) -> Flask:")
                .unwrap()
                .1,
            0
        );
        assert_eq!(needs("async def app(scope, receive, send): pass"), Some(("app".into(), 3)));
        assert_eq!(needs("x = 1"), None);
    }

    #[test]
    fn names_of_imports_and_classes_are_read() {
        let found = statements(
            "from .web.main import (app as application, # ours\n  other)\nclass Shop(flask.Flask, Mixin):\n  pass\n",
        );
        let (module, names) = found[0].import_from().unwrap();
        assert_eq!((module.as_str(), names), (".web.main", vec![("app", "application"), ("other", "other")]));
        assert_eq!(found[1].class(), Some(("Shop", vec!["Flask", "Mixin"])));
    }

    #[test]
    fn invalid_python_yields_no_definitions() {
        for text in [
            "",
            "(((",
            "'''",
            "\"",
            "\\",
            "a = = b",
            "=",
            "def",
            "class",
            "from",
            "if",
            "\u{0}",
            &"[".repeat(100_000),
        ] {
            for statement in statements(text) {
                assert_eq!((statement.class(), statement.function()), (None, None), "{text:.20}");
                assert_eq!(statement.assignment(), None, "{text:.20}");
            }
        }
    }
}
