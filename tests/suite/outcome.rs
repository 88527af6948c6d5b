//! What became of an example.

use super::example::Example;

/// Whether there is a plan.
#[derive(Clone, Debug)]
pub enum Planned {
    /// Yes, for this framework.
    Yes {
        /// Its name.
        framework: String,
        /// The base images that it names.
        images: Vec<String>,
        /// Its versions, each with the reason.
        versions: Vec<String>,
    },
    /// No, for this reason.
    No(String),
    /// The question was not answered.
    Broken(String),
}

/// What a trial says of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody tried.
    Untried,
    /// It does all that it should.
    Right,
    /// It does not, for want of something that cannot be had here.
    Needs,
    /// It prints another version than the other builder's default, where the source says no version or only the oldest.
    AnotherDefault,
    /// It was built, and all its cases are about the other builder.
    NothingToCompare,
    /// It does not, for no want of anything.
    Wrong,
}

/// A row of the table.
#[derive(Debug)]
pub struct Outcome {
    /// The example.
    pub name: String,
    /// The framework of its plan, where it has one.
    pub plan: Option<String>,
    /// The base images of its plan.
    pub images: Vec<String>,
    /// The versions of its plan, each with the reason.
    pub versions: Vec<String>,
    /// All that it did otherwise is that it printed another version than the example expects.
    pub prints_another_version: bool,
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

    /// What the trial says.
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

    /// It was tried and did not do what it should, for no want of anything.
    pub fn is_wrong(&self) -> bool {
        self.verdict() == Verdict::Wrong
    }

    /// Notes why something is not as it should be, and what it would have needed.
    pub fn note(&mut self, why: String, needs: Option<String>) {
        self.why.push(why);
        self.needs.extend(needs.filter(|needs| !self.needs.contains(needs)));
    }

    /// The first word of its name; `other` for what has none of its own.
    pub fn family(&self) -> &str {
        self.name.split_once('-').map_or("other", |(family, _)| family)
    }
}

/// Whether the source leaves a version to the builder.
fn is_free(reason: &str) -> bool {
    ["the source names no version", "or later"].iter().any(|words| reason.contains(words))
}
