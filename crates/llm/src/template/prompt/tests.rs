use serde_json::json;

use super::*;

fn fill(source: &str) -> Result<String, PromptError> {
    let values = json!({"event": {"label": "person", "score": 0.87}, "events": [{"label": "cat"}, {"label": "dog"}],
        "readings": {"soc": {"value": 61.5, "unit": "°C"}}});
    PromptTemplate::new(source)?.fill(&values)
}

#[test]
fn values_are_filled_in() {
    let source = "A {{ event.label }} ({{ event.score | round(1) }}); before: {% for e in events %}{{ e.label }} {% endfor \
                  %}at {{ readings.soc.value }} {{ readings.soc.unit }}";
    assert_eq!(fill(source).unwrap(), "A person (0.9); before: cat dog at 61.5 °C");
    assert_eq!(fill("{% if readings.hall is defined %}{{ readings.hall.value }}{% endif %}none").unwrap(), "none");
}

#[test]
fn what_is_wrong_is_said() {
    for (source, reason) in [
        ("{{ event.labl }}", "undefined value"),
        ("{{ evnt }}", "undefined value"),
        ("{{ event.label", "syntax error"),
        ("{% for i in range(100000) %}{% for j in range(100000) %}{{ i }}{% endfor %}{% endfor %}", "fuel"),
        ("{{ event.label | shout }}", "unknown filter"),
    ] {
        let error = fill(source).unwrap_err().to_string();
        assert!(error.contains(reason) && error.ends_with("; correct it"), "{source}: {error}");
    }
    let long = "a".repeat(TEMPLATE_BYTES_MAX + 1);
    assert!(fill(&long).unwrap_err().to_string().contains("shorten it"));
}
