//! Constants that lie in files beside the model. The model's author chooses the name, so it is checked like an attack:
//! only a regular file inside of the model's own folder is opened, whatever links say.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// Why an external constant cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The caller gave bytes alone.
    #[error("lies in the file {location:?} beside the model, but the model was read without its folder")]
    NoFolder {
        /// As stored.
        location: String,
    },
    /// A name that could lead out of the folder.
    #[error("lies in {location:?}: only a relative path inside of the model's own folder is read, without `..`")]
    Outside {
        /// As stored.
        location: String,
    },
    /// A link that leads out of the folder.
    #[error("lies in {location:?}, which is a link out of the model's folder: put the file itself there")]
    Link {
        /// As stored.
        location: String,
    },
    /// A pipe, a device, a folder.
    #[error("lies in {location:?}, which is not a regular file")]
    NotRegular {
        /// As stored.
        location: String,
    },
    /// The system says no.
    #[error("lies in {location:?}, which cannot be read: {error}; keep the file beside the model")]
    Read {
        /// As stored.
        location: String,
        /// From the system.
        error: std::io::Error,
    },
    /// A number that is none, or does not fit the shape.
    #[error("has the external {key} {value:?}, where {wanted} is expected: the file is damaged")]
    Number {
        /// `offset` or `length`.
        key: &'static str,
        /// As stored.
        value: String,
        /// By the shape, or in words.
        wanted: String,
    },
    /// The file ends before the constant does.
    #[error("wants bytes {offset} to {end} of {location:?}, which has {length}: the file is truncated or another one")]
    Short {
        /// As stored.
        location: String,
        /// First byte.
        offset: u64,
        /// First byte behind it.
        end: u64,
        /// Of the file.
        length: u64,
    },
}

/// The `wanted` bytes that the entries of a tensor's `external_data` point to, inside of `folder`.
pub(super) fn read(folder: Option<&Path>, entries: &[(&str, &str)], wanted: usize) -> Result<Vec<u8>, ExternalError> {
    let entry = |key: &str| entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let location = entry("location").unwrap_or_default();
    let own = || location.to_owned();
    let number = |key: &'static str| {
        let parse = |value: &str| {
            let error = || ExternalError::Number { key, value: value.to_owned(), wanted: "a number".to_owned() };
            value.parse::<u64>().map_err(|_| error())
        };
        entry(key).map(parse).transpose()
    };
    let offset = number("offset")?.unwrap_or(0);
    if let Some(length) = number("length")?
        && usize::try_from(length) != Ok(wanted)
    {
        return Err(ExternalError::Number { key: "length", value: length.to_string(), wanted: wanted.to_string() });
    }
    let folder = folder.ok_or_else(|| ExternalError::NoFolder { location: own() })?;
    let mut file = open_inside(folder, location)?;
    let failed = |error| ExternalError::Read { location: own(), error };
    let length = file.metadata().map_err(failed)?.len();
    let end = u64::try_from(wanted).ok().and_then(|wanted| offset.checked_add(wanted));
    match end {
        Some(end) if end <= length => {}
        _ => return Err(ExternalError::Short { location: own(), offset, end: end.unwrap_or(u64::MAX), length }),
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = vec![0; wanted];
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Opens a regular file inside of `folder`.
fn open_inside(folder: &Path, location: &str) -> Result<File, ExternalError> {
    let own = || location.to_owned();
    let path = Path::new(location);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || location.is_empty() || location.contains(['\\', '\0']) {
        return Err(ExternalError::Outside { location: own() });
    }
    // The folder of a bare file name is the empty path.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let failed = |error| ExternalError::Read { location: own(), error };
    let root = folder.canonicalize().map_err(failed)?;
    let target = root.join(path).canonicalize().map_err(failed)?;
    if !target.starts_with(&root) {
        return Err(ExternalError::Link { location: own() });
    }
    // Opening a pipe would wait for ever, so what it is is asked first.
    if !target.metadata().map_err(failed)?.is_file() {
        return Err(ExternalError::NotRegular { location: own() });
    }
    File::open(&target).map_err(failed)
}
