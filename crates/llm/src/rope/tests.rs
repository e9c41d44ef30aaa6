use super::*;

fn rope(dimensions: usize, theta: f32, scaling: RopeScaling) -> Rope {
    Rope { theta, dimensions, scaling }
}

fn frequencies(scaling: RopeScaling) -> Vec<f64> {
    Rotation::new(&rope(64, 1e4, scaling), 100).frequencies
}

#[test]
fn turns_by_the_position_times_the_frequency() {
    let rotation = Rotation::new(&rope(16, 1e4, RopeScaling::None), 100);
    let [mut cos, mut sin] = [[0.0_f32; 8]; 2];
    rotation.angles(3, &mut cos, &mut sin);
    for pair in 0..8 {
        let angle = 3.0 * 1e4_f64.powf(-(pair as f64) / 8.0);
        assert!((f64::from(cos[pair]) - angle.cos()).abs() < 1e-7, "{pair}");
        assert!((f64::from(sin[pair]) - angle.sin()).abs() < 1e-7, "{pair}");
    }
}

/// By the wavelength, as Llama's own code has it; ours goes by turns within the context.
#[test]
fn llama3_keeps_the_fast_and_stretches_the_slow() {
    let scaled = frequencies(RopeScaling::Llama3 { factor: 32.0, low: 1.0, high: 4.0, original_context: 8192 });
    for (scaled, plain) in scaled.iter().zip(frequencies(RopeScaling::None)) {
        let wavelength = std::f64::consts::TAU / plain;
        let wanted = if wavelength < 8192.0 / 4.0 {
            plain
        } else if wavelength > 8192.0 {
            plain / 32.0
        } else {
            let smooth = (8192.0 / wavelength - 1.0) / 3.0;
            (1.0 - smooth) * plain / 32.0 + smooth * plain
        };
        assert!((scaled / wanted - 1.0).abs() < 1e-12);
    }
}

#[test]
fn yarn_keeps_the_first_pairs_and_stretches_the_last() {
    let yarn = |truncate| RopeScaling::Yarn {
        factor: 16.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 16384,
        magnitude: 1.5,
        truncate,
    };
    let plain = frequencies(RopeScaling::None);
    for truncate in [false, true] {
        let scaled = frequencies(yarn(truncate));
        let ratios: Vec<f64> = plain.iter().zip(&scaled).map(|(plain, scaled)| plain / scaled).collect();
        assert!((ratios[0] - 1.0).abs() < 1e-9 && (ratios[31] - 16.0).abs() < 1e-9, "{ratios:?}");
        assert!(ratios.is_sorted(), "{ratios:?}");
    }
    let rotation = Rotation::new(&rope(64, 1e4, yarn(true)), 100);
    let [mut cos, mut sin] = [[0.0_f32; 32]; 2];
    rotation.angles(0, &mut cos, &mut sin);
    assert_eq!((cos, sin), ([1.5; 32], [0.0; 32]));
}

#[test]
fn long_rope_goes_by_the_cache_s_size() {
    let scaling =
        || RopeScaling::LongRope { short: vec![1.0; 32], long: vec![4.0; 32], original_context: 100, magnitude: 1.0 };
    let plain = frequencies(RopeScaling::None);
    assert_eq!(frequencies(scaling()), plain);
    let long = Rotation::new(&rope(64, 1e4, scaling()), 101).frequencies;
    assert!(long.iter().zip(&plain).all(|(long, plain)| (long * 4.0 - plain).abs() < 1e-15));
}
