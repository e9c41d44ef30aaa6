//! The answers for boards that are not here, the page, and words that are none.

use super::{Choice, markdown, unknown_core};
use crate::config::Environment;

#[test]
fn a_raspberry_pi_4_runs_neon_and_a_5_the_dot_product() {
    let four = Choice::for_core("cortex-a72").unwrap();
    assert!(four.text().contains("gemm_i8i8i32_4x8x8_neon "), "{}", four.text());
    let five = Choice::for_core("cortex-a76").unwrap().json();
    assert_eq!(five["isa"], "neon_dotprod");
    assert_eq!(five["operators"][0]["kernel"], "gemm_i8i8i32_6x16x16_neon_dotprod");
    assert_eq!(five["operators"][3]["isa"], "neon", "a sum has no dot product");
}

#[test]
fn an_unknown_core_is_answered_with_the_known_ones() {
    assert!(Choice::for_core("z80").is_none());
    assert!(unknown_core("z80").contains("cortex-a53") && unknown_core("z80").contains("'z80'"));
}

#[test]
fn the_environment_forces_what_this_machine_has() {
    let forced = |word: &str| Choice::here(&Environment::of([("CLAWDBOT_ISA".to_owned(), word.to_owned())]));
    assert_eq!(forced("scalar").unwrap().isa.name(), "scalar");
    let absent = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    let error = forced(absent).err().unwrap();
    assert!(error.contains("CLAWDBOT_ISA") && error.contains(absent) && error.contains("scalar"), "{error}");
    let error = forced("mmx").err().unwrap();
    assert!(error.contains("'mmx'"), "{error}");
}

#[test]
fn the_reference_page_holds_what_the_command_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/kernels.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains(&markdown()), "update {path} from `clawdbot kernels --markdown`");
}
