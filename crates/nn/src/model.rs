//! A program with the tensors that it reads: what the executor runs. Comes out of a bundle, or out of the converter's
//! memory; either way it has been verified, and the executor relies on that.

use std::collections::BTreeMap;
use std::ops::Range;

use half::f16;

use crate::arena::{ALIGNMENT, AlignedBytes};
use crate::bundle::map::Mapping;
use crate::program::Program;
use crate::program::verify::{InvalidProgram, verify};
use crate::tensor::{DataType, ShapeMismatch};

const _: () = assert!(cfg!(target_endian = "little"), "tensors are used in place and are little-endian");

/// A tensor in the form in which a bundle stores it: little-endian bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedTensor {
    data_type: DataType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Tensors by name, as a [`Program`] refers to them.
pub type PackedTensors = BTreeMap<String, PackedTensor>;

impl PackedTensor {
    fn new(data_type: DataType, shape: Vec<usize>, bytes: &[u8]) -> Result<Self, ShapeMismatch> {
        let elements = bytes.len() / data_type.bytes();
        let product = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        if product == Some(elements) {
            Ok(Self { data_type, shape, bytes: bytes.to_vec() })
        } else {
            Err(ShapeMismatch::new(shape, elements))
        }
    }

    /// A tensor of signed bytes.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_i8(shape: Vec<usize>, elements: &[i8]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::I8, shape, bytemuck::cast_slice(elements))
    }

    /// A tensor of 32-bit integers.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_i32(shape: Vec<usize>, elements: &[i32]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::I32, shape, bytemuck::cast_slice(elements))
    }

    /// A tensor of binary32.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_f32(shape: Vec<usize>, elements: &[f32]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::F32, shape, bytemuck::cast_slice(elements))
    }

    /// A tensor of binary16.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_f16(shape: Vec<usize>, elements: &[f16]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::F16, shape, bytemuck::cast_slice(elements))
    }

    /// A tensor of binary16, given as bits.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_f16_bits(shape: Vec<usize>, elements: &[u16]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::F16, shape, bytemuck::cast_slice(elements))
    }

    /// A tensor of 16-bit integers.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_i16(shape: Vec<usize>, elements: &[i16]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::I16, shape, bytemuck::cast_slice(elements))
    }

    /// A tensor of bytes.
    ///
    /// # Errors
    /// When `shape` does not hold as many elements.
    pub fn from_u8(shape: Vec<usize>, elements: &[u8]) -> Result<Self, ShapeMismatch> {
        Self::new(DataType::U8, shape, elements)
    }

    /// The type of one element.
    #[must_use]
    pub const fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, little-endian, row-major.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A tensor, lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorView<'a> {
    /// The type of one element.
    pub data_type: DataType,
    /// The length of each axis.
    pub shape: &'a [usize],
    /// The elements, little-endian, row-major; begins on a multiple of [`ALIGNMENT`].
    pub bytes: &'a [u8],
}

impl<'a> TensorView<'a> {
    /// The elements; `None` for another type.
    #[must_use]
    pub fn as_i8(&self) -> Option<&'a [i8]> {
        self.cast(DataType::I8)
    }

    /// The elements; `None` for another type.
    #[must_use]
    pub fn as_i32(&self) -> Option<&'a [i32]> {
        self.cast(DataType::I32)
    }

    /// The elements; `None` for another type.
    #[must_use]
    pub fn as_f32(&self) -> Option<&'a [f32]> {
        self.cast(DataType::F32)
    }

    /// The elements; `None` for another type.
    #[must_use]
    pub fn as_f16(&self) -> Option<&'a [f16]> {
        self.cast(DataType::F16)
    }

    /// The elements' bits; `None` for a type other than binary16.
    #[must_use]
    pub fn as_f16_bits(&self) -> Option<&'a [u16]> {
        self.cast(DataType::F16)
    }

    /// The elements; `None` for another type.
    #[must_use]
    pub fn as_i16(&self) -> Option<&'a [i16]> {
        self.cast(DataType::I16)
    }

    /// The elements; `None` for another type.
    #[must_use]
    pub fn as_u8(&self) -> Option<&'a [u8]> {
        self.cast(DataType::U8)
    }

    fn cast<T: bytemuck::Pod>(&self, data_type: DataType) -> Option<&'a [T]> {
        if self.data_type == data_type { bytemuck::try_cast_slice(self.bytes).ok() } else { None }
    }
}

/// Where a tensor lies in its [`Storage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<usize>,
    /// Bytes from the storage's first.
    pub(crate) range: Range<usize>,
}

/// The memory behind a model's tensors; begins on a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub(crate) enum Storage {
    /// A file, used in place.
    Mapped(Mapping),
    /// Part of the program itself.
    Static(&'static [u8]),
    /// Made at run time.
    Owned(AlignedBytes),
}

impl AsRef<[u8]> for Storage {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapping) => mapping.as_ref(),
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes.as_ref(),
        }
    }
}

/// See the module. Share it as `Arc<Model>`: any number of executors run over one copy of the weights.
#[derive(Debug)]
pub struct Model {
    program: Program,
    entries: BTreeMap<String, Entry>,
    storage: Storage,
}

impl Model {
    /// A model in memory.
    ///
    /// # Errors
    /// When `program` is not sound, or does not fit `tensors`; the message names the step, the tensor and the reason.
    pub fn new(program: Program, tensors: &PackedTensors) -> Result<Self, InvalidProgram> {
        let mut entries = BTreeMap::new();
        let mut end = 0_usize;
        for (name, tensor) in tensors {
            let start = end.next_multiple_of(ALIGNMENT);
            end = start + tensor.bytes.len();
            let entry = Entry { data_type: tensor.data_type, shape: tensor.shape.clone(), range: start..end };
            entries.insert(name.clone(), entry);
        }
        let mut bytes = AlignedBytes::zeroed(end);
        for (tensor, entry) in tensors.values().zip(entries.values()) {
            bytes.as_mut()[entry.range.clone()].copy_from_slice(&tensor.bytes);
        }
        Self::from_parts(program, entries, Storage::Owned(bytes))
    }

    /// Verifies that the program may run over these tensors. Every entry's range lies inside the storage, is aligned and
    /// holds exactly its shape's elements: the caller has seen to it.
    pub(crate) fn from_parts(
        program: Program,
        entries: BTreeMap<String, Entry>,
        storage: Storage,
    ) -> Result<Self, InvalidProgram> {
        let model = Self { program, entries, storage };
        verify(&model.program, &|name| model.tensor(name))?;
        Ok(model)
    }

    /// What it does.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.entries.get(name).map(|entry| self.view(entry))
    }

    /// All tensors, in order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, TensorView<'_>)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), self.view(entry)))
    }

    /// Where the tensor called `name` lies; for the executor, which looks names up once.
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The memory that [`Entry::range`] counts in.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.storage.as_ref()
    }

    fn view<'a>(&'a self, entry: &'a Entry) -> TensorView<'a> {
        TensorView {
            data_type: entry.data_type,
            shape: &entry.shape,
            bytes: &self.storage.as_ref()[entry.range.clone()],
        }
    }
}
