//! Validation at apply: the API server rejects the spec with a message that names the field and the fix.

use serde_json::{Value, json};

use crate::harness::{World, commit, prebuilt};

#[path = "apply/output.rs"]
mod output;

/// A valid spec with `value` at `pointer`; missing parents are created.
fn with(mut spec: Value, pointer: &str, value: Value) -> Value {
    let mut place = &mut spec;
    for step in pointer.split('/').skip(1) {
        place = &mut place[step];
    }
    *place = value;
    spec
}

fn image(reference: &str) -> Value {
    json!({ "source": { "image": { "reference": reference } } })
}

fn git(key: &str, value: &str) -> Value {
    json!({ "source": { "git": { "url": "https://git.test/app.git", "ref": { key: value } } } })
}

fn url(url: &str) -> Value {
    json!({ "source": { "git": { "url": url } } })
}

async fn refusal(world: &World, name: &str, spec: &Value) -> String {
    match world.try_apply(name, spec.clone()).await {
        Err(kube::Error::Api(status)) => status.message,
        other => panic!("{name} was not rejected: {spec}; {other:?}"),
    }
}

/// Checks that every spec is rejected with a message that contains all of these words.
async fn refused(test: &str, specs: Vec<(Value, &[&str])>) {
    let world = World::new(test).await;
    for (spec, words) in specs {
        let said = refusal(&world, "shop", &spec).await;
        for word in words {
            assert!(said.contains(word), "{spec}\nis rejected without {word:?}:\n{said}");
        }
    }
}

