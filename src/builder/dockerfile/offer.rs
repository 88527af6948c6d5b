//! Adds the user's secrets and arguments to a generated Dockerfile: every step that may install or build gets all of
//! them, whatever the framework. The text contains only ids and names, never a value.

use std::collections::BTreeSet;

use super::CA_SECRET;

/// Where programs look for files with these names. Files that begin with a dot are in the home directory.
const PLACES: [(&str, &str); 7] = [
    ("pip.conf", "/etc/pip.conf"),
    ("uv.toml", "/root/.config/uv/uv.toml"),
    ("auth.json", "/root/.config/composer/auth.json"),
    ("credentials.toml", "/usr/local/cargo/credentials.toml"),
    ("settings.xml", "/root/.m2/settings.xml"),
    ("gradle.properties", "/root/.gradle/gradle.properties"),
    ("NuGet.Config", "/root/.nuget/NuGet/NuGet.Config"),
];

/// Whether a secret of this id becomes an environment variable.
pub(in crate::builder) fn is_variable(id: &str) -> bool {
    id.starts_with(|char: char| char.is_ascii_uppercase() || char == '_')
        && id.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
}

/// Whether an id is valid in a Dockerfile. The API server accepts no others.
fn is_plain(id: &str) -> bool {
    id.starts_with(|char: char| char.is_ascii_alphanumeric() || "._".contains(char))
        && id.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
        && !id.contains("..")
}

/// The mount of a secret, as a step writes it.
fn mount(id: &str) -> String {
    let place = PLACES.iter().find(|(name, _)| *name == id).map(|(_, place)| (*place).to_owned());
    let place = place.or_else(|| id.starts_with('.').then(|| format!("/root/{id}")));
    match place {
        _ if is_variable(id) => format!("--mount=type=secret,id={id},env={id}"),
        Some(place) => format!("--mount=type=secret,id={id},target={place}"),
        None => format!("--mount=type=secret,id={id}"),
    }
}

/// The Dockerfile with the secrets at every step that [`super::run`] wrote.
pub(in crate::builder) fn secrets(text: &str, ids: &BTreeSet<String>) -> String {
    let mounts = ids
        .iter()
        .filter(|id| is_plain(id))
        .fold(String::new(), |mounts, id| mounts + " \\\n    " + &mount(id));
    let begins = format!("RUN --mount=type=secret,id={CA_SECRET}");
    text.split_inclusive('\n').map(|line| offered(line, &begins, &mounts)).collect()
}

/// A line of the Dockerfile, with `mounts` after its first mount if it begins a step.
fn offered(line: &str, begins: &str, mounts: &str) -> String {
    let first = line.strip_prefix(begins).map(|rest| rest.split(' ').next().unwrap_or_default().trim_end());
    match first {
        Some(first) if !mounts.is_empty() => {
            let (mount, rest) = line.split_at(begins.len() + first.len());
            format!("{mount}{mounts}{rest}")
        }
        _ => line.to_owned(),
    }
}

/// Moves the declarations of `early` arguments above the steps of their stage, so that the installation has them, too.
/// The others stay: a change of them repeats the build, not the installation.
pub(in crate::builder) fn early_arguments(text: &str, early: &BTreeSet<String>) -> String {
    let stages = stages(text);
    stages.iter().map(|stage| early_in_stage(stage, early)).collect()
}

/// A Dockerfile, cut before each `FROM`.
fn stages(text: &str) -> Vec<String> {
    let mut stages = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.starts_with("FROM ") {
            stages.push(String::new());
        }
        if let Some(stage) = stages.last_mut() {
            stage.push_str(line);
        }
    }
    stages
}

fn early_in_stage(stage: &str, early: &BTreeSet<String>) -> String {
    let is_early =
        |line: &&str| line.strip_prefix("ARG ").is_some_and(|name| early.contains(name.trim_end()));
    let (moved, kept): (Vec<&str>, Vec<&str>) = stage.split_inclusive('\n').partition(is_early);
    // Steps before the first files, such as installing the package manager, need none of them.
    let files = kept.iter().position(|line| line.starts_with("COPY ")).unwrap_or(0);
    let Some(step) = kept.iter().skip(files).position(|line| line.starts_with("RUN ")) else {
        return stage.to_owned();
    };
    let (above, below) = kept.split_at(files + step);
    [above, &moved, below].concat().concat()
}

#[cfg(test)]
mod tests {
    use super::super::{Trust, run};
    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn every_step_mounts_every_secret_where_its_tool_reads_it() {
        let text = format!(
            "FROM x\n{}COPY . .\n{}RUN mkdir y\n",
            run(Trust::Beside, Some("/root/.npm"), "npm ci"),
            run(Trust::System, None, "npm run build")
        );
        let text = secrets(&text, &ids(&["NPM_TOKEN", ".netrc", "pip.conf", "licence"]));
        let mounts = " \\\n    --mount=type=secret,id=.netrc,target=/root/.netrc \\\n    \
            --mount=type=secret,id=NPM_TOKEN,env=NPM_TOKEN \\\n    \
            --mount=type=secret,id=licence \\\n    \
            --mount=type=secret,id=pip.conf,target=/etc/pip.conf \\\n    ";
        let first = format!(
            "RUN --mount=type=secret,id=doce-ca,required=false{mounts}--mount=type=cache,target=/root/.npm \\\n    npm ci\n"
        );
        assert!(text.contains(&first), "{text}");
        assert!(
            text.contains(&format!("/ca-certificates.crt,required=false{mounts}npm run build\n")),
            "{text}"
        );
        assert!(text.ends_with("RUN mkdir y\n"), "a step without a tool has no mounts: {text}");
        assert_eq!(text.matches("id=NPM_TOKEN").count(), 2);
    }

    #[test]
    fn the_text_is_unchanged_without_secrets_and_with_hostile_ids() {
        let text = format!("FROM x\n{}", run(Trust::Beside, None, "npm ci"));
        assert_eq!(secrets(&text, &ids(&[])), text);
        let hostile = ids(&["a,target=/etc/passwd", "a b", "a\nRUN x", "../x", "-x", "", "a$b", "a..b"]);
        assert_eq!(secrets(&text, &hostile), text);
    }

    #[test]
    fn install_arguments_are_declared_before_the_install_in_its_stage() {
        let text = "# x\nFROM a AS build\nWORKDIR /app\nRUN npm install --global pnpm\nCOPY p ./\nRUN npm ci\nARG B\nARG NPM_TOKEN\nRUN npm run build\nFROM b\nARG NPM_TOKEN\nCMD x\n";
        let early = early_arguments(text, &ids(&["NPM_TOKEN", "OTHER"]));
        assert_eq!(
            early,
            "# x\nFROM a AS build\nWORKDIR /app\nRUN npm install --global pnpm\nCOPY p ./\nARG NPM_TOKEN\nRUN npm ci\nARG B\nRUN npm run build\nFROM b\nARG NPM_TOKEN\nCMD x\n"
        );
        assert_eq!(early_arguments(text, &ids(&[])), text);
    }
}
