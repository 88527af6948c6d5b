//! A static site: nginx without root, on $PORT, ending after the requests in progress.

use super::header;

const NGINX: &str = "docker.io/library/nginx:1.28";

/// What answers a path that is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::build) enum Otherwise {
    /// Not found; `/404.html` where the site has one.
    NotFound,
    /// A page that routes in the browser.
    Page(String),
}

/// A static site that is there as it is: the files of `directory` (empty, or with a slash at its end).
pub(in crate::build) fn files(directory: &str) -> String {
    let from = if directory.is_empty() { "." } else { directory };
    header("a static site") + &serve(&format!("COPY --link {from} /srv/www/"), &Otherwise::NotFound)
}

/// The last stage.
pub(super) fn serve(copy: &str, otherwise: &Otherwise) -> String {
    let (otherwise, errors) = match otherwise {
        Otherwise::NotFound => ("=404".to_owned(), "\n        error_page 404 /404.html;"),
        Otherwise::Page(page) => (format!("/{page}"), ""),
    };
    format!(
        r#"FROM {NGINX}
COPY --link <<'EOF' /etc/nginx/site.conf.in
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
        absolute_redirect off;{errors}
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

    #[test]
    fn files_are_served_from_where_they_are() {
        assert!(files("").contains("COPY --link . /srv/www/") && files("").contains("$uri.html =404;"));
        assert!(files("public/").contains("COPY --link public/ /srv/www/"));
    }

    #[test]
    fn a_site_with_a_router_answers_every_path() {
        let text = serve("", &Otherwise::Page("index.html".into()));
        assert!(text.contains("$uri.html /index.html;") && !text.contains("error_page"), "{text}");
    }
}
