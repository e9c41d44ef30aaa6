mod damage;

use safetensors::SafeTensors;

use super::{LanguageBundle, LanguageWriter, Packing};
use crate::arena::ALIGNMENT;
use crate::bundle::{self, Bundle, Fault, Kind};
use crate::fixture;
use crate::metadata::language::tests::small;
use crate::metadata::language::{EMBEDDING_SCALE, Language, Precision, TensorForm};
use crate::tensor::DataType;

const TOKENIZER: &str = "{\"model\": \"a tokenizer of 40 bytes\"}";

/// Attention in INT8, the embedding in F16, the rest in INT4.
fn precision(name: &str) -> Precision {
    match name {
        "embedding" => Precision::F16,
        name if name.contains("attention") => Precision::Int8,
        _ => Precision::Int4,
    }
}

/// Bytes for a tensor: F32 and F16 that are 1, blocks of small numbers.
fn content(data_type: DataType, bytes: usize) -> Vec<u8> {
    match data_type {
        DataType::F32 => 1.0_f32.to_le_bytes().repeat(bytes / 4),
        DataType::F16 => [0, 0x3c].repeat(bytes / 2),
        _ => (0..bytes).map(|at| u8::try_from(at % 50).unwrap()).collect(),
    }
}

fn write(path: &std::path::Path, language: &Language) -> u64 {
    let origin = fixture::origin();
    let mut writer = LanguageWriter::create(path, language, Some(TOKENIZER), &origin, &precision).unwrap();
    for tensor in writer.planned().to_vec().into_iter().skip(1) {
        let bytes = tensor.shape.iter().product::<usize>() * tensor.data_type.bytes();
        let content = content(tensor.data_type, bytes);
        let (first, second) = content.split_at(bytes / 3);
        writer.append(&tensor.name, first).unwrap();
        writer.append(&tensor.name, &[]).unwrap();
        writer.append(&tensor.name, second).unwrap();
    }
    writer.finish().unwrap()
}

fn encoded(language: &Language) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.claw.safetensors");
    let length = write(&path, language);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, length);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the bundle");
    bytes
}

fn open(bytes: &[u8]) -> Result<LanguageBundle, String> {
    LanguageBundle::from_bytes("test", bytes).map_err(|error| error.to_string())
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.claw.safetensors");
    write(&path, &small());
    assert_eq!(bundle::kind(&path).unwrap(), Kind::Llm);
    let bundle = LanguageBundle::open(&path).unwrap();
    assert_eq!(*bundle.language(), small());
    assert_eq!(*bundle.origin(), fixture::origin());
    assert_eq!(bundle.tokenizer(), Some(TOKENIZER));
    bundle.verify().unwrap();
    for wanted in small().architecture.tensors() {
        let name = &wanted.name;
        match wanted.form {
            TensorForm::Floats { length } => assert_eq!(bundle.floats(name).unwrap(), vec![1.0; length], "{name}"),
            TensorForm::Matrix { rows, columns } => {
                let matrix = bundle.matrix(name).unwrap();
                assert_eq!((matrix.precision, matrix.rows, matrix.columns), (precision(name), rows, columns), "{name}");
                assert_eq!(matrix.bytes.as_ptr().align_offset(ALIGNMENT), 0, "{name} begins on a cache line");
                let view = bundle.tensor(name).unwrap();
                assert_eq!(matrix.halves().is_some(), matrix.precision == Precision::F16, "{name}");
                let tile = view.shape[1..].iter().product::<usize>() * view.data_type.bytes();
                assert_eq!((matrix.tile_bytes(), matrix.bytes.len()), (tile, tile * rows.div_ceil(8)), "{name}");
                assert_eq!(view.bytes, content(view.data_type, view.bytes.len()), "{name}");
            }
        }
    }
    assert_eq!(bundle.names().count(), small().architecture.tensors().len());
    assert!(bundle.matrix("layers.0.attention.norm").is_none());
    assert!(bundle.floats("embedding").is_none());
}

#[test]
fn a_token_reads_the_embedding_only_where_it_is_the_head() {
    let mut language = small();
    let untied = open(&encoded(&language)).unwrap();
    language.architecture.tied_embedding = true;
    let tied = open(&encoded(&language)).unwrap();
    let bytes = |bundle: &LanguageBundle, name: &str| bundle.matrix(name).unwrap().bytes.len() as u64;
    let difference = bytes(&tied, "embedding") - bytes(&untied, "head");
    assert_eq!(tied.bytes_per_token() - untied.bytes_per_token(), difference);
}

#[test]
fn any_safetensors_tool_can_list_it() {
    let bytes = encoded(&small());
    let listed = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(listed.tensor("layers.0.feed_forward.down").unwrap().shape(), [8, 3, 144]);
    assert_eq!(listed.tensor("tokenizer.json").unwrap().data(), TOKENIZER.as_bytes());
}

#[test]
fn a_model_without_a_tokenizer_is_one_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.claw.safetensors");
    let mut writer = LanguageWriter::create(&path, &small(), None, &fixture::origin(), &|_| Precision::Int4).unwrap();
    for tensor in writer.planned().to_vec() {
        let bytes = tensor.shape.iter().product::<usize>() * tensor.data_type.bytes();
        if tensor.data_type == DataType::F32 {
            writer.append_floats(&tensor.name, &vec![0.5; bytes / 4]).unwrap();
        } else {
            writer.append(&tensor.name, &content(tensor.data_type, bytes)).unwrap();
        }
    }
    writer.finish().unwrap();
    assert_eq!(LanguageBundle::open(&path).unwrap().tokenizer(), None);
}

