//! The words of npm, pnpm and yarn for the same few things.

/// A package manager, with the version that is installed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::build) enum Manager {
    /// The one that comes with Node.
    Npm,
    /// pnpm.
    Pnpm(String),
    /// Yarn 1.
    YarnClassic(String),
    /// Yarn 2 and later.
    Yarn(String),
}

impl Manager {
    /// The program.
    pub(in crate::build) fn name(&self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm(_) => "pnpm",
            Self::YarnClassic(_) | Self::Yarn(_) => "yarn",
        }
    }

    /// What npm is asked for to have it.
    pub(super) fn package(&self) -> Option<String> {
        match self {
            Self::Npm => None,
            Self::Pnpm(version) => Some(format!("pnpm@{version}")),
            Self::YarnClassic(version) => Some(format!("yarn@{version}")),
            Self::Yarn(version) => Some(format!("@yarnpkg/cli-dist@{version}")),
        }
    }

    /// More variables of the build stage.
    pub(super) fn environment(&self) -> &'static str {
        match self {
            Self::Npm => "",
            Self::Pnpm(_) => " CI=true",
            Self::YarnClassic(_) => " YARN_CACHE_FOLDER=/root/.cache/yarn",
            // Packages as directories: what runs them needs no yarn.
            Self::Yarn(_) => {
                " YARN_NODE_LINKER=node-modules YARN_ENABLE_GLOBAL_CACHE=true YARN_ENABLE_TELEMETRY=false"
            }
        }
    }

    /// The directory of what it downloads.
    pub(super) fn cache(&self) -> &'static str {
        match self {
            Self::Npm => "/root/.npm",
            Self::Pnpm(_) => "/root/.pnpm-store",
            Self::YarnClassic(_) => "/root/.cache/yarn",
            Self::Yarn(_) => "/root/.yarn/berry",
        }
    }

    /// Installs the packages, `all` of them or those that are needed at run time.
    pub(super) fn install(&self, locked: bool, all: bool) -> String {
        let pick = |with_lock: &'static str, without| if locked { with_lock } else { without };
        match self {
            Self::Npm => {
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
        }
    }

    /// Removes the packages that only a build needs, where `install` has not left them out.
    pub(super) fn prune(&self, locked: bool, all: bool) -> Option<String> {
        match self {
            Self::Npm => all.then(|| "npm prune --omit=dev --no-audit --no-fund".to_owned()),
            Self::Pnpm(_) => all.then(|| "pnpm prune --prod --ignore-scripts".to_owned()),
            Self::YarnClassic(_) => {
                let frozen = if locked { " --frozen-lockfile" } else { "" };
                let words = "--production --ignore-scripts --prefer-offline --non-interactive";
                all.then(|| format!("yarn install{frozen} {words}"))
            }
            // Yarn 2 and 3 know it only with a plugin.
            Self::Yarn(version) => {
                let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
                major.is_some_and(|major| major >= 4).then(|| "yarn workspaces focus --production".to_owned())
            }
        }
    }
}
