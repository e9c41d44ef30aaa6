//! Small networks of every form against ONNX Runtime, hostile files, and the real networks.

mod cases;
mod external;
mod files;
mod hostile;
mod networks;
mod writer;

use std::collections::BTreeSet;

use clawdbot_nn::graph::Graph;
use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};

use self::writer::{Model, pattern};
use super::{OnnxError, import, layout, operators};
use crate::importers::Source;
use crate::simplify::simplify;

/// What ONNX Runtime computes of [`cases`]; `expected.py` says how it was made.
const EXPECTED: &str = include_str!("tests/expected.txt");

fn read(model: &Model) -> Result<Graph, OnnxError> {
    import(Source::alone(&model.bytes())).map(|(graph, _)| graph)
}

/// Elements of NCHW as NHWC, if that is how `shape` reads them.
fn in_order(elements: &[f32], file: &[usize], shape: &[usize]) -> Vec<f32> {
    let picture = file.len() == 4 && layout::PICTURE.map(|axis| file[axis]) == *shape;
    if !picture {
        assert_eq!(file, shape);
        return elements.to_vec();
    }
    let (channels, plane) = (file[1], file[2] * file[3]);
    (0..elements.len()).map(|at| elements[at % channels * plane + at / channels]).collect()
}

/// The elements of all outputs, whose shapes in the file are `shapes`, and that order of the expected ones.
fn outputs(graph: &Graph, inputs: &[(String, Vec<usize>)]) -> Vec<(Vec<usize>, Vec<f32>)> {
    let input = |((_, file), value): (&(String, Vec<usize>), &clawdbot_nn::graph::ValueId)| {
        let shape = graph.values[value.0].shape.clone();
        let elements = in_order(&pattern(shape.iter().product(), 1), file, &shape);
        Tensor::new(shape, Elements::F32(elements)).unwrap()
    };
    let inputs: Vec<Tensor> = inputs.iter().zip(&graph.inputs).map(input).collect();
    let results = reference::run(graph, &inputs).unwrap();
    results.iter().map(|result| (result.shape().to_vec(), result.as_f32().unwrap().to_vec())).collect()
}

/// Compares with the lines of [`EXPECTED`]; the worst difference, relative above 1.
fn difference(name: &str, graph: &Graph, model: &Model) -> f32 {
    let mut worst = 0.0_f32;
    let found = outputs(graph, &model.inputs);
    let lines: Vec<Vec<&str>> = EXPECTED.lines().map(|line| line.split(" | ").collect()).collect();
    let lines: Vec<&Vec<&str>> = lines.iter().filter(|line| line[0] == name).collect();
    assert_eq!(lines.len(), found.len(), "{name}: make expected.txt again, expected.py says how");
    for (line, (value, (shape, elements))) in lines.iter().zip(graph.outputs.iter().zip(&found)) {
        assert_eq!(graph.values[value.0].name, line[1], "{name}");
        let file: Vec<usize> = line[2].split_whitespace().map(|side| side.parse().unwrap()).collect();
        let wanted: Vec<f32> = line[3].split_whitespace().map(|x| x.parse().unwrap()).collect();
        let wanted = in_order(&wanted, &file, shape);
        assert_eq!(wanted.len(), elements.len(), "{name}");
        assert!(elements.iter().all(|x| x.is_finite()), "{name}");
        let gaps = wanted.iter().zip(elements).map(|(wanted, found)| (wanted - found).abs() / wanted.abs().max(1.0));
        worst = worst.max(gaps.fold(0.0, f32::max));
    }
    worst
}

#[test]
fn every_form_computes_what_onnx_runtime_computes() {
    let mut faults = Vec::new();
    for (name, model) in cases::all() {
        match read(&model) {
            Err(error) => faults.push(format!("{name}: {error}")),
            Ok(graph) => {
                let gap = difference(&name, &graph, &model).max(difference(&name, &simplify(graph), &model));
                if gap > 1e-5 {
                    faults.push(format!("{name}: differs by {gap}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_operator_of_the_table_has_a_case() {
    let cases = cases::all();
    let used: BTreeSet<String> = cases.iter().flat_map(|(_, model)| model.operators.clone()).collect();
    let missing: Vec<&str> = operators::names().filter(|name| !used.contains(*name)).collect();
    assert!(missing.is_empty(), "no case uses {missing:?}");
}

/// Writes the cases for `expected.py`.
#[test]
#[ignore = "writes files: the first half of making expected.txt"]
fn write_cases() {
    let folder = std::env::temp_dir().join("clawdbot-onnx-cases");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, model) in cases::all() {
        std::fs::write(folder.join(format!("{name}.onnx")), model.bytes()).unwrap();
    }
}

#[test]
fn the_documented_table_is_the_real_one() {
    let page = include_str!("../../../../../docs/reference/onnx.md");
    let table = super::operator_table();
    assert!(page.contains(&table), "docs/reference/onnx.md should hold this table:\n{table}");
}
