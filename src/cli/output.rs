//! The formats of kubectl's flag `-o`.

use std::str::FromStr;

use serde::Serialize;
use serde_json::{Value, json};

use super::failure::Failure;
use super::jsonpath;
use super::screen::Screen;

/// A format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// A table or text for people.
    #[default]
    Table,
    /// The same with more columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `projectdeployment.doce.dev/NAME`.
    Name,
    /// The fields that a template names.
    JsonPath(String),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" | "text" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            _ => match text.strip_prefix("jsonpath=") {
                Some(template) => jsonpath::check(template).map(|()| Self::JsonPath(template.to_owned())),
                None => Err("use table, wide, json, yaml, name or jsonpath=TEMPLATE".to_owned()),
            },
        }
    }
}

impl Format {
    /// It is for people.
    pub(super) fn is_for_people(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// Prints what a machine reads. `names` are for the format `name`. Formats for people are the caller's.
pub(super) fn print<T: Serialize>(
    screen: &Screen,
    format: &Format,
    value: &T,
    names: &[String],
) -> Result<(), Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::error(format!("cannot write the result: {error}"));
    let value = serde_json::to_value(value).map_err(|error| broken(&error))?;
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&value).map_err(|error| broken(&error))?;
            screen.print(&text);
        }
        Format::Yaml => {
            let text = serde_yaml::to_string(&value).map_err(|error| broken(&error))?;
            screen.print_raw(&text);
        }
        Format::JsonPath(template) => {
            let text = jsonpath::render(template, &value).map_err(Failure::usage)?;
            screen.print(&text);
        }
        Format::Name => {
            for name in names {
                screen.print(&format!("projectdeployment.doce.dev/{name}"));
            }
        }
        Format::Table | Format::Wide => {}
    }
    Ok(())
}

/// A list as kubectl prints it.
pub(super) fn list<T: Serialize>(items: &[T]) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items })
}
