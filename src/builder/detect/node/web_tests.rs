//! Tests of the plans for web frameworks and site generators.

use super::super::tests::{auto, found};
use crate::builder::detect::{Generated, Recipe};
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

const LOCK: (&str, &str) = ("package-lock.json", "{}");

fn with(package: &str, files: &[(&str, &str)], settings: &Settings) -> Result<Generated, String> {
    let files: Vec<(&str, &str)> = [("package.json", package), LOCK].iter().chain(files).copied().collect();
    match found(&files, settings) {
        Ok(Recipe::Generated(made)) => Ok(made),
        Ok(other @ Recipe::Dockerfile(_)) => panic!("{other:?}"),
        Err(failure) => Err(failure.message),
    }
}

fn made(package: &str, files: &[(&str, &str)]) -> Generated {
    with(package, files, &Settings::default()).unwrap()
}

/// A package.json with scripts and packages.
fn package(scripts: &[(&str, &str)], packages: &[&str]) -> String {
    let scripts: Vec<String> = scripts.iter().map(|(name, line)| format!("{name:?}:{line:?}")).collect();
    let packages: Vec<String> = packages.iter().map(|name| format!("{name:?}:\"1\"")).collect();
    format!(
        "{{\"engines\":{{\"node\":\"22.x\"}},\"scripts\":{{{}}},\"devDependencies\":{{{}}}}}",
        scripts.join(","),
        packages.join(",")
    )
}

fn copies(made: &Generated, from: &str, to: &str) {
    let line = format!("COPY --link --from=build /app/{from}/ /srv/www{to}\n");
    assert!(made.text.contains(&line), "{line}{}", made.text);
}

// Case 10: a site for a base path was a blank page, and Ready. Rule: a site is served at its base path.
#[test]
fn a_site_with_a_base_path_is_served_under_it() {
    let vite = package(&[("build", "vite build")], &["vite"]);
    let config = |text| [("vite.config.js", text)];
    let game = made(
        &vite,
        &config(
            "import { defineConfig } from 'vite'\n// below /other/\nexport default defineConfig({ base: '/game/' })",
        ),
    );
    copies(&game, "dist", "/game/");
    assert!(game.findings.assumed.iter().any(|note| note.contains("/game/")), "{:?}", game.findings);
    for text in [
        "export default {}",
        "export default { base: './' }",
        "export default { base: 'https://cdn.example/x/' }",
    ] {
        copies(&made(&vite, &config(text)), "dist", "/");
    }
    let homepage = r#"{"homepage":"https://who.example/shop","scripts":{"build":"react-scripts build"},"dependencies":{"react-scripts":"5"}}"#;
    copies(&made(homepage, &[]), "build", "/shop/");
    let flag = package(&[("build", "tsc && vite build --base=/app --outDir web")], &["vite"]);
    copies(&made(&flag, &[]), "web", "/app/");
    let docusaurus = package(&[("build", "docusaurus build")], &["@docusaurus/core"]);
    copies(
        &made(&docusaurus, &[("docusaurus.config.js", "module.exports = { baseUrl: '/docs/' }")]),
        "build",
        "/docs/",
    );
    let hostile = made(&vite, &config("export default { base: '/;}\\nRUN evil/' }"));
    assert!(!hostile.text.contains("evil"), "{}", hostile.text);
}

// Case 13: VitePress as its wizard creates it. Rule: script names vary, and the tool decides its output directory.
#[test]
fn vitepress_is_built_by_any_script_that_runs_it() {
    let scripts = [("docs:dev", "vitepress dev docs"), ("docs:build", "vitepress build docs")];
    let page = [("docs/index.md", "# x")];
    let docs = made(&package(&scripts, &["vitepress"]), &page);
    assert_eq!(docs.framework, Framework::VitePress);
    copies(&docs, "docs/.vitepress/dist", "/");
    assert!(docs.text.contains("npm run docs:build"), "{}", docs.text);
    let command = Settings { command: Some("npm run docs:build".into()), ..Settings::default() };
    copies(&with(&package(&scripts, &["vitepress"]), &page, &command).unwrap(), "docs/.vitepress/dist", "/");
    let config = (
        "docs/.vitepress/config.mts",
        "export default defineConfig({ outDir: '../public', base: '/handbook/' })",
    );
    copies(&made(&package(&scripts, &["vitepress"]), &[page[0], config]), "public", "/handbook/");
    let plain = package(&[("build", "vitepress build")], &["vitepress"]);
    copies(&made(&plain, &[(".vitepress/config.js", "export default {}")]), ".vitepress/dist", "/");
}

