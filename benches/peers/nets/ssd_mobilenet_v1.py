"""SSD-MobileNetV1-300 with random weights: real shapes (TensorFlow Object Detection API, 90 classes and background)."""
import numpy as np

from network import Network

# Channels and stride of the thirteen depthwise-separable blocks.
BLOCKS = [
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
]  # fmt: skip
# Channels of the 1x1 and of the strided 3x3 convolution of each extra map.
EXTRAS = [(256, 512), (128, 256), (128, 256), (64, 128)]
# Anchors a cell of each map.
ANCHORS = [3, 6, 6, 6, 6, 6]
CLASSES = 91


def make(name):
    """The network, from the picture to the six pairs of raw boxes and scores."""
    chance = np.random.default_rng(300)
    network = Network(name)

    def conv(source, channels, kernel, stride=1, depthwise=False, activation="relu6"):
        depth = 1 if depthwise else network.layers[source].shape[2]
        # He's initialisation keeps the values' spread through ReLU.
        spread = np.sqrt(2 / (kernel * kernel * depth))
        weights = chance.normal(0, spread, (channels, kernel, kernel, depth)).astype(np.float32)
        bias = chance.normal(0, 0.1, channels).astype(np.float32)
        return network.conv(source, weights, bias, stride, None, depthwise, activation)

    value = conv(network.input(300, 300, 3), 32, 3, 2)
    maps = []
    for index, (channels, stride) in enumerate(BLOCKS):
        value = conv(value, network.layers[value].shape[2], 3, stride, depthwise=True)
        value = conv(value, channels, 1)
        if index in (10, 12):
            maps.append(value)
    for narrow, wide in EXTRAS:
        value = conv(conv(value, narrow, 1), wide, 3, 2)
        maps.append(value)
    for source, anchors in zip(maps, ANCHORS, strict=True):
        network.outputs.append(conv(source, anchors * 4, 1, activation="none"))
        network.outputs.append(conv(source, anchors * CLASSES, 1, activation="none"))
    return network
