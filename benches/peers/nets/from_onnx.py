"""Reads YOLOX from its ONNX export: from behind its Focus (a 2x2 unshuffle) to the logits of the prediction convolutions."""
import numpy as np
import onnx
from onnx import numpy_helper

from network import Network


def read(path, name):
    """The network; raises ValueError where the file is not of YOLOX."""
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = {}
    for node in graph.node:
        for source in node.input:
            readers.setdefault(source, []).append(node)
    shape = [side.dim_value for side in graph.input[0].type.tensor_type.shape.dim]
    network = Network(name)
    made = {}
    for node in graph.node:
        sources = [made.get(source) for source in node.input]
        if node.op_type == "Concat" and _slices_only(graph, node):
            made[node.output[0]] = network.input(shape[2] // 2, shape[3] // 2, 4 * shape[1])
        elif node.op_type == "Conv":
            made.update(_conv(network, node, sources[0], constants, readers))
        elif node.op_type == "Add":
            made[node.output[0]] = network.add(*sources)
        elif node.op_type == "Concat" and all(source is not None for source in sources):
            made[node.output[0]] = network.concat(sources)
        elif node.op_type == "MaxPool":
            made[node.output[0]] = network.max_pool(sources[0], _attribute(node, "kernel_shape")[0])
        elif node.op_type == "Resize":
            made[node.output[0]] = network.upsample(sources[0])
    if len(network.outputs) != 9:
        raise ValueError(f"{path}: {len(network.outputs)} prediction convolutions and not nine: is it YOLOX?")
    return network


def focus(picture):
    """What Focus makes of a picture [rows][columns][3]: top left, below, right, below right."""
    parts = [picture[row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return np.concatenate(parts, axis=2)


def _conv(network, node, source, constants, readers):
    weights, bias = constants[node.input[1]], constants[node.input[2]]
    stride, group = _attribute(node, "strides")[0], _attribute(node, "group")
    result = node.output[0]
    after = readers.get(result, [])
    products = [reader for reader in after if reader.op_type == "Mul"]
    pads = tuple(_attribute(node, "pads"))
    value = network.conv(
        source,
        np.ascontiguousarray(np.moveaxis(weights, 1, 3)),
        bias,
        stride,
        pads,
        depthwise=group > 1,
        activation="silu" if products else "none",
    )
    if products:
        return {products[0].output[0]: value}
    network.outputs.append(value)
    # Nothing behind a prediction is read: its sigmoid and what follows it find no source.
    return {}


def _slices_only(graph, node):
    makers = {result: maker.op_type for maker in graph.node for result in maker.output}
    return all(makers.get(source) == "Slice" for source in node.input)


def _attribute(node, name):
    return next(onnx.helper.get_attribute_value(one) for one in node.attribute if one.name == name)