#[test]
fn the_output_directory_comes_from_the_tool_configuration() {
    let vite = package(&[("build", "vite build")], &["vite"]);
    for (config, output) in [
        ("export default { root: 'client', build: { outDir: '../dist' } }", "dist"),
        ("export default { root: 'client' }", "client/dist"),
        ("export default { build: { outDir: path.resolve(__dirname, 'out') } }", "out"),
        ("// build: { outDir: 'x' }\nexport default { build: { lib: {}, outDir: \"y\" } }", "y"),
        (
            "export default defineConfig(({ mode }) => ({ build: { outDir: mode === 'production' ? 'p' : 'd' } }))",
            "p",
        ),
    ] {
        copies(&made(&vite, &[("vite.config.ts", config)]), output, "/");
    }
    let unknown = made(&vite, &[("vite.config.ts", "export default { build: { outDir: where() } }")]);
    copies(&unknown, "dist", "/");
    assert!(
        unknown.findings.warnings.iter().any(|text| text.contains("outputDirectory")),
        "{:?}",
        unknown.findings
    );
    for (script, packages, output) in [
        ("BUILD_PATH=out react-scripts build", &["react-scripts"][..], "out"),
        ("eleventy --output=web", &["@11ty/eleventy"], "web"),
        ("parcel build src/index.html --dist-dir site", &["parcel"], "site"),
        ("vue-cli-service build", &["@vue/cli-service"], "dist"),
        ("expo export --platform web", &["expo"], "dist"),
        ("hexo generate", &["hexo"], "public"),
        ("gatsby build", &["gatsby"], "public"),
        ("storybook build", &["storybook", "vite"], "storybook-static"),
        ("webpack --mode production", &["webpack-cli"], "dist"),
    ] {
        copies(&made(&package(&[("build", script)], packages), &[]), output, "/");
    }
}

#[test]
fn a_configured_output_directory_overrides_the_tool() {
    let named =
        |directory: &str| Settings { output_directory: Some(directory.into()), ..Settings::default() };
    let custom = package(&[("build", "node build.js")], &[]);
    copies(&with(&custom, &[], &named("www")).unwrap(), "www", "/");
    let vite = package(&[("build", "vite build")], &["vite"]);
    copies(&with(&vite, &[], &named("made/web")).unwrap(), "made/web", "/");
    for directory in ["../x", "/etc", "a b"] {
        assert!(with(&vite, &[], &named(directory)).is_err(), "{directory}");
    }
    let go = Settings { output_directory: Some("x".into()), ..Settings::default() };
    let failure = found(&[("go.mod", "module a\ngo 1.24"), ("main.go", "package main")], &go).unwrap_err();
    assert!(failure.message.contains("spec.build.outputDirectory"), "{}", failure.message);
}

