//! What a trial wanted that cannot be had here, by what it printed: a host, a base image, the very version of a compiler.

/// What programs print when the name of a host is not found.
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
/// What stands before the name, where they name it.
const MARKS: [&str; 7] = [
    "ENOTFOUND ",
    "EAI_AGAIN ",
    "Could not resolve host: ",
    "lookup ",
    "Failed to resolve '",
    "https://",
    "http://",
];
/// Lines at the end of an output that say how it went.
const LAST: usize = 60;

/// The host that was looked for and not found, where that is what an output ends with. Some programs name it in a line
/// before.
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

/// The base image that a build with this failure did not find.
pub fn missing_image(reason: &str, message: &str, images: &[String]) -> Option<String> {
    let named = images.iter().find(|image| message.contains(image.as_str()));
    named.filter(|_| reason.starts_with("BaseImage")).cloned()
}

/// Whether everything of these texts was printed but the numbers.
pub fn is_other_version(missing: &[&String], printed: &str) -> bool {
    let printed = without_numbers(printed);
    let versions = missing.iter().all(|words| version(words).is_some());
    versions && !missing.is_empty() && missing.iter().all(|words| printed.contains(&without_numbers(words)))
}

/// The base image of the version that these texts hold, where the plan asks for that one: images are made here of what
/// there is.
pub fn image_of_version(missing: &[&String], images: &[String]) -> Option<String> {
    let versions: Vec<&str> = missing.iter().filter_map(|words| version(words)).collect();
    let asked = |image: &&String| {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let tag = tag.split('-').next().unwrap_or_default();
        tag.contains('.') && versions.iter().any(|version| is_of(version, tag))
    };
    images.iter().find(asked).cloned()
}

/// Whether a version is the one of a tag, or one of its releases.
fn is_of(version: &str, tag: &str) -> bool {
    version.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first text of the kind `1.2` or `1.2.3`.
fn version(text: &str) -> Option<&str> {
    let mut parts = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    parts.find(|part| part.contains('.') && part.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// Every number, with its dots, as one sign.
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
