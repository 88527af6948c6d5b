//! Turns the events of `BuildKit` into the progress of a solve: log lines, the number of steps and of cached steps, and
//! the step that failed. It prints nothing and classifies nothing.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use event::{Event, Output, Status, Vertex};

mod event;

/// Longest piece of a step's output, in bytes, that waits for its end of line. Longer than any secret.
const MAX_PARTIAL: usize = 256 << 10;
/// Number of last lines of a step that are kept to show with its failure.
const KEPT: usize = 60;
/// Number of last lines of buildctl that are kept: the place in the Dockerfile and its error.
const SAID: usize = 200;

/// How many steps a build had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::builder) struct Steps {
    /// Steps of the Dockerfile that the image needed.
    pub(in crate::builder) steps: u32,
    /// Those of them that came from the cache.
    pub(in crate::builder) cached: u32,
}

impl std::fmt::Display for Steps {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = if self.steps == 1 { "" } else { "s" };
        write!(out, "{} step{s}, {} cached", self.steps, self.cached)
    }
}

/// The state of one vertex.
#[derive(Debug, Default)]
struct Work {
    name: String,
    /// Its number in the log lines, once it has started.
    number: Option<usize>,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
    cached: bool,
    error: String,
    /// Its end was reported.
    told: bool,
    /// By stream: output that has no end of line yet.
    partial: BTreeMap<u8, Vec<u8>>,
    /// The last lines of its output.
    output: VecDeque<String>,
}

/// A running solve.
#[derive(Debug, Default)]
pub(super) struct Progress {
    work: BTreeMap<String, Work>,
    count: usize,
    pushing: bool,
    said: VecDeque<String>,
    lines: Vec<String>,
}

impl Progress {
    /// Takes one line of buildctl and returns the lines to show for it.
    pub(super) fn take(&mut self, line: &[u8]) -> Vec<String> {
        if line.first() == Some(&b'{') {
            // Drop an unreadable event: it must not pass for a message of buildctl.
            if let Ok(event) = serde_json::from_slice::<Event>(line) {
                self.event(event);
            }
        } else {
            if self.said.is_empty() {
                self.wind_up();
            }
            let line = String::from_utf8_lossy(line).into_owned();
            self.lines.push(line.clone());
            push(&mut self.said, line, SAID);
        }
        std::mem::take(&mut self.lines)
    }

    fn event(&mut self, event: Event) {
        // A vertex may continue after its apparent end, but then it does so at once.
        let ended: Vec<String> =
            self.work.iter().filter(|(_, work)| work.ended()).map(|(id, _)| id.clone()).collect();
        event.vertexes.into_iter().for_each(|vertex| self.vertex(vertex));
        for id in ended {
            if let Some(work) = self.work.get_mut(&id).filter(|work| work.ended()) {
                work.tell_end(&mut self.lines);
            }
        }
        event.statuses.iter().for_each(|status| self.status(status));
        event.logs.iter().for_each(|output| self.output(output));
    }

    fn vertex(&mut self, vertex: Vertex) {
        let Self { work, count, lines, .. } = self;
        let work = work.entry(vertex.digest).or_default();
        work.name = without_mounts(&vertex.name);
        if let (Some(started), None) = (vertex.started, work.number) {
            *count += 1;
            work.number = Some(*count);
            work.started = Some(started);
            lines.push(format!("#{count} {}", work.name));
        }
        // Every start repeats the beginning; the first one counts.
        work.completed = vertex.completed;
        work.cached |= vertex.cached;
        work.error = vertex.error;
    }

    fn status(&mut self, status: &Status) {
        self.pushing |= status.started.is_some() && status.id == "pushing layers";
        let (Some(started), Some(completed)) = (status.started, status.completed) else { return };
        // Progress of single layers and transfers is noise.
        let noise = ["sha256:", "extracting ", "resolve ", "transferring "];
        if noise.iter().any(|start| status.id.starts_with(start)) {
            return;
        }
        if let Some(number) = self.work.get(&status.vertex).and_then(|work| work.number) {
            self.lines.push(format!("#{number} {} {:.1}s", status.id, seconds(started, completed)));
        }
    }

    fn output(&mut self, output: &Output) {
        let Some(work) = self.work.get_mut(&output.vertex) else { return };
        let at = work.started.zip(output.timestamp).map_or(0.0, |(started, at)| seconds(started, at));
        let mut partial = work.partial.remove(&output.stream).unwrap_or_default();
        for &byte in &output.data {
            if byte == b'\n' {
                work.print(at, &partial, &mut self.lines);
                partial.clear();
            } else if partial.len() < MAX_PARTIAL {
                partial.push(byte);
            }
        }
        work.partial.insert(output.stream, partial);
    }

