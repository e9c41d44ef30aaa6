//! The real models and pictures that tests read, where they are at hand.

use std::path::PathBuf;

/// The bytes of a file of `shared/data` beside the repository; `None` (said aloud) where it is missing, unless
/// `CLAWDBOT_REQUIRE_DATA=1` makes that a failure.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn data(path: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_some_and(|value| value == "1") => {
            panic!("{}: {error}", path.display())
        }
        Err(error) => {
            println!("SKIPPED: {}: {error}", path.display());
            None
        }
    }
}
