//! From a program and its tensors to a bundle.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::{BundleError, Fault};
use super::format::{
    FORMAT_VERSION, HEADER_BYTES_MAX, KEY_HEADER_CRC, KEY_KIND, KEY_ORIGIN, KEY_PROGRAM, KEY_TENSOR_CRC, KEY_VERSION,
    KEY_VISION, Kind, LENGTH_BYTES, METADATA, PADDING, PADDING_TYPE, TENSORS_MAX, header_crc, type_name,
};
use super::vision;
use crate::arena::ALIGNMENT;
use crate::metadata::{Origin, Vision};
use crate::model::{Model, PackedTensors};
use crate::program::Program;

/// What goes into a bundle.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The network.
    pub program: &'a Program,
    /// Every tensor that it names.
    pub tensors: &'a PackedTensors,
    /// How a picture goes in and results come out; it decides the bundle's kind.
    pub vision: Option<&'a Vision>,
    /// Whence and under which terms.
    pub origin: &'a Origin,
}

impl Writer<'_> {
    /// Writes the bundle beside `path` and renames it there, so that whoever has the old file mapped keeps it whole.
    ///
    /// # Errors
    /// When the program is not sound, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BundleError> {
        let named = |fault| BundleError::new(path.display().to_string(), fault);
        let bytes = self.encode().map_err(named)?;
        replace(path, &bytes).map_err(|error| named(Fault::Write(error)))
    }

    /// The bytes of the bundle.
    ///
    /// # Errors
    /// When the program is not sound, does not fit the tensors, or `vision` does not fit the program.
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        Model::new(self.program.clone(), self.tensors)?;
        let kind = Kind::of(self.vision.map(|vision| &vision.head));
        vision::check(kind, self.vision, self.program)?;
        let (table, data) = self.layout()?;
        let mut bytes = sealed(self.header(kind, table)?)?;
        bytes.extend_from_slice(&data);
        Ok(bytes)
    }

    /// The table of tensors, and their bytes one after the other; where one would not begin on a multiple of
    /// [`ALIGNMENT`], a tensor that only pads goes before it (safetensors allows no holes).
    fn layout(&self) -> Result<(Map<String, Value>, Vec<u8>), Fault> {
        let mut table = Map::new();
        let mut data = Vec::new();
        for (name, tensor) in self.tensors {
            let fault = |reason: &str| Fault::Tensor { tensor: name.clone(), reason: reason.to_owned() };
            if name == METADATA || name.starts_with(PADDING) {
                return Err(fault("the name is reserved"));
            }
            if tensor.bytes().is_empty() {
                return Err(fault("it is empty"));
            }
            let start = data.len().next_multiple_of(ALIGNMENT);
            if start > data.len() {
                let line =
                    json!({"dtype": PADDING_TYPE, "shape": [start - data.len()], "data_offsets": [data.len(), start]});
                table.insert(format!("{PADDING}{}", data.len()), line);
                data.resize(start, 0);
            }
            data.extend_from_slice(tensor.bytes());
            let (dtype, shape) = (type_name(tensor.data_type()), tensor.shape());
            table.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]}));
        }
        if table.len() > TENSORS_MAX {
            let (found, max) = (table.len() as u64, TENSORS_MAX as u64);
            return Err(Fault::TooLarge { what: "number of tensors", found, max });
        }
        Ok((table, data))
    }

    fn header(&self, kind: Kind, mut table: Map<String, Value>) -> Result<Vec<u8>, Fault> {
        let sums: Map<String, Value> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), format!("{:08x}", crc32fast::hash(tensor.bytes())).into()))
            .collect();
        let mut metadata = Map::new();
        metadata.insert(KEY_VERSION.to_owned(), FORMAT_VERSION.to_string().into());
        metadata.insert(KEY_HEADER_CRC.to_owned(), "00000000".into());
        metadata.insert(KEY_KIND.to_owned(), kind.name().into());
        metadata.insert(KEY_TENSOR_CRC.to_owned(), Value::Object(sums).to_string().into());
        metadata.insert(KEY_PROGRAM.to_owned(), text(KEY_PROGRAM, self.program)?);
        metadata.insert(KEY_ORIGIN.to_owned(), text(KEY_ORIGIN, self.origin)?);
        if let Some(vision) = self.vision {
            metadata.insert(KEY_VISION.to_owned(), text(KEY_VISION, vision)?);
        }
        table.insert(METADATA.to_owned(), Value::Object(metadata));
        Ok(Value::Object(table).to_string().into_bytes())
    }
}

/// The beginning of a file: the header's length and `json` filled up with spaces, so that the data begins on a multiple of
/// [`ALIGNMENT`]; with the header's checksum in place.
pub(super) fn sealed(json: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let mut header = json;
    let unpadded = LENGTH_BYTES + header.len();
    header.resize(unpadded.next_multiple_of(ALIGNMENT) - LENGTH_BYTES, b' ');
    if header.len() > HEADER_BYTES_MAX {
        let (found, max) = (header.len() as u64, HEADER_BYTES_MAX as u64);
        return Err(Fault::TooLarge { what: "header", found, max });
    }
    if let Some((crc, at)) = header_crc(&header) {
        header[at..at + 8].copy_from_slice(format!("{crc:08x}").as_bytes());
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&header);
    Ok(bytes)
}

pub(super) fn text(key: &'static str, part: &impl serde::Serialize) -> Result<Value, Fault> {
    let text = serde_json::to_string(part);
    text.map(Value::String).map_err(|error| Fault::Metadata { key, reason: error.to_string() })
}

/// Writes `bytes` to a new file beside `path`, flushes it to the disk, and renames it over `path`.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut replacement = Replacement::create(path)?;
    replacement.file.write_all(bytes)?;
    replacement.commit()
}

/// A new file beside another, which it takes the place of in the end; goes away when it is dropped before, unless it is to be kept.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) file: File,
    /// Whether it stays when it is dropped: someone may go on with it.
    pub(super) keep: bool,
    beside: PathBuf,
    path: PathBuf,
}

impl Replacement {
    /// An empty file beside `path`.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let beside = hidden(path, &format!("{}.part", std::process::id()))?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
        Ok(Self { file, keep: false, beside, path: path.to_owned() })
    }

    /// The file that an earlier process left beside `path`, or an empty one. No two processes have it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let beside = hidden(path, "part")?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&beside)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, keep: false, beside, path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => {
                let what =
                    format!("another process is writing {}; wait for it, or name another file", beside.display());
                Err(io::Error::new(io::ErrorKind::ResourceBusy, what))
            }
        }
    }

    /// Flushes it to the disk and renames it, so that whoever has the old file mapped keeps it whole.
    pub(super) fn commit(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.path)?;
        self.keep = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

/// The path of a hidden file beside `path`, whose name ends in `end`.
fn hidden(path: &Path, end: &str) -> io::Result<PathBuf> {
    let none = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(none)?);
    name.push(format!(".{end}"));
    Ok(path.with_file_name(name))
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.keep {
            // Whatever went wrong is told already; a leftover that cannot be removed either changes nothing about it.
            drop(fs::remove_file(&self.beside));
        }
    }
}
