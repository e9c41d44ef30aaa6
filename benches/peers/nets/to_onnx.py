"""Writes a network as ONNX (NCHW): float here, quantised by onnxruntime's own tool in `quantize`."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def write(network, path, every_value=False):
    """Writes `path`. With `every_value` each layer's result is an output, for calibration."""
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    for at, layer in enumerate(network.layers):
        sources, result = [value_name(source) for source in layer.inputs], value_name(at)
        if layer.kind == "conv":
            _conv(at, layer, sources, nodes, constant)
        elif layer.kind == "add":
            nodes.append(helper.make_node("Add", sources, [result]))
        elif layer.kind == "concat":
            nodes.append(helper.make_node("Concat", sources, [result], axis=1))
        elif layer.kind == "max_pool":
            sides = {"kernel_shape": [layer.size] * 2, "pads": list(layer.pads), "strides": [1, 1]}
            nodes.append(helper.make_node("MaxPool", sources, [result], **sides))
        elif layer.kind == "upsample":
            scales = constant(f"scales{at}", np.array([1, 1, 2, 2], np.float32))
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            nodes.append(helper.make_node("Resize", [*sources, "", scales], [result], **how))
        elif layer.kind == "mean":
            nodes.append(helper.make_node("GlobalAveragePool", sources, [result]))
    shown = range(1, len(network.layers)) if every_value else network.outputs
    graph = helper.make_graph(
        nodes,
        network.name,
        [_described(network, 0)],
        [_described(network, at) for at in shown],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def value_name(at):
    """The name of a layer's result."""
    return f"v{at}"


def run(path, picture):
    """All outputs by name, for a picture [rows][columns][channels], as [rows][columns][channels]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {session.get_inputs()[0].name: nchw(picture)})
    return {name: np.moveaxis(value[0], 0, -1) for name, value in zip(names, values, strict=True)}


def nchw(picture):
    """A picture as ONNX wants it."""
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0)[None])


def quantize(source, target, pictures, unsigned):
    """Post-training INT8 by onnxruntime: QDQ, per channel, weights s8, activations u8 or s8, ranges by least and most."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Pictures(CalibrationDataReader):
        """Feeds each picture once."""

        def __init__(self):
            self.rest = iter(pictures)

        def get_next(self):
            """The next picture, or None."""
            picture = next(self.rest, None)
            return None if picture is None else {value_name(0): nchw(picture)}

    quantize_static(
        source,
        target,
        Pictures(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={} if unsigned else {"ActivationSymmetric": True},
    )


def _conv(at, layer, sources, nodes, constant):
    weights = constant(f"w{at}", np.moveaxis(layer.weights, 3, 1))
    bias = constant(f"b{at}", layer.bias)
    result = value_name(at)
    linear = result if layer.activation == "none" else f"{result}linear"
    nodes.append(
        helper.make_node(
            "Conv",
            [*sources, weights, bias],
            [linear],
            kernel_shape=list(layer.weights.shape[1:3]),
            pads=list(layer.pads),
            strides=[layer.stride] * 2,
            group=layer.shape[2] if layer.depthwise else 1,
        )
    )
    if layer.activation == "relu6":
        low, high = constant(f"low{at}", np.float32(0)), constant(f"high{at}", np.float32(6))
        nodes.append(helper.make_node("Clip", [linear, low, high], [result]))
    elif layer.activation == "silu":
        nodes.append(helper.make_node("Sigmoid", [linear], [f"{result}sigmoid"]))
        nodes.append(helper.make_node("Mul", [linear, f"{result}sigmoid"], [result]))


def _described(network, at):
    rows, columns, channels = network.layers[at].shape
    return helper.make_tensor_value_info(value_name(at), TensorProto.FLOAT, [1, channels, rows, columns])
