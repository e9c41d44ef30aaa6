//! Walks the nodes that the outputs need and makes the graph.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use clawdbot_nn::graph::{Activation, Graph, Node, Op, Quantization, Value, ValueId};
use clawdbot_nn::passes;
use clawdbot_nn::tensor::{Elements, Tensor};

use super::OnnxError;
use super::array::{self, Array};
use super::external;
use super::layout::{Movement, PICTURE, View};
use super::messages::{self, Input, Model, RANK_MAX, Side};
use super::operators::{self, Call, Fault};

/// Constants may hold this many elements for each byte that was read (an INT8 weight is decoded, dequantised and put in
/// order) ...
const ELEMENTS_PER_BYTE: usize = 4;
/// ... and so many more, for what is computed and for grouped convolutions that are made dense.
const ELEMENTS_SPARE: usize = 1 << 24;

/// A network has no more inputs, nor outputs.
const ENDS_MAX: usize = 256;

/// What a name of the file stands for.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Known before the network runs.
    Constant(Rc<Array>),
    /// Made by the network, or supplied.
    Activation(View),
}

/// The graph so far, and which names of the file it knows.
pub(super) struct Builder<'m, 'a> {
    source: &'m messages::Graph<'a>,
    folder: Option<&'m Path>,
    graph: Graph,
    known: BTreeMap<&'a str, Known>,
    /// How many nodes want to be called so.
    node_names: BTreeMap<String, usize>,
    /// Which node makes a value.
    producers: BTreeMap<ValueId, usize>,
    /// Values under other shapes.
    reshaped: BTreeMap<(ValueId, Vec<usize>), ValueId>,
    elements_left: usize,
}

/// Makes the graph of a file of `file_bytes`.
pub(super) fn build(model: &Model<'_>, folder: Option<&Path>, file_bytes: usize) -> Result<Graph, OnnxError> {
    let needed = needed_nodes(&model.graph);
    operators::require_supported(model.graph.nodes.iter().zip(&needed).filter(|(_, needed)| **needed).map(|(n, _)| n))?;
    let mut builder = Builder {
        source: &model.graph,
        folder,
        graph: Graph::default(),
        known: BTreeMap::new(),
        node_names: BTreeMap::new(),
        producers: BTreeMap::new(),
        reshaped: BTreeMap::new(),
        elements_left: file_bytes.saturating_mul(ELEMENTS_PER_BYTE).saturating_add(ELEMENTS_SPARE),
    };
    let supplied = model.graph.inputs.iter().filter(|input| !model.graph.initializers.contains_key(input.name));
    if supplied.clone().count() > ENDS_MAX || model.graph.outputs.len() > ENDS_MAX {
        return Err(OnnxError::TooManyEnds { max: ENDS_MAX });
    }
    for input in supplied {
        builder.add_input(input)?;
    }
    for (index, node) in model.graph.nodes.iter().enumerate().filter(|(index, _)| needed[*index]) {
        let call = Call { node, opset: model.opset };
        operators::add(&mut builder, &call).map_err(|fault| locate(fault, index, node))?;
    }
    for name in &model.graph.outputs {
        builder.add_output(name)?;
    }
    if builder.graph.outputs.is_empty() {
        return Err(OnnxError::NoOutputs);
    }
    Ok(passes::remove_dead(builder.graph))
}

/// Which nodes the outputs depend on. What exporters leave behind may use what it likes.
fn needed_nodes(graph: &messages::Graph<'_>) -> Vec<bool> {
    let mut makers: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        makers.extend(node.outputs.iter().filter(|name| !name.is_empty()).map(|name| (*name, index)));
    }
    let mut needed = vec![false; graph.nodes.len()];
    let mut names = graph.outputs.clone();
    while let Some(name) = names.pop() {
        if let Some(&index) = makers.get(name)
            && !std::mem::replace(&mut needed[index], true)
        {
            names.extend(&graph.nodes[index].inputs);
        }
    }
    needed
}

/// Says where a fault happened.
fn locate(fault: Fault, index: usize, node: &messages::Node<'_>) -> OnnxError {
    let name = if node.name.is_empty() { node.outputs.first().copied().unwrap_or_default() } else { node.name };
    let (node, operator) = (name.to_owned(), node.operator.to_owned());
    match fault {
        Fault::Unsupported(detail) => OnnxError::Unsupported { index, node, operator, detail },
        Fault::Bad(reason) => OnnxError::BadNode { index, node, operator, reason },
        Fault::File(error) => *error,
    }
}

