//! Debian packages that Python packages need: a compiler and headers to compile them, shared libraries and programs to
//! run them. Names are those of Debian 12.

use super::super::debian::{Need, Needs, need};
use super::packages::Packages;

static TABLE: [Need; 40] = [
    need(
        &["psycopg2", "psycopg-c", "psycopg[c]", "psycopg2cffi", "pygresql"],
        &["gcc", "libc6-dev", "libpq-dev"],
        &["libpq5"],
    ),
    need(
        &["mysqlclient"],
        &["gcc", "libc6-dev", "pkg-config", "default-libmysqlclient-dev"],
        &["libmariadb3"],
    ),
    need(
        &["lxml", "html5-parser"],
        &["gcc", "libc6-dev", "pkg-config", "libxml2-dev", "libxslt1-dev", "zlib1g-dev"],
        &["libxml2", "libxslt1.1"],
    ),
    need(
        &["pillow"],
        &["gcc", "libc6-dev", "libjpeg62-turbo-dev", "zlib1g-dev", "libfreetype-dev", "libwebp-dev"],
        &["libjpeg62-turbo", "libfreetype6", "libwebp7", "libwebpdemux2", "libwebpmux3"],
    ),
    need(&["pycairo", "rlpycairo"], &["gcc", "libc6-dev", "pkg-config", "libcairo2-dev"], &["libcairo2"]),
    need(&["cairocffi", "cairosvg"], &[], &["libcairo2"]),
    need(
        &["weasyprint", "django-weasyprint"],
        &[],
        &[
            "libpango-1.0-0",
            "libpangoft2-1.0-0",
            "libharfbuzz-subset0",
            "libgdk-pixbuf-2.0-0",
            "libcairo2",
            "fonts-dejavu-core",
        ],
    ),
    need(
        &["python-ldap", "django-auth-ldap"],
        &["gcc", "libc6-dev", "libldap2-dev", "libsasl2-dev"],
        &["libldap-2.5-0", "libsasl2-2"],
    ),
    need(
        &["xmlsec", "python3-saml"],
        &["gcc", "libc6-dev", "pkg-config", "libxml2-dev", "libxmlsec1-dev", "libxmlsec1-openssl"],
        &["libxml2", "libxmlsec1-openssl"],
    ),
    need(&["pysaml2", "djangosaml2"], &[], &["xmlsec1"]),
    need(
        &["pyodbc", "django-mssql-backend", "mssql-django"],
        &["g++", "libc6-dev", "unixodbc-dev"],
        &["unixodbc"],
    ),
    need(&["pygraphviz"], &["gcc", "libc6-dev", "pkg-config", "libgraphviz-dev"], &["graphviz"]),
    need(&["graphviz", "pydot"], &[], &["graphviz"]),
    need(&["pycurl"], &["gcc", "libc6-dev", "libcurl4-openssl-dev", "libssl-dev"], &["libcurl4"]),
    need(
        &["gssapi", "krb5", "pykerberos", "kerberos"],
        &["gcc", "libc6-dev", "libkrb5-dev"],
        &["libgssapi-krb5-2"],
    ),
    need(&["gdal", "pygdal"], &["g++", "libc6-dev", "libgdal-dev"], &["libgdal32"]),
    need(&["pyicu"], &["g++", "libc6-dev", "pkg-config", "libicu-dev"], &["libicu72"]),
    need(&["pylibmc"], &["gcc", "libc6-dev", "libmemcached-dev", "zlib1g-dev"], &["libmemcached11"]),
    need(&["python-snappy"], &["g++", "libc6-dev", "libsnappy-dev"], &["libsnappy1v5"]),
    need(&["pyaudio"], &["gcc", "libc6-dev", "portaudio19-dev"], &["libportaudio2"]),
    need(&["sounddevice"], &[], &["libportaudio2"]),
    need(
        &["pygobject"],
        &["gcc", "libc6-dev", "pkg-config", "libgirepository1.0-dev", "libcairo2-dev"],
        &["libgirepository-1.0-1", "libcairo2"],
    ),
    need(&["m2crypto"], &["gcc", "libc6-dev", "swig", "libssl-dev"], &[]),
    need(&["dlib", "face-recognition"], &["g++", "make", "cmake", "libc6-dev"], &["libstdc++6"]),
    need(
        &[
            "uwsgi",
            "pycrypto",
            "netifaces",
            "mysql-python",
            "python-levenshtein",
            "thriftpy2",
            "cchardet",
            "spidev",
            "rpi-gpio",
        ],
        &["gcc", "libc6-dev"],
        &[],
    ),
    need(&["hdbscan", "annoy", "hnswlib", "llama-cpp-python"], &["g++", "make", "libc6-dev"], &["libgomp1"]),
    need(&["lightgbm", "xgboost"], &[], &["libgomp1"]),
    need(&["python-magic"], &[], &["libmagic1"]),
    need(&["pdf2image"], &[], &["poppler-utils"]),
    need(&["pydub", "ffmpeg-python", "moviepy", "openai-whisper", "yt-dlp"], &[], &["ffmpeg"]),
    need(&["pytesseract", "ocrmypdf"], &[], &["tesseract-ocr"]),
    need(&["opencv-python", "opencv-contrib-python"], &[], &["libgl1", "libglib2.0-0"]),
    need(&["opencv-python-headless"], &[], &["libglib2.0-0"]),
    need(&["pyzbar"], &[], &["libzbar0"]),
    need(&["pdfkit", "imgkit"], &[], &["wkhtmltopdf"]),
    need(&["pyvips"], &["gcc", "libc6-dev", "pkg-config", "libvips-dev"], &["libvips42"]),
    need(&["wand"], &[], &["libmagickwand-6.q16-6"]),
    need(&["gitpython"], &[], &["git"]),
    need(&["pyenchant"], &[], &["libenchant-2-2"]),
    need(&["secp256k1"], &["gcc", "libc6-dev", "make"], &[]),
];

