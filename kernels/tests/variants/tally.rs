//! Which variants ran, and whether that is enough.

use std::collections::BTreeSet;

use clawdbot_kernels::catalogue::{Kernel, OPERATORS};
use clawdbot_kernels::isa::{Isa, Operator, Variant};

/// What was exercised.
#[derive(Default)]
pub(crate) struct Tally {
    ran: BTreeSet<&'static str>,
}

impl Tally {
    /// Hands each variant that can run here to `check`, the reference too.
    pub(crate) fn walk<O: Operator>(&mut self, variants: &[Variant<O>], mut check: impl FnMut(&Variant<O>)) {
        for variant in variants.iter().filter(|variant| variant.runnable()) {
            check(variant);
            self.ran.insert(variant.name);
            println!("ok {}", variant.name);
        }
    }

    /// Panics on a gap; else prints the counts.
    pub(crate) fn finish(self) {
        let kernels: Vec<Kernel> = OPERATORS.iter().flat_map(|operator| operator.kernels()).collect();
        for kernel in kernels.iter().filter(|kernel| kernel.runnable) {
            assert!(self.ran.contains(kernel.name), "{} can run here, but no test ran it", kernel.name);
        }
        let ran_of =
            |isa: Isa| kernels.iter().filter(|kernel| kernel.isa == isa && self.ran.contains(kernel.name)).count();
        for isa in asked_for("KERNELS_REQUIRE") {
            let listed = kernels.iter().filter(|kernel| kernel.isa == isa).count();
            let ran = ran_of(isa);
            assert!(ran == listed, "KERNELS_REQUIRE={isa}: {ran} of {listed} such kernels ran on this processor");
        }
        for isa in asked_for("KERNELS_FORBID") {
            let ran = ran_of(isa);
            assert!(ran == 0, "KERNELS_FORBID={isa}: {ran} such kernels ran, so this processor has it");
        }
        let here = Isa::ALL.into_iter().filter(|isa| isa.available()).map(Isa::name).collect::<Vec<_>>().join(", ");
        println!("here: {here}");
        println!("{} ran / {} not runnable here", self.ran.len(), kernels.len() - self.ran.len());
    }
}

/// The instruction sets in an environment variable; a word that is none fails.
fn asked_for(variable: &str) -> Vec<Isa> {
    let words = std::env::var(variable).unwrap_or_default();
    let words = words.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.parse().unwrap_or_else(|error| panic!("{variable}: {error}"))).collect()
}
