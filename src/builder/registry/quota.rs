//! Whether a registry rejects a push because it is full. It reads only the status and the words of the registry, never
//! the URL of the request, which may contain any word.

use oci_client::errors::{OciDistributionError, OciEnvelope, OciError, OciErrorCode};
use serde_json::Value;

use super::super::log::{printable, shortened};

/// The words of distribution on a file system, Harbor, Quay and others with quotas.
const WORDS: [&str; 4] =
    ["no space left on device", "insufficient storage", "exceed the configured upper limit", "quota"];
/// distribution 2 returns the number of the system error, not its words.
const NO_SPACE: i64 = 28;
/// Most characters of the registry's own words.
const MAX_WORDS: usize = 300;

/// Whether a response with this status and these words means that the registry is full.
pub(in crate::builder) fn is_full(status: u16, words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    // 429 is a quota of requests, not of storage.
    status != 429 && (status == 507 || WORDS.iter().any(|known| words.contains(known)))
}

/// The words of the registry if it rejects because it is full.
pub(super) fn refusal(error: &OciDistributionError) -> Option<String> {
    let (status, words) = match error {
        OciDistributionError::ServerError { code, message, .. } => {
            let envelope = serde_json::from_str::<OciEnvelope>(message);
            (*code, envelope.map_or_else(|_| message.clone(), |envelope| said(&envelope)))
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            let busy = envelope.errors.iter().any(|error| error.code == OciErrorCode::Toomanyrequests);
            (if busy { 429 } else { 0 }, said(envelope))
        }
        _ => return None,
    };
    is_full(status, &words).then(|| shortened(&printable(&words), MAX_WORDS))
}

fn said(envelope: &OciEnvelope) -> String {
    envelope.errors.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

fn sentence(error: &OciError) -> String {
    let number = error.detail.pointer("/Enclosed/Err").and_then(Value::as_i64);
    let detail = match &error.detail {
        Value::Null => return error.message.clone(),
        _ if number == Some(NO_SPACE) => "no space left on device".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("{}: {detail}", error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, message: &str) -> Option<String> {
        let (url, message) = ("http://r/v2/you/quota/blobs/uploads/".to_owned(), message.to_owned());
        refusal(&OciDistributionError::ServerError { code, url, message })
    }

    fn envelope(text: &str) -> Option<String> {
        let envelope = serde_json::from_str(text).unwrap();
        refusal(&OciDistributionError::RegistryError { envelope, url: "http://r/v2/you/quota/".to_owned() })
    }

    #[test]
    fn answers_of_full_registries_are_detected() {
        // Answers of distribution 2.8: the first upload that finds the disk full, and every upload after it.
        for body in [
            r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"write /r/data: no space left on device"}]}"#,
            r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"write","Path":"/r/startedat","Err":28}}}]}"#,
        ] {
            let said = answer(500, body).unwrap();
            assert!(
                said.starts_with("unknown error: ") && said.ends_with("no space left on device"),
                "{said}"
            );
        }
        assert!(answer(507, "").is_some());
        assert!(answer(503, "disk quota exceeded").is_some());
        let harbor = "adding 29.0 MiB of storage resource, which when updated to current usage of 152.4 MiB will exceed the \
                      configured upper limit of 10.0 MiB.";
        let denied = |message: &str| format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}"#);
        assert_eq!(envelope(&denied(harbor)).as_deref(), Some(harbor));
        assert!(envelope(&denied("Quota has been exceeded on namespace")).is_some());
    }

    #[test]
    fn truncated_messages_are_marked() {
        let said = answer(507, &"x".repeat(MAX_WORDS + 1)).unwrap();
        assert_eq!(
            said,
            format!("{}…", "x".repeat(MAX_WORDS)),
            "redaction looks for partial secrets at this mark"
        );
    }

    #[test]
    fn other_rejections_are_not_mistaken_for_a_full_registry() {
        let denied = "requested access to the resource is denied";
        assert_eq!(envelope(&format!(r#"{{"errors":[{{"code":"DENIED","message":"{denied}"}}]}}"#)), None);
        let busy =
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Quota exceeded for requests per minute"}]}"#;
        assert_eq!((envelope(busy), answer(429, busy)), (None, None));
        for number in [13, 280] {
            let detail =
                format!(r#"{{"DriverName":"filesystem","Enclosed":{{"Op":"mkdir","Err":{number}}}}}"#);
            let body =
                format!(r#"{{"errors":[{{"code":"UNKNOWN","message":"unknown error","detail":{detail}}}]}}"#);
            assert_eq!(answer(500, &body), None, "{body}");
        }
        assert_eq!((answer(500, ""), answer(503, "<html>")), (None, None));
    }
}
