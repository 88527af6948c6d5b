//! The manifest for a Git repository that a person names by its URL.

use serde_json::json;

use super::manifest::Manifest;
use crate::cli::arguments::Deploy;
use crate::cli::failure::Failure;

/// Longest name of a project, as the CRD says.
const LONGEST: usize = 40;

/// The manifest. The API server checks the URL.
pub(super) fn manifest(url: &str, verb: &Deploy) -> Result<Manifest, Failure> {
    let name = match &verb.name {
        Some(name) => name.clone(),
        None => name(url).ok_or_else(|| {
            Failure::usage(format!("{url} gives no name for the project. Choose one with --name"))
        })?,
    };
    let mut git = json!({ "url": url });
    let reference = [("branch", &verb.branch), ("tag", &verb.tag), ("commit", &verb.commit)];
    for (field, value) in reference {
        if let Some(value) = value {
            git["ref"] = json!({ field: value });
        }
    }
    if let Some(path) = &verb.path {
        git["path"] = json!(path);
    }
    if let Some(secret) = &verb.secret {
        git["secretRef"] = json!({ "name": secret });
    }
    let value = json!({
        "apiVersion": "doce.dev/v1alpha1",
        "kind": "ProjectDeployment",
        "metadata": { "name": name },
        "spec": { "source": { "git": git } },
    });
    Ok(Manifest { name, value })
}

/// A valid name from the last part of a URL.
fn name(url: &str) -> Option<String> {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
    let last = last.strip_suffix(".git").unwrap_or(last).to_lowercase();
    let valid: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let valid = valid.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let valid: String = valid.chars().take(LONGEST).collect();
    let valid = valid.trim_end_matches('-').to_owned();
    (!valid.is_empty()).then_some(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_a_valid_name() {
        for (url, expected) in [
            ("https://github.com/you/shop.git", Some("shop")),
            ("https://github.com/you/My_Shop/", Some("my-shop")),
            ("git@github.com:shop.git", Some("shop")),
            ("https://git.test/2048-game", Some("game")),
            ("https://git.test/123", None),
        ] {
            assert_eq!(name(url).as_deref(), expected, "{url}");
        }
        assert_eq!(name(&format!("https://x/{}", "a".repeat(60))).unwrap().len(), LONGEST);
    }
}
