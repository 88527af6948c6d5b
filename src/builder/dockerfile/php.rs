//! Programs in PHP: Apache with its PHP module, without root, on $PORT. It finishes requests in progress before it
//! exits.

use std::fmt::Write as _;

use super::{SYSTEM_CA, Trust, arguments, exec, header, run, shell};

/// A program in PHP.
#[derive(Clone, Debug)]
pub(in crate::builder) struct Plan {
    /// Its description in the first line.
    pub(in crate::builder) what: &'static str,
    /// Minor version, `8.3`.
    pub(in crate::builder) version: String,
    /// Extensions that the base image does not have.
    pub(in crate::builder) extensions: Vec<Extension>,
    /// The files that Composer needs; empty without Composer.
    pub(in crate::builder) composer: Vec<&'static str>,
    /// What builds styles and scripts.
    pub(in crate::builder) assets: Option<Assets>,
    /// What is served; empty: the directory that is built.
    pub(in crate::builder) root: &'static str,
    /// index.php answers paths that are not files.
    pub(in crate::builder) routes: bool,
    /// Directories that the program writes to.
    pub(in crate::builder) writes: Vec<&'static str>,
    /// Directories that must exist.
    pub(in crate::builder) makes: Vec<&'static str>,
    /// Environment of the image.
    pub(in crate::builder) environment: Vec<(&'static str, &'static str)>,
    /// The user's build command.
    pub(in crate::builder) command: Option<String>,
    /// Names of build arguments.
    pub(in crate::builder) arguments: Vec<String>,
    /// What starts instead of Apache.
    pub(in crate::builder) start: Option<Vec<String>>,
}

/// An extension of PHP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Extension {
    pub(in crate::builder) name: &'static str,
    /// Packages of Debian that compiling it needs.
    pub(in crate::builder) build: &'static [&'static str],
    /// Packages of Debian that it needs when it runs.
    pub(in crate::builder) run: &'static [&'static str],
    /// Options of docker-php-ext-configure.
    pub(in crate::builder) configure: &'static str,
    /// It comes from PECL and not with PHP.
    pub(in crate::builder) pecl: bool,
}

/// How styles and scripts are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Assets {
    /// Major version of Node.
    pub(in crate::builder) node: &'static str,
    /// package.json and the lock file.
    pub(in crate::builder) files: Vec<&'static str>,
    /// `npm ci`.
    pub(in crate::builder) install: &'static str,
    /// `npm run build`.
    pub(in crate::builder) build: &'static str,
}

/// The Dockerfile.
pub(in crate::builder) fn text(plan: &Plan) -> String {
    let mut text = header(plan.what);
    let _ = writeln!(text, "FROM docker.io/library/php:{}-apache-bookworm AS php", plan.version);
    text.push_str(&extensions(plan));
    text.push_str(&build(plan));
    text.push_str(&assets(plan));
    text.push_str(&last(plan));
    text
}

/// The stage with the extensions, from which the other two start.
fn extensions(plan: &Plan) -> String {
    let mut lines: Vec<String> = Vec::new();
    let list = |of: fn(&Extension) -> &'static [&'static str]| {
        let mut names: Vec<&str> = plan.extensions.iter().flat_map(of).copied().collect();
        names.sort_unstable();
        names.dedup();
        names.join(" ")
    };
    let (build_packages, run_packages) = (list(|extension| extension.build), list(|extension| extension.run));
    if !build_packages.is_empty() || !run_packages.is_empty() {
        lines.push("apt-get update".to_owned());
        if !run_packages.is_empty() {
            lines.push(format!("apt-get install --yes --no-install-recommends {run_packages}"));
        }
        lines.push("apt-mark showmanual > /tmp/kept".to_owned());
        if !build_packages.is_empty() {
            lines.push(format!("apt-get install --yes --no-install-recommends {build_packages}"));
        }
    }
    for extension in plan.extensions.iter().filter(|extension| !extension.configure.is_empty()) {
        lines.push(format!("docker-php-ext-configure {} {}", extension.name, extension.configure));
    }
    let names = |pecl: bool| -> Vec<&str> {
        plan.extensions
            .iter()
            .filter(|extension| extension.pecl == pecl)
            .map(|extension| extension.name)
            .collect()
    };
    if !names(false).is_empty() {
        lines.push(format!("docker-php-ext-install -j2 {}", names(false).join(" ")));
    }
    for name in names(true) {
        lines.push(format!("pecl install {name}"));
    }
    if !names(true).is_empty() {
        lines.push(format!("docker-php-ext-enable {}", names(true).join(" ")));
    }
    if !build_packages.is_empty() {
        // Remove what only compilation needs.
        lines.push("apt-mark auto '.*' > /dev/null".to_owned());
        lines.push("xargs apt-mark manual < /tmp/kept > /dev/null".to_owned());
        lines.push(
            "apt-get purge --yes --auto-remove --option APT::AutoRemove::RecommendsImportant=false"
                .to_owned(),
        );
    }
    if !build_packages.is_empty() || !run_packages.is_empty() {
        lines.push("rm -rf /var/lib/apt/lists/* /tmp/kept /tmp/pear".to_owned());
    }
    let mut text = String::new();
    if !lines.is_empty() {
        text.push_str(&run(Trust::System, None, &lines.join(" \\\n    && ")));
    }
    text.push_str("RUN a2enmod rewrite headers expires\n");
    text
}

