use std::time::Duration;

use super::*;

fn layer(kind: Kind, op: &'static str, multiplications: u64, bytes: u64, micros: u64) -> Layer {
    let least = Duration::from_micros(micros);
    Layer { name: "a<b".to_owned(), op, kind, shape: vec![1, 4, 4, 8], least, multiplications, bytes }
}

const CEILINGS: Ceilings = Ceilings { int8_rate: 100e9, f16_rate: 50e9, memory_rate: 10e9, clock_rate: 3e9 };

#[test]
fn an_axis_spans_its_values_and_places_them_by_their_logarithm() {
    let axis = Axis::over([0.5, 30.0].into_iter(), (0.0, 300.0));
    assert_eq!(axis.decades, (-1, 2));
    assert!((axis.place(0.1) - 0.0).abs() < 1e-9);
    assert!((axis.place(1.0) - 100.0).abs() < 1e-9);
    assert!((axis.place(1e9) - 300.0).abs() < 1e-9, "outside is at the edge");
}

#[test]
fn every_layer_with_multiplications_is_a_circle_and_names_are_escaped() {
    let layers = [
        layer(Kind::Pointwise, "convolution_i8", 1_000_000, 20_000, 30),
        layer(Kind::Depthwise, "depthwise_i8", 50_000, 20_000, 20),
        layer(Kind::Other, "add_i8", 0, 20_000, 5),
    ];
    let text = svg("a title & more", &layers, &CEILINGS);
    assert_eq!(text.matches("<title>").count(), 2);
    assert!(text.contains("a&lt;b") && !text.contains("a<b"));
    assert!(text.contains("a title &amp; more"));
    assert!(text.contains("INT8 kernel, 100.0 GMAC/s") && !text.contains("F16 kernel"));
    assert!(text.starts_with("<svg") && text.ends_with("</svg>\n"));
}

#[test]
fn the_share_of_a_layer_is_of_the_whole_time() {
    let layers =
        [layer(Kind::Dense, "convolution_f16", 1_000_000, 20_000, 750), layer(Kind::Other, "add_i8", 0, 20_000, 250)];
    let text = svg("t", &layers, &CEILINGS);
    assert!(text.contains("0.750 ms, 75.0 %, 1.3 GMAC/s"), "{text}");
    assert!(text.contains("F16 kernel, 50.0 GMAC/s"));
}

#[test]
fn nothing_measured_is_an_empty_plot() {
    let text = svg("t", &[], &CEILINGS);
    assert!(!text.contains("<title>") && !text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn powers_read_as_numbers() {
    assert_eq!([-2, 0, 3].map(power), ["0.01", "1", "1000"]);
}
