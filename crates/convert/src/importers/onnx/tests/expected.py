"""Makes expected.txt: what ONNX Runtime computes of the cases.

cargo test -p clawdbot-convert onnx::tests::write_cases -- --ignored
pip install numpy onnxruntime==1.32.0
python expected.py /tmp/clawdbot-onnx-cases > expected.txt
"""

import pathlib
import sys

import numpy
import onnxruntime

print("# Made by expected.py with onnxruntime", onnxruntime.__version__)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    at = numpy.arange(numpy.prod(given.shape))
    # writer::pattern with the seed 1
    x = ((at * at + at * 5 + 3) % 17 * 0.25 - 2).astype(numpy.float32).reshape(given.shape)
    for output, result in zip(session.get_outputs(), session.run(None, {given.name: x})):
        shape = " ".join(str(side) for side in result.shape)
        values = " ".join(f"{value:.6g}" for value in result.ravel())
        print(path.stem, output.name, shape, values, sep=" | ")
