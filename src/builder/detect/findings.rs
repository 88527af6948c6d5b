//! What a plan says of itself: the versions that it takes and why, what it assumes, what could go wrong.

use serde::Serialize;

/// The findings of one source, a sentence each where they are texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::builder) struct Findings {
    /// Versions of languages and tools.
    pub(in crate::builder) versions: Vec<Choice>,
    /// What no file says, and what is taken instead.
    pub(in crate::builder) assumed: Vec<String>,
    /// What may fail later, and what prevents it.
    pub(in crate::builder) warnings: Vec<String>,
}

/// A version that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::builder) struct Choice {
    /// `Node`, `pnpm`, `Python`.
    pub(in crate::builder) of: &'static str,
    /// As it stands in the Dockerfile.
    pub(in crate::builder) version: String,
    /// The file that says so, such as `engines in package.json`, or why it is the default.
    pub(in crate::builder) because: String,
}

impl Findings {
    /// A version of a language or tool, and why it is this one.
    pub(super) fn choose(
        &mut self,
        of: &'static str,
        version: impl Into<String>,
        because: impl Into<String>,
    ) {
        self.versions.push(Choice { of, version: version.into(), because: because.into() });
    }

    /// Something that no file says.
    pub(super) fn assume(&mut self, sentence: impl Into<String>) {
        self.assumed.push(sentence.into());
    }

    /// Something that may fail later.
    pub(super) fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(sentence.into());
    }

    /// Everything as lines for a log or the head of an explanation.
    pub(in crate::builder) fn lines(&self) -> Vec<String> {
        let versions = self
            .versions
            .iter()
            .map(|choice| format!("{} {}: {}", choice.of, choice.version, choice.because));
        let assumed = self.assumed.iter().map(|text| format!("note: {text}"));
        let warnings = self.warnings.iter().map(|text| format!("warning: {text}"));
        versions.chain(assumed).chain(warnings).map(|line| line.replace(['\n', '\r'], " ")).collect()
    }
}
