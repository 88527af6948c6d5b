use super::*;

/// What a key of the exported configuration is.
fn key(text: &str, key: &str) -> Option<Value> {
    exported(text, &BTreeMap::from([("SITE_BASE".to_owned(), "/shop/".to_owned())])).get(key).cloned()
}

fn text(file: &str, path: &str) -> String {
    match key(file, path) {
        Some(Value::Text(text)) => text,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_configuration_is_found_in_every_form_of_export() {
    for file in [
        "export default { base: '/x/' }",
        "module.exports = { 'base': \"/x/\" };",
        "import { defineConfig } from 'vite'\nexport default defineConfig({ plugins: [react()], base: `/x/` })",
        "export default defineConfig(({ mode }) => ({ base: '/x/' }))",
        "export default defineConfig(async () => { const a = 1; return { base: '/x/' } })",
        "export default async function config(phase: string): Promise<Config> { return { base: '/x/' } }",
        "const base = '/x/'\nconst config: UserConfig = { base }\nexport default config satisfies UserConfig",
        "const config = { base: '/y/' }\nconfig.base = '/x/'\nmodule.exports = config",
        "const shared = { base: '/x/' }; export default { ...shared, root: 'src' } as Config;",
        "export default withMDX({ extension: /\\.mdx?$/ })({ base: '/x/', b: { base: '/y/' } })",
        "const withA = create({ enabled: true })\nexport default withA(config)\nconst config = { base: '/x/' }",
        "export default defineConfig<Theme>({ b: [{ base: '/y/' }], base: '/x/' })",
        "export default { build: { base: '/y/' }, base: (process.env.BASE ?? '/x') + '/' }",
        "export default ({ command }) => { if (command === 'serve') { return { base: '/y/' } } else { return { base: '/x/' } } }",
    ] {
        assert_eq!(text(file, "base"), "/x/", "{file}");
    }
}

#[test]
fn comments_strings_and_other_objects_are_not_read() {
    for file in [
        "export default { /* base: '/x/' */ }",
        "export default {\n // base: '/x/',\n}",
        "export default { note: \"base: '/x/'\" }",
        "export default { note: `base: '/x/'`, pattern: /base: '\\/x'/ }",
        "export default { server: { base: '/x/' } }",
        "const other = { base: '/x/' }\nexport default {}",
        "function f() { return { base: '/x/' } }\nexport default { plugins: [f()] }",
        "",
        "export default",
    ] {
        assert_eq!(key(file, "base"), None, "{file}");
    }
}

#[test]
fn conditions_on_mode_and_environment_are_evaluated_as_in_a_production_build() {
    for (value, expected) in [
        ("process.env.NODE_ENV === 'production' ? '/repo/' : '/'", "/repo/"),
        ("process.env.NODE_ENV !== 'production' ? '/' : '/repo/'", "/repo/"),
        ("mode === 'development' ? '/' : '/repo/'", "/repo/"),
        ("command === 'build' && '/repo/'", "/repo/"),
        ("process.env.GITHUB_PAGES ? '/repo/' : '/'", "/"),
        ("!process.env.CI ? '/' : '/repo/'", "/"),
        ("process.env.SITE_BASE || '/'", "/shop/"),
        ("isProd ? '/a/' : '/b/'", "/a/"),
        ("'/' + name + '/'", "/repo/"),
    ] {
        let file = format!(
            "const isProd = process.env.NODE_ENV === 'production'\nconst name = 'repo'\nexport default {{ base: {value}, z: 1 }}"
        );
        assert_eq!(text(&file, "base"), expected, "{value}");
    }
}

#[test]
fn values_known_only_at_run_time_are_marked_computed() {
    for value in
        ["read()", "pkg.homepage", "`/${name}/`", "list[0]", "unknown ? '/a/' : '/b/'", "'a'.concat('b')"]
    {
        let file = format!("import pkg from './package.json'\nexport default {{ base: {value} }}");
        assert!(matches!(key(&file, "base"), Some(Value::Computed | Value::Call(..))), "{value}");
    }
    assert_eq!(key("export default { base() { return '/x/' } }", "base"), Some(Value::Computed));
}

#[test]
fn paths_are_relative_to_the_source() {
    for (value, expected) in [
        ("'../dist'", Some("dist")),
        ("path.resolve(__dirname, 'out/web')", Some("out/web")),
        ("resolve(process.cwd(), './out')", Some("out")),
        ("join(import.meta.dirname, 'a', '..', 'out')", Some("out")),
        ("fileURLToPath(new URL('./out', import.meta.url))", Some("out")),
        ("path.resolve(path.dirname(fileURLToPath(import.meta.url)), 'out')", Some("out")),
        ("'/var/www'", None),
        ("'../../dist'", None),
        ("path.resolve(__dirname, '../dist')", None),
    ] {
        let file = format!("export default {{ outDir: {value} }}");
        assert_eq!(directory("client", &text(&file, "outDir")).as_deref(), expected, "{value}");
    }
}

#[test]
fn parsing_a_hostile_file_terminates() {
    let deep = |open: &str| format!("export default {}", open.repeat(100_000));
    let names = (0..60).fold(String::new(), |text, n| text + &format!("const a{n} = [a{}, a{0}]\n", n + 1));
    for file in [
        deep("["),
        deep("{a:"),
        deep("f("),
        deep("!"),
        deep("a ? "),
        deep("() => "),
        deep("'a' + ("),
        "const a = b\nconst b = a\nexport default a".to_owned(),
        format!("{names}export default a0"),
        "export default { a: ".to_owned() + &"function ".repeat(10_000),
    ] {
        exported(&file, &BTreeMap::new());
    }
}
