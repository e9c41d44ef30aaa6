"""Writes a network as TensorFlow Lite: float here, full-integer by ai-edge-quantizer in `quantize`."""
import os

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIGNATURE = "serving_default"
# Written as the version of every operator: the oldest that knows these forms.
VERSION = 1


def write(network, path):
    """Writes `path`: one subgraph, NHWC, with a signature (the quantizer finds its input by it)."""
    writer = _Writer(network)
    for at, layer in enumerate(network.layers):
        if layer.kind != "input":
            getattr(writer, layer.kind)(at, layer)
    writer.save(path)


def quantize(source, target, pictures):
    """INT8 weights a channel, INT8 activations with zero points."""
    from ai_edge_quantizer import quantizer, recipe

    job = quantizer.Quantizer(source)
    job.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = job.calibrate({SIGNATURE: [{"picture": picture[None]} for picture in pictures]})
    if os.path.exists(target):
        os.remove(target)
    job.quantize(ranges).export_model(target)


class _Writer:
    def __init__(self, network):
        self.network = network
        self.buffers = [schema.BufferT()]
        self.tensors, self.operators, self.codes = [], [], []
        self.values = [self.tensor(f"v{at}", (1, *layer.shape)) for at, layer in enumerate(network.layers)]

    def tensor(self, name, shape, values=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, np.array(shape, np.int32), schema.TensorType.FLOAT32
        tensor.buffer = 0
        if values is not None:
            if values.dtype == np.int32:
                tensor.type = schema.TensorType.INT32
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name, values):
        return self.tensor(name, values.shape, values)

    def operator(self, word, inputs, outputs, kind=None, options=None):
        number = getattr(schema.BuiltinOperator, word)
        if number not in self.codes:
            self.codes.append(number)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.index(number)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.operators.append(operator)

    def conv(self, at, layer):
        source, padding = self._padded(at, layer)
        depthwise = layer.depthwise
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        options.padding = padding
        options.strideH = options.strideW = layer.stride
        options.dilationHFactor = options.dilationWFactor = 1
        active = schema.ActivationFunctionType
        options.fusedActivationFunction = active.RELU6 if layer.activation == "relu6" else active.NONE
        weights = layer.weights
        if depthwise:
            options.depthMultiplier = 1
            weights = np.moveaxis(weights[..., 0], 0, 2)[None]
        inputs = [source, self.constant(f"w{at}", weights), self.constant(f"b{at}", layer.bias)]
        linear = self.values[at]
        if layer.activation == "silu":
            linear = self.tensor(f"v{at}linear", (1, *layer.shape))
        word, kind = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
        self.operator(word, inputs, [linear], kind, options)
        if layer.activation == "silu":
            gate = self.tensor(f"v{at}sigmoid", (1, *layer.shape))
            self.operator("LOGISTIC", [linear], [gate])
            self.operator("MUL", [linear, gate], [self.values[at]], "MulOptions", schema.MulOptionsT())

    def _padded(self, at, layer):
        """Padding that is not TensorFlow's SAME becomes a PAD, as its own converter writes it (XNNPACK fuses it)."""
        from network import same

        source = layer.inputs[0]
        rows, columns, channels = self.network.layers[source].shape
        kernel = layer.weights.shape[1:3]
        (top, below), (left, right) = (same(rows, kernel[0], layer.stride), same(columns, kernel[1], layer.stride))
        if layer.pads == (top, left, below, right):
            return self.values[source], schema.Padding.SAME
        top, left, below, right = layer.pads
        if layer.pads == (0, 0, 0, 0):
            return self.values[source], schema.Padding.VALID
        amounts = self.constant(f"pads{at}", np.array([[0, 0], [top, below], [left, right], [0, 0]], np.int32))
        padded = self.tensor(f"v{at}padded", (1, rows + top + below, columns + left + right, channels))
        self.operator("PAD", [self.values[source], amounts], [padded], "PadOptions", schema.PadOptionsT())
        return padded, schema.Padding.VALID

    def add(self, at, layer):
        self.operator("ADD", self._sources(layer), [self.values[at]], "AddOptions", schema.AddOptionsT())

    def concat(self, at, layer):
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        self.operator("CONCATENATION", self._sources(layer), [self.values[at]], "ConcatenationOptions", options)

    def max_pool(self, at, layer):
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = 1
        options.filterHeight = options.filterWidth = layer.size
        self.operator("MAX_POOL_2D", self._sources(layer), [self.values[at]], "Pool2DOptions", options)

    def upsample(self, at, layer):
        size = self.constant(f"size{at}", np.array(layer.shape[:2], np.int32))
        options = schema.ResizeNearestNeighborOptionsT()
        inputs = [*self._sources(layer), size]
        kind = "ResizeNearestNeighborOptions"
        self.operator("RESIZE_NEAREST_NEIGHBOR", inputs, [self.values[at]], kind, options)

    def mean(self, at, layer):
        axes = self.constant(f"axes{at}", np.array([1, 2], np.int32))
        options = schema.ReducerOptionsT()
        options.keepDims = True
        self.operator("MEAN", [*self._sources(layer), axes], [self.values[at]], "ReducerOptions", options)

    def _sources(self, layer):
        return [self.values[source] for source in layer.inputs]

    def save(self, path):
        outputs = [self.values[at] for at in self.network.outputs]
        graph = schema.SubGraphT()
        graph.name = self.network.name
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = np.array([self.values[0]], np.int32), np.array(outputs, np.int32)
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
        signature.inputs = [_named("picture", self.values[0])]
        signature.outputs = [_named(f"output{index}", value) for index, value in enumerate(outputs)]
        model = schema.ModelT()
        model.version, model.description = 3, "written by clawdbot's benches/peers"
        model.subgraphs, model.buffers, model.signatureDefs = [graph], self.buffers, [signature]
        model.operatorCodes = []
        for number in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), VERSION
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 24)
        builder.Finish(model.Pack(builder), b"TFL3")
        with open(path, "wb") as file:
            file.write(builder.Output())


def _named(name, index):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry
