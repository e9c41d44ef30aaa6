//! The plugin's lines, and the difference of two runs.

use super::{Counts, readable};

const LESS: &str = "total 100\nkind vector 60\nkind branch 40\nfunction 90 _ZN4gemm4neon3run17h0123456789abcdefE\n";
const MORE: &str = "total 180\nkind vector 120\nkind branch 60\nfunction 150 _ZN4gemm4neon3run17h0123456789abcdefE\n\
                    function 12 memcpy\n";

#[test]
fn the_difference_of_two_runs_is_one_inference() {
    let one = Counts::parse(MORE).unwrap().minus(&Counts::parse(LESS).unwrap());
    assert_eq!(one.total, 80);
    assert_eq!(one.most(1), [("gemm::neon::run", 60)]);
    assert_eq!(one.json()["kinds"]["vector"], 60);
    assert_eq!(one.json()["functions"][1]["name"], "memcpy");
}

#[test]
fn nothing_counted_is_no_answer() {
    assert_eq!(Counts::parse(""), None);
    assert_eq!(Counts::parse("total 0\n"), None);
    assert_eq!(Counts::parse("total many\n"), None);
}

#[test]
fn names_lose_their_mangling_and_hash() {
    assert_eq!(
        readable("_ZN16clawdbot_kernels4gemm4neon5sweep17he46211cb14b0b9efE"),
        "clawdbot_kernels::gemm::neon::sweep"
    );
    assert_eq!(readable("memcpy"), "memcpy");
    assert_eq!(readable("_ZN99short"), "_ZN99short");
}
