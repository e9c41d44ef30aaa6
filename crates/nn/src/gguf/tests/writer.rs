//! Writes GGUF files, byte by byte: good ones, and with the pieces in one's own hand bad ones.

/// A file in the making.
#[derive(Clone, Default)]
pub(super) struct File {
    keys: Vec<Vec<u8>>,
    tensors: Vec<(Vec<u8>, Vec<u8>)>,
    alignment: Option<usize>,
}

/// A length and the bytes of `text`.
pub(super) fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The value of an array of texts.
pub(super) fn texts(texts: &[&str]) -> Vec<u8> {
    let content: Vec<u8> = texts.iter().flat_map(|text| string(text)).collect();
    scalar(8, texts.len() as u64, &content)
}

/// The value of an array of `count` elements of type `kind`.
pub(super) fn scalar(kind: u32, count: u64, content: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), content].concat()
}

impl File {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn key(&mut self, key: &str, kind: u32, value: &[u8]) -> &mut Self {
        self.keys.push([&string(key)[..], &kind.to_le_bytes(), value].concat());
        self
    }

    pub(super) fn text(&mut self, key: &str, text: &str) -> &mut Self {
        self.key(key, 8, &string(text))
    }

    /// A tensor whose offset is filled in when the file is made.
    pub(super) fn tensor(&mut self, name: &str, shape: &[u64], kind: u32, data: &[u8]) -> &mut Self {
        let sides = shape.iter().flat_map(|side| side.to_le_bytes()).collect::<Vec<u8>>();
        let count = u32::try_from(shape.len()).unwrap().to_le_bytes();
        self.tensors.push(([&string(name)[..], &count, &sides, &kind.to_le_bytes()].concat(), data.to_vec()));
        self
    }

    /// The same file with this alignment of its data.
    pub(super) fn aligned(&self, alignment: Option<usize>) -> Self {
        let mut file = Self { alignment, ..self.clone() };
        if let Some(alignment) = alignment {
            file.key("general.alignment", 4, &u32::try_from(alignment).unwrap().to_le_bytes());
        }
        file
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes_as(3)
    }

    pub(super) fn bytes_as(&self, version: u32) -> Vec<u8> {
        let alignment = self.alignment.unwrap_or(32);
        let mut offset = 0;
        let offsets: Vec<u64> = (self.tensors.iter())
            .map(|(_, data)| {
                let start = offset;
                offset = (start + data.len()).next_multiple_of(alignment);
                start as u64
            })
            .collect();
        self.with_offsets(version, &offsets)
    }

    /// The file with these offsets, whatever they are; the data stands where it should.
    pub(super) fn with_offsets(&self, version: u32, offsets: &[u64]) -> Vec<u8> {
        let alignment = self.alignment.unwrap_or(32);
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        bytes.extend(self.keys.concat());
        for ((description, _), offset) in self.tensors.iter().zip(offsets) {
            bytes.extend(description);
            bytes.extend(offset.to_le_bytes());
        }
        for (_, data) in &self.tensors {
            bytes.resize(bytes.len().next_multiple_of(alignment), 0);
            bytes.extend(data);
        }
        bytes
    }
}
