//! The samples without a Dockerfile: each is built and answers.

use std::path::Path;

use serde_json::json;

use crate::client::until_answer;
use crate::harness::World;
use crate::repository::Repository;

/// Samples and words of their answers.
const SAMPLES: [(&str, &str); 15] = [
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
    ("java-maven", "Hello from Java"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn every_sample_without_a_dockerfile_is_built_and_answers() {
    let world = World::new("frameworks").await;
    let repository = Repository::new("samples");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples/repositories");
    let commit = repository.commit_directory("Samples", &root);

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
