//! The configuration of a tool: its first existing file, read as syntax.

use super::super::findings::Findings;
use super::Source;
use super::javascript::{self, Value};
use crate::builder::outcome::Failure;

const EXTENSIONS: [&str; 6] = ["ts", "mts", "cts", "js", "mjs", "cjs"];

/// What a tool is configured with.
pub(super) struct Config {
    /// The file; empty if there is none.
    pub(super) file: String,
    value: Value,
}

impl Config {
    /// Reads the first of these files, named without extension, such as `vite.config`.
    pub(super) fn read(source: &Source<'_>, names: &[&str]) -> Result<Self, Failure> {
        for name in names {
            for extension in EXTENSIONS {
                let file = format!("{name}.{extension}");
                if let Some(text) = source.tree.text(&file)? {
                    let value = javascript::exported(&text, &source.settings.args);
                    return Ok(Self { file, value });
                }
            }
        }
        Ok(Self { file: String::new(), value: Value::Object(vec![]) })
    }

    /// The value below keys, such as `build.outDir`.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        self.value.get(path)
    }

    /// The text below keys. If only running the file would tell it, adds a warning that the default is assumed.
    pub(super) fn text(&self, path: &str, findings: &mut Findings) -> Option<String> {
        match self.get(path)? {
            Value::Text(text) => Some(text.clone()),
            Value::Computed | Value::Call(..) => {
                findings.warn(format!(
                    "{path} in {} is computed when the file runs, so the build assumes its default; if that is wrong, \
                     write a plain string. For a directory, you can set spec.build.outputDirectory instead",
                    self.file
                ));
                None
            }
            _ => None,
        }
    }

    pub(super) fn bool(&self, path: &str) -> Option<bool> {
        match self.get(path)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The object that a function of one of these names receives, anywhere in the configuration.
    pub(super) fn given(&self, functions: &[&str]) -> Option<&Value> {
        given(&self.value, functions)
    }

    /// Whether a function of one of these names is called.
    pub(super) fn calls(&self, functions: &[&str]) -> bool {
        calls(&self.value, functions)
    }
}

fn inner(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(entries) => entries.iter().map(|(_, value)| value).collect(),
        Value::List(values) | Value::Call(_, values) => values.iter().collect(),
        _ => vec![],
    }
}

fn given<'v>(value: &'v Value, functions: &[&str]) -> Option<&'v Value> {
    if let Value::Call(name, given) = value
        && functions.contains(&name.as_str())
    {
        return given.iter().find(|value| matches!(value, Value::Object(_)));
    }
    inner(value).into_iter().find_map(|value| given(value, functions))
}

fn calls(value: &Value, functions: &[&str]) -> bool {
    matches!(value, Value::Call(name, _) if functions.contains(&name.as_str()))
        || inner(value).into_iter().any(|value| calls(value, functions))
}
