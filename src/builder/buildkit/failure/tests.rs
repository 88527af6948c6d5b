use super::*;
use crate::builder::log::Log;

fn advice() -> Advice {
    Advice { refused: "ask ada".to_owned(), full: "ask bob" }
}

/// The failure after buildctl printed `said`.
fn of(said: &str) -> Failure {
    failed("", "", said)
}

/// The failure of a build whose `step` printed `output`, after which buildctl printed its error.
fn failed(step: &str, output: &str, said: &str) -> Failure {
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    let step = Some(step.to_owned()).filter(|step| !step.is_empty());
    classify(
        &Ending {
            said: lines(said),
            step,
            error: None,
            output: lines(output),
            out_of_memory: false,
            left_out: false,
        },
        &advice(),
    )
}

const END: &str = "error: failed to solve: process \"x\" did not complete successfully: exit code: 1";

const NPM: &str = r#"Dockerfile:5
--------------------
   5 | >>> RUN npm ci
--------------------
error: failed to solve: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1"#;

#[test]
fn a_failure_names_the_step_its_line_and_its_exit_code() {
    let failure = failed("[build 3/5] RUN npm ci", "npm error E404", NPM);
    assert_eq!((failure.stage, failure.reason), (Stage::Build, FailureReason::BuildFailed));
    assert_eq!(failure.message, "step [build 3/5] RUN npm ci (Dockerfile, line 5) ended with exit code 1");
}

#[test]
fn a_step_killed_for_lack_of_memory_names_the_setting() {
    let ending = |said: &str, output: &str| {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let step = Some("[build 3/5] RUN npm ci".to_owned());
        Ending {
            said: lines(said),
            step,
            error: None,
            output: lines(output),
            out_of_memory: true,
            left_out: false,
        }
    };
    let end = "error: failed to solve: process \"x\" did not complete successfully: exit code: 137";
    for short in [ending(end, ""), ending(NPM, "Killed"), ending("", "")] {
        let failure = classify(&short, &advice());
        assert_eq!((failure.stage, failure.reason), (Stage::Build, FailureReason::OutOfMemory));
        assert!(failure.message.contains("spec.build.resources.limits.memory"), "{}", failure.message);
    }
    let of_its_own = classify(&ending(NPM, "npm error E404"), &advice());
    assert_eq!(of_its_own.reason, FailureReason::BuildFailed, "an earlier step survived the kill");
}

#[test]
fn well_known_exit_codes_and_errors_are_explained() {
    let end = "error: failed to solve: process \"x\" did not complete successfully: exit code:";
    let killed = failed("[2/2] RUN node big.js", "", &format!("{end} 137"));
    assert!(
        killed.message.ends_with("137; it was killed, most likely because it ran out of memory"),
        "{}",
        killed.message
    );
    // Bad input 96: step that fills the disk
    let full = failed("[2/2] RUN yes > /f", "write: no space left on device", &format!("{end} 1"));
    assert!(full.message.contains("disk is full. Free disk space on the nodes"), "{}", full.message);
    assert_eq!(full.reason, FailureReason::OutOfDisk);
    let copied =
        failed("[2/2] RUN cp a b", "cp: error writing 'b': No space left on device", &format!("{end} 1"));
    assert_eq!(copied.reason, FailureReason::OutOfDisk);
    let pulled =
        "failed to resolve source metadata for docker.io/library/node:22: write /x: no space left on device";
    assert_eq!(of(&format!("error: failed to solve: {pulled}")).reason, FailureReason::OutOfDisk);
    let copy = "failed to calculate checksum of ref a::b: \"/nope\": not found";
    let missing = failed("[2/2] COPY nope .", "", &format!("error: failed to solve: {copy}"));
    assert_eq!(missing.reason, FailureReason::BuildFailed);
    assert!(missing.message.starts_with("COPY needs nope, which is not in the build context"));
}

