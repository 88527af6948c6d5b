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

// Case 12: a PHP program with a package.json was built as a Vite site. The kind: another language owns the source.
#[test]
fn a_package_json_beside_the_files_of_another_language_is_its_asset_build_and_no_site() {
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
fn a_package_json_that_runs_nothing_beside_a_page_is_no_program() {
    let tools =
        ("package.json", r#"{"devDependencies":{"prettier":"3"},"scripts":{"test":"prettier -c ."}}"#);
    let page = ("index.html", r#"<script src="index.js"></script>"#);
    assert_eq!(outcome(&[tools, page]), "Static");
    assert_eq!(outcome(&[tools, page, ("index.js", "")]), "Static", "the script of the page");
    assert_eq!(outcome(&[tools, page, ("server.js", "")]), "Node");
    assert_eq!(outcome(&[("package.json", r#"{"scripts":{"start":"node a"}}"#), page]), "Node");
}

#[test]
fn makefiles_of_c_and_pages_are_the_program_only_where_nothing_else_is() {
    for file in ["CMakeLists.txt", "meson.build", "start.sh", "deno.json", "index.html"] {
        assert_eq!(generated(&[VITE, (file, "")]).0, "Vite", "{file}");
    }
}

#[test]
fn a_framework_that_is_named_is_taken_whatever_else_is_there() {
    let settings = Settings { framework: Some(Framework::Vite), ..Settings::default() };
    assert_eq!(found(&[VITE, ("composer.json", "{}")], &settings).unwrap().framework(), "Vite");
}

#[test]
fn two_programs_of_other_languages_need_a_word() {
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
