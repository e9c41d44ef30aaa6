use super::*;
use crate::tensor::DataType;

/// Two layers of everything that has a switch.
pub(crate) fn small() -> Language {
    let rope = Rope { theta: 10_000.0, dimensions: 16, scaling: RopeScaling::None };
    let architecture = Architecture {
        width: 64,
        heads: 4,
        kv_heads: 2,
        head_dim: 16,
        feed_forward: 96,
        vocabulary: 100,
        context: 512,
        norm_epsilon: 1e-5,
        gate: Gate::Silu,
        qkv_bias: true,
        query_key_norm: QueryKeyNorm::PerHead,
        norms: NormPlacement::BeforeAndAfter,
        tied_embedding: false,
        embedding_multiplier: 1.0,
        residual_multiplier: 1.0,
        attention_scale: 0.25,
        attention_softcap: Some(50.0),
        attention_temperature: Some(AttentionTemperature { beta: 0.1, original_context: 256 }),
        logit_multiplier: 1.0,
        logit_softcap: None,
        rope: Rope { theta: 1e6, ..rope.clone() },
        local_rope: Some(rope),
        layers: vec![
            Layer { rope: LayerRope::Local, window: Some(128) },
            Layer { rope: LayerRope::Global, window: None },
        ],
    };
    let tokens = SpecialTokens { begin: Some(1), add_begin: true, stops: vec![2, 99] };
    Language { name: String::from("small"), architecture, tokens, chat_template: Some(String::from("{{ messages }}")) }
}

/// Changes the description; the answer must be an error that says `expected`.
#[track_caller]
fn refused(expected: &str, change: impl FnOnce(&mut Language)) {
    let mut language = small();
    change(&mut language);
    let message = language.check().expect_err(expected).to_string();
    assert!(message.contains(expected), "`{message}` does not say `{expected}`");
}

#[test]
fn it_survives_json_and_knows_no_other_fields() {
    let language = small();
    language.check().unwrap();
    let mut json = serde_json::to_value(&language).unwrap();
    assert_eq!(serde_json::from_value::<Language>(json.clone()).unwrap(), language);
    json["architecture"]["experts"] = 8.into();
    assert!(serde_json::from_value::<Language>(json).unwrap_err().to_string().contains("experts"));
}

#[test]
fn sizes_are_held_to_limits_and_to_each_other() {
    refused("`width` is 0, which is not in 32..=65536", |language| language.architecture.width = 0);
    refused("`width` is 72, which is not a multiple of 32", |language| language.architecture.width = 72);
    refused("`heads` is 0", |language| language.architecture.heads = 0);
    refused("`heads` is 18446744073709551615", |language| language.architecture.heads = usize::MAX);
    refused("the 4 query heads cannot share 3 key heads", |language| language.architecture.kv_heads = 3);
    refused("`kv_heads` is 0", |language| language.architecture.kv_heads = 0);
    refused("`head_dim` is 12, which is not a multiple of 8", |language| language.architecture.head_dim = 12);
    refused("`heads * head_dim` is 16", |language| {
        language.architecture.heads = 2;
        language.architecture.head_dim = 8;
    });
    refused("`feed_forward` is 100", |language| language.architecture.feed_forward = 100);
    refused("`vocabulary` is 1073741824", |language| language.architecture.vocabulary = 1 << 30);
    refused("`context` is 0", |language| language.architecture.context = 0);
    refused("`layers.length` is 0", |language| language.architecture.layers.clear());
    refused("`window` is 0", |language| language.architecture.layers[0].window = Some(0));
    refused("`chat_template.length` is 2097152", |language| language.chat_template = Some(" ".repeat(2 << 20)));
}

#[test]
fn numbers_are_what_they_say() {
    refused("`norm_epsilon` is 0, but must be", |language| language.architecture.norm_epsilon = 0.0);
    refused("`attention_scale` is NaN", |language| language.architecture.attention_scale = f32::NAN);
    refused("`logit_softcap` is -1", |language| language.architecture.logit_softcap = Some(-1.0));
    refused("`logit_multiplier` is inf", |language| language.architecture.logit_multiplier = f32::INFINITY);
    refused("`rope.theta` is 0.5", |language| language.architecture.rope.theta = 0.5);
    refused("`rope.dimensions` is 18", |language| language.architecture.rope.dimensions = 18);
    refused("`rope.dimensions` is 7", |language| language.architecture.rope.dimensions = 7);
    refused("`attention_temperature.beta` is -1", |language| {
        language.architecture.attention_temperature = Some(AttentionTemperature { beta: -1.0, original_context: 1 });
    });
}

