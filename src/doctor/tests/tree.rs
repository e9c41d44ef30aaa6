use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clawdbot_flow::clock::{ManualClock, Wall};
use clawdbot_flow::rooted::Root;
use tempfile::TempDir;

use crate::doctor::machine::{Answers, Machine};
use crate::mqtt::probe::Reach;

/// A board that is a folder.
pub(in crate::doctor) struct Tree {
    folder: TempDir,
    clock: ManualClock,
}

impl Tree {
    pub(in crate::doctor) fn new() -> Self {
        // 2026-12-01, noon.
        let clock = ManualClock::new(Wall::from_epoch(Duration::from_secs(1_796_126_400)));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    pub(in crate::doctor) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    /// As the kernel does, with a line feed at the end.
    pub(in crate::doctor) fn put(&self, path: &str, text: &str) {
        fs::write(self.place(path), format!("{text}\n")).unwrap();
    }

    pub(in crate::doctor) fn put_bytes(&self, path: &str, bytes: &[u8]) {
        fs::write(self.place(path), bytes).unwrap();
    }

    pub(in crate::doctor) fn folder(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(in crate::doctor) fn link(&self, path: &str, target: &str) {
        symlink(target, self.place(path)).unwrap();
    }

    /// A shell script. Another process writes it: while a thread of ours had it open for writing, a child that another
    /// test starts could inherit that, and the system runs no program that somebody writes.
    pub(in crate::doctor) fn program(&self, path: &str, script: &str) {
        let (source, place) = (self.place(&format!("{path}.text")), self.place(path));
        fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
        let installed = Command::new("install").args(["-m", "755"]).args([&source, &place]).status().unwrap();
        assert!(installed.success());
    }

    /// The board, which answers nothing but what stands in its files.
    pub(in crate::doctor) fn machine(&self) -> Machine<'_> {
        let answers = Answers {
            synchronised: None,
            process: None,
            program: None,
            isa: None,
            isa_is_forced: false,
            state_folder: None,
            space: |_: &Path| Err(io::ErrorKind::Unsupported.into()),
            read_speed: |_, _| Err(io::ErrorKind::Unsupported.into()),
            broker: |_, _, _| Reach::Refused,
        };
        Machine::new(Root::new(self.folder.path()), &self.clock, answers)
    }
}
