//! A program in Elixir: mix.exs read as text, and which Elixir and Erlang compile it.

use super::choice;
use super::findings::Findings;
use super::names::is_identifier;
use super::tools::{self, Wanted};
use super::tree::Tree;
use super::{Context, Generated, init_command, missing, no_builder, step};
use crate::builder::dockerfile::elixir::{self, Plan};
use crate::builder::dockerfile::{Step, images};
use crate::builder::outcome::Failure;
use crate::protocol::framework::Framework;
use crate::protocol::order::Settings;

/// The preferred minor version of Elixir where several fit: a mature one.
const PREFERRED: u32 = 18;

/// The recipe for a mix.exs.
pub(super) fn recipe(tree: Tree<'_>, settings: &Settings) -> Result<Generated, Failure> {
    let mix = tree.text("mix.exs")?.ok_or_else(|| missing("mix.exs", Framework::Elixir))?;
    let mut findings = Findings::default();
    let mix = without_comments(&mix);
    let umbrella = mix.contains("apps_path:");
    let listed = listed(&mix);
    let is_listed = listed.is_some();
    let release = listed.or_else(|| app(&mix)).ok_or_else(|| {
        no_builder(if umbrella {
            "mix.exs is the root of an umbrella without releases; add releases: [NAME: [applications: [APP: \
             :permanent]]] to its project, or set the path of the source to the app to run"
        } else {
            "mix.exs names no app; add app: :NAME with letters, digits and '_' to its project"
        })
    })?;
    let (minor, otp) = version(tree, &mix, &mut findings)?;
    let phoenix = mix.contains("{:phoenix,");
    let ecto = mix.contains("{:ecto_sql,");
    warn(tree, phoenix, ecto, &release, &mut findings)?;
    choice::unused_procfile(tree, &mut findings)?;
    let assets = tree.first(&["assets/package-lock.json", "assets/package.json"]);
    let plan = Plan {
        minor,
        otp,
        locked: tree.has("mix.lock"),
        dependencies: umbrella || tree.has("mix.lock") || mix.contains("{:"),
        config: tree.has_directory("config"),
        umbrella,
        release,
        listed: is_listed,
        packages: assets.map(|file| if file.ends_with("lock.json") { "npm ci" } else { "npm install" }),
        deploys: mix.contains("\"assets.deploy\":"),
        sets_up: mix.contains("\"assets.setup\":"),
        phoenix,
        build: step(settings).unwrap_or(Step::Usual),
        arguments: super::arguments(settings),
    };
    let framework = if phoenix { Framework::Phoenix } else { Framework::Elixir };
    Ok(Generated { framework, text: elixir::text(&plan), context: Context::Directory, findings })
}

/// The text without comments: `#` outside quotes.
fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        let mut quoted = false;
        let end = line.char_indices().find(|(_, char)| {
            quoted ^= *char == '"';
            *char == '#' && !quoted
        });
        line[..end.map_or(line.len(), |(at, _)| at)].to_owned() + "\n"
    };
    text.lines().map(line).collect()
}

/// The name of the first release that mix.exs lists.
fn listed(mix: &str) -> Option<String> {
    let rest = ["releases: [", "def releases do", "defp releases do"]
        .iter()
        .find_map(|mark| mix.split_once(mark))?
        .1;
    let (name, _) = rest.trim_start().trim_start_matches('[').trim_start().split_once(':')?;
    Some(name.trim().to_owned()).filter(|name| is_identifier(name))
}

/// The name of the app, which is also the name of its release.
fn app(mix: &str) -> Option<String> {
    let rest = mix.split_once("app: :")?.1;
    let name: String = rest.chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
    Some(name).filter(|name| is_identifier(name))
}

