//! Every one of the 65536 values.

use super::widen;

#[test]
fn agrees_with_half_on_every_value() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (widen(bits), half::f16::from_bits(bits).to_f32());
        assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()), "{bits:#06x}: {ours} and not {theirs}");
        assert!(ours.is_nan() || ours.to_bits() == theirs.to_bits(), "{bits:#06x}: the sign of zero");
    }
}
