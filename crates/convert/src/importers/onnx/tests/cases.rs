//! A small network for every operator and form that is read, most of them for several opsets.

use super::writer::Attribute::{Float, Floats, Int, Ints, Tensor, Text};
use super::writer::{Attribute, Model, integers, tensor};

/// A picture of 3 channels, 4 rows, 5 columns.
fn picture(opset: i64) -> Model {
    Model::new(opset).input("x", &[1, 3, 4, 5]).output("y")
}

fn ints(all: &[i64]) -> Attribute {
    Ints(all.to_vec())
}

/// One node that makes y of x.
fn one(opset: i64, operator: &str, attributes: &[(&str, Attribute)]) -> Model {
    picture(opset).node(operator, &["x"], &["y"], attributes)
}

pub(super) fn all() -> Vec<(String, Model)> {
    let mut all = Vec::new();
    let mut add = |name: &str, model: Model| all.push((name.to_owned(), model));
    convolutions(&mut add);
    matrices(&mut add);
    elementwise(&mut add);
    sums(&mut add);
    pools(&mut add);
    resizes(&mut add);
    movements(&mut add);
    parts(&mut add);
    constants(&mut add);
    stored(&mut add);
    quantised(&mut add);
    all
}

fn convolutions(add: &mut dyn FnMut(&str, Model)) {
    let conv = |weights: &[i64], attributes: &[(&str, Attribute)]| {
        picture(11).weights("weights", weights).node("Conv", &["x", "weights"], &["y"], attributes)
    };
    add("conv 3x3 with bias", {
        let model = picture(7).weights("weights", &[2, 3, 3, 3]).weights("b", &[2]);
        model.node("Conv", &["x", "weights", "b"], &["y"], &[("pads", ints(&[1, 0, 0, 2])), ("strides", ints(&[2, 1]))])
    });
    add("conv 1x1", conv(&[4, 3, 1, 1], &[]));
    add("conv depthwise", conv(&[3, 1, 3, 2], &[("group", Int(3)), ("kernel_shape", ints(&[3, 2]))]));
    add("conv depthwise, multiplier 2", conv(&[6, 1, 2, 2], &[("group", Int(3))]));
    add("conv dilated", conv(&[2, 3, 2, 2], &[("dilations", ints(&[2, 3]))]));
    add("conv depthwise dilated", conv(&[3, 1, 2, 2], &[("dilations", ints(&[1, 2])), ("group", Int(3))]));
    add("conv same upper", conv(&[2, 3, 2, 2], &[("auto_pad", Text("SAME_UPPER")), ("strides", ints(&[1, 2]))]));
    add("conv same lower", conv(&[2, 3, 2, 2], &[("auto_pad", Text("SAME_LOWER"))]));
    add("conv valid", conv(&[2, 3, 2, 2], &[("auto_pad", Text("VALID")), ("strides", ints(&[2, 2]))]));
    add("conv in groups", {
        let model = Model::new(13).input("x", &[1, 4, 2, 3]).output("y").weights("weights", &[6, 2, 1, 2]);
        model.node("Conv", &["x", "weights"], &["y"], &[("group", Int(2))])
    });
}