/// The versions of Elixir and Erlang: from a version manager file, else what mix.exs allows.
fn version(tree: Tree<'_>, mix: &str, findings: &mut Findings) -> Result<(u32, u32), Failure> {
    let wanted = tools::wanted(tree, &["elixir"])?.filter(|wanted| wanted.version != "latest");
    let erlang = tools::wanted(tree, &["erlang"])?.filter(|wanted| wanted.version != "latest");
    let required =
        mix.split_once("elixir: \"").and_then(|(_, rest)| rest.split_once('"')).map(|(text, _)| text);
    let (minor, because) = match (&wanted, required) {
        (Some(Wanted { version, file }), _) => (minor(version), file.clone()),
        (None, Some(text)) => (allowed(text), format!("elixir: {text:?} in mix.exs")),
        (None, None) => (Some(PREFERRED), "the default; the source names no version".to_owned()),
    };
    let known = minor.and_then(|minor| images::ELIXIR.iter().find(|(other, _)| *other == minor));
    let Some((minor, otps)) = known else {
        let (first, last) = (images::ELIXIR[0].0, images::ELIXIR[images::ELIXIR.len() - 1].0);
        return Err(no_builder(format!(
            "{because} requires a version of Elixir that has no image (there are 1.{first} to 1.{last}); change it, or \
             add a Dockerfile"
        )));
    };
    findings.choose("Elixir", format!("1.{minor}"), because);
    let named = wanted.as_ref().and_then(|wanted| wanted.version.split("-otp-").nth(1)?.parse::<u32>().ok());
    let asked = named.or_else(|| erlang.as_ref()?.version.split('.').next()?.parse().ok());
    let newest = otps[otps.len() - 1];
    let otp = match asked {
        Some(asked) => otps.iter().copied().rfind(|otp| *otp <= asked).unwrap_or(otps[0]),
        None => newest.min(27),
    };
    let because = match asked {
        Some(asked) if asked == otp => "the version manager file".to_owned(),
        Some(asked) => format!("the nearest to {asked} that has an image with this Elixir"),
        None => "the newest for this Elixir, 27 at most".to_owned(),
    };
    findings.choose("Erlang", otp.to_string(), because);
    Ok((*minor, otp))
}

/// `1.16`, `1.16.2`, `1.16.2-otp-26` → 16.
fn minor(text: &str) -> Option<u32> {
    let digits = text.trim().strip_prefix("1.")?;
    digits.split(['.', '-']).next()?.parse().ok()
}

/// The minor version that a requirement of mix.exs allows; the preferred one if allowed.
fn allowed(text: &str) -> Option<u32> {
    let clauses: Vec<Vec<&str>> =
        text.split(" or ").map(|clause| clause.split(" and ").map(str::trim).collect()).collect();
    let fits =
        |candidate: u32| clauses.iter().any(|clause| clause.iter().all(|part| allows(part, candidate)));
    let all = images::ELIXIR.iter().map(|(minor, _)| *minor);
    let (older, newer): (Vec<u32>, Vec<u32>) = all.partition(|minor| *minor <= PREFERRED);
    older.into_iter().rev().chain(newer).find(|minor| fits(*minor))
}

fn allows(part: &str, candidate: u32) -> bool {
    let digits = part.find(|char: char| char.is_ascii_digit()).unwrap_or(part.len());
    let (operator, version) = part.split_at(digits);
    // A single number allows every version from it on.
    let least = minor(version).unwrap_or(0);
    let exact = version.split('.').count() > 2;
    match operator.trim() {
        "~>" if exact => candidate == least,
        "~>" | ">=" | ">" => candidate >= least,
        "<" => candidate < least,
        "<=" => candidate <= least,
        "" | "==" => candidate == least,
        _ => true,
    }
}

