mod damage;
mod forged;

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use safetensors::SafeTensors;

use super::format::PADDING;
use super::{Bundle, Fault, Kind, Writer};
use crate::arena::ALIGNMENT;
use crate::executor::Executor;
use crate::fixture;
use crate::metadata::Vision;
use crate::model::{Model, TensorView};
use crate::workers::Workers;

/// The fixture as a bundle.
fn encoded(vision: Option<&Vision>) -> Vec<u8> {
    let (program, tensors) = fixture::small();
    Writer { program: &program, tensors: &tensors, vision, origin: &fixture::origin() }.encode().unwrap()
}

fn open(bytes: &[u8]) -> Result<Bundle, String> {
    Bundle::from_bytes("test", bytes).map_err(|error| error.to_string())
}

fn write(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("small.claw.safetensors");
    let (program, tensors) = fixture::small();
    let writer =
        Writer { program: &program, tensors: &tensors, vision: Some(&fixture::vision()), origin: &fixture::origin() };
    writer.write(&path).unwrap();
    path
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = Bundle::open(&write(folder.path())).unwrap();
    let (program, tensors) = fixture::small();
    assert_eq!(*bundle.program(), program);
    assert_eq!(bundle.vision(), Some(&fixture::vision()));
    assert_eq!(*bundle.origin(), fixture::origin());
    assert_eq!(bundle.kind(), Kind::Classifier);
    let found: Vec<(&str, TensorView<'_>)> = bundle.model().tensors().collect();
    assert_eq!(found.len(), tensors.len());
    for ((name, view), (wanted, tensor)) in found.into_iter().zip(&tensors) {
        assert_eq!(name, wanted);
        assert_eq!((view.data_type, view.shape, view.bytes), (tensor.data_type(), tensor.shape(), tensor.bytes()));
        assert_eq!(view.bytes.as_ptr().align_offset(ALIGNMENT), 0, "{name} begins on a cache line");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside the bundle: {left:?}");
}

#[test]
fn any_safetensors_tool_can_list_it() {
    let bytes = encoded(Some(&fixture::vision()));
    let (_, tensors) = fixture::small();
    let listed = SafeTensors::deserialize(&bytes).unwrap();
    let (padding, names): (Vec<&str>, Vec<&str>) =
        listed.names().into_iter().partition(|name| name.starts_with(PADDING));
    assert_eq!(names.len(), tensors.len());
    assert!(!padding.is_empty(), "the fixture has tensors whose length is no multiple of 64");
    for (name, tensor) in &tensors {
        let view = listed.tensor(name).unwrap();
        assert_eq!((view.shape(), view.data()), (tensor.shape(), tensor.bytes()), "{name}");
    }
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(metadata.metadata().as_ref().unwrap()["clawdbot.format_version"], "2");
}

#[test]
fn a_bundle_runs_as_the_model_it_was_made_of_wherever_it_lies() {
    let (program, tensors) = fixture::small();
    let bytes = encoded(None);
    // One byte off any alignment: as `include_bytes!` may place it.
    let leaked: &'static [u8] = Box::leak([&[0][..], &bytes].concat().into_boxed_slice());
    let folder = tempfile::tempdir().unwrap();
    let models = [
        Arc::new(Model::new(program, &tensors).unwrap()),
        Arc::clone(open(&bytes).unwrap().model()),
        Arc::clone(Bundle::from_static("leaked", &leaked[1..]).unwrap().model()),
        Arc::clone(Bundle::open(&write(folder.path())).unwrap().model()),
    ];
    let results = models.map(|model| {
        let mut executor = Executor::new(model, Isa::Scalar, Arc::new(Workers::new())).unwrap();
        executor.input_i8_mut(0).unwrap().iter_mut().zip(0_u8..).for_each(|(q, at)| *q = at.cast_signed());
        executor.run();
        executor.output(0).unwrap().as_f32().unwrap().to_vec()
    });
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    assert!((results[0].iter().sum::<f32>() - 1.0).abs() < 1e-6, "a softmax sums to 1: {results:?}");
}

#[test]
fn whoever_has_the_old_file_mapped_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    let old = Bundle::open(&path).unwrap();
    let (mut program, tensors) = fixture::small();
    program.steps[0].name = String::from("renamed");
    Writer { program: &program, tensors: &tensors, vision: None, origin: &fixture::origin() }.write(&path).unwrap();
    assert_eq!(old.tensor("conv.weights").unwrap().bytes, tensors["conv.weights"].bytes());
    assert_eq!(Bundle::open(&path).unwrap().program().steps[0].name, "renamed");
}

#[test]
fn files_that_cannot_be_opened_say_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.claw.safetensors");
    let error = Bundle::open(&missing).unwrap_err();
    assert!(matches!(error.fault(), Fault::Open(_)));
    assert!(error.to_string().contains("missing.claw.safetensors"), "{error}");
    assert!(error.to_string().contains("check the path"), "{error}");
    let error = Bundle::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let empty = folder.path().join("empty.claw.safetensors");
    std::fs::write(&empty, "").unwrap();
    assert!(matches!(Bundle::open(&empty).unwrap_err().fault(), Fault::Truncated { .. }));
}

#[test]
fn a_bundle_that_cannot_be_written_says_so_and_leaves_nothing() {
    let (program, tensors) = fixture::small();
    let origin = fixture::origin();
    let writer = Writer { program: &program, tensors: &tensors, vision: None, origin: &origin };
    let folder = tempfile::tempdir().unwrap();
    let error = writer.write(&folder.path().join("no/such/folder.claw.safetensors")).unwrap_err();
    assert!(matches!(error.fault(), Fault::Write(_)), "{error}");
    // A folder of that name: the rename fails after the bytes were written.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    assert!(matches!(writer.write(&taken).unwrap_err().fault(), Fault::Write(_)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let (mut program, mut tensors) = fixture::small();
    let origin = fixture::origin();
    let reserved = tensors["conv.table"].clone();
    tensors.insert(format!("{PADDING}x"), reserved.clone());
    let writer = Writer { program: &program, tensors: &tensors, vision: None, origin: &origin };
    assert!(matches!(writer.encode().unwrap_err(), Fault::Tensor { .. }));
    tensors.remove(&format!("{PADDING}x"));
    program.values[1].scale[0] = 0.0;
    let writer = Writer { program: &program, tensors: &tensors, vision: None, origin: &origin };
    assert!(matches!(writer.encode().unwrap_err(), Fault::Program(_)));
}
