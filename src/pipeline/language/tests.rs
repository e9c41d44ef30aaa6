pub(crate) mod made_up;

use clawdbot_nn::metadata::language::Precision;

use super::*;

/// The embedding does not count: the recipe `int4` keeps it in INT8.
#[test]
fn a_recipe_is_told_by_the_layers() {
    let told = |precision: &dyn Fn(&str) -> Precision| {
        let folder = tempfile::tempdir().unwrap();
        recipe(&LanguageBundle::open(&made_up::model_of(folder.path(), precision)).unwrap())
    };
    let embedding = |name: &str| name == "embedding";
    assert_eq!(told(&|_| Precision::F16), "f16");
    assert_eq!(told(&|_| Precision::Int8), "int8");
    assert_eq!(told(&|name| if embedding(name) { Precision::Int8 } else { Precision::Int4 }), "int4");
    assert_eq!(told(&|name| if name.ends_with("qkv") { Precision::Int8 } else { Precision::Int4 }), "mixed");
}

#[test]
fn a_context_is_the_model_s_or_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = open_model(&made_up::model(folder.path())).unwrap();
    assert_eq!((context(&model, None).unwrap(), context(&model, Some(100)).unwrap()), (512, 100));
    assert!(matches!(context(&model, Some(513)), Err(LanguageError::Context { wanted: 513, max: 512 })));
}
