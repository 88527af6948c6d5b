//! The releases of Node that have an official image on Debian: those that the history of the image's own Dockerfiles
//! (github.com/nodejs/docker-node, `bookworm-slim` and `bullseye-slim`) names, as of 19 August 2026.

/// A release: major, minor, patch.
pub(in crate::builder) type Release = (u32, u32, u32);

/// The releases on Debian 12: a major, and the minor and patch of each.
const BOOKWORM: &[(u32, &str)] = &[
    (16, "20.0 20.1 20.2"),
    (18, "16.0 16.1 17.0 17.1 18.0 18.1 18.2 19.0 19.1 20.0 20.1 20.2 20.3 20.4 20.5 20.6 20.7 20.8"),
    (
        20,
        "3.0 3.1 4.0 5.0 5.1 6.0 6.1 7.0 8.0 8.1 9.0 10.0 11.0 11.1 12.0 12.1 12.2 13.0 13.1 14.0 15.0 15.1 16.0 17.0 18.0 18.1 18.2 18.3 19.0 19.1 19.2 19.3 19.4 19.5 19.6 20.0 20.1 20.2",
    ),
    (21, "0.0 1.0 2.0 3.0 4.0 5.0 6.0 6.1 6.2 7.0 7.1 7.2 7.3"),
    (
        22,
        "0.0 1.0 2.0 3.0 4.0 4.1 5.0 5.1 6.0 7.0 8.0 9.0 10.0 11.0 12.0 13.0 13.1 14.0 15.0 15.1 16.0 17.0 17.1 18.0 19.0 20.0 21.0 21.1 22.0 22.1 22.2 22.3 23.0 23.1 23.2",
    ),
    (23, "0.0 1.0 2.0 3.0 4.0 5.0 6.0 6.1 7.0 8.0 9.0 10.0 11.0 11.1"),
    (
        24,
        "0.0 0.1 0.2 1.0 2.0 3.0 4.0 4.1 5.0 6.0 7.0 8.0 9.0 10.0 11.0 11.1 12.0 13.0 13.1 14.0 14.1 15.0 16.0 17.0 18.0 18.1 19.0",
    ),
    (25, "0.0 1.0 2.0 2.1 3.0 4.0 5.0 6.0 6.1 7.0 8.0 8.1 8.2 9.0"),
    (26, "0.0 1.0 2.0 3.0 3.1 4.0 5.0 5.1 6.0 7.0"),
];

/// The releases that are only on Debian 11.
const BULLSEYE: &[(u32, &str)] = &[
    (12, "22.5 22.6 22.7 22.8 22.9 22.10 22.11 22.12"),
    (14, "17.5 17.6 18.0 18.1 18.2 18.3 19.0 19.1 19.2 19.3 20.0 20.1 21.0 21.1 21.2 21.3"),
    (
        16,
        "6.2 7.0 8.0 9.0 9.1 10.0 11.0 11.1 12.0 13.0 13.1 13.2 14.0 14.1 14.2 15.0 15.1 16.0 17.0 17.1 18.0 18.1 19.0 19.1",
    ),
    (17, "0.0 0.1 1.0 2.0 3.0 3.1 4.0 5.0 6.0 7.1 7.2 8.0 9.0 9.1"),
    (18, "0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 9.1 10.0 11.0 12.0 12.1 13.0 14.0 14.1 14.2 15.0"),
    (19, "0.0 0.1 1.0 2.0 3.0 4.0 5.0 6.0 6.1 7.0 8.1 9.0"),
    (20, "0.0 1.0 2.0"),
];

/// All releases of the table, those on Debian 12 before the others, oldest first.
pub(in crate::builder) fn all() -> impl Iterator<Item = Release> {
    BOOKWORM.iter().chain(BULLSEYE).flat_map(|(major, list)| {
        list.split(' ').filter_map(|text| {
            let (minor, patch) = text.split_once('.')?;
            Some((*major, minor.parse().ok()?, patch.parse().ok()?))
        })
    })
}

/// The moving tag of a major version.
pub(in crate::builder) fn moving(major: u32) -> Option<String> {
    debian(major).map(|debian| format!("{major}-{debian}-slim"))
}

/// The tag of one release.
pub(in crate::builder) fn tag(release: Release) -> Option<String> {
    let (major, minor, patch) = release;
    let within = |table: &[(u32, &str)]| {
        let text = format!("{minor}.{patch}");
        table.iter().any(|(known, list)| *known == major && list.split(' ').any(|one| one == text))
    };
    let debian =
        [("bookworm", BOOKWORM), ("bullseye", BULLSEYE)].into_iter().find(|(_, table)| within(table))?.0;
    Some(format!("{major}.{minor}.{patch}-{debian}-slim"))
}

/// The newest Debian that a major version has an image on.
fn debian(major: u32) -> Option<&'static str> {
    let within = |table: &[(u32, &str)]| table.iter().any(|(known, _)| *known == major);
    [("bookworm", BOOKWORM), ("bullseye", BULLSEYE)]
        .into_iter()
        .find(|(_, table)| within(table))
        .map(|(name, _)| name)
}

/// Whether a tag is one of these.
pub(in crate::builder) fn is_tag(text: &str) -> bool {
    let numbers = text.split('-').next().unwrap_or_default();
    let numbers: Vec<u32> = numbers.split('.').map_while(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [major] => moving(*major).as_deref() == Some(text),
        [major, minor, patch] => tag((*major, *minor, *patch)).as_deref() == Some(text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_uses_the_newest_debian_it_was_published_on() {
        assert_eq!(tag((22, 2, 0)).as_deref(), Some("22.2.0-bookworm-slim"));
        assert_eq!(tag((18, 12, 1)).as_deref(), Some("18.12.1-bullseye-slim"));
        assert_eq!(tag((22, 99, 0)), None);
        assert_eq!(moving(22).as_deref(), Some("22-bookworm-slim"));
        assert_eq!(moving(14).as_deref(), Some("14-bullseye-slim"));
        assert_eq!(moving(10), None);
    }

    #[test]
    fn only_published_tags_are_known() {
        for tag in ["22-bookworm-slim", "23.5.0-bookworm-slim", "14-bullseye-slim"] {
            assert!(is_tag(tag), "{tag}");
        }
        for other in
            ["22", "22-bullseye-slim", "22.2-bookworm-slim", "22.99.0-bookworm-slim", "14-bookworm-slim", ""]
        {
            assert!(!is_tag(other), "{other}");
        }
    }
}
