//! Words, inclusion and choice.

use super::{CORES, Isa};

#[test]
fn words_go_there_and_back() {
    for isa in Isa::ALL {
        assert_eq!(isa.name().parse(), Ok(isa));
    }
    let error = "sse9".parse::<Isa>().unwrap_err().to_string();
    assert!(error.contains("'sse9'") && error.contains("neon_dotprod"), "{error}");
}

#[test]
fn what_is_detected_is_available_and_includes_itself() {
    let best = Isa::detect();
    assert!(best.available() && best.includes(best) && best.includes(Isa::Scalar));
    assert!(Isa::ALL.into_iter().filter(|isa| isa.available()).all(|isa| best.includes(isa)), "one family, one order");
}

#[test]
fn cores_have_what_their_manuals_say() {
    assert_eq!(Isa::for_core("cortex-a72"), Some(Isa::Neon));
    assert_eq!(Isa::for_core("cortex-a76"), Some(Isa::NeonDotprod));
    assert_eq!(Isa::for_core("x86-64-v3"), Some(Isa::Avx2));
    assert_eq!(Isa::for_core("gracemont"), Some(Isa::AvxVnni));
    assert_eq!(Isa::for_core("6502"), None);
    assert_eq!(CORES.iter().filter(|core| core.isa == Isa::Scalar).count(), 2);
}

/// Every operator serves every instruction set with something that it includes, and never with less than it could.
#[test]
fn every_operator_serves_every_isa() {
    for operator in crate::catalogue::OPERATORS {
        for isa in Isa::ALL {
            let chosen = operator.choice(isa);
            assert!(isa.includes(chosen.isa), "{}: {} for {isa}", operator.name, chosen.name);
            for kernel in operator.kernels() {
                let better = isa.includes(kernel.isa) && !chosen.isa.includes(kernel.isa);
                assert!(!better, "{}: {isa} gets {} and not {}", operator.name, chosen.name, kernel.name);
            }
        }
    }
}
