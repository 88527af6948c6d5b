use std::os::unix::fs::symlink;

use super::*;

fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

fn found(files: &[(&str, &str)], settings: &Settings) -> Result<Recipe, Failure> {
    let dir = context(files);
    detect(&dir.path().canonicalize().unwrap(), settings)
}

fn auto(files: &[(&str, &str)]) -> Result<Recipe, Failure> {
    found(files, &Settings::default())
}

fn generated(files: &[(&str, &str)]) -> (&'static str, String) {
    match auto(files).unwrap() {
        Recipe::Generated { framework, text, .. } => (framework, text),
        other @ Recipe::Dockerfile(_) => panic!("{other:?}"),
    }
}

#[test]
fn dockerfiles_win_in_their_order() {
    let both = [("Dockerfile", "FROM a"), ("Dockerfile.prod", "FROM b"), ("index.html", "")];
    assert_eq!(auto(&both), Ok(Recipe::Dockerfile("Dockerfile.prod".into())));
    assert_eq!(auto(&both[..1]), Ok(Recipe::Dockerfile("Dockerfile".into())));
    let named = Settings { dockerfile: Some("docker/web".into()), ..Settings::default() };
    assert_eq!(found(&[("docker/web", "FROM a")], &named), Ok(Recipe::Dockerfile("docker/web".into())));
    let generate = Settings { strategy: Strategy::Generated, ..Settings::default() };
    assert_eq!(found(&both, &generate).unwrap().framework(), "Static");
}

#[test]
fn a_dockerfile_that_was_asked_for_must_be_there() {
    let named = Settings { dockerfile: Some("nope".into()), ..Settings::default() };
    let strategy = Settings { strategy: Strategy::Dockerfile, ..Settings::default() };
    for settings in [named, strategy] {
        let failure = found(&[("index.html", "")], &settings).unwrap_err();
        assert_eq!((failure.stage, failure.reason), (Stage::Detect, Reason::NoBuilder));
    }
}

// Bad input 92: empty Dockerfile
// Bad input 93: Dockerfile of 2 MiB
#[test]
fn dockerfiles_that_are_none_are_refused() {
    let large = "#".repeat(2 << 20);
    for (content, why) in [("", "is empty"), (large.as_str(), "larger than 1 MiB")] {
        let failure = auto(&[("Dockerfile", content)]).unwrap_err();
        assert!(failure.message.contains(why), "{}", failure.message);
    }
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "FROM secret").unwrap();
    let dir = context(&[]);
    symlink(outside.path(), dir.path().join("Dockerfile")).unwrap();
    let failure = detect(&dir.path().canonicalize().unwrap(), &Settings::default()).unwrap_err();
    assert!(failure.message.contains("no file inside"), "{}", failure.message);
    for name in ["../x", "/etc/passwd"] {
        let settings = Settings { dockerfile: Some(name.into()), ..Settings::default() };
        assert_eq!(found(&[("a", "")], &settings).unwrap_err().reason, Reason::NoBuilder, "{name}");
    }
}

#[test]
fn nothing_known_says_what_was_looked_for() {
    let failure = auto(&[("main.cobol", "")]).unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Detect, Reason::NoBuilder));
    for name in ["Dockerfile.prod", "package.json", "public/index.html"] {
        assert!(failure.message.contains(name), "{}", failure.message);
    }
}

#[test]
fn static_sites_are_served_from_where_they_are() {
    let (framework, text) = generated(&[("index.html", "")]);
    assert_eq!(framework, "Static");
    assert!(text.contains("COPY . /srv/www/"), "{text}");
    assert!(generated(&[("public/index.html", ""), ("README", "")]).1.contains("COPY public/ /srv/www/"));
}

#[test]
fn programs_for_node_are_started_by_script_or_file() {
    let lock = ("package-lock.json", "{}");
    let (framework, text) = generated(&[("package.json", r#"{"scripts":{"start":"node a.js"}}"#), lock]);
    assert_eq!(framework, "Node");
    assert!(text.contains("npm ci") && text.contains(r#"CMD ["npm", "start"]"#), "{text}");
    let text = generated(&[("package.json", r#"{"main":"./app.js"}"#), ("app.js", ""), ("index.js", "")]).1;
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
fn build_scripts_run_and_static_results_are_served() {
    let built = r#"{"scripts":{"build":"tsc","start":"node dist/a.js"}}"#;
    let text = generated(&[("package.json", built), ("package-lock.json", "")]).1;
    assert!(text.contains("npm run build") && text.contains("npm prune --omit=dev"), "{text}");
    let vite = r#"{"scripts":{"dev":"vite","build":"vite build"},"devDependencies":{"vite":"7"}}"#;
    let (framework, text) = generated(&[("package.json", vite), ("index.html", "")]);
    assert_eq!(framework, "Static");
    assert!(text.contains("COPY --from=build /app/dist/ /srv/www/"), "{text}");
    let react = r#"{"scripts":{"start":"react-scripts start","build":"react-scripts build"},"dependencies":{"react-scripts":"5"}}"#;
    assert!(generated(&[("package.json", react)]).1.contains("/app/build/"));
    let preview =
        r#"{"scripts":{"start":"vite preview","build":"vite build"},"devDependencies":{"vite":"7"}}"#;
    assert_eq!(generated(&[("package.json", preview)]).0, "Node");
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
fn hostile_package_files_are_answered_not_obeyed() {
    for package in ["", "[]", "{", "null", r#"{"scripts":3}"#, "\u{0}", &"[".repeat(100_000)] {
        assert_eq!(
            auto(&[("package.json", package)]).unwrap_err().reason,
            Reason::NoBuilder,
            "{package:.20}"
        );
    }
    let main = r#"{"main":"x\"]\nRUN evil.js"}"#;
    let failure = auto(&[("package.json", main), ("x\"]\nRUN evil.js", "")]).unwrap_err();
    assert_eq!(failure.reason, Reason::NoBuilder);
}
