//! Init commands: a version starts after its own has ended well, and what serves goes on serving meanwhile. Their pods are
//! played: a test writes how they end.

use doce_operator::crd::ProjectDeployment;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;

use crate::harness::inits::migrating;
use crate::harness::reading::message;
use crate::harness::{Operator, World, is, prebuilt};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_version_starts_when_its_init_command_has_ended_and_going_back_runs_none() {
    let world = World::new("init").await;
    let operator = Operator::start(&world).await;
    world.apply("shop", migrating(1)).await;
    let pod = world.init_pod("").await;
    let spec = pod.spec.clone().unwrap();
    assert_eq!(spec.containers[0].command, Some(vec!["migrate".to_owned(), "--all".to_owned()]));
    let said = world.until_says("shop", &["The init command of", "runs (kubectl logs -n"]).await;
    assert!(is(&said, "Ready", "False", "Starting"), "{}", message(&said, "Ready"));
    assert!(world.api::<Deployment>().get_opt("shop").await.unwrap().is_none(), "nothing is started yet");
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
async fn an_init_command_that_fails_keeps_its_version_from_starting_until_somebody_retries() {
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
async fn an_init_command_that_runs_is_not_cut_off_by_the_next_version_or_the_death_of_the_operator() {
    let world = World::new("init-goes-on").await;
    let operator = Operator::start(&world).await;
    world.serve("shop", prebuilt(1)).await;
    world.apply("shop", migrating(2)).await;
    let pod = world.init_pod("").await;
    world.apply("shop", migrating(3)).await;
    world.until_says("shop", &["waits: the init command of", "is not interrupted"]).await;
    operator.stop().await;
    let operator = Operator::start(&world).await;
    operator.journal.at_rest().await;
    assert_eq!(world.init_jobs().await, 1, "the next one waits");
    world.end_init(&pod, 0, "").await;
    let next = world.init_pod(&pod.name_any()).await;
    world.end_init(&next, 0, "").await;
    world.until_ready("shop", "True", "Serving").await;
    assert_eq!(world.init_jobs().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: doce-cluster with control-plane"]
async fn a_database_that_comes_late_is_waited_for_without_anybody() {
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
