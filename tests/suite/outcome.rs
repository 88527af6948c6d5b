//! The result of an example.

use super::example::Example;

/// Whether an example has a plan.
#[derive(Clone, Debug)]
pub enum Planned {
    /// Yes, for this framework.
    Yes {
        /// Its name.
        framework: String,
        /// Its base images.
        images: Vec<String>,
        /// Its versions, each with the reason.
        versions: Vec<String>,
    },
    /// No, for this reason.
    No(String),
    /// `--explain` itself failed.
    Broken(String),
}

/// The verdict on an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not tried.
    Untried,
    /// It does everything that it should.
    Right,
    /// It fails because something is not available here.
    Needs,
    /// It prints another version than the other builder's default, and the source names no version or only the oldest
    /// one.
    AnotherDefault,
    /// It was built, and all its cases are about the other builder.
    NothingToCompare,
    /// It fails although everything is available.
    Wrong,
}

/// A row of the table.
#[derive(Debug)]
pub struct Outcome {
    /// The example.
    pub name: String,
    /// The framework of its plan, if it has one.
    pub plan: Option<String>,
    /// The base images of its plan.
    pub images: Vec<String>,
    /// The versions of its plan, each with the reason.
    pub versions: Vec<String>,
    /// True if the only difference is that it printed another version than the example expects.
    pub prints_another_version: bool,
    /// Whether the image was built; none if it was not tried.
    pub built: Option<bool>,
    /// Cases that passed.
    pub right: usize,
    /// Cases that were tried.
    pub tried: usize,
    /// What it needs but is not available here.
    pub needs: Vec<String>,
    /// All differences and their reasons.
    pub why: Vec<String>,
    broken: bool,
}

impl Outcome {
    /// Creates the result before the trial.
    pub fn new(example: &Example, planned: Planned) -> Self {
        let (plan, images, versions, why, broken) = match planned {
            Planned::Yes { framework, images, versions } => {
                (Some(framework), images, versions, vec![], false)
            }
            Planned::No(why) => (None, vec![], vec![], vec![why], false),
            Planned::Broken(why) => (None, vec![], vec![], vec![why], true),
        };
        let needs = example.services.iter().map(|service| format!("a service {service}")).collect();
        Self {
            name: example.name.clone(),
            plan,
            images,
            versions,
            prints_another_version: false,
            built: None,
            right: 0,
            tried: 0,
            needs,
            why,
            broken,
        }
    }

    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict {
        match self.built {
            _ if self.broken => Verdict::Wrong,
            None => Verdict::Untried,
            Some(true) if self.tried == 0 => Verdict::NothingToCompare,
            Some(true) if self.right == self.tried => Verdict::Right,
            Some(_) if !self.needs.is_empty() => Verdict::Needs,
            Some(_) if self.prints_another_version && self.versions.iter().any(|why| is_free(why)) => {
                Verdict::AnotherDefault
            }
            Some(_) => Verdict::Wrong,
        }
    }

    /// True if it was tried and failed although everything is available.
    pub fn is_wrong(&self) -> bool {
        self.verdict() == Verdict::Wrong
    }

    /// Records a failure and what the example lacked.
    pub fn note(&mut self, why: String, needs: Option<String>) {
        self.why.push(why);
        self.needs.extend(needs.filter(|needs| !self.needs.contains(needs)));
    }

    /// The first word of its name; `other` if the name has only one word.
    pub fn family(&self) -> &str {
        self.name.split_once('-').map_or("other", |(family, _)| family)
    }
}

/// True if the source leaves a version to the builder.
fn is_free(reason: &str) -> bool {
    ["the source names no version", "or later"].iter().any(|words| reason.contains(words))
}
