//! COPY and ADD of a file that is not there: which one, where it should be, and why it is not. It only reads text.

use super::{Ending, last, short};

/// What BuildKit says before the name of a file that COPY did not find.
const CHECKSUM: &str = "failed to calculate checksum of ref ";

/// The file that COPY did not find, relative to the build context.
pub(in super::super) fn missing(ending: &Ending) -> Option<&str> {
    let error = ending.error.as_deref().into_iter().chain(last(&ending.said));
    let (_, rest) = error.into_iter().find_map(|error| error.split_once(CHECKSUM))?;
    let (_, file) = rest.split_once(": \"")?;
    let (file, _) = file.split_once("\": not found")?;
    let file = file.trim_start_matches('/');
    (!file.is_empty() && !file.split('/').any(|part| part == "..")).then_some(file)
}

/// COPY of a file that is not there: where it should be, and why it is not.
pub(super) fn copy(ending: &Ending, error: &str) -> Option<String> {
    let file = missing(ending).filter(|_| error.contains(CHECKSUM))?;
    let step = ending.step.as_deref().unwrap_or_default();
    let instruction = if step.contains("] ADD ") { "ADD" } else { "COPY" };
    let from = step.split_whitespace().find_map(|word| word.strip_prefix("--from="));
    let (instruction, file) = (instruction, short(file));
    Some(match from {
        Some(stage) => format!(
            "{instruction} needs /{file} of the stage {}, which is not there: the steps of that stage write their output to \
             another place",
            short(stage)
        ),
        None if ending.left_out => format!(
            "{instruction} needs {file}, which .dockerignore excludes: take the line that matches it out, or add the line !{file}"
        ),
        None => format!(
            "{instruction} needs {file}, which is not in the build context: commit it, or correct the path. It is relative to \
             spec.source's path, not to the Dockerfile"
        ),
    })
}
