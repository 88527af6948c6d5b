//! Examples of Railpack's suite: a directory with a `test.json` that says what should happen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The file with the cases.
const CASES: &str = "test.json";

/// Output of the servers that the other builder adds to its images.
const OF_ITS_SERVERS: [&str; 2] = ["using config from file", "starting server loop"];

/// One directory of the suite.
#[derive(Debug)]
pub struct Example {
    /// Its name.
    pub name: String,
    /// Its path.
    pub directory: PathBuf,
    /// The expected behaviour, case by case.
    pub cases: Vec<Case>,
    /// True if a railpack.json, which only the other builder reads, configures its build.
    pub is_configured: bool,
    /// Its own services, by the names in its docker-compose.yml.
    pub services: Vec<String>,
}

/// One start of the image.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Case {
    /// Expected output.
    pub expected_output: Texts,
    /// Expected answer.
    pub http_check: Option<HttpCheck>,
    /// Its environment, also during the build.
    pub envs: BTreeMap<String, String>,
    /// The target platform of its build.
    pub platform: Option<String>,
    /// A configuration of the other builder.
    pub config_file: Option<String>,
    /// True if it is not started.
    pub just_build: bool,
    /// True if the other builder rejects it.
    pub should_fail: bool,
}

/// One request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpCheck {
    /// Path of the request.
    #[serde(default)]
    pub path: String,
    /// Status code.
    pub expected: u16,
    /// Port on which the other builder's image listens.
    pub internal_port: u16,
    /// Expected text in the answer.
    #[serde(default)]
    pub expected_output: Texts,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    All(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::All(vec![])
    }
}

impl Texts {
    /// The texts.
    pub fn words(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::All(texts) => texts,
        }
    }
}

impl Case {
    /// Why the case does not apply to this project, if it does not.
    pub fn foreign(&self) -> Option<&'static str> {
        if self.config_file.is_some() || self.should_fail {
            return Some("about railpack.json");
        }
        if self.expected_output.words().iter().any(|words| OF_ITS_SERVERS.contains(&words.as_str())) {
            return Some("about a server of Railpack");
        }
        self.platform.as_ref().filter(|there| *there != "linux/amd64").map(|_| "for another platform")
    }

    /// True if variables of the other builder configure it. The expected behaviour may occur without them; if not, that
    /// says nothing about this project.
    pub fn is_set_up(&self) -> bool {
        self.envs.keys().any(|name| is_of_railpack(name))
    }

    /// Its environment without the variables that only the other builder reads.
    pub fn environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.envs.iter().filter(|(name, _)| !is_of_railpack(name))
    }
}

fn is_of_railpack(name: &str) -> bool {
    name.starts_with("RAILPACK_") || name.starts_with("MISE_")
}

impl Example {
    /// All examples of a suite, ordered by name.
    pub fn all(suite: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(suite).unwrap_or_else(|error| panic!("{}: {error}", suite.display()));
        let mut directories: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        directories.retain(|path| path.is_dir());
        directories.sort();
        directories.iter().map(|directory| Self::read(directory)).collect()
    }

    /// Reads the example in a directory. Without a file of cases, the test only builds it.
    pub fn read(directory: &Path) -> Self {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let file = directory.join(CASES);
        let cases = match std::fs::read_to_string(&file) {
            Ok(text) => cases(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
            Err(_) => vec![Case { just_build: true, ..Case::default() }],
        };
        let is_configured = directory.join("railpack.json").is_file();
        Self { name, directory: directory.to_owned(), cases, is_configured, services: services(directory) }
    }
}

/// Parses a file of cases, which may contain comments and trailing commas.
pub fn cases(text: &str) -> Result<Vec<Case>, json5::Error> {
    json5::from_str(text)
}

fn services(directory: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(directory.join("docker-compose.yml")) else { return vec![] };
    let compose: serde_json::Value = serde_yaml::from_str(&text).unwrap_or_default();
    compose["services"].as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
}
