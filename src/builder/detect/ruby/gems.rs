//! Which gems a program requires, from the lines of Gemfile and Gemfile.lock, and which Debian packages they need.

use std::collections::BTreeSet;

use super::super::debian::{Need, Needs, need};
use super::super::findings::Findings;
use super::super::names::is_version;
use super::super::tree::Tree;
use crate::builder::dockerfile::ruby::Interpreter;
use crate::builder::outcome::Failure;

/// The requirements of a source.
#[derive(Debug, Default)]
pub(super) struct Gems {
    /// The files that Bundler reads; empty without a Gemfile.
    pub(super) files: Vec<&'static str>,
    /// Gems are in the source itself.
    pub(super) whole_source: bool,
    /// `3.3.0` of `ruby "3.3.0"` in the Gemfile, else of the lock file.
    pub(super) ruby: Option<(String, &'static str)>,
    /// `~> 3.3.0` and the like of the Gemfile, which Bundler holds Ruby to.
    pub(super) requirements: Vec<String>,
    /// The release of Bundler that wrote the lock file.
    bundled_with: Option<String>,
    names: BTreeSet<String>,
    /// A gem comes from a Git repository.
    git: bool,
}

static TABLE: [Need; 15] = [
    need(&["pg"], &["libpq-dev"], &["libpq5"]),
    need(&["mysql2", "trilogy"], &["default-libmysqlclient-dev"], &["libmariadb3"]),
    need(&["sqlite3"], &["libsqlite3-dev"], &["libsqlite3-0"]),
    need(&["ruby-vips", "image_processing"], &[], &["libvips42"]),
    need(&["mini_magick"], &[], &["imagemagick"]),
    need(&["rmagick"], &["libmagickwand-dev"], &["libmagickwand-6.q16-6"]),
    need(&["charlock_holmes"], &["libicu-dev", "zlib1g-dev"], &["libicu72"]),
    need(&["psych", "rails", "railties"], &["libyaml-dev"], &["libyaml-0-2"]),
    need(&["ffi"], &["libffi-dev"], &["libffi8"]),
    need(&["nokogiri"], &["libxml2-dev", "libxslt1-dev", "zlib1g-dev", "patch"], &["libxml2", "libxslt1.1"]),
    need(&["curb"], &["libcurl4-openssl-dev"], &["libcurl4"]),
    need(&["rugged", "snappy"], &["cmake"], &[]),
    need(&["idn-ruby"], &["libidn-dev"], &["libidn12"]),
    need(&["rdkafka", "karafka-rdkafka"], &["zlib1g-dev", "libssl-dev"], &[]),
    need(&["wkhtmltopdf-binary", "pdfkit", "wicked_pdf"], &[], &["wkhtmltopdf"]),
];

impl Gems {
    /// Whether a gem is among those that are installed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The Bundler to install, if the one of the image is too old for the lock file.
    pub(super) fn bundler(&self, interpreter: &Interpreter) -> Option<String> {
        let number =
            |text: &str, at: usize| text.split('.').nth(at).and_then(|number| number.parse::<u32>().ok());
        let ruby = (number(&interpreter.version, 0)?, number(&interpreter.version, 1)?);
        let wrote = self.bundled_with.as_ref()?;
        let old = ruby < (3, 1);
        let newer = number(wrote, 0)? > 2 && ruby < (4, 0);
        (old || newer).then(|| wrote.clone())
    }

