//! Programs in Ruby: gems are installed where the image has its own, so commands find them with and without Bundler.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Step, Trust, arguments, debian, exec, header, no_start, run, shell};

/// A program in Ruby.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// Its description in the first line.
    pub(in crate::builder) what: &'static str,
    pub(in crate::builder) interpreter: Interpreter,
    /// The files that Bundler needs; empty without a Gemfile.
    pub(in crate::builder) files: Vec<&'static str>,
    /// Bundler needs the whole source.
    pub(in crate::builder) whole_source: bool,
    /// The release of Bundler to install, if the one of the image does not fit.
    pub(in crate::builder) bundler: Option<String>,
    /// Debian packages to compile gems, and to run the program.
    pub(in crate::builder) libraries: (Vec<&'static str>, Vec<&'static str>),
    /// Styles and scripts need Node, or the program does.
    pub(in crate::builder) node: Option<Node>,
    /// What runs once everything is installed.
    pub(in crate::builder) build: Option<Step>,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    pub(in crate::builder) rails: bool,
    /// How it starts; None: unknown.
    pub(in crate::builder) start: Option<Vec<String>>,
}

/// Which Ruby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Interpreter {
    /// `3.4` or `3.3.0`.
    pub(in crate::builder) version: String,
    /// The name of its Debian.
    pub(in crate::builder) debian: &'static str,
}

impl Interpreter {
    /// Its base image.
    pub(in crate::builder) fn tag(&self) -> String {
        format!("docker.io/library/ruby:{}-slim-{}", self.version, self.debian)
    }
}

/// What Node is needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Node {
    /// package.json and the lock file; empty: only the program itself calls Node.
    pub(in crate::builder) files: Vec<&'static str>,
    /// `npm ci`.
    pub(in crate::builder) install: &'static str,
}

const NODE: &str = "docker.io/library/node:22-bookworm-slim";

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header(plan.what);
    let environment = environment(plan);
    let _ = write!(
        text,
        "FROM {} AS build\nWORKDIR /app\n{environment}ENV SSL_CERT_FILE={SYSTEM_CA} BUNDLE_JOBS=2 BUNDLE_RETRY=3\n",
        plan.interpreter.tag()
    );
    text.push_str(&archive(plan));
    text.push_str(&debian::install(&plan.libraries.0));
    text.push_str(&node(plan));
    text.push_str(&gems(plan));
    text.push_str(&build(plan));
    let _ = write!(text, "\nFROM {}\n", plan.interpreter.tag());
    text.push_str(&archive(plan));
    text.push_str(&debian::install(&plan.libraries.1));
    text.push_str(&environment);
    text.push_str("ENV HOME=/tmp PORT=3000 LD_PRELOAD=libjemalloc.so.2 RUBY_YJIT_ENABLE=1\nWORKDIR /app\n");
    if plan.node.is_some() {
        let _ = writeln!(text, "COPY --link --from={NODE} /usr/local/bin/node /usr/local/bin/node");
    }
    if !plan.files.is_empty() {
        text.push_str("COPY --link --from=build /usr/local/bundle /usr/local/bundle\n");
    }
    text.push_str("COPY --link --from=build /app/ /app/\n");
    if plan.rails {
        for directory in WRITES {
            let _ = writeln!(
                text,
                "COPY --link --from=build --chown=1000:1000 /app/{directory}/ /app/{directory}/"
            );
        }
    }
    let start = plan.start.as_ref().map_or_else(no_start, |words| exec(words));
    let _ = write!(text, "USER 1000\nEXPOSE 3000\nCMD {start}\n");
    text
}

/// Directories that Rails writes to.
const WRITES: [&str; 4] = ["db", "log", "storage", "tmp"];

/// The environment that both stages share.
fn environment(plan: &Plan) -> String {
    let mut text = "ENV RACK_ENV=production APP_ENV=production BUNDLE_WITHOUT=development:test".to_owned();
    if plan.rails {
        text.push_str(" RAILS_ENV=production RAILS_LOG_TO_STDOUT=1 RAILS_SERVE_STATIC_FILES=1");
    }
    // Otherwise Bundler replaces itself with the release that wrote the lock file.
    if plan.bundler.is_none() {
        text.push_str(" BUNDLE_VERSION=system");
    }
    text + "\n"
}

/// The packages of an unsupported Debian are in its archive.
fn archive(plan: &Plan) -> String {
    if plan.interpreter.debian != "buster" {
        return String::new();
    }
    "RUN sed --in-place --expression 's|deb.debian.org|archive.debian.org|; s|security.debian.org|archive.debian.org|; /-updates/d' /etc/apt/sources.list\n"
        .to_owned()
}

fn node(plan: &Plan) -> String {
    let Some(node) = &plan.node else { return String::new() };
    let mut text = format!(
        "COPY --link --from={NODE} /usr/local/bin/node /usr/local/bin/node\n\
         COPY --link --from={NODE} /usr/local/lib/node_modules/ /usr/local/lib/node_modules/\n\
         RUN ln --symbolic ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm\n\
         ENV NODE_EXTRA_CA_CERTS={SYSTEM_CA}\n"
    );
    if !node.files.is_empty() {
        let _ = writeln!(text, "COPY {} ./", node.files.join(" "));
        text.push_str(&run(Trust::System, Some("/root/.npm"), node.install));
    }
    text
}

fn gems(plan: &Plan) -> String {
    if plan.files.is_empty() {
        return "COPY . .\n".to_owned();
    }
    let mut text = String::new();
    if let Some(version) = &plan.bundler {
        let install = format!("gem install bundler --no-document --version {version}");
        text.push_str(&run(Trust::System, None, &install));
    }
    let files = if plan.whole_source { ". .".to_owned() } else { format!("{} ./", plan.files.join(" ")) };
    let _ = writeln!(text, "COPY {files}");
    text.push_str(&run(Trust::System, None, "bundle install && rm -rf /usr/local/bundle/cache"));
    if !plan.whole_source {
        // Keep the lock file that Bundler completed for this platform.
        text.push_str("COPY . .\nRUN bundle lock --local || true\n");
    }
    text
}

fn build(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.rails {
        let _ = writeln!(text, "RUN mkdir --parents {}", WRITES.join(" "));
    }
    if let Some(step) = &plan.build {
        text.push_str(&arguments(&plan.arguments));
        let command = match step {
            // Both are dummy values; the second is for Rails before 7.1.
            Step::Usual => {
                "SECRET_KEY_BASE_DUMMY=1 SECRET_KEY_BASE=\"${SECRET_KEY_BASE:-only-while-building}\" \\\n    \
                            bundle exec rails assets:precompile && rm -rf node_modules tmp/cache"
                    .to_owned()
            }
            Step::Command(line) => shell(line),
        };
        text.push_str(&run(Trust::Beside, None, &command));
    }
    text
}
