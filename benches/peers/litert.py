#!/usr/bin/env python3
"""Times LiteRT on a float TFLite model and on its dynamic-range INT8 form; one line of JSON a round on standard output.

`clawdbot bench vision` runs between the rounds (see `cargo xtask peers`), so both meet the same machine. Needs
`pip install ai-edge-litert ai-edge-quantizer flatbuffers numpy`.

Usage: litert.py MODEL.tflite WORK_DIRECTORY THREADS RUNS
Then each line on standard input starts a round; end of input ends the program.
"""
import json
import os
import sys
import time

import numpy as np


def widen_float16(source, target):
    """Writes `source` with its FP16 constants (behind DEQUANTIZE) as plain FP32 constants: the quantizer reads no FP16."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    with open(source, "rb") as file:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read(), 0))
    graph = model.subgraphs[0]
    replaced = {}
    kept = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.DEQUANTIZE:
            kept.append(operator)
            continue
        narrow = graph.tensors[operator.inputs[0]]
        values = np.frombuffer(bytes(model.buffers[narrow.buffer].data), np.float16).astype(np.float32)
        model.buffers[narrow.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
        narrow.type = schema.TensorType.FLOAT32
        replaced[operator.outputs[0]] = operator.inputs[0]
    for operator in kept:
        operator.inputs = np.array([replaced.get(index, index) for index in operator.inputs], np.int32)
    graph.operators = kept
    builder = flatbuffers.Builder(1 << 24)
    builder.Finish(model.Pack(builder), b"TFL3")
    with open(target, "wb") as file:
        file.write(builder.Output())


def quantize_dynamic(source, target):
    """Writes `source` with INT8 weights and float activations, quantised at run time: LiteRT's dynamic-range form."""
    from ai_edge_quantizer import quantizer, recipe

    job = quantizer.Quantizer(source)
    job.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    result = job.quantize()
    if os.path.exists(target):
        os.remove(target)
    result.export_model(target)


def load(path, threads):
    """An interpreter whose input holds a fixed pseudo-random picture."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    picture = np.random.default_rng(7).uniform(-1, 1, detail["shape"]).astype(np.float32)
    interpreter.set_tensor(detail["index"], picture)
    return interpreter


def best_milliseconds(interpreter, runs):
    """Best and median wall time of `runs` runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        interpreter.invoke()
        times.append((time.perf_counter() - start) * 1000)
    return {"min_ms": min(times), "median_ms": sorted(times)[len(times) // 2]}


def main():
    """See the module's text."""
    model, work, threads, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    wide = os.path.join(work, "float32.tflite")
    dynamic = os.path.join(work, "dynamic_int8.tflite")
    if not os.path.exists(dynamic):
        widen_float16(model, wide)
        quantize_dynamic(wide, dynamic)
    forms = {"litert_float": load(model, threads), "litert_dynamic_int8": load(dynamic, threads)}
    for interpreter in forms.values():
        interpreter.invoke()
    print(json.dumps({"ready": sorted(forms)}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: best_milliseconds(form, runs) for name, form in forms.items()}), flush=True)


if __name__ == "__main__":
    main()
