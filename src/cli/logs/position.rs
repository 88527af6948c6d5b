//! How far a log has been read, so that it can be read on after a break without losing or repeating a line. Pure.

use jiff::Timestamp;

/// A place in a log.
#[derive(Debug, Default)]
pub(super) struct Position {
    last: Option<Timestamp>,
    /// Lines of that time that were seen.
    seen: usize,
    /// Of them, those that came again since the log was opened again; `None` once the log is past them.
    again: Option<usize>,
    /// Whether the last line was new: pieces without a time follow it.
    new: bool,
}

impl Position {
    /// The time from which the log must be read.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.last
    }

    /// The log is opened again from that time on.
    pub(super) fn opened_again(&mut self) {
        self.again = Some(0);
    }

    /// Whether a line of this time has not been seen.
    pub(super) fn is_new(&mut self, time: Option<Timestamp>) -> bool {
        let Some(time) = time else { return self.new };
        self.new = match (self.again, self.last) {
            (Some(_), Some(last)) if time < last => false,
            (Some(again), Some(last)) if time == last && again < self.seen => {
                self.again = Some(again + 1);
                false
            }
            _ => {
                self.again = None;
                self.seen = if self.last == Some(time) { self.seen + 1 } else { 1 };
                self.last = Some(time);
                true
            }
        };
        self.new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: i64) -> Timestamp {
        Timestamp::from_second(number).unwrap()
    }

    #[test]
    fn a_log_that_is_opened_again_goes_on_after_the_last_line() {
        let [one, two, three] = [1, 2, 3].map(|number| Some(second(number)));
        let mut position = Position::default();
        assert_eq!([one, two, two, None].map(|time| position.is_new(time)), [true; 4]);
        assert_eq!(position.since(), two);
        position.opened_again();
        // The API server begins with the whole second.
        let again = [one, two, two, None, two, None, three, three];
        let new = again.map(|time| position.is_new(time));
        assert_eq!(new, [false, false, false, false, true, true, true, true]);
        position.opened_again();
        assert_eq!([three, three, three].map(|time| position.is_new(time)), [false, false, true]);
    }
}