#[test]
fn framework_servers_start_without_a_package_manager() {
    for (scripts, packages, files, framework, command) in [
        (
            &[("build", "nuxt build"), ("postinstall", "nuxt prepare")][..],
            &["nuxt"][..],
            &[][..],
            "Nuxt",
            r#"CMD ["node", ".output/server/index.mjs"]"#,
        ),
        (
            &[("build", "vinxi build"), ("start", "vinxi start")],
            &["@solidjs/start", "vinxi"],
            &[],
            "SolidStart",
            r#"CMD ["node", ".output/server/index.mjs"]"#,
        ),
        (
            &[("build", "react-router build")],
            &["@react-router/dev"],
            &[],
            "ReactRouter",
            r#"CMD ["react-router-serve", "./build/server/index.js"]"#,
        ),
        (
            &[("build", "remix vite:build"), ("start", "remix-serve ./build/server/index.js")],
            &["@remix-run/dev"],
            &[],
            "ReactRouter",
            "remix-serve",
        ),
        (
            &[("build", "nest build"), ("start", "nest start"), ("start:prod", "node dist/main")],
            &["@nestjs/core"],
            &[],
            "NestJs",
            r#"CMD ["node", "dist/main"]"#,
        ),
        (
            &[("build", "nest build"), ("start", "nest start")],
            &["@nestjs/core"],
            &[("nest-cli.json", r#"{"entryFile":"server"}"#)],
            "NestJs",
            r#"CMD ["node", "dist/server"]"#,
        ),
        (
            &[("build", "qwik build")],
            &["@builder.io/qwik-city"],
            &[("adapters/express/vite.config.ts", "")],
            "Qwik",
            r#"CMD ["node", "server/entry.express"]"#,
        ),
        (
            &[("build", "vite build")],
            &["@tanstack/react-start", "vite"],
            &[("vite.config.ts", "export default defineConfig({ plugins: [tanstackStart(), nitro()] })")],
            "TanStackStart",
            r#"CMD ["node", ".output/server/index.mjs"]"#,
        ),
        (
            &[("build", "vite build")],
            &["@tanstack/react-start", "vite"],
            &[],
            "TanStackStart",
            "exec vite preview --host 0.0.0.0",
        ),
        (
            &[("build", "ng build"), ("start", "ng serve")],
            &["@angular/core"],
            &[("angular.json", ANGULAR_SERVER)],
            "Angular",
            r#"CMD ["node", "dist/shop/server/server.mjs"]"#,
        ),
    ] {
        let made = made(&package(scripts, packages), files);
        assert_eq!(made.framework.name(), framework, "{}", made.text);
        let last = made.text.lines().last().unwrap();
        assert!(last.contains(command) && !last.contains("npm"), "{framework}: {last}");
    }
}

#[test]
fn solid_start_2_is_served_by_nitro_and_rejected_without_a_server() {
    let second = package(&[("build", "vite build")], &["@solidjs/start", "vite"]);
    let config = |text: &'static str| [("vite.config.ts", text)];
    let nitro = made(&second, &config("export default defineConfig({ plugins: [solidStart(), nitro()] })"));
    assert!(nitro.text.ends_with("CMD [\"node\", \".output/server/index.mjs\"]\n"), "{}", nitro.text);
    let files = "export default { plugins: [solidStart(), nitro({ preset: 'static' })] }";
    assert!(made(&second, &config(files)).text.contains("/app/.output/public/ /srv/www/"));
    let alone = config("export default { plugins: [solidStart()] }");
    let failure = with(&second, &alone, &Settings::default()).unwrap_err();
    assert!(failure.contains("vite.config.ts has no nitro()"), "{failure}");
}

const ANGULAR_SERVER: &str = r#"{"projects":{"shop":{"projectType":"application","architect":{"build":{
    "builder":"@angular/build:application","options":{"ssr":{"entry":"src/server.ts"},"outputMode":"server"}}}}}}"#;

