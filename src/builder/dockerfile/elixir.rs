//! Programs in Elixir: a release with its own Erlang, on the Debian that it was made on.

use std::fmt::Write as _;

use super::{NODE, SYSTEM_CA, Step, Trust, arguments, header, run, shell};

/// A program in Elixir.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether a step is there")]
pub(in crate::builder) struct Plan {
    /// The minor version of Elixir 1.
    pub(in crate::builder) minor: u32,
    /// The major version of Erlang.
    pub(in crate::builder) otp: u32,
    /// There is a mix.lock.
    pub(in crate::builder) locked: bool,
    /// It has packages of Hex or others.
    pub(in crate::builder) dependencies: bool,
    /// There is a directory `config`.
    pub(in crate::builder) config: bool,
    /// It is an umbrella: getting dependencies needs the files of all apps.
    pub(in crate::builder) umbrella: bool,
    pub(in crate::builder) release: String,
    /// mix.exs lists it, so it must be named.
    pub(in crate::builder) listed: bool,
    /// How the packages of its assets are installed.
    pub(in crate::builder) packages: Option<&'static str>,
    /// It has the aliases `assets.deploy` and `assets.setup`.
    pub(in crate::builder) deploys: bool,
    pub(in crate::builder) sets_up: bool,
    pub(in crate::builder) phoenix: bool,
    pub(in crate::builder) build: Step,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let image = format!("docker.io/library/elixir:1.{}-otp-{}", plan.minor, plan.otp);
    let mut text = header(if plan.phoenix { "a program with Phoenix" } else { "a program in Elixir" });
    let _ = write!(
        text,
        "FROM {image} AS build\n\
         WORKDIR /app\n\
         ENV MIX_ENV=prod LANG=C.UTF-8 HEX_CACERTS_PATH={SYSTEM_CA}\n"
    );
    let system = |command: &str| run(Trust::System, None, command);
    if plan.dependencies {
        text.push_str(&system("mix local.hex --force && mix local.rebar --force"));
    }
    if plan.packages.is_some() {
        text.push_str(NODE);
    }
    text.push_str(&dependencies(plan));
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&match &plan.build {
        Step::Command(line) => run(Trust::Beside, None, &shell(line)),
        Step::Usual => build(plan),
    });
    let name = if plan.listed { format!(" {}", plan.release) } else { String::new() };
    text.push_str(&system(&format!("mix release{name} --path /out")));
    let port = 4000;
    let phoenix = if plan.phoenix { " PHX_SERVER=true" } else { "" };
    let _ = write!(
        text,
        "\nFROM {image}-slim\n\
         WORKDIR /app\n\
         COPY --link --from=build --chown=65532:65532 /out/ ./\n\
         ENV LANG=C.UTF-8 HOME=/tmp RELEASE_TMP=/tmp PORT={port}{phoenix}\n\
         USER 65532\n\
         EXPOSE {port}\n\
         CMD [\"/app/bin/{}\", \"start\"]\n",
        plan.release
    );
    text
}

/// The steps up to the packages and the whole source.
fn dependencies(plan: &Plan) -> String {
    let system = |command: &str| run(Trust::System, None, command);
    let get = system("mix deps.get --only prod");
    if !plan.dependencies {
        return "COPY . .\n".to_owned();
    }
    if plan.umbrella {
        return format!("COPY . .\n{get}");
    }
    let lock = if plan.locked { " mix.lock" } else { "" };
    let config = if plan.config { "COPY config/ ./config/\n" } else { "" };
    let compile = system("mix deps.compile");
    format!("COPY mix.exs{lock} ./\n{get}{config}{compile}COPY . .\n")
}

fn build(plan: &Plan) -> String {
    let mut steps = vec!["mix compile".to_owned()];
    steps.extend(plan.packages.map(|install| format!("{install} --prefix assets")));
    if plan.sets_up && plan.deploys {
        steps.push("mix assets.setup".to_owned());
    }
    if plan.deploys {
        steps.push("mix assets.deploy".to_owned());
    }
    run(Trust::System, None, &steps.join(" && "))
}