const ONE_SOURCE: &[&str] = &["spec.source needs exactly one of git, archive, oci, configMap or image"];
const URL: &[&str] = &[
    "spec.source.git.url must be an http://, https:// or ssh:// URL without password",
    "https://github.com/you/shop.git",
];
const IMAGE: &[&str] =
    &["spec.source.image.reference must be an image reference such as ghcr.io/you/shop:1.4.0"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_spec_without_exactly_one_source_is_rejected() {
    let two = json!({ "source": { "image": { "reference": "app:1" }, "configMap": { "name": "site" } } });
    let no_ref: &[&str] = &["spec.source.git.ref needs exactly one of branch, tag or commit"];
    let two_refs = json!({ "source": { "git": { "url": "https://git.test/app.git", "ref": { "branch": "main", "tag": "v1" } } } });
    let empty_ref = json!({ "source": { "git": { "url": "https://git.test/app.git", "ref": {} } } });
    let none: &[&str] = &["spec.source", "Required value"];
    let specs = vec![
        (json!({}), none),
        (json!({ "source": {} }), ONE_SOURCE),
        (two, ONE_SOURCE),
        (empty_ref, no_ref),
        (two_refs, no_ref),
    ];
    refused("refused-source", specs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_invalid_repository_url_is_rejected() {
    // Bad input 65: ext:: transport, at apply
    // Bad input 66: option as URL, at apply
    // Bad input 66: option as host of ssh, at apply
    // Bad input 68: file URL, at apply
    // Bad input 70: token in the URL of a repository, at apply
    // Bad input 70: password in a URL of ssh, at apply
    let urls = [
        "file:///etc/passwd",
        "ext::sh -c id",
        "ssh://git:token@github.com/you/shop.git",
        "ssh://-oProxyCommand=id/shop.git",
        "-oProxyCommand=id@github.com:you/shop.git",
        "git@-oProxyCommand=id:you/shop.git",
        "git@github.com:-you",
        "https://token@github.com/you/shop.git",
        "https://you:token@github.com/you/shop.git",
        "https://github.com/you/my shop.git",
        "--upload-pack=id",
        "",
    ];
    refused("refused-url", urls.map(|address| (url(address), URL)).to_vec()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn build_arguments_above_the_limit_of_linux_are_rejected_with_the_field() {
    let world = World::new("refused-args").await;
    let with = |args: Value| with(commit(1), "/build/args", args);
    // 64 names of 2 bytes. The values have the rest of the 16384 bytes.
    let total = |more: usize| -> Value {
        let name = |n: usize| format!("{}{}", char::from(b'A' + u8::try_from(n / 8).unwrap()), n % 8);
        let value = |n: usize| "x".repeat(254 + if n == 0 { more } else { 0 });
        (0..64).map(|n| (name(n), json!(value(n)))).collect::<serde_json::Map<_, _>>().into()
    };
    let long = |letters: usize| json!({ "A": "x".repeat(letters) });
    let named = |letters: usize| json!({ "N".repeat(letters): "x" });
    for (args, words) in [
        (long(4097), ["spec.build.args.A", "4096"]),
        (named(129), ["spec.build.args", "must have at most 128 characters"]),
        (total(1), ["spec.build.args", "must have at most 16384 bytes in total"]),
        // A character of three bytes.
        (
            json!({ "A": "€".repeat(4096), "B": "€".repeat(1365) }),
            ["spec.build.args", "must have at most 16384 bytes in total"],
        ),
        (json!({ "A": "a\u{0}b" }), ["spec.build.args", "must not contain control characters"]),
    ] {
        let said = refusal(&world, "shop", &with(args)).await;
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} are not in {said}");
    }
    for args in [long(4096), named(128), total(0), json!({ "A": "two\n\tlines" })] {
        world.apply("shop", with(args)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_repository_over_ssh_needs_its_secret() {
    let world = World::new("refused-ssh").await;
    for address in ["ssh://git@github.com/you/shop.git", "git@github.com:you/shop.git"] {
        let said = refusal(&world, "shop", &url(address)).await;
        let words = "spec.source.git.secretRef must name a Secret with identity and known_hosts";
        assert!(said.contains(words), "{address}: {said}");
        world.apply("shop", with(url(address), "/source/git/secretRef/name", json!("key"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_invalid_archive_or_artifact_is_rejected() {
    let archive = |key: &str, value: &str| {
        let good = json!({ "source": { "archive": { "url": "https://example.org/shop.tar.gz" } } });
        with(good, &format!("/source/archive/{key}"), json!(value))
    };
    let oci = |reference: &str| json!({ "source": { "oci": { "reference": reference } } });
    let url: &[&str] =
        &["spec.source.archive.url must be an http:// or https:// URL without user name, password, query"];
    let reference: &[&str] =
        &["spec.source.oci.reference must be a reference with its registry and without oci://"];
    // Bad input 70: password in the URL of an archive, at apply
    // Bad input 70: signature in the URL of an archive, at apply
    let specs = vec![
        (archive("url", "https://ada:token@example.org/shop.tar.gz"), url),
        (archive("url", "https://example.org/shop.tar.gz?signature=token"), url),
        (archive("url", "file:///etc/passwd"), url),
        (archive("url", "ssh://example.org/shop.tar.gz"), url),
        (archive("url", "https://-x/shop.tar.gz"), url),
        (
            archive("sha256", "sha256:abc"),
            &["spec.source.archive.sha256 must be 64 lower-case hex digits"][..],
        ),
        (archive("path", "../x"), &["spec.source.archive.path must be a relative path inside the archive"]),
        (oci("oci://ghcr.io/you/shop:1"), reference),
        (oci("shop:1"), reference),
        (oci("-x/shop:1"), reference),
        (oci("ghcr.io/you/shop@sha256:12"), reference),
        (with(oci("ghcr.io/you/shop:1"), "/source/oci/path", json!("/etc")), &["spec.source.oci.path"]),
    ];
    refused("refused-archive", specs).await;
    let world = World::new("taken-archive").await;
    world.apply("archive", archive("sha256", &"ab".repeat(32))).await;
    world.apply("oci", oci("ghcr.io/you/shop-source:1.4.0")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_ref_or_path_that_is_an_option_or_leaves_the_source_is_rejected() {
    let commit_words: &[&str] = &[
        "spec.source.git.ref.commit must be all 40 lower-case hex digits (64 of a SHA-256 repository), as git rev-parse HEAD prints them",
    ];
    let specs: Vec<(Value, &[&str])> = vec![
        (
            git("branch", "--upload-pack=id"),
            &["spec.source.git.ref.branch must be a branch name such as main: it cannot start with '-'"],
        ),
        (git("branch", "a..b"), &["spec.source.git.ref.branch", "'..'"]),
        (git("branch", "my branch"), &["spec.source.git.ref.branch", "blanks"]),
        (git("tag", "-v1"), &["spec.source.git.ref.tag must be a tag name such as v1.4.0"]),
        (git("commit", "abc1234"), commit_words),
        (git("commit", &"A".repeat(40)), commit_words),
        (
            with(commit(1), "/source/git/path", json!("../secrets")),
            &["spec.source.git.path must be a relative path inside the repository without '..'"],
        ),
        (with(commit(1), "/source/git/path", json!("/etc")), &["spec.source.git.path", "apps/shop"]),
        (
            with(commit(1), "/build/dockerfile", json!("../Dockerfile")),
            &["spec.build.dockerfile must be a relative path inside the source without '..'"],
        ),
        (
            with(commit(1), "/build/dockerfile", json!("a/../../Dockerfile")),
            &["spec.build.dockerfile", "Dockerfile.prod"],
        ),
    ];
    refused("refused-ref", specs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_malformed_image_is_rejected() {
    let images = [
        "my app",
        "App:1",
        "ghcr.io/You/shop:1",
        "app@sha256:abc123",
        "app:",
        "-app",
        "app:1:2",
        "https://ghcr.io/you/shop",
        "",
    ];
    refused("refused-image", images.map(|reference| (image(reference), IMAGE)).to_vec()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_source_of_connections_that_is_no_network_or_namespace_is_rejected() {
    let from = |source: Value| with(prebuilt(1), "/expose", json!({ "allowFrom": [source] }));
    let one: &[&str] = &["spec.expose.allowFrom", "each entry needs exactly one of cidr or namespace"];
    let network: &[&str] = &["spec.expose.allowFrom[0].cidr", "cidr must be an IPv4 or IPv6 network"];
    let name: &[&str] = &["spec.expose.allowFrom[0].namespace", "must be the name of a namespace"];
    let mut specs = vec![
        (from(json!({})), one),
        (from(json!({ "cidr": "10.0.0.0/8", "namespace": "web" })), one),
        (from(json!({ "namespace": "Web" })), name),
        (from(json!({ "namespace": "" })), name),
        (
            with(prebuilt(1), "/expose", json!({ "allowFrom": vec![json!({ "namespace": "web" }); 65] })),
            &["spec.expose.allowFrom", "at most 32 items"],
        ),
    ];
    for cidr in ["10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "010.0.0.0/8", "2001:db8::1/32", "shop.test/8", ""]
    {
        specs.push((from(json!({ "cidr": cidr })), network));
    }
    refused("refused-sources", specs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_number_out_of_bounds_is_rejected_with_its_bounds() {
    let port: &[&str] = &["spec.run.port must be between 1 and 65535: the port that the app listens on"];
    let fixed: &[&str] =
        &["spec.expose.nodePort.port is required for mode Fixed and not allowed for mode Auto or None"];
    let specs: Vec<(Value, &[&str])> = vec![
        (with(prebuilt(1), "/run/port", json!(0)), port),
        (with(prebuilt(1), "/run/port", json!(65536)), port),
        (with(prebuilt(1), "/replicas", json!(-1)), &["spec.replicas must be between 0 and 1000"]),
        (with(prebuilt(1), "/expose", json!({ "nodePort": { "mode": "Fixed" } })), fixed),
        (with(prebuilt(1), "/expose", json!({ "nodePort": { "port": 30500 } })), fixed),
        (with(prebuilt(1), "/expose", json!({ "nodePort": { "mode": "None", "port": 30500 } })), fixed),
        (
            with(prebuilt(1), "/expose", json!({ "nodePort": { "mode": "Fixed", "port": 70000 } })),
            &["spec.expose.nodePort.port must be between 1 and 65535"],
        ),
        (
            with(prebuilt(1), "/rollout/deadlineSeconds", json!(0)),
            &["spec.rollout.deadlineSeconds must be between 10 and 3600"],
        ),
        (
            with(prebuilt(1), "/history", json!({ "limit": 1 })),
            &["spec.history.limit must be between 2 and 100"],
        ),
        (with(prebuilt(1), "/state", json!("Paused")), &["spec.state", "Running", "Stopped"]),
        (
            with(prebuilt(1), "/pinnedVersion", json!("latest")),
            &["spec.pinnedVersion must be a version from status.history, such as v9f2c41d7"],
        ),
        (
            with(prebuilt(1), "/run/health", json!({ "type": "TCP", "path": "/healthz" })),
            &["spec.run.health.path is only for type HTTP"],
        ),
        (
            with(prebuilt(1), "/run/stop", json!({ "graceSeconds": 0 })),
            &["spec.run.stop.graceSeconds must be between 1 and 3600"],
        ),
        (
            with(prebuilt(1), "/run/stop", json!({ "drainSeconds": 301 })),
            &["spec.run.stop.drainSeconds must be between 0 and 300"],
        ),
        (
            with(
                prebuilt(1),
                "/run/env",
                json!([{ "name": "A", "value": "1" }, { "name": "PORT", "value": "80" }]),
            ),
            &["spec.run.env must not contain PORT: set spec.run.port instead"],
        ),
    ];
    refused("refused-number", specs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_health_field_of_another_type_is_rejected() {
    let health = |health: Value| with(prebuilt(1), "/run/health", health);
    let header = |name: &str, value: &str| json!({ "httpHeaders": [{ "name": name, "value": value }] });
    let command: &[&str] =
        &["spec.run.health.command is required for type Command and not allowed for other types"];
    let headers = header("X-Forwarded-Proto", "https")["httpHeaders"].clone();
    let specs: Vec<(Value, &[&str])> = vec![
        (health(json!({ "command": ["true"] })), command),
        (health(json!({ "type": "Command" })), command),
        (
            health(json!({ "type": "TCP", "httpHeaders": headers })),
            &["spec.run.health.httpHeaders is only for type HTTP"],
        ),
        (
            health(json!({ "type": "None", "port": 9000 })),
            &["spec.run.health.port is only for type HTTP and TCP"],
        ),
        (
            health(json!({ "type": "None", "timeoutSeconds": 5 })),
            &["spec.run.health.timeoutSeconds is not for type None"],
        ),
        (health(json!({ "port": 0 })), &["spec.run.health.port must be between 1 and 65535"]),
        (
            health(json!({ "timeoutSeconds": 301 })),
            &["spec.run.health.timeoutSeconds must be between 1 and 300"],
        ),
        (
            health(header("X Y", "1")),
            &["spec.run.health.httpHeaders: a name must contain only letters, digits and '-'"],
        ),
        (health(header("X", "a\nb")), &["spec.run.health.httpHeaders: a value must be one line"]),
        (health(json!({ "type": "HTTPS" })), &["spec.run.health.type", "HTTP", "TCP", "Command", "None"]),
    ];
    refused("refused-health", specs).await;
    let world = World::new("taken-health").await;
    world.apply("headers", health(header("X-Forwarded-Proto", "https"))).await;
    world.apply("command", health(json!({ "type": "Command", "command": ["true"] }))).await;
    world.apply("stop", with(prebuilt(1), "/run/stop", json!({ "graceSeconds": 600 }))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_name_that_is_no_service_name_is_rejected() {
    let world = World::new("refused-name").await;
    for name in ["1shop", "my.shop", "a123456789b123456789c123456789d123456789e"] {
        let said = refusal(&world, name, &prebuilt(1)).await;
        assert!(
            said.contains("metadata.name must be at most 40 characters, start with a letter"),
            "{name}: {said}"
        );
    }
    world.apply("a123456789b123456789c123456789d123456789", prebuilt(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn kubectl_shows_the_message_and_rejects_unknown_fields() {
    let world = World::new("refused-kubectl").await;
    let manifest = |spec: &str| {
        format!(
            "apiVersion: doce.dev/v1alpha1\nkind: ProjectDeployment\nmetadata:\n  name: shop\nspec: {spec}\n"
        )
    };
    let apply = ["apply", "--validate=strict", "-f", "-"];
    let unknown = manifest("{source: {git: {url: 'https://git.test/app.git', brunch: main}}, replica: 2}");
    let said = world.kubectl_reading(&apply, &unknown).await.refused();
    assert!(
        said.contains("unknown field \"spec.replica\"")
            && said.contains("unknown field \"spec.source.git.brunch\""),
        "{said}"
    );

    let two = manifest("{source: {image: {reference: 'app:1'}, configMap: {name: site}}}");
    let said = world.kubectl_reading(&apply, &two).await.refused();
    assert!(said.contains(ONE_SOURCE[0]), "{said}");

    let said =
        world.kubectl_reading(&apply, &manifest("{source: {git: {url: 'file:///etc'}}}")).await.refused();
    assert!(URL.iter().all(|word| said.contains(word)) && !said.contains("secretRef"), "{said}");

    let good = manifest("{source: {image: {reference: 'ghcr.io/you/shop:1.4.0'}}}");
    let said = world.kubectl_reading(&apply, &good).await.well();
    assert_eq!(said.trim(), "projectdeployment.doce.dev/shop created");
    let said = world
        .kubectl(&["patch", "pd/shop", "--type=merge", "-p", r#"{"spec":{"run":{"port":0}}}"#])
        .await
        .refused();
    assert!(said.contains("spec.run.port must be between 1 and 65535"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_multiline_build_command_and_an_unknown_framework_are_rejected() {
    let one_line: &[&str] = &["spec.build.command must be one line", "join commands with &&"];
    let dockerfile = with(commit(1), "/build/strategy", json!("Dockerfile"));
    let unused: &[&str] =
        &["spec.build.command, framework and outputDirectory require a generated Dockerfile"];
    let specs: Vec<(Value, &[&str])> = vec![
        (with(commit(1), "/build/command", json!("make\nRUN id")), one_line),
        (with(commit(1), "/build/command", json!("make\u{7}")), one_line),
        (with(commit(1), "/build/command", json!("")), one_line),
        (with(commit(1), "/build/command", json!("x".repeat(4097))), &["spec.build.command", "4096"]),
        (with(commit(1), "/build/framework", json!("Cobol")), &["spec.build.framework", "Unsupported value"]),
        (with(dockerfile.clone(), "/build/command", json!("make")), unused),
        (with(dockerfile, "/build/framework", json!("Go")), unused),
    ];
    refused("refused-build", specs).await;
}
