//! Compares the ports that the image exposes with the port that the kubelet checks.

use super::super::observed::Trouble;
use super::pod::NOT_LISTENING;
use crate::memory::record::Record;

/// Adds what to do if nothing listens on the checked port, and an image that was not generated here exposes other
/// ports. Returns any other trouble unchanged.
pub(super) fn explained(trouble: Trouble, record: Option<&Record>) -> Trouble {
    let image = record.and_then(|record| record.image.as_ref()).filter(|image| !image.generated);
    let ports = image.map_or(&[][..], |image| &image.ports);
    let declared = record.and_then(|record| record.facts.template.pointer(PORT)?.as_u64());
    let Some(declared) = declared.filter(|declared| !ports.iter().any(|&port| u64::from(port) == *declared))
    else {
        return trouble;
    };
    if trouble.reason != NOT_LISTENING || ports.is_empty() {
        return trouble;
    }
    let said = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let message = format!(
        "the image exposes {said}, but spec.run.port is {declared}: set spec.run.port to the port that the app listens on. {}",
        trouble.message
    );
    Trouble { message, ..trouble }
}

/// JSON pointer to the port of the app in a template.
const PORT: &str = "/spec/containers/0/ports/0/containerPort";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::pod::NOT_READY;
    use super::*;
    use crate::memory::record::{Facts, ImageFact};

    fn told(exposed: &[u16], reason: &str) -> String {
        of(ImageFact { ports: exposed.to_vec(), ..ImageFact::default() }, reason)
    }

    fn of(image: ImageFact, reason: &str) -> String {
        let template = json!({ "spec": { "containers": [{ "ports": [{ "containerPort": 3000 }] }] } });
        let facts = Facts { template, ..Facts::default() };
        let record = Record { facts, image: Some(image), ..Record::default() };
        explained(Trouble { reason: reason.into(), message: "it runs".into() }, Some(&record)).message
    }

    #[test]
    fn an_image_that_exposes_a_different_port_gets_a_hint() {
        assert!(
            told(&[80, 8080], NOT_LISTENING)
                .starts_with("the image exposes 80, 8080, but spec.run.port is 3000")
        );
        for (exposed, reason) in
            [(&[][..], NOT_LISTENING), (&[80, 3000], NOT_LISTENING), (&[80], "CrashLoopBackOff")]
        {
            assert_eq!(told(exposed, reason), "it runs");
        }
    }

    #[test]
    fn generated_images_and_images_that_answer_get_no_hint() {
        assert_eq!(told(&[80], NOT_READY), "it runs");
        let ours = ImageFact { ports: vec![8080], generated: true, ..ImageFact::default() };
        assert_eq!(of(ours, NOT_LISTENING), "it runs");
    }
}
