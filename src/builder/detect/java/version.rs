//! Which Java builds and runs a program: a release with long-term support that has images.

use super::super::findings::Findings;
use super::super::tools;
use super::super::tree::Tree;
use super::no_builder;
use crate::builder::outcome::Failure;

/// The versions with images of Maven, Gradle and the runtime.
pub(super) const IMAGES: [u32; 5] = [8, 11, 17, 21, 25];

/// The default if no file names a version.
pub(super) const DEFAULT: u32 = 21;

/// A version, and the file that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) version: u32,
    pub(super) because: String,
}

/// `17`, `1.8`, `21.0.2+13`, `temurin-21.0.2`, `17.0.9-tem`, `zulu-8.86`, `corretto-17`.
pub(super) fn parse(text: &str) -> Option<u32> {
    let text = text.trim().trim_matches(['"', '\'']);
    let digits = text.find(|char: char| char.is_ascii_digit())?;
    // Only a name may come before the number.
    text[..digits].bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte)).then_some(())?;
    let text = text[digits..].strip_prefix("1.").unwrap_or(&text[digits..]);
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().filter(|version| (1..1000).contains(version))
}

/// The version in a version manager file.
pub(super) fn of_files(tree: Tree<'_>) -> Result<Option<Wanted>, Failure> {
    let mut found = tools::wanted(tree, &["java"])?.map(|wanted| (wanted.version, wanted.file));
    for tree in [tree, tree.source()] {
        if found.is_none() {
            found = tree.text(".java-version")?.map(|text| (text, ".java-version".to_owned()));
        }
        for (file, key) in [(".sdkmanrc", "java"), ("system.properties", "java.runtime.version")] {
            if found.is_none() {
                found = property(&tree.text(file)?.unwrap_or_default(), key)
                    .map(|value| (value, file.to_owned()));
            }
        }
    }
    let Some((text, file)) =
        found.filter(|(text, _)| !matches!(text.trim(), "" | "latest" | "lts" | "system"))
    else {
        return Ok(None);
    };
    match parse(&text) {
        Some(version) => Ok(Some(Wanted { version, because: file })),
        None => Err(no_builder(format!(
            "{file} names no version of Java; write one such as 21 or temurin-21.0.2"
        ))),
    }
}

/// The value of a key in a file of properties.
pub(super) fn property(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

/// The image for a version: that version, or the next one with long-term support.
pub(super) fn image(wanted: Option<Wanted>, findings: &mut Findings) -> Result<u32, Failure> {
    let Some(Wanted { version, because }) = wanted else {
        findings.choose("Java", DEFAULT.to_string(), "the default; the source names no version");
        return Ok(DEFAULT);
    };
    let Some(image) = IMAGES.into_iter().find(|image| *image >= version) else {
        return Err(no_builder(format!(
            "{because} requires Java {version}, but the newest that this operator knows is {}; lower it, or add a \
            Dockerfile",
            IMAGES[IMAGES.len() - 1]
        )));
    };
    let because = if image == version {
        because
    } else {
        format!("the next release with long-term support after {version}: {because}")
    };
    findings.choose("Java", image.to_string(), because);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_notation() {
        for (text, version) in [
            ("17", 17),
            ("1.8", 8),
            ("21.0.2+13", 21),
            ("temurin-21.0.2+13.0.LTS", 21),
            ("17.0.9-tem", 17),
            ("zulu-8.86", 8),
            ("corretto-17", 17),
            ("openjdk-25.0.1", 25),
            ("'11'", 11),
        ] {
            assert_eq!(parse(text), Some(version), "{text}");
        }
        for text in ["", "latest", "$(evil)", "a b 17", "99999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_without_an_image_uses_the_next_and_a_future_version_is_rejected() {
        let of =
            |version| image(Some(Wanted { version, because: "pom.xml".into() }), &mut Findings::default());
        for (version, image) in [(5, 8), (8, 8), (9, 11), (17, 17), (18, 21), (22, 25), (25, 25)] {
            assert_eq!(of(version), Ok(image));
        }
        assert!(of(26).unwrap_err().message.contains("pom.xml requires Java 26"));
        assert_eq!(image(None, &mut Findings::default()), Ok(DEFAULT));
    }
}
