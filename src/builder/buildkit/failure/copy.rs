//! Explains COPY and ADD of a missing file: which file, where it should be, and why it is missing. It only reads text.

use super::{Ending, last, short};

/// What BuildKit prints before the name of a file that COPY did not find.
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

/// Explains COPY of a missing file: where it should be, and why it is missing.
pub(super) fn copy(ending: &Ending, error: &str) -> Option<String> {
    let file = missing(ending).filter(|_| error.contains(CHECKSUM))?;
    let step = ending.step.as_deref().unwrap_or_default();
    let instruction = if step.contains("] ADD ") { "ADD" } else { "COPY" };
    let from = step.split_whitespace().find_map(|word| word.strip_prefix("--from="));
    let (instruction, file) = (instruction, short(file));
    Some(match from {
        Some(stage) => format!(
            "{instruction} needs /{file} of the stage {}, which does not exist there: the steps of that stage write \
             their output elsewhere. Correct the path",
            short(stage)
        ),
        None if ending.left_out => format!(
            "{instruction} needs {file}, which .dockerignore excludes: remove the line that matches it, or add the \
             line !{file}"
        ),
        None => format!(
            "{instruction} needs {file}, which is not in the build context: commit it, or correct the path. The path \
             is relative to the path of spec.source, not to the Dockerfile"
        ),
    })
}
