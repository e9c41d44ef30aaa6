#!/usr/bin/env python3
"""Makes every peer's files of the three networks, with pictures to run on and what the float network answers.

Usage: make.py DATA FOLDER. DATA is the folder of real networks and pictures (`../shared/data` of the repository). Writes
FOLDER/manifest.json last; `cargo xtask peers vision` and the drivers read it. Takes a minute.
"""
import json
import os
import sys

import numpy as np
from PIL import Image

import from_onnx
import from_tflite
import ssd_mobilenet_v1
import to_ncnn
import to_onnx
import to_tflite


def main():
    """See the module's text."""
    data, folder = sys.argv[1], sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    nets = [mobilenet_v2(data, folder), yolox_nano(data, folder), ssd(data, folder)]
    path = os.path.join(folder, "manifest.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"nets": nets}, file, indent=1)


def mobilenet_v2(data, folder):
    """The real full-integer network for LiteRT; the others get its dequantised weights."""
    real = os.path.join(data, "classify/tf2_mobilenet_v2_1.0_224_ptq.tflite")
    network = from_tflite.read(real, "mobilenet_v2_224")
    net = Net(network, folder, _photographs(data, 224))
    net.write(litert_int8=False)
    logits = net.reference[0].reshape(-1)
    likely = np.exp(logits - logits.max())
    net.answer("softmax", [likely / likely.sum()])
    net.form("litert", "int8", real, reference="softmax")
    return net.described(real, ["--mean", "127.5", "--scale", "1/127.5"])


def yolox_nano(data, folder):
    """The real network; cut at its prediction convolutions and behind its Focus, as the fastest that a peer can be given.

    The files as they are, with Focus and the decoding in the graph, are forms of their own.
    """
    real = os.path.join(data, "detect/yolox-nano/yolox_nano_416.onnx")
    picture = np.load(os.path.join(data, "detect/yolox-nano/reference-tensor.npz"))
    network = from_onnx.read(real, "yolox_nano_416")
    whole = _bgr_picture(picture)
    net = Net(network, folder, [from_onnx.focus(whole)])
    net.write()
    net.picture("picture_whole", whole)
    net.answer("decoded", [to_onnx.run(real, whole)["output"].T])
    for peer, form, name in [
        ("ort", "fp32 real file", "yolox_nano_416.onnx"),
        ("ort", "u8s8 real file", "yolox_nano_416_qdq_eq.onnx"),
        ("litert", "int8 real file", "yolox_nano_416_int8_naive.tflite"),
    ]:
        path = os.path.join(data, "detect/yolox-nano", name)
        net.form(peer, form, path, picture="picture_whole", reference="decoded")
    return net.described(real, ["--mean", "0", "--scale", "1", "--color", "bgr", "--resize", "letterbox"])


def ssd(data, folder):
    """Random weights at the real shapes."""
    network = ssd_mobilenet_v1.make("ssd_mobilenet_v1_300")
    net = Net(network, folder, _photographs(data, 300))
    net.write()
    return net.described(net.path("fp32.tflite"), ["--mean", "127.5", "--scale", "1/127.5"])


class Net:
    """One network's files."""

    def __init__(self, network, folder, pictures):
        self.network = network
        self.folder = os.path.join(folder, network.name)
        os.makedirs(self.folder, exist_ok=True)
        self.pictures = pictures
        self.forms, self.reference = [], []

    def path(self, name):
        """In the network's folder."""
        return os.path.join(self.folder, name)

    def picture(self, name, values):
        """Keeps a picture [rows][columns][channels] as raw 32-bit floats."""
        values.astype("<f4").tofile(self.path(name))

    def answer(self, name, values):
        """Keeps a network's results, one behind the other, as raw 32-bit floats."""
        np.concatenate([value.reshape(-1) for value in values]).astype("<f4").tofile(self.path(name))

    def form(self, peer, form, path, picture="picture", reference="reference", results=(), exact=False):
        """Lists a file that a peer can run; onnxruntime can be told to be `exact` on processors where it would saturate."""
        self.forms.append({
            "peer": peer, "form": form, "file": path, "results": list(results), "exact": exact,
            "picture": self.path(picture), "reference": self.path(reference),
        })  # fmt: skip

    def write(self, litert_int8=True):
        """Every form that all networks have; with `litert_int8` also LiteRT's, which is not made where a real one exists."""
        network, names = self.network, [to_onnx.value_name(at) for at in self.network.outputs]
        to_onnx.write(network, self.path("fp32.onnx"))
        to_onnx.write(network, self.path("every_value.onnx"), every_value=True)
        to_tflite.write(network, self.path("fp32.tflite"))
        self.picture("picture", self.pictures[0])
        answers = to_onnx.run(self.path("fp32.onnx"), self.pictures[0])
        self.reference = [answers[name] for name in names]
        self.answer("reference", self.reference)

        to_onnx.quantize(self.path("fp32.onnx"), self.path("s8s8.onnx"), self.pictures, unsigned=False)
        to_onnx.quantize(self.path("fp32.onnx"), self.path("u8s8.onnx"), self.pictures, unsigned=True)
        if litert_int8:
            to_tflite.quantize(self.path("fp32.tflite"), self.path("int8.tflite"), self.pictures)
            self.form("litert", "int8", self.path("int8.tflite"))
        to_ncnn.write(network, self.path("fp32"))
        to_ncnn.write(network, self.path("int8"), self._ranges())

        self.form("litert", "fp32", self.path("fp32.tflite"))
        for form in ("fp32", "s8s8", "u8s8"):
            self.form("ort", form, self.path(f"{form}.onnx"), results=names)
        for form in ("s8s8", "u8s8"):
            self.form("ort", f"{form} exact", self.path(f"{form}.onnx"), results=names, exact=True)
        for form in ("fp32", "int8"):
            self.form("ncnn", form, self.path(form), results=names)
        self.form("tract", "fp32", self.path("fp32.onnx"), results=names)

    def described(self, source, convert):
        """The manifest's entry; `source` is the file of which `clawdbot convert`, told `convert`, makes ours."""
        return {
            "name": self.network.name,
            "multiplications": self.network.multiplications(),
            "shape": self.network.layers[0].shape,
            "source": source,
            "convert": convert,
            "forms": self.forms,
        }

    def _ranges(self):
        ranges = [0.0] * len(self.network.layers)
        for picture in self.pictures:
            ranges[0] = max(ranges[0], float(np.abs(picture).max()))
            for name, values in to_onnx.run(self.path("every_value.onnx"), picture).items():
                at = int(name.removeprefix("v"))
                ranges[at] = max(ranges[at], float(np.abs(values).max()))
        return ranges


def _photographs(data, side):
    """The classifier's four pictures, stretched, -1..1."""
    folder = os.path.join(data, "classify")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".bmp"))
    pictures = [Image.open(os.path.join(folder, name)).convert("RGB").resize((side, side)) for name in names]
    return [np.asarray(picture, np.float32) / 127.5 - 1 for picture in pictures]


def _bgr_picture(arrays):
    """The picture among the arrays, as floats [rows][columns][3]."""
    value = next(arrays[name] for name in arrays.files if arrays[name].dtype == np.uint8)
    value = value.reshape(value.shape[-3:])
    return (np.moveaxis(value, 0, 2) if value.shape[0] == 3 else value).astype(np.float32)


if __name__ == "__main__":
    main()
