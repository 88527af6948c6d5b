//! Debian packages that the packages of a language need: headers and tools to install them, libraries and programs to
//! run them. Each language has its own table; names are those of Debian 12.

/// What each of these packages needs.
pub(super) struct Need {
    /// Packages of the language.
    pub(super) of: &'static [&'static str],
    /// Needed to install them.
    pub(super) build: &'static [&'static str],
    /// Needed at run time.
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

/// Debian packages for the build stage and for the last stage.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) build: Vec<&'static str>,
    pub(super) run: Vec<&'static str>,
}

impl Needs {
    /// Adds what the present packages need.
    pub(super) fn add(&mut self, table: &'static [Need], is_there: impl Fn(&str) -> bool) {
        for need in table.iter().filter(|need| need.of.iter().any(|name| is_there(name))) {
            self.build.extend(need.build);
            self.run.extend(need.run);
        }
    }

    /// Both lists, sorted and without duplicates.
    pub(super) fn lists(self) -> (Vec<&'static str>, Vec<&'static str>) {
        let once = |mut list: Vec<&'static str>| {
            list.sort_unstable();
            list.dedup();
            list
        };
        (once(self.build), once(self.run))
    }
}