/// The packages of Debian for the build stage and for the last one, each once and in order.
pub(super) fn of(packages: &Packages) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut needs = Needs::default();
    needs.add(&TABLE, |name| packages.installs(name));
    // Version 3 of the driver loads libpq when it runs, unless it brings one.
    let brings = ["psycopg[binary]", "psycopg-binary"].iter().any(|name| packages.installs(name));
    if packages.installs("psycopg") && !brings {
        needs.run.push("libpq5");
    }
    if packages.git {
        needs.build.push("git");
    }
    needs.lists()
}

#[cfg(test)]
mod tests {
    use super::super::packages;
    use super::*;
    use crate::builder::detect::findings::Findings;
    use crate::builder::detect::tests::context;
    use crate::builder::detect::tree::Tree;

    fn needs(requirements: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let dir = context(&[("requirements.txt", requirements)]);
        of(&packages::read(Tree::new(&dir.path().canonicalize().unwrap()), &mut Findings::default()).unwrap())
    }

    #[test]
    fn a_compiled_package_gets_headers_and_its_runtime_library() {
        assert_eq!(needs("psycopg2==2.9\ndjango"), (vec!["gcc", "libc6-dev", "libpq-dev"], vec!["libpq5"]));
        assert!(needs("mysqlclient").0.contains(&"default-libmysqlclient-dev"));
        assert_eq!(needs("psycopg2-binary\nflask"), (vec![], vec![]));
    }

    #[test]
    fn libpq_is_installed_unless_the_driver_includes_it() {
        assert_eq!(needs("psycopg>=3").1, ["libpq5"]);
        assert_eq!(needs("psycopg[binary]>=3").1, [""; 0]);
    }

    #[test]
    fn programs_that_packages_call_are_installed() {
        assert_eq!(needs("pdf2image\npydub\nx @ git+https://h/x").1, ["ffmpeg", "poppler-utils"]);
        assert_eq!(needs("x @ git+https://h/x").0, ["git"]);
    }

    #[test]
    fn the_table_has_normalized_names_and_plain_debian_packages() {
        let plain = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".+-".contains(&byte))
        };
        for need in &TABLE {
            assert!(need.build.iter().chain(need.run).all(plain));
            assert!(
                !need.of.iter().any(|name| name.contains(['_', '.']) || name.chars().any(char::is_uppercase))
            );
        }
    }
}
