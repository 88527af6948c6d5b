//! PHP: version, extensions, what is served, and what builds its styles and scripts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::findings::Findings;
use super::tree::Tree;
use super::{Context, Generated, init_command, missing, no_builder, procfile};
use crate::builder::dockerfile::php::{self, Assets, Plan};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

mod composer;
mod extensions;
mod version;

/// composer.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Composer {
    require: Requires,
    autoload: Option<serde_json::Value>,
    scripts: Option<serde_json::Value>,
}

/// Packages and the versions of them; PHP writes an empty object as a list.
type Requires = serde_json::Value;

/// composer.lock: the packages that the program needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lock {
    packages: Vec<Package>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Package {
    name: String,
    require: Requires,
}

/// package.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scripts {
    scripts: BTreeMap<String, serde_json::Value>,
}

/// The recipe for a program in PHP.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let composer: Option<Composer> = tree.json("composer.json")?;
    // Composer reports a lock file that cannot be read.
    let lock: Lock = tree.json("composer.lock").ok().flatten().unwrap_or_default();
    let requires = composer.as_ref().map(|composer| composer.require.clone()).unwrap_or_default();
    let framework = settings.framework.unwrap_or_else(|| framework(tree, &requires));
    if framework == Framework::Laravel && !tree.has("artisan") {
        return Err(missing("artisan", Framework::Laravel));
    }
    // The user's command may call it.
    let composer =
        composer.filter(|composer| settings.command.is_some() || composer::is_needed(tree, composer, &lock));
    if composer.is_some() && !tree.has("composer.lock") {
        findings.assume("composer.lock is missing, so each build may install different versions; commit it");
    }
    let start = procfile_start(tree, &mut findings)?;
    let root = root(tree, start.is_some())?;
    let plan = Plan {
        what: match framework {
            Framework::Laravel => "a program with Laravel",
            Framework::Symfony => "a program with Symfony",
            _ => "a program in PHP",
        },
        version: version::choose(tree, requires.get("php").and_then(|value| value.as_str()), &mut findings)?,
        extensions: extensions::of(&wanted(tree, framework, &requires, &lock)?, &mut findings),
        composer: match (&composer, tree.has("composer.lock")) {
            (None, _) => vec![],
            (Some(_), true) => vec!["composer.json", "composer.lock"],
            (Some(_), false) => vec!["composer.json"],
        },
        assets: assets(tree, &mut findings)?,
        root,
        routes: !root.is_empty() || framework != Framework::Php,
        writes: writes(framework),
        makes: makes(framework),
        environment: environment(framework),
        command: settings.command.clone(),
        arguments: super::arguments(settings),
        start,
    };
    say(framework, &mut findings);
    Ok(Generated { framework, text: php::text(&plan), context: Context::Directory, findings })
}

fn framework(tree: Tree<'_>, requires: &Requires) -> Framework {
    let has = |name: &str| requires.get(name).is_some();
    if has("laravel/framework") && tree.has("artisan") {
        Framework::Laravel
    } else if has("symfony/framework-bundle") || has("symfony/symfony") {
        Framework::Symfony
    } else {
        Framework::Php
    }
}