fn warn(
    tree: Tree<'_>,
    phoenix: bool,
    ecto: bool,
    release: &str,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let runtime = tree.text("config/runtime.exs")?.unwrap_or_default();
    for name in ["SECRET_KEY_BASE", "DATABASE_URL"] {
        if runtime.contains(name) {
            findings.warn(format!(
                "config/runtime.exs reads {name}, and the program exits without it; set it in spec.run.env"
            ));
        }
    }
    if phoenix && !runtime.contains("PHX_SERVER") {
        findings.warn(
            "config/runtime.exs does not read PHX_SERVER, so the endpoint serves only with server: true",
        );
    }
    if ecto && tree.has("rel/overlays/bin/migrate") {
        findings.assume(init_command::migrations("/app/bin/migrate"));
    } else if ecto {
        findings.assume(format!(
            "migrations do not run by themselves; run them from a function with /app/bin/{release} \
            eval"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::tests::{auto, in_order, plan};
    use super::*;

    const MIX: &str = "def project do\n [\n app: :shop,\n elixir: \"~> 1.14\",\n aliases: aliases()\n ]\nend\n\
        defp deps do\n [{:phoenix, \"~> 1.7\"}, # {:ecto_sql, \"x\"}\n ]\nend\n\"assets.deploy\": [\"phx.digest\"]\n";

    #[test]
    fn phoenix_is_built_as_a_release_with_its_assets() {
        let runtime =
            ("config/runtime.exs", "System.get_env(\"PHX_SERVER\")\nSystem.get_env(\"SECRET_KEY_BASE\")");
        let made = plan(&[("mix.exs", MIX), ("mix.lock", ""), runtime, ("package.json", "{}")]);
        assert_eq!(made.framework, Framework::Phoenix);
        let order = [
            "FROM docker.io/library/elixir:1.18-otp-27 AS build",
            "COPY mix.exs mix.lock ./",
            "mix deps.get --only prod",
            "COPY config/ ./config/",
            "COPY . .",
            "mix assets.deploy",
            "mix release --path /out",
            "FROM docker.io/library/elixir:1.18-otp-27-slim",
            "PHX_SERVER=true",
            "CMD [\"/app/bin/shop\", \"start\"]",
        ];
        in_order(&made.text, &order);
        assert!(made.findings.warnings[0].contains("SECRET_KEY_BASE"), "{:?}", made.findings);
    }

    #[test]
    fn a_project_without_packages_skips_the_package_registry() {
        let plain = "def project do\n [app: :shop, deps: deps()]\nend\ndefp deps do\n []\nend\n";
        let text = plan(&[("mix.exs", plain), ("config/config.exs", "")]).text;
        for step in ["local.hex", "deps.get", "deps.compile"] {
            assert!(!text.contains(step), "{text}");
            assert!(plan(&[("mix.exs", MIX)]).text.contains(step), "{step}");
        }
        in_order(&text, &["COPY . .", "mix compile", "mix release --path /out"]);
    }

    #[test]
    fn npm_installs_the_packages_of_assets() {
        let text = plan(&[("mix.exs", MIX), ("assets/package.json", "{}")]).text;
        assert!(
            text.contains("node:22-bookworm-slim") && text.contains("npm install --prefix assets"),
            "{text}"
        );
        assert!(!plan(&[("mix.exs", MIX)]).text.contains("npm"));
    }

    #[test]
    fn versions_come_from_the_files_if_an_image_exists() {
        for (tools, elixir, otp) in [
            ("elixir 1.16.2-otp-26\nerlang 26.2", "1.16", "26"),
            ("elixir 1.16\nerlang 27.3", "1.16", "26"),
            ("elixir latest\nerlang latest", "1.18", "27"),
            ("elixir 1.19.1\nerlang 28.0", "1.19", "28"),
        ] {
            let versions = plan(&[("mix.exs", MIX), (".tool-versions", tools)]).findings.versions;
            assert_eq!(
                (versions[0].version.as_str(), versions[1].version.as_str()),
                (elixir, otp),
                "{tools}"
            );
        }
        for (text, minor) in [
            ("~> 1.14", 18),
            ("~> 1.14.3", 14),
            (">= 1.19.0", 19),
            ("~> 1.15 and < 1.17.0", 16),
            ("1.13.4", 13),
            ("~> 1", 18),
        ] {
            assert_eq!(allowed(text), Some(minor), "{text}");
        }
        let future = auto(&[("mix.exs", &MIX.replace("~> 1.14", "~> 1.99"))]).unwrap_err();
        assert!(
            future.message.contains("~> 1.99") && future.message.contains("1.12 to 1.19"),
            "{}",
            future.message
        );
    }

    #[test]
    fn every_version_yields_an_existing_image_or_a_rejection() {
        for minor in 0..40 {
            for otp in 20..35 {
                let tools = format!("elixir 1.{minor}.0\nerlang {otp}.1");
                if let Ok(Recipe::Generated(made)) = auto(&[("mix.exs", MIX), (".tool-versions", &tools)]) {
                    assert!(images::named(&made.text).into_iter().all(images::is_known), "{}", made.text);
                } else {
                    assert!(!(12..=19).contains(&minor), "{tools}");
                }
            }
        }
    }

    #[test]
    fn the_release_defaults_to_the_app_and_an_umbrella_must_list_one() {
        let listed = MIX.replace("app: :shop,", "app: :shop,\n releases: [\n web: [steps: []]\n ],");
        let text = plan(&[("mix.exs", &listed)]).text;
        assert!(text.contains("/app/bin/web") && text.contains("mix release web --path /out"), "{text}");
        let umbrella = auto(&[("mix.exs", "def project do\n [apps_path: \"apps\"]\nend")]).unwrap_err();
        assert!(umbrella.message.contains("umbrella"), "{}", umbrella.message);
        let hostile = auto(&[("mix.exs", "app: :\"a;evil\"")]).unwrap_err();
        assert!(hostile.message.contains("names no app"), "{}", hostile.message);
    }
}
