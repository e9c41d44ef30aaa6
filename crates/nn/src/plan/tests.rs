use proptest::prelude::*;

use super::{Lifetime, place, plan};
use crate::arena::ALIGNMENT;
use crate::program::{Op, Program, Step, Value, ValueId};
use crate::tensor::DataType;

fn lifetimes() -> impl Strategy<Value = Vec<Lifetime>> {
    let one = (1_usize..5_000, 0_usize..30, 0_usize..10);
    let one = one.prop_map(|(bytes, first, length)| Lifetime { bytes, first, last: first + length });
    prop::collection::vec(one, 0..60)
}

proptest! {
    #[test]
    fn blocks_that_live_together_never_overlap(blocks in lifetimes()) {
        let (offsets, end) = place(&blocks);
        for (a, &from) in offsets.iter().enumerate() {
            prop_assert!(from.is_multiple_of(ALIGNMENT));
            prop_assert!(from + blocks[a].bytes <= end);
            for (b, &other) in offsets.iter().enumerate().skip(a + 1) {
                let together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
                let apart = from + blocks[a].bytes <= other || other + blocks[b].bytes <= from;
                prop_assert!(!together || apart, "{:?} at {from} and {:?} at {other}", blocks[a], blocks[b]);
            }
        }
    }

    #[test]
    fn the_arena_is_no_larger_than_all_blocks_side_by_side(blocks in lifetimes()) {
        let sum: usize = blocks.iter().map(|block| block.bytes.next_multiple_of(ALIGNMENT)).sum();
        prop_assert!(place(&blocks).1 <= sum);
    }
}

fn floats(name: &str, elements: usize) -> Value {
    let (name, shape) = (name.to_owned(), vec![1, elements]);
    Value { name, shape, data_type: DataType::F32, scale: Vec::new(), zero_point: 0 }
}

fn step(name: &str, op: Op, input: usize, output: usize) -> Step {
    Step { name: name.to_owned(), op, inputs: vec![ValueId(input)], output: ValueId(output) }
}

/// x -> a -> b -> c -> d, all of 64 floats; b is a reshaped a.
fn chain() -> Program {
    Program {
        values: ["x", "a", "b", "c", "d"].iter().map(|name| floats(name, 64)).collect(),
        steps: vec![
            step("1", Op::Softmax, 0, 1),
            step("2", Op::Reshape, 1, 2),
            step("3", Op::Softmax, 2, 3),
            step("4", Op::Softmax, 3, 4),
        ],
        inputs: vec![ValueId(0)],
        outputs: vec![ValueId(4)],
    }
}

#[test]
fn a_chain_needs_its_input_and_two_blocks() {
    let plan = plan(&chain(), false);
    assert_eq!(plan.arena_bytes, 3 * 256);
    assert_eq!(plan.places[1], plan.places[2], "a reshaped value is its input");
    assert_eq!(plan.places[4], plan.places[1], "what is no longer read makes room");
    assert!(plan.places.iter().skip(1).all(|place| *place != plan.places[0]), "the input keeps its memory");
}

#[test]
fn keeping_all_shares_nothing_but_reshapes() {
    let plan = plan(&chain(), true);
    assert_eq!(plan.arena_bytes, 4 * 256);
}

#[test]
fn a_result_that_nobody_reads_still_has_a_place_of_its_own() {
    let mut program = chain();
    program.values.push(floats("unread", 64));
    program.steps.insert(1, step("5", Op::Softmax, 1, 5));
    let plan = plan(&program, false);
    assert_ne!(plan.places[5], plan.places[1]);
    assert_ne!(plan.places[5], plan.places[0]);
}
