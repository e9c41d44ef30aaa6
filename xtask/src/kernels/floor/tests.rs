//! The comparison with the record, and the record's own table.

use std::collections::BTreeMap;

use super::{CORES, Call, HEAD, PAGE, RECORD, Record, count_all, differences, read, table, with_table};
use crate::process::repository_root;

fn record(calls: &[(&str, [u64; 3])]) -> Record {
    let call = |&(name, counts): &(&str, [u64; 3])| Call {
        name: name.to_owned(),
        products: 2000,
        instructions: CORES.iter().map(|core| core.name.to_owned()).zip(counts).collect(),
    };
    Record { command: String::new(), rustc: String::new(), calls: calls.iter().map(call).collect() }
}

#[test]
fn a_hundredth_more_is_too_much_on_arm_and_a_tenth_on_x86() {
    let kept = record(&[("gemm", [10_000, 5000, 900]), ("conv", [800, 700, 600])]);
    let (better, worse) = differences(&kept, &record(&[("gemm", [10_099, 5000, 989]), ("conv", [793, 694, 545])]));
    assert_eq!((better, worse), (Vec::new(), Vec::new()));

    let (better, worse) = differences(&kept, &record(&[("gemm", [10_102, 5000, 991]), ("conv", [800, 690, 600])]));
    let expected = ["cortex-a72: 10000 -> 10102 instructions (+1.0 %)", "avx2: 900 -> 991 instructions (+10.1 %)"];
    assert_eq!(worse, expected.map(|line| format!("gemm on {line}")));
    assert_eq!(better, ["conv on cortex-a76: 700 -> 690 instructions (-1.4 %)"]);
}

#[test]
fn what_cannot_be_compared_fails() {
    let kept = record(&[("gemm", [10_000, 5000, 900]), ("conv", [0, 1, 1])]);
    let (_, worse) = differences(&kept, &record(&[("add", [1, 1, 1]), ("conv", [1, 1, 1])]));
    let expected = ["add: the record lacks it", "conv on cortex-a72: not counted, or not recorded"];
    assert_eq!(worse, [&expected[..], &["gemm: recorded, but there is no such call"]].concat());
    assert_eq!(differences(&record(&[("gemm", [1, 1, 1])]), &record(&[("gemm", [1, 1, 0])])).1.len(), 1);
}

#[test]
fn a_call_is_the_difference_of_two_runs() {
    let mut uncounted = record(&[("gemm", [0, 0, 0]), ("conv", [0, 0, 0])]).calls;
    for call in &mut uncounted {
        call.instructions = BTreeMap::new();
    }
    let each = |name: &str, core: usize| if core == 1 { 70 } else { u64::from(name.as_bytes()[0]) };
    let total = |name: &str, core: usize, repeats: u32| Ok(7777 + u64::from(repeats) * each(name, core));
    let counted = record(&[("gemm", [103, 70, 103]), ("conv", [99, 70, 99])]).calls;
    assert_eq!(count_all(uncounted.clone(), &total), Ok(counted));
    assert_eq!(count_all(uncounted, &|_, _, _| Err("no qemu".to_owned())), Err("no qemu".to_owned()));
}

#[test]
fn a_table_takes_the_place_of_the_old_one() {
    let new = table(&record(&[("gemm 1x2x3", [10_000, 5000, 900])]));
    assert_eq!(new, format!("{HEAD}| gemm 1x2x3 | 2000 | 10.0 | 5.000 | 5.0 | 2.500 | 0.9 | 0.450 |\n"));
    let page = format!("# Page\n\n{HEAD}| old | | | | | |\n| older | | | | | |\n\nMore.\n");
    assert_eq!(with_table(&page, &new), Some(format!("# Page\n\n{new}\nMore.\n")));
    assert_eq!(with_table("# Page\n", &new), None);
}

#[test]
fn the_page_shows_the_record() {
    let kept = read(&repository_root().join(RECORD)).unwrap();
    let page = std::fs::read_to_string(repository_root().join(PAGE)).unwrap();
    assert!(page.contains(&table(&kept)), "{PAGE} is not of {RECORD}; run `{}`", kept.command);
}