/// The directory that is served. A dedicated one keeps the files next to it private.
fn root(tree: Tree<'_>, starts: bool) -> Result<&'static str, Failure> {
    for root in ["public", "web", "www", "public_html", "webroot", "htdocs"] {
        if tree.has(&format!("{root}/index.php")) {
            return Ok(root);
        }
    }
    if starts || tree.first(&["index.php", "index.html"]).is_some() {
        return Ok("");
    }
    Err(no_builder(
        "the PHP source has no public/index.php, no web/index.php and no index.php to serve; add one of them, or a \
         Procfile with a line \"web: …\" for a program that php starts",
    ))
}

/// A line that starts the server of another platform, or the one for development, is replaced by Apache.
fn procfile_start(tree: Tree<'_>, findings: &mut Findings) -> Result<Option<Vec<String>>, Failure> {
    let start = procfile::start(tree, findings)?;
    let line = start.as_ref().map(|words| words.join(" ")).unwrap_or_default();
    if ["heroku-php-", "artisan serve", "php -S", "apache2", "php-fpm"]
        .iter()
        .any(|server| line.contains(server))
    {
        findings.assume(
            "the web line of the Procfile starts a server that this image does not have, so Apache serves \
            instead",
        );
        return Ok(None);
    }
    Ok(start)
}

/// The extensions that the program and its packages require, and those that are usually used without being listed.
fn wanted(
    tree: Tree<'_>,
    framework: Framework,
    requires: &Requires,
    lock: &Lock,
) -> Result<BTreeSet<String>, Failure> {
    let all = lock.packages.iter().map(|package| &package.require).chain([requires]);
    let names = all.filter_map(Requires::as_object).flat_map(|map| map.keys());
    let mut names: BTreeSet<String> =
        names.filter_map(|name| name.strip_prefix("ext-")).map(str::to_owned).collect();
    let usual: &[&str] = match framework {
        Framework::Laravel => &["bcmath", "pcntl", "pdo_mysql", "pdo_pgsql", "opcache"],
        Framework::Symfony => &["intl", "pdo_mysql", "pdo_pgsql", "opcache"],
        _ => &["mysqli", "pdo_mysql", "opcache"],
    };
    names.extend(usual.iter().map(|name| (*name).to_owned()));
    let has = |name: &str| lock.packages.iter().any(|package| package.name == name);
    let example = tree.text(".env.example")?.unwrap_or_default();
    let redis = example.lines().any(|line| line.trim() == "REDIS_CLIENT=phpredis") && !has("predis/predis");
    // Laravel's example names phpredis whether the program uses Redis or not.
    let used = example.lines().any(|line| line.contains("=redis"));
    if has("laravel/horizon") || (redis && used) {
        names.insert("redis".to_owned());
    }
    Ok(names)
}

/// Styles and scripts that a `build` script makes.
fn assets(tree: Tree<'_>, findings: &mut Findings) -> Result<Option<Assets>, Failure> {
    let package: Option<Scripts> = tree.json("package.json")?;
    if !package.is_some_and(|package| package.scripts.contains_key("build")) {
        return Ok(None);
    }
    findings.choose("Node", "22", "the default, for the build script of package.json");
    let known = [
        ("package-lock.json", "npm ci", "npm run build"),
        (
            "pnpm-lock.yaml",
            "npm install --global pnpm@10 && pnpm install --frozen-lockfile",
            "pnpm run build",
        ),
        ("yarn.lock", "yarn install --frozen-lockfile", "yarn run build"),
    ];
    let found = known.into_iter().find(|(file, _, _)| tree.has(file));
    let (files, install, build) = if let Some((file, install, build)) = found {
        (vec!["package.json", file], install, build)
    } else {
        findings.assume(
            "package.json has no lock file of npm, pnpm or yarn next to it, so each build may install different \
            versions",
        );
        (vec!["package.json"], "npm install", "npm run build")
    };
    Ok(Some(Assets { node: "22", files, install, build }))
}

fn writes(framework: Framework) -> Vec<&'static str> {
    match framework {
        Framework::Laravel => vec!["storage", "bootstrap/cache", "database"],
        Framework::Symfony => vec!["var"],
        _ => vec![],
    }
}

/// Directories that Git omits because they are empty.
fn makes(framework: Framework) -> Vec<&'static str> {
    match framework {
        Framework::Laravel => vec![
            "storage/app/public",
            "storage/framework/cache/data",
            "storage/framework/sessions",
            "storage/framework/views",
            "storage/logs",
            "bootstrap/cache",
            "database",
        ],
        other => writes(other),
    }
}

fn environment(framework: Framework) -> Vec<(&'static str, &'static str)> {
    match framework {
        Framework::Laravel => vec![("APP_ENV", "production"), ("LOG_CHANNEL", "stderr")],
        Framework::Symfony => vec![("APP_ENV", "prod"), ("APP_DEBUG", "0")],
        _ => vec![],
    }
}

fn say(framework: Framework, findings: &mut Findings) {
    match framework {
        Framework::Laravel => {
            findings.warn(
                "Laravel answers 500 without APP_KEY: set it in spec.run.env from a Secret (php artisan key:generate --show)",
            );
            findings.warn(init_command::migrations("php artisan migrate --force"));
        }
        Framework::Symfony => {
            findings.warn("Symfony needs APP_SECRET: set it in spec.run.env from a Secret");
            findings.warn(init_command::migrations(
                "php bin/console doctrine:migrations:migrate --no-interaction",
            ));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