    /// Debian packages for the build stage and for the last stage.
    pub(super) fn libraries(&self, debian: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let mut needs = Needs::default();
        needs.add(&TABLE, |name| self.has(name));
        for name in &mut needs.run {
            *name = in_debian(name, debian);
        }
        // jemalloc keeps the memory of a long-running program smaller.
        needs.run.push("libjemalloc2");
        if !self.names.is_empty() {
            needs.build.extend(["build-essential", "pkg-config"]);
        }
        if self.git {
            needs.build.push("git");
        }
        needs.lists()
    }
}

/// Names of libraries that changed with their version.
fn in_debian(name: &'static str, debian: &str) -> &'static str {
    match (name, debian) {
        ("libicu72", "bullseye") => "libicu67",
        ("libicu72", "buster") => "libicu63",
        ("libffi8", "bullseye") => "libffi7",
        ("libffi8", "buster") => "libffi6",
        ("libidn12", "bullseye" | "buster") => "libidn11",
        _ => name,
    }
}

/// Gemfile and Gemfile.lock.
pub(super) fn read(tree: Tree<'_>, findings: &mut Findings) -> Result<Gems, Failure> {
    let Some(gemfile) = tree.text("Gemfile")? else { return Ok(Gems::default()) };
    let mut gems = Gems { files: vec!["Gemfile"], ..Gems::default() };
    let asked = from_gemfile(&gemfile, &mut gems);
    match tree.text("Gemfile.lock")? {
        Some(lock) => {
            gems.files.push("Gemfile.lock");
            let locked = from_lock(&lock, &mut gems);
            let absent: Vec<&String> = asked.iter().filter(|name| !locked.contains(*name)).collect();
            if let Some(name) = absent.first() {
                findings.warn(format!(
                    "Gemfile.lock does not list {name}, which the Gemfile names, so each build may install a different \
                     version of it; run bundle install and commit Gemfile.lock"
                ));
            }
        }
        None => findings.assume(
            "Gemfile.lock is missing, so each build may install different versions; run bundle install and commit it",
        ),
    }
    gems.names.extend(asked);
    for file in [".ruby-version", ".tool-versions"] {
        if gemfile.contains(file) && tree.has(file) {
            gems.files.push(file);
        }
    }
    let specification = tree.names("")?.iter().any(|name| name.ends_with(".gemspec"));
    gems.whole_source |= specification || tree.has_directory("vendor/cache");
    if gems.names.is_empty() && !gems.whole_source {
        // There is nothing to install, and so no reason to fetch another Bundler.
        gems.files.clear();
    }
    Ok(gems)
}

/// The names after `gem`, outside groups that are left out; `ruby "3.3.0"`.
fn from_gemfile(text: &str, gems: &mut Gems) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut left_out = false;
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim()) {
        let quoted = || line.split(['"', '\'']).nth(1).map(str::to_owned);
        if let Some(group) = line.strip_prefix("group ") {
            left_out = !group.contains("production")
                && [":development", ":test"].iter().any(|name| group.contains(name));
        } else if line == "end" {
            left_out = false;
        } else if line.starts_with("gem ") || line.starts_with("gem(") {
            gems.whole_source |= line.contains("path:") || line.contains(":path");
            gems.git |= ["git:", ":git", "github:", ":github"].iter().any(|option| line.contains(option));
            let only = ["group: :development", "group: :test", "group: [", "platforms:"]
                .iter()
                .any(|option| line.contains(option));
            names.extend(quoted().filter(|name| !left_out && !only && is_name(name)));
        } else if line.starts_with("ruby ") || line.starts_with("ruby(") {
            if line.contains("file:") {
                continue;
            }
            let version = quoted().filter(|version| is_version(version));
            if version.is_none() {
                gems.requirements = line.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned).collect();
            }
            gems.ruby = version.map(|version| (version, "ruby in Gemfile"));
        } else if line.starts_with("gemspec") || line.starts_with("path ") || line.contains("eval_gemfile") {
            gems.whole_source = true;
        }
    }
    names
}

/// The names of the gems that are locked, and of Ruby and Bundler.
fn from_lock(text: &str, gems: &mut Gems) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line.trim();
            gems.whole_source |= section == "PATH";
            gems.git |= section == "GIT";
            continue;
        }
        let entry = line.trim();
        match section {
            "GEM" | "GIT" | "PATH" if line.starts_with("    ") && !line.starts_with("     ") => {
                names.extend(entry.split(' ').next().filter(|name| is_name(name)).map(str::to_owned));
            }
            "RUBY VERSION" => {
                let version = entry.strip_prefix("ruby ").and_then(|rest| rest.split('p').next());
                let version = version.filter(|version| is_version(version));
                if gems.ruby.is_none() {
                    gems.ruby = version.map(|version| (version.to_owned(), "Gemfile.lock"));
                }
            }
            "BUNDLED WITH" => gems.bundled_with = Some(entry.to_owned()).filter(|entry| is_version(entry)),
            _ => {}
        }
    }
    gems.names.extend(names.iter().cloned());
    names
}

fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
