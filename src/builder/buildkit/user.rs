//! The numeric user of an image: from its configuration, or from `/etc/passwd` inside it. If neither has it, there is
//! no number; nothing is guessed.

use std::path::Path;
use std::time::Duration;

use super::super::program;
use super::{Daemon, attributes};

const MAX_DATABASE: u64 = 1 << 20;

/// What an image's configuration says about its user.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum User {
    /// A number.
    Number(i64),
    /// A name, which must be looked up in the image.
    Name(String),
}

/// Reads `user`, `user:group` or nothing, each a name or a number.
pub(in super::super) fn parse(user: &str) -> User {
    let user = user.split(':').next().unwrap_or_default();
    match user.parse::<u32>() {
        Ok(number) => User::Number(i64::from(number)),
        Err(_) if user.is_empty() || user == "root" => User::Number(0),
        Err(_) => User::Name(user.to_owned()),
    }
}

impl Daemon {
    /// Looks up a name in `/etc/passwd` of an image, `repository@digest`.
    pub(in super::super) async fn look_up(&self, name: &str, image: &str, work: &Path) -> Option<i64> {
        let (recipe, result) = (work.join("user"), work.join("user-result"));
        std::fs::create_dir_all(&recipe).ok()?;
        let text = format!("FROM scratch\nCOPY --from={image} /etc/passwd /passwd\n");
        std::fs::write(recipe.join("Dockerfile"), text).ok()?;
        let mut command = self.buildctl();
        command.args(attributes::user_database(&recipe, &result));
        let output = program::output(&mut command, 64 << 10, Duration::from_mins(2)).await.ok()?;
        let passwd = result.join("passwd");
        let data =
            passwd.symlink_metadata().ok().filter(|data| data.is_file() && data.len() <= MAX_DATABASE)?;
        let text = (output.success && data.len() > 0).then(|| std::fs::read(passwd).ok())??;
        find(&String::from_utf8_lossy(&text), name)
    }
}

/// The number of a user in the text of `/etc/passwd`.
fn find(passwd: &str, name: &str) -> Option<i64> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse::<u32>().ok().map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers_or_names() {
        for (text, user) in
            [("", 0), ("root", 0), ("0", 0), ("root:root", 0), ("1000", 1000), ("101:101", 101), (":5", 0)]
        {
            assert_eq!(parse(text), User::Number(user), "{text}");
        }
        for text in ["node", "node:node", "-1", "4294967296", "10x"] {
            assert!(matches!(parse(text), User::Name(_)), "{text}");
        }
    }

    #[test]
    fn names_are_found_in_the_user_database() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nbad:x:zz:1\nshort\n";
        assert_eq!(find(passwd, "node"), Some(1000));
        for name in ["no", "bad", "short", ""] {
            assert_eq!(find(passwd, name), None, "{name}");
        }
    }
}
