//! What a plan reports: the versions that it uses and why, its assumptions, and possible problems.

use serde::Serialize;

/// The findings of one source. Each text is one sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::builder) struct Findings {
    /// Versions of languages and tools.
    pub(in crate::builder) versions: Vec<Choice>,
    /// What no file says, and what the build assumes instead.
    pub(in crate::builder) assumed: Vec<String>,
    /// What may fail later, and how to prevent it.
    pub(in crate::builder) warnings: Vec<String>,
}

/// A version that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::builder) struct Choice {
    /// `Node`, `pnpm`, `Python`.
    pub(in crate::builder) of: &'static str,
    /// As written in the Dockerfile.
    pub(in crate::builder) version: String,
    /// The file that names it, such as `engines in package.json`, or why it is the default.
    pub(in crate::builder) because: String,
}

impl Findings {
    /// Records the version of a language or tool, and the reason for it.
    pub(super) fn choose(
        &mut self,
        of: &'static str,
        version: impl Into<String>,
        because: impl Into<String>,
    ) {
        self.versions.push(Choice { of, version: version.into(), because: because.into() });
    }

    /// Records an assumption.
    pub(super) fn assume(&mut self, sentence: impl Into<String>) {
        self.assumed.push(sentence.into());
    }

    /// Records a possible problem.
    pub(super) fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(sentence.into());
    }

    /// All findings as lines, for a log or the head of an explanation.
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
