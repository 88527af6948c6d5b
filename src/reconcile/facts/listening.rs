//! Where the image says that it listens, and where it is asked.

use super::super::world::Trouble;
use super::pod::NOT_READY;
use crate::record::Record;

/// The trouble with the way out, where the app does not answer and its image names other ports; any other as it is.
pub(super) fn explained(trouble: Trouble, record: Option<&Record>) -> Trouble {
    let ports = record.and_then(|record| record.image.as_ref()).map_or(&[][..], |image| &image.ports);
    let asked = record.and_then(|record| record.facts.template.pointer(PORT)?.as_u64());
    let Some(asked) = asked.filter(|asked| !ports.iter().any(|&port| u64::from(port) == *asked)) else {
        return trouble;
    };
    if trouble.reason != NOT_READY || ports.is_empty() {
        return trouble;
    }
    let said = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let message = format!(
        "the image exposes {said}, and spec.run.port is {asked}: write the port that the app listens on into spec.run.port. {}",
        trouble.message
    );
    Trouble { message, ..trouble }
}

/// Where a template has the port of the app.
const PORT: &str = "/spec/containers/0/ports/0/containerPort";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::{Facts, ImageFact};

    fn told(exposed: &[u16], reason: &str) -> String {
        let template = json!({ "spec": { "containers": [{ "ports": [{ "containerPort": 3000 }] }] } });
        let image = ImageFact { ports: exposed.to_vec(), ..ImageFact::default() };
        let facts = Facts { template, ..Facts::default() };
        let record = Record { facts, image: Some(image), ..Record::default() };
        explained(Trouble { reason: reason.into(), message: "it runs".into() }, Some(&record)).message
    }

    #[test]
    fn an_image_that_exposes_another_port_than_the_one_that_is_asked_is_told_of() {
        assert!(
            told(&[80, 8080], NOT_READY).starts_with("the image exposes 80, 8080, and spec.run.port is 3000")
        );
        for (exposed, reason) in [(&[][..], NOT_READY), (&[80, 3000], NOT_READY), (&[80], "CrashLoopBackOff")]
        {
            assert_eq!(told(exposed, reason), "it runs");
        }
    }
}
