//! Models from a stick or another disk: the same sums, and no socket.

use std::fs::{self, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::catalogue::File;
use super::place::Staging;
use super::sha256::{CHUNK_BYTES, Summing};
use super::{Error, Told};

/// Copies `file` from `source`, the file itself or a folder that holds it, and checks it.
pub(super) fn take(source: &Path, file: &File, staging: &Staging, tell: &mut dyn FnMut(Told<'_>)) -> Result<(), Error> {
    let (mut from, metadata, path) = open(source, file, staging)?;
    let unreadable = |reason| Error::File { path: path.clone(), reason };
    if !metadata.is_file() {
        let what = format!("no regular file; {} is wanted", file.name);
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, what)));
    }
    let total = metadata.len();
    if let Some(wanted) = file.bytes.filter(|&bytes| bytes != total) {
        return Err(Error::WrongLength { name: path.display().to_string(), found: total, wanted });
    }
    staging.forget(file)?;
    let part = staging.path(file);
    let mut to = fs::File::create_new(&part).map_err(Error::at(&part))?;
    let (mut sum, mut done, mut chunk) = (Summing::default(), 0, vec![0; CHUNK_BYTES]);
    loop {
        let read = from.read(&mut chunk).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        to.write_all(&chunk[..read]).map_err(Error::at(&part))?;
        sum.add(&chunk[..read]);
        done += read as u64;
        tell(Told::Bytes(done, Some(total)));
    }
    to.sync_all().map_err(Error::at(&part))?;
    let found = sum.finish();
    if found == file.sha256 {
        return Ok(());
    }
    staging.forget(file)?;
    Err(Error::WrongSum { name: path.display().to_string(), found, wanted: file.sha256 })
}

/// `source`, or the file in it, as whoever called us may read it.
fn open(source: &Path, file: &File, staging: &Staging) -> Result<(fs::File, Metadata, PathBuf), Error> {
    let open = |path: &Path| -> Result<(fs::File, Metadata), Error> {
        let opened = staging.open_of_caller(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        opened.map_err(|reason| Error::File { path: path.to_owned(), reason })
    };
    let (opened, metadata) = open(source)?;
    if !metadata.is_dir() {
        return Ok((opened, metadata, source.to_owned()));
    }
    let path = source.join(&file.name);
    let (opened, metadata) = open(&path)?;
    Ok((opened, metadata, path))
}
