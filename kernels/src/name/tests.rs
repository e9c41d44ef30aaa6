//! Names that are some, names that are none, and every name in the tables.

use super::{Name, NameError};
use crate::catalogue::OPERATORS;
use crate::isa::Isa;

#[test]
fn takes_a_name_apart() {
    let name = Name::parse("conv_f16_f32f16f32_8x8x4_neon_dotprod").unwrap();
    assert_eq!(name.op, "conv_f16");
    assert_eq!(name.types, ["f32", "f16", "f32"]);
    assert_eq!(name.tile, [8, 8, 4]);
    assert_eq!(name.isa, Isa::NeonDotprod);
    assert_eq!(Name::parse("add_i8i8i8_scalar").unwrap().tile, []);
}

#[test]
fn says_what_is_missing() {
    assert!(matches!(Name::parse("gemm_i8i8i32_4x8x8"), Err(NameError::NoIsa(_))));
    assert!(matches!(Name::parse("gemm_i8i8i32_4x8x8_sse2"), Err(NameError::NoIsa(_))));
    assert!(matches!(Name::parse("gemm_4x8_neon"), Err(NameError::NoTypes(_))));
    assert!(matches!(Name::parse("gemm_i9_4x8_neon"), Err(NameError::NoTypes(_))));
    assert!(matches!(Name::parse("neon"), Err(NameError::NoIsa(_))));
    assert!(matches!(Name::parse("i8_neon"), Err(NameError::NoTypes(_))));
    assert!(matches!(Name::parse("_i8_neon"), Err(NameError::NoOperator(_))));
}

/// The name, the fields beside it and the file that holds the body say the same.
#[test]
fn every_kernel_is_what_its_name_says() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for operator in OPERATORS {
        let kernels = operator.kernels();
        assert_eq!(kernels[0].isa, Isa::Scalar, "{}: the reference comes first", operator.name);
        for kernel in kernels {
            let name = Name::parse(kernel.name).unwrap();
            assert_eq!(name.op, operator.name, "{}", kernel.name);
            assert_eq!(name.isa, kernel.isa, "{}", kernel.name);
            assert_eq!(name.tile, kernel.tile, "{}", kernel.name);
            let file = source.join(operator.name).join(format!("{}.rs", kernel.isa));
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let first = text.lines().next().unwrap();
            assert!(first.contains(&format!("`{}`", kernel.name)), "{}: {first}", file.display());
        }
    }
}

/// A folder with a kernel file that no table lists would never be tested.
#[test]
fn every_kernel_file_is_listed() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in std::fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let op = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if op == "epilogue" {
            continue; // part of every convolution, no operator of its own
        }
        for isa in Isa::ALL {
            if folder.join(format!("{isa}.rs")).exists() {
                let operator = OPERATORS.iter().find(|operator| operator.name == op);
                let listed = operator.is_some_and(|operator| operator.kernels().iter().any(|kernel| kernel.isa == isa));
                assert!(listed, "{op}/{isa}.rs is in no table of variants");
            }
        }
    }
}
