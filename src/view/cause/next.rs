//! What to do about each reason: commands, the best first.

use super::{Next, trouble};
use crate::crd::ProjectDeployment;
use crate::crd::conditions::Reason;
use crate::view::progress::condition;

/// Writes commands for one project.
struct To<'a> {
    name: &'a str,
    namespace: &'a str,
    /// Flags of every command.
    flags: &'a str,
}

impl To<'_> {
    fn doce(&self, to: &str, verb: &str, rest: &str) -> Next {
        let (name, flags) = (self.name, self.flags);
        let rest = if rest.is_empty() { String::new() } else { format!(" {rest}") };
        Next { to: to.to_owned(), command: format!("kubectl doce {verb} {name}{rest} {flags}") }
    }

    fn kubectl(&self, to: &str, rest: &str) -> Next {
        Next { to: to.to_owned(), command: format!("kubectl {rest} {}", self.flags) }
    }

    fn edit(&self, to: &str) -> Next {
        self.kubectl(to, &format!("edit pd {}", self.name))
    }

    /// How a corrected source is deployed.
    fn fix(&self, object: &ProjectDeployment) -> Next {
        // A digest is fixed: to look it up again finds the same.
        let is_fixed = object.spec.source.oci.as_ref().is_some_and(|oci| oci.reference.contains('@'));
        if is_fixed {
            let (name, flags) = (self.name, self.flags);
            let command = format!("kubectl doce deploy FOLDER --name {name} {flags}");
            return Next { to: "Correct the folder, then deploy it again".to_owned(), command };
        }
        self.doce("Push a fix, then deploy it", "deploy", "")
    }

    fn wait(&self) -> Next {
        self.doce("Wait", "status", "--watch")
    }

    fn retry(&self) -> Next {
        self.doce("Once that is fixed, retry now", "retry", "")
    }

    fn build_log(&self) -> Next {
        self.doce("Read the log of the build", "logs", "--build")
    }

    fn app_log(&self) -> Next {
        self.doce("Read the log of the app", "logs", "--app")
    }

    fn describe(&self, role: &str) -> Next {
        let labels = format!("describe pod -l doce.dev/project={},doce.dev/role={role}", self.name);
        self.kubectl("See what Kubernetes says about the pod", &labels)
    }
}

/// What to do about a condition with this reason; `None` for a reason of a newer operator.
pub(super) fn commands(object: &ProjectDeployment, reason: Option<Reason>, flags: Option<&str>) -> Vec<Next> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    let flags = flags.map_or_else(|| format!("-n {namespace}"), str::to_owned);
    let to = To { name, namespace, flags: &flags };
    let Some(reason) = reason else { return vec![to.wait()] };
    match reason {
        Reason::Unseen => vec![Next {
            to: "Check that the operator runs and sees this namespace".to_owned(),
            command: format!("kubectl doce doctor {}", to.flags),
        }],
        Reason::Queued => vec![to.wait(), to.doce("Or cancel the build", "cancel", "")],
        Reason::Resolving | Reason::Building => vec![to.doce("Follow the build", "logs", "-f --build")],
        Reason::Starting | Reason::Restarting => starting(object, &to),
        Reason::Scaling | Reason::Stopping => vec![to.wait(), to.app_log()],
        Reason::Serving
        | Reason::Allocated
        | Reason::NotRequested
        | Reason::ImageReady
        | Reason::Prebuilt
        | Reason::VersionKept
        | Reason::NoOtherVersion
        | Reason::NothingYet => vec![to.doce("See the versions and what happened", "history", "")],
        Reason::Held => held(object, &to),
        Reason::Pinned => vec![to.edit("Remove spec.pinnedVersion to follow spec.source again")],
        Reason::Stopped => stopped(object, &to),
        Reason::ImageLost => vec![to.wait(), to.build_log()],
        Reason::Unavailable => {
            vec![to.app_log(), to.describe("app"), to.doce("Or go back", "rollback", "previous")]
        }
        Reason::SourceUnavailable => source_unavailable(object, &to),
        Reason::SourceAuthFailed => source_login(object, &to),
        Reason::ConfigMapNotFound => vec![config_map(object, &to)],
        Reason::BuildSecretMissing => {
            vec![to.kubectl("See which Secrets exist, and create the missing one", "get secrets"), to.retry()]
        }
        Reason::RegistryUnavailable
        | Reason::RegistryDenied
        | Reason::RegistryFull
        | Reason::BuildFault
        | Reason::BuildTimeout => vec![to.build_log(), to.retry()],
        Reason::OutOfMemory => vec![to.edit("Raise spec.build.resources.limits.memory"), to.build_log()],
        Reason::OutOfDisk | Reason::Evicted => vec![to.describe("build"), to.retry()],
        Reason::Unschedulable | Reason::BuilderImageUnavailable => vec![to.describe("build"), to.wait()],
        Reason::PodForbidden => vec![
            to.kubectl("See the quotas of the namespace", "describe resourcequota"),
            to.kubectl(
                "See its Pod Security level",
                &format!("get namespace {} --show-labels", to.namespace),
            ),
        ],
        Reason::BuildFailed => build_failed(object, &to),
        Reason::Cancelled => vec![to.doce("Build it anyway", "retry", "")],
        Reason::InitFailed => vec![to.doce("Read the log of the init command", "logs", "--app"), to.retry()],
        Reason::RolloutFailed => rollout_failed(object, &to),
        Reason::ImageRunsAsRoot => {
            vec![to.edit("Set spec.run.security: Baseline, or give the Dockerfile a USER above 0")]
        }
        Reason::VersionUnknown => vec![to.doce("Choose a version that exists", "history", "")],
        Reason::NameTaken | Reason::Predecessor => {
            vec![to.kubectl("Find the object that has the name", &format!("get deploy,svc,netpol,job,controllerrevision --show-labels --field-selector metadata.name={name}"))]
        }
        Reason::InvalidSpec => vec![to.edit("Change the field that the message names")],
        Reason::Altered => {
            vec![to.kubectl(
                "See who writes the object",
                &format!("get deploy,svc {name} -o yaml --show-managed-fields"),
            )]
        }
        Reason::PortsExhausted => vec![Next {
            to: "Find projects that need no port, and set spec.expose.nodePort.mode: None".to_owned(),
            command: format!("kubectl doce list {}", to.flags),
        }],
        Reason::PortUnavailable => vec![to.edit("Choose another spec.expose.nodePort.port, or mode Auto")],
    }
}

