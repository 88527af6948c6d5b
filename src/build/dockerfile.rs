//! The texts of generated Dockerfiles: several stages, no root at run time, layers in the order in which they change.
//! Nothing that a source says gets into them except names that were checked.

use std::fmt::Write as _;

const NODE: &str = "docker.io/library/node:22-bookworm-slim";
const NGINX: &str = "docker.io/library/nginx:1.28";

/// Id of the BuildKit secret with the platform's CA certificates.
pub(super) const CA_SECRET: &str = "doce-ca";

/// What stays out of the context of a generated Dockerfile, unless the source has a `.dockerignore` of its own.
pub(super) const IGNORE: &str =
    ".git\n.gitignore\n.dockerignore\nDockerfile*\n**/node_modules\n.env\n.env.*\n*.log\n";

/// How the packages of a program are installed.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about a source")]
pub(super) struct Install {
    /// There is a package-lock.json.
    pub(super) locked: bool,
    /// There is an .npmrc.
    pub(super) npmrc: bool,
    /// Installing needs the whole source.
    pub(super) whole_source: bool,
    /// There is a build script.
    pub(super) build: bool,
}

/// What starts a program.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// `npm start`.
    Script,
    /// A file, by Node.
    File(String),
}

/// A program for Node.
pub(super) fn node(install: Install, start: &Start) -> String {
    let command = match start {
        Start::Script => r#"["npm", "start"]"#.to_owned(),
        Start::File(name) => format!(r#"["node", "{name}"]"#),
    };
    let build = node_build(install, true);
    format!(
        "# Written for a program for Node with npm. To change it, commit it as Dockerfile.\n\
         {build}\n\
         FROM {NODE}\n\
         ENV NODE_ENV=production PORT=3000 NPM_CONFIG_CACHE=/tmp/npm NPM_CONFIG_UPDATE_NOTIFIER=false\n\
         WORKDIR /app\n\
         COPY --from=build /node_modules ./node_modules\n\
         COPY --from=build /app ./\n\
         USER 1000\n\
         EXPOSE 3000\n\
         CMD {command}\n"
    )
}

/// A static site that `npm run build` makes.
pub(super) fn static_build(install: Install, output: &str) -> String {
    let build = node_build(install, false);
    let serve = serve(&format!("COPY --from=build /app/{output}/ /srv/www/"), "/index.html");
    format!(
        "# Written for a static site built with npm. To change it, commit it as Dockerfile.\n{build}\n{serve}"
    )
}

/// A static site that is there as it is: the files of `directory` (empty, or with a slash at its end).
pub(super) fn static_site(directory: &str) -> String {
    let from = if directory.is_empty() { "." } else { directory };
    let serve = serve(&format!("COPY {from} /srv/www/"), "=404");
    format!("# Written for a static site. To change it, commit it as Dockerfile.\n{serve}")
}

/// The stage `build`: the program in `/app` and, when asked for, what it needs at run time in `/node_modules`.
fn node_build(install: Install, keep_modules: bool) -> String {
    let mut text = format!(
        "FROM {NODE} AS build\n\
         WORKDIR /app\n\
         # Extra CA certificates of the platform come as a secret: npm trusts them, no layer holds them.\n\
         ENV NODE_EXTRA_CA_CERTS=/run/secrets/{CA_SECRET}\n"
    );
    let run = |command: &str, text: &mut String| {
        let _ = writeln!(text, "RUN --mount=type=secret,id={CA_SECRET},required=false {command}");
    };
    let lock = if install.locked { " package-lock.json" } else { "" };
    let npmrc = if install.npmrc { " .npmrc" } else { "" };
    if install.whole_source {
        text.push_str("COPY . .\n");
    } else {
        let _ = writeln!(text, "COPY package.json{lock}{npmrc} ./");
    }
    let verb = if install.locked { "ci" } else { "install" };
    let omit = if install.build { "" } else { " --omit=dev" };
    run(&format!("npm {verb}{omit} --no-audit --no-fund"), &mut text);
    if !install.whole_source {
        text.push_str("COPY . .\n");
    }
    if install.build {
        run("npm run build", &mut text);
    }
    if install.build && keep_modules {
        run("npm prune --omit=dev --no-audit --no-fund", &mut text);
    }
    if keep_modules {
        text.push_str("# Packages change less often than the program: a layer of their own.\n");
        text.push_str("RUN mkdir -p node_modules && mv node_modules /node_modules\n");
    }
    text
}

/// The last stage of a static site: nginx without root, on $PORT, ending after the requests in progress.
fn serve(copy: &str, otherwise: &str) -> String {
    format!(
        r#"FROM {NGINX}
COPY <<'EOF' /etc/nginx/site.conf.in
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server_tokens off;
    sendfile on;
    gzip on;
    gzip_types text/css text/plain application/javascript application/json image/svg+xml;
    server {{
        listen @PORT@;
        root /srv/www;
        absolute_redirect off;
        location / {{ try_files $uri $uri/ $uri.html {otherwise}; }}
        location ~ /\.(?!well-known/) {{ return 404; }}
    }}
}}
EOF
{copy}
ENV PORT=8080
USER 101
EXPOSE 8080
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/bin/sh", "-c", "sed \"s/@PORT@/$PORT/\" /etc/nginx/site.conf.in > /tmp/nginx.conf && exec nginx -e stderr -c /tmp/nginx.conf -g 'daemon off;'"]
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Install = Install { locked: true, npmrc: false, whole_source: false, build: false };

    #[test]
    fn packages_are_installed_before_the_source_is_copied() {
        let text = node(PLAIN, &Start::Script);
        let order = ["COPY package.json package-lock.json ./", "npm ci --omit=dev", "COPY . .", "USER 1000"];
        let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
        assert!(!text.contains("npm run build") && !text.contains("prune"));
    }

    #[test]
    fn no_stage_that_runs_is_root_and_no_layer_has_certificates() {
        let build = Install { build: true, ..PLAIN };
        for text in [node(build, &Start::Script), static_build(build, "dist"), static_site("")] {
            let last = text.rsplit("FROM ").next().unwrap();
            assert!(last.contains("\nUSER 1000\n") || last.contains("\nUSER 101\n"), "{text}");
            assert!(!last.contains("NODE_EXTRA_CA_CERTS"), "{text}");
        }
    }

    #[test]
    fn sites_built_by_a_router_answer_every_path() {
        assert!(static_build(PLAIN, "dist").contains("$uri.html /index.html;"));
        assert!(static_site("").contains("$uri.html =404;"));
        assert!(static_site("public/").contains("COPY public/ /srv/www/"));
    }
}