impl<'a> Builder<'_, 'a> {
    /// The caller's input: pictures become NHWC, unless the file itself takes them so and turns them at once.
    fn add_input(&mut self, input: &Input<'a>) -> Result<(), OnnxError> {
        let name = input.name.to_owned();
        if !input.element_type.is_float() {
            return Err(OnnxError::NotFloat { value: name, element_type: input.element_type.name() });
        }
        let sides = input.shape.as_deref().unwrap_or_default();
        if sides.is_empty() || sides.len() > RANK_MAX {
            return Err(OnnxError::Shape { value: name, shape: format!("{} axes", sides.len()) });
        }
        let shape = sides.iter().enumerate().map(|(axis, side)| match *side {
            Side::Fixed(side) => usize::try_from(side).ok().filter(|&side| side > 0),
            Side::Dynamic(_) => (axis == 0).then_some(1),
        });
        let Some(shape) = shape.collect::<Option<Vec<usize>>>().filter(|shape| array::count(shape).is_some()) else {
            return Err(OnnxError::InputShape { value: name, shape: describe(sides) });
        };
        if let [batch, _, _, _] = shape[..]
            && batch != 1
        {
            return Err(OnnxError::Batch { value: name, batch });
        }
        let value = ValueId(self.graph.values.len());
        let view = if shape.len() == 4 && !self.is_turned(input.name) {
            View::picture(value, shape)
        } else {
            View::plain(value, shape)
        };
        self.graph.values.push(Value { name, shape: view.physical() });
        self.graph.inputs.push(value);
        self.define(input.name, Known::Activation(view))
    }

    /// Whether all that reads the input turns NHWC to NCHW.
    fn is_turned(&self, name: &str) -> bool {
        let mut readers = self.source.nodes.iter().filter(|node| node.inputs.contains(&name)).peekable();
        let turns = |node: &messages::Node<'_>| {
            node.operator == "Transpose" && matches!(node.integers("perm"), Ok(Some(order)) if order == [0, 3, 1, 2])
        };
        readers.peek().is_some() && readers.all(turns)
    }

    /// What the caller wants: in the file's order, but that pictures stay NHWC.
    fn add_output(&mut self, name: &'a str) -> Result<(), OnnxError> {
        let view = match self.known.get(name) {
            Some(Known::Activation(view)) => view.clone(),
            Some(Known::Constant(_)) => return Err(OnnxError::ConstantOutput { value: name.to_owned() }),
            None => return Err(OnnxError::MissingOutput { value: name.to_owned() }),
        };
        let plain: Vec<usize> = (0..view.shape.len()).collect();
        let is_picture = view.shape.len() == 4 && view.movement(&PICTURE).is_none();
        let order = if is_picture { &PICTURE[..] } else { &plain };
        let fault = |_| OnnxError::MissingOutput { value: name.to_owned() };
        let view = self.arrange(&view, order).map_err(fault)?;
        let shape = view.physical();
        let own_name = &self.graph.values[view.value.0].name;
        let is_free = self.producers.contains_key(&view.value)
            && !self.graph.outputs.contains(&view.value)
            && !self.source.outputs.contains(&own_name.as_str());
        let is_named = own_name == name && !self.graph.outputs.contains(&view.value);
        let value = if self.graph.values[view.value.0].shape != shape || !(is_free || is_named) {
            if is_named {
                // Names are how outputs are found, so there is one of each.
                let before = format!("{name} as {:?}", self.graph.values[view.value.0].shape);
                self.graph.values[view.value.0].name = before;
            }
            self.emit(name, name, Op::Reshape, vec![view.value], shape).map_err(fault)?
        } else {
            name.clone_into(&mut self.graph.values[view.value.0].name);
            view.value
        };
        self.graph.outputs.push(value);
        Ok(())
    }

    /// Says what a name of the file stands for.
    pub(super) fn define(&mut self, name: &'a str, known: Known) -> Result<(), OnnxError> {
        if self.source.initializers.contains_key(name) || self.known.insert(name, known).is_some() {
            return Err(OnnxError::Twice { name: name.to_owned() });
        }
        Ok(())
    }

    /// What a name stands for; stored constants are decoded on first sight.
    fn lookup(&mut self, name: &'a str) -> Result<Known, Fault> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let Some(&stored) = self.source.initializers.get(name) else {
            let reason = format!("its operand `{name}` is neither an input, a constant, nor made by an earlier node");
            return Err(Fault::Bad(reason));
        };
        let known = Known::Constant(Rc::new(self.decode(name, stored)?));
        self.known.insert(name, known.clone());
        Ok(known)
    }

    /// A stored constant.
    pub(super) fn decode(&mut self, name: &str, stored: &[u8]) -> Result<Array, OnnxError> {
        let tensor = messages::Tensor::read(stored)?;
        let (_, count) = array::claimed(name, &tensor)?;
        let external = if tensor.is_external {
            let bytes = count.saturating_mul(array::stored_size(tensor.element_type).unwrap_or(1));
            let content = external::read(self.folder, &tensor.external, bytes);
            let content = content.map_err(|error| OnnxError::External { value: name.to_owned(), error })?;
            self.elements_left = self.elements_left.saturating_add(content.len().saturating_mul(ELEMENTS_PER_BYTE));
            Some(content)
        } else {
            None
        };
        self.spend(count)?;
        array::decode(name, &tensor, external.as_deref())
    }

    /// Takes `count` elements of what constants may hold.
    pub(super) fn spend(&mut self, count: usize) -> Result<(), OnnxError> {
        let left = self.elements_left.checked_sub(count);
        self.elements_left = left.ok_or(OnnxError::TooLarge)?;
        Ok(())
    }

    /// The constant that a name stands for; `None` for activations.
    pub(super) fn constant_if(&mut self, name: &'a str) -> Result<Option<Rc<Array>>, Fault> {
        match self.lookup(name)? {
            Known::Constant(array) => Ok(Some(array)),
            Known::Activation(_) => Ok(None),
        }
    }

    /// The constant that a name must stand for.
    pub(super) fn constant(&mut self, name: &'a str) -> Result<Rc<Array>, Fault> {
        let constant = self.constant_if(name)?;
        constant.ok_or_else(|| Fault::Unsupported(format!(" where `{name}` is not a constant")))
    }

    /// The activation that a name must stand for.
    pub(super) fn activation(&mut self, name: &'a str) -> Result<View, Fault> {
        match self.lookup(name)? {
            Known::Activation(view) => Ok(view),
            Known::Constant(_) => {
                Err(Fault::Unsupported(format!(" with the constant `{name}` where an activation is expected")))
            }
        }
    }

    /// The activation that a name must stand for, as a picture NHWC.
    pub(super) fn picture(&mut self, name: &'a str) -> Result<View, Fault> {
        let view = self.activation(name)?;
        if view.shape.len() != 4 {
            return Err(Fault::Unsupported(format!(" of the shape {:?} (only pictures, of four axes)", view.shape)));
        }
        if view.shape[0] != 1 {
            return Err(Fault::Unsupported(format!(" of a batch of {}", view.shape[0])));
        }
        self.arrange(&view, &PICTURE)
    }

    /// The view with its axes in memory in this order, moving elements where that can't be helped.
    pub(super) fn arrange(&mut self, view: &View, order: &[usize]) -> Result<View, Fault> {
        let wanted = View { order: order.to_vec(), ..view.clone() };
        let Some(Movement { shape, order }) = view.movement(order) else { return Ok(wanted) };
        let name = format!("{} as {:?}", self.graph.values[view.value.0].name, wanted.physical());
        let value_shape = self.graph.values[view.value.0].shape.clone();
        let swap = match order[..] {
            [1, 0] => Some([shape[0], shape[1]]),
            [0, 2, 1] => Some([shape[1], shape[2]]),
            _ => None,
        };
        let shuffle =
            swap.filter(|[groups, others]| matches!(value_shape[..], [_, _, _, all] if all == groups * others));
        let value = if let Some([groups, _]) = shuffle {
            // Channels [groups][others] become [others][groups].
            self.emit(&name, &name, Op::ChannelShuffle { groups }, vec![view.value], value_shape)?
        } else {
            let before: Vec<usize> = std::iter::once(1).chain(shape.iter().copied()).collect();
            let order: Vec<usize> = std::iter::once(0).chain(order.iter().map(|axis| axis + 1)).collect();
            let after = order.iter().map(|&axis| before[axis]).collect();
            let source = self.shaped(view.value, before)?;
            self.emit(&name, &name, Op::Transpose { order }, vec![source], after)?
        };
        Ok(wanted.of(value))
    }

    /// The view under another shape.
    pub(super) fn reshape(&mut self, view: &View, shape: &[usize]) -> Result<View, Fault> {
        if view.shape.iter().product::<usize>() != shape.iter().product::<usize>() {
            let reason = format!("it makes {shape:?} of {:?}: not the same number of elements", view.shape);
            return Err(Fault::Bad(reason));
        }
        match view.reshape(shape) {
            Ok(view) => Ok(view),
            Err(order) => {
                let view = self.arrange(view, &order)?;
                view.reshape(shape).map_err(|_| Fault::Unsupported(format!(" of {:?} to {shape:?}", view.shape)))
            }
        }
    }

    /// The value whose own shape is the view's as it lies in memory.
    pub(super) fn materialise(&mut self, view: &View) -> Result<ValueId, Fault> {
        self.shaped(view.value, view.physical())
    }

    /// The elements of a value under another shape.
    pub(super) fn shaped(&mut self, value: ValueId, shape: Vec<usize>) -> Result<ValueId, Fault> {
        let own = &self.graph.values[value.0];
        if own.shape == shape {
            return Ok(value);
        }
        if let Some(&known) = self.reshaped.get(&(value, shape.clone())) {
            return Ok(known);
        }
        let name = format!("{} as {shape:?}", own.name);
        let made = self.emit(&name, &name, Op::Reshape, vec![value], shape.clone())?;
        self.reshaped.insert((value, shape), made);
        Ok(made)
    }

    /// Adds a node; answers its value.
    pub(super) fn emit(
        &mut self,
        node_name: &str,
        value_name: &str,
        op: Op,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
    ) -> Result<ValueId, Fault> {
        if shape.contains(&0) || array::count(&shape).is_none() {
            return Err(Fault::Bad(format!("its result would have the shape {shape:?}")));
        }
        let output = ValueId(self.graph.values.len());
        self.graph.values.push(Value { name: value_name.to_owned(), shape });
        let name = self.unique(if node_name.is_empty() { value_name } else { node_name });
        self.producers.insert(output, self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs, output });
        Ok(output)
    }

    /// A name that no other node has: this one, or with a number.
    fn unique(&mut self, name: &str) -> String {
        let mut candidate = name.to_owned();
        loop {
            let count = self.node_names.entry(candidate.clone()).or_default();
            *count += 1;
            if *count == 1 {
                return candidate;
            }
            let count = *count;
            candidate = format!("{candidate}#{count}");
        }
    }

    /// Gives a value and its node the names that the file has for it.
    pub(super) fn rename(&mut self, value: ValueId, node_name: &str, value_name: &str) {
        value_name.clone_into(&mut self.graph.values[value.0].name);
        if let Some(&producer) = self.producers.get(&value) {
            self.graph.nodes[producer].name = self.unique(node_name);
        }
    }

    /// Adds a constant, with the grid that it came from.
    pub(super) fn new_constant(
        &mut self,
        name: String,
        shape: Vec<usize>,
        elements: Vec<f32>,
        grid: Option<Quantization>,
    ) -> Result<ValueId, Fault> {
        self.spend(elements.len())?;
        if elements.iter().any(|element| !element.is_finite()) {
            return Err(OnnxError::NotFinite { value: name }.into());
        }
        let tensor = Tensor::new(shape, Elements::F32(elements)).map_err(|error| Fault::Bad(error.to_string()))?;
        let value = self.graph.add_constant(name, tensor);
        if let Some(grid) = grid {
            self.graph.quantizations.insert(value, grid);
        }
        Ok(value)
    }

    /// The node that makes a value; `None` for inputs and constants.
    pub(super) fn producer(&self, value: ValueId) -> Option<&Node> {
        self.producers.get(&value).map(|&index| &self.graph.nodes[index])
    }

    /// The activation that makes a value, and of what.
    pub(super) fn activated(&self, value: ValueId) -> Option<(Activation, ValueId)> {
        match self.producer(value)? {
            Node { op: Op::Activate(activation), inputs, .. } => Some((*activation, *inputs.first()?)),
            _ => None,
        }
    }

    /// A value's own shape.
    pub(super) fn shape_of(&self, value: ValueId) -> &[usize] {
        &self.graph.values[value.0].shape
    }

    /// The floats of a constant of the graph.
    pub(super) fn graph_constant(&self, value: ValueId) -> Option<&[f32]> {
        self.graph.constant_f32(value)
    }

    /// The grid that the file puts a value on.
    pub(super) fn grid(&self, value: ValueId) -> Option<&Quantization> {
        self.graph.quantizations.get(&value)
    }

    /// Puts a value on a grid.
    pub(super) fn set_grid(&mut self, value: ValueId, grid: Quantization) {
        self.graph.quantizations.insert(value, grid);
    }

    /// Whether the caller supplies the value.
    pub(super) fn is_input(&self, value: ValueId) -> bool {
        self.graph.inputs.contains(&value)
    }
}

/// The sides of a shape as the file has them, open ones as `?` with their name.
fn describe(sides: &[Side<'_>]) -> String {
    let side = |side: &Side<'_>| match side {
        Side::Fixed(side) => side.to_string(),
        Side::Dynamic(name) => format!("?{name}"),
    };
    format!("[{}]", sides.iter().map(side).collect::<Vec<_>>().join(", "))
}
