"""Writes a network as ncnn's pair of files, float or INT8.

ncnn's wheel brings no quantiser, so this writes what its `ncnn2int8` would: a scale a channel for weights, one for each
convolution's input, and the fused requantisation (8=101, 102) where only convolutions read a convolution's result.
Parameters' numbers: Tencent/ncnn docs/developer-guide/operators.md; order of the tensors: each layer's load_model.
"""
import struct

import numpy as np

# First word of a weight tensor: whole floats, or bytes.
FLOAT, INT8 = 0, 0x000D4B38


def write(network, stem, ranges=None):
    """Writes `stem`.param and `stem`.bin; INT8 with `ranges`, the largest magnitude of each layer's result."""
    writer = _Writer(network, ranges)
    for at, layer in enumerate(network.layers):
        getattr(writer, layer.kind)(at, layer)
        writer.split(at)
    header = ["7767517", f"{len(writer.lines)} {writer.blobs}"]
    with open(f"{stem}.param", "w", encoding="ascii") as file:
        file.write("\n".join(header + writer.lines) + "\n")
    with open(f"{stem}.bin", "wb") as file:
        file.write(b"".join(writer.tensors))


class _Writer:
    def __init__(self, network, ranges):
        self.network, self.ranges = network, ranges
        self.lines, self.tensors, self.blobs = [], [], 0
        # The blobs that hold a value, one for each of its readers that is still to come.
        self.copies = {}

    def layer(self, kind, name, sources, results, parameters=""):
        words = [kind, name, str(len(sources)), str(len(results)), *sources, *results, parameters]
        self.lines.append(" ".join(words).rstrip())
        self.blobs += len(results)

    def take(self, layer):
        return [self.copies[source].pop(0) for source in layer.inputs]

    def split(self, at):
        """ncnn wants a Split where a value has several readers."""
        readers = self.network.readers(at)
        if len(readers) > 1:
            self.copies[at] = [f"v{at}_{index}" for index in range(len(readers))]
            self.layer("Split", f"split{at}", [f"v{at}"], self.copies[at])
        else:
            self.copies[at] = [f"v{at}"]

    def input(self, at, layer):
        rows, columns, channels = layer.shape
        self.layer("Input", "picture", [], [f"v{at}"], f"0={columns} 1={rows} 2={channels}")

    def conv(self, at, layer):
        [source], result = self.take(layer), f"v{at}"
        linear = f"{result}_linear" if layer.activation == "silu" else result
        bias_and_size = f"1=1 2={layer.weights.size}"
        if self.network.layers[layer.inputs[0]].kind == "mean":
            term = self._scale_term(at, layer, 2)
            self.layer("InnerProduct", f"dense{at}", [source], [linear], f"0={layer.shape[2]} {bias_and_size}{term}")
        else:
            term = self._scale_term(at, layer, 1 if layer.depthwise else 2)
            kind = "ConvolutionDepthWise" if layer.depthwise else "Convolution"
            clip = " 9=3 -23310=2,0.0,6.0" if layer.activation == "relu6" else ""
            group = f" 7={layer.shape[2]}" if layer.depthwise else ""
            rows, columns = layer.weights.shape[1:3]
            top, left, below, right = layer.pads
            window = f"1={columns} 11={rows} 3={layer.stride} 4={left} 15={right} 14={top} 16={below}"
            parameters = f"0={layer.shape[2]} {window} 5=1 6={layer.weights.size}{group}{term}{clip}"
            self.layer(kind, f"conv{at}", [source], [linear], parameters)
        self._write_tensors(at, layer)
        if layer.activation == "silu":
            self.layer("Swish", f"silu{at}", [linear], [result])

    def add(self, at, layer):
        self.layer("BinaryOp", f"add{at}", self.take(layer), [f"v{at}"], "0=0")

    def concat(self, at, layer):
        self.layer("Concat", f"concat{at}", self.take(layer), [f"v{at}"], "0=0")

    def max_pool(self, at, layer):
        self.layer("Pooling", f"pool{at}", self.take(layer), [f"v{at}"], f"0=0 1={layer.size} 3={layer.size // 2} 5=1")

    def upsample(self, at, layer):
        self.layer("Interp", f"up{at}", self.take(layer), [f"v{at}"], "0=1 1=2.0 2=2.0")

    def mean(self, at, layer):
        self.layer("Pooling", f"mean{at}", self.take(layer), [f"v{at}"], "0=1 4=1")

    def _requantizes(self, at, layer):
        """Whether the result leaves as bytes: only convolutions read it, and no other layer stands between."""
        layers = self.network.layers
        readers = self.network.readers(at)
        plain = layer.activation != "silu" and layers[layer.inputs[0]].kind != "mean"
        return plain and bool(readers) and all(layers[reader].kind == "conv" for reader in readers)

    def _scale_term(self, at, layer, plain):
        if self.ranges is None:
            return ""
        return f" 8={plain + (100 if self._requantizes(at, layer) else 0)}"

    def _write_tensors(self, at, layer):
        # [out][in][rows][columns]
        weights = np.moveaxis(layer.weights, 3, 1)
        floats = [layer.bias.astype("<f4").tobytes()]
        if self.ranges is None:
            flag, data = FLOAT, weights.astype("<f4").tobytes()
        else:
            most = np.abs(weights).reshape(weights.shape[0], -1).max(axis=1)
            scales = 127 / np.maximum(most, 1e-9)
            data = np.round(weights * scales[:, None, None, None]).astype(np.int8).tobytes()
            flag, data = INT8, data + bytes(-len(data) % 4)
            floats.append(scales.astype("<f4").tobytes())
            floats.append(struct.pack("<f", 127 / self.ranges[layer.inputs[0]]))
            if self._requantizes(at, layer):
                floats.append(struct.pack("<f", 127 / self.ranges[at]))
        self.tensors += [struct.pack("<I", flag), data, *floats]
