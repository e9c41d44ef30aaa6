//! Just enough of a flatbuffer writer to make hostile files field by field.

/// A field's content.
#[derive(Clone)]
pub(super) enum Field {
    I8(i8),
    I32(i32),
    U32(u32),
    U64(u64),
    F32(f32),
    Table(Fields),
    Tables(Vec<Fields>),
    I32s(Vec<i32>),
    I64s(Vec<i64>),
    F32s(Vec<f32>),
    Bytes(Vec<u8>),
    Text(&'static str),
    Name(String),
}

/// A table: numbers of its fields and their content.
pub(super) type Fields = Vec<(usize, Field)>;

/// A whole file.
pub(super) fn write(root: &Fields) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend(b"TFL3");
    let position = table(&mut bytes, root);
    bytes[..4].copy_from_slice(&position.to_le_bytes());
    bytes
}

fn here(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

/// Appends a table with everything below it; answers its position. Each field takes eight bytes.
fn table(bytes: &mut Vec<u8>, fields: &Fields) -> u32 {
    let slots = fields.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
    let vtable = here(bytes);
    let mut offsets = vec![0_u16; slots];
    for (place, (id, _)) in fields.iter().enumerate() {
        offsets[*id] = u16::try_from(4 + 8 * place).unwrap();
    }
    let sizes = [4 + 2 * slots, 4 + 8 * fields.len()].map(|size| u16::try_from(size).unwrap());
    for word in sizes.iter().chain(&offsets) {
        bytes.extend(word.to_le_bytes());
    }
    let position = here(bytes);
    bytes.extend((position - vtable).to_le_bytes());
    bytes.resize(bytes.len() + 8 * fields.len(), 0);
    for (place, (_, field)) in fields.iter().enumerate() {
        let slot = position as usize + 4 + 8 * place;
        let inline = content(bytes, field, u32::try_from(slot).unwrap());
        bytes[slot..slot + inline.len()].copy_from_slice(&inline);
    }
    position
}

/// What stands in the field's slot; appends what lies outside it.
fn content(bytes: &mut Vec<u8>, field: &Field, slot: u32) -> Vec<u8> {
    let offset = match field {
        Field::I8(x) => return x.to_le_bytes().to_vec(),
        Field::I32(x) => return x.to_le_bytes().to_vec(),
        Field::U32(x) => return x.to_le_bytes().to_vec(),
        Field::U64(x) => return x.to_le_bytes().to_vec(),
        Field::F32(x) => return x.to_le_bytes().to_vec(),
        Field::Table(fields) => table(bytes, fields) - slot,
        Field::Tables(tables) => {
            let start = here(bytes);
            bytes.extend(u32::try_from(tables.len()).unwrap().to_le_bytes());
            bytes.resize(bytes.len() + 4 * tables.len(), 0);
            for (index, fields) in tables.iter().enumerate() {
                let place = start as usize + 4 + 4 * index;
                let offset = table(bytes, fields) - u32::try_from(place).unwrap();
                bytes[place..place + 4].copy_from_slice(&offset.to_le_bytes());
            }
            start - slot
        }
        Field::I32s(xs) => vector(bytes, xs.iter().map(|x| x.to_le_bytes())) - slot,
        Field::I64s(xs) => vector(bytes, xs.iter().map(|x| x.to_le_bytes())) - slot,
        Field::F32s(xs) => vector(bytes, xs.iter().map(|x| x.to_le_bytes())) - slot,
        Field::Bytes(xs) => vector(bytes, xs.iter().map(|x| [*x])) - slot,
        Field::Text(text) => vector(bytes, text.bytes().map(|x| [x])) - slot,
        Field::Name(text) => vector(bytes, text.bytes().map(|x| [x])) - slot,
    };
    offset.to_le_bytes().to_vec()
}

fn vector<const N: usize>(bytes: &mut Vec<u8>, elements: impl ExactSizeIterator<Item = [u8; N]>) -> u32 {
    let start = here(bytes);
    bytes.extend(u32::try_from(elements.len()).unwrap().to_le_bytes());
    elements.for_each(|element| bytes.extend(element));
    start
}
