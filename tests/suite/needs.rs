//! What a failed trial lacked in this environment, read from its output: a host, a base image, or an exact compiler
//! version.

/// Messages of programs that cannot resolve a host name.
const IN_VAIN: [&str; 8] = [
    "DNSResolveFailed",
    "ENOTFOUND",
    "EAI_AGAIN",
    "Could not resolve host",
    "no such host",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Failed to resolve",
];
/// Text before the host name, in messages that contain it.
const MARKS: [&str; 7] = [
    "ENOTFOUND ",
    "EAI_AGAIN ",
    "Could not resolve host: ",
    "lookup ",
    "Failed to resolve '",
    "https://",
    "http://",
];
/// Number of lines at the end of an output that decide.
const LAST: usize = 60;

/// The host that a program could not resolve, if the output ends with that error. Some programs name it in an earlier
/// line.
pub fn missing_host(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().rev().take(LAST).collect();
    let at = lines.iter().position(|line| IN_VAIN.iter().any(|words| line.contains(words)))?;
    let named = lines[at..].iter().find_map(|line| {
        MARKS.iter().find_map(|mark| {
            let (_, rest) = line.split_once(mark)?;
            let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || ".-".contains(letter)));
            let host = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            host.contains('.').then(|| host.to_owned())
        })
    });
    Some(named.unwrap_or_else(|| "a host that the output does not name".to_owned()))
}

/// The base image that this failed build did not find.
pub fn missing_image(reason: &str, message: &str, images: &[String]) -> Option<String> {
    let named = images.iter().find(|image| message.contains(image.as_str()));
    named.filter(|_| reason.starts_with("BaseImage")).cloned()
}

/// True if the output contains all of these texts except for their numbers.
pub fn is_other_version(missing: &[&String], printed: &str) -> bool {
    let printed = without_numbers(printed);
    let versions = missing.iter().all(|words| version(words).is_some());
    versions && !missing.is_empty() && missing.iter().all(|words| printed.contains(&without_numbers(words)))
}

/// The base image of the version in these texts, if the plan names it. The tests can only use images that exist here.
pub fn image_of_version(missing: &[&String], images: &[String]) -> Option<String> {
    let versions: Vec<&str> = missing.iter().filter_map(|words| version(words)).collect();
    let asked = |image: &&String| {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let tag = tag.split('-').next().unwrap_or_default();
        tag.contains('.') && versions.iter().any(|version| is_of(version, tag))
    };
    images.iter().find(asked).cloned()
}

/// True if a version equals the version of a tag or is one of its releases.
fn is_of(version: &str, tag: &str) -> bool {
    version.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first text of the form `1.2` or `1.2.3`.
fn version(text: &str) -> Option<&str> {
    let mut parts = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    parts.find(|part| part.contains('.') && part.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// Replaces every number, including its dots, by one character.
fn without_numbers(text: &str) -> String {
    let mut result = String::new();
    for letter in text.chars() {
        let number = letter.is_ascii_digit() || letter == '.' && result.ends_with('#');
        match number {
            true if result.ends_with('#') => {}
            true => result.push('#'),
            false => result.push(letter),
        }
    }
    result
}
