//! The samples without a Dockerfile: each is built and answers. `SAMPLES=all` also runs those that a normal run leaves
//! out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use doce_operator::crd::ProjectDeployment;
use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, LogParams};
use serde_json::{Value, json};

use crate::client::until_answer;
use crate::harness::{PATIENCE, World};
use crate::pods::is_ending;
use crate::repository::Repository;

/// Samples and text of their answers. The slow ones come first, so that none runs alone at the end.
const SAMPLES: [(&str, &str); 31] = [
    ("nuxt", "Hello from Nuxt"),
    ("kotlin-maven", "Hello from Kotlin"),
    ("next", "Hello from Next.js"),
    ("angular", "Hello from Angular"),
    ("react-router", "Hello from React Router"),
    ("nestjs", "Hello from NestJS"),
    ("rust", "Hello from Rust"),
    ("cpp", "Hello from C++"),
    ("astro", "Hello from Astro"),
    ("sveltekit", "Hello from SvelteKit"),
    ("poetry", "Hello from Poetry"),
    ("pipenv", "Hello from Pipenv"),
    ("pdm", "Hello from PDM"),
    ("php", "Hello from PHP"),
    ("deno", "Hello from Deno"),
    ("workspace", "Hello from a workspace"),
    ("elixir", "Hello from Elixir"),
    ("ruby", "Hello from Ruby"),
    ("java-maven", "Hello from Java"),
    ("bun", "Hello from Bun"),
    ("vite", "Hello from Vite"),
    ("django", "Hello from Django"),
    ("fastapi", "Hello from FastAPI"),
    ("flask", "Hello from Flask"),
    ("uv", "Hello from uv"),
    ("go", "Hello from Go"),
    ("node-npm", "Hello from Node with npm"),
    ("node-pnpm", "Hello from Node with pnpm"),
    ("node-yarn", "Hello from Node with yarn"),
    ("shell", "Hello from a shell script"),
    ("site", "Hello"),
];

/// More Vite samples. Normal runs have no time for them; `SAMPLES=all` includes them.
const MORE: [(&str, &str); 4] = [
    ("solid-start", "Hello from SolidStart"),
    ("qwik", "Hello from Qwik"),
    ("vitepress", "Hello from VitePress"),
    ("tanstack-start", "Hello from TanStack Start"),
];

/// The sample that listens on no port, and its output.
const WORKER: (&str, &str) = ("worker", "Hello from a worker");

/// The workspace sample, and the member that runs.
const WORKSPACE: (&str, &str) = ("workspace", "apps/api");

/// As many as are built at once.
const AT_A_TIME: usize = 2;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples/repositories")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn every_sample_without_a_dockerfile_is_built_and_answers() {
    let world = World::new("frameworks").await;
    world.enforces("restricted").await;
    let all = Repository::new("samples");
    let commit = all.commit_directory("Samples", &directory());
    let workspace = Repository::new("workspace");
    let of_workspace = workspace.commit_directory("Workspace", &directory().join(WORKSPACE.0));

    let all_of_them = std::env::var("SAMPLES").is_ok_and(|which| which == "all");
    let more = MORE.into_iter().filter(|_| all_of_them);
    let samples = [WORKER].into_iter().chain(more).chain(SAMPLES);
    stream::iter(samples)
        .for_each_concurrent(AT_A_TIME, async |(name, words)| {
            let git = if name == WORKSPACE.0 {
                json!({ "url": workspace.url, "ref": { "commit": of_workspace }, "path": WORKSPACE.1 })
            } else {
                json!({ "url": all.url, "ref": { "commit": commit }, "path": name })
            };
            is_built_and_answers(&world, name, &git, words).await;
        })
        .await;
}

async fn is_built_and_answers(world: &World, name: &str, git: &Value, words: &str) {
    let begun = Instant::now();
    let project = format!("sample-{name}");
    let health = if name == WORKER.0 { "None" } else { "HTTP" };
    let spec = json!({
        "source": { "git": git },
        "run": { "health": { "type": health } },
        "rollout": { "minReadySeconds": 0 },
    });
    world.deploy(&project, &spec).await;
    let status = world.until_ready(&project).await;
    if name == WORKER.0 {
        until_printed(world, &project, words).await;
    } else {
        until_answer(&world.address, status.node_port.unwrap(), words).await;
    }
    println!("{name}: {:.0} s", begun.elapsed().as_secs_f64());
    // The next samples need the memory of the node.
    world.api::<ProjectDeployment>().delete(&project, &DeleteParams::default()).await.unwrap();
}

/// Follows the log of a project's pod until it contains these words.
async fn until_printed(world: &World, project: &str, words: &str) {
    let of = |pod: &Pod| {
        pod.labels().get("app.kubernetes.io/name").is_some_and(|name| name == project) && !is_ending(pod)
    };
    let pods = world.until_pods("its pod exists", |pods| pods.iter().any(of)).await;
    let name = pods.iter().find(|pod| of(pod)).unwrap().name_any();
    let parameters = LogParams { follow: true, ..LogParams::default() };
    let printed = world.api::<Pod>().log_stream(&name, &parameters).await.unwrap();
    let mut lines = printed.lines();
    let found = tokio::time::timeout(PATIENCE, async {
        while let Some(line) = lines.try_next().await.unwrap() {
            if line.contains(words) {
                return true;
            }
        }
        false
    });
    assert_eq!(found.await, Ok(true), "{project} never printed {words:?}");
}

#[test]
fn the_tests_cover_every_sample() {
    let mut there: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // The sample of the demo has a Dockerfile.
        .filter(|name| name != "hello")
        .collect();
    let mut tried: Vec<&str> = [WORKER].iter().chain(&SAMPLES).chain(&MORE).map(|(name, _)| *name).collect();
    there.sort();
    tried.sort_unstable();
    assert_eq!(there, tried);
}
