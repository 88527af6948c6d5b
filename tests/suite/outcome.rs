//! What became of an example.

use super::example::Example;

/// Whether there is a plan.
#[derive(Clone, Debug)]
pub enum Planned {
    /// Yes, for this framework.
    Yes {
        /// Its name.
        framework: String,
    },
    /// No, for this reason.
    No(String),
    /// The question was not answered.
    Broken(String),
}

/// A row of the table.
#[derive(Debug)]
pub struct Outcome {
    /// The example.
    pub name: String,
    /// The framework of its plan, where it has one.
    pub plan: Option<String>,
    /// Whether the image was made; none where nobody tried.
    pub built: Option<bool>,
    /// Cases that did what they should, of those that were tried.
    pub right: usize,
    /// Cases that were tried.
    pub tried: usize,
    /// What it would need that there is none of here.
    pub needs: Vec<String>,
    /// Everything that is not as it should be, and why.
    pub why: Vec<String>,
    broken: bool,
}

impl Outcome {
    /// Before it was tried.
    pub fn new(example: &Example, planned: Planned) -> Self {
        let (plan, why, broken) = match planned {
            Planned::Yes { framework } => (Some(framework), vec![], false),
            Planned::No(why) => (None, vec![why], false),
            Planned::Broken(why) => (None, vec![why], true),
        };
        let needs = example.services.iter().map(|service| format!("a service {service}")).collect();
        Self { name: example.name.clone(), plan, built: None, right: 0, tried: 0, needs, why, broken }
    }

    /// It was tried and did not do what it should, for no want of anything.
    pub fn is_wrong(&self) -> bool {
        let failed = self.built == Some(false) || self.right < self.tried;
        self.broken || failed && self.needs.is_empty()
    }

    /// The first word of its name; `other` for what has none of its own.
    pub fn family(&self) -> &str {
        self.name.split_once('-').map_or("other", |(family, _)| family)
    }
}

/// The host that was looked for and not found, where that is what an output ends with.
pub fn missing_host(log: &str) -> Option<String> {
    const MARKS: [&str; 5] = [
        "getaddrinfo ENOTFOUND ",
        "getaddrinfo EAI_AGAIN ",
        "Could not resolve host: ",
        "lookup ",
        "Failed to resolve '",
    ];
    log.lines().rev().take(60).find_map(|line| {
        MARKS.iter().find_map(|mark| {
            let (_, rest) = line.split_once(mark)?;
            let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || ".-".contains(letter)));
            let host = &rest[..end.unwrap_or(rest.len())];
            // Programs in Go name what they ask, and only then that it is not there.
            let missing = *mark != "lookup " || line.contains("no such host");
            (missing && host.contains('.')).then(|| host.trim_end_matches('.').to_owned())
        })
    })
}