#[test]
fn frameworks_with_static_output_are_served_as_sites() {
    for (scripts, packages, files, output) in [
        (&[("build", "nuxt generate")][..], &["nuxt"][..], &[][..], ".output/public"),
        (
            &[("build", "react-router build"), ("start", "react-router-serve ./build/server/index.js")],
            &["@react-router/dev"],
            &[("react-router.config.ts", "export default { ssr: false } satisfies Config;")],
            "build/client",
        ),
        (
            &[("build", "ng build")],
            &["@angular/core"],
            &[(
                "angular.json",
                r#"{"projects":{"lib":{"projectType":"library"},
            "web":{"projectType":"application","architect":{"build":{"builder":"@angular-devkit/build-angular:application","options":{"outputPath":"dist/web"}}}}}}"#,
            )],
            "dist/web/browser",
        ),
        (
            &[("build", "ng build")],
            &["@angular/core"],
            &[(
                "angular.json",
                r#"{"projects":{"web":{"architect":{"build":{
            "builder":"@angular-devkit/build-angular:browser","options":{"outputPath":"www"}}}}}}"#,
            )],
            "www",
        ),
        (
            &[("build", "qwik build")],
            &["@builder.io/qwik-city"],
            &[("adapters/static/vite.config.ts", "")],
            "dist",
        ),
        (
            &[("build", "astro build")],
            &["astro"],
            &[("astro.config.mjs", "export default defineConfig({ outDir: './web' })")],
            "web",
        ),
        (
            &[("build", "next build")],
            &["next"],
            &[(
                "next.config.ts",
                "const c: NextConfig = { output: 'export', distDir: 'web' };\nexport default c;",
            )],
            "web",
        ),
        (&[("build", "vite build"), ("start", "vite preview")], &["vite"], &[], "dist"),
        (&[("build", "vite build"), ("start", "serve -s dist")], &["vite", "serve"], &[], "dist"),
    ] {
        copies(&made(&package(scripts, packages), files), output, "/");
    }
}

// Rule: a tool that starts as an ordinary user may write next to packages that belong to root.
#[test]
fn vite_may_write_its_configuration_if_it_starts_the_program() {
    let step = "RUN mkdir -p /node_modules/.vite-temp && chmod 1777 /node_modules/.vite-temp\n";
    let served = package(&[("build", "vite build")], &["@tanstack/react-start", "vite"]);
    let text = made(&served, &[]).text;
    assert!(text.contains(step), "{text}");
    let text = made(&package(&[("build", "vite build")], &["vite"]), &[]).text;
    assert!(!text.contains(".vite-temp"), "{text}");
}

#[test]
fn output_for_another_hosting_provider_is_rejected_with_the_fix() {
    for (packages, file, change) in [
        (
            &["nuxt"][..],
            ("nuxt.config.ts", "export default defineNuxtConfig({ nitro: { preset: 'vercel' } })"),
            "node-server",
        ),
        (
            &["astro", "@astrojs/vercel"],
            ("astro.config.mjs", "export default { adapter: vercel() }"),
            "astro add node",
        ),
        (&["@builder.io/qwik-city"], ("vite.config.ts", ""), "qwik add express"),
        (&["@angular/core"], ("x", ""), "angular.json"),
    ] {
        let failure = with(&package(&[("build", "x")], packages), &[file], &Settings::default()).unwrap_err();
        assert!(failure.contains(change), "{failure}");
    }
}

#[test]
fn a_server_that_only_builds_with_vite_is_a_node_program() {
    let scripts = [("build", "vite build"), ("start", "node server.js")];
    assert_eq!(
        made(&package(&scripts, &["vite", "express"]), &[("server.js", "")]).framework,
        Framework::Node
    );
    let tests = package(&[("test", "vitest"), ("start", "node a.js")], &["vite", "vitest"]);
    assert_eq!(made(&tests, &[("a.js", "")]).framework, Framework::Node);
}

#[test]
fn hostile_configurations_never_reach_the_dockerfile() {
    let scripts = [("build", "vite build --outDir 'a\nRUN evil'"), ("x\nRUN evil", "vite build")];
    let outcomes = [
        with(&package(&scripts, &["vite"]), &[], &Settings::default()),
        with(&package(&[("x\nRUN evil", "vitepress build")], &["vitepress"]), &[], &Settings::default()),
        with(
            &package(&[("build", "ng build")], &["@angular/core"]),
            &[("angular.json", r#"{"projects":{"a\nRUN evil":{}}}"#)],
            &Settings::default(),
        ),
        with(
            &package(&[("build", "nest build"), ("start:prod", "node a\nRUN evil")], &["@nestjs/core"]),
            &[],
            &Settings::default(),
        ),
    ];
    for made in outcomes.into_iter().flatten() {
        assert!(!made.text.contains("evil"), "{}", made.text);
    }
    assert!(
        auto(&[("package.json", "{}"), ("Staticfile", "root: x\nRUN evil"), ("index.html", "")]).is_err()
    );
}
