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

#[test]
fn a_model_does_not_diverge_from_itself_whatever_is_added_to_its_logits() {
    let mut divergence = Divergence::default();
    for token in 0..3 {
        divergence.add(&[0.5, -1.0, 3.0], &[7.5, 6.0, 10.0], token);
    }
    assert!(divergence.mean().abs() < 1e-9 && divergence.change().abs() < 1e-9 && divergence.change_error() < 1e-6);
}

#[test]
fn divergence_is_the_mean_of_the_log_ratio_by_the_reference() {
    // 1/2 and 1/2 in the reference, 1/4 and 3/4 in the other.
    let (reference, other) = ([0.0, 0.0], [0.0, 3.0_f32.ln()]);
    let mut divergence = Divergence::default();
    divergence.add(&reference, &other, 0);
    divergence.add(&reference, &other, 1);
    let wanted = 0.5 * (2.0_f64.ln() + (2.0_f64 / 3.0).ln());
    assert!((divergence.mean() - wanted).abs() < 1e-6, "{}", divergence.mean());
    // Each token once, as the reference has them: the mean excess is the divergence.
    assert!((divergence.change() - wanted.exp_m1()).abs() < 1e-6, "{}", divergence.change());
    let mut perplexities = [Perplexity::default(); 2];
    for token in [0, 1] {
        perplexities[0].add(&reference, token);
        perplexities[1].add(&other, token);
    }
    let ratio = perplexities[1].value() / perplexities[0].value();
    assert!((divergence.change() - (ratio - 1.0)).abs() < 1e-6 && divergence.change_error() > 0.1);
}
