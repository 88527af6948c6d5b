//! Every version of every object of a namespace, in the order of the store: resource versions count across kinds. This
//! module only records; `invariants` decides what is wrong.

use std::collections::BTreeMap;

use serde_json::Value;

/// One version of one object.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// Plural name of the kind.
    pub resource: String,
    /// Name of the object.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Position in the order of all versions.
    pub at: u64,
    /// True if this version deletes it.
    pub gone: bool,
    /// The object, without managed fields.
    pub object: Value,
}

impl Version {
    /// Reads a version from a watch event.
    pub(crate) fn new(resource: &str, mut object: Value, gone: bool) -> Self {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            resource: resource.to_owned(),
            name: text(&object["metadata"]["name"]),
            uid: text(&object["metadata"]["uid"]),
            at: object["metadata"]["resourceVersion"].as_str().and_then(|at| at.parse().ok()).unwrap_or(0),
            gone,
            object,
        }
    }

    /// A label; empty if there is none.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.object["metadata"]["labels"][name].as_str().unwrap_or_default()
    }

    /// An annotation that contains JSON; null if there is none.
    pub(crate) fn annotation(&self, name: &str) -> Value {
        let text = self.object["metadata"]["annotations"][name].as_str();
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// True if it is being deleted.
    pub(crate) fn is_ending(&self) -> bool {
        self.gone || self.object["metadata"]["deletionTimestamp"].is_string()
    }

    /// A condition of the status; null if there is none.
    pub(crate) fn condition(&self, kind: &str) -> &Value {
        let conditions = self.object["status"]["conditions"].as_array();
        conditions
            .and_then(|conditions| conditions.iter().find(|condition| condition["type"] == kind))
            .unwrap_or(&Value::Null)
    }

    /// True if a condition has this status.
    pub(crate) fn says(&self, kind: &str, status: &str) -> bool {
        self.condition(kind)["status"] == status
    }

    /// Annotation of the pod template.
    pub(crate) fn template(&self, annotation: &str) -> &str {
        let annotations = &self.object["spec"]["template"]["metadata"]["annotations"];
        annotations[annotation].as_str().unwrap_or_default()
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    versions: Vec<Version>,
}

/// The objects at one moment, by resource and name.
pub(crate) type Moment<'a> = BTreeMap<(&'a str, &'a str), &'a Version>;

impl History {
    /// Sorts versions of any order.
    pub(crate) fn new(mut versions: Vec<Version>) -> Self {
        versions.sort_by_key(|version| version.at);
        Self { versions }
    }

    /// Every version of a kind, in order.
    pub(crate) fn of<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a Version> {
        self.versions.iter().filter(move |version| version.resource == resource)
    }

    /// Every version, in order.
    pub(crate) fn all(&self) -> &[Version] {
        &self.versions
    }

    /// Replays the history: calls the function after each version, with all objects at that moment and the version.
    pub(crate) fn replay<'a>(&'a self, mut look: impl FnMut(&Moment<'a>, &'a Version)) {
        let mut moment = Moment::new();
        for version in &self.versions {
            let key = (version.resource.as_str(), version.name.as_str());
            if version.gone {
                moment.remove(&key);
            } else {
                moment.insert(key, version);
            }
            look(&moment, version);
        }
    }

    /// The objects at the end.
    pub(crate) fn end(&self) -> Moment<'_> {
        let mut last = Moment::new();
        self.replay(|moment, _| last.clone_from(moment));
        last
    }

    /// Number of created objects by kind, without those of other projects or of no project.
    pub(crate) fn made(&self, project: &str) -> BTreeMap<String, usize> {
        let mut made: BTreeMap<String, std::collections::BTreeSet<&str>> = BTreeMap::new();
        let of_project =
            |version: &&Version| version.label("doce.dev/project") == project || version.name == project;
        for version in self.versions.iter().filter(of_project) {
            made.entry(version.resource.clone()).or_default().insert(&version.uid);
        }
        made.into_iter().map(|(resource, uids)| (resource, uids.len())).collect()
    }
}

/// The objects of a kind.
pub(crate) fn those<'a>(moment: &Moment<'a>, resource: &str) -> Vec<&'a Version> {
    moment.iter().filter(|((kind, _), _)| *kind == resource).map(|(_, version)| *version).collect()
}
