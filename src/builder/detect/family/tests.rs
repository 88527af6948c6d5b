use super::super::tests::{auto, found, generated};
use super::*;

const VITE: (&str, &str) =
    ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"6"}}"#);

/// What a source with these files is, or the sentence of its refusal.
fn outcome(files: &[(&str, &str)]) -> String {
    match auto(files) {
        Ok(recipe) => recipe.framework().to_owned(),
        Err(failure) => failure.message,
    }
}

// Case 12: a PHP program with a package.json was built as a Vite site. Rule: the other language owns the source.
#[test]
fn a_package_json_in_a_project_of_another_language_only_builds_its_assets() {
    for (file, name) in [
        ("composer.json", "PHP"),
        ("artisan", "PHP"),
        ("public/index.php", "PHP"),
        ("Gemfile", "Ruby"),
        ("config.ru", "Ruby"),
        ("mix.exs", "Elixir"),
        ("pom.xml", "Java"),
        ("build.gradle.kts", "Java"),
        ("Shop.csproj", ".NET"),
        ("Shop.sln", ".NET"),
        ("gleam.toml", "Gleam"),
    ] {
        let language = LANGUAGES.iter().find(|language| language.name == name).unwrap();
        let found = outcome(&[VITE, (file, ""), ("index.html", "<p>")]);
        if language.recipe.is_none() {
            for part in [file, name, "add a Dockerfile"] {
                assert!(found.contains(part), "{file}: {found}");
            }
        }
        assert!(!["Vite", "Static", "Node"].contains(&found.as_str()), "{file}: {found}");
    }
}

#[test]
fn index_php_beside_index_html_is_never_served_as_a_file() {
    for files in [
        &[("index.html", "<p>"), ("index.php", "<?php echo $password;")][..],
        &[("public/index.html", "<p>"), ("public/index.php", "<?php")],
    ] {
        assert_ne!(outcome(files), "Static", "{files:?}");
    }
}

#[test]
fn a_package_json_without_a_program_next_to_a_page_is_a_static_site() {
    let tools =
        ("package.json", r#"{"devDependencies":{"prettier":"3"},"scripts":{"test":"prettier -c ."}}"#);
    let page = ("index.html", r#"<script src="index.js"></script>"#);
    assert_eq!(outcome(&[tools, page]), "Static");
    assert_eq!(outcome(&[tools, page, ("index.js", "")]), "Static", "index.js is the script of the page");
    assert_eq!(outcome(&[tools, page, ("server.js", "")]), "Node");
    assert_eq!(outcome(&[("package.json", r#"{"scripts":{"start":"node a"}}"#), page]), "Node");
}

#[test]
fn c_build_files_and_pages_count_only_if_nothing_else_matches() {
    for file in ["CMakeLists.txt", "meson.build", "start.sh", "deno.json", "index.html"] {
        assert_eq!(generated(&[VITE, (file, "")]).0, "Vite", "{file}");
    }
}

#[test]
fn a_named_framework_overrides_detection() {
    let settings = Settings { framework: Some(Framework::Vite), ..Settings::default() };
    assert_eq!(found(&[VITE, ("composer.json", "{}")], &settings).unwrap().framework(), "Vite");
}

#[test]
fn two_languages_require_an_explicit_framework() {
    let message = outcome(&[("Gemfile", ""), ("composer.json", "{}"), VITE]);
    assert!(message.contains("composer.json and Gemfile") && message.contains("PHP or Ruby"), "{message}");
}

#[test]
fn every_framework_has_one_language() {
    use clap::ValueEnum as _;
    for framework in Framework::value_variants() {
        let of = LANGUAGES.iter().filter(|language| language.frameworks.contains(framework));
        assert_eq!(of.count(), 1, "{}", framework.name());
    }
}
