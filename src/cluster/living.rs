//! Which projects there are, by uid: children of a project that is gone are about to go too and are not touched.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use crate::crd::ProjectDeployment;

/// The uids of the projects that the watch has told of and that are not being deleted.
#[derive(Debug, Default)]
pub struct Living {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    uids: HashSet<String>,
    /// What a list under way has told so far.
    listed: Option<HashSet<String>>,
}

impl Living {
    /// Takes in what the watch tells; whether a list has just been completed.
    pub fn heard(&self, event: &Event<ProjectDeployment>) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => inner.listed = Some(HashSet::new()),
            Event::InitApply(object) => {
                let uid = alive(object);
                if let Some(listed) = inner.listed.as_mut() {
                    listed.extend(uid);
                }
            }
            Event::InitDone => inner.uids = inner.listed.take().unwrap_or_default(),
            Event::Apply(object) => match alive(object) {
                Some(uid) => {
                    inner.uids.insert(uid);
                }
                None => {
                    inner.uids.remove(&object.uid().unwrap_or_default());
                }
            },
            Event::Delete(object) => {
                inner.uids.remove(&object.uid().unwrap_or_default());
            }
        }
        matches!(event, Event::InitDone)
    }

    /// Takes in that a read did not find it, before the watch tells.
    pub fn gone(&self, uid: &str) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).uids.remove(uid);
    }

    /// Whether there is a project of that uid.
    #[must_use]
    pub fn has(&self, uid: &str) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).uids.contains(uid)
    }
}

fn alive(object: &ProjectDeployment) -> Option<String> {
    object.uid().filter(|_| object.metadata.deletion_timestamp.is_none())
}
