use clawdbot_kernels::isa::Isa;

use super::{Governor, Kernels, gather_governor, judge_governor, judge_kernels};
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

#[test]
fn powersave_is_slow_except_where_it_only_sounds_so() {
    let governor = |name: &str, driver: &str| Governor {
        names: vec![name.to_owned()],
        driver: Some(driver.to_owned()),
        ceiling: Some(1_800_000),
        most: Some(1_800_000),
    };
    assert_eq!(judge_governor(&governor("ondemand", "cpufreq-dt")).verdict, Verdict::Ok);
    assert_eq!(judge_governor(&governor("powersave", "cpufreq-dt")).verdict, Verdict::Warning);
    assert_eq!(judge_governor(&governor("powersave", "intel_pstate")).verdict, Verdict::Ok);
    let lowered = Governor { ceiling: Some(1_500_000), ..governor("ondemand", "cpufreq-dt") };
    assert_eq!(judge_governor(&lowered).seen, "ondemand, up to 1500 MHz, though 1800 MHz are possible");
    assert_eq!(judge_governor(&gather_governor(&Tree::new().machine())).verdict, Verdict::Unknown);
}

#[test]
fn kernels_are_judged_by_their_instruction_set() {
    let kernels = |isa, is_forced| Kernels { isa, is_forced, features: vec!["asimd".to_owned()] };
    for (kernels, verdict) in [
        (kernels(Some(Ok(Isa::Neon)), false), Verdict::Ok),
        (kernels(Some(Ok(Isa::Scalar)), false), Verdict::Warning),
        (kernels(Some(Ok(Isa::Scalar)), true), Verdict::Note),
        (kernels(Some(Err("no such".to_owned())), true), Verdict::Problem),
        (kernels(None, false), Verdict::Unknown),
    ] {
        assert_eq!(judge_kernels(&kernels).verdict, verdict);
    }
}
