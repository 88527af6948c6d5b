use super::super::tests::{auto, found, generated};
use super::quoted;
use crate::build::detect::Recipe;
use crate::build::order::{Framework, Settings};

const LOCK: (&str, &str) = ("package-lock.json", "{}");

fn message(files: &[(&str, &str)]) -> String {
    auto(files).unwrap_err().message
}

#[test]
fn a_key_is_read_with_its_text_in_quotes() {
    assert_eq!(quoted("const c = { output: 'export' }", "output"), Some("export"));
    assert_eq!(quoted("{ \"outDir\" : \"../x\" }", "outDir"), Some("../x"));
    assert_eq!(quoted("config.output = `standalone`;", "output"), Some("standalone"));
    for text in ["", "output", "output:", "output: process.env.X", "myoutput: 'export'"] {
        assert_eq!(quoted(text, "output"), None, "{text}");
    }
}

#[test]
fn the_lock_file_decides_which_package_manager_installs() {
    let package = r#"{"scripts":{"build":"tsc","start":"node a"}}"#;
    let with = |file: (&str, &str)| generated(&[("package.json", package), file]).1;
    for (file, parts) in [
        (LOCK, ["npm ci --no-audit", "npm run build", "npm prune --omit=dev"]),
        (
            ("pnpm-lock.yaml", "lockfileVersion: '6.0'"),
            ["pnpm@8", "pnpm install --frozen-lockfile", "pnpm prune --prod"],
        ),
        (
            ("yarn.lock", "# yarn lockfile v1"),
            ["yarn@1", "yarn install --frozen-lockfile", "yarn install --frozen-lockfile --production"],
        ),
        (
            ("yarn.lock", "__metadata:"),
            ["@yarnpkg/cli-dist@4", "yarn install --immutable", "yarn workspaces focus --production"],
        ),
    ] {
        let text = with(file);
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
        let (install, source) = (text.find(parts[0]).unwrap(), text.find("COPY . .").unwrap());
        assert!(install < source, "{text}");
    }
}

