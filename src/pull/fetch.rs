//! One file over HTTP: goes on where an earlier try or an earlier process stopped, waits between tries, reads no more than
//! the catalogue says there is, and believes nothing but the SHA-256.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::time::Duration;

use super::catalogue::{FILE_BYTES_MAX, File};
use super::http::{Agent, Problem, Reply, host, shown};
use super::place::Staging;
use super::sha256::{CHUNK_BYTES, Summing};
use super::{Error, Told};

/// Waits before further tries; after the last one it gives up. A try that brings a hundredth of the file begins anew.
pub(super) const WAITS_S: [u64; 4] = [1, 2, 4, 8];

/// What is here of a file.
struct Part<'a> {
    file: &'a File,
    staging: &'a Staging,
    handle: fs::File,
    sum: Summing,
    done: u64,
    mark: String,
}

/// How a try ended that did not bring the whole file.
enum Stop {
    Passing(String, Option<u64>),
    Lasting(Error),
}

/// Brings `file` from `url` into `staging`, and checks it. `waits_s` is [`WAITS_S`] where it is no test.
pub(super) fn fetch(
    agent: &Agent,
    file: &File,
    url: &str,
    staging: &Staging,
    waits_s: &[u64],
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<(), Error> {
    let mut part = Part::open(file, staging, tell)?;
    let (mut failed, mut begun) = (0, part.done);
    if !part.is_whole() {
        tell(Told::Asking { file: &file.name, host: host(url), done: part.done });
    }
    while !part.is_whole() {
        let (reason, wait) = match part.go_on(agent, url, tell) {
            Ok(()) => break,
            Err(Stop::Lasting(error)) => return Err(error),
            Err(Stop::Passing(reason, wait)) => (reason, wait),
        };
        if part.done.saturating_sub(begun) > file.bytes.unwrap_or(0) / 100 {
            failed = 0;
        }
        begun = part.done;
        let Some(&usual) = waits_s.get(failed) else {
            return Err(Error::GaveUp { url: shown(url), tries: failed + 1, reason, done: part.done });
        };
        failed += 1;
        let wait = Duration::from_secs(wait.unwrap_or(usual));
        tell(Told::Again(&reason, wait));
        std::thread::sleep(wait);
    }
    part.finish(url)
}

impl<'a> Part<'a> {
    /// What an earlier process left of `file`, or nothing.
    fn open(file: &'a File, staging: &'a Staging, tell: &mut dyn FnMut(Told<'_>)) -> Result<Self, Error> {
        let mark = staging.mark(file);
        if mark.is_none() || file.bytes.is_some_and(|bytes| staging.length(file) > bytes) {
            staging.forget(file)?;
        }
        let path = staging.path(file);
        let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut part = Self {
            file,
            staging,
            handle: open.map_err(Error::at(&path))?,
            sum: Summing::default(),
            done: 0,
            mark: mark.unwrap_or_default(),
        };
        if staging.length(file) > 0 {
            tell(Told::Checking(&file.name));
        }
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = part.handle.read(&mut chunk).map_err(Error::at(&path))?;
            if read == 0 {
                return Ok(part);
            }
            part.sum.add(&chunk[..read]);
            part.done += read as u64;
        }
    }

    fn is_whole(&self) -> bool {
        self.file.bytes == Some(self.done)
    }

    /// One request. `Ok` if the server has given all that there is.
    fn go_on(&mut self, agent: &Agent, url: &str, tell: &mut dyn FnMut(Told<'_>)) -> Result<(), Stop> {
        let mut reply = match agent.get(url, self.done, &self.mark) {
            Ok(reply) => reply,
            Err(Problem::Lasting(error)) => return Err(Stop::Lasting(error.into())),
            Err(Problem::Passing(reason, wait)) => return Err(Stop::Passing(reason, wait)),
            Err(Problem::NoSuchRange) => {
                // What is here is no part of what is there: the next request is for all of it.
                self.begin_anew().map_err(Stop::Lasting)?;
                return Err(Stop::Passing(String::from("the server's file has no such range (416)"), None));
            }
        };
        self.agree(&reply).map_err(Stop::Lasting)?;
        if !host(url).starts_with(&reply.host) {
            tell(Told::SentOn(&reply.host));
        }
        let total = self.file.bytes.or(reply.total);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match reply.body.read(&mut chunk) {
                Ok(read) => read,
                Err(error) => return Err(Stop::Passing(format!("the connection broke: {error}"), None)),
            };
            if read == 0 {
                break;
            }
            self.take(&chunk[..read], total).map_err(Stop::Lasting)?;
            tell(Told::Bytes(self.done, total));
        }
        match total {
            Some(total) if self.done < total => {
                Err(Stop::Passing(format!("the connection ended after {} of {total} bytes", self.done), None))
            }
            _ => Ok(()),
        }
    }

    /// Whether `reply` speaks of our file; begins anew where it does of all of it.
    fn agree(&mut self, reply: &Reply) -> Result<(), Error> {
        let wanted = self.file.bytes.unwrap_or(FILE_BYTES_MAX);
        let wrong = |found: u64| if self.file.bytes.is_some() { found != wanted } else { found > wanted };
        if let Some(found) = reply.total.filter(|&total| wrong(total)) {
            return Err(Error::WrongLength { name: self.file.name.clone(), found, wanted });
        }
        if reply.from == 0 && self.done > 0 {
            self.begin_anew()?;
        }
        self.mark.clone_from(&reply.mark);
        self.staging.set_mark(self.file, &self.mark)
    }

    fn take(&mut self, bytes: &[u8], total: Option<u64>) -> Result<(), Error> {
        let (found, wanted) = (self.done + bytes.len() as u64, total.unwrap_or(FILE_BYTES_MAX));
        if found > wanted {
            self.staging.forget(self.file)?;
            return Err(Error::WrongLength { name: self.file.name.clone(), found, wanted });
        }
        self.handle.write_all(bytes).map_err(Error::at(&self.staging.path(self.file)))?;
        self.sum.add(bytes);
        self.done = found;
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<(), Error> {
        self.handle.set_len(0).map_err(Error::at(&self.staging.path(self.file)))?;
        (self.sum, self.done) = (Summing::default(), 0);
        self.mark.clear();
        Ok(())
    }

    /// Checks the sum, and brings the bytes to the disk.
    fn finish(self, url: &str) -> Result<(), Error> {
        let found = self.sum.finish();
        if found != self.file.sha256 {
            self.staging.forget(self.file)?;
            return Err(Error::WrongSum { name: shown(url), found, wanted: self.file.sha256 });
        }
        self.handle.sync_all().map_err(Error::at(&self.staging.path(self.file)))
    }
}

#[cfg(test)]
mod tests;
