//! The samples without a Dockerfile: each is built and answers. Not among them are Go and Rust, whose compilers the
//! cluster has no image of; what is written for them is a test in tests/offline/frameworks.rs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{World, holds};
use crate::repository::Repository;
use crate::traffic::get;

/// Samples and words of their answers.
const SAMPLES: [(&str, &str); 12] = [
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

    for (name, _) in SAMPLES {
        let git = json!({ "url": repository.url, "ref": { "commit": commit }, "path": name });
        let spec = json!({ "source": { "git": git }, "rollout": { "minReadySeconds": 0 } });
        world.deploy(&format!("sample-{name}"), &spec).await;
    }
    for (name, words) in SAMPLES {
        let status = world
            .until_status(&format!("sample-{name}"), "it serves or fails", |status| {
                holds(status, "Ready") || holds(status, "Stalled")
            })
            .await;
        assert!(holds(&status, "Ready"), "{name}: {:?}", status.failure);
        until_says(&format!("{}:{}", world.address, status.node_port.unwrap()), words).await;
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

/// Asks until the answer holds these words.
async fn until_says(address: &str, words: &str) {
    let (begun, mut clock) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
    let mut last = Err("never asked".to_owned());
    while begun.elapsed() < Duration::from_secs(30) {
        clock.tick().await;
        last = get(address).await;
        if last.as_ref().is_ok_and(|answer| answer.contains(words)) {
            return;
        }
    }
    panic!("{address} never said {words:?}, but {last:?}");
}