fn matrices(add: &mut dyn FnMut(&str, Model)) {
    let row = |opset| Model::new(opset).input("x", &[1, 6]).output("y");
    add("gemm", row(7).weights("b", &[6, 4]).weights("cc", &[4]).node("Gemm", &["x", "b", "cc"], &["y"], &[]));
    add("gemm turned and scaled", {
        let attributes = [("transB", Int(1)), ("alpha", Float(0.5)), ("beta", Float(2.0))];
        row(13).weights("b", &[4, 6]).weights("cc", &[1, 4]).node("Gemm", &["x", "b", "cc"], &["y"], &attributes)
    });
    add("gemm of several rows, turned", {
        let model = Model::new(13).input("x", &[6, 3]).output("y").weights("b", &[6, 4]);
        model.node("Gemm", &["x", "b"], &["y"], &[("transA", Int(1))])
    });
    add("flatten and gemm", {
        let model = picture(13).weights("b", &[2, 60]).node("Flatten", &["x"], &["f"], &[]);
        model.node("Gemm", &["f", "b"], &["y"], &[("transB", Int(1))])
    });
    add("mean, reshape, unsqueeze, conv", {
        let model = picture(11).weights("weights", &[2, 3, 1, 1]);
        let model = model.node("ReduceMean", &["x"], &["m"], &[("axes", ints(&[2, 3])), ("keepdims", Int(0))]);
        let model = model.node("Unsqueeze", &["m"], &["u"], &[("axes", ints(&[2, 3]))]);
        model.node("Conv", &["u", "weights"], &["y"], &[])
    });
    add("matmul and bias", {
        let model = row(9).weights("b", &[6, 4]).weights("cc", &[4]);
        model.node("MatMul", &["x", "b"], &["p"], &[]).node("Add", &["cc", "p"], &["y"], &[])
    });
    add("matmul over columns of a picture", {
        picture(13).weights("b", &[5, 2]).node("MatMul", &["x", "b"], &["y"], &[])
    });
    add("matmul from the left", picture(13).weights("a", &[2, 4]).node("MatMul", &["a", "x"], &["y"], &[]));
    add("matmul by a vector", {
        let model = Model::new(13).input("x", &[1, 3, 6]).output("y").weights("b", &[6]);
        model.node("MatMul", &["x", "b"], &["y"], &[])
    });
    add("a vector by a matrix", {
        let model = Model::new(13).input("x", &[1, 3, 6]).output("y").weights("a", &[3]);
        model.node("MatMul", &["a", "x"], &["y"], &[])
    });
}

fn elementwise(add: &mut dyn FnMut(&str, Model)) {
    add("relu", one(7, "Relu", &[]));
    add("leaky relu", one(7, "LeakyRelu", &[("alpha", Float(0.25))]));
    add("leaky relu, default", one(16, "LeakyRelu", &[]));
    add("prelu", picture(9).floats("s", &[3, 1, 1], &[0.5; 3]).node("PRelu", &["x", "s"], &["y"], &[]));
    add("sigmoid", one(13, "Sigmoid", &[]));
    add("tanh", one(13, "Tanh", &[]));
    add("hard sigmoid", one(7, "HardSigmoid", &[]));
    add("hard sigmoid, own slope", one(7, "HardSigmoid", &[("alpha", Float(0.5)), ("beta", Float(0.25))]));
    add("hard swish", one(14, "HardSwish", &[]));
    add("gelu", one(20, "Gelu", &[]));
    add("clip by attributes", one(7, "Clip", &[("min", Float(-0.5)), ("max", Float(1.25))]));
    add("clip by operands", {
        let model = picture(11).floats("low", &[], &[-1.0]).floats("high", &[], &[0.5]);
        model.node("Clip", &["x", "low", "high"], &["y"], &[])
    });
    add("clip above only", picture(13).floats("high", &[], &[0.5]).node("Clip", &["x", "", "high"], &["y"], &[]));
    add("min and max", {
        let model = picture(13).floats("low", &[], &[-1.0]).floats("high", &[1], &[0.5]);
        model.node("Max", &["x", "low"], &["a"], &[]).node("Min", &["high", "a"], &["y"], &[])
    });
    add("swish", one(13, "Sigmoid", &[]).node("Mul", &["x", "y"], &["z"], &[]).output("z"));
    let raised = |opset| {
        let model = picture(opset).floats("three", &[], &[3.0]).floats("six", &[], &[6.0]).floats("zero", &[], &[0.0]);
        let model = model.node("Add", &["x", "three"], &["a"], &[]);
        model.node("Clip", &["a", "zero", "six"], &["b"], &[])
    };
    add(
        "hard swish, product first",
        raised(11).node("Mul", &["x", "b"], &["c"], &[]).node("Div", &["c", "six"], &["y"], &[]),
    );
    add(
        "hard swish, quotient first",
        raised(11).node("Div", &["b", "six"], &["c"], &[]).node("Mul", &["c", "x"], &["y"], &[]),
    );
}

