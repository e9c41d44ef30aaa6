//! From a description and packed tensors to a bundle, tensor after tensor.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::arena::ALIGNMENT;
use crate::bundle::error::{BundleError, Fault};
use crate::bundle::format::{
    FILE_BYTES_MAX, FORMAT_VERSION, KEY_HEADER_CRC, KEY_KIND, KEY_LANGUAGE, KEY_ORIGIN, KEY_REQUEST, KEY_TENSOR_CRC,
    KEY_VERSION, Kind, LENGTH_BYTES, METADATA, PADDING, PADDING_TYPE, TOKENIZER, type_name,
};
use crate::bundle::write::{Replacement, sealed, text};
use crate::metadata::Origin;
use crate::metadata::language::{Language, Precision, TensorForm, TensorWanted};
use crate::tensor::DataType;

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 20;
/// At most so much and a tensor are computed again after an interruption; a card writes it in some seconds.
const CHECKPOINT: u64 = 64 << 20;
/// The checksum of a tensor that is not written.
const NO_SUM: &str = "00000000";

/// A tensor that a bundle will hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTensor {
    /// `layers.3.attention.qkv`.
    pub name: String,
    /// The type of one element.
    pub data_type: DataType,
    /// The packed shape.
    pub shape: Vec<usize>,
    start: u64,
    bytes: u64,
}

/// Writes a bundle beside its path and renames it there in the end.
///
/// The tensors come in the order of [`LanguageWriter::planned`], each in as many pieces as one likes. What is dropped before leaves
/// nothing behind; but with [`Packing::resume`] the checksums of what is safely on the disk are put into the file from time to
/// time, it stays, and the next writer with the same description and request finds its tensors written. Those that were, by their
/// checksums, need not come again: [`LanguageWriter::has`].
#[derive(Debug)]
pub struct LanguageWriter {
    name: String,
    file: BufWriter<FileOf>,
    planned: Vec<PlannedTensor>,
    metadata: Map<String, Value>,
    data_start: u64,
    at: usize,
    written: u64,
    hasher: crc32fast::Hasher,
    sums: Map<String, Value>,
    /// Bytes between two checkpoints; `None`: there are none.
    checkpoint_every: Option<u64>,
    /// Bytes since the last one.
    unsafe_bytes: u64,
}

/// What a bundle will hold, and how.
#[derive(Clone, Copy)]
pub struct Packing<'a> {
    /// How the matrix of each name is packed.
    pub precision: &'a dyn Fn(&str) -> Precision,
    /// Those of [`optional_tensors`](crate::metadata::language::Architecture::optional_tensors) that it has.
    pub optional: &'a [&'a str],
    /// What the tensors depend on beside the description and the origin; the bundle holds it.
    pub request: Option<&'a str>,
    /// Whether to go on with what an interrupted writer of the same left, and to leave something behind.
    pub resume: bool,
}

impl std::fmt::Debug for Packing<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a packing with {:?}", self.optional)
    }
}

/// [`Replacement`] as something to write to.
#[derive(Debug)]
struct FileOf(Replacement);

impl Write for FileOf {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.file.flush()
    }
}

impl LanguageWriter {
    /// Begins a bundle at `path`. `precision` says how the matrix of each name is packed; an optional tensor is left out. The
    /// tokenizer, a `tokenizer.json`, is written at once.
    ///
    /// # Errors
    /// When the description makes no sense, or the file cannot be written.
    pub fn create(
        path: &Path,
        language: &Language,
        tokenizer: Option<&str>,
        origin: &Origin,
        precision: &dyn Fn(&str) -> Precision,
    ) -> Result<Self, BundleError> {
        Self::create_with(
            path,
            language,
            tokenizer,
            origin,
            Packing { precision, optional: &[], request: None, resume: false },
        )
    }