fn held(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    let desired = object.status.as_ref().and_then(|status| status.desired_version.as_deref());
    match desired {
        Some(desired) => vec![to.doce("End the hold and deploy what the spec yields", "rollback", desired)],
        None => vec![to.wait()],
    }
}

fn stopped(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    let scaled = object.spec.replicas == 0;
    let running = object.spec.state == crate::crd::spec::State::Running;
    let start = (!running).then(|| to.doce("Start it", "start", ""));
    let scale = scaled.then(|| to.doce("Give it pods", "scale", "--replicas 1"));
    scale.into_iter().chain(start).collect()
}

fn source_login(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    let source = &object.spec.source;
    let secret = source.git.as_ref().and_then(|git| git.secret_ref.as_ref());
    let look = match secret {
        Some(secret) => to.kubectl("Renew the login in the Secret", &format!("edit secret {}", secret.name)),
        None => to.edit("Name a Secret with a login in secretRef of spec.source"),
    };
    vec![look, to.retry()]
}

/// A source that does not exist needs another spec, or a push. A host that does not answer needs time.
fn source_unavailable(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    match failure_reason(object) {
        "RefNotFound" | "SourceNotFound" | "SourceForbidden" => {
            vec![to.edit("Correct spec.source"), to.doce("Or make what it names, then retry", "retry", "")]
        }
        _ => vec![to.build_log(), to.retry()],
    }
}

fn config_map(object: &ProjectDeployment, to: &To<'_>) -> Next {
    let name = object.spec.source.config_map.as_ref().map_or("NAME", |map| map.name.as_str());
    to.kubectl("Create it from a directory", &format!("create configmap {name} --from-file=DIRECTORY"))
}

fn failure_reason(object: &ProjectDeployment) -> &str {
    let failure = object.status.as_ref().and_then(|status| status.failure.as_ref());
    failure.map_or("", |failure| failure.reason.as_str())
}

/// A failed build says whether the source or the spec has to change.
fn build_failed(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    let push = to.fix(object);
    let again = to.doce("Or repeat the build as it is", "retry", "");
    match failure_reason(object) {
        "PathNotFound" => vec![to.edit("Correct the path in spec.source"), push],
        "SourceChanged" => vec![to.edit("Correct the checksum in spec.source"), again],
        "OutOfMemory" => vec![to.edit("Raise spec.build.resources.limits.memory"), again],
        "BuildTimeout" => vec![to.edit("Raise spec.build.timeoutSeconds"), again],
        _ => vec![to.build_log(), push, again],
    }
}

/// A failed rollout says whether the image, the settings or the cluster has to change.
fn rollout_failed(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    let mut commands = outside(failure_reason(object), to);
    if commands.is_empty() {
        commands = vec![to.app_log(), to.fix(object)];
    }
    commands.push(to.retry());
    commands
}

/// A version that starts may need something before it can.
fn starting(object: &ProjectDeployment, to: &To<'_>) -> Vec<Next> {
    let message = condition(object, "Ready").map_or("", |ready| ready.message.as_str());
    let Some(trouble) = trouble(message) else { return vec![to.wait(), to.app_log()] };
    let mut commands = outside(trouble, to);
    if commands.is_empty() {
        commands.push(to.app_log());
    }
    commands.push(to.wait());
    commands
}

/// What to do about pods that do not start for a cause outside of the app; nothing for the others.
fn outside(reason: &str, to: &To<'_>) -> Vec<Next> {
    match reason {
        "Unschedulable" => vec![to.describe("app")],
        "FailedCreate" | "PodForbidden" => {
            vec![to.kubectl("See the quotas of the namespace", "describe resourcequota")]
        }
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => vec![
            to.describe("app"),
            to.edit("Correct the image, or name a login in spec.run.imagePullSecrets"),
        ],
        "CreateContainerConfigError" => {
            vec![to.kubectl("See which Secrets and ConfigMaps exist", "get secrets,configmaps")]
        }
        _ => vec![],
    }
}
