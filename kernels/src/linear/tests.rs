//! Packing and back, scales, and what packers refuse.

use super::{GROUP, ROWS, float_index};
use crate::float16::widen;
use crate::{linear_f16, linear_i4, linear_i8};

/// `[N][K]` without a pattern, -1..1.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + index / 13 * 31) % 2003) as f32 / 1001.5 - 1.0).collect()
}

type Scales = fn(&[f32]) -> Vec<u16>;
type Pack = fn(&[f32], usize, &[u16]) -> Vec<u8>;
type Gather = fn(&[u8], usize, usize, &mut [f32], [usize; 2]);

/// Its range, how it picks scales, packs and unpacks, and the bytes of a block.
type Form = ([i8; 2], Scales, Pack, Gather, usize);

const FORMS: [Form; 2] = [
    (
        linear_i4::pack::RANGE,
        linear_i4::pack::scales,
        linear_i4::pack::pack,
        linear_i4::pack::gather_row,
        linear_i4::pack::BLOCK,
    ),
    (
        linear_i8::pack::RANGE,
        linear_i8::pack::scales,
        linear_i8::pack::pack,
        linear_i8::pack::gather_row,
        linear_i8::pack::BLOCK,
    ),
];

#[test]
fn a_row_comes_back_within_half_a_scale() {
    for (range, scales, pack, gather, block) in FORMS {
        for (n, k) in [(1, 32), (7, 64), (8, 32), (9, 96), (17, 576)] {
            let values = values(n * k);
            let scales = scales(&values);
            let packed = pack(&values, k, &scales);
            assert_eq!(packed.len(), n.div_ceil(ROWS) * (k / GROUP) * block);
            for row in 0..n {
                let mut back = vec![f32::NAN; 3 * k];
                gather(&packed, k, row, &mut back, [1, 3]);
                for at in 0..k {
                    let scale = widen(scales[(row * k + at) / GROUP]);
                    let (value, back) = (values[row * k + at], back[float_index(3, at, 1)]);
                    // INT4 reaches -8 on one side and 7 on the other; a scale rounded down loses a little at the end.
                    let end = f32::from(range[1]) * scale.abs();
                    let allowed = scale.abs() * 0.501 + (value.abs() - end).max(0.0);
                    assert!((value - back).abs() <= allowed, "{value} became {back} by {scale}");
                }
                assert_eq!(back.iter().filter(|value| value.is_nan()).count(), 2 * k, "another token's place");
            }
            // The rows that pad are nothing.
            for row in n..n.next_multiple_of(ROWS) {
                let mut back = vec![f32::NAN; k];
                gather(&packed, k, row, &mut back, [0, 1]);
                assert!(back.iter().all(|&value| value == 0.0));
            }
        }
    }
}

/// What a file of whole numbers and scales holds survives the way over floats.
#[test]
fn whole_numbers_survive_exactly() {
    for (range, _, pack, gather, _) in FORMS {
        let scales = [0x2e66_u16, 0x0001, 0x7bff, 0x9234];
        let width = u16::from(range[1].abs_diff(range[0])) + 1;
        let quant = |index: usize| {
            let steps = u16::try_from(index).unwrap() * 7 % width;
            f32::from(steps) + f32::from(range[0])
        };
        let values: Vec<f32> = (0..4 * GROUP).map(|index| quant(index) * widen(scales[index / GROUP])).collect();
        let packed = pack(&values, 2 * GROUP, &scales);
        for row in 0..2 {
            let mut back = [f32::NAN; 2 * GROUP];
            gather(&packed, 2 * GROUP, row, &mut back, [0, 1]);
            let expected = &values[row * 2 * GROUP..][..2 * GROUP];
            assert!(back.iter().zip(expected).all(|(back, value)| back.to_bits() == value.to_bits() || *value == 0.0));
        }
    }
}

#[test]
fn scales_reach_the_largest() {
    let mut group = [0.25_f32; GROUP];
    group[5] = 0.8;
    assert_eq!(widen(linear_i4::pack::scale(&group)), widen(crate::float16::narrow(-0.1)));
    group[9] = -16.0;
    assert_eq!(widen(linear_i4::pack::scale(&group)), 2.0);
    group[9] = -127.0;
    assert_eq!(widen(linear_i8::pack::scale(&group)), 1.0);
    assert_eq!([linear_i4::pack::scale(&[0.0; GROUP]), linear_i8::pack::scale(&[])].map(widen), [0.0; 2]);
}

#[test]
fn what_lies_beyond_is_held_at_the_end() {
    let packed = linear_i8::pack::pack_quants(&[-128; GROUP], GROUP, &[0x3c00]);
    let mut back = [0.0; GROUP];
    linear_i8::pack::gather_row(&packed, GROUP, 0, &mut back, [0, 1]);
    assert_eq!(back, [-127.0; GROUP]);
    let packed = linear_i4::pack::pack(&[f32::INFINITY; GROUP], GROUP, &[0x3c00]);
    linear_i4::pack::gather_row(&packed, GROUP, 0, &mut back, [0, 1]);
    assert_eq!(back, [7.0; GROUP]);
}

#[test]
fn binary16_comes_back_rounded() {
    let values = values(9 * 24);
    let packed = linear_f16::pack::pack(&values, 24);
    assert_eq!(packed.len(), 16 * 24);
    let mut back = [0.0; 24];
    linear_f16::pack::gather_row(&packed, 24, 8, &mut back, [0, 1]);
    assert!(back.iter().zip(&values[8 * 24..]).all(|(&back, &value)| back == half::f16::from_f32(value).to_f32()));
}

#[test]
fn nothing_packs_to_nothing() {
    for (_, scales, pack, ..) in FORMS {
        assert!(pack(&[], 64, &scales(&[])).is_empty());
    }
    assert!(linear_f16::pack::pack(&[], 64).is_empty());
}

#[test]
#[should_panic(expected = "rows of 33")]
fn rows_that_are_no_groups_are_refused() {
    linear_i4::pack::pack(&[0.0; 33], 33, &[0]).clear();
}

#[test]
#[should_panic(expected = "1 scales for 64 values")]
fn scales_that_are_too_few_are_refused() {
    linear_i8::pack::pack(&[0.0; 64], 32, &[0]).clear();
}

#[test]
#[should_panic(expected = "row 8 of 32 is not in 144 bytes")]
fn rows_that_are_not_there_are_refused() {
    linear_i4::pack::gather_row(&[0; 144], 32, 8, &mut [0.0; 32], [0, 1]);
}
