//! The base images that a generated Dockerfile may name. The table prevents plans with tags that do not exist.
//!
//! A tag enters the table once it has been seen in its registry, or if the maker's list of releases names it; the date
//! is next to it. `detect` rejects a Dockerfile whose FROM is not in the table, and a test tries every version.

use super::node::releases;

/// A repository, and the tags of it that may be written.
struct Repository {
    name: &'static str,
    tags: Tags,
}

enum Tags {
    Listed(&'static [&'static str]),
    /// Every release in the list of Node releases.
    Node,
    /// Single releases.
    Releases(&'static [Release]),
    /// Those of .NET, `8.0`.
    DotNet,
    /// Those of Elixir and Erlang, `1.18-otp-27` and `1.18-otp-27-slim`.
    Elixir,
    /// Those of Gleam, `v1.13.0-erlang-alpine`.
    Gleam,
    /// `1.FIRST` to `1.LAST` of a major version, each with the suffix.
    Minors {
        major: u32,
        first: u32,
        last: u32,
        suffix: &'static str,
    },
}

/// The versions of .NET with images.
pub(in crate::builder) const DOTNET: [u32; 5] = [6, 7, 8, 9, 10];

/// The minor versions of Elixir 1 with images, and the versions of Erlang of each.
pub(in crate::builder) const ELIXIR: [(u32, &[u32]); 8] = [
    (12, &[24]),
    (13, &[24, 25]),
    (14, &[24, 25, 26]),
    (15, &[24, 25, 26]),
    (16, &[24, 25, 26]),
    (17, &[25, 26, 27]),
    (18, &[25, 26, 27]),
    (19, &[26, 27, 28]),
];

/// The versions of Gleam with images.
pub(in crate::builder) const GLEAM: [&str; 23] = [
    "1.0.0", "1.1.0", "1.2.0", "1.2.1", "1.3.0", "1.3.1", "1.3.2", "1.4.0", "1.4.1", "1.5.0", "1.5.1",
    "1.6.0", "1.6.1", "1.6.2", "1.6.3", "1.7.0", "1.8.0", "1.8.1", "1.9.0", "1.9.1", "1.10.0", "1.12.0",
    "1.13.0",
];

/// Every base image, as of November 2026.
const TABLE: &[Repository] = &[
    Repository { name: "docker.io/library/node", tags: Tags::Node },
    Repository {
        name: "docker.io/library/python",
        tags: Tags::Minors { major: 3, first: 7, last: 14, suffix: "-slim-bookworm" },
    },
    Repository { name: "docker.io/library/python", tags: Tags::Releases(PYTHON) },
    Repository {
        name: "docker.io/library/golang",
        tags: Tags::Minors { major: 1, first: 21, last: 26, suffix: "-bookworm" },
    },
    Repository { name: "docker.io/library/rust", tags: Tags::Listed(&["1-bookworm"]) },
    Repository {
        name: "docker.io/library/rust",
        tags: Tags::Minors { major: 1, first: 71, last: 95, suffix: "-bookworm" },
    },
    Repository { name: "docker.io/library/debian", tags: Tags::Listed(&["bookworm", "bookworm-slim"]) },
    Repository { name: "mcr.microsoft.com/dotnet/sdk", tags: Tags::DotNet },
    Repository { name: "mcr.microsoft.com/dotnet/aspnet", tags: Tags::DotNet },
    Repository { name: "mcr.microsoft.com/dotnet/runtime", tags: Tags::DotNet },
    Repository { name: "docker.io/library/elixir", tags: Tags::Elixir },
    Repository { name: "ghcr.io/gleam-lang/gleam", tags: Tags::Gleam },
    Repository {
        name: "docker.io/library/maven",
        tags: Tags::Listed(&[
            "3.9-eclipse-temurin-8",
            "3.9-eclipse-temurin-11",
            "3.9-eclipse-temurin-17",
            "3.9-eclipse-temurin-21",
            "3.9-eclipse-temurin-25",
        ]),
    },
    Repository {
        name: "docker.io/library/gradle",
        tags: Tags::Listed(&["8-jdk8", "8-jdk11", "8-jdk17", "8-jdk21", "9-jdk25"]),
    },
    Repository {
        name: "docker.io/library/eclipse-temurin",
        tags: Tags::Listed(&[
            "8-jdk", "11-jdk", "17-jdk", "21-jdk", "25-jdk", "8-jre", "11-jre", "17-jre", "21-jre", "25-jre",
        ]),
    },
    Repository {
        name: "docker.io/library/php",
        tags: Tags::Minors { major: 8, first: 1, last: 5, suffix: "-apache-bookworm" },
    },
    Repository { name: "docker.io/library/composer", tags: Tags::Listed(&["2"]) },
    Repository {
        name: "docker.io/library/ruby",
        tags: Tags::Minors { major: 3, first: 1, last: 4, suffix: "-slim-bookworm" },
    },
    Repository { name: "docker.io/library/ruby", tags: Tags::Listed(&["4.0-slim-bookworm"]) },
    Repository { name: "docker.io/library/ruby", tags: Tags::Releases(RUBY) },
    Repository { name: "docker.io/library/nginx", tags: Tags::Listed(&["1.28"]) },
];

