//! Whether Composer has anything to do. A composer.json that only names a version of PHP installs nothing, and running
//! Composer would need the network.

use super::super::tree::Tree;
use super::{Composer, Lock, Requires};

/// The file that Composer generates and programs load.
const AUTOLOAD: &str = "vendor/autoload";
/// Most files that are searched for it. If there are more, Composer runs.
const MOST: usize = 200;

/// Whether it installs a package, runs a script or generates what the program loads.
pub(super) fn is_needed(tree: Tree<'_>, composer: &Composer, lock: &Lock) -> bool {
    let packages = composer.require.as_object().is_some_and(|map| map.keys().any(|name| !is_platform(name)));
    packages
        || !lock.packages.is_empty()
        || composer.autoload.as_ref().is_some_and(holds)
        || composer.scripts.as_ref().is_some_and(holds)
        || loads_it(tree, "", &mut { MOST }).unwrap_or(true)
}

/// PHP itself, its extensions and libraries, and Composer.
fn is_platform(name: &str) -> bool {
    name == "php"
        || ["php-", "ext-", "lib-", "composer-"]
            .iter()
            .any(|start| name.starts_with(start) && !name.contains('/'))
}

fn holds(value: &Requires) -> bool {
    value.as_object().is_some_and(|map| !map.is_empty())
}

/// Whether a file below the directory loads what Composer generates; None if unknown.
fn loads_it(tree: Tree<'_>, directory: &str, left: &mut usize) -> Option<bool> {
    for name in tree.names(directory).ok()? {
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        let is_php = std::path::Path::new(&path).extension().is_some_and(|extension| extension == "php");
        if is_php {
            *left = left.checked_sub(1)?;
            if tree.text(&path).ok()??.contains(AUTOLOAD) {
                return Some(true);
            }
        } else if tree.has_directory(&path) && loads_it(tree, &path, left)? {
            return Some(true);
        }
    }
    Some(false)
}
