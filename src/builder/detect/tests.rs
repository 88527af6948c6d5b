use std::os::unix::fs::symlink;

use super::*;

pub(super) fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

pub(super) fn found(files: &[(&str, &str)], settings: &Settings) -> Result<Recipe, Failure> {
    let dir = context(files);
    let root = dir.path().canonicalize().unwrap();
    detect(&root, &root, settings)
}

pub(super) fn auto(files: &[(&str, &str)]) -> Result<Recipe, Failure> {
    found(files, &Settings::default())
}

pub(super) fn generated(files: &[(&str, &str)]) -> (&'static str, String) {
    let plan = plan(files);
    (plan.framework.name(), plan.text)
}

/// The plan of a directory of a source (empty: its root).
pub(super) fn plan_at(files: &[(&str, &str)], path: &str) -> Generated {
    let dir = context(files);
    let root = dir.path().canonicalize().unwrap();
    match detect(&root, &root.join(path), &Settings::default()).unwrap() {
        Recipe::Generated(generated) => generated,
        other @ Recipe::Dockerfile(_) => panic!("{other:?}"),
    }
}

pub(super) fn plan(files: &[(&str, &str)]) -> Generated {
    plan_at(files, "")
}

/// Why there is no plan.
pub(super) fn message(files: &[(&str, &str)]) -> String {
    auto(files).unwrap_err().message
}

pub(super) fn in_order(text: &str, parts: &[&str]) {
    let places: Vec<usize> =
        parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn dockerfiles_win_over_detection_in_their_order() {
    let both = [("Dockerfile", "FROM a"), ("Dockerfile.prod", "FROM b"), ("index.html", "")];
    assert_eq!(auto(&both), Ok(Recipe::Dockerfile("Dockerfile.prod".into())));
    assert_eq!(auto(&both[..1]), Ok(Recipe::Dockerfile("Dockerfile".into())));
    let named = Settings { dockerfile: Some("docker/web".into()), ..Settings::default() };
    assert_eq!(found(&[("docker/web", "FROM a")], &named), Ok(Recipe::Dockerfile("docker/web".into())));
    let generate = Settings { strategy: Strategy::Generated, ..Settings::default() };
    assert_eq!(found(&both, &generate).unwrap().framework(), "Static");
}

#[test]
fn a_requested_dockerfile_must_exist() {
    let named = Settings { dockerfile: Some("nope".into()), ..Settings::default() };
    let strategy = Settings { strategy: Strategy::Dockerfile, ..Settings::default() };
    for settings in [named, strategy] {
        let failure = found(&[("index.html", "")], &settings).unwrap_err();
        assert_eq!((failure.stage, failure.reason), (Stage::Detect, FailureReason::NoBuilder));
    }
}

// Bad input 92: empty Dockerfile
// Bad input 93: Dockerfile of 2 MiB
#[test]
fn invalid_dockerfiles_are_rejected() {
    let large = "#".repeat(2 << 20);
    for (content, why) in [("", "is empty"), (large.as_str(), "larger than 1 MiB")] {
        let failure = auto(&[("Dockerfile", content)]).unwrap_err();
        assert!(failure.message.contains(why), "{}", failure.message);
    }
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "FROM secret").unwrap();
    let dir = context(&[]);
    symlink(outside.path(), dir.path().join("Dockerfile")).unwrap();
    let root = dir.path().canonicalize().unwrap();
    let failure = detect(&root, &root, &Settings::default()).unwrap_err();
    assert!(failure.message.contains("not a file inside"), "{}", failure.message);
    for name in ["../x", "/etc/passwd"] {
        let settings = Settings { dockerfile: Some(name.into()), ..Settings::default() };
        assert_eq!(found(&[("a", "")], &settings).unwrap_err().reason, FailureReason::NoBuilder, "{name}");
    }
}

// Bad input 91: source without a Dockerfile and without anything that is known
#[test]
fn an_unknown_source_lists_the_files_that_detection_looks_for() {
    let failure = auto(&[("main.cobol", "")]).unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Detect, FailureReason::NoBuilder));
    for name in ["Dockerfile.prod", "package.json", "public/index.html"] {
        assert!(failure.message.contains(name), "{}", failure.message);
    }
}

#[test]
fn static_sites_are_served_from_their_directory() {
    let (framework, text) = generated(&[("index.html", "")]);
    assert_eq!(framework, "Static");
    assert!(text.contains("COPY --link . /srv/www/"), "{text}");
    assert!(
        generated(&[("public/index.html", ""), ("README", "")]).1.contains("COPY --link public/ /srv/www/")
    );
}

