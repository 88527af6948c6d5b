//! Which events are about a project: by the objects that carry its label, and not by the beginning of a name, because a
//! project `shop` and a project `shop-api` share one.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Event;
use kube::Resource;

/// Characters that Kubernetes adds to the name of an owner for the name of a pod.
const SUFFIX: usize = 5;

/// A project and what belongs to it.
#[derive(Default)]
pub(super) struct Children {
    project: String,
    uids: BTreeSet<String>,
    /// Names of objects that make pods. Events outlive the pods.
    owners: BTreeSet<String>,
}

impl Children {
    pub(super) fn new(project: &str) -> Self {
        Self { project: project.to_owned(), ..Self::default() }
    }

    /// Adds objects of the project.
    pub(super) fn add<K: Resource>(&mut self, objects: &[K]) {
        self.uids.extend(objects.iter().filter_map(kube::ResourceExt::uid));
    }

    /// Adds objects of the project whose pods belong to it too.
    pub(super) fn add_with_pods<K: Resource>(&mut self, objects: &[K]) {
        self.add(objects);
        self.owners.extend(objects.iter().map(kube::ResourceExt::name_any));
    }

    /// Whether an event is about one of them.
    pub(super) fn concern(&self, event: &Event) -> bool {
        let about = &event.involved_object;
        let name = about.name.as_deref().unwrap_or_default();
        let is_pod = about.kind.as_deref() == Some("Pod");
        let owner = name.rsplit_once('-').filter(|(_, rest)| is_pod && rest.len() == SUFFIX);
        name == self.project
            || about.uid.as_ref().is_some_and(|uid| self.uids.contains(uid))
            || owner.is_some_and(|(owner, _)| self.owners.contains(owner))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_a_project_whose_name_begins_alike_are_not_its_own() {
        let set: ReplicaSet =
            serde_json::from_value(json!({ "metadata": { "name": "shop-5d9c", "uid": "set" } })).unwrap();
        let mut shop = Children::new("shop");
        shop.add_with_pods(&[set]);
        for (kind, name, uid, expected) in [
            ("ProjectDeployment", "shop", "p", true),
            ("Deployment", "shop", "d", true),
            ("ReplicaSet", "shop-5d9c", "set", true),
            ("Pod", "shop-5d9c-abcde", "gone", true),
            ("ProjectDeployment", "shop-api", "q", false),
            ("ReplicaSet", "shop-api-77aa", "r", false),
            ("Pod", "shop-api-77aa-abcde", "s", false),
            ("Pod", "shop-5d9c-77aa-abcde", "t", false),
        ] {
            let event = json!({
                "metadata": { "name": "e" }, "involvedObject": { "kind": kind, "name": name, "uid": uid },
            });
            let event: Event = serde_json::from_value(event).unwrap();
            assert_eq!(shop.concern(&event), expected, "{kind} {name}");
        }
    }
}
