//! Many builds at once: the limit and the turns of namespaces. Builds of other tests would take slots.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use serde_json::json;

use crate::harness::World;

/// The chart's `build.limit`.
const LIMIT: usize = 2;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: doce-cluster with node"]
async fn thirty_builds_respect_the_limit_and_namespaces_take_turns() {
    let namespaces = ["queue-a", "queue-b", "queue-c"];
    let mut worlds = vec![World::undisturbed(namespaces[0]).await];
    for namespace in &namespaces[1..] {
        worlds.push(worlds[0].another(namespace).await);
    }
    // Each namespace requests all its builds before the next one starts.
    for world in &worlds {
        for number in 0..10 {
            let name = format!("site-{number}");
            let files = json!({ "Dockerfile": "FROM docker.io/library/busybox:1.37\nCOPY index.html /www/\nUSER 1000\n\
                CMD [\"sh\", \"-c\", \"exec httpd -f -p $PORT -h /www\"]\n", "index.html": name });
            world.apply::<ConfigMap>(&name, json!({ "data": files })).await;
            let spec =
                json!({ "source": { "configMap": { "name": name } }, "rollout": { "minReadySeconds": 0 } });
            world.deploy(&name, &spec).await;
        }
    }
    let mut builds: Vec<(Timestamp, Timestamp, String)> = vec![];
    for world in &worlds {
        for number in 0..10 {
            world.until_ready(&format!("site-{number}")).await;
        }
        for job in world.list::<Job>().await {
            let (started, ended) = world.lasted(&job.name_any()).await;
            builds.push((started, ended, world.namespace.clone()));
        }
    }
    builds.sort();
    assert_eq!(builds.len(), 30);
    for (started, ..) in &builds {
        // Kubernetes records the end of a Job a moment after that of its pod, in whole seconds. Builds that ended in
        // that second do not count.
        let beside = builds.iter().filter(|(from, to, _)| from <= started && to > started).count();
        assert!(beside <= LIMIT, "{beside} builds at {started}: {builds:#?}");
    }
    // The first builds may all belong to the first namespace. After that, namespaces take turns.
    let mut started: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, namespace) in &builds[..24] {
        *started.entry(namespace).or_default() += 1;
    }
    assert!(
        namespaces.iter().all(|namespace| started.get(namespace).is_some_and(|n| *n >= 6)),
        "{started:?}"
    );
}
