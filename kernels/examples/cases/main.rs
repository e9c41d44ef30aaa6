//! Kernels on the shapes of real networks, for those who count instructions: `cargo xtask kernels --counts`.
//!
//! `cases` prints the products and the name of each; `cases NAME REPEATS` runs one REPEATS times on numbers made up, on the
//! best instruction set here. Two runs that differ by one repetition differ by exactly one call.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for developers speaks to its user")]

mod halves;
mod language;
mod layers;
mod linear;
mod networks;
mod pictures;

use std::process::ExitCode;

use layers::{Form, Layer};
use linear::Linear;

/// What can be counted: one call each.
const CALLS: &[(&str, Layer)] = &[
    ("gemm 3136x24x144 relu", Layer::gemm([56, 56], 24, 144, Form::Relu)),
    ("gemm 3136x144x24 plain", Layer::gemm([56, 56], 144, 24, Form::Plain)),
    ("gemm 784x192x32 clamp", Layer::gemm([28, 28], 192, 32, Form::Clamp)),
    ("gemm 196x384x64 residual", Layer::gemm([14, 14], 384, 64, Form::Residual)),
    ("gemm 361x512x512 relu", Layer::gemm([19, 19], 512, 512, Form::Relu)),
    ("gemm 2704x64x64 bump", Layer::gemm([52, 52], 64, 64, Form::Bump)),
    ("gemm 1600x96x96 leaky", Layer::gemm([40, 40], 96, 96, Form::Leaky)),
    ("gemm 2704x64x64 table", Layer::gemm([52, 52], 64, 64, Form::Table)),
    ("gemm 2704x64x80 floats", Layer::gemm([52, 52], 64, 80, Form::Floats)),
    ("gemm 1x1280x1001 relu", Layer::gemm([1, 1], 1280, 1001, Form::Relu)),
    ("conv picture 224 3x3/2 to 32", Layer::conv([224, 224], 3, 32, [3, 2], Form::Relu)),
    ("conv picture 416 6x6/2 to 16", Layer::conv([416, 416], 3, 16, [6, 2], Form::Bump)),
    ("conv 20x20x64 3x3 to 64", Layer::conv([20, 20], 64, 64, [3, 1], Form::Relu)),
    ("conv 10x10x256 3x3/2 to 512", Layer::conv([10, 10], 256, 512, [3, 2], Form::Relu)),
    ("depthwise 56x56x144 3x3", Layer::depthwise([56, 56], 144, [3, 1], Form::Relu)),
    ("depthwise 112x112x96 3x3/2", Layer::depthwise([112, 112], 96, [3, 2], Form::Relu)),
    ("depthwise 52x52x64 3x3 bump", Layer::depthwise([52, 52], 64, [3, 1], Form::Bump)),
    ("depthwise 40x40x96 5x5 leaky", Layer::depthwise([40, 40], 96, [5, 1], Form::Leaky)),
    ("add 52x52x64", Layer::add([52, 52], 64)),
];

/// The calls of one repetition.
type Calls = Vec<Box<dyn FnMut()>>;

/// Something to count.
struct Case {
    name: &'static str,
    products: usize,
    /// Makes up all numbers.
    prepare: Box<dyn Fn() -> Calls>,
}

/// All there are.
fn cases() -> impl Iterator<Item = Case> {
    let networks = CALLS.iter().map(|&(name, layer)| (name, vec![layer])).chain(networks::all());
    let networks = networks.map(|(name, layers)| Case {
        name,
        products: layers.iter().map(Layer::products).sum(),
        prepare: Box::new(move || layers.iter().map(|layer| layer.prepare()).collect()),
    });
    let language = language::CALLS.iter().map(|&(name, call)| Case {
        name,
        products: call.products(),
        prepare: Box::new(move || vec![call.prepare()]),
    });
    let halves = halves::CALLS.iter().map(|&(name, call)| Case {
        name,
        products: call.products(),
        prepare: Box::new(move || vec![call.prepare()]),
    });
    let pictures = pictures::CALLS.iter().map(|&(name, call)| Case {
        name,
        products: call.products(),
        prepare: Box::new(move || vec![call.prepare()]),
    });
    let linear = linear::all().map(|(name, layers)| Case {
        name,
        products: layers.iter().map(Linear::products).sum(),
        prepare: Box::new(move || layers.iter().map(|layer| layer.prepare()).collect()),
    });
    networks.chain(halves).chain(pictures).chain(language).chain(linear)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => {
            for case in cases() {
                println!("{} {}", case.products, case.name);
            }
            ExitCode::SUCCESS
        }
        [wanted, repeats] => match (cases().find(|case| case.name == wanted), repeats.parse()) {
            (Some(case), Ok(repeats)) => {
                run(&case, repeats);
                ExitCode::SUCCESS
            }
            _ => {
                eprintln!("cases: no case {wanted:?}, or {repeats:?} is no number; without arguments all are listed");
                ExitCode::from(2)
            }
        },
        _ => {
            eprintln!("usage: cases [NAME REPEATS]");
            ExitCode::from(2)
        }
    }
}

/// Prepares all calls once and makes them in order, `repeats` times.
fn run(case: &Case, repeats: usize) {
    let mut calls = (case.prepare)();
    for _ in 0..repeats {
        for call in &mut calls {
            call();
        }
    }
}