#[test]
fn scalings_are_checked() {
    let scaled = |scaling: RopeScaling| move |language: &mut Language| language.architecture.rope.scaling = scaling;
    refused("`rope.scaling.factor` is 0", scaled(RopeScaling::Linear { factor: 0.0 }));
    let llama = RopeScaling::Llama3 { factor: 8.0, low: 4.0, high: 4.0, original_context: 64 };
    refused("`rope.scaling.high` is 4, but must be above `rope.scaling.low`", scaled(llama));
    let yarn = |beta_fast, original_context| RopeScaling::Yarn {
        factor: 16.0,
        beta_fast,
        beta_slow: 1.0,
        original_context,
        magnitude: 1.0,
        truncate: true,
    };
    refused("`rope.scaling.beta_fast` is 0.5", scaled(yarn(0.5, 64)));
    refused("`rope.scaling.original_context` is 0", scaled(yarn(32.0, 0)));
    let long = |count: usize, factor: f32| RopeScaling::LongRope {
        short: vec![1.0; 8],
        long: vec![factor; count],
        original_context: 64,
        magnitude: 1.2,
    };
    refused("`rope.scaling.long` has 7 factors, but there are 8 frequencies", scaled(long(7, 1.0)));
    refused("`rope.scaling.long` is 0", scaled(long(8, 0.0)));
    refused("`rope.scaling.factors` has 0 factors", scaled(RopeScaling::Factors { factors: Vec::new() }));
}

#[test]
fn tokens_and_local_layers_must_be_there() {
    refused("the token 100 of `tokens.stops` is not below", |language| language.tokens.stops.push(100));
    refused("the token 4294967295 of `tokens.begin`", |language| language.tokens.begin = Some(u32::MAX));
    refused("`tokens.begin` is absent", |language| language.tokens.begin = None);
    refused("`tokens.stops.length` is 65", |language| language.tokens.stops = vec![0; 65]);
    refused("layer 0 turns by `local_rope`", |language| language.architecture.local_rope = None);
}

#[test]
fn an_architecture_lists_its_tensors() {
    let mut architecture = small().architecture;
    let names: Vec<String> = architecture.tensors().into_iter().map(|tensor| tensor.name).collect();
    assert_eq!(names.len(), 2 * (7 + 4) + 3, "{names:?}");
    assert_eq!(names.last().unwrap(), "head");
    let gate_up = architecture.tensors().into_iter().find(|tensor| tensor.name == "layers.1.feed_forward.gate_up");
    assert_eq!(gate_up.unwrap().form, TensorForm::Matrix { rows: 192, columns: 64 });
    architecture.tied_embedding = true;
    architecture.qkv_bias = false;
    architecture.query_key_norm = QueryKeyNorm::Whole;
    architecture.norms = NormPlacement::After;
    let wanted = architecture.tensors();
    let form = |name: &str| wanted.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.form);
    assert_eq!(form("layers.0.attention.key_norm"), Some(TensorForm::Floats { length: 32 }));
    assert_eq!(form("layers.0.attention.norm"), None);
    assert_eq!(form("layers.0.attention.qkv_bias"), None);
    assert_eq!(form("head"), None);
}

#[test]
fn a_packed_shape_tells_its_precision() {
    for precision in Precision::ALL {
        let (data_type, shape) = precision.packed(100, 64);
        assert_eq!(Precision::of(data_type, &shape, 100, 64), Some(precision));
        assert_eq!(Precision::of(data_type, &shape, 105, 64), None, "one tile more");
    }
    assert_eq!(Precision::Int4.packed(100, 64), (DataType::U8, vec![13, 2, 144]));
    assert_eq!(Precision::Int8.packed(96, 64), (DataType::U8, vec![12, 2, 272]));
    assert_eq!(Precision::F16.packed(1, 64), (DataType::F16, vec![1, 64, 8]));
}
