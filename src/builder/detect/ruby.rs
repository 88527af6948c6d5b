//! Ruby: version, gems, and what starts.

use serde::Deserialize;

use super::findings::Findings;
use super::tree::Tree;
use super::{Context, Generated, init_command, missing, no_builder, procfile, step};
use crate::builder::dockerfile::Step;
use crate::builder::dockerfile::ruby::{self, Node, Plan};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;
use gems::Gems;

mod gems;
mod version;

/// Usual program files, by preference.
pub(super) const PROGRAMS: [&str; 8] =
    ["app.rb", "main.rb", "server.rb", "web.rb", "bot.rb", "worker.rb", "run.rb", "start.rb"];

/// package.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Package {
    scripts: std::collections::BTreeMap<String, serde_json::Value>,
}

/// The recipe for a program in Ruby.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mut findings = Findings::default();
    let gems = gems::read(tree, &mut findings)?;
    let rails = match settings.framework {
        Some(framework) => framework == Framework::Rails,
        None => gems.has("rails") || gems.has("railties"),
    };
    if rails && !tree.has("config/application.rb") {
        return Err(missing("config/application.rb", Framework::Rails));
    }
    let interpreter = version::choose(tree, &gems, &mut findings)?;
    let start = start(tree, settings, &gems, rails, &mut findings)?;
    let assets = [
        "sprockets-rails",
        "sprockets",
        "propshaft",
        "webpacker",
        "shakapacker",
        "vite_rails",
        "importmap-rails",
    ];
    let precompiles = rails && assets.iter().any(|gem| gems.has(gem));
    let build = step(settings).or_else(|| precompiles.then_some(Step::Usual));
    if rails {
        warn(&mut findings);
    }
    let plan = Plan {
        what: if rails { "a program with Ruby on Rails" } else { "a program in Ruby" },
        bundler: gems.bundler(&interpreter),
        libraries: gems.libraries(interpreter.debian),
        whole_source: gems.whole_source,
        files: gems.files.clone(),
        node: node(tree, &gems)?,
        build,
        arguments: super::arguments(settings),
        interpreter,
        rails,
        start,
    };
    let framework = if rails { Framework::Rails } else { Framework::Ruby };
    Ok(Generated { framework, text: ruby::text(&plan), context: Context::Directory, findings })
}

fn warn(findings: &mut Findings) {
    findings.warn(
        "Rails does not start without a secret: set RAILS_MASTER_KEY or SECRET_KEY_BASE in spec.run.env from a Secret",
    );
    findings.warn(format!(
        "migrations do not run by themselves, unless the start command runs them; to run them before each version \
        starts, set {}",
        init_command::line("bundle exec rails db:prepare")
    ));
}

/// The start command: from the Procfile, Rails, a server for config.ru, or a file with a usual name.
fn start(
    tree: Tree<'_>,
    settings: &Settings,
    gems: &Gems,
    rails: bool,
    findings: &mut Findings,
) -> Result<Option<Vec<String>>, Failure> {
    if let Some(words) = procfile::start(tree, findings)? {
        return Ok(Some(words));
    }
    let shell = |line: &str| Some(["/bin/sh", "-c", line].map(str::to_owned).to_vec());
    let words = |line: &str| Some(line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    if rails || tree.has("config.ru") {
        let configured = tree.text("config/puma.rb")?.is_some_and(|text| text.contains("PORT"));
        return Ok(if gems.has("puma") && configured {
            words("bundle exec puma --config config/puma.rb")
        } else if gems.has("puma") {
            shell("exec bundle exec puma --bind \"tcp://0.0.0.0:$PORT\"")
        } else if gems.has("falcon") {
            shell("exec bundle exec falcon serve --bind \"http://0.0.0.0:$PORT\"")
        } else if gems.has("unicorn") {
            shell("exec bundle exec unicorn --listen \"0.0.0.0:$PORT\"")
        } else if gems.has("thin") {
            shell("exec bundle exec thin start --address 0.0.0.0 --port \"$PORT\"")
        } else if rails {
            shell("exec bundle exec rails server --binding 0.0.0.0 --port \"$PORT\"")
        } else {
            findings.warn(
                "the source has config.ru, but no production server is among the gems; add puma to the Gemfile",
            );
            shell("exec bundle exec rackup --host 0.0.0.0 --port \"$PORT\"")
        });
    }
    let names = tree.names("")?;
    let mut others =
        names.iter().filter(|name| name.strip_suffix(".rb").is_some() && super::names::is_path(name));
    let only = others.next().filter(|_| others.next().is_none()).map(String::as_str);
    if let Some(file) = tree.first(&PROGRAMS).or(only) {
        let web = ["sinatra", "roda", "webrick", "rackup", "puma", "hanami", "grape"]
            .iter()
            .any(|gem| gems.has(gem));
        if !web {
            findings.assume(
                "the program does not seem to listen on a port; for a bot or a worker set spec.run.health.type: None, \
                 or its version never becomes ready",
            );
        }
        return Ok(words(&if gems.files.is_empty() {
            format!("ruby {file}")
        } else {
            format!("bundle exec ruby {file}")
        }));
    }
    if settings.framework.is_some() {
        findings
            .assume("no file says how the program starts: set spec.run.command, such as [bundle, exec, ruby, shop.rb]");
        return Ok(None);
    }
    Err(no_builder(
        "the Ruby source does not say what to start: there is no config.ru, no app.rb, no main.rb and no Procfile; add \
         one of them, or set spec.build.framework: Ruby and spec.run.command",
    ))
}

/// Node, if a gem or a package.json needs it.
fn node(tree: Tree<'_>, gems: &Gems) -> Result<Option<Node>, Failure> {
    let package: Option<Package> = tree.json("package.json")?;
    let runs =
        ["execjs", "mini_racer", "react-rails", "webpacker", "shakapacker"].iter().any(|gem| gems.has(gem));
    let Some(_) = package else {
        return Ok(runs.then(|| Node { files: vec![], install: "" }));
    };
    let known = [
        ("package-lock.json", "npm ci"),
        ("yarn.lock", "npm install --global yarn@1 && yarn install --frozen-lockfile"),
        ("pnpm-lock.yaml", "npm install --global pnpm@10 && pnpm install --frozen-lockfile"),
        ("bun.lock", "npm install --global bun@1 && bun install --frozen-lockfile"),
    ];
    let found = known.into_iter().find(|(file, _)| tree.has(file));
    let (files, install) = found.map_or((vec!["package.json"], "npm install"), |(file, install)| {
        (vec!["package.json", file], install)
    });
    Ok(Some(Node { files, install }))
}

#[cfg(test)]
mod tests;