fn build(plan: &Plan) -> String {
    let mut text = String::from("\nFROM php AS build\nWORKDIR /app\n");
    if !plan.composer.is_empty() {
        let _ = write!(
            text,
            "COPY --link --from=docker.io/library/composer:2 /usr/bin/composer /usr/bin/composer\n\
             ENV COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_NO_INTERACTION=1 COMPOSER_CAFILE={SYSTEM_CA} COMPOSER_CACHE_DIR=/root/.cache/composer\n"
        );
        let tools = "apt-get update && apt-get install --yes --no-install-recommends git unzip && rm -rf /var/lib/apt/lists/*";
        text.push_str(&run(Trust::System, None, tools));
        let _ = writeln!(text, "COPY {} ./", plan.composer.join(" "));
        // Scripts and the autoloader need the source.
        let install = "composer install --no-dev --no-scripts --no-autoloader --prefer-dist";
        text.push_str(&run(Trust::System, Some("/root/.cache/composer"), install));
    }
    text.push_str("COPY . .\n");
    text.push_str(&arguments(&plan.arguments));
    if !plan.makes.is_empty() {
        let _ = writeln!(text, "RUN mkdir --parents {}", plan.makes.join(" "));
    }
    if !plan.composer.is_empty() {
        let install = "composer install --no-dev --prefer-dist --optimize-autoloader";
        text.push_str(&run(Trust::System, Some("/root/.cache/composer"), install));
    }
    if let Some(line) = &plan.command {
        text.push_str(&run(Trust::Beside, None, &shell(line)));
    }
    text
}

fn assets(plan: &Plan) -> String {
    let Some(assets) = &plan.assets else { return String::new() };
    let mut text = format!(
        "\nFROM docker.io/library/node:{}-bookworm-slim AS assets\nWORKDIR /app\nENV NODE_EXTRA_CA_CERTS={SYSTEM_CA} CI=true\n",
        assets.node
    );
    let _ = writeln!(text, "COPY {} ./", assets.files.join(" "));
    text.push_str(&run(Trust::System, Some("/root/.npm"), assets.install));
    // They may use styles and routes of PHP packages.
    text.push_str("COPY --from=build /app/ ./\n");
    text.push_str(&arguments(&plan.arguments));
    text.push_str(&run(Trust::System, None, assets.build));
    text
}

fn last(plan: &Plan) -> String {
    let root = if plan.root.is_empty() { "/app".to_owned() } else { format!("/app/{}", plan.root) };
    let mut text = String::from("\nFROM php\nWORKDIR /app\n");
    if plan.start.is_none() {
        text.push_str(&configuration(plan, &root));
    }
    // The program's files are read-only for it; it owns only the directories that it writes to.
    text.push_str("COPY --link --from=build /app/ /app/\n");
    if plan.assets.is_some() {
        let _ = writeln!(text, "COPY --link --from=assets {root}/ {root}/");
    }
    for directory in &plan.writes {
        let _ =
            writeln!(text, "COPY --link --from=build --chown=1000:1000 /app/{directory}/ /app/{directory}/");
    }
    text.push_str("ENV HOME=/tmp PORT=8080");
    for (name, value) in &plan.environment {
        let _ = write!(text, " {name}={value}");
    }
    text.push_str("\nUSER 1000\nEXPOSE 8080\n");
    if let Some(words) = &plan.start {
        let _ = writeln!(text, "ENTRYPOINT []\nSTOPSIGNAL SIGTERM\nCMD {}", exec(words));
    } else {
        // On WINCH Apache finishes requests in progress and exits.
        let start = exec(&["apache2", "-DFOREGROUND", "-f", "/etc/apache2/doce.conf"]);
        let _ = writeln!(text, "STOPSIGNAL SIGWINCH\nENTRYPOINT []\nCMD {start}");
    }
    text
}

/// Files that must not be served when the whole program is in the served directory.
const HIDDEN: &str = r#"
<LocationMatch "^/(vendor|node_modules|tests|bin|config|src)/|\.(inc|sql|sqlite3?|sh|log|bak|old|orig|swp|dist|lock|ya?ml|neon|twig|phps|phtml|py|rb|pem|key|ini)$|~$|/(composer|package|package-lock)\.json$|/(Procfile|Makefile|Vagrantfile)$">
    Require all denied
</LocationMatch>"#;

fn configuration(plan: &Plan, root: &str) -> String {
    let routes = if plan.routes { "\n    FallbackResource /index.php" } else { "" };
    let hidden = if plan.root.is_empty() { HIDDEN } else { "" };
    format!(
        r#"COPY --link <<'EOF' /etc/apache2/doce.conf
ServerRoot /etc/apache2
ServerName localhost
ServerTokens Prod
ServerSignature Off
TraceEnable Off
DefaultRuntimeDir /tmp
PidFile /tmp/apache2.pid
Listen ${{PORT}}
IncludeOptional /etc/apache2/mods-enabled/*.load
IncludeOptional /etc/apache2/mods-enabled/mime.conf
IncludeOptional /etc/apache2/mods-enabled/deflate.conf
IncludeOptional /etc/apache2/mods-enabled/mpm_prefork.conf
ErrorLog /dev/stderr
LogFormat "%a %t \"%r\" %>s %b %D" short
CustomLog /dev/stdout short
Timeout 120
KeepAliveTimeout 5
GracefulShutdownTimeout 600
DocumentRoot {root}
DirectoryIndex index.php index.html
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory {root}>
    Options FollowSymLinks
    AllowOverride All
    Require all granted{routes}
</Directory>
<FilesMatch "\.php$">
    SetHandler application/x-httpd-php
</FilesMatch>
# Deny hidden files and, below, the files of the program itself.
<LocationMatch "/\.(?!well-known/)">
    Require all denied
</LocationMatch>{hidden}
EOF
COPY --link <<'EOF' /usr/local/etc/php/conf.d/doce.ini
expose_php = Off
display_errors = Off
log_errors = On
error_log = /dev/stderr
upload_max_filesize = 32M
post_max_size = 32M
variables_order = EGPCS
EOF
"#
    )
}
