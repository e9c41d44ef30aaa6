"""A convolutional network as plain data: what every peer's file is written from, so that all compute the same.

Values are numbered by the layer that makes them; shapes are (rows, columns, channels), weights [out][rows][columns][in].
"""
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Layer:
    """One layer. `kind` is input, conv, add, concat, max_pool, upsample (nearest, by 2) or mean (over all pixels)."""

    kind: str
    inputs: list
    shape: tuple
    weights: np.ndarray = None
    bias: np.ndarray = None
    depthwise: bool = False
    stride: int = 1
    # Rows above, columns left, rows below, columns right.
    pads: tuple = (0, 0, 0, 0)
    # none, relu6 or silu.
    activation: str = "none"
    # Of max_pool.
    size: int = 0


@dataclass
class Network:
    """Layers in the order in which they run."""

    name: str
    layers: list = field(default_factory=list)
    outputs: list = field(default_factory=list)

    def input(self, rows, columns, channels):
        """The picture."""
        return self._push(Layer("input", [], (rows, columns, channels)))

    def conv(self, source, weights, bias, stride=1, pads=None, depthwise=False, activation="none"):
        """A convolution. Pads of None are TensorFlow's SAME: what is odd goes below and right."""
        rows, columns, _ = self.layers[source].shape
        kernel = weights.shape[1:3]
        if pads is None:
            (top, below), (left, right) = (same(rows, kernel[0], stride), same(columns, kernel[1], stride))
            pads = (top, left, below, right)
        shape = (
            (rows + pads[0] + pads[2] - kernel[0]) // stride + 1,
            (columns + pads[1] + pads[3] - kernel[1]) // stride + 1,
            weights.shape[0],
        )
        # Pads that no window reaches would only differ between formats.
        below = (shape[0] - 1) * stride + kernel[0] - rows - pads[0]
        right = (shape[1] - 1) * stride + kernel[1] - columns - pads[1]
        pads = (pads[0], pads[1], max(below, 0), max(right, 0))
        return self._push(
            Layer("conv", [source], shape, weights, bias, depthwise, stride, pads, activation)
        )

    def add(self, first, second):
        """A residual connection."""
        return self._push(Layer("add", [first, second], self.layers[first].shape))

    def concat(self, sources):
        """Along the channels."""
        rows, columns, _ = self.layers[sources[0]].shape
        return self._push(Layer("concat", sources, (rows, columns, sum(self.layers[at].shape[2] for at in sources))))

    def max_pool(self, source, size):
        """Stride 1, as many results as inputs."""
        return self._push(Layer("max_pool", [source], self.layers[source].shape, size=size, pads=(size // 2,) * 4))

    def upsample(self, source):
        """Each pixel four times."""
        rows, columns, channels = self.layers[source].shape
        return self._push(Layer("upsample", [source], (2 * rows, 2 * columns, channels)))

    def mean(self, source):
        """Of all pixels."""
        return self._push(Layer("mean", [source], (1, 1, self.layers[source].shape[2])))

    def multiplications(self):
        """Of all convolutions, those on padding included."""
        total = 0
        for layer in self.layers:
            if layer.kind == "conv":
                total += layer.shape[0] * layer.shape[1] * layer.weights.size
        return total

    def readers(self, at):
        """The layers that read value `at`."""
        return [index for index, layer in enumerate(self.layers) if at in layer.inputs]

    def _push(self, layer):
        self.layers.append(layer)
        return len(self.layers) - 1


def same(size, kernel, stride):
    """Padding before and behind, TensorFlow's SAME."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
