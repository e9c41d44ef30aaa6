//! Makes ONNX files field by field: what the reader reads, and a little that it must not.

/// A message as it is encoded.
#[derive(Clone, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap());
    }

    pub(super) fn integer(mut self, field: u64, value: i64) -> Self {
        self.number(field << 3);
        self.number(value.cast_unsigned());
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.number(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.number(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(super) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// Numbers as one packed field.
    pub(super) fn packed(self, field: u64, all: &[i64]) -> Self {
        let mut inner = Self::default();
        all.iter().for_each(|&number| inner.number(number.cast_unsigned()));
        self.message(field, &inner)
    }
}

/// A `TensorProto` without content.
pub(super) fn tensor(name: &str, shape: &[i64], element_type: i64) -> Message {
    shape
        .iter()
        .fold(Message::default(), |message, &side| message.integer(1, side))
        .integer(2, element_type)
        .text(8, name)
}

/// A FLOAT tensor with raw content.
pub(super) fn floats(name: &str, shape: &[i64], all: &[f32]) -> Message {
    let raw: Vec<u8> = all.iter().flat_map(|x| x.to_le_bytes()).collect();
    tensor(name, shape, 1).bytes(9, &raw)
}

/// An INT64 tensor with raw content.
pub(super) fn integers(name: &str, shape: &[i64], all: &[i64]) -> Message {
    let raw: Vec<u8> = all.iter().flat_map(|x| x.to_le_bytes()).collect();
    tensor(name, shape, 7).bytes(9, &raw)
}

/// An attribute's value.
#[derive(Clone)]
pub(super) enum Attribute {
    Int(i64),
    Float(f32),
    Text(&'static str),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Tensor(Message),
}

impl Attribute {
    fn message(&self, name: &str) -> Message {
        let message = Message::default().text(1, name);
        match self {
            Self::Float(x) => message.float(2, *x).integer(20, 1),
            Self::Int(x) => message.integer(3, *x).integer(20, 2),
            Self::Text(x) => message.text(4, x).integer(20, 3),
            Self::Tensor(x) => message.message(5, x).integer(20, 4),
            Self::Floats(all) => all.iter().fold(message, |message, &x| message.float(7, x)).integer(20, 6),
            Self::Ints(all) => all.iter().fold(message, |message, &x| message.integer(8, x)).integer(20, 7),
        }
    }
}

/// A whole file, part by part.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) opset: i64,
    pub(super) graph: Message,
    pub(super) rest: Message,
    /// Name and shape of each input.
    pub(super) inputs: Vec<(String, Vec<usize>)>,
    /// Of its nodes, in order.
    pub(super) operators: Vec<String>,
}

impl Model {
    pub(super) fn new(opset: i64) -> Self {
        Self { opset, graph: Message::default(), rest: Message::default(), inputs: Vec::new(), operators: Vec::new() }
    }

    /// An input; a side of -1 is open.
    pub(super) fn input(mut self, name: &str, shape: &[i64]) -> Self {
        let sides = shape.iter().fold(Message::default(), |sides, &side| {
            let dimension =
                if side < 0 { Message::default().text(2, "side") } else { Message::default().integer(1, side) };
            sides.message(1, &dimension)
        });
        let tensor = Message::default().integer(1, 1).message(2, &sides);
        let info = Message::default().text(1, name).message(2, &Message::default().message(1, &tensor));
        self.graph = self.graph.message(11, &info);
        let shape = shape.iter().map(|&side| usize::try_from(side).unwrap_or(1)).collect();
        self.inputs.push((name.to_owned(), shape));
        self
    }

    pub(super) fn output(mut self, name: &str) -> Self {
        let tensor = Message::default().integer(1, 1);
        let info = Message::default().text(1, name).message(2, &Message::default().message(1, &tensor));
        self.graph = self.graph.message(12, &info);
        self
    }

    pub(super) fn constant(mut self, tensor: &Message) -> Self {
        self.graph = self.graph.message(5, tensor);
        self
    }

    /// Floats that vary, multiples of a quarter.
    pub(super) fn weights(self, name: &str, shape: &[i64]) -> Self {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        self.constant(&floats(name, shape, &pattern(count, name.len())))
    }

    pub(super) fn integers(self, name: &str, all: &[i64]) -> Self {
        let length = i64::try_from(all.len()).unwrap();
        self.constant(&integers(name, &[length], all))
    }

    pub(super) fn floats(self, name: &str, shape: &[i64], all: &[f32]) -> Self {
        self.constant(&floats(name, shape, all))
    }

    pub(super) fn node(
        mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Self {
        let mut node = inputs.iter().fold(Message::default(), |node, name| node.text(1, name));
        node = outputs.iter().fold(node, |node, name| node.text(2, name));
        node = node.text(3, &format!("{operator}_{}", self.operators.len())).text(4, operator);
        node = attributes.iter().fold(node, |node, (name, value)| node.message(5, &value.message(name)));
        self.graph = self.graph.message(1, &node);
        self.operators.push(operator.to_owned());
        self
    }

    /// Name and value for people.
    pub(super) fn metadata(mut self, key: &str, value: &str) -> Self {
        self.rest = self.rest.message(14, &Message::default().text(1, key).text(2, value));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let opset = Message::default().text(1, "").integer(2, self.opset);
        let start = Message::default().integer(1, 8).text(2, "test").message(7, &self.graph).message(8, &opset);
        [start.0, self.rest.0.clone()].concat()
    }
}

/// Multiples of a quarter from -2 to 2 that do not repeat soon.
pub(super) fn pattern(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * at + at * 5 + seed * 3) % 17) as f32 * 0.25 - 2.0).collect()
}
