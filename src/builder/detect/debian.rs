//! What the packages of a language need of Debian: headers and tools where they are installed, libraries and programs where
//! they run. Each language has a table of its own; names are those of Debian 12.

/// What any of some packages needs.
pub(super) struct Need {
    /// Packages of the language.
    pub(super) of: &'static [&'static str],
    /// While they are installed.
    pub(super) build: &'static [&'static str],
    /// While the program runs.
    pub(super) run: &'static [&'static str],
}

/// A row of a table.
pub(super) const fn need(
    of: &'static [&'static str],
    build: &'static [&'static str],
    run: &'static [&'static str],
) -> Need {
    Need { of, build, run }
}

/// Packages of Debian for the build stage and for the last one.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) build: Vec<&'static str>,
    pub(super) run: Vec<&'static str>,
}

impl Needs {
    /// Adds what the packages that are there need.
    pub(super) fn add(&mut self, table: &'static [Need], is_there: impl Fn(&str) -> bool) {
        for need in table.iter().filter(|need| need.of.iter().any(|name| is_there(name))) {
            self.build.extend(need.build);
            self.run.extend(need.run);
        }
    }

    /// Both lists, each name once and in order.
    pub(super) fn lists(self) -> (Vec<&'static str>, Vec<&'static str>) {
        let once = |mut list: Vec<&'static str>| {
            list.sort_unstable();
            list.dedup();
            list
        };
        (once(self.build), once(self.run))
    }
}
