//! From bytes to a language model, without reading its weights.

use std::collections::BTreeMap;

use half::f16;

use super::{LanguageBundle, Size};
use crate::bundle::error::Fault;
use crate::bundle::format::{KEY_LANGUAGE, KEY_ORIGIN, KEY_TENSOR_CRC, Kind, TOKENIZER};
use crate::bundle::read::{Container, check_tensor, container, parse};
use crate::bundle::table::Strings;
use crate::metadata::Origin;
use crate::metadata::language::{Architecture, Language, Precision, TOKENIZER_BYTES_MAX, TensorForm, TensorWanted};
use crate::model::{Entry, Storage};
use crate::tensor::DataType;

/// Bytes of the scales that begin a block.
const SCALES: usize = 16;

/// Checks all of `storage` but the matrices' bytes.
pub(super) fn language(storage: Storage) -> Result<LanguageBundle, Fault> {
    let Container { kind, metadata, mut entries } = container(storage.as_ref())?;
    if kind != Kind::Llm {
        return Err(Fault::OtherKind { found: kind, wanted: "a language model (`llm`)" });
    }
    let language: Language = parse(&metadata, KEY_LANGUAGE)?;
    let origin: Origin = parse(&metadata, KEY_ORIGIN)?;
    let sums: Strings = parse(&metadata, KEY_TENSOR_CRC)?;
    language.check()?;
    if let Some(name) = entries.keys().find(|name| !sums.0.contains_key(*name)) {
        return Err(fault(name, "it has no checksum"));
    }
    let tokenizer = entries.remove(TOKENIZER);
    let matrices = sizes(&language.architecture, &entries)?;
    let tokenizer_range = tokenizer.as_ref().map(|entry| entry.range.clone());
    let bundle = LanguageBundle { language, origin, entries, matrices, tokenizer: tokenizer_range, sums, storage };
    if let Some(entry) = tokenizer {
        bundle.check_tokenizer(&entry)?;
    }
    for name in bundle.entries.keys().filter(|name| !bundle.matrices.contains_key(*name)) {
        bundle.verify_tensor(name)?;
    }
    Ok(bundle)
}

/// The size of each matrix; every tensor of the architecture must be there in a form that it may have, and no other.
fn sizes(architecture: &Architecture, entries: &BTreeMap<String, Entry>) -> Result<BTreeMap<String, Size>, Fault> {
    let mut matrices = BTreeMap::new();
    let mut wanted = architecture.tensors();
    wanted.extend(architecture.optional_tensors().into_iter().filter(|tensor| entries.contains_key(&tensor.name)));
    for TensorWanted { name, form } in &wanted {
        let Entry { data_type, shape, .. } =
            entries.get(name).ok_or_else(|| fault(name, "it is missing, but the architecture has it"))?;
        match *form {
            TensorForm::Floats { length } if *data_type == DataType::F32 && *shape == [length] => {}
            TensorForm::Floats { length } => {
                return Err(fault(name, &format!("it is {data_type:?} {shape:?} instead of F32 [{length}]")));
            }
            TensorForm::Matrix { rows, columns } => {
                let precision = Precision::of(*data_type, shape, rows, columns).ok_or_else(|| {
                    fault(name, &format!("{data_type:?} {shape:?} is no packing of {rows} rows of {columns}"))
                })?;
                matrices.insert(name.clone(), Size { precision, rows, columns });
            }
        }
    }
    if entries.len() == wanted.len() {
        return Ok(matrices);
    }
    let stranger = entries.keys().find(|name| wanted.iter().all(|tensor| tensor.name != **name));
    Err(fault(stranger.map_or("(all)", String::as_str), "the architecture has no such tensor"))
}

impl LanguageBundle {
    fn check_tokenizer(&self, entry: &Entry) -> Result<(), Fault> {
        let bytes = &self.storage.as_ref()[entry.range.clone()];
        if bytes.len() > TOKENIZER_BYTES_MAX {
            let (found, max) = (bytes.len() as u64, TOKENIZER_BYTES_MAX as u64);
            return Err(Fault::TooLarge { what: "tokenizer", found, max });
        }
        check_tensor(TOKENIZER, bytes, &self.sums)?;
        if entry.data_type != DataType::U8 || simdutf8::basic::from_utf8(bytes).is_err() {
            return Err(fault(TOKENIZER, "it is not UTF-8 text in U8"));
        }
        Ok(())
    }

    pub(super) fn verify_tensor(&self, name: &str) -> Result<(), Fault> {
        let Some(view) = self.tensor(name) else { return Ok(()) };
        check_tensor(name, view.bytes, &self.sums)?;
        let finite = |bits: [u8; 2]| f16::from_le_bytes(bits).is_finite();
        let blocks = |length: usize| view.bytes.chunks_exact(length);
        let scales = |block: &[u8]| block[..SCALES].as_chunks::<2>().0.iter().all(|&bits| finite(bits));
        let sound = match self.matrices.get(name).map(|size| size.precision) {
            None => view.as_f32().is_some_and(|floats| floats.iter().all(|value| value.is_finite())),
            Some(Precision::F16) => view.bytes.as_chunks::<2>().0.iter().all(|&bits| finite(bits)),
            Some(Precision::Int4) => view.shape.last().is_some_and(|&length| blocks(length).all(scales)),
            Some(Precision::Int8) => view.shape.last().is_some_and(|&length| {
                blocks(length).all(|block| scales(block) && !block[SCALES..].contains(&i8::MIN.cast_unsigned()))
            }),
        };
        if sound { Ok(()) } else { Err(fault(name, "it holds an infinity, no number, or a weight of -128")) }
    }
}

fn fault(tensor: &str, reason: &str) -> Fault {
    Fault::Tensor { tensor: tensor.to_owned(), reason: reason.to_owned() }
}
