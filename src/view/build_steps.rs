//! What a build does at the moment, read from the lines of its log. Pure.

use std::collections::BTreeMap;

use crate::text::bounded;

/// Longest text of a stage or step, in bytes.
const LONGEST: usize = 80;
/// Steps that are remembered until they end: a build has fewer.
const MOST: usize = 256;

/// How far a build is.
#[derive(Debug, Default)]
pub struct BuildSteps {
    /// Text of each step by its number in the log.
    begun: BTreeMap<u32, String>,
    cached: usize,
}

/// What a build does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doing {
    /// In one line.
    pub text: String,
    /// It passes so soon that only a moving picture shows it.
    pub is_brief: bool,
    /// It has ended: a moving picture goes on with what runs.
    pub is_over: bool,
}

/// Stages that take long enough to be worth a line.
const LONG: [&str; 3] = ["resolve", "fetch", "push"];

impl BuildSteps {
    /// Reads the next line. Returns what the build does now, if the line says something new.
    pub fn line(&mut self, line: &str) -> Option<Doing> {
        if let Some(stage) = line.strip_prefix("==> ") {
            let (name, text) = stage.split_once(' ').unwrap_or((stage, ""));
            let text = bounded(format!("{name} {}", without_digests(text.trim())).trim(), LONGEST);
            return Some(Doing { text, is_brief: !LONG.contains(&name), is_over: false });
        }
        let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
        let number: u32 = number.parse().ok()?;
        if rest == "CACHED" {
            self.cached += 1;
            self.begun.remove(&number);
            return None;
        }
        if let Some(time) = rest.strip_prefix("DONE ") {
            let (step, time) = (self.begun.remove(&number)?, time.trim_end_matches('s'));
            let is_brief = time.parse::<f32>().is_ok_and(|seconds| seconds < 1.0);
            return Some(Doing { text: format!("{step}: {time} s"), is_brief, is_over: true });
        }
        self.step(number, rest)
    }

    fn step(&mut self, number: u32, rest: &str) -> Option<Doing> {
        let (place, what) = rest.strip_prefix('[')?.split_once("] ")?;
        let (at, of) = place.rsplit(' ').next()?.split_once('/')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // BuildKit repeats a step that it then links into the image.
        if !is_number(at) || !is_number(of) || what.starts_with("LINK ") || self.begun.len() >= MOST {
            return None;
        }
        let cached = match self.cached {
            0 => String::new(),
            count => format!(", {count} cached"),
        };
        let text = format!("step {at} of {of}{cached}: {}", bounded(&without_digests(what), LONGEST));
        self.begun.insert(number, text.clone());
        Some(Doing { text, is_brief: false, is_over: false })
    }
}

/// A digest says nothing to people, and fills the line.
fn without_digests(text: &str) -> String {
    let words = text.split(' ').map(|word| word.split_once("@sha256:").map_or(word, |(name, _)| name));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_build_says_which_step_of_how_many_runs_and_how_long_it_took() {
        let log = "==> fetch    https://github.com/you/shop.git\n<== fetch    0.4 s\n==> build    Node\n#5 [build 1/5] FROM docker.io/library/node:22@sha256:6224\n\
                   #5 CACHED\n#7 [build 2/5] RUN npm ci\n#7 4.1 added 71 packages in 4s\n#9 [stage-1 1/2] FROM x\n#7 DONE 4.3s\n#9 DONE 0.0s\n#12 [2/2] LINK COPY --link a b\n\
                   #10 [internal] load .dockerignore\n#11 [auth] sharing credentials\n#x y\n==> push     registry.test/you/shop\n";
        let mut steps = BuildSteps::default();
        let said: Vec<Doing> = log.lines().filter_map(|line| steps.line(line)).collect();
        let said: Vec<(&str, bool)> =
            said.iter().map(|doing| (doing.text.as_str(), doing.is_brief)).collect();
        assert_eq!(
            said,
            [
                ("fetch https://github.com/you/shop.git", false),
                ("build Node", true),
                ("step 1 of 5: FROM docker.io/library/node:22", false),
                ("step 2 of 5, 1 cached: RUN npm ci", false),
                ("step 1 of 2, 1 cached: FROM x", false),
                ("step 2 of 5, 1 cached: RUN npm ci: 4.3 s", false),
                ("step 1 of 2, 1 cached: FROM x: 0.0 s", true),
                ("push registry.test/you/shop", false),
            ]
        );
    }

    #[test]
    fn what_a_step_prints_is_no_step() {
        let mut steps = BuildSteps::default();
        for line in ["#7 1.2 [1/2] Fetching packages", "#7 [1/x] a", "# [1/2] a", "#7", "done", "#7 DONE 1s"]
        {
            assert_eq!(steps.line(line), None, "{line}");
        }
    }
}
