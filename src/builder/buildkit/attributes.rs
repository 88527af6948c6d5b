//! Arguments and configuration for BuildKit, and the metadata that it returns. Texts only.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::dockerfile::CA_SECRET;
use super::Solve;

/// The build argument that BuildKit prefixes to the names of cache mounts.
const CACHE_NAMESPACE: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// The arguments of one build that pushes its image.
pub(super) fn solve(solve: &Solve<'_>) -> Vec<String> {
    let (dockerfile, name) = solve.dockerfile;
    let mut arguments: Vec<String> =
        ["build", "--progress=rawjson", "--frontend=dockerfile.v0"].map(str::to_owned).into();
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    add("--local", format!("context={}", solve.context.display()));
    add("--local", format!("dockerfile={}", dockerfile.display()));
    add("--opt", format!("filename={name}"));
    // With a `cmdline`, BuildKit does not look for `# syntax=`. So no source brings its own frontend, and the usual
    // `docker/dockerfile:1` needs no download: the daemon's own frontend reads every Dockerfile.
    add("--opt", "cmdline=docker/dockerfile:1".to_owned());
    if let Some(ca) = solve.step_ca {
        add("--secret", format!("id={CA_SECRET},src={}", ca.display()));
    }
    for (id, file) in solve.secrets {
        add("--secret", format!("id={id},src={}", file.display()));
    }
    if let Some(target) = &solve.settings.target {
        add("--opt", format!("target={target}"));
    }
    // The user may not choose the namespace of cache mounts where several builds share the daemon.
    let is_free = |key: &str| solve.cache_namespace.is_none() || key != CACHE_NAMESPACE;
    for (key, value) in solve.settings.args.iter().filter(|(key, _)| is_free(key)) {
        add("--opt", format!("build-arg:{key}={value}"));
    }
    if let Some(namespace) = solve.cache_namespace {
        add("--opt", format!("build-arg:{CACHE_NAMESPACE}={namespace}"));
    }
    // BuildKit gives these to every step, in both cases, and keeps them out of the image and of the keys of its cache
    // (moby/buildkit, solver/llbsolver/ops/exec.go). The project's own come first.
    let theirs = |name: &str| solve.settings.args.keys().any(|key| key.eq_ignore_ascii_case(name));
    for (name, value) in solve.proxies.variables() {
        if name.starts_with(char::is_uppercase) && !theirs(name) {
            add("--opt", format!("build-arg:{name}={value}"));
        }
    }
    for (key, value) in solve.labels {
        add("--opt", format!("label:{key}={value}"));
    }
    let Solve { repository, tag, .. } = solve;
    let mut output = format!("type=image,name={repository}:{tag},push=true,oci-mediatypes=true");
    if solve.insecure {
        output.push_str(",registry.insecure=true");
    }
    for (key, value) in solve.annotations {
        output.push(',');
        output.push_str(&field(&format!("annotation.{key}={value}")));
    }
    add("--output", output);
    // The first build of a repository has no cache yet. An import would put an error at the top of every log.
    if solve.cached {
        add("--import-cache", format!("type=registry,ref={repository}:cache"));
    }
    let cache = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true";
    add("--export-cache", format!("type=registry,ref={repository}:cache,{cache}"));
    add("--metadata-file", solve.metadata.display().to_string());
    arguments
}

/// The arguments of a solve that copies `/etc/passwd` out of an image.
pub(super) fn user_database(dockerfile: &std::path::Path, to: &std::path::Path) -> Vec<String> {
    let arguments = [
        "build".to_owned(),
        "--progress=plain".to_owned(),
        "--frontend=dockerfile.v0".to_owned(),
        format!("--local=context={}", dockerfile.display()),
        format!("--local=dockerfile={}", dockerfile.display()),
        "--opt=cmdline=docker/dockerfile:1".to_owned(),
        format!("--output=type=local,dest={}", to.display()),
    ];
    arguments.into()
}

