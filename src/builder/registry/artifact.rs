//! Pushes a text beside the images as an OCI artifact: the only push by this program itself.

use std::time::Duration;

use oci_client::client::{Config, ImageLayer};
use oci_client::manifest::OciImageManifest;

use crate::distribution::MANIFEST;

use super::{Error, Registry, explain, parse};

const TITLE: &str = "org.opencontainers.image.title";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

impl Registry {
    /// Pushes `text` as the only layer, `text/plain`, of an artifact of type `kind`, named `file`, within
    /// `time`.
    pub(in crate::builder) async fn push_text(
        &self,
        reference: &str,
        (kind, file): (&str, &str),
        text: String,
        time: Duration,
    ) -> Result<(), Error> {
        let place = parse(reference)?;
        // With a title, tools that pull artifacts write it to a file of that name.
        let title = [(TITLE.to_owned(), file.to_owned())].into();
        let layers = [ImageLayer::new(text.into_bytes(), "text/plain".to_owned(), Some(title))];
        let config = Config::new(b"{}".to_vec(), EMPTY.to_owned(), None);
        let mut manifest = OciImageManifest::build(&layers, &config, None);
        manifest.media_type = Some(MANIFEST.to_owned());
        manifest.artifact_type = Some(kind.to_owned());
        let auth = self.auth(&place);
        let work = self.client.push(&place, &layers, config, &auth, Some(manifest));
        match tokio::time::timeout(time, work).await {
            Ok(answer) => answer.map(drop).map_err(|error| explain(&place, &error)),
            Err(_) => Err(Error::Unreachable {
                image: place.to_string(),
                why: format!("no answer within {} s", time.as_secs()),
            }),
        }
    }
}
