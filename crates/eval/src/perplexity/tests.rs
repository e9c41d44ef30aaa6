use super::*;

#[test]
fn who_knows_nothing_is_as_surprised_as_there_are_tokens() {
    let mut perplexity = Perplexity::default();
    for token in [0, 3, 7] {
        perplexity.add(&[1.5; 8], token);
    }
    assert!((perplexity.value() - 8.0).abs() < 1e-9 && perplexity.error() < 1e-6);
}

#[test]
fn it_is_the_geometric_mean_of_one_over_the_probability() {
    let mut perplexity = Perplexity::default();
    // Probabilities 1/4 and 3/4, whatever is added to all logits.
    let logits = [100.0, 100.0 + 3.0_f32.ln()];
    perplexity.add(&logits, 0);
    perplexity.add(&logits, 1);
    let wanted = (4.0_f64 * 4.0 / 3.0).sqrt();
    assert!((perplexity.value() - wanted).abs() < 1e-5, "{}", perplexity.value());
    assert!(perplexity.value() > wanted.floor() && perplexity.error() > 0.5);
}
