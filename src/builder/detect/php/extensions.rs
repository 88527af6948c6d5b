//! Extensions of PHP: which ones the base image has, and which Debian 12 packages the others need.

use std::collections::BTreeSet;

use super::super::findings::Findings;
use crate::builder::dockerfile::php::Extension;

/// In every image of PHP.
const THERE: [&str; 34] = [
    "core",
    "ctype",
    "curl",
    "date",
    "dom",
    "fileinfo",
    "filter",
    "ftp",
    "hash",
    "iconv",
    "json",
    "libxml",
    "mbstring",
    "mysqlnd",
    "openssl",
    "pcre",
    "pdo",
    "pdo_sqlite",
    "phar",
    "posix",
    "random",
    "readline",
    "reflection",
    "session",
    "simplexml",
    "sodium",
    "spl",
    "sqlite3",
    "standard",
    "tokenizer",
    "xml",
    "xmlreader",
    "xmlwriter",
    "zlib",
];

const fn own(name: &'static str, build: &'static [&'static str], run: &'static [&'static str]) -> Extension {
    Extension { name, build, run, configure: "", pecl: false }
}

const fn pecl(name: &'static str, build: &'static [&'static str], run: &'static [&'static str]) -> Extension {
    Extension { name, build, run, configure: "", pecl: true }
}

const TABLE: [Extension; 29] = [
    own("bcmath", &[], &[]),
    own("bz2", &["libbz2-dev"], &[]),
    own("calendar", &[], &[]),
    own("exif", &[], &[]),
    own("ffi", &["libffi-dev"], &["libffi8"]),
    Extension {
        name: "gd",
        build: &["libpng-dev", "libjpeg62-turbo-dev", "libfreetype-dev", "libwebp-dev"],
        run: &["libpng16-16", "libjpeg62-turbo", "libfreetype6", "libwebp7"],
        configure: "--with-jpeg --with-freetype --with-webp",
        pecl: false,
    },
    own("gettext", &[], &[]),
    own("gmp", &["libgmp-dev"], &["libgmp10"]),
    own("intl", &["libicu-dev"], &["libicu72"]),
    own("ldap", &["libldap2-dev"], &["libldap-2.5-0"]),
    own("mysqli", &[], &[]),
    own("opcache", &[], &[]),
    own("pcntl", &[], &[]),
    own("pdo_mysql", &[], &[]),
    own("pdo_pgsql", &["libpq-dev"], &["libpq5"]),
    own("pgsql", &["libpq-dev"], &["libpq5"]),
    own("shmop", &[], &[]),
    own("soap", &["libxml2-dev"], &["libxml2"]),
    own("sockets", &[], &[]),
    own("sysvmsg", &[], &[]),
    own("sysvsem", &[], &[]),
    own("sysvshm", &[], &[]),
    own("xsl", &["libxslt1-dev"], &["libxslt1.1"]),
    own("zip", &["libzip-dev"], &["libzip4"]),
    pecl("apcu", &[], &[]),
    pecl("imagick", &["libmagickwand-dev"], &["libmagickwand-6.q16-6"]),
    pecl("memcached", &["libmemcached-dev", "zlib1g-dev"], &["libmemcached11", "libmemcachedutil2"]),
    pecl("mongodb", &["libssl-dev"], &[]),
    pecl("redis", &[], &[]),
];

/// The extensions to install. Composer reports an unknown one if it is missing.
pub(super) fn of(names: &BTreeSet<String>, findings: &mut Findings) -> Vec<Extension> {
    let mut found = Vec::new();
    for name in names {
        let name = name.to_ascii_lowercase().replace("zend-", "").replace('-', "_");
        if THERE.contains(&name.as_str()) {
            continue;
        }
        if let Some(extension) = TABLE.iter().find(|extension| extension.name == name) {
            found.push(*extension);
        } else {
            let plain = |char: &char| char.is_ascii_alphanumeric() || *char == '_';
            let name: String = name.chars().filter(plain).take(40).collect();
            findings.warn(format!(
                "the build does not know the PHP extension {name} and does not install it; if the program needs it, add a Dockerfile"
            ));
        }
    }
    found.sort_by_key(|extension| extension.name);
    found.dedup();
    found
}
