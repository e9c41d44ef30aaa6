//! Writes small GGUF files of one layer, with keys and tensors to change.

use std::collections::BTreeMap;

/// A file in the making; values come with their types.
pub(in crate::language::tests) struct File {
    keys: BTreeMap<String, Vec<u8>>,
    tensors: BTreeMap<String, (Vec<u64>, Vec<u8>)>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl File {
    /// Width 32, 4 heads of 8, feed-forward 64, six tokens, byte-level BPE.
    pub(in crate::language::tests) fn small() -> Self {
        let mut file = Self { keys: BTreeMap::new(), tensors: BTreeMap::new() };
        file.text("general.architecture", "llama").count("llama.block_count", 1).count("llama.context_length", 64);
        file.count("llama.embedding_length", 32).count("llama.feed_forward_length", 64);
        file.count("llama.attention.head_count", 4).number("llama.attention.layer_norm_rms_epsilon", 1e-5);
        file.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "llama-bpe");
        file.texts("tokenizer.ggml.tokens", &["a", "b", "ab", "aba", "<|eot_id|>", "<s>"]);
        file.integers("tokenizer.ggml.token_type", &[1, 1, 1, 1, 3, 3]).count("tokenizer.ggml.bos_token_id", 5);
        file.texts("tokenizer.ggml.merges", &["a b", "ab a"]).count("tokenizer.ggml.eos_token_id", 4);
        for (name, shape) in [
            ("token_embd", &[32, 6][..]),
            ("output_norm", &[32]),
            ("blk.0.attn_norm", &[32]),
            ("blk.0.ffn_norm", &[32]),
            ("blk.0.attn_q", &[32, 32]),
            ("blk.0.attn_k", &[32, 32]),
            ("blk.0.attn_v", &[32, 32]),
            ("blk.0.attn_output", &[32, 32]),
            ("blk.0.ffn_gate", &[32, 64]),
            ("blk.0.ffn_up", &[32, 64]),
            ("blk.0.ffn_down", &[64, 32]),
        ] {
            // Every value is the number of its row.
            file.floats(&format!("{name}.weight"), shape, |at| (at / 32) as f32);
        }
        file
    }

    fn key(&mut self, key: &str, kind: u32, value: &[u8]) -> &mut Self {
        self.keys.insert(key.to_owned(), [&kind.to_le_bytes()[..], value].concat());
        self
    }

    pub(in crate::language::tests) fn text(&mut self, key: &str, text: &str) -> &mut Self {
        self.key(key, 8, &string(text))
    }

    pub(in crate::language::tests) fn count(&mut self, key: &str, count: u32) -> &mut Self {
        self.key(key, 4, &count.to_le_bytes())
    }

    pub(in crate::language::tests) fn set(&mut self, key: &str, count: u32) {
        self.count(key, count);
    }

    pub(in crate::language::tests) fn number(&mut self, key: &str, number: f32) -> &mut Self {
        self.key(key, 6, &number.to_le_bytes())
    }

    pub(in crate::language::tests) fn flag(&mut self, key: &str, flag: bool) -> &mut Self {
        self.key(key, 7, &[u8::from(flag)])
    }

    fn array(&mut self, key: &str, kind: u32, count: usize, content: &[u8]) -> &mut Self {
        self.key(key, 9, &[&kind.to_le_bytes()[..], &(count as u64).to_le_bytes(), content].concat())
    }

    pub(in crate::language::tests) fn texts(&mut self, key: &str, texts: &[&str]) -> &mut Self {
        let content: Vec<u8> = texts.iter().flat_map(|text| string(text)).collect();
        self.array(key, 8, texts.len(), &content)
    }

    pub(in crate::language::tests) fn integers(&mut self, key: &str, list: &[i32]) -> &mut Self {
        let content: Vec<u8> = list.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.array(key, 5, list.len(), &content)
    }

    pub(in crate::language::tests) fn numbers(&mut self, key: &str, list: &[f32]) -> &mut Self {
        let content: Vec<u8> = list.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.array(key, 6, list.len(), &content)
    }

    /// Calls the architecture, and all keys that begin with its name, something else.
    pub(in crate::language::tests) fn rename(&mut self, from: &str, to: &str) {
        let rename =
            |key: String| key.strip_prefix(&format!("{from}.")).map_or(key.clone(), |rest| format!("{to}.{rest}"));
        self.keys = std::mem::take(&mut self.keys).into_iter().map(|(key, value)| (rename(key), value)).collect();
        self.text("general.architecture", to);
    }

    pub(in crate::language::tests) fn without(&mut self, key: &str) {
        self.keys.remove(key).unwrap();
    }

    pub(in crate::language::tests) fn remove(&mut self, tensor: &str) {
        self.tensors.remove(tensor).unwrap();
    }

    /// A tensor of F32, the contiguous dimension first.
    pub(in crate::language::tests) fn floats(&mut self, name: &str, shape: &[u64], value: impl Fn(usize) -> f32) {
        let count = usize::try_from(shape.iter().product::<u64>()).unwrap();
        let bytes = (0..count).flat_map(|at| value(at).to_le_bytes()).collect();
        self.tensors.insert(name.to_owned(), (shape.to_vec(), bytes));
    }

    pub(in crate::language::tests) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            bytes.extend(string(key));
            bytes.extend(value);
        }
        let mut offset = 0_u64;
        for (name, (shape, data)) in &self.tensors {
            bytes.extend(string(name));
            bytes.extend(u32::try_from(shape.len()).unwrap().to_le_bytes());
            bytes.extend(shape.iter().flat_map(|side| side.to_le_bytes()));
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            offset = (offset + data.len() as u64).next_multiple_of(32);
        }
        for (_, data) in self.tensors.values() {
            bytes.resize(bytes.len().next_multiple_of(32), 0);
            bytes.extend(data);
        }
        bytes
    }
}
