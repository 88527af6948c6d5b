//! Labels and annotations that children get: `spec.run.podLabels` and `podAnnotations`, and those of the object itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Labels by their key.
pub type Labels = BTreeMap<String, LabelValue>;

/// The value of a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LabelValue(#[schemars(length(max = 63))] pub String);

/// Labels and annotations of the object that its children get in addition to their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}