    /// The same for a bundle that may have optional tensors, which come last.
    ///
    /// # Errors
    /// As [`LanguageWriter::create`].
    pub fn create_with(
        path: &Path,
        language: &Language,
        tokenizer: Option<&str>,
        origin: &Origin,
        packing: Packing<'_>,
    ) -> Result<Self, BundleError> {
        let name = path.display().to_string();
        let named = |fault| BundleError::new(name.clone(), fault);
        language.check().map_err(|error| named(error.into()))?;
        let mut tensors = language.architecture.tensors();
        tensors.extend(
            language
                .architecture
                .optional_tensors()
                .into_iter()
                .filter(|tensor| packing.optional.contains(&tensor.name.as_str())),
        );
        let planned = plan(tensors, tokenizer.map_or(0, str::len), packing.precision).map_err(named)?;
        let mut metadata = Map::new();
        metadata.insert(KEY_VERSION.to_owned(), FORMAT_VERSION.to_string().into());
        metadata.insert(KEY_HEADER_CRC.to_owned(), NO_SUM.into());
        metadata.insert(KEY_KIND.to_owned(), Kind::Llm.name().into());
        metadata.insert(KEY_LANGUAGE.to_owned(), text(KEY_LANGUAGE, language).map_err(named)?);
        metadata.insert(KEY_ORIGIN.to_owned(), text(KEY_ORIGIN, origin).map_err(named)?);
        if let Some(request) = packing.request {
            metadata.insert(KEY_REQUEST.to_owned(), request.into());
        }
        let sums = planned.iter().map(|tensor| (tensor.name.clone(), NO_SUM.into())).collect();
        let beginning = header(&planned, &metadata, &sums).map_err(named)?;
        let unwritten = |error| named(Fault::Write(error));
        let open = if packing.resume { Replacement::open } else { Replacement::create };
        let replacement = open(path).map_err(unwritten)?;
        let (hasher, data_start) = (crc32fast::Hasher::new(), beginning.len() as u64);
        let checkpoint_every = packing.resume.then_some(CHECKPOINT);
        let file = BufWriter::with_capacity(BUFFER, FileOf(replacement));
        let (name, at, written, unsafe_bytes) = (name.clone(), 0, 0, 0);
        let mut writer = Self {
            name,
            file,
            planned,
            metadata,
            data_start,
            at,
            written,
            hasher,
            sums,
            checkpoint_every,
            unsafe_bytes,
        };
        if !writer.go_on().map_err(unwritten)? {
            writer.raw(&beginning)?;
        }
        if let Some(text) = tokenizer.filter(|_| !writer.has(TOKENIZER)) {
            writer.append(TOKENIZER, text.as_bytes())?;
        }
        Ok(writer)
    }

    /// For tests, whose tensors are small.
    #[cfg(test)]
    pub(super) fn checkpoint_at_every_tensor(&mut self) {
        self.checkpoint_every = Some(0);
    }

