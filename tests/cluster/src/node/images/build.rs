//! Makes an image in the store from a recipe.
//! It makes no image twice: a note records the manifest of a recipe.

use std::{os::unix::fs::MetadataExt, time::Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    layer,
    recipe::Recipe,
    root,
    store::{Descriptor, Layer, Store, hex},
};
use crate::{Attempt, Error, Tools, progress};

/// Raise this when a code change makes a different image from the same recipe.
const FORMAT: u32 = 2;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Returns the image of a recipe; makes it if the store lacks it.
pub(super) fn ensure(
    reference: &str,
    recipe: &Recipe,
    text: &str,
    store: &Store,
    tools: &Tools,
) -> Result<Descriptor, Error> {
    let key = format!("image-{}", &key(recipe, text, tools)?[..16]);
    if let Some(manifest) = store.noted(&key).filter(|manifest| complete(manifest, store)) {
        return Ok(manifest);
    }
    let packages = recipe.packages.as_ref();
    let root = packages.map(|packages| root::ensure(&recipe.release, packages, store)).transpose()?;
    let began = Instant::now();
    let added = layer::write(reference, recipe, root.as_ref(), store, tools)?;
    let layers: Vec<Layer> = root.into_iter().chain([added]).collect();
    let config = serde_json::to_value(&recipe.config)
        .map_err(|error| Error::failed("write an image's config", error))?;
    let manifest = assemble(&layers, &config, store)?;
    store.note(&key, &manifest)?;
    progress::say(format_args!("made the image {} in {}", reference, progress::seconds(began)));
    Ok(manifest)
}

/// Stores an image of these layers, for this machine's architecture.
pub(super) fn assemble(layers: &[Layer], config: &Value, store: &Store) -> Result<Descriptor, Error> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = store.put(CONFIG, &config)?;
    let layers: Vec<&Descriptor> = layers.iter().map(|layer| &layer.descriptor).collect();
    store.put(
        MANIFEST,
        &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}),
    )
}

fn complete(manifest: &Descriptor, store: &Store) -> bool {
    if !store.has(manifest) {
        return false;
    }
    let Ok(content) = store.get(manifest) else { return false };
    let parts = std::iter::once(&content["config"]).chain(content["layers"].as_array().into_iter().flatten());
    parts.into_iter().all(|part| serde_json::from_value(part.clone()).is_ok_and(|part| store.has(&part)))
}

fn key(recipe: &Recipe, text: &str, tools: &Tools) -> Result<String, Error> {
    let mut hash = Sha256::new();
    hash.update(FORMAT.to_le_bytes());
    hash.update(text);
    for compiler in &recipe.toolchains {
        hash.update(compiler.has()?);
    }
    for file in &recipe.files {
        if let Some(path) = layer::source(file, tools)? {
            // Size and time instead of the content, because hashing that would take a second at every start.
            let metadata = path.metadata().attempt(|| format!("inspect {}", path.display()))?;
            hash.update(format!("{} {} {}\n", path.display(), metadata.len(), metadata.mtime()));
        }
    }
    Ok(hex(hash.finalize().as_slice()))
}
