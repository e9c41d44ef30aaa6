//! The guides, followed to the letter: their commands are run, in order, in a folder of their own.

mod detector;
mod fleet;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A guide's fenced block.
#[derive(Debug)]
struct Block {
    /// What stands behind the fence: `sh`, `toml`.
    kind: String,
    text: String,
}

/// A guide as a sequence of blocks, with what must be another way here replaced.
struct Guide {
    blocks: std::vec::IntoIter<Block>,
}

impl Guide {
    /// Reads a page; each of `replaced` must stand in it, or the page has changed under the test.
    fn read(page: &str, replaced: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let mut text = std::fs::read_to_string(path).unwrap();
        for (from, to) in replaced {
            assert!(text.contains(from), "{page} does not say {from:?}");
            text = text.replace(from, to);
        }
        Self { blocks: blocks(&text).into_iter() }
    }

    /// The next block's text, which must be of this kind.
    #[track_caller]
    fn next(&mut self, kind: &str) -> String {
        let block = self.blocks.next().expect("the guide has another block");
        assert_eq!(block.kind, kind, "{}", block.text);
        block.text
    }

    /// Every block must have been used.
    #[track_caller]
    fn finish(mut self) {
        if let Some(block) = self.blocks.next() {
            panic!("the guide goes on with a block that nothing here runs:\n{}", block.text);
        }
    }
}

fn blocks(text: &str) -> Vec<Block> {
    // Every second part stands between fences.
    let inside = text.split("```").skip(1).step_by(2);
    let parts = inside.map(|part| part.split_once('\n').unwrap_or((part, "")));
    parts.map(|(kind, text)| Block { kind: kind.to_owned(), text: text.to_owned() }).collect()
}

/// Runs a block's lines in a shell that stops at the first that fails; `clawdbot` is the program under test.
fn run(script: &str, folder: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_clawdbot")).parent().unwrap();
    let path = format!("{}:{}:/usr/sbin", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(folder).stdin(Stdio::null()).env("PATH", path).env_remove("CLAWDBOT_ISA");
    command.output().unwrap()
}

/// What a block prints that succeeds.
#[track_caller]
fn succeed(script: &str, folder: &Path) -> String {
    let output = run(script, folder);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn blocks_are_told_from_text() {
    let blocks = blocks("a\n```sh\none\ntwo\n```\nb\n\n```toml\nx = 1\n```\n");
    let seen: Vec<_> = blocks.iter().map(|block| (block.kind.as_str(), block.text.as_str())).collect();
    assert_eq!(seen, [("sh", "one\ntwo\n"), ("toml", "x = 1\n")]);
}
