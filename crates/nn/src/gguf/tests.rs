mod blocks;
mod hostile;
mod writer;

use super::{BlockType, Gguf, Value};
use writer::{File, scalar, texts};

fn open(bytes: &[u8]) -> Result<Gguf, String> {
    Gguf::from_bytes("test", bytes).map_err(|error| error.to_string())
}

#[test]
fn keys_of_every_type_are_read() {
    let mut file = File::new();
    file.key("a.u8", 0, &[200]).key("a.i8", 1, &[0xff]).key("a.u16", 2, &513_u16.to_le_bytes());
    file.key("a.i16", 3, &(-2_i16).to_le_bytes()).key("a.u32", 4, &7_u32.to_le_bytes());
    file.key("a.i32", 5, &(-7_i32).to_le_bytes()).key("a.f32", 6, &1.5_f32.to_le_bytes()).key("a.bool", 7, &[1]);
    file.text("a.text", "Grüße").key("a.u64", 10, &u64::MAX.to_le_bytes());
    file.key("a.i64", 11, &i64::MIN.to_le_bytes()).key("a.f64", 12, &0.1_f64.to_le_bytes());
    file.key("b.texts", 9, &texts(&["x", "", "yz"])).key("b.ints", 9, &scalar(5, 2, &[1, 0, 0, 0, 255, 255, 255, 255]));
    file.key("b.floats", 9, &scalar(6, 1, &0.5_f32.to_le_bytes())).key("b.flags", 9, &scalar(7, 2, &[1, 0]));
    file.key("b.none", 9, &scalar(4, 0, &[]));
    for version in [2, 3] {
        let gguf = open(&file.bytes_as(version)).unwrap();
        assert_eq!(gguf.version(), version);
        assert_eq!(gguf.keys().count(), 17);
        assert_eq!(gguf.value("a.u8"), Some(&Value::Unsigned(200)));
        assert_eq!(gguf.value("a.i8"), Some(&Value::Signed(-1)));
        assert_eq!(gguf.count("a.u16").unwrap(), Some(513));
        assert_eq!(gguf.value("a.i16"), Some(&Value::Signed(-2)));
        assert_eq!(gguf.count("a.u32").unwrap(), Some(7));
        assert_eq!(gguf.number("a.f32").unwrap(), Some(1.5));
        assert_eq!(gguf.number("a.i32").unwrap(), Some(-7.0));
        assert_eq!(gguf.flag("a.bool").unwrap(), Some(true));
        assert_eq!(gguf.text("a.text").unwrap(), Some("Grüße"));
        assert_eq!(gguf.value("a.u64"), Some(&Value::Unsigned(u64::MAX)));
        assert_eq!(gguf.value("a.i64"), Some(&Value::Signed(i64::MIN)));
        assert_eq!(gguf.number("a.f64").unwrap(), Some(0.1));
        assert_eq!(gguf.texts("b.texts").unwrap().unwrap(), ["x", "", "yz"]);
        assert_eq!(gguf.integers("b.ints").unwrap().unwrap(), [1, -1]);
        assert_eq!(gguf.value("b.floats"), Some(&Value::Floats(vec![0.5])));
        assert_eq!(gguf.value("b.flags"), Some(&Value::Bools(vec![true, false])));
        assert!(gguf.integers("b.none").unwrap().unwrap().is_empty());
    }
}

#[test]
fn a_value_of_another_type_is_an_error_that_names_the_key() {
    let mut file = File::new();
    file.text("general.name", "x").key("n", 5, &(-1_i32).to_le_bytes());
    let gguf = open(&file.bytes()).unwrap();
    let message = gguf.count("general.name").unwrap_err().to_string();
    assert!(
        message.contains("`test`") && message.contains("key `general.name`: it is a text, but should be"),
        "{message}"
    );
    assert!(gguf.count("n").unwrap_err().to_string().contains("should be a whole number, 0 or more"));
    assert!(gguf.texts("n").is_err() && gguf.flag("n").is_err() && gguf.text("n").is_err());
    assert_eq!(gguf.text("missing").unwrap(), None);
}

