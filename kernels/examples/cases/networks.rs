//! The INT8 layers of three published networks, at their real shapes. Pools, resizes and concatenations are not here: this
//! counts kernels. Sources of the shapes: the papers' tables (MobileNetV2; MobileNet with SSD, as in TensorFlow's model
//! zoo) and YOLOX's `yolox_nano.py`.

use crate::layers::{Form, Layer};

/// Name and layers.
pub(crate) fn all() -> Vec<(&'static str, Vec<Layer>)> {
    vec![
        ("network MobileNetV2 224", mobilenet_v2()),
        ("network SSD-MobileNetV1 300", ssd_mobilenet_v1()),
        ("network YOLOX-Nano 416", yolox_nano()),
    ]
}

fn mobilenet_v2() -> Vec<Layer> {
    let mut layers = vec![Layer::conv([224, 224], 3, 32, [3, 2], Form::Relu)];
    let (mut size, mut channels) = (112, 32);
    // Expansion, channels, repetitions, first stride: table 2 of the paper.
    let stages =
        [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];
    for [expansion, n, repetitions, first_stride] in stages {
        for repetition in 0..repetitions {
            let stride = if repetition == 0 { first_stride } else { 1 };
            let wide = channels * expansion;
            if expansion > 1 {
                layers.push(Layer::gemm([size, size], channels, wide, Form::Relu));
            }
            layers.push(Layer::depthwise([size, size], wide, [3, stride], Form::Relu));
            size = size.div_ceil(stride);
            let form = if repetition > 0 { Form::Residual } else { Form::Plain };
            layers.push(Layer::gemm([size, size], wide, n, form));
            channels = n;
        }
    }
    layers.push(Layer::gemm([size, size], channels, 1280, Form::Relu));
    layers.push(Layer::gemm([1, 1], 1280, 1001, Form::Floats));
    layers
}

fn ssd_mobilenet_v1() -> Vec<Layer> {
    let mut layers = vec![Layer::conv([300, 300], 3, 32, [3, 2], Form::Relu)];
    let (mut size, mut channels) = (150, 32);
    let mut heads = Vec::new();
    let stages = [[64, 1], [128, 2], [128, 1], [256, 2], [256, 1], [512, 2]];
    let same = [[512, 1]; 5];
    for [n, stride] in stages.into_iter().chain(same).chain([[1024, 2], [1024, 1]]) {
        if n == 1024 && stride == 2 {
            heads.push((size, channels, 3));
        }
        layers.push(Layer::depthwise([size, size], channels, [3, stride], Form::Relu));
        size = size.div_ceil(stride);
        layers.push(Layer::gemm([size, size], channels, n, Form::Relu));
        channels = n;
    }
    heads.push((size, channels, 6));
    for [narrow, n] in [[256, 512], [128, 256], [128, 256], [64, 128]] {
        layers.push(Layer::gemm([size, size], channels, narrow, Form::Relu));
        layers.push(Layer::conv([size, size], narrow, n, [3, 2], Form::Relu));
        (size, channels) = (size.div_ceil(2), n);
        heads.push((size, channels, 6));
    }
    for (size, channels, anchors) in heads {
        for each in [4, 91] {
            layers.push(Layer::gemm([size, size], channels, anchors * each, Form::Floats));
        }
    }
    layers
}

fn yolox_nano() -> Vec<Layer> {
    let mut net = Yolox { layers: vec![Layer::conv([416, 416], 3, 16, [6, 2], Form::Bump)] };
    for (size, channels, repetitions) in [(208, 16, 1), (104, 32, 3), (52, 64, 3)] {
        net.separable(size, channels, channels * 2, 2);
        net.stage(size / 2, channels * 2, channels * 2, repetitions, true);
    }
    net.separable(26, 128, 256, 2);
    net.pointwise(13, 256, 128);
    net.pointwise(13, 512, 256);
    net.stage(13, 256, 256, 1, false);
    net.pointwise(13, 256, 128);
    net.stage(26, 256, 128, 1, false);
    net.pointwise(26, 128, 64);
    net.stage(52, 128, 64, 1, false);
    net.separable(52, 64, 64, 2);
    net.stage(26, 128, 128, 1, false);
    net.separable(26, 128, 128, 2);
    net.stage(13, 256, 256, 1, false);
    for (size, channels) in [(52, 64), (26, 128), (13, 256)] {
        net.pointwise(size, channels, 64);
        for _ in 0..4 {
            net.separable(size, 64, 64, 1);
        }
        for n in [80, 4, 1] {
            net.layers.push(Layer::gemm([size, size], 64, n, Form::Floats));
        }
    }
    net.layers
}

struct Yolox {
    layers: Vec<Layer>,
}

impl Yolox {
    fn pointwise(&mut self, size: usize, channels: usize, n: usize) {
        self.layers.push(Layer::gemm([size, size], channels, n, Form::Bump));
    }

    fn separable(&mut self, size: usize, channels: usize, n: usize, stride: usize) {
        self.layers.push(Layer::depthwise([size, size], channels, [3, stride], Form::Bump));
        self.pointwise(size.div_ceil(stride), channels, n);
    }

    /// A cross-stage partial stage: two halves of the channels, one through bottlenecks, joined by a third layer.
    fn stage(&mut self, size: usize, channels: usize, n: usize, repetitions: usize, shortcut: bool) {
        let half = n / 2;
        self.pointwise(size, channels, half);
        self.pointwise(size, channels, half);
        for _ in 0..repetitions {
            self.pointwise(size, half, half);
            self.separable(size, half, half, 1);
            if shortcut {
                self.layers.push(Layer::add([size, size], half));
            }
        }
        self.pointwise(size, n, n);
    }
}
