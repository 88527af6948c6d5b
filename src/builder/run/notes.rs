//! The annotations of a built image, from which a later build reports without building, and the labels that tools show.

use jiff::Timestamp;

use super::Build;
use crate::builder::detect::Recipe;
use crate::builder::git::Commit;
use crate::builder::http;
use crate::protocol::order::{Reference, Source};
use crate::protocol::report::Stage;
use crate::version::revision;

pub(super) const KEY: &str = "doce.dev/key";
pub(super) const MESSAGE: &str = "doce.dev/message";
pub(super) const AUTHOR: &str = "doce.dev/author";
pub(super) const COMMITTED_AT: &str = "doce.dev/committed-at";
pub(super) const FRAMEWORK: &str = "doce.dev/framework";

impl Build {
    /// The annotations of the manifest.
    pub(super) fn annotations(
        &self,
        key: &str,
        recipe: &Recipe,
        labels: &[(&'static str, String)],
    ) -> Vec<(&'static str, String)> {
        let Commit { subject, author, committed_at } = self.progress().commit;
        let mut notes = vec![(KEY, key.to_owned()), (FRAMEWORK, recipe.framework().to_owned())];
        notes.extend(subject.map(|subject| (MESSAGE, self.log.hide(&subject))));
        notes.extend(author.map(|author| (AUTHOR, self.log.hide(&author))));
        notes.extend(committed_at.map(|time| (COMMITTED_AT, time.to_string())));
        notes.extend(labels.iter().cloned());
        notes
    }

    /// The labels of the image, after the OCI image specification. `created` makes each build a different image. A key is
    /// built once, or again if its image is lost, so nothing relies on equal digests.
    pub(super) fn labels(&self, digest: &str, created: Timestamp) -> Vec<(&'static str, String)> {
        let mut labels = vec![
            ("org.opencontainers.image.revision", revision(digest).to_owned()),
            ("org.opencontainers.image.version", self.version(digest)),
            // Whole seconds, as the specification's examples have them.
            ("org.opencontainers.image.created", created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ];
        let source = place(&self.order.source).map(|source| self.log.hide(&source));
        labels.extend(source.map(|source| ("org.opencontainers.image.source", source)));
        labels
    }

    /// The tag in the source, else the beginning of the digest.
    fn version(&self, digest: &str) -> String {
        match &self.order.source {
            Source::Git { reference: Reference::Tag(name), .. } => name.clone(),
            _ => revision(digest).trim_start_matches("sha256:").chars().take(12).collect(),
        }
    }
}

/// The location of a source, without anything that grants access.
fn place(source: &Source) -> Option<String> {
    match source {
        Source::Git { url, .. } if !url.starts_with("http") => Some(url.clone()),
        Source::Git { url, .. } | Source::Archive { url, .. } => {
            http::named(url, Stage::Resolve).ok().map(|url| http::shown(&url))
        }
        Source::Oci { reference } | Source::Image { reference } => Some(reference.clone()),
        Source::ConfigMap { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::build;
    use super::*;

    fn labels(source: Source, digest: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let labels =
            build(dir.path(), source, 1800).labels(digest, "2026-03-04T05:06:07.89Z".parse().unwrap());
        labels
            .into_iter()
            .map(|(name, value)| format!("{}={value}", name.rsplit('.').next().unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn the_labels_of_an_image_name_its_source() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let git = |url: &str, reference| Source::Git { url: url.to_owned(), reference };
        let tag = git("https://git.test/you/shop.git", Reference::Tag("v1.4.0".into()));
        let created = "created=2026-03-04T05:06:07Z";
        let revision = format!("revision={commit}");
        let source = "source=https://git.test/you/shop.git";
        assert_eq!(labels(tag, commit), [revision.as_str(), "version=v1.4.0", created, source]);
        let ssh = labels(git("git@git.test:you/shop.git", Reference::Default), commit);
        assert_eq!(ssh[1..], ["version=0123456789ab", created, "source=git@git.test:you/shop.git"]);
        let files = labels(Source::ConfigMap { digest: "sha256:aa11".into() }, "sha256:aa11");
        assert_eq!(files, ["revision=sha256:aa11", "version=aa11", created]);
    }

    #[test]
    fn a_url_that_could_hold_a_password_is_not_a_label() {
        for url in ["https://ada:planted@git.test/x", "https://git.test/x?token=planted"] {
            let source = Source::Git { url: url.to_owned(), reference: Reference::Default };
            assert_eq!(place(&source), None, "{url}");
        }
    }
}
