use super::Annotations;

const SOUND: &str = r#"{
    "info": {"year": 2017}, "licenses": [],
    "images": [{"id": 7, "file_name": "b/7.jpg", "width": 4, "height": 3}, {"id": 2, "file_name": "2.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [1.5, 2, 3, 4], "area": 5.5, "iscrowd": 0, "segmentation": []},
        {"id": 2, "image_id": 2, "category_id": 1, "bbox": [0, 0, 3, 4], "iscrowd": 1}
    ],
    "categories": [{"id": 90, "name": "toothbrush", "supercategory": "indoor"}, {"id": 1, "name": "person"}]
}"#;

#[test]
fn reads_what_detection_needs() {
    let annotations = Annotations::parse(SOUND).unwrap();
    let names: Vec<_> = annotations.images.iter().map(|image| image.file_name.as_str()).collect();
    assert_eq!(names, ["2.jpg", "b/7.jpg"], "in the order of ids");
    assert_eq!(annotations.categories[1].name, "toothbrush");
    let [first, second] = &annotations.objects[..] else { panic!("two objects") };
    assert_eq!((first.image, first.category, first.area, first.crowd), (1, 1, 5.5, false));
    assert_eq!((second.image, second.category, second.area, second.crowd), (0, 0, 12.0, true));
}

#[test]
fn wrong_annotations_are_refused_by_name() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(SOUND.contains(from), "{from}");
        let error = Annotations::parse(&SOUND.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    };
    check("\"image_id\": 7", "\"image_id\": 8", "annotation 1 refers to image 8");
    check("\"category_id\": 1,", "\"category_id\": 3,", "annotation 2 refers to category 3");
    check("{\"id\": 2, \"file_name\"", "{\"id\": 7, \"file_name\"", "two images with the id 7");
    check("{\"id\": 90,", "{\"id\": 1,", "two categories with the id 1");
    check("{\"id\": 2, \"image_id\"", "{\"id\": 1, \"image_id\"", "two annotations with the id 1");
    check("[1.5, 2, 3, 4]", "[1.5, 2, -3, 4]", "annotation 1 has the box");
    check("[1.5, 2, 3, 4]", "[1.5, 2, 3]", "line 5");
    check("[1.5, 2, 3, 4]", "[1.5, 2, 3, 1e999]", "line 5");
    check("5.5", "-5.5", "annotation 1 has the box");
    check("\"b/7.jpg\"", "\"../7.jpg\"", "leads out of the folder");
    check("\"b/7.jpg\"", "\"/etc/passwd\"", "leads out of the folder");
    check("\"b/7.jpg\"", "\"\"", "leads out of the folder");
    check("\"id\": 7", "\"id\": -7", "cannot be read");
    check("\"images\"", "\"pictures\"", "missing field `images`");
    let empty = r#"{"images": [], "annotations": [], "categories": []}"#;
    assert!(Annotations::parse(empty).unwrap_err().to_string().contains("no images"));
    for hostile in ["", "[]", "null", "{", &"[".repeat(100_000), "\u{0}"] {
        assert!(Annotations::parse(hostile).is_err());
    }
    for cut in 0..SOUND.len() {
        if SOUND.is_char_boundary(cut) {
            assert!(Annotations::parse(&SOUND[..cut]).is_err());
        }
    }
}