    /// Whether the tensor called `name` is written, by this writer or one before it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.planned[..self.at].iter().any(|tensor| tensor.name == name)
    }

    /// All tensors, in the order in which they must come; the tokenizer, if there is one, is first and already written.
    #[must_use]
    pub fn planned(&self) -> &[PlannedTensor] {
        &self.planned
    }

    /// Writes the next bytes of the tensor called `name`, which must be the one whose turn it is.
    ///
    /// # Errors
    /// When it is not, when they are more than it has, or when the file cannot be written.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let Some(tensor) = self.planned.get(self.at).filter(|tensor| tensor.name == name) else {
            return Err(self.refuse(name, String::from("it is not its turn")));
        };
        if bytes.is_empty() {
            return Ok(());
        }
        let (start, total) = (tensor.start, tensor.bytes);
        let end = self.written + bytes.len() as u64;
        if end > total {
            return Err(self.refuse(name, format!("{end} bytes were given, but it has {total}")));
        }
        if self.written == 0 {
            let before = self.at.checked_sub(1).and_then(|at| self.planned.get(at));
            let padding = start - before.map_or(0, |tensor| tensor.start + tensor.bytes);
            self.raw(&[0; ALIGNMENT][..usize::try_from(padding).unwrap_or(ALIGNMENT)])?;
        }
        self.raw(bytes)?;
        self.hasher.update(bytes);
        self.written = end;
        if end == total {
            let sum = std::mem::take(&mut self.hasher).finalize();
            self.sums.insert(name.to_owned(), format!("{sum:08x}").into());
            self.at += 1;
            self.written = 0;
            self.unsafe_bytes += total;
            if self.checkpoint_every.is_some_and(|every| self.unsafe_bytes >= every) {
                self.checkpoint().map_err(|error| BundleError::new(self.name.clone(), Fault::Write(error)))?;
            }
        }
        Ok(())
    }

    /// [`LanguageWriter::append`] for a tensor of floats.
    ///
    /// # Errors
    /// As there.
    pub fn append_floats(&mut self, name: &str, floats: &[f32]) -> Result<(), BundleError> {
        self.append(name, bytemuck::cast_slice(floats))
    }

    /// Puts the header with all checksums in front, flushes the file to the disk and renames it. Returns its length.
    ///
    /// # Errors
    /// When tensors are missing, or the file cannot be written.
    pub fn finish(self) -> Result<u64, BundleError> {
        if let Some(tensor) = self.planned.get(self.at) {
            let name = tensor.name.clone();
            return Err(self.refuse(&name, String::from("it is missing, or not whole")));
        }
        let beginning = header(&self.planned, &self.metadata, &self.sums)
            .map_err(|fault| BundleError::new(self.name.clone(), fault))?;
        let length = self.data_start + self.planned.last().map_or(0, |tensor| tensor.start + tensor.bytes);
        let name = self.name;
        let failed = |error| BundleError::new(name.clone(), Fault::Write(error));
        let mut file = self.file.into_inner().map_err(|error| failed(error.into_error()))?.0;
        file.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.file.write_all(&beginning).map_err(failed)?;
        file.commit().map_err(failed)?;
        Ok(length)
    }

    /// Sees to it that all tensors so far are on the disk, then says so in the header.
    fn checkpoint(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let replacement = &mut self.file.get_mut().0;
        replacement.file.sync_data()?;
        let beginning = header(&self.planned, &self.metadata, &self.sums).map_err(io::Error::other)?;
        replacement.file.write_all_at(&beginning, 0)?;
        replacement.keep = true;
        self.unsafe_bytes = 0;
        Ok(())
    }

    /// Finds the tensors that an earlier writer wrote, and stands behind the last of them; without any, at the beginning of an empty
    /// file. Whether there are some.
    fn go_on(&mut self) -> io::Result<bool> {
        let found = self.checkpoint_every.is_some() && self.find_checkpoint()?;
        let file = &mut self.file.get_mut().0.file;
        let end = if found {
            let before = self.at.checked_sub(1).and_then(|at| self.planned.get(at));
            self.data_start + before.map_or(0, |tensor| tensor.start + tensor.bytes)
        } else {
            0
        };
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(found)
    }

    /// Reads the checksums of the file's header, if it is one for the same tensors, and counts those tensors that have theirs.
    fn find_checkpoint(&mut self) -> io::Result<bool> {
        let file = &self.file.get_ref().0.file;
        let mut beginning = vec![0; usize::try_from(self.data_start).map_err(io::Error::other)?];
        if file.metadata()?.len() < self.data_start {
            return Ok(false);
        }
        file.read_exact_at(&mut beginning, 0)?;
        let Some(sums) = sums(&beginning) else { return Ok(false) };
        if header(&self.planned, &self.metadata, &sums).map_err(io::Error::other)? != beginning {
            return Ok(false);
        }
        let mut at = 0;
        for tensor in &self.planned {
            let wanted = sums.get(&tensor.name).and_then(Value::as_str);
            if wanted == Some(NO_SUM)
                || sum_of(file, self.data_start + tensor.start, tensor.bytes)?.as_deref() != wanted
            {
                break;
            }
            self.sums.insert(tensor.name.clone(), wanted.into());
            at += 1;
        }
        self.at = at;
        self.file.get_mut().0.keep = at > 0;
        Ok(at > 0)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        self.file.write_all(bytes).map_err(|error| BundleError::new(self.name.clone(), Fault::Write(error)))
    }

    fn refuse(&self, tensor: &str, reason: String) -> BundleError {
        BundleError::new(self.name.clone(), Fault::Tensor { tensor: tensor.to_owned(), reason })
    }
}

