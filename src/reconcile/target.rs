//! The version that the spec yields, and the target once pin and hold count. Pure: derived from the project and the
//! observed state. `decide` and `status` share it, so the two cannot disagree.

use crate::memory::ledger::{Ledger, Lookup};
use crate::memory::record::{ImageFact, Record, SourceFact};
use crate::project::{DigestSource, Project};
use crate::version;

use super::observed::{ConfigMap, Observed};

/// The version that the spec yields without pin and hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecVersion {
    /// The version, 64 hex digits.
    pub version: String,
    /// The build key; `None` for a prebuilt image.
    pub key: Option<String>,
    /// Its source.
    pub source: SourceFact,
    /// The image, if it needs no build.
    pub image: Option<ImageFact>,
}

/// What the pin resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// No pin is set.
    None,
    /// It matches this version.
    Known(String),
    /// It matches no version, or more than one. Holds the candidates.
    Unknown(Vec<String>),
}

/// The desired version and the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What the spec yields without pin and hold, once the source is known.
    pub from_spec: Option<SpecVersion>,
    /// What the pin resolves to.
    pub pin: Pin,
    /// The desired version: the pin, else what the spec yields.
    pub desired: Option<String>,
    /// What a rollback leaves: the desired version or, until the first lookup of a branch or tag has an answer, the
    /// lookup.
    pub left: Option<String>,
    /// The hold is in force.
    pub held: bool,
    /// The target: the hold's target while the hold is in force, else the desired version.
    pub version: Option<String>,
    /// The version of the Deployment's template.
    pub in_place: Option<String>,
}

/// Derives the target from project and observed state.
#[must_use]
pub fn target(project: &Project, observed: &Observed) -> Target {
    let empty = Ledger::default();
    target_with(project, observed, observed.ledger.as_ref().unwrap_or(&empty))
}

/// The target as it will be with this ledger.
#[must_use]
pub fn target_with(project: &Project, observed: &Observed, ledger: &Ledger) -> Target {
    let from_spec = from_spec(project, observed, ledger);
    let pin = project.pin.as_deref().map_or(Pin::None, |pin| pinned(pin, observed, from_spec.as_ref()));
    let desired = match &pin {
        Pin::None => from_spec.as_ref().map(|from_spec| from_spec.version.clone()),
        Pin::Known(version) => Some(version.clone()),
        Pin::Unknown(_) => None,
    };
    let left = desired.clone().or_else(|| unanswered(project, ledger).filter(|_| pin == Pin::None));
    let held = left.as_deref().is_some_and(|left| in_force(ledger, left));
    let of_hold = ledger.hold.as_ref().filter(|_| held).map(|hold| hold.target.clone());
    Target {
        version: of_hold.or_else(|| desired.clone()),
        in_place: observed.rollout.as_ref().and_then(|rollout| rollout.version.clone()),
        from_spec,
        pin,
        desired,
        left,
        held,
    }
}

/// The digest of the source, if known, with what is known about it.
#[must_use]
pub fn answer(project: &Project, observed: &Observed, ledger: &Ledger) -> Option<SourceFact> {
    let known =
        |digest: String| SourceFact { digest, reference: project.reference(), ..SourceFact::default() };
    match project.origin() {
        DigestSource::Fixed(digest) => {
            let told = told(observed, &digest);
            Some(SourceFact { digest, reference: project.reference(), ..told })
        }
        DigestSource::ConfigMap(_) => match &observed.config_map {
            ConfigMap::Digest(digest) => Some(known(digest.clone())),
            ConfigMap::Missing | ConfigMap::NotAsked => None,
        },
        DigestSource::LookedUp(of) => ledger
            .lookup
            .as_ref()
            .filter(|lookup| lookup.of == of)
            .and_then(|lookup| Some(lookup.answer.as_ref()?.source.clone())),
    }
}

/// The first lookup of the source, while it has no answer.
fn unanswered(project: &Project, ledger: &Ledger) -> Option<String> {
    let DigestSource::LookedUp(of) = project.origin() else { return None };
    ledger.lookup.as_ref().filter(|lookup| lookup.of == of && lookup.answer.is_none())?;
    Some(of)
}

/// Message, author and time of a source from an earlier record: a commit never changes them.
fn told(observed: &Observed, digest: &str) -> SourceFact {
    let same = |source: &SourceFact| source.digest == digest && source.message.is_some();
    observed.records.values().map(Record::source).find(same).unwrap_or_default()
}

/// What the spec yields without pin and hold, if its source is known.
pub(super) fn from_spec(project: &Project, observed: &Observed, ledger: &Ledger) -> Option<SpecVersion> {
    let source = answer(project, observed, ledger)?;
    if project.prebuilt() {
        let reference = project.prebuilt_image(&source.digest);
        let version = version::version(&reference, &project.run);
        let told = observed.reports().find(|built| built.digest == source.digest);
        let image = told.map_or_else(ImageFact::default, |built| ImageFact {
            uid: built.uid,
            platform: built.platform.clone(),
            ports: built.ports.clone(),
            ..ImageFact::default()
        });
        let image = ImageFact { reference, ..image };
        return Some(SpecVersion { version, key: None, source, image: Some(image) });
    }
    let key = version::build_key(&source.digest, &project.settings);
    Some(SpecVersion {
        version: version::version(&key, &project.run),
        image: observed.image_of(&key),
        key: Some(key),
        source,
    })
}

