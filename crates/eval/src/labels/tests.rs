use super::LabelMap;
use crate::coco::Annotations;

fn annotations() -> Annotations {
    let text = r#"{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [], "categories": [
        {"id": 1, "name": "person"}, {"id": 21, "name": "cow"}, {"id": 47, "name": "cup"}]}"#;
    Annotations::parse(text).unwrap()
}

fn labels() -> Vec<String> {
    ["Cattle", "Person", "Desk", "Mug", "Coffee cup"].map(str::to_owned).to_vec()
}

#[test]
fn maps_by_name_and_by_what_others_call_it() {
    let map = LabelMap::by_name(&labels(), &annotations()).unwrap();
    let given: Vec<_> = (0..6).map(|label| map.category(label)).collect();
    assert_eq!(given, [Some(1), Some(0), None, Some(2), Some(2), None]);
    assert_eq!(map.categories(), [0, 1, 2]);
}

#[test]
fn a_file_says_otherwise() {
    let map = LabelMap::parse(r#"{"Desk": "cup", "Mug": null}"#, &labels(), &annotations()).unwrap();
    let given: Vec<_> = (0..5).map(|label| map.category(label)).collect();
    assert_eq!(given, [Some(1), Some(0), Some(2), None, Some(2)]);
}

#[test]
fn what_does_not_exist_is_named() {
    let check = |text: &str, expected: &str| {
        let error = LabelMap::parse(text, &labels(), &annotations()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(r#"{"Desk": "sofa"}"#, "turns \"Desk\" into \"sofa\"");
    check(r#"{"Sofa": "cup"}"#, "\"Sofa\", which is no label of the model");
    check("[1]", "cannot be read");
    let strange = LabelMap::by_name(&["Boot".to_owned()], &annotations()).unwrap_err().to_string();
    assert!(strange.contains("no label of the model (Boot)"), "{strange}");
}
