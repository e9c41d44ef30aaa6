use super::{Labelled, TopK, TruthError, parse_truth, resolve};

fn labels() -> Vec<String> {
    ["cat", "dog", "Crane", "crane"].map(ToOwned::to_owned).to_vec()
}

#[test]
fn truth_is_read_line_by_line() {
    let truth = parse_truth("a.jpg\tDog\n\nin/b.png\t crane \n", &labels()).unwrap();
    let labelled = |picture: &str, label| Labelled { picture: picture.to_owned(), label };
    assert_eq!(truth, [labelled("a.jpg", 1), labelled("in/b.png", 2)]);
    assert!(matches!(parse_truth("a.jpg\tdog\nb.jpg", &labels()), Err(TruthError::Line { line: 2, .. })));
    assert!(matches!(parse_truth("../a.jpg\tdog", &labels()), Err(TruthError::FileName { line: 1, .. })));
    assert_eq!(parse_truth("\n", &labels()), Err(TruthError::Nothing));
    let message = parse_truth("a.jpg\tcow", &labels()).unwrap_err().to_string();
    assert!(message.contains("\"cow\"") && message.contains("cat, dog"), "{message}");
    assert_eq!(resolve(Vec::new(), &labels()), Err(TruthError::Nothing));
}

#[test]
fn first_and_wide_are_counted() {
    let mut figures = TopK::default();
    figures.add(1, [1, 2, 3]);
    figures.add(1, [0, 2, 3, 4, 1]);
    figures.add(1, [0, 2, 3, 4, 5, 1]);
    figures.add(1, []);
    assert_eq!(figures, TopK { pictures: 4, first: 1, wide: 2 });
    assert!((figures.share(figures.wide) - 0.5).abs() < 1e-12 && TopK::default().share(0) == 0.0);
}
