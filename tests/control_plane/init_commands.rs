//! Init commands: a version starts after its init command succeeds, and the live version serves meanwhile. The test
//! writes how the pods end.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;

use crate::harness::inits::migrating;
use crate::harness::reading::message;
use crate::harness::{Operator, World, is, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_version_starts_after_its_init_command_and_a_rollback_runs_none() {
    let world = World::new("init").await;
    let operator = Operator::start(&world).await;
    world.apply("shop", migrating(1)).await;
    let pod = world.init_pod("").await;
    let spec = pod.spec.clone().unwrap();
    assert_eq!(spec.containers[0].command, Some(vec!["migrate".to_owned(), "--all".to_owned()]));
    let said = world.until_says("shop", &["The init command of", "runs (kubectl logs -n"]).await;
    assert!(is(&said, "Ready", "False", "Starting"), "{}", message(&said, "Ready"));
    assert!(world.api::<Deployment>().get_opt("shop").await.unwrap().is_none(), "nothing has started yet");
    world.end_init(&pod, 0, "").await;
    world.until_ready("shop", "True", "Serving").await;
    let first = world.api::<ProjectDeployment>().get("shop").await.unwrap().status.unwrap().version.unwrap();

    world.apply("shop", migrating(2)).await;
    let second = world.init_pod(&pod.name_any()).await;
    let said = world.until_says("shop", &["The init command of", "keeps serving"]).await;
    assert!(is(&said, "Available", "True", "Serving"));
    world.end_init(&second, 0, "").await;
    world.until_ready("shop", "True", "Serving").await;
    operator.journal.at_rest().await;

    let outcome = world.ask("shop", "rollback", "previous@1").await;
    assert!(outcome.contains(&first), "{outcome}");
    world.until_ready("shop", "True", "Held").await;
    operator.journal.at_rest().await;
    assert_eq!(world.init_jobs().await, 2, "one run for each version");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_failed_init_command_blocks_its_version_until_a_retry() {
    let world = World::new("init-fails").await;
    let operator = Operator::start(&world).await;
    let serving = world.serve("shop", prebuilt(1)).await;
    world.apply("shop", migrating(2)).await;
    let pod = world.init_pod("").await;
    world.end_init(&pod, 3, "applying 7\nError: column exists").await;
    let failed = world.until_ready("shop", "False", "InitFailed").await;
    let status = failed.status.clone().unwrap();
    let failure = status.failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.reason.as_str()), ("Init", "InitCommandFailed"));
    assert!(failure.log.contains("applying 7"), "{}", failure.log);
    let said = message(&failed, "Ready");
    assert!(said.contains("its init command ended with exit code 3: Error: column exists"), "{said}");
    assert!(said.contains(&format!("{serving} keeps serving")) && said.contains("job/shop-"), "{said}");
    assert!(is(&failed, "Stalled", "True", "InitFailed") && is(&failed, "Available", "True", "Serving"));
    operator.journal.at_rest().await;

    world.paste(&said[said.find("kubectl annotate").expect("a command")..]).await.well();
    let again = world.init_pod(&pod.name_any()).await;
    world.end_init(&again, 0, "").await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.init_jobs().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_running_init_command_survives_the_next_version_and_an_operator_restart() {
    let world = World::new("init-goes-on").await;
    let operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    world.apply("shop", migrating(2)).await;
    let pod = world.init_pod("").await;
    world.apply("shop", migrating(3)).await;
    world.until_says("shop", &["waits: the init command of", "does not interrupt it"]).await;
    operator.stop().await;
    let operator = Operator::start(&world).await;
    operator.journal.at_rest().await;
    assert_eq!(world.init_jobs().await, 1, "the next version waits");
    world.end_init(&pod, 0, "").await;
    let next = world.init_pod(&pod.name_any()).await;
    world.end_init(&next, 0, "").await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.init_jobs().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn an_init_command_is_retried_until_its_database_answers() {
    let world = World::new("init-late").await;
    let _operator = Operator::start(&world).await;
    world.apply("shop", migrating(1)).await;
    let pod = world.init_pod("").await;
    world.end_init(&pod, 1, "Error: connect ECONNREFUSED 10.0.0.5:5432").await;
    let said = world.until_says("shop", &["ECONNREFUSED", "the operator retries at"]).await;
    assert!(is(&said, "Reconciling", "True", "InitFailed"));
    let again = world.init_pod(&pod.name_any()).await;
    world.end_init(&again, 0, "").await;
    world.until_ready("shop", "True", "Serving").await;
}
