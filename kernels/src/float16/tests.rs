//! Every one of the 65536 values.

use super::{narrow, widen};

#[test]
fn agrees_with_half_on_every_value() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (widen(bits), half::f16::from_bits(bits).to_f32());
        assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()), "{bits:#06x}: {ours} and not {theirs}");
        assert!(ours.is_nan() || ours.to_bits() == theirs.to_bits(), "{bits:#06x}: the sign of zero");
    }
}

/// Every binary16 number, the middle between it and the next, and the f32 on either side of each.
#[test]
fn narrows_as_half_does() {
    for bits in 0..0x7c00_u16 {
        let (low, high) = (widen(bits), widen(bits + 1));
        let middle = if high.is_finite() { f32::midpoint(low, high) } else { 65520.0 };
        for value in [low, middle] {
            for near in [value.next_down(), value, value.next_up(), -value] {
                let theirs = half::f16::from_f32(near);
                let theirs = if theirs.is_infinite() { theirs.to_bits() - 1 } else { theirs.to_bits() };
                assert_eq!(narrow(near), theirs, "{near}");
            }
        }
    }
    assert_eq!([f32::MAX, f32::INFINITY, f32::NEG_INFINITY].map(narrow), [0x7bff, 0x7bff, 0xfbff]);
    assert!(widen(narrow(f32::NAN)).is_nan());
}
