//! Which lines of one log were sent, so that a log that is opened again loses and doubles none. Pure.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

/// Lines that are remembered. Few lines have the same time, and lines are at most a moment out of order.
const REMEMBERED: usize = 32;

/// Time and hash of a line.
type Mark = (Option<Timestamp>, u64);

/// The place in one log up to which lines were sent.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// No line up to this time is wanted.
    wanted_after: Option<Timestamp>,
    /// The last lines, oldest first.
    sent: VecDeque<Mark>,
    /// The newest time of the lines before them.
    forgotten: Option<Timestamp>,
    /// Of the last lines, those that are still to come again after the log was opened again.
    again: Vec<Mark>,
}

impl Cursor {
    /// In a log of which no line up to this time is wanted.
    #[must_use]
    pub fn after(time: Option<Timestamp>) -> Self {
        Self { wanted_after: time, ..Self::default() }
    }

    /// No line was sent yet.
    #[must_use]
    pub fn is_at_begin(&self) -> bool {
        self.sent.is_empty()
    }

    /// The log is opened. Returns the time from which it is needed, in whole seconds, because the kubelet compares those.
    pub fn opens(&mut self) -> Option<Timestamp> {
        self.again = self.sent.iter().copied().collect();
        let second = |time: Timestamp| Timestamp::from_second(time.as_second()).ok();
        self.oldest().or(self.wanted_after).and_then(second)
    }

    /// The oldest time of the last lines.
    fn oldest(&self) -> Option<Timestamp> {
        self.sent.iter().filter_map(|(time, _)| *time).min()
    }

    /// Whether this line is to be sent. It then counts as sent.
    pub fn take(&mut self, time: Option<Timestamp>, text: &str) -> bool {
        let is_before = |limit: Option<Timestamp>| time.is_some() && time <= limit;
        if is_before(self.wanted_after) {
            return false;
        }
        let mark = (time, hash(text));
        if let Some(place) = self.again.iter().position(|again| *again == mark) {
            self.again.swap_remove(place);
            return false;
        }
        // Until the last lines have come again: those before them, and those before a tail, which were never wanted.
        if !self.again.is_empty() && (is_before(self.forgotten) || time.is_some() && time < self.oldest()) {
            return false;
        }
        self.sent.push_back(mark);
        if self.sent.len() > REMEMBERED
            && let Some((time, _)) = self.sent.pop_front()
        {
            self.forgotten = self.forgotten.max(time);
        }
        true
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time in milliseconds.
    fn at(milliseconds: i64) -> Option<Timestamp> {
        Timestamp::from_millisecond(milliseconds).ok()
    }

    /// The lines that are sent of those from the given time on, as the kubelet selects them.
    fn sent(cursor: &mut Cursor, log: &[(i64, String)]) -> Vec<String> {
        let since = cursor.opens().map_or(0, Timestamp::as_millisecond);
        let lines = log.iter().filter(|(time, _)| *time >= since);
        lines.filter(|(time, text)| cursor.take(at(*time), text)).map(|(_, text)| text.clone()).collect()
    }

    fn log(count: i64, time: impl Fn(i64) -> i64) -> Vec<(i64, String)> {
        (0..count).map(|n| (time(n), format!("line {n}"))).collect()
    }

    #[test]
    fn a_log_that_breaks_after_any_line_and_is_opened_again_has_each_line_once() {
        // In order, several of one time, and slightly out of order.
        for time in [|n: i64| n * 7, |n: i64| n / 5 * 300, |n: i64| n * 10 + 15 * (n % 2)] {
            let log = log(200, time);
            for breaks in 0..log.len() {
                let mut cursor = Cursor::after(None);
                let mut all = sent(&mut cursor, &log[..breaks]);
                all.extend(sent(&mut cursor, &log));
                assert_eq!(all, log.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), "{breaks}");
            }
        }
    }

    #[test]
    fn a_log_that_was_rotated_has_the_rest_once() {
        let log = log(100, |n| n * 10);
        let mut cursor = Cursor::after(None);
        assert_eq!(sent(&mut cursor, &log[..60]).len(), 60);
        assert_eq!(sent(&mut cursor, &log[50..])[0], "line 60");
        assert!(sent(&mut cursor, &log).is_empty());
    }

    #[test]
    fn lines_before_a_tail_do_not_come_when_the_log_is_opened_again() {
        let log = log(10, |n| n * 10);
        let mut cursor = Cursor::after(None);
        assert_eq!(sent(&mut cursor, &log[5..7]), ["line 5", "line 6"]);
        assert_eq!(sent(&mut cursor, &log), ["line 7", "line 8", "line 9"]);
    }

    #[test]
    fn the_same_text_twice_at_one_time_is_two_lines() {
        let log = vec![(5, "x".to_owned()); 3];
        let mut cursor = Cursor::after(None);
        assert_eq!(sent(&mut cursor, &log[..2]).len(), 2);
        assert_eq!(sent(&mut cursor, &log).len(), 1);
    }

    #[test]
    fn a_line_up_to_the_wanted_time_is_not_sent_and_the_log_is_needed_from_its_whole_second() {
        let mut cursor = Cursor::after(at(1700));
        assert_eq!(cursor.opens(), at(1000));
        assert!(!cursor.take(at(1700), "old") && cursor.take(at(1701), "new") && cursor.take(None, "odd"));
        assert!(!cursor.is_at_begin());
    }
}