/// A field of a line of comma-separated values.
fn field(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The daemon's configuration: which registries speak plain HTTP and which one mirrors docker.io.
pub(super) fn daemon_config(plain: &[String], mirror: Option<&str>) -> String {
    // A JSON string is a TOML string.
    let quoted = |text: &str| Value::from(text).to_string();
    let mut config = String::from("[worker.oci]\n  gc = false\n[worker.containerd]\n  enabled = false\n");
    if let Some(mirror) = mirror {
        let _ = write!(config, "[registry.\"docker.io\"]\n  mirrors = [{}]\n", quoted(mirror));
    }
    let mut hosts: Vec<&str> = plain.iter().map(String::as_str).chain(mirror).collect();
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        let _ = write!(config, "[registry.{}]\n  http = true\n", quoted(host));
    }
    config
}

/// The digest of the image in the metadata of a build.
pub(super) fn digest(metadata: &[u8]) -> Option<String> {
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let digest = metadata.get("containerimage.digest")?.as_str()?;
    digest.starts_with("sha256:").then(|| digest.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::builder::registry::Advice;
    use crate::protocol::order::Settings;
    use crate::protocol::proxies::Proxies;

    #[test]
    fn every_build_setting_is_its_own_argument() {
        let (settings, notes) = (settings(), notes());
        let arguments = super::solve(&told(&settings, &notes));
        for part in [
            "build-arg:A=x,y=\"z\" --flag",
            "target=prod",
            "label:a.b/version=v1, = x",
            "filename=docker/web",
            "cmdline=docker/dockerfile:1",
            "type=image,name=r:5000/ns/shop:k1,push=true,oci-mediatypes=true,\"annotation.doce.dev/message=say \"\"hi\"\", then leave\"",
            "type=registry,ref=r:5000/ns/shop:cache",
        ] {
            assert!(arguments.iter().any(|argument| argument == part), "{part} in {arguments:#?}");
        }
    }

    // Bad input 98: Dockerfile or build argument that names a frontend of its own
    #[test]
    fn neither_source_nor_argument_can_choose_a_frontend() {
        let (mut settings, notes) = (settings(), notes());
        settings.args.insert("BUILDKIT_SYNTAX".to_owned(), "evil.example/frontend".to_owned());
        let of_a_build = super::solve(&told(&settings, &notes));
        // With a `cmdline`, BuildKit reads neither the build argument nor a syntax line.
        assert!(of_a_build.contains(&"cmdline=docker/dockerfile:1".to_owned()), "{of_a_build:#?}");
        let of_a_user = user_database(Path::new("/w/user"), Path::new("/w/result"));
        assert!(of_a_user.contains(&"--opt=cmdline=docker/dockerfile:1".to_owned()), "{of_a_user:#?}");
        for arguments in [of_a_build, of_a_user] {
            assert!(arguments.contains(&"--frontend=dockerfile.v0".to_owned()), "{arguments:#?}");
        }
    }

    // Bad input 99: step that asks for a secret, to copy it into a layer
    #[test]
    fn steps_can_mount_only_the_certificates_and_the_named_secrets() {
        let (settings, notes) = (settings(), notes());
        let secrets = |step_ca, secrets: &[_]| {
            let arguments = super::solve(&Solve { step_ca, secrets, ..told(&settings, &notes) });
            let named = |flag: &str| arguments.iter().any(|argument| argument.starts_with(flag));
            assert!(!named("--ssh") && !named("--allow"), "{arguments:#?}");
            let flags = arguments.iter().enumerate().filter(|(_, argument)| argument.starts_with("--secret"));
            flags.map(|(at, _)| arguments[at + 1].clone()).collect::<Vec<_>>()
        };
        assert_eq!(secrets(None, &[]), Vec::<String>::new());
        let ca = format!("id={CA_SECRET},src=/w/ca.pem");
        assert_eq!(secrets(Some(Path::new("/w/ca.pem")), &[]), std::slice::from_ref(&ca));
        let named = [(".npmrc".to_owned(), "/secrets/build/.npmrc".into())];
        assert_eq!(
            secrets(Some(Path::new("/w/ca.pem")), &named),
            [ca, "id=.npmrc,src=/secrets/build/.npmrc".to_owned()]
        );
    }

    #[test]
    fn steps_get_the_proxies_of_the_platform_unless_the_project_names_its_own() {
        let (mut settings, notes) = (settings(), notes());
        let proxies =
            Proxies::new(Some("http://p.test:1"), Some("http://p.test:2"), "corp.test", []).unwrap();
        settings.args.insert("https_proxy".to_owned(), "http://own.test:3".to_owned());
        let arguments = super::solve(&Solve { proxies: &proxies, ..told(&settings, &notes) });
        let said: Vec<_> = arguments.iter().filter(|argument| argument.contains("roxy=")).collect();
        assert_eq!(said, ["build-arg:https_proxy=http://own.test:3"]);
        let said: Vec<_> = arguments.iter().filter(|argument| argument.contains("PROXY=")).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(said[0], "build-arg:HTTP_PROXY=http://p.test:1");
        assert!(said[1].starts_with("build-arg:NO_PROXY=") && said[1].contains(",corp.test"), "{said:?}");
    }

    #[test]
    fn a_shared_daemon_gets_plain_http_and_a_cache_mount_namespace() {
        let (mut settings, notes) = (settings(), notes());
        settings.args.insert("BUILDKIT_CACHE_MOUNT_NS".to_owned(), "other".to_owned());
        let arguments = super::solve(&Solve {
            insecure: true,
            cache_namespace: Some("tenant"),
            ..told(&settings, &notes)
        });
        let said: Vec<_> = arguments.iter().filter(|argument| argument.contains("CACHE_MOUNT_NS")).collect();
        assert_eq!(said, ["build-arg:BUILDKIT_CACHE_MOUNT_NS=tenant"], "the value of the user is dropped");
        let output =
            "type=image,name=r:5000/ns/shop:k1,push=true,oci-mediatypes=true,registry.insecure=true,";
        assert!(arguments.iter().any(|argument| argument.starts_with(output)), "{arguments:#?}");
        let alone = super::solve(&told(&settings, &notes));
        assert!(alone.contains(&"build-arg:BUILDKIT_CACHE_MOUNT_NS=other".to_owned()), "{alone:#?}");
    }

    fn settings() -> Settings {
        Settings {
            target: Some("prod".into()),
            args: [("A".to_owned(), "x,y=\"z\" --flag".to_owned())].into(),
            ..Settings::default()
        }
    }

    static NO_PROXIES: std::sync::LazyLock<Proxies> = std::sync::LazyLock::new(Proxies::default);

    static NO_ADVICE: Advice = Advice { refused: String::new(), full: "" };

    /// Annotations and labels.
    type Notes = ([(&'static str, String); 1], [(&'static str, String); 1]);

    fn notes() -> Notes {
        let message = ("doce.dev/message", "say \"hi\", then\u{20}leave".to_owned());
        ([message], [("a.b/version", "v1, = x".to_owned())])
    }

    fn told<'a>(settings: &'a Settings, notes: &'a Notes) -> Solve<'a> {
        Solve {
            context: Path::new("/w/tree"),
            dockerfile: (Path::new("/w/tree"), "docker/web"),
            settings,
            repository: "r:5000/ns/shop",
            tag: "k1",
            cached: true,
            annotations: &notes.0,
            labels: &notes.1,
            step_ca: None,
            secrets: &[],
            insecure: false,
            proxies: &NO_PROXIES,
            cache_namespace: None,
            advice: &NO_ADVICE,
            metadata: Path::new("/w/metadata.json"),
        }
    }

    #[test]
    fn each_registry_is_configured_once() {
        let config = daemon_config(&["r:5000".to_owned(), "m:5001".to_owned()], Some("m:5001"));
        assert_eq!(config.matches("http = true").count(), 2, "{config}");
        assert!(config.contains("[registry.\"docker.io\"]\n  mirrors = [\"m:5001\"]"), "{config}");
        assert!(!daemon_config(&[], None).contains("registry"));
    }

    #[test]
    fn the_digest_is_read_from_the_metadata() {
        let text = br#"{"containerimage.digest":"sha256:ab","x":1}"#;
        assert_eq!(digest(text).as_deref(), Some("sha256:ab"));
        assert_eq!(digest(b"{}"), None);
        assert_eq!(digest(b""), None);
    }
}
