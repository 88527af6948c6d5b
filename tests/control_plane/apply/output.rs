//! Validation of `build.output` at apply.

use serde_json::json;

use super::{refusal, refused, with};
use crate::harness::{World, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_invalid_output_repository_is_rejected() {
    let words: &[&str] = &[
        "spec.build.output.repository must be a repository with its registry",
        "registry.example.org/you/shop",
    ];
    let of = |repository: &str| with(prebuilt(1), "/build/output/repository", json!(repository));
    let specs = [
        "shop",
        "you/shop",
        "https://r.example/you/shop",
        "r.example/you/shop:1",
        "r.example/You/shop",
        "r.example/",
        "r.example/a@sha256:00",
        "-r.example/a",
        "r.example/a,push=true",
        "r.example/a b",
        "ada:pw@r.example/a",
        "r.example//a",
    ];
    refused("refused-repository", specs.map(|repository| (of(repository), words)).to_vec()).await;
    let world = World::new("taken-repository").await;
    for (name, repository) in
        [("one", "r.example/you/shop"), ("two", "registry:5000/a-b/c_d/e.f"), ("three", "10.0.0.1:5000/a")]
    {
        world.try_apply(name, of(repository)).await.unwrap();
    }
    let other = with(prebuilt(1), "/build/output/cleanup", json!("Sometimes"));
    let said = refusal(&world, "four", &other).await;
    assert!(said.contains("spec.build.output.cleanup"), "{said}");
}