fn sums(add: &mut dyn FnMut(&str, Model)) {
    let by = |operator: &str, inputs: &[&str], shape: &[i64]| {
        picture(7).weights("c", shape).node(operator, inputs, &["y"], &[])
    };
    add("add a scalar", by("Add", &["x", "c"], &[]));
    add("add one for each channel", by("Add", &["x", "c"], &[3, 1, 1]));
    add("add one for each row", by("Add", &["x", "c"], &[4, 1]));
    add("add one for each column", by("Add", &["x", "c"], &[5]));
    add("add one for each element", by("Add", &["c", "x"], &[1, 3, 4, 5]));
    add("subtract a constant", by("Sub", &["x", "c"], &[1, 3, 1, 1]));
    add("subtract from a constant", by("Sub", &["c", "x"], &[1, 3, 1, 1]));
    add("multiply by a constant", by("Mul", &["c", "x"], &[1, 3, 1, 1]));
    add("multiply by a plane", by("Mul", &["c", "x"], &[4, 5]));
    add(
        "divide by a constant",
        picture(7).floats("c", &[3, 1, 1], &[2.0, -4.0, 0.5]).node("Div", &["x", "c"], &["y"], &[]),
    );
    add("negate", one(13, "Neg", &[]));
    add("two values", {
        let model = picture(13).node("Relu", &["x"], &["a"], &[]).node("Tanh", &["x"], &["b"], &[]);
        let model = model.node("Add", &["a", "b"], &["c"], &[]).node("Mul", &["c", "b"], &["d"], &[]);
        model.node("Sub", &["a", "d"], &["y"], &[])
    });
    add("squeeze and excitation", {
        let model = picture(13).node("GlobalAveragePool", &["x"], &["m"], &[]).node("Sigmoid", &["m"], &["g"], &[]);
        model.node("Mul", &["g", "x"], &["y"], &[])
    });
    add("batch normalisation", {
        let model = picture(9).weights("s", &[3]).weights("of", &[3]).weights("avg", &[3]);
        let model = model.floats("var", &[3], &[0.5, 1.0, 2.0]);
        model.node("BatchNormalization", &["x", "s", "of", "avg", "var"], &["y"], &[("epsilon", Float(1e-3))])
    });
    for (opset, axis) in [(11, 1), (11, 2), (11, 3), (11, -1), (13, 1), (13, 2), (13, -1)] {
        add(&format!("softmax over axis {axis}, opset {opset}"), one(opset, "Softmax", &[("axis", Int(axis))]));
    }
    add("softmax, default of opset 13", one(13, "Softmax", &[]));
    add("nothing at all", {
        let model = picture(13).node("Identity", &["x"], &["a"], &[]).node("Dropout", &["a"], &["b"], &[]);
        model.node("Cast", &["b"], &["y"], &[("to", Int(1))])
    });
}

