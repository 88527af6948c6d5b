use super::super::tests::{auto, found, plan};
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

const LARAVEL: [(&str, &str); 6] = [
    ("composer.json", r#"{"require":{"php":"^8.2","laravel/framework":"^11.0","ext-gd":"*"}}"#),
    (
        "composer.lock",
        r#"{"packages":[{"name":"a/b","require":{"ext-zip":"*","ext-json":"*","php":">=8"}},{"name":"c/d","require":[]}]}"#,
    ),
    ("artisan", "#!/usr/bin/env php\n"),
    ("public/index.php", "<?php\n"),
    (
        "package.json",
        r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"6","laravel-vite-plugin":"1"}}"#,
    ),
    ("package-lock.json", "{}"),
];

// Rule of case 12: a package.json next to a program in another language builds its assets.
#[test]
fn a_package_json_next_to_php_builds_its_assets() {
    let made = plan(&LARAVEL);
    assert_eq!(made.framework, Framework::Laravel);
    for part in [
        "FROM docker.io/library/php:8.4-apache-bookworm AS php",
        "composer install --no-dev",
        "npm ci",
        "npm run build",
        "COPY --link --from=assets /app/public/ /app/public/",
        "DocumentRoot /app/public",
        "USER 1000",
        "Listen ${PORT}",
    ] {
        assert!(made.text.contains(part), "{part}: {}", made.text);
    }
    assert!(made.findings.warnings.iter().any(|text| text.contains("APP_KEY")), "{:?}", made.findings);
    assert!(
        made.findings.warnings.iter().any(|text| text.contains(r#""artisan","migrate""#)),
        "{:?}",
        made.findings
    );
}

#[test]
fn extensions_of_the_program_and_its_packages_are_installed() {
    let text = plan(&LARAVEL).text;
    assert!(
        text.contains("docker-php-ext-install -j2 bcmath gd opcache pcntl pdo_mysql pdo_pgsql zip"),
        "{text}"
    );
    assert!(text.contains("docker-php-ext-configure gd --with-jpeg") && text.contains("libzip4"), "{text}");
    let made =
        plan(&[("composer.json", r#"{"require":{"ext-oci8":"*","ext-redis":"*"}}"#), ("index.php", "")]);
    assert!(made.text.contains("pecl install redis"), "{}", made.text);
    assert!(made.findings.warnings[0].contains("oci8"), "{:?}", made.findings);
}

#[test]
fn a_php_page_is_executed_and_never_served_as_text() {
    let made = plan(&[("index.php", "<?php echo 1;"), ("index.html", "x"), (".env", "A=1")]);
    assert_eq!((made.framework, made.text.contains("nginx")), (Framework::Php, false));
    assert!(
        made.text.contains("DocumentRoot /app\n") && made.text.contains("Require all denied"),
        "{}",
        made.text
    );
    assert!(
        !made.text.contains("FallbackResource") && !made.text.contains("composer install"),
        "{}",
        made.text
    );
    assert!(made.findings.assumed[0].contains("no file names a version of PHP"), "{:?}", made.findings);
}

#[test]
fn symfony_routes_every_path_to_its_controller() {
    let composer = r#"{"require":{"php":">=8.2","symfony/framework-bundle":"7.*"}}"#;
    let made = plan(&[("composer.json", composer), ("public/index.php", "")]);
    assert_eq!(made.framework, Framework::Symfony);
    assert!(
        made.text.contains("FallbackResource /index.php") && made.text.contains("APP_ENV=prod"),
        "{}",
        made.text
    );
}

#[test]
fn a_rejected_php_source_says_what_is_missing() {
    assert!(auto(&[("composer.json", "{}")]).unwrap_err().message.contains("public/index.php"));
    let old = auto(&[("composer.json", r#"{"require":{"php":"^7.4"}}"#), ("index.php", "")]).unwrap_err();
    assert!(old.message.contains("composer.json") && old.message.contains("8.1 to 8.5"), "{}", old.message);
    let settings = Settings { framework: Some(Framework::Laravel), ..Settings::default() };
    assert!(found(&[("index.php", "")], &settings).unwrap_err().message.contains("artisan"));
}

#[test]
fn a_procfile_line_is_used_unless_it_starts_the_server_of_another_platform() {
    let made = plan(&[("index.php", ""), ("Procfile", "web: vendor/bin/heroku-php-apache2 public/\n")]);
    assert!(made.text.contains("apache2") && made.text.contains("STOPSIGNAL SIGWINCH"), "{}", made.text);
    let made = plan(&[("composer.json", "{}"), ("Procfile", "worker: php worker.php\n")]);
    assert!(made.text.contains(r#"CMD ["php", "worker.php"]"#), "{}", made.text);
}

// Rule: a manifest without packages needs no install step.
#[test]
fn a_composer_json_without_packages_is_built_without_composer() {
    let composer = |text: &str, page: &str, more: &str| {
        let files = [("composer.json", text), ("index.php", page), ("lib/more.php", more)];
        plan(&files).text.contains("composer install")
    };
    let only = r#"{"require":{"php":"^8.2","ext-gd":"*"},"require-dev":{"phpunit/phpunit":"*"}}"#;
    assert!(!composer(only, "<?php echo 1;", "<?php"));
    assert!(composer(
        only,
        "<?php require 'lib/more.php';",
        "<?php require __DIR__.'/../vendor/autoload.php';"
    ));
    for needed in [
        r#"{"require":{"php":"^8.2","a/b":"1"}}"#,
        r#"{"autoload":{"psr-4":{"App\\":"src/"}}}"#,
        r#"{"scripts":{"post-install-cmd":"make"}}"#,
    ] {
        assert!(composer(needed, "<?php echo 1;", ""), "{needed}");
    }
}