#[test]
fn tensors_are_read_by_rows_in_place() {
    let mut file = File::new();
    let floats: Vec<u8> = (0..6_i16).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    file.tensor("f", &[3, 2], 0, &floats);
    file.tensor("three", &[2, 1, 2, 1], 1, &[0, 0x3c, 0, 0x40, 0, 0xbc, 0, 0x38]);
    for alignment in [None, Some(64), Some(8)] {
        let bytes = file.aligned(alignment).bytes();
        let gguf = open(&bytes).unwrap();
        let tensor = gguf.tensor("f").unwrap();
        assert_eq!((tensor.block_type, tensor.columns, tensor.rows), (BlockType::F32, 3, 2));
        assert_eq!(gguf.bytes(tensor), floats);
        let mut row = [0.0; 3];
        gguf.row("f", 1, &mut row).unwrap();
        assert_eq!(row, [3.0, 4.0, 5.0]);
        let mut row = [0.0; 2];
        gguf.row("three", 1, &mut row).unwrap();
        assert_eq!(row, [-1.0, 0.5]);
        assert_eq!(gguf.tensors().map(|(name, _)| name).collect::<Vec<_>>(), ["f", "three"]);
        assert_eq!(gguf.file(), bytes);
        for (name, row, length) in [("f", 2, 3), ("f", 0, 2), ("g", 0, 1)] {
            assert!(gguf.row(name, row, &mut vec![0.0; length]).unwrap_err().to_string().contains(name));
        }
    }
}

#[test]
fn a_type_that_is_not_read_is_refused_by_name_when_it_is_asked_for() {
    let mut file = File::new();
    file.tensor("w", &[256], 10, &[0; 84]);
    let gguf = open(&file.bytes()).unwrap();
    let message = gguf.row("w", 0, &mut [0.0; 256]).unwrap_err().to_string();
    assert!(message.contains("tensor `w`: its type Q2_K is not read; supported: F32, F16, BF16, Q8_0"), "{message}");
}

#[test]
fn the_language_model_of_the_shared_data_is_read() {
    let Some(path) = crate::fixture::data("llm/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let gguf = Gguf::open(&path).unwrap();
    assert_eq!(gguf.tensors().count(), 272);
    assert_eq!(gguf.text("general.architecture").unwrap(), Some("llama"));
    assert_eq!(gguf.texts("tokenizer.ggml.merges").unwrap().unwrap().len(), 48_900);
    let tensor = gguf.tensor("blk.3.ffn_down.weight").unwrap();
    assert_eq!((tensor.block_type, tensor.columns, tensor.rows), (BlockType::Q4_1, 1536, 576));
    // By the `gguf` package 0.19.0: values 0, 1 and the last one of a row.
    for (name, row, columns, expected) in EXPECTED {
        let mut values = vec![0.0; *columns];
        gguf.row(name, *row, &mut values).unwrap();
        assert_eq!([values[0], values[1], values[columns - 1]], *expected, "{name} {row}");
    }
}

/// Tensor, row, its length; values 0, 1 and the last one.
const EXPECTED: &[(&str, usize, usize, [f32; 3])] = &[
    ("token_embd.weight", 5, 576, [-0.007_995_605_5, -0.039_978_027, -0.129_837_04]),
    ("token_embd.weight", 48_151, 576, [0.022_602_081, -0.122_051_24, -0.106_086_73]),
    ("blk.3.ffn_down.weight", 5, 1536, [0.088_684_08, 0.013_916_016, -0.053_588_867]),
    ("blk.29.attn_q.weight", 575, 576, [0.058_929_443, -0.064_483_64, 0.018_127_441]),
    ("output_norm.weight", 0, 576, [1.757_812_5, 1.820_312_5, 1.984_375]),
];