#[test]
fn the_version_of_the_package_manager_is_that_of_the_project() {
    let package = |manager: &str| format!(r#"{{"scripts":{{"start":"x"}},"packageManager":"{manager}"}}"#);
    let with = |manager: &str, lock| generated(&[("package.json", &package(manager)), (lock, "")]).1;
    assert!(with("pnpm@9.12.0+sha512.ab", "pnpm-lock.yaml").contains("pnpm@9.12.0\n"), "without its hash");
    assert!(with("yarn@3.6.4", "yarn.lock").contains("@yarnpkg/cli-dist@3.6.4"));
    let text = with("pnpm@9; rm -rf /", "pnpm-lock.yaml");
    assert!(text.contains("pnpm@10\n") && !text.contains("rm -rf"), "{text}");
}

#[test]
fn two_lock_files_need_a_word_and_bun_is_refused() {
    let plain = ("package.json", r#"{"scripts":{"start":"x"}}"#);
    let text = message(&[plain, LOCK, ("yarn.lock", "")]);
    assert!(text.contains("package-lock.json and yarn.lock") && text.contains("packageManager"), "{text}");
    let named = ("package.json", r#"{"scripts":{"start":"x"},"packageManager":"yarn@1.22.22"}"#);
    assert!(generated(&[named, LOCK, ("yarn.lock", "")]).1.contains("yarn@1.22.22"));
    assert!(message(&[plain, ("bun.lock", "")]).contains("bun is not known"));
}

#[test]
fn the_version_of_node_is_that_of_the_project() {
    let engines = ("package.json", r#"{"scripts":{"start":"x"},"engines":{"node":"^24.1"}}"#);
    assert!(generated(&[engines, LOCK]).1.contains("node:24-bookworm-slim"));
    assert!(generated(&[engines, LOCK, (".nvmrc", "v20.1.0")]).1.contains("node:20-bookworm-slim"));
    assert!(message(&[engines, LOCK, (".nvmrc", "$(evil)")]).contains(".nvmrc holds no version"));
    let wrong = ("package.json", r#"{"scripts":{"start":"x"},"engines":{"node":"twenty"}}"#);
    assert!(message(&[wrong, LOCK]).contains("\"engines\""));
}

#[test]
fn next_is_served_as_its_output_says() {
    let package = (
        "package.json",
        r#"{"scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15"}}"#,
    );
    let with =
        |configuration| generated(&[package, LOCK, ("next.config.mjs", configuration), ("public/a", "")]);
    let (framework, text) = with("export default { output: 'standalone' }");
    assert_eq!(framework, "NextJs");
    assert!(text.contains("/app/.next/standalone ./") && text.contains("HOSTNAME=0.0.0.0"), "{text}");
    assert!(text.contains("/app/public ./public") && !text.contains("npm prune"), "{text}");
    assert!(with("export default { output: \"export\" }").1.contains("/app/out/ /srv/www/"));
    let text = with("// output: 'standalone'\nexport default {}").1;
    assert!(text.contains(r#""start", "-H", "0.0.0.0"]"#) && text.contains("npm prune"), "{text}");
    let failure = message(&[("package.json", r#"{"dependencies":{"next":"15"}}"#), LOCK]);
    assert!(
        failure.contains("\"build\": \"next build\"") && failure.contains("spec.build.command"),
        "{failure}"
    );
    let own = r#"{"scripts":{"build":"next build","start":"node server.js"},"dependencies":{"next":"15"}}"#;
    assert_eq!(generated(&[("package.json", own), LOCK]).0, "Node");
}

#[test]
fn astro_and_sveltekit_are_served_as_their_adapter_says() {
    let package = |dependency: &str| {
        format!(
            r#"{{"scripts":{{"build":"x"}},"dependencies":{{"astro":"5"}},"devDependencies":{{"{dependency}":"1"}}}}"#
        )
    };
    let astro = |dependency: &str, configuration| {
        auto(&[("package.json", &package(dependency)), LOCK, ("astro.config.mjs", configuration)])
    };
    let text = |recipe| match recipe {
        Ok(Recipe::Generated(made)) => made.text,
        other => panic!("{other:?}"),
    };
    assert!(text(astro("x", "")).contains("/app/dist/ /srv/www/"));
    assert!(text(astro("@astrojs/node", "")).contains(r#"["node", "dist/server/entry.mjs"]"#));
    assert!(astro("x", "output: 'server'").unwrap_err().message.contains("npx astro add node"));
    assert!(astro("@astrojs/node", "mode: 'middleware'").unwrap_err().message.contains("standalone"));

    let kit = |adapter: &str, configuration| {
        let package = format!(
            r#"{{"scripts":{{"build":"vite build"}},"devDependencies":{{"@sveltejs/kit":"2","vite":"7","{adapter}":"1"}}}}"#
        );
        auto(&[("package.json", &package), LOCK, ("svelte.config.js", configuration)])
    };
    assert!(text(kit("@sveltejs/adapter-node", "")).contains(r#"["node", "build"]"#));
    let files = text(kit("@sveltejs/adapter-static", "adapter({ fallback: '200.html' })"));
    assert!(files.contains("/app/build/ /srv/www/") && files.contains("$uri.html /200.html;"), "{files}");
    assert!(kit("@sveltejs/adapter-auto", "").unwrap_err().message.contains("@sveltejs/adapter-node"));
}

#[test]
fn the_directory_of_vite_is_a_plain_one() {
    let package = ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}"#);
    let with = |configuration| auto(&[package, LOCK, ("vite.config.ts", configuration)]);
    let Ok(Recipe::Generated(made)) = with("build: { outDir: './build/' }") else { panic!() };
    assert!(made.text.contains("COPY --link --from=build /app/build/ /srv/www/"), "{}", made.text);
    for hostile in ["outDir: '../../etc'", "outDir: 'a\nRUN evil'", "outDir: '/etc'", "outDir: 'a b'"] {
        assert!(with(hostile).unwrap_err().message.contains("outDir"), "{hostile}");
    }
}

#[test]
fn a_program_that_nobody_said_how_to_start_says_what_to_set() {
    let settings = Settings { framework: Some(Framework::Node), ..Settings::default() };
    let Ok(Recipe::Generated(made)) = found(&[("package.json", "{}"), LOCK], &settings) else { panic!() };
    assert!(made.text.contains("set spec.run.command"), "{}", made.text);
    assert!(
        made.findings.assumed.iter().any(|note| note.contains("spec.run.command")),
        "{:?}",
        made.findings
    );
}

#[test]
fn hostile_names_never_reach_the_text() {
    for package in [
        r#"{"main":"x\"]\nRUN evil.js"}"#,
        r#"{"scripts":{"start":"x\nRUN evil"},"packageManager":"npm\nRUN evil@1"}"#,
        r#"{"scripts":{"start":"x"},"engines":{"node":"22\nRUN evil"}}"#,
        r#"{"name":"x\nRUN evil","scripts":{"build":"evil\nRUN evil","start":"evil"}}"#,
    ] {
        if let Ok(Recipe::Generated(made)) = auto(&[("package.json", package), ("x\"]\nRUN evil.js", "")]) {
            assert!(!made.text.contains("evil"), "{}", made.text);
        }
    }
}