/// Releases of Python since Debian 12: of a minor version the first and the last one.
const PYTHON: &[Release] = &[
    release("3.7", 17, 17, "-slim-bookworm"),
    release("3.8", 17, 20, "-slim-bookworm"),
    release("3.9", 17, 23, "-slim-bookworm"),
    release("3.10", 12, 18, "-slim-bookworm"),
    release("3.11", 4, 13, "-slim-bookworm"),
    release("3.12", 0, 11, "-slim-bookworm"),
    release("3.13", 0, 9, "-slim-bookworm"),
    release("3.14", 0, 7, "-slim-bookworm"),
];

/// Releases of Ruby, on the Debian of their time.
const RUBY: &[Release] = &[
    release("2.6", 3, 10, "-slim-buster"),
    release("2.7", 0, 3, "-slim-buster"),
    release("2.7", 4, 8, "-slim-bullseye"),
    release("3.0", 0, 1, "-slim-buster"),
    release("3.0", 2, 7, "-slim-bullseye"),
    release("3.1", 0, 3, "-slim-bullseye"),
    release("3.1", 4, 7, "-slim-bookworm"),
    release("3.2", 0, 1, "-slim-bullseye"),
    release("3.2", 2, 9, "-slim-bookworm"),
    release("3.3", 0, 9, "-slim-bookworm"),
    release("3.4", 0, 7, "-slim-bookworm"),
    release("4.0", 0, 1, "-slim-bookworm"),
];

/// The releases of a minor version from `first` to `last` that have an image on one base.
pub(in crate::builder) struct Release {
    minor: &'static str,
    first: u32,
    last: u32,
    suffix: &'static str,
}

const fn release(minor: &'static str, first: u32, last: u32, suffix: &'static str) -> Release {
    Release { minor, first, last, suffix }
}

impl Release {
    fn contains(&self, tag: &str) -> bool {
        let patch = tag.strip_prefix(self.minor).and_then(|rest| rest.strip_prefix('.'));
        let patch = patch.and_then(|rest| rest.strip_suffix(self.suffix));
        patch
            .and_then(|patch| patch.parse().ok())
            .is_some_and(|patch| (self.first..=self.last).contains(&patch))
    }
}

impl Tags {
    fn contain(&self, tag: &str) -> bool {
        match self {
            Self::Listed(tags) => tags.contains(&tag),
            Self::Node => releases::is_tag(tag),
            Self::Releases(releases) => releases.iter().any(|release| release.contains(tag)),
            Self::DotNet => DOTNET.iter().any(|version| tag == format!("{version}.0")),
            Self::Elixir => {
                let tag = tag.strip_suffix("-slim").unwrap_or(tag);
                let of = |(minor, all): &(u32, &[u32])| {
                    all.iter().any(|otp| tag == format!("1.{minor}-otp-{otp}"))
                };
                ELIXIR.iter().any(of)
            }
            Self::Gleam => GLEAM.iter().any(|version| tag == format!("v{version}-erlang-alpine")),
            Self::Minors { major, first, last, suffix } => {
                (*first..=*last).any(|minor| tag == format!("{major}.{minor}{suffix}"))
            }
        }
    }
}

/// Whether a reference, `repository:tag`, is in the table.
pub(in crate::builder) fn is_known(reference: &str) -> bool {
    let Some((name, tag)) = reference.rsplit_once(':') else { return false };
    TABLE.iter().any(|repository| repository.name == name && repository.tags.contain(tag))
}

/// The first and the last minor version of Go, Python and the like with an image; 0 if there are none.
pub(in crate::builder) fn minors(name: &str) -> (u32, u32) {
    let found = TABLE.iter().filter(|repository| repository.name == name).find_map(|repository| {
        if let Tags::Minors { first, last, .. } = repository.tags { Some((first, last)) } else { None }
    });
    found.unwrap_or_default()
}

/// The base images that a Dockerfile names in FROM and `COPY --from`, without its own stages.
pub(in crate::builder) fn named(dockerfile: &str) -> Vec<&str> {
    let mut stages = vec!["scratch"];
    let mut found = Vec::new();
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace();
        let image = match words.next() {
            Some("FROM") => words.next(),
            Some("COPY") => line.split_whitespace().find_map(|word| word.strip_prefix("--from=")),
            _ => None,
        };
        found.extend(image.filter(|image| !stages.contains(image)));
        if line.starts_with("FROM") {
            stages.extend(line.split(" AS ").nth(1).map(str::trim));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_a_dockerfile_include_bases_and_copy_sources() {
        let text = "FROM a:1 AS build\nCOPY --link --from=b:2 /x /y\nFROM scratch\nCOPY --from=build /x /y\n";
        assert_eq!(named(text), ["a:1", "b:2"]);
    }

    #[test]
    fn a_tag_outside_the_table_is_unknown() {
        assert!(is_known("docker.io/library/node:22-bookworm-slim"));
        for other in [
            "docker.io/library/node:22.99-bookworm-slim",
            "docker.io/library/golang:1.13-bookworm",
            "node",
            "x:",
        ] {
            assert!(!is_known(other), "{other}");
        }
    }
}