#[test]
fn node_programs_start_by_script_or_file() {
    let lock = ("package-lock.json", "{}");
    let (framework, text) = generated(&[("package.json", r#"{"scripts":{"start":"node a.js"}}"#), lock]);
    assert_eq!(framework, "Node");
    assert!(text.contains("npm ci") && text.contains(r#"CMD ["node", "a.js"]"#), "{text}");
    let text = generated(&[
        ("package.json", r#"{"main":"./app.js","dependencies":{"ms":"2"}}"#),
        ("app.js", ""),
        ("index.js", ""),
    ])
    .1;
    assert!(text.contains("npm install") && text.contains(r#"CMD ["node", "app.js"]"#), "{text}");
    assert!(
        generated(&[("package.json", "{}"), ("server.js", ""), ("index.js", "")])
            .1
            .contains(r#""server.js""#)
    );
    let failure = auto(&[("package.json", r#"{"main":"gone.js"}"#)]).unwrap_err();
    assert!(failure.message.contains("\"start\" script"), "{}", failure.message);
}

#[test]
fn build_scripts_run_and_static_output_is_served() {
    let built = r#"{"scripts":{"build":"tsc","start":"node dist/a.js"}}"#;
    let text = generated(&[("package.json", built), ("package-lock.json", "")]).1;
    assert!(text.contains("npm run build") && text.contains("npm prune --omit=dev"), "{text}");
    let vite = r#"{"scripts":{"dev":"vite","build":"vite build"},"devDependencies":{"vite":"7"}}"#;
    let (framework, text) = generated(&[("package.json", vite), ("index.html", "")]);
    assert_eq!(framework, "Vite");
    assert!(text.contains("COPY --link --from=build /app/dist/ /srv/www/"), "{text}");
    let react = r#"{"scripts":{"start":"react-scripts start","build":"react-scripts build"},"dependencies":{"react-scripts":"5"}}"#;
    assert!(generated(&[("package.json", react)]).1.contains("/app/build/"));
    let preview =
        r#"{"scripts":{"start":"vite preview","build":"vite build"},"devDependencies":{"vite":"7"}}"#;
    assert_eq!(generated(&[("package.json", preview)]).0, "Vite");
}

#[test]
fn install_scripts_get_the_whole_source() {
    for package in [
        r#"{"scripts":{"start":"x","postinstall":"prisma generate"}}"#,
        r#"{"scripts":{"start":"x"},"workspaces":["a"]}"#,
        r#"{"scripts":{"start":"x"},"dependencies":{"a":"file:./a"}}"#,
    ] {
        let text = generated(&[("package.json", package)]).1;
        assert!(text.find("COPY . .").unwrap() < text.find("npm install").unwrap(), "{text}");
    }
}

#[test]
fn hostile_package_files_are_rejected() {
    for package in ["", "[]", "{", "null", r#"{"scripts":3}"#, "\u{0}", &"[".repeat(100_000)] {
        assert_eq!(
            auto(&[("package.json", package)]).unwrap_err().reason,
            FailureReason::NoBuilder,
            "{package:.20}"
        );
    }
    let main = r#"{"main":"x\"]\nRUN evil.js"}"#;
    let failure = auto(&[("package.json", main), ("x\"]\nRUN evil.js", "")]).unwrap_err();
    assert_eq!(failure.reason, FailureReason::NoBuilder);
}

#[test]
fn two_languages_require_an_explicit_framework() {
    let both = [
        ("package.json", r#"{"scripts":{"start":"x"}}"#),
        ("requirements.txt", "flask\ngunicorn"),
        ("app.py", "app = Flask(1)"),
    ];
    let failure = auto(&both).unwrap_err();
    for part in ["package.json and requirements.txt", "spec.build.framework", "Node or Python"] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    for (framework, name) in [(Framework::Node, "Node"), (Framework::Flask, "Flask")] {
        let settings = Settings { framework: Some(framework), ..Settings::default() };
        assert_eq!(found(&both, &settings).unwrap().framework(), name);
    }
}

#[test]
fn settings_for_a_generated_dockerfile_are_never_ignored() {
    let command = Settings { command: Some("make".into()), ..Settings::default() };
    let framework = Settings { framework: Some(Framework::Go), ..Settings::default() };
    for (settings, field) in [(&command, "spec.build.command"), (&framework, "spec.build.framework")] {
        let failure = found(&[("Dockerfile", "FROM x")], settings).unwrap_err();
        assert!(failure.message.contains(field), "{}", failure.message);
    }
    let failure = found(&[("index.html", "")], &command).unwrap_err();
    assert!(failure.message.contains("nothing to build"), "{}", failure.message);
}

#[test]
fn a_framework_without_its_file_names_the_missing_file() {
    for (framework, file) in [
        (Framework::Node, "package.json"),
        (Framework::NextJs, "package.json"),
        (Framework::Go, "go.mod"),
        (Framework::Rust, "Cargo.toml"),
        (Framework::Django, "manage.py"),
        (Framework::Static, "index.html"),
    ] {
        let settings = Settings { framework: Some(framework), ..Settings::default() };
        let failure = found(&[("README.md", "")], &settings).unwrap_err();
        assert!(failure.message.contains(file), "{}: {}", framework.name(), failure.message);
    }
}

#[test]
fn a_build_command_is_quoted_and_its_arguments_are_declared_before_it() {
    let settings = Settings {
        command: Some("npm run \"x\" && echo $A <<EOF".into()),
        args: [("A".to_owned(), "1".to_owned()), ("not a name".to_owned(), String::new())].into(),
        ..Settings::default()
    };
    let package = r#"{"scripts":{"start":"node a"}}"#;
    let Recipe::Generated(made) = found(&[("package.json", package)], &settings).unwrap() else { panic!() };
    let line = r#"["/bin/sh", "-c", "npm run \"x\" && echo \u0024A \u003c\u003cEOF"]"#;
    let (argument, command) = (made.text.find("\nARG A\n").unwrap(), made.text.find(line).unwrap());
    assert!(argument < command && !made.text.contains("not a name"), "{}", made.text);
}
