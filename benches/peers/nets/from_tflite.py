"""Reads a full-integer TensorFlow Lite classifier (MobileNetV2) as a float network: weights times their scales."""
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from network import Network


def read(path, name):
    """The network up to its logits; what quantises and normalises (QUANTIZE, RESHAPE, SOFTMAX) stays out."""
    with open(path, "rb") as file:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read(), 0))
    graph = model.subgraphs[0]
    names = {number: word for word, number in vars(schema.BuiltinOperator).items() if not word.startswith("_")}

    def constant(index):
        tensor = graph.tensors[index]
        kinds = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}
        values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), kinds[tensor.type]).reshape(tensor.shape)
        scales = np.asarray(tensor.quantization.scale, np.float32)
        if np.any(tensor.quantization.zeroPoint):
            raise ValueError(f"{path}: weights with a zero point")
        along = [1] * values.ndim
        if scales.size > 1:
            along[tensor.quantization.quantizedDimension] = scales.size
        return values.astype(np.float32) * scales.reshape(along)

    network = Network(name)
    shape = [int(side) for side in graph.tensors[graph.inputs[0]].shape]
    made = {graph.inputs[0]: network.input(*shape[1:])}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        word = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        options, sources = operator.builtinOptions, operator.inputs
        if word in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weights, bias = constant(sources[1]), constant(sources[2])
            depthwise = word == "DEPTHWISE_CONV_2D"
            if depthwise:
                weights = np.ascontiguousarray(np.moveaxis(weights[0], 2, 0)[..., None])
            active = {0: "none", 3: "relu6"}[options.fusedActivationFunction]
            pads = None if options.padding == schema.Padding.SAME else (0, 0, 0, 0)
            value = network.conv(made[sources[0]], weights, bias, options.strideH, pads, depthwise, active)
        elif word == "ADD":
            value = network.add(made[sources[0]], made[sources[1]])
        elif word == "MEAN":
            value = network.mean(made[sources[0]])
        elif word in ("QUANTIZE", "RESHAPE", "SOFTMAX"):
            value = made[sources[0]]
        else:
            raise ValueError(f"{path}: operator {word} is not of MobileNetV2")
        made[operator.outputs[0]] = value
    network.outputs = [made[graph.outputs[0]]]
    return network
