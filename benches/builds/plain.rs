//! The yardstick: a pod of the same image that runs BuildKit's daemon and one `buildctl`, with the same Dockerfile and files.

use std::time::Instant;

use k8s_openapi::api::core::v1::{ConfigMap, ContainerState, Pod};
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::World;
use crate::timeline::Times;

/// Starts the daemon, waits until it answers, builds and pushes.
const SCRIPT: &str = "\
    mkdir /workspace/plain && cd /workspace/plain && cat /etc/ssl/certs/ca-certificates.crt > ca.pem
    printf '%s' \"$DOCE_CA_BUNDLE\" >> ca.pem
    export SSL_CERT_FILE=$PWD/ca.pem
    rootlesskit buildkitd --oci-worker-no-process-sandbox --addr unix://$PWD/socket --config /source/buildkitd.toml \
        > daemon.log 2>&1 &
    until buildctl --addr unix://$PWD/socket debug workers > /dev/null 2>&1; do sleep 0.1; done
    mkdir login files && AUTH=$(printf 'any:%s' \"$(cat /secrets/registry/token)\" | base64 | tr -d '\\n')
    printf '{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}' \"${REPOSITORY%%/*}\" \"$AUTH\" > login/config.json
    export DOCKER_CONFIG=$PWD/login
    cp /source/package.json /source/server.js files
    buildctl --addr unix://$PWD/socket build --frontend=dockerfile.v0 --local context=files --local dockerfile=/source \
        --secret id=doce-ca,src=ca.pem --output type=image,name=$REPOSITORY,push=true,oci-mediatypes=true";

/// Builds what the pod built whose log this is. Returns how long that took from the creation of the pod.
pub(crate) async fn build(world: &World, like: &Pod, log: &str, files: &[(&str, String)]) -> Times {
    let name = format!("plain-{}", like.name_any());
    let order = order(like);
    let host = order["repository"].as_str().unwrap().split_once('/').unwrap().0;
    let mirror = order["mirror"].as_str().unwrap();
    let mut data = serde_json::Map::new();
    data.extend(files.iter().map(|(name, text)| ((*name).to_owned(), json!(text))));
    data.insert("Dockerfile".to_owned(), json!(dockerfile(log)));
    data.insert(
        "buildkitd.toml".to_owned(),
        json!(format!(
            "[registry.\"docker.io\"]\n  mirrors = [{mirror:?}]\n[registry.{mirror:?}]\n  http = true\n[registry.{host:?}]\n  http = true\n"
        )),
    );
    world.apply::<ConfigMap>(&name, json!({ "data": data })).await;
    let pod: Pod =
        serde_json::from_value(pod(like, &name, &format!("{host}/{}/{name}:1", world.namespace))).unwrap();
    let begun = Instant::now();
    world.api::<Pod>().create(&PostParams::default(), &pod).await.unwrap();
    let mut times = Times::new();
    world
        .until(&name, "it runs", |pod: Option<&Pod>| state(pod).is_some_and(|state| state.running.is_some()))
        .await;
    times.push(("build container runs".to_owned(), begun.elapsed().as_secs_f64()));
    let ended = |pod: Option<&Pod>| state(pod).is_some_and(|state| state.terminated.is_some());
    let pod = world.until(&name, "it ended", ended).await;
    times.push(("build container ended".to_owned(), begun.elapsed().as_secs_f64()));
    let code = state(Some(&pod)).and_then(|state| state.terminated).map(|ended| ended.exit_code);
    assert_eq!(code, Some(0), "kubectl logs {name}");
    times
}

/// What the operator told the build pod.
fn order(pod: &Pod) -> Value {
    let env = pod.spec.as_ref().unwrap().containers[0].env.iter().flatten();
    let order = env.clone().find(|variable| variable.name == "DOCE_ORDER").unwrap().value.as_ref().unwrap();
    serde_json::from_str(order).unwrap()
}

/// The generated Dockerfile in the log.
fn dockerfile(log: &str) -> String {
    let lines = log.lines().skip_while(|line| *line != "generated Dockerfile:").skip(1);
    let lines = lines.map_while(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n"));
    lines.collect()
}

fn pod(like: &Pod, name: &str, repository: &str) -> Value {
    let mut spec = serde_json::to_value(like.spec.as_ref().unwrap()).unwrap();
    let fields = spec.as_object_mut().unwrap();
    for field in
        ["initContainers", "nodeName", "priority", "preemptionPolicy", "serviceAccount", "serviceAccountName"]
    {
        fields.remove(field);
    }
    spec["volumes"].as_array_mut().unwrap().push(json!({ "name": "source", "configMap": { "name": name } }));
    let container = &mut spec["containers"][0];
    container["command"] = json!(["sh", "-ec", SCRIPT]);
    container.as_object_mut().unwrap().remove("args");
    container["env"].as_array_mut().unwrap().push(json!({ "name": "REPOSITORY", "value": repository }));
    container["volumeMounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "source", "mountPath": "/source" }));
    json!({ "metadata": { "name": name }, "spec": spec })
}

fn state(pod: Option<&Pod>) -> Option<ContainerState> {
    pod?.status.as_ref()?.container_statuses.as_ref()?.first()?.state.clone()
}
