#!/usr/bin/env python3
"""Runs one form of one network on request: `cargo xtask peers vision` lets many of these take turns.

Usage: driver.py MANIFEST NETWORK PEER FORM THREADS. Prints a line of JSON when ready, with the signal-to-noise ratio of
its answer against the float network's. Then reads numbers, one a line: runs as many inferences and prints their wall
times in nanoseconds as a JSON list. The end of standard input ends it. `benches/peers/tract` speaks the same.
"""
import json
import sys
import time

import numpy as np


class LiteRt:
    """TensorFlow Lite's interpreter with XNNPACK, its default."""

    def __init__(self, form, threads):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(form["file"], num_threads=threads)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]

    def feed(self, picture):
        """Takes a picture [rows][columns][channels]."""
        self.interpreter.set_tensor(self.input["index"], quantized(picture, self.input).reshape(self.input["shape"]))

    def run(self):
        """One inference."""
        self.interpreter.invoke()

    def results(self):
        """Floats in the reference's order."""
        details = self.interpreter.get_output_details()
        # Outputs keep the order of the file's subgraph here, which is the network's.
        return [dequantized(self.interpreter.get_tensor(one["index"]), one) for one in details]


class Ort:
    """onnxruntime on the processor."""

    def __init__(self, form, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Threads spin within a run as by default, but do not take the processor from whose turn is next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if form["exact"]:
            # Else its AVX2 kernels add pairs of products in 16 bits, which saturates.
            options.add_session_config_entry("session.x64quantprecision", "1")
        self.session = onnxruntime.InferenceSession(form["file"], options, providers=["CPUExecutionProvider"])
        self.names = form["results"] or [output.name for output in self.session.get_outputs()]
        self.input, self.values = self.session.get_inputs()[0].name, []

    def feed(self, picture):
        """Takes a picture [rows][columns][channels]."""
        self.feeds = {self.input: nchw(picture)[None]}

    def run(self):
        """One inference."""
        self.values = self.session.run(self.names, self.feeds)

    def results(self):
        """Floats in the reference's order."""
        return [np.moveaxis(value[0], 0, -1) if value.ndim == 4 else value for value in self.values]


class Ncnn:
    """ncnn with its default options."""

    def __init__(self, form, threads):
        import ncnn

        self.net, self.names = ncnn.Net(), form["results"]
        self.net.opt.num_threads = threads
        for load, name in ((self.net.load_param, "param"), (self.net.load_model, "bin")):
            if load(f"{form['file']}.{name}") != 0:
                raise ValueError(f"ncnn refuses {form['file']}.{name}")
        self.mat, self.values = ncnn.Mat, []

    def feed(self, picture):
        """Takes a picture [rows][columns][channels]."""
        # The Mat only borrows the array's memory until it is cloned, so the array needs a name.
        values = nchw(picture)
        self.picture = self.mat(values).clone()

    def run(self):
        """One inference."""
        extractor = self.net.create_extractor()
        extractor.input("v0", self.picture)
        self.values = [extractor.extract(name) for name in self.names]

    def results(self):
        """Floats in the reference's order."""
        failed = [name for name, (code, _) in zip(self.names, self.values, strict=True) if code != 0]
        if failed:
            raise ValueError(f"ncnn computes no {failed}")
        values = [np.array(value) for _, value in self.values]
        return [np.moveaxis(value, 0, -1) if value.ndim == 3 else value for value in values]


def nchw(picture):
    """Channels first."""
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0))


def quantized(picture, detail):
    """As the input wants it."""
    if detail["dtype"] == np.float32:
        return picture
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    if scale == 0:
        # Grey levels as they are.
        return picture.astype(detail["dtype"])
    return np.clip(np.round(picture / scale + zero_point), limits.min, limits.max).astype(detail["dtype"])


def dequantized(values, detail):
    """As floats."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero_point = detail["quantization"]
    return (values.astype(np.float32) - zero_point) * scale


def signal_to_noise_db(reference, values):
    """Of all values together; 200 where they are equal."""
    noise = float(np.square(reference - values).sum())
    signal = float(np.square(reference).sum())
    return 200.0 if noise == 0 else min(200.0, 10 * float(np.log10(signal / noise)))


PEERS = {"litert": LiteRt, "ort": Ort, "ncnn": Ncnn}


def main():
    """See the module's text."""
    path, name, peer, form_name, threads = sys.argv[1:6]
    with open(path, encoding="utf-8") as file:
        net = next(net for net in json.load(file)["nets"] if net["name"] == name)
    form = next(one for one in net["forms"] if (one["peer"], one["form"]) == (peer, form_name))
    reference = np.fromfile(form["reference"], "<f4")
    picture = np.fromfile(form["picture"], "<f4")
    engine = PEERS[peer](form, int(threads))
    channels = net["shape"][2] if form["picture"].endswith("picture") else 3
    side = int(round((picture.size / channels) ** 0.5))
    engine.feed(picture.reshape(side, side, channels))
    engine.run()
    answer = np.concatenate([np.asarray(value, np.float32).reshape(-1) for value in engine.results()])
    print(json.dumps({"snr_db": round(signal_to_noise_db(reference, answer), 2)}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter_ns()
            engine.run()
            times.append(time.perf_counter_ns() - start)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