fn pools(add: &mut dyn FnMut(&str, Model)) {
    let window = |stride: i64| [("kernel_shape", ints(&[2, 3])), ("strides", ints(&[stride, 2]))];
    let with = |mut all: Vec<(&'static str, Attribute)>, name: &'static str, value: Attribute| {
        all.push((name, value));
        all
    };
    add("max pool", one(8, "MaxPool", &window(2)));
    add("max pool with pads", one(12, "MaxPool", &with(window(1).to_vec(), "pads", ints(&[1, 1, 0, 2]))));
    add("max pool, ceil", one(11, "MaxPool", &with(window(3).to_vec(), "ceil_mode", Int(1))));
    add("max pool, same", one(11, "MaxPool", &with(window(1).to_vec(), "auto_pad", Text("SAME_UPPER"))));
    add("average pool", one(7, "AveragePool", &window(1)));
    let padded = with(window(2).to_vec(), "pads", ints(&[1, 1, 1, 1]));
    add("average pool with pads", one(11, "AveragePool", &padded));
    add("average pool, pads count", one(11, "AveragePool", &with(padded.clone(), "count_include_pad", Int(1))));
    add("average pool, ceil", one(19, "AveragePool", &with(window(3).to_vec(), "ceil_mode", Int(1))));
    add("global average pool", one(7, "GlobalAveragePool", &[]));
    add("global max pool", one(7, "GlobalMaxPool", &[]));
    add("mean by attribute", one(13, "ReduceMean", &[("axes", ints(&[-2, -1]))]));
    add("mean by operand, flat", {
        let model = picture(18).integers("axes", &[2, 3]);
        model.node("ReduceMean", &["x", "axes"], &["y"], &[("keepdims", Int(0))])
    });
    add("maximum over rows and columns", one(13, "ReduceMax", &[("axes", ints(&[3, 2])), ("keepdims", Int(0))]));
}

fn resizes(add: &mut dyn FnMut(&str, Model)) {
    let by = |opset: i64, attributes: &[(&str, Attribute)], scales: &[f32]| {
        let model = picture(opset).floats("s", &[4], scales).floats("roi", &[0], &[]);
        let operands: &[&str] = if opset < 11 { &["x", "s"] } else { &["x", "roi", "s"] };
        model.node("Resize", operands, &["y"], attributes)
    };
    let form = |mode: &'static str, coordinates: &'static str| {
        vec![("mode", Text(mode)), ("coordinate_transformation_mode", Text(coordinates))]
    };
    let double = [1.0, 1.0, 2.0, 2.0];
    add("upsample by attribute", one(7, "Upsample", &[("scales", Floats(double.to_vec())), ("mode", Text("nearest"))]));
    add("upsample by operand, linear", {
        let model = picture(9).floats("s", &[4], &[1.0, 1.0, 1.5, 2.0]);
        model.node("Upsample", &["x", "s"], &["y"], &[("mode", Text("linear"))])
    });
    add("resize of opset 10", by(10, &[], &double));
    add("resize of opset 10, linear", by(10, &[("mode", Text("linear"))], &double));
    add("resize nearest, default", by(13, &[], &double));
    let floor = ("nearest_mode", Text("floor"));
    for coordinates in ["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"] {
        add(&format!("resize linear, {coordinates}"), by(11, &form("linear", coordinates), &[1.0, 1.0, 1.5, 2.0]));
        let mut nearest = form("nearest", coordinates);
        add(&format!("resize nearest, {coordinates}"), by(13, &nearest, &[1.0, 1.0, 0.5, 3.0]));
        nearest.push(floor.clone());
        add(&format!("resize nearest, {coordinates}, floor"), by(13, &nearest, &double));
    }
    let mut other = form("nearest", "tf_half_pixel_for_nn");
    other.push(floor);
    add("resize nearest, tf_half_pixel_for_nn", by(11, &other, &double));
    let mut other = form("nearest", "asymmetric");
    other.push(("nearest_mode", Text("ceil")));
    add("resize nearest down, ceil", by(13, &other, &[1.0, 1.0, 0.5, 1.0]));
    add("resize linear down", by(13, &form("linear", "half_pixel"), &[1.0, 1.0, 0.5, 0.4]));
    add("resize to sizes", {
        let model = picture(13).integers("sizes", &[1, 3, 7, 3]);
        model.node("Resize", &["x", "", "", "sizes"], &["y"], &form("linear", "half_pixel"))
    });
    add("resize to sizes of two axes", {
        let model = picture(18).integers("sizes", &[2, 10]);
        let mut attributes = form("linear", "align_corners");
        attributes.push(("axes", ints(&[2, 3])));
        model.node("Resize", &["x", "", "", "sizes"], &["y"], &attributes)
    });
}

fn movements(add: &mut dyn FnMut(&str, Model)) {
    let to = |model: Model, from: &str, shape: &[i64], result: &str| {
        let name = format!("shape of {result}");
        model.integers(&name, shape).node("Reshape", &[from, &name], &[result], &[])
    };
    let turn = |model: Model, from: &str, order: &[i64], result: &str| {
        model.node("Transpose", &[from], &[result], &[("perm", ints(order))])
    };
    add("planes to rows", turn(to(picture(13), "x", &[1, 3, -1], "a"), "a", &[0, 2, 1], "y"));
    add("planes stay", to(picture(13), "x", &[0, 3, 20], "y"));
    add("all in a row", to(picture(13), "x", &[-1], "y"));
    add("turned twice", turn(turn(picture(13), "x", &[0, 2, 3, 1], "a"), "a", &[0, 3, 1, 2], "y"));
    add("turned to NHWC and taken apart", to(turn(picture(13), "x", &[0, 2, 3, 1], "a"), "a", &[1, 10, 6], "y"));
    add("rows before columns", turn(picture(13), "x", &[0, 1, 3, 2], "y"));
    add("backwards", one(13, "Transpose", &[]));
    add("channel shuffle", {
        let model = to(Model::new(13).input("x", &[1, 6, 2, 3]).output("y"), "x", &[1, 2, 3, 2, 3], "a");
        to(turn(model, "a", &[0, 2, 1, 3, 4], "b"), "b", &[1, 6, 2, 3], "y")
    });
    add("channel shuffle of one pixel", {
        let model = to(Model::new(13).input("x", &[1, 6, 1, 1]).output("y"), "x", &[1, 3, 2, 1, 1], "a");
        to(turn(model, "a", &[0, 2, 1, 3, 4], "b"), "b", &[1, 6, 1, 1], "y")
    });
    add("blocks to channels by hand", {
        let model = to(Model::new(13).input("x", &[1, 2, 4, 6]).output("y"), "x", &[1, 2, 2, 2, 3, 2], "a");
        to(turn(model, "a", &[0, 1, 3, 5, 2, 4], "b"), "b", &[1, 8, 2, 3], "y")
    });
    let deep = |opset| Model::new(opset).input("x", &[1, 8, 2, 3]).output("y");
    add("depth to space", deep(11).node("DepthToSpace", &["x"], &["y"], &[("blocksize", Int(2))]));
    add("depth to space, CRD", {
        deep(13).node("DepthToSpace", &["x"], &["y"], &[("blocksize", Int(2)), ("mode", Text("CRD"))])
    });
    add("space to depth", {
        let model = Model::new(13).input("x", &[1, 3, 4, 6]).output("y");
        model.node("SpaceToDepth", &["x"], &["y"], &[("blocksize", Int(2))])
    });
    add("flatten at 2", one(13, "Flatten", &[("axis", Int(2))]));
    add("squeeze and unsqueeze, attributes", {
        let model = Model::new(11).input("x", &[1, 1, 4, 5]).output("y");
        let model = model.node("Squeeze", &["x"], &["a"], &[("axes", ints(&[1]))]);
        model.node("Unsqueeze", &["a"], &["y"], &[("axes", ints(&[0, 3]))])
    });
    add("squeeze and unsqueeze, operands", {
        let model = Model::new(13).input("x", &[1, 3, 1, 5]).output("y").integers("two", &[2]).integers("last", &[-1]);
        model.node("Squeeze", &["x", "two"], &["a"], &[]).node("Unsqueeze", &["a", "last"], &["y"], &[])
    });
    add("an input that is NHWC", {
        let model = Model::new(13).input("x", &[1, 4, 5, 3]).output("y").weights("weights", &[2, 3, 1, 1]);
        let model = turn(model, "x", &[0, 3, 1, 2], "a").node("Conv", &["a", "weights"], &["b"], &[]);
        turn(model, "b", &[0, 2, 3, 1], "y")
    });
    add("a view that two read", {
        let model = to(picture(13), "x", &[1, 3, 20], "a").node("Relu", &["a"], &["b"], &[]);
        turn(model.node("Softmax", &["a"], &["c"], &[]).node("Add", &["b", "c"], &["d"], &[]), "d", &[0, 2, 1], "y")
    });
}

fn parts(add: &mut dyn FnMut(&str, Model)) {
    for axis in [1, 2, -1] {
        add(&format!("concatenate along {axis}"), {
            let model = picture(13).node("Relu", &["x"], &["a"], &[]);
            model.node("Concat", &["x", "a", "x"], &["y"], &[("axis", Int(axis))])
        });
    }
    add("concatenate with a constant", {
        let model = picture(13).weights("c", &[1, 1, 4, 5]);
        model.node("Concat", &["c", "x"], &["y"], &[("axis", Int(1))])
    });
    add("concatenate rows of planes", {
        let model = picture(13).integers("s", &[1, 3, -1]).node("Reshape", &["x", "s"], &["a"], &[]);
        let model = model.node("Sigmoid", &["a"], &["b"], &[]).node("Concat", &["a", "b"], &["c"], &[("axis", Int(2))]);
        model.node("Transpose", &["c"], &["y"], &[("perm", ints(&[0, 2, 1]))])
    });
    let halves = |model: Model| model.output("z");
    add("split by attribute", {
        let attributes = [("axis", Int(1)), ("split", ints(&[1, 2]))];
        halves(picture(11)).node("Split", &["x"], &["y", "z"], &attributes)
    });
    add("split by operand", {
        let model = halves(picture(13)).integers("s", &[3, 1]);
        model.node("Split", &["x", "s"], &["y", "z"], &[("axis", Int(2))])
    });
    add("split alike, the last smaller", {
        halves(picture(18)).node("Split", &["x"], &["y", "z"], &[("axis", Int(-1)), ("num_outputs", Int(2))])
    });
    add("slice by attributes", {
        one(9, "Slice", &[("starts", ints(&[1, -4])), ("ends", ints(&[i64::MAX, -1])), ("axes", ints(&[1, 3]))])
    });
    let bounds = |model: Model, name: &str, from: &str, all: [&[i64]; 4], result: &str| {
        let names: Vec<String> = ["starts", "ends", "axes", "steps"].iter().map(|it| format!("{name} {it}")).collect();
        let model = names.iter().zip(all).fold(model, |model, (name, all)| model.integers(name, all));
        let operands: Vec<&str> = std::iter::once(from).chain(names.iter().map(String::as_str)).collect();
        model.node("Slice", &operands, &[result], &[])
    };
    add("slice with steps", bounds(picture(10), "a", "x", [&[1, 0], &[9, 5], &[2, 3], &[2, 3]], "y"));
    add("slice of a slice", {
        let model = bounds(picture(13), "a", "x", [&[1], &[4], &[2], &[1]], "part");
        bounds(model, "b", "part", [&[1, 1], &[3, 5], &[2, 3], &[1, 2]], "y")
    });
    add("slice backwards", bounds(picture(13), "a", "x", [&[-1], &[i64::MIN], &[1], &[-1]], "y"));
    add("gather, reordered", {
        let model = picture(13).integers("i", &[2, 0, -2]);
        model.node("Gather", &["x", "i"], &["y"], &[("axis", Int(1))])
    });
    add("gather one", {
        let model = picture(13).constant(&integers("i", &[], &[1]));
        model.node("Gather", &["x", "i"], &["y"], &[("axis", Int(2))])
    });
    add("gather the parts of a whole", {
        let model = picture(13).integers("i", &[3, 4, 5, 0, 1, 2]).node("Relu", &["x"], &["a"], &[]);
        let model = model.node("Concat", &["x", "a"], &["c"], &[("axis", Int(1))]);
        model.node("Gather", &["c", "i"], &["y"], &[("axis", Int(1))])
    });
    add("pad by attribute", one(7, "Pad", &[("pads", ints(&[0, 0, 1, 2, 0, 0, 0, 1]))]));
    add("pad by operand", {
        let model = picture(13).integers("p", &[0, 0, 0, 1, 0, 0, 2, 0]).floats("zero", &[], &[0.0]);
        model.node("Pad", &["x", "p", "zero"], &["y"], &[("mode", Text("constant"))])
    });
    add("pad two axes", {
        let model = picture(18).integers("p", &[1, 0, 0, 1]).integers("axes", &[3, 2]);
        model.node("Pad", &["x", "p", "", "axes"], &["y"], &[])
    });
    add("pad nothing", one(7, "Pad", &[("pads", ints(&[0; 8]))]));
}

/// What exporters write to find out shapes.
fn constants(add: &mut dyn FnMut(&str, Model)) {
    let constant = |value: Attribute, name: &'static str| [(name, value)];
    add("the shape of a flattening", {
        let zero = integers("", &[1], &[0]);
        let model = picture(11).node("Shape", &["x"], &["s"], &[]);
        let model = model.node("Constant", &[], &["i"], &constant(Tensor(integers("", &[], &[0])), "value"));
        let model = model.node("Constant", &[], &["minus"], &constant(Tensor(integers("", &[1], &[-1])), "value"));
        let model = model.node("Gather", &["s", "i"], &["n"], &[("axis", Int(0))]);
        let model = model.node("Unsqueeze", &["n"], &["u"], &[("axes", ints(&[0]))]);
        let model = model.node("Concat", &["u", "minus"], &["t"], &[("axis", Int(0))]).constant(&{
            let mut unused = zero;
            unused = unused.text(8, "unused");
            unused
        });
        model.node("Reshape", &["x", "t"], &["y"], &[])
    });
    add("twice the size", {
        let model = picture(13).integers("i", &[0]).integers("two", &[2]).integers("four", &[4]);
        let model = model.floats("scale", &[], &[2.0]);
        let model = model.node("Shape", &["x"], &["s"], &[]).node("Slice", &["s", "two", "four", "i"], &["hw"], &[]);
        let model = model.node("Cast", &["hw"], &["f"], &[("to", Int(1))]).node("Mul", &["f", "scale"], &["m"], &[]);
        let model = model.node("Floor", &["m"], &["fl"], &[]).node("Cast", &["fl"], &["sizes"], &[("to", Int(7))]);
        let model = model.node("Slice", &["s", "i", "two", "i"], &["nc"], &[]);
        let model = model.node("Concat", &["nc", "sizes"], &["all"], &[("axis", Int(0))]);
        model.node("Resize", &["x", "", "", "all"], &["y"], &[])
    });
    add("roots and ceilings", {
        let model = picture(13).floats("c", &[3, 1, 1], &[2.25, 4.0, 0.25]).node("Sqrt", &["c"], &["r"], &[]);
        model.node("Ceil", &["r"], &["u"], &[]).node("Div", &["u", "r"], &["f"], &[]).node(
            "Mul",
            &["x", "f"],
            &["y"],
            &[],
        )
    });
    add("a grid of a range", {
        let model = picture(11).constant(&integers("from", &[], &[0])).constant(&integers("to", &[], &[5]));
        let model = model.constant(&integers("by", &[], &[1]));
        let model = model.node("Range", &["from", "to", "by"], &["r"], &[]);
        let model = model.node("Cast", &["r"], &["f"], &[("to", Int(1))]);
        model.node("Add", &["x", "f"], &["y"], &[])
    });
    add("an expansion as PyTorch writes it", {
        let model = picture(13).integers("want", &[3, -1, 1]).integers("minus", &[-1]).integers("three", &[3]);
        let one = Tensor(integers("", &[1], &[1]));
        let model = model.node("ConstantOfShape", &["three"], &["ones"], &[("value", one)]);
        let model = model.node("Mul", &["ones", "minus"], &["m"], &[]).node("Equal", &["want", "m"], &["e"], &[]);
        let model = model.node("Where", &["e", "ones", "want"], &["s"], &[]).weights("c", &[1, 4, 1]);
        model.node("Expand", &["c", "s"], &["z"], &[]).node("Mul", &["x", "z"], &["y"], &[])
    });
    add("constants of every form", {
        let model = picture(13).node("Constant", &[], &["a"], &constant(Float(0.5), "value_float"));
        let model = model.node("Constant", &[], &["b"], &constant(Floats(vec![1.0, 2.0, 3.0]), "value_floats"));
        let model = model.node("Constant", &[], &["shape"], &constant(ints(&[3, 1, 1]), "value_ints"));
        let model = model.node("Reshape", &["b", "shape"], &["c"], &[]).node("Mul", &["x", "c"], &["d"], &[]);
        model.node("Add", &["d", "a"], &["y"], &[])
    });
}

/// Constants of every type.
fn stored(add: &mut dyn FnMut(&str, Model)) {
    let stored = |element_type: i64, bytes: &[u8]| {
        let model = picture(13).constant(&tensor("c", &[3, 1, 1], element_type).bytes(9, bytes));
        let model = model.node("Cast", &["c"], &["f"], &[("to", Int(1))]);
        model.node("Mul", &["x", "f"], &["y"], &[])
    };
    add("constants of FLOAT16", stored(10, &[0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38]));
    add("constants of DOUBLE", stored(11, &[1.5_f64, -2.0, 0.25].map(f64::to_le_bytes).concat()));
    add("constants of INT8", stored(3, &[1, 0xfe, 3]));
    add("constants of UINT8", stored(2, &[1, 0xfe, 3]));
    add("constants of INT32", stored(6, &[5_i32, -7, 2].map(i32::to_le_bytes).concat()));
    let typed = |constant| picture(13).constant(&constant).node("Mul", &["x", "c"], &["y"], &[]);
    add("typed floats", typed(tensor("c", &[3, 1, 1], 1).float(4, 1.0).float(4, -2.0).float(4, 0.5)));
    add("typed integers", {
        let model = picture(13).constant(&tensor("s", &[3], 7).packed(7, &[1, 3, -1]));
        model.node("Reshape", &["x", "s"], &["y"], &[])
    });
}

/// Quantised files whose floats are on their grids, so that the network in floats computes the same.
fn quantised(add: &mut dyn FnMut(&str, Model)) {
    let byte = |name: &str, element_type: i64, all: &[u8]| {
        let shape: &[i64] = if all.len() == 1 { &[] } else { &[3] };
        tensor(name, shape, element_type).bytes(9, all)
    };
    add("quantised around a convolution", {
        let model = picture(13).floats("s", &[], &[0.25]).constant(&byte("z", 2, &[128]));
        let model = model.node("QuantizeLinear", &["x", "s", "z"], &["q"], &[]);
        let model = model.node("DequantizeLinear", &["q", "s", "z"], &["d"], &[]);
        let weights = tensor("wq", &[3, 3, 1, 1], 3).bytes(9, &[1, 2, 0xfd, 4, 0xfb, 6, 0xf9, 8, 9]);
        let model = model.constant(&weights).floats("ws", &[3], &[0.5, 1.0, 2.0]).constant(&byte("wz", 3, &[0; 3]));
        let model = model.node("DequantizeLinear", &["wq", "ws", "wz"], &["weights"], &[("axis", Int(0))]);
        let bias = tensor("bq", &[3], 6).bytes(9, &[4_i32, -8, 12].map(i32::to_le_bytes).concat());
        let model = model.constant(&bias).floats("bs", &[3], &[0.125, 0.25, 0.5]);
        let model = model.constant(&tensor("bz", &[3], 6).bytes(9, &[0; 12]));
        let model = model.node("DequantizeLinear", &["bq", "bs", "bz"], &["b"], &[("axis", Int(0))]);
        model.node("Conv", &["d", "weights", "b"], &["y"], &[])
    });
    add("a clamp that the quantiser left out", {
        let model = picture(13).floats("s", &[], &[0.25]).constant(&byte("z", 2, &[0])).floats("i", &[], &[1.0]);
        let model = model.node("Mul", &["x", "i"], &["a"], &[]).node("QuantizeLinear", &["a", "s", "z"], &["q"], &[]);
        let model = model.node("DequantizeLinear", &["q", "s", "z"], &["d"], &[]);
        model.node("Tanh", &["d"], &["y"], &[])
    });
    add("weights quantised in the file", {
        let model = picture(13).floats("c", &[3, 1, 1], &[0.6, -1.3, 0.4]).floats("s", &[], &[0.25]);
        let model = model.constant(&byte("z", 3, &[0])).node("QuantizeLinear", &["c", "s", "z"], &["q"], &[]);
        let model = model.node("DequantizeLinear", &["q", "s", "z"], &["d"], &[]);
        model.node("Mul", &["x", "d"], &["y"], &[])
    });
}
