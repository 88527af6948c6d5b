//! The samples without a Dockerfile: each is built and answers.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::client::until_answer;
use crate::harness::World;
use crate::repository::Repository;

/// Samples and words of their answers.
const SAMPLES: [(&str, &str); 14] = [
    ("site", "Hello"),
    ("node-npm", "Hello from Node with npm"),
    ("node-pnpm", "Hello from Node with pnpm"),
    ("node-yarn", "Hello from Node with yarn"),
    ("next", "Hello from Next.js"),
    ("vite", "Hello from Vite"),
    ("astro", "Hello from Astro"),
    ("sveltekit", "Hello from SvelteKit"),
    ("flask", "Hello from Flask"),
    ("django", "Hello from Django"),
    ("fastapi", "Hello from FastAPI"),
    ("uv", "Hello from uv"),
    ("go", "Hello from Go"),
    ("rust", "Hello from Rust"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn every_sample_without_a_dockerfile_is_built_and_answers() {
    let world = World::new("frameworks").await;
    let repository = Repository::new("samples");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples/repositories");
    let mut files = Vec::new();
    for (name, _) in SAMPLES {
        collect(&root, &root.join(name), &mut files);
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let commit = repository.commit("Samples", &files);

    // As many at a time as are built at a time: none has to wait for all the others.
    for samples in SAMPLES.chunks(2) {
        for (name, _) in samples {
            let git = json!({ "url": repository.url, "ref": { "commit": commit }, "path": name });
            let spec = json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } });
            world.deploy(&format!("sample-{name}"), &spec).await;
        }
        for (name, words) in samples {
            let status = world.until_ready(&format!("sample-{name}")).await;
            until_answer(&world.address, status.node_port.unwrap(), words).await;
        }
    }
}

/// Every file below a directory, named relative to the root.
fn collect(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