#[test]
fn a_failed_copy_names_the_missing_file_and_why_it_is_missing() {
    let said = |step: &str, file: &str, left_out: bool| {
        let error = format!("failed to calculate checksum of ref 7hz::yn: \"/{file}\": not found");
        let said = [
            "Dockerfile:3".to_owned(),
            format!("error: failed to solve: failed to compute cache key: {error}"),
        ];
        let ending = Ending {
            said: said.to_vec(),
            step: Some(step.to_owned()),
            error: Some(error),
            left_out,
            ..Ending::default()
        };
        assert_eq!(missing(&ending), Some(file));
        classify(&ending, &advice()).message
    };
    let excluded = said("[build 3/6] COPY package.json ./", "package.json", true);
    assert!(excluded.starts_with("COPY needs package.json, which .dockerignore excludes"), "{excluded}");
    assert!(excluded.ends_with("(Dockerfile, line 3)"), "{excluded}");
    let absent = said("[build 3/6] ADD a/b.txt ./", "a/b.txt", false);
    assert!(absent.starts_with("ADD needs a/b.txt, which is not in the build context"), "{absent}");
    let stage = said("[stage-1 2/3] COPY --from=build /app/dist /srv", "app/dist", false);
    assert!(
        stage.starts_with("COPY needs /app/dist of the stage build, which does not exist there"),
        "{stage}"
    );
    let outside = Ending {
        said: vec![format!("{FINAL}failed to calculate checksum of ref a::b: \"/../etc/passwd\": not found")],
        ..Ending::default()
    };
    assert_eq!(missing(&outside), None);
}

#[test]
fn a_missing_command_is_named() {
    let end = "error: failed to solve: process \"x\" did not complete successfully: exit code:";
    let named = failed("[build 5/6] RUN npm run build", "sh: 1: tsc: not found", &format!("{end} 127"));
    assert!(named.message.ends_with("127; the command \"tsc\" was not found"), "{}", named.message);
    let linker = "node: error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file";
    let named = failed("[build 5/6] RUN node a", linker, &format!("{end} 127"));
    assert!(named.message.contains("the shared library \"libatomic.so.1\" is missing"), "{}", named.message);
    let denied =
        failed("[2/2] RUN ./run.sh", "/bin/sh: 1: ./run.sh: Permission denied", &format!("{end} 126"));
    assert!(denied.message.ends_with("the command \"./run.sh\" is not executable"), "{}", denied.message);
}

