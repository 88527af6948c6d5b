//! A static site: nginx without root, on $PORT. It finishes requests in progress before it exits.

use std::fmt::Write as _;

use super::header;

const NGINX: &str = "docker.io/library/nginx:1.28";

/// Where the files are in the image.
const ROOT: &str = "/srv/www";

/// Extensions of files that are never pages.
const FILES: &str = "js|mjs|cjs|css|map|json|wasm|webmanifest|png|jpe?g|gif|svgz?|webp|avif|ico|bmp|tiff?|woff2?|ttf|otf|eot|\
                     mp3|mp4|m4a|m4v|mov|webm|ogg|ogv|wav|flac|pdf|txt|xml|csv|zip|gz|br|zst|tar|bin|glb|gltf|data|dat";

/// A directory of files, and how it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Site {
    /// The directory, below that of the project; empty: the project itself.
    pub(in crate::builder) output: String,
    pub(in crate::builder) otherwise: Otherwise,
    /// The path that the pages are made for: `/`, or `/game/`.
    pub(in crate::builder) base: String,
    /// A tool built it, which puts content hashes into file names.
    pub(in crate::builder) built: bool,
}

/// What answers a path that is not a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) enum Otherwise {
    /// Not found; `/404.html` if the site has one.
    NotFound,
    /// A page that routes in the browser.
    Page(String),
}

impl Site {
    /// A built site, at `/`.
    pub(in crate::builder) fn new(output: impl Into<String>, otherwise: Otherwise) -> Self {
        Self { output: output.into(), otherwise, base: "/".to_owned(), built: true }
    }
}

/// A static site without a build.
pub(in crate::builder) fn files(site: &Site) -> String {
    let from = if site.output.is_empty() { ".".to_owned() } else { format!("{}/", site.output) };
    header("a static site") + &serve(&from, site)
}

/// The last stage; `from`: the words of COPY before its target.
pub(super) fn serve(from: &str, site: &Site) -> String {
    let (caching, locations) = (caching(site.built), locations(site));
    let base = &site.base;
    format!(
        r#"FROM {NGINX}
COPY --link <<'EOF' /etc/nginx/site.conf.in
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    types {{ text/javascript mjs; application/manifest+json webmanifest; }}
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
    gzip_vary on;
    gzip_types text/css text/plain text/javascript application/javascript application/json application/manifest+json application/wasm application/xml image/svg+xml;
{caching}    server {{
        listen @PORT@;
        root {ROOT};
        absolute_redirect off;
        add_header Cache-Control $caching;
{locations}    }}
}}
EOF
COPY --link {from} {ROOT}{base}
ENV PORT=8080
USER 101
EXPOSE 8080
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/bin/sh", "-c", "sed \"s/@PORT@/$PORT/\" /etc/nginx/site.conf.in > /tmp/nginx.conf && exec nginx -e stderr -c /tmp/nginx.conf -g 'daemon off;'"]
"#
    )
}

/// How long browsers cache a file: one with a hash in its name permanently; any other is revalidated, and sent again
/// only if it changed.
fn caching(built: bool) -> String {
    let for_good = r#""public, max-age=31536000, immutable""#;
    let mut text = "    map $uri $caching {\n        default no-cache;\n".to_owned();
    if built {
        let hash = "[-.](?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,}";
        let directories = "_next/static|_app/immutable|_astro|_nuxt|_expo/static";
        let _ = writeln!(text, "        \"~{hash}\\.(?:{FILES})$\" {for_good};");
        let _ = writeln!(text, "        \"~/(?:{directories})/\" {for_good};");
    }
    text + "    }\n"
}

/// Which file answers which path. A missing file is never answered with a page: a browser would read it as a script.
fn locations(site: &Site) -> String {
    let base = &site.base;
    let below = base.trim_end_matches('/');
    let (mut lines, otherwise) = match &site.otherwise {
        Otherwise::NotFound => {
            let pages = vec![
                format!("error_page 403 =404 {base}404.html;"),
                format!("error_page 404 {base}404.html;"),
            ];
            (pages, "=404".to_owned())
        }
        Otherwise::Page(page) => {
            (vec![format!("error_page 403 =200 {base}{page};")], format!("{base}{page}"))
        }
    };
    lines.push("location ~ /\\.(?!well-known/) { return 404; }".to_owned());
    if below.is_empty() {
        lines.push(format!("location ~* \\.(?:{FILES})$ {{ try_files $uri =404; }}"));
    } else {
        // A proxy may strip the base path.
        lines.push(format!("location ~* \\.(?:{FILES})$ {{ try_files $uri {below}$uri =404; }}"));
        lines.push(format!("location = / {{ return 302 {base}$is_args$args; }}"));
        lines.push(format!("location = {below} {{ return 302 {base}$is_args$args; }}"));
        lines.push("location / { return 404; }".to_owned());
    }
    lines.push(format!("location {base} {{ try_files $uri $uri.html $uri/ {otherwise}; }}"));
    lines.iter().fold(String::new(), |text, line| text + "        " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed() -> Site {
        Site::new("dist", Otherwise::Page("index.html".to_owned()))
    }

    #[test]
    fn files_are_served_from_their_directory() {
        let text = |output: &str| files(&Site { built: false, ..Site::new(output, Otherwise::NotFound) });
        assert!(text("").contains("COPY --link . /srv/www/\n"), "{}", text(""));
        assert!(text("public").contains("COPY --link public/ /srv/www/\n"));
        assert!(text("").contains("error_page 404 /404.html;") && !text("").contains("immutable"));
    }

    // Case 10: index.html was sent for a missing script. Rule: a missing file is never answered with a page.
    #[test]
    fn a_page_path_gets_the_router_and_a_missing_file_is_not_found() {
        let text = serve("x", &routed());
        assert!(text.contains("location / { try_files $uri $uri.html $uri/ /index.html; }"), "{text}");
        assert!(text.contains("|css|") && text.contains(")$ { try_files $uri =404; }"), "{text}");
        assert!(!text.contains("404.html"), "{text}");
    }

    #[test]
    fn a_site_with_a_base_path_is_served_under_it_and_the_root_redirects_there() {
        let text = serve("--from=build /app/dist/", &Site { base: "/game/".to_owned(), ..routed() });
        for part in [
            "COPY --link --from=build /app/dist/ /srv/www/game/\n",
            "location = / { return 302 /game/$is_args$args; }",
            "location = /game { return 302 /game/$is_args$args; }",
            "location /game/ { try_files $uri $uri.html $uri/ /game/index.html; }",
            "try_files $uri /game$uri =404;",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn dot_files_are_never_served() {
        let text = serve("x", &routed());
        let (dots, files) = (text.find("/\\.(?!well-known/)").unwrap(), text.find("location ~*").unwrap());
        assert!(dots < files, "{text}");
    }
}
