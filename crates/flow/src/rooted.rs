//! The injectable root: every path under /sys, /proc and /dev hangs on one [`Root`], so a test can hand over a fake board.

use std::path::{Path, PathBuf};

/// Where the tree of the board begins: `/` on a real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// A tree that begins at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The real place of `path`, which is absolute on the board: `/sys/class/hwmon` becomes `<root>/sys/class/hwmon`.
    #[must_use]
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}