/// Resolves the pin. A pin that equals the version of the spec is built normally, so a manifest with a pin works on a
/// new cluster.
fn pinned(pin: &str, observed: &Observed, from_spec: Option<&SpecVersion>) -> Pin {
    let mut matches: Vec<&String> =
        observed.records.keys().filter(|version| version.starts_with(pin)).collect();
    let own = from_spec.map(|from_spec| &from_spec.version).filter(|version| version.starts_with(pin));
    matches.extend(own.filter(|own| !observed.records.contains_key(*own)));
    match matches[..] {
        [version] => Pin::Known(version.clone()),
        [] => Pin::Unknown(observed.records.keys().cloned().collect()),
        _ => Pin::Unknown(matches.into_iter().cloned().collect()),
    }
}

fn in_force(ledger: &Ledger, desired: &str) -> bool {
    ledger.hold.as_ref().is_some_and(|hold| {
        let other_live = |(version, life): (&String, &crate::memory::ledger::VersionState)| {
            *version != hold.target && life.live.is_some_and(|live| live > hold.since)
        };
        hold.left == desired && !ledger.versions.iter().any(other_live)
    })
}

/// Why a version with an image must never start; `None` if it may.
#[must_use]
pub fn forbidden(observed: &Observed, version: &str) -> Option<&'static str> {
    let record = observed.records.get(version).filter(|record| record.wants_root_in_vain());
    record.map(|_| {
        "its image runs as root, which spec.run.security: Restricted forbids. Add USER with a number above 0 to its \
         Dockerfile, or set spec.run.security: Baseline"
    })
}

/// Whether the image of this record is gone from its registry, and the spec still says how to build it. With other build
/// settings, the result would be another version.
#[must_use]
pub fn rebuildable(project: &Project, observed: &Observed, record: &Record) -> bool {
    if record.lost.is_none() || project.prebuilt() {
        return false;
    }
    let source = &record.facts.source;
    let content = match project.origin() {
        DigestSource::ConfigMap(_) => observed.config_map == ConfigMap::Digest(source.digest.clone()),
        DigestSource::Fixed(_) | DigestSource::LookedUp(_) => true,
    };
    content
        && is_same_source(&source.reference, &project.reference())
        && record.facts.key == Some(version::build_key(&source.digest, &project.settings))
}

/// Whether both texts name a Git repository, or the same archive, artifact or ConfigMap. Records of the first release name none.
fn is_same_source(recorded: &str, asked: &str) -> bool {
    let is_git = |text: &str| {
        text == "the default branch"
            || ["branch ", "tag ", "commit "].iter().any(|word| text.starts_with(word))
    };
    recorded.is_empty() || recorded == asked || is_git(recorded) && is_git(asked)
}

/// Whether no init command has to run before the pods of this version: it has none, or it succeeded. A version that was
/// live started after its init command, even if the ledger was lost since.
#[must_use]
pub fn initialized(ledger: &Ledger, observed: &Observed, version: &str) -> bool {
    let life = ledger.state(version);
    let has = observed.records.get(version).is_some_and(|record| record.facts.init_command.is_some());
    !has || life.initialized || life.live.is_some()
}

/// The version that `rollback=previous` selects: the one that went live last, other than `but`, not failed, with a
/// record and an image, also one that is gone from its registry.
pub fn previous(ledger: &Ledger, observed: &Observed, but: Option<&str>) -> Option<String> {
    let built =
        |version: &str| observed.records.get(version).is_some_and(|record| record.named_image().is_some());
    last_live(ledger, |version| Some(version) != but && built(version)).map(str::to_owned)
}

/// The version that went live last and has not failed, even if its record is gone.
pub fn newest_live(ledger: &Ledger) -> Option<String> {
    last_live(ledger, |_| true).map(str::to_owned)
}

/// The version that went live last, has not failed, and is `among` those that count.
pub(super) fn last_live(ledger: &Ledger, among: impl Fn(&str) -> bool) -> Option<&str> {
    let good = ledger.versions.iter().filter(|(_, state)| state.failed.is_none());
    let live = good.filter_map(|(version, state)| Some((state.live?, version.as_str())));
    live.filter(|(_, version)| among(version)).max().map(|(_, version)| version)
}

/// The lookup that has no answer yet. A pin needs none.
pub(super) fn open_lookup<'a>(project: &Project, ledger: &'a Ledger, target: &Target) -> Option<&'a Lookup> {
    let DigestSource::LookedUp(of) = project.origin() else { return None };
    let is_open = |lookup: &&Lookup| {
        lookup.of == of && lookup.answer.as_ref().is_none_or(|answer| answer.number < lookup.number)
    };
    ledger.lookup.as_ref().filter(is_open).filter(|_| !matches!(target.pin, Pin::Known(_)))
}
