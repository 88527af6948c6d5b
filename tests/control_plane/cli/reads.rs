//! Commands that only read.

use serde_json::Value;

use super::user::User;
use crate::harness::{Built, Operator, World, commit, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn what_runs_is_listed_and_described_in_the_formats_of_kubectl() {
    let world = World::new("cli-list").await;
    let user = User::of(&world).await;
    user.doce(&["list"]).await.ends(0).says(&["No projects in namespace", "kubectl doce deploy ."]);
    let _operator = Operator::start(&world).await;
    let version = world.serve("shop", prebuilt(1)).await;
    let status = world.get::<doce_operator::crd::ProjectDeployment>("shop").await.status.unwrap();
    let url = status.url.unwrap();

    let table = user.doce(&["list"]).await;
    table.ends(0);
    let rows: Vec<Vec<&str>> = table.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "VERSION", "URL", "AGE"]);
    assert_eq!(rows[1][..5], ["shop", "True", "Serving", version.as_str(), url.as_str()]);
    assert!(!table.out.contains('\u{1b}'), "no colour without a terminal");
    user.doce(&["list", "-o", "wide"]).await.ends(0).says(&[
        "SOURCE",
        "MESSAGE",
        &format!("{version} serves"),
    ]);
    user.doce(&["list", "-l", "team=none"]).await.ends(0).says(&["No projects"]);
    assert_eq!(user.doce(&["list", "-o", "name"]).await.out.trim(), "projectdeployment.doce.dev/shop");
    let path = r#"{.items[*].status.conditions[?(@.type=="Ready")].reason}"#;
    assert_eq!(user.doce(&["list", "-o", &format!("jsonpath={path}")]).await.out.trim(), "Serving");
    let all: Value = serde_json::from_str(&user.doce(&["list", "-o", "json"]).await.out).unwrap();
    assert_eq!((&all["kind"], &all["items"][0]["metadata"]["name"]), (&"List".into(), &"shop".into()));
    let all: serde_yaml::Value = serde_yaml::from_str(&user.doce(&["list", "-o", "yaml"]).await.out).unwrap();
    assert_eq!(all["items"][0]["kind"], "ProjectDeployment");

    user.doce(&["status", "shop"]).await.ends(0).says(&["shop  Serving", &url, &version, "1 of 1 pods"]);
    assert_eq!(user.doce(&["status", "shop", "-o", "jsonpath={.status.url}"]).await.out.trim(), url);
    assert_eq!(user.doce(&["open", "shop"]).await.ends(0).out.trim(), url);
    user.doce(&["explain", "shop"]).await.ends(0).says(&["shop  Serving", &format!("{version} serves")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn what_does_not_work_says_the_way_out_and_has_its_exit_code() {
    let world = World::new("cli-errors").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    for (line, code, words) in [
        ("status nope", 1, &["nope does not exist", "It has: shop", "Choose another namespace with -n"][..]),
        ("list -A", 1, &["list projects in all namespaces", "forbidden"]),
        ("list -n kube-system", 1, &["Ask for the ClusterRole edit", "-n"]),
        ("status shop --context nope", 1, &["cannot use the kubeconfig", "kubectl config get-contexts"]),
        ("status shop --kubeconfig none", 1, &["cannot use the kubeconfig", "--kubeconfig"]),
        ("diff shop v00000000", 1, &["matches no version", "Available versions"]),
        ("scale shop --replicas 2000", 1, &["spec.replicas must be between 0 and 1000"]),
        ("rollback shop previous", 1, &["there is no other version that was live"]),
        (
            "rollback shop",
            2,
            &["name a version: kubectl doce rollback shop previous", "Versions to go back to: none"],
        ),
        ("rollback shop --dry-run previous", 1, &["no other version"]),
        ("cancel shop", 1, &["no build of shop is queued or running"]),
        ("deploy .", 1, &["not open to you", "--repository"]),
        ("deploy -f none.yaml", 1, &["none.yaml"]),
        ("status", 2, &["Usage: kubectl doce status"]),
        ("fly shop", 2, &["unrecognized subcommand"]),
        ("status shop -o xml", 2, &["use table, wide, json"]),
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        user.doce(&arguments).await.ends(code).says(words);
    }
    user.doce(&["--help"])
        .await
        .ends(0)
        .says(&["Exit codes: 0 well, 1 error, 2 usage, 3 not ready", "rollback"]);
    user.doce(&["version"]).await.ends(0).says(&["kubectl-doce", "Kubernetes    v1.", "v1alpha1"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn versions_are_listed_compared_and_exported() {
    let world = World::new("cli-history").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let mut first = commit(1);
    first["run"]["env"] = serde_json::json!([{ "name": "COLOUR", "value": "red" }]);
    world.apply("shop", first.clone()).await;
    world.finish_build(Built::default()).await;
    let old = world.until_ready("shop", "True", "Serving").await.status.unwrap().version.unwrap();
    let mut second = commit(2);
    second["run"]["env"] = serde_json::json!([{ "name": "COLOUR", "value": "blue" }]);
    world.apply("shop", second).await;
    world.finish_build(Built::default()).await;
    let serves = |object: Option<&doce_operator::crd::ProjectDeployment>| {
        let status = object.and_then(|object| object.status.clone()).unwrap_or_default();
        status.version.is_some_and(|version| version != old) && status.previous_version.is_some()
    };
    let status = world.until("shop", "the second serves", serves).await.status.unwrap();
    let new = status.version.unwrap();

    let history = user.doce(&["history", "shop"]).await;
    history.ends(0).says(&["VERSION", "COMMIT", "ROLLBACK", "A change", "0101010", "0202020"]);
    let rows: Vec<&str> = history.out.lines().collect();
    assert!(
        rows[1].starts_with(&new) && rows[1].contains("Serving") && rows[1].contains("no: it serves"),
        "{rows:?}"
    );
    assert!(
        rows[2].starts_with(&old) && rows[2].contains("Live") && rows[2].trim_end().ends_with("yes"),
        "{rows:?}"
    );
    let wide = user.doce(&["history", "shop", "-o", "wide"]).await;
    wide.ends(0).says(&["AUTHOR", "Ann <ann@example.org>", "sha256:"]);
    let rows: Value = serde_json::from_str(&user.doce(&["history", "shop", "-o", "json"]).await.out).unwrap();
    assert_eq!(rows["items"][1]["rollback"]["possible"], true);

    let hidden = user.doce(&["diff", "shop", &old]).await;
    hidden.ends(0).says(&["containers[app].env[COLOUR].value", "- (hidden)", "+ (hidden)"]);
    let diff = user.doce(&["diff", "shop", &old, "--show-values"]).await;
    diff.ends(0).says(&[
        &format!("{old} → {new}"),
        "source",
        "- commit 0101",
        "+ commit 0202",
        "containers[app].env[COLOUR].value",
        "- red",
        "+ blue",
    ]);
    user.doce(&["diff", "shop", &old, &old]).await.ends(0).says(&["nothing differs"]);

    let manifest = user.doce(&["export", "shop"]).await;
    manifest.ends(0).says(&["kind: ProjectDeployment", "COLOUR"]);
    for word in ["status", "managedFields", "resourceVersion", "uid", "state: Running"] {
        assert!(!manifest.out.contains(word), "{word} is in\n{}", manifest.out);
    }
    let same = world.kubectl_reading(&["diff", "-f", "-"], &manifest.out).await;
    assert!(same.ok && same.out.is_empty(), "the manifest is what runs: {}{}", same.out, same.err);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn doctor_report_and_completion_work_with_the_rights_of_edit() {
    let world = World::new("cli-doctor").await;
    let user = User::of(&world).await;
    let _operator = Operator::start(&world).await;
    let mut spec = prebuilt(1);
    spec["run"]["env"] = serde_json::json!([{ "name": "PASSWORD", "value": "hunter2" }]);
    let version = world.serve("shop", spec).await;
    user.doce(&["doctor"]).await.ends(0).says(&[
        "ok  kubernetes",
        "ok  crd",
        "ok  rights        all that the commands need",
        "ok  pod security",
        "ok  operator      has processed the newest spec of all 1 projects",
        "-   registry",
    ]);
    let mut broken = prebuilt(2);
    broken["run"]["env"] = serde_json::json!([{ "name": "A=B", "value": "1" }]);
    world.fail("broken", broken, "InvalidSpec").await;
    user.doce(&["doctor"]).await.ends(1).says(&[
        "bad project",
        "broken needs you: InvalidSpec",
        "kubectl doce explain broken",
    ]);

    let path = user.doce(&["report", "shop"]).await.ends(0).out.trim().to_owned();
    let archive = flate2::read::GzDecoder::new(std::fs::File::open(user.directory().join(path)).unwrap());
    let mut archive = tar::Archive::new(archive);
    let mut names = vec![];
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(entry.path().unwrap().display().to_string());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        assert!(!text.contains("hunter2"), "{names:?}");
    }
    for file in ["explain.txt", "project.yaml", "controllerrevisions.yaml", "events.yaml", "pods.yaml"] {
        assert!(names.contains(&format!("shop-report/{file}")), "{names:?}");
    }

    let offers = async |words: &[&str]| {
        let line = ["__complete"].iter().chain(words).copied().collect::<Vec<_>>();
        user.doce(&line).await.ends(0).out.clone()
    };
    assert_eq!(offers(&["rollb"]).await, "rollback\tRoll back to a version, and wait until it serves\n:4\n");
    assert_eq!(offers(&["status", "sh"]).await, "shop\n:4\n");
    assert!(offers(&["rollback", "shop", ""]).await.contains(&version));
    assert_eq!(offers(&["deploy", "-f", ""]).await, ":0\n");
    user.doce(&["completion", "bash"]).await.ends(0).says(&["kubectl-doce"]);
}