/// The checksums of all tensors that a file's beginning names.
fn sums(beginning: &[u8]) -> Option<Map<String, Value>> {
    let table: Map<String, Value> = serde_json::from_slice(beginning.get(LENGTH_BYTES..)?).ok()?;
    serde_json::from_str(table.get(METADATA)?.get(KEY_TENSOR_CRC)?.as_str()?).ok()
}

/// The checksum of so many bytes of `file`; `None` where it ends before.
fn sum_of(file: &File, start: u64, bytes: u64) -> io::Result<Option<String>> {
    if file.metadata()?.len() < start + bytes {
        return Ok(None);
    }
    let (mut hasher, mut piece, mut at) = (crc32fast::Hasher::new(), vec![0; BUFFER], 0);
    while at < bytes {
        let count = (bytes - at).min(BUFFER as u64);
        let piece = &mut piece[..usize::try_from(count).unwrap_or(BUFFER)];
        file.read_exact_at(piece, start + at)?;
        hasher.update(piece);
        at += count;
    }
    Ok(Some(format!("{:08x}", hasher.finalize())))
}

/// Where every tensor will lie, counted from the data's first byte.
fn plan(
    tensors: Vec<TensorWanted>,
    tokenizer_bytes: usize,
    precision: &dyn Fn(&str) -> Precision,
) -> Result<Vec<PlannedTensor>, Fault> {
    let mut planned = Vec::new();
    let mut end = 0_u64;
    let mut place = |name: String, data_type: DataType, shape: Vec<usize>| {
        let start = end.next_multiple_of(ALIGNMENT as u64);
        let bytes = shape.iter().fold(data_type.bytes() as u64, |product, &side| product.saturating_mul(side as u64));
        end = start.saturating_add(bytes);
        planned.push(PlannedTensor { name, data_type, shape, start, bytes });
    };
    if tokenizer_bytes > 0 {
        place(TOKENIZER.to_owned(), DataType::U8, vec![tokenizer_bytes]);
    }
    for TensorWanted { name, form } in tensors {
        let (data_type, shape) = match form {
            TensorForm::Floats { length } => (DataType::F32, vec![length]),
            TensorForm::Matrix { rows, columns } => precision(&name).packed(rows, columns),
        };
        place(name, data_type, shape);
    }
    if end > FILE_BYTES_MAX {
        return Err(Fault::TooLarge { what: "size", found: end, max: FILE_BYTES_MAX });
    }
    Ok(planned)
}

/// The beginning of the file. Its length does not depend on the checksums.
fn header(
    planned: &[PlannedTensor],
    metadata: &Map<String, Value>,
    sums: &Map<String, Value>,
) -> Result<Vec<u8>, Fault> {
    let mut table = Map::new();
    let mut end = 0;
    for PlannedTensor { name, data_type, shape, start, bytes } in planned {
        if *start > end {
            let line = json!({"dtype": PADDING_TYPE, "shape": [start - end], "data_offsets": [end, start]});
            table.insert(format!("{PADDING}{end}"), line);
        }
        end = start + bytes;
        table.insert(
            name.clone(),
            json!({"dtype": type_name(*data_type), "shape": shape, "data_offsets": [start, end]}),
        );
    }
    let mut metadata = metadata.clone();
    metadata.insert(KEY_TENSOR_CRC.to_owned(), Value::Object(sums.clone()).to_string().into());
    table.insert(METADATA.to_owned(), Value::Object(metadata));
    sealed(Value::Object(table).to_string().into_bytes())
}