#[test]
fn a_tied_embedding_may_have_scales_and_another_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.claw.safetensors");
    let mut language = small();
    let write = |language: &Language| {
        let with = Packing { precision: &precision, optional: &[EMBEDDING_SCALE], request: None, resume: false };
        let mut writer = LanguageWriter::create_with(&path, language, None, &fixture::origin(), with).unwrap();
        for tensor in writer.planned().to_vec() {
            let bytes = tensor.shape.iter().product::<usize>() * tensor.data_type.bytes();
            writer.append(&tensor.name, &content(tensor.data_type, bytes)).unwrap();
        }
        writer.finish().unwrap();
        LanguageBundle::open(&path).unwrap()
    };
    let untied = write(&language);
    assert!(!language.architecture.tied_embedding && untied.floats(EMBEDDING_SCALE).is_none());
    language.architecture.tied_embedding = true;
    let tied = write(&language);
    assert_eq!(tied.floats(EMBEDDING_SCALE).unwrap(), vec![1.0; language.architecture.width]);
    assert_eq!(tied.names().count(), language.architecture.tensors().len() + 1);
    tied.verify().unwrap();
}

#[test]
fn each_kind_of_bundle_is_opened_by_its_own_reader() {
    let error = Bundle::from_bytes("test", &encoded(&small())).unwrap_err();
    assert!(error.to_string().contains("it is a `llm`, but a network over pictures is needed"), "{error}");
    let (program, tensors) = fixture::small();
    let writer = bundle::Writer { program: &program, tensors: &tensors, vision: None, origin: &fixture::origin() };
    let error = open(&writer.encode().unwrap()).unwrap_err();
    assert!(error.contains("it is a `raw`, but a language model (`llm`) is needed"), "{error}");
}

#[test]
fn the_writer_takes_what_was_planned_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.claw.safetensors");
    let create =
        |language: &Language| LanguageWriter::create(&path, language, Some(TOKENIZER), &fixture::origin(), &precision);
    let mut wrong = small();
    wrong.architecture.heads = 3;
    assert!(matches!(create(&wrong).unwrap_err().fault(), Fault::Language(_)));
    let mut writer = create(&small()).unwrap();
    let message = writer.append("layers.1.attention.norm", &[0]).unwrap_err().to_string();
    assert!(message.contains("`layers.1.attention.norm`: it is not its turn"), "{message}");
    let message = writer.append("layers.0.attention.norm", &[0; 257]).unwrap_err().to_string();
    assert!(message.contains("257 bytes were given, but it has 256"), "{message}");
    writer.append("layers.0.attention.norm", &[0; 255]).unwrap();
    let message = writer.finish().unwrap_err().to_string();
    assert!(message.contains("`layers.0.attention.norm`: it is missing, or not whole"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a bundle that was given up leaves nothing");
    let lost = folder.path().join("no/such/folder");
    let error = LanguageWriter::create(&lost, &small(), None, &fixture::origin(), &precision).unwrap_err();
    assert!(matches!(error.fault(), Fault::Write(_)), "{error}");
}

/// A writer of `request`, which saves every tensor at once.
fn resumable(path: &std::path::Path, request: &str) -> LanguageWriter {
    let with = Packing { precision: &precision, optional: &[], request: Some(request), resume: true };
    let mut writer = LanguageWriter::create_with(path, &small(), Some(TOKENIZER), &fixture::origin(), with).unwrap();
    writer.checkpoint_at_every_tensor();
    writer
}

/// Appends the tensors that `writer` lacks, but for the last `left`. How many.
fn fill(writer: &mut LanguageWriter, left: usize) -> usize {
    let planned = writer.planned().to_vec();
    let missing: Vec<_> = planned[..planned.len() - left].iter().filter(|tensor| !writer.has(&tensor.name)).collect();
    for tensor in &missing {
        let bytes = tensor.shape.iter().product::<usize>() * tensor.data_type.bytes();
        writer.append(&tensor.name, &content(tensor.data_type, bytes)).unwrap();
    }
    missing.len()
}

#[test]
fn an_interrupted_bundle_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = (folder.path().join("small.claw.safetensors"), folder.path().join("whole"));
    let part = folder.path().join(".small.claw.safetensors.part");
    let mut uninterrupted = resumable(&whole, "a");
    let all = fill(&mut uninterrupted, 0);
    uninterrupted.finish().unwrap();

    let mut first = resumable(&path, "a");
    assert_eq!(fill(&mut first, 5), all - 5);
    let half = first.planned()[all - 3].name.clone();
    first.append(&first.planned()[all - 4].name.clone(), &[1, 2]).unwrap();
    assert!(!first.has(&half));
    let again = Packing { precision: &precision, optional: &[], request: Some("a"), resume: true };
    let told = LanguageWriter::create_with(&path, &small(), Some(TOKENIZER), &fixture::origin(), again).unwrap_err();
    assert!(told.to_string().contains("another process is writing"), "{told}");
    drop(first);

    // A damaged tensor and all behind it are written again.
    let bytes = std::fs::read(&part).unwrap();
    let mut damaged = bytes.clone();
    // Behind it lie at most 63 bytes that pad, and the two of the tensor that is not whole.
    let at = damaged.len() - 66;
    damaged[at] ^= 1;
    std::fs::write(&part, damaged).unwrap();
    let mut second = resumable(&path, "a");
    assert_eq!(fill(&mut second, 0), 6);
    second.finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == std::fs::read(&whole).unwrap());
    assert!(!part.exists());

    // Nothing of another request is used, nor of a file that is none.
    for (bytes, request) in [(bytes.as_slice(), "b"), (b"something else", "a"), (&bytes[..40], "a")] {
        std::fs::write(&part, bytes).unwrap();
        let mut other = resumable(&path, request);
        assert_eq!(fill(&mut other, 0), all);
        other.finish().unwrap();
        LanguageBundle::open(&path).unwrap().verify().unwrap();
    }
}
