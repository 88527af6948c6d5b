//! Allow-lists: what a text of a source must look like before it may appear in a Dockerfile.

/// A relative path without blanks, quotes or `..` that no tool mistakes for an option.
pub(super) fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+@/".contains(&byte))
        && text.split('/').all(|part| !part.is_empty() && part != ".." && !part.starts_with('-'))
}

/// Resolves a path that a file in a directory of the source (empty: the root) names, to one from the root. None if it
/// leaves the source.
pub(super) fn resolved(directory: &str, path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A directory as the beginning of the paths in it: with a slash at its end, unless it is empty.
pub(super) fn slashed(directory: &str) -> String {
    if directory.is_empty() || directory.ends_with('/') {
        directory.to_owned()
    } else {
        format!("{directory}/")
    }
}

/// The rest of a path below a directory.
pub(super) fn relative(path: &str, above: &str) -> String {
    path.strip_prefix(above).unwrap_or(path).trim_matches('/').to_owned()
}

/// A version of one to three numbers: `22`, `3.13`, `9.12.0`.
pub(super) fn is_version(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('.').collect();
    let digits =
        |number: &&str| (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    numbers.len() <= 3 && numbers.iter().all(digits)
}

/// A name of Cargo: a package or a program.
pub(super) fn is_crate(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && !text.starts_with('-')
}

/// A name in a Python program: a module, a variable.
pub(super) fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// The first `parts` numbers of a version, with or without `v` before them: `v22.3.1` → `22`.
pub(super) fn leading(text: &str, parts: usize) -> Option<String> {
    let text = text.trim().trim_start_matches('v');
    let end = text.find(|char: char| char != '.' && !char.is_ascii_digit()).unwrap_or(text.len());
    let numbers: Vec<&str> = text[..end].split('.').take(parts).collect();
    let version = numbers.join(".");
    (numbers.len() == parts && is_version(&version)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_accepted() {
        for good in ["a", "dist", ".vitepress/dist", "a/b-c_d.e+f@g"] {
            assert!(is_path(good), "{good}");
        }
        for bad in
            ["", "/a", "a/", "a//b", "../a", "a/..", "-rf", "a/-b", "a b", "a\nb", "a\"b", "$a", "ä", "a\\b"]
        {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(!is_path(&"a".repeat(256)));
    }

    #[test]
    fn a_path_is_resolved_only_inside_the_source() {
        for (directory, path, resolved) in [
            ("", "./a//b", Some("a/b")),
            ("api", "../ui", Some("ui")),
            ("a/b", "../..", Some("")),
            ("", "..", None),
            ("api", "../../x", None),
        ] {
            assert_eq!(super::resolved(directory, path).as_deref(), resolved, "{directory} {path}");
        }
        assert_eq!((slashed(""), slashed("a"), slashed("a/")), (String::new(), "a/".into(), "a/".into()));
        assert_eq!((relative("a/b/c", "a"), relative("a", "a")), ("b/c".to_owned(), String::new()));
    }

    #[test]
    fn identifiers_are_letters_digits_and_underscores() {
        assert!(["app", "_a", "App2", &"a".repeat(64)].into_iter().all(is_identifier));
        for bad in ["", "2a", "a-b", "a.b", "a b", "a;b", "$a", "`a`", "$(a)", "a\nb", "ä", &"a".repeat(65)]
        {
            assert!(!is_identifier(bad), "{bad:?}");
        }
    }

    #[test]
    fn versions_are_digits_and_dots() {
        assert!(["22", "3.13", "9.12.0"].into_iter().all(is_version));
        assert!(!["", ".", "1.", "v1", "1.2.3.4", "1-rc", "1 2", "123456"].into_iter().any(is_version));
        assert_eq!(leading("v22.3.1\n", 1).as_deref(), Some("22"));
        assert_eq!(leading("3.12.4", 2).as_deref(), Some("3.12"));
        assert_eq!(leading("1.25rc1", 2).as_deref(), Some("1.25"));
        assert_eq!((leading("3", 2), leading("lts", 1), leading("", 1)), (None, None, None));
    }
}