    /// Ends the progress: reports every end, and the last lines of the step that failed.
    pub(super) fn finish(&mut self) -> Vec<String> {
        self.wind_up();
        std::mem::take(&mut self.lines)
    }

    fn wind_up(&mut self) {
        let mut open: Vec<&mut Work> = self.work.values_mut().filter(|work| work.number.is_some()).collect();
        open.sort_by_key(|work| work.number);
        for work in open {
            work.print_partial(&mut self.lines);
            if work.ended() {
                work.tell_end(&mut self.lines);
            }
        }
        let failed = self.work.values().find(|work| work.failed() && work.is_step());
        if let Some(work) = failed.filter(|_| self.said.is_empty()) {
            self.lines.push("------".to_owned());
            self.lines.push(format!(" > {}:", work.name));
            let skip = work.output.len().saturating_sub(20);
            self.lines.extend(work.output.iter().skip(skip).cloned());
            self.lines.push("------".to_owned());
        }
    }

    /// Whether the image is built and being pushed.
    pub(super) fn is_pushing(&self) -> bool {
        self.pushing
    }

    pub(super) fn steps(&self) -> Steps {
        let steps = self.work.values().filter(|work| work.is_step() && work.number.is_some());
        let (mut all, mut cached) = (0, 0);
        for work in steps {
            all += 1;
            cached += u32::from(work.cached);
        }
        Steps { steps: all, cached }
    }

    /// The last lines that buildctl itself printed.
    pub(super) fn said(&self) -> Vec<String> {
        self.said.iter().cloned().collect()
    }

    /// The vertex that `error` is about: its name, its error, its last lines.
    pub(super) fn failed(&self, error: &str) -> Option<(&str, &str, Vec<String>)> {
        let mut failed = self.work.values().filter(|work| work.failed()).collect::<Vec<_>>();
        failed.sort_by_key(|work| (!error.contains(&work.error), work.number));
        let work = failed.first()?;
        Some((&work.name, &work.error, work.output.iter().cloned().collect()))
    }
}

/// The name of a step without the mounts around its command, which did not cause the failure.
fn without_mounts(name: &str) -> String {
    if !name.contains(" --mount=") {
        return name.to_owned();
    }
    name.split_whitespace().filter(|word| !word.starts_with("--mount=")).collect::<Vec<_>>().join(" ")
}

impl Work {
    fn ended(&self) -> bool {
        self.number.is_some() && self.completed.is_some() && !self.told
    }

    fn failed(&self) -> bool {
        !self.error.is_empty() && !self.canceled()
    }

    fn canceled(&self) -> bool {
        self.error.ends_with("context canceled")
    }

    /// `[2/5] RUN …`, `[build 2/5] RUN …`; not `[internal] …`.
    fn is_step(&self) -> bool {
        let place = self.name.strip_prefix('[').and_then(|name| name.split_once(']'));
        let place = place.and_then(|(place, _)| place.rsplit(' ').next()?.split_once('/'));
        place.is_some_and(|(one, all)| [one, all].iter().all(|number| number.parse::<u32>().is_ok()))
    }

    fn tell_end(&mut self, lines: &mut Vec<String>) {
        self.print_partial(lines);
        self.told = true;
        let Some(number) = self.number else { return };
        let taken = self.started.zip(self.completed).map_or(0.0, |(from, to)| seconds(from, to));
        lines.push(match self {
            Self { cached: true, .. } => format!("#{number} CACHED"),
            work if work.canceled() => format!("#{number} CANCELED"),
            Self { error, .. } if !error.is_empty() => format!("#{number} ERROR: {error}"),
            _ => format!("#{number} DONE {taken:.1}s"),
        });
    }

    fn print_partial(&mut self, lines: &mut Vec<String>) {
        let at = self.started.zip(self.completed).map_or(0.0, |(from, to)| seconds(from, to));
        for partial in std::mem::take(&mut self.partial).into_values().filter(|partial| !partial.is_empty()) {
            self.print(at, &partial, lines);
        }
    }

    fn print(&mut self, at: f64, line: &[u8], lines: &mut Vec<String>) {
        let line = String::from_utf8_lossy(line);
        lines.push(format!("#{} {at:.1} {line}", self.number.unwrap_or(0)));
        push(&mut self.output, line.into_owned(), KEPT);
    }
}

fn push(lines: &mut VecDeque<String>, line: String, limit: usize) {
    if lines.len() == limit {
        lines.pop_front();
    }
    lines.push_back(line);
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests;