#[test]
fn dockerfile_errors_are_verdicts() {
    for (error, part) in [
        ("dockerfile parse error on line 1: unknown instruction: HELLO", "unknown instruction"),
        ("the Dockerfile cannot be empty", "cannot be empty"),
        ("file with no instructions", "no instructions"),
        ("target stage \"prod\" could not be found", "prod"),
        // Bad input 97: stage that begins from itself
        ("circular dependency detected on stage: prod", "circular"),
        // Bad input 100: step that asks for every right, or for the network of the node
        ("failed to load LLB: security.insecure is not allowed", "security.insecure"),
        ("failed to load LLB: network.host is not allowed", "network.host"),
    ] {
        let failure = of(&format!("Dockerfile:1\nerror: failed to solve: {error}"));
        assert_eq!((failure.stage, failure.reason), (Stage::Build, FailureReason::BuildFailed), "{error}");
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}

#[test]
fn missing_and_unreachable_base_images_have_different_reasons() {
    let at = "error: failed to solve: failed to resolve source metadata for docker.io/library/nope:1: ";
    for why in [
        "docker.io/library/nope:1: not found",
        "pull access denied, repository does not exist or may require authorization: insufficient_scope",
        "unexpected status from HEAD request to https://x/v2/: 403 Forbidden",
    ] {
        let failure = of(&format!("{at}{why}"));
        assert_eq!(failure.reason, FailureReason::BaseImageNotFound, "{why}");
        assert!(failure.message.contains("docker.io/library/nope:1"), "{}", failure.message);
    }
    for why in [
        "failed to do request: Head \"https://x/v2/\": dial tcp: lookup x on 10.0.0.1:53: no such host",
        "failed to do request: Head \"https://x/v2/\": dial tcp 1.2.3.4:443: connect: connection refused",
        "failed to do request: Head \"https://x/\": tls: failed to verify certificate: x509: unknown authority",
        "unexpected status from HEAD request to https://x/v2/: 429 Too Many Requests",
        "unexpected status from HEAD request to https://x/v2/: 503 Service Unavailable",
    ] {
        assert_eq!(of(&format!("{at}{why}")).reason, FailureReason::BaseImageUnreachable, "{why}");
    }
    let layer = "failed to copy: httpReadSeeker: failed open: failed to do request: Get \"http://x\": dial tcp: i/o timeout";
    assert_eq!(of(&format!("error: failed to solve: {layer}")).reason, FailureReason::BaseImageUnreachable);
}

// Bad input 105: base image that is not there for the platform of the build
#[test]
fn a_base_image_for_another_platform_is_not_reported_as_missing() {
    let at = "failed to resolve source metadata for docker.io/library/arm:1";
    let failure = of(&format!("error: failed to solve: {at}: no match for platform in manifest: not found"));
    assert_eq!((failure.stage, failure.reason), (Stage::Build, FailureReason::BuildFailed));
    assert!(
        failure.message.contains("docker.io/library/arm:1 does not exist for the platform of the build"),
        "{failure}"
    );
}

#[test]
fn failed_pushes_are_faults() {
    for (why, reason) in [
        (
            "failed to do request: dial tcp 1.2.3.4:5000: connect: connection refused",
            FailureReason::RegistryUnavailable,
        ),
        (
            "unexpected status from POST request to http://r/: 500 Internal Server Error",
            FailureReason::RegistryUnavailable,
        ),
        (
            "push access denied, repository does not exist or may require authorization",
            FailureReason::RegistryDenied,
        ),
    ] {
        let failure = of(&format!("error: failed to solve: failed to push r:5000/a:k1: {why}"));
        assert_eq!((failure.stage, failure.reason), (Stage::Push, reason), "{why}");
        assert_eq!(failure.message.ends_with("; ask ada"), reason == FailureReason::RegistryDenied);
    }
}

#[test]
fn a_full_registry_has_its_own_reason() {
    let push = |end: &str| {
        let at = "failed to push r:5000/you/quota:k1: unexpected status from PUT request to http://r:5000/v2/you/quota/x?d=403";
        of(&format!("error: failed to solve: {at}: {end}"))
    };
    let harbor = "403 Forbidden\ndenied: adding 29.0 MiB of storage resource, which when updated to current usage of 152.4 \
                  MiB will exceed the configured upper limit of 10.0 MiB.";
    for full in
        [harbor, "507 Insufficient Storage", "403 Forbidden\ndenied: Quota has been exceeded on namespace"]
    {
        let failure = push(full);
        assert_eq!((failure.stage, failure.reason), (Stage::Push, FailureReason::RegistryFull), "{full}");
        assert!(failure.message.ends_with("; ask bob"), "{}", failure.message);
    }
    assert!(push(harbor).message.contains("upper limit of 10.0 MiB"), "{}", push(harbor).message);
    let denied = push("403 Forbidden\ndenied: requested access to the resource is denied");
    assert_eq!(denied.reason, FailureReason::RegistryDenied);
    for other in [
        "500 Internal Server Error\nunknown: unknown error",
        "429 Too Many Requests\ntoomanyrequests: Quota exceeded for requests per minute",
    ] {
        assert_eq!(push(other).reason, FailureReason::RegistryUnavailable, "{other}");
    }
}

#[test]
fn a_lost_daemon_is_a_fault() {
    let gone = "error: failed to solve: rpc error: code = Unavailable desc = error reading from server: EOF";
    for said in ["", "signal: killed", gone] {
        assert_eq!(of(said).reason, FailureReason::BuilderUnavailable, "{said:?}");
    }
    assert!(of("").message.contains("it printed nothing; if it happens again, find out"), "{}", of(""));
    let runtime = failed("[2/2] RUN x", "0.07 runc run failed: no cgroup mount found in mountinfo", END);
    assert_eq!(runtime.reason, FailureReason::BuilderUnavailable);
}

#[test]
fn a_secret_at_the_end_of_a_truncated_error_is_hidden() {
    let token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    let log = Log::hiding(std::time::Instant::now(), &[token.to_owned()]);
    for left in [8, 39] {
        let at = "failed to push ";
        let error = format!("{at}{}{token}, it says", "x".repeat(400 - at.len() - left));
        let said = log.hide(&of(&format!("error: failed to solve: {error}")).message);
        assert!(
            said.contains("xxx***…; check that pods can reach it") && !said.contains("ghp"),
            "{left}: {said}"
        );
    }
}

#[test]
fn text_of_a_command_is_not_mistaken_for_an_error_of_the_daemon() {
    for words in [
        "failed to push",
        "exporting to image: push",
        "failed to resolve source metadata for docker.io/library/node:22: no such host",
        "failed to copy: connection refused",
        "rpc error: code = Unavailable",
        "error reading from server",
        "no space left on device",
        "process \\\"x\\\" did not complete successfully: failed to push",
    ] {
        let command = format!("process \"/bin/sh -c ./release || (echo {words}; exit 1)\"");
        for before in ["", "failed to compute cache key: "] {
            let end = format!(
                "error: failed to solve: {before}{command} did not complete successfully: exit code: 1"
            );
            let failure = failed("[2/2] RUN ./release", "", &end);
            assert_eq!(
                (failure.stage, failure.reason),
                (Stage::Build, FailureReason::BuildFailed),
                "{words}"
            );
            assert_eq!(failure.message, "step [2/2] RUN ./release ended with exit code 1", "{words}");
        }
    }
    let end = "error: failed to solve: process \"/bin/sh -c npm ci\" did not complete successfully: ";
    for (why, reason) in [
        (
            "rpc error: code = Unavailable desc = error reading from server: EOF",
            FailureReason::BuilderUnavailable,
        ),
        ("mkdir /run/x: no space left on device", FailureReason::OutOfDisk),
    ] {
        let failure = failed("[2/2] RUN npm ci", "", &format!("{end}{why}"));
        assert_eq!(failure.reason, reason, "the text after the command is from the daemon");
    }
}

#[test]
fn file_names_are_not_mistaken_for_errors_of_the_daemon() {
    for name in [
        "failed to push",
        "exporting to image: push",
        "failed to resolve source metadata for docker.io/library/node:22: no such host",
        "failed to copy: connection refused",
        "rpc error: code = Unavailable",
        "no space left on device",
        r#"a \"failed to push\\"#,
    ] {
        let end = format!(
            "error: failed to solve: failed to compute cache key: failed to calculate checksum of ref r1::r2: \"/{name}\": not found"
        );
        let failure = failed("[2/2] COPY x .", "", &end);
        assert_eq!((failure.stage, failure.reason), (Stage::Build, FailureReason::BuildFailed), "{name}");
    }
    let open = "error: failed to solve: of \"x: failed to push r:5000/a:k1: 503 Service Unavailable";
    assert_eq!(
        failed("exporting", "", open).reason,
        FailureReason::RegistryUnavailable,
        "an unclosed quote quotes nothing"
    );
}

#[test]
fn a_program_missing_from_the_image_is_a_user_error() {
    let why = "runc run failed: unable to start container process: error during container init: exec: \"/bin/sh\": stat";
    assert_eq!(failed("[2/2] RUN x", why, END).reason, FailureReason::BuildFailed);
}

#[test]
fn output_of_a_step_is_not_mistaken_for_the_final_error() {
    let end = "error: failed to solve: process \"x\" did not complete successfully: exit code: 3";
    let fake = "1.0 error: failed to solve: failed to push x\nerror: failed to solve: failed to push x";
    assert_eq!(failed("[2/2] RUN fake", fake, end).reason, FailureReason::BuildFailed);
    assert_eq!(failed("[2/2] RUN fake", fake, "").reason, FailureReason::BuilderUnavailable);
}
