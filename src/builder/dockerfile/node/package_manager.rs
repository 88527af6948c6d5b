//! The commands of npm, pnpm, Yarn and Bun for the same tasks.

/// A package manager, with the version, or the range of versions, that is installed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Manager {
    /// The npm of Node, unless a version is given.
    Npm(Option<String>),
    /// pnpm.
    Pnpm(String),
    /// Yarn 1.
    YarnClassic(String),
    /// Yarn 2 and later.
    Yarn(String),
    /// Bun, which also runs programs.
    Bun(String),
}

/// The scripts that installing a project runs of the project itself.
const OWN_SCRIPTS: &str = "scripts.preinstall scripts.install scripts.postinstall";

impl Manager {
    /// The program.
    pub(in crate::builder) fn name(&self) -> &'static str {
        match self {
            Self::Npm(_) => "npm",
            Self::Pnpm(_) => "pnpm",
            Self::YarnClassic(_) | Self::Yarn(_) => "yarn",
            Self::Bun(_) => "bun",
        }
    }

    /// Its npm package, as a shell word.
    pub(super) fn package(&self) -> Option<String> {
        match self {
            Self::Npm(None) => None,
            Self::Npm(Some(version)) => Some(word("npm", version)),
            Self::Pnpm(version) => Some(word("pnpm", version)),
            Self::YarnClassic(version) => Some(word("yarn", version)),
            Self::Yarn(version) => Some(word("@yarnpkg/cli-dist", version)),
            Self::Bun(version) => Some(word("bun", version)),
        }
    }

    /// The newest release of the same major version, in case npm lacks the exact one: some releases of Yarn 2 and later
    /// are published elsewhere only.
    pub(super) fn package_of_major(&self) -> Option<String> {
        let Self::Yarn(version) = self else { return None };
        let (major, _) = version.split_once('.')?;
        major.parse::<u32>().ok().map(|major| word("@yarnpkg/cli-dist", &major.to_string()))
    }

    /// The value of `npm_config_user_agent`, if the version is known.
    pub(super) fn user_agent(&self) -> Option<String> {
        let version = match self {
            Self::Npm(version) => version.as_deref()?,
            Self::Pnpm(version) | Self::YarnClassic(version) | Self::Yarn(version) | Self::Bun(version) => {
                version
            }
        };
        let exact = version.split('.').count() == 3
            && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        exact.then(|| format!("{}/{version}", self.name()))
    }

    /// More variables of the build stage.
    pub(super) fn environment(&self) -> &'static str {
        match self {
            Self::Npm(_) => "",
            // Later calls of pnpm in the build use the same store; pnpm 11 reads the second name.
            Self::Pnpm(_) => {
                " CI=true npm_config_store_dir=/root/.pnpm-store pnpm_config_store_dir=/root/.pnpm-store"
            }
            Self::YarnClassic(_) => " YARN_CACHE_FOLDER=/root/.cache/yarn",
            // Install packages as directories, so that running them needs no Yarn. The installed version is the one of
            // yarnPath, whose file may be missing.
            Self::Yarn(_) => {
                " YARN_NODE_LINKER=node-modules YARN_IGNORE_PATH=1 YARN_ENABLE_GLOBAL_CACHE=true YARN_ENABLE_TELEMETRY=false"
            }
            Self::Bun(_) => " BUN_INSTALL_CACHE_DIR=/root/.bun/install/cache",
        }
    }

    /// Its download cache.
    pub(super) fn cache(&self) -> &'static str {
        match self {
            Self::Npm(_) => "/root/.npm",
            Self::Pnpm(_) => "/root/.pnpm-store",
            Self::YarnClassic(_) => "/root/.cache/yarn",
            Self::Yarn(_) => "/root/.yarn/berry",
            Self::Bun(_) => "/root/.bun/install/cache",
        }
    }

    /// Installs the packages: `all` of them, or only those for run time.
    pub(super) fn install(&self, locked: bool, all: bool) -> String {
        let pick = |with_lock: &'static str, without| if locked { with_lock } else { without };
        match self {
            Self::Npm(_) => {
                let omit = if all { "" } else { " --omit=dev" };
                format!("npm {}{omit} --no-audit --no-fund", pick("ci", "install"))
            }
            Self::Pnpm(_) => {
                let omit = if all { "" } else { " --prod" };
                let frozen = pick("--frozen-lockfile", "--no-frozen-lockfile");
                format!("pnpm install {frozen}{omit} --store-dir=/root/.pnpm-store")
            }
            Self::YarnClassic(_) => {
                let omit = if all { "" } else { " --production" };
                format!("yarn install{}{omit} --non-interactive", pick(" --frozen-lockfile", ""))
            }
            Self::Yarn(_) => format!("yarn install {}", pick("--immutable", "--no-immutable")),
            Self::Bun(_) => {
                let omit = if all { "" } else { " --production" };
                format!("bun install{}{omit}", pick(" --frozen-lockfile", ""))
            }
        }
    }

    /// Removes the packages that only the build needs, if `install` installed them. No script of the project runs
    /// again: it may need a removed package.
    pub(super) fn prune(&self, locked: bool, all: bool) -> Option<String> {
        match self {
            Self::Npm(_) => {
                all.then(|| "npm prune --omit=dev --ignore-scripts --no-audit --no-fund".to_owned())
            }
            Self::Pnpm(_) => all.then(|| "pnpm prune --prod --ignore-scripts".to_owned()),
            Self::YarnClassic(_) => {
                let frozen = if locked { " --frozen-lockfile" } else { "" };
                let words = "--production --ignore-scripts --prefer-offline --non-interactive";
                all.then(|| format!("yarn install{frozen} {words}"))
            }
            // Yarn 2 and 3 need a plugin for it; 4 runs the project's scripts again.
            Self::Yarn(version) => {
                let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
                major.is_some_and(|major| major >= 4).then(|| {
                    format!(
                        "cp package.json /tmp/package.json && npm pkg delete {OWN_SCRIPTS} && yarn workspaces focus \
                         --production && cp /tmp/package.json package.json"
                    )
                })
            }
            // Without its own lock file Bun would resolve versions again.
            Self::Bun(_) => None,
        }
    }
}

/// An npm package with its version, quoted for the shell if needed.
fn word(package: &str, version: &str) -> String {
    let plain = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if plain { format!("{package}@{version}") } else { format!("'{package}@{version}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_quoted_as_one_shell_word() {
        assert_eq!(Manager::Pnpm("9.15.9".into()).package().as_deref(), Some("pnpm@9.15.9"));
        assert_eq!(Manager::Pnpm(">=9 <11".into()).package().as_deref(), Some("'pnpm@>=9 <11'"));
    }

    #[test]
    fn a_yarn_release_missing_from_npm_falls_back_to_the_newest_of_its_major() {
        let major = |version: &str| Manager::Yarn(version.into()).package_of_major();
        assert_eq!(major("2.4.3").as_deref(), Some("@yarnpkg/cli-dist@2"));
        assert_eq!(major("4"), None, "npm resolves a range itself");
        assert_eq!(major(">=4.1 <5"), None);
        assert_eq!(Manager::YarnClassic("1.22.22".into()).package_of_major(), None);
    }

    #[test]
    fn the_user_agent_is_set_only_for_an_exact_version() {
        assert_eq!(Manager::Pnpm("9.15.9".into()).user_agent().as_deref(), Some("pnpm/9.15.9"));
        assert_eq!(Manager::Yarn("4".into()).user_agent(), None);
        assert_eq!(Manager::Npm(None).user_agent(), None);
    }
}
