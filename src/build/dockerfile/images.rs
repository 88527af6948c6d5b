//! The base images that a generated Dockerfile may name: a table, so that no plan waits for a tag that does not exist.
//!
//! A tag enters the table once its registry has been seen to hold it, or where the maker's own list of releases names it;
//! the date stands beside it. `detect` refuses a Dockerfile whose FROM is not in here, and a test tries every version.

use super::node::releases;

/// A repository, and the tags of it that may be written.
struct Repository {
    name: &'static str,
    tags: Tags,
}

enum Tags {
    Listed(&'static [&'static str]),
    /// Whatever the list of releases of Node holds.
    Node,
    /// `1.FIRST` to `1.LAST` of a major version, each with the suffix.
    Minors {
        major: u32,
        first: u32,
        last: u32,
        suffix: &'static str,
    },
}

/// Every base image, as of November 2026.
const TABLE: &[Repository] = &[
    Repository { name: "docker.io/library/node", tags: Tags::Node },
    Repository {
        name: "docker.io/library/python",
        tags: Tags::Minors { major: 3, first: 9, last: 14, suffix: "-slim-bookworm" },
    },
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
    Repository { name: "docker.io/library/nginx", tags: Tags::Listed(&["1.28"]) },
];

impl Tags {
    fn contain(&self, tag: &str) -> bool {
        match self {
            Self::Listed(tags) => tags.contains(&tag),
            Self::Node => releases::is_tag(tag),
            Self::Minors { major, first, last, suffix } => {
                (*first..=*last).any(|minor| tag == format!("{major}.{minor}{suffix}"))
            }
        }
    }
}

/// Whether a reference, `repository:tag`, is in the table.
pub(in crate::build) fn is_known(reference: &str) -> bool {
    let Some((name, tag)) = reference.rsplit_once(':') else { return false };
    TABLE.iter().any(|repository| repository.name == name && repository.tags.contain(tag))
}

/// The first and the last minor version of Go, Python and the like that have an image; none are 0.
pub(in crate::build) fn minors(name: &str) -> (u32, u32) {
    let found = TABLE.iter().filter(|repository| repository.name == name).find_map(|repository| {
        if let Tags::Minors { first, last, .. } = repository.tags { Some((first, last)) } else { None }
    });
    found.unwrap_or_default()
}

/// The base images that a Dockerfile names: what stands after FROM and in `COPY --from`, without its own stages.
pub(in crate::build) fn named(dockerfile: &str) -> Vec<&str> {
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
    fn the_images_of_a_dockerfile_are_those_of_its_stages() {
        let text = "FROM a:1 AS build\nCOPY --link --from=b:2 /x /y\nFROM scratch\nCOPY --from=build /x /y\n";
        assert_eq!(named(text), ["a:1", "b:2"]);
    }

    #[test]
    fn a_tag_that_is_not_in_the_table_is_unknown() {
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
