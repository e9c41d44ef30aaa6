#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reference floors coordinates inside the picture"
)]
use clawdbot_flow::clock::{Monotonic, Wall};
use clawdbot_flow::detection::BoundingBox;
use clawdbot_flow::frame::{Frame, PixelFormat, PooledBytes};
use clawdbot_nn::metadata::{ColorOrder, PictureInput, Resize};

use clawdbot_kernels::isa::Isa;

use super::{Crop, INPUT_CHANNEL_STRIDE, Picture, PictureError, PreprocessError, Preprocessor};

const FORMATS: [PixelFormat; 4] = [PixelFormat::Rgb8, PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::I420];

fn input(width: usize, height: usize, resize: Resize) -> PictureInput {
    PictureInput { width, height, color: ColorOrder::Rgb, resize }
}

/// A picture with gradients and texture, as bytes in `format` with `padding` bytes of rubbish after each row, and as
/// the three samples that each pixel has.
struct Sample {
    width: usize,
    height: usize,
    stride: usize,
    format: PixelFormat,
    data: Vec<u8>,
    samples: Vec<[u8; 3]>,
}

impl Sample {
    fn new(format: PixelFormat, width: usize, height: usize, padding: usize) -> Self {
        let texture = |x: usize, y: usize, seed: usize| {
            let value = 255 * x / width + 97 * y / height + (x * 7 + y * 13 + seed) % 31;
            u8::try_from(value % 256).unwrap()
        };
        let (mut data, mut samples) = (Vec::new(), Vec::new());
        let padded = |data: &mut Vec<u8>, row: &[u8], stride: usize| {
            data.extend_from_slice(row);
            data.resize(data.len() + stride - row.len(), 0xEE);
        };
        let chroma = |x: usize, y: usize| (texture(x / 2, y, 40), texture(x / 2, y, 90));
        let half = width.div_ceil(2);
        let row_bytes = match format {
            PixelFormat::Rgb8 => 3 * width,
            PixelFormat::Yuyv => 4 * half,
            _ => 2 * half,
        };
        let stride = row_bytes + padding;
        for y in 0..height {
            let mut row = Vec::new();
            for x in 0..width {
                let luma = texture(x, y, 0);
                // 4:2:0 shares a row of chroma between two rows.
                let (u, v) = chroma(x, if format == PixelFormat::Yuyv { y } else { y / 2 });
                match format {
                    PixelFormat::Rgb8 => row.extend([luma, u, v]),
                    PixelFormat::Yuyv => row.extend(if x % 2 == 0 { [luma, u] } else { [luma, v] }),
                    _ => row.push(luma),
                }
                samples.push([luma, u, v]);
            }
            if format == PixelFormat::Yuyv && width % 2 == 1 {
                row.extend([0xEE, chroma(width - 1, y).1]);
            }
            padded(&mut data, &row, stride);
        }
        let rows = 0..height.div_ceil(2);
        match format {
            PixelFormat::Nv12 => {
                for y in rows {
                    let row: Vec<_> = (0..half).flat_map(|x| <[u8; 2]>::from(chroma(2 * x, y))).collect();
                    padded(&mut data, &row, stride);
                }
            }
            PixelFormat::I420 => {
                for plane in [0, 1] {
                    for y in rows.clone() {
                        let row: Vec<_> = (0..half).map(|x| <[u8; 2]>::from(chroma(2 * x, y))[plane]).collect();
                        padded(&mut data, &row, stride / 2);
                    }
                }
            }
            _ => {}
        }
        Self { width, height, stride, format, data, samples }
    }

    fn picture(&self) -> Picture<'_> {
        Picture::new(self.width, self.height, self.stride, self.format, &self.data).unwrap()
    }

    /// Red, green and blue at a place, in f64.
    fn reference(&self, x: f64, y: f64) -> [f64; 3] {
        let samples = [0, 1, 2].map(|sample| self.bilinear(x, y, sample));
        if self.format == PixelFormat::Rgb8 { samples } else { bt_601(samples) }
    }

    /// Bilinear with pixel centres at half, in f64.
    fn bilinear(&self, x: f64, y: f64, channel: usize) -> f64 {
        let axis = |position: f64, side: usize| {
            let last = side as f64 - 1.0;
            let position = position.clamp(0.0, last);
            let near = position.floor();
            (near as usize, (near + 1.0).min(last) as usize, position - near)
        };
        let ((x0, x1, fx), (y0, y1, fy)) = (axis(x, self.width), axis(y, self.height));
        let level = |x: usize, y: usize| f64::from(self.samples[y * self.width + x][channel]);
        let upper = level(x0, y0) * (1.0 - fx) + level(x1, y0) * fx;
        let lower = level(x0, y1) * (1.0 - fx) + level(x1, y1) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}

/// ITU-R BT.601-7, limited range.
fn bt_601([y, u, v]: [f64; 3]) -> [f64; 3] {
    let (y, u, v) = (255.0 / 219.0 * (y - 16.0), 255.0 / 224.0 * (u - 128.0), 255.0 / 224.0 * (v - 128.0));
    let (red, blue) = (2.0 * (1.0 - 0.299), 2.0 * (1.0 - 0.114));
    [y + red * v, y - (0.114 * blue * u + 0.299 * red * v) / 0.587, y + blue * u].map(|level| level.clamp(0.0, 255.0))
}

/// Brings `sample` to `target` and compares with the reference: at most one grey level off.
fn check(sample: &Sample, target: [usize; 2], resize: Resize, covered: [usize; 2]) {
    let [width, height] = target;
    let mut preprocessor = Preprocessor::new(&input(width, height, resize), Isa::detect()).unwrap();
    let mut result = vec![77_i8; preprocessor.input_bytes()];
    let placement = preprocessor.run(&sample.picture(), &mut result).unwrap();
    for y in 0..height {
        for x in 0..width {
            let pixel = &result[(y * width + x) * INPUT_CHANNEL_STRIDE..][..INPUT_CHANNEL_STRIDE];
            assert_eq!(pixel[3], 0, "channel 3 at ({x}, {y})");
            let source =
                |at: usize, side: usize, covered: usize| (at as f64 + 0.5) * side as f64 / covered as f64 - 0.5;
            let expected = match resize {
                Resize::Letterbox { fill } if x >= covered[0] || y >= covered[1] => [f64::from(fill); 3],
                _ => sample.reference(source(x, sample.width, covered[0]), source(y, sample.height, covered[1])),
            };
            for (channel, level) in pixel[..3].iter().enumerate() {
                let expected = expected[channel];
                let given = f64::from(*level) + 128.0;
                assert!(
                    (given - expected).abs() <= 1.0,
                    "{:?} {} x {}: ({x}, {y})[{channel}] is {given}, not {expected}",
                    sample.format,
                    sample.width,
                    sample.height
                );
            }
        }
    }
    let corner = placement.to_picture(&BoundingBox {
        left: 0.0,
        top: 0.0,
        right: covered[0] as f32 / width as f32,
        bottom: covered[1] as f32 / height as f32,
    });
    assert!((corner.right - 1.0).abs() < 1e-6 && (corner.bottom - 1.0).abs() < 1e-6, "{corner:?}");
}

#[test]
fn stretches_every_format_at_camera_widths_with_padded_strides() {
    for format in FORMATS {
        for (width, height, padding) in [(640, 48, 0), (640, 36, 64), (780, 44, 20), (1296, 24, 16), (2028, 20, 36)] {
            check(&Sample::new(format, width, height, padding), [300, 30], Resize::Stretch, [300, 30]);
        }
    }
}

#[test]
fn odd_and_tiny_sizes_go_in() {
    for format in FORMATS {
        for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3), (5, 7), (31, 33)] {
            check(&Sample::new(format, width, height, 6), [16, 12], Resize::Stretch, [16, 12]);
        }
    }
}

#[test]
fn letterboxes_at_the_top_left() {
    let fill = Resize::Letterbox { fill: 114 };
    check(&Sample::new(PixelFormat::Rgb8, 640, 360, 0), [416, 416], fill, [416, 234]);
    check(&Sample::new(PixelFormat::Nv12, 48, 64, 0), [32, 32], fill, [24, 32]);
    check(&Sample::new(PixelFormat::Rgb8, 2000, 1, 0), [32, 32], fill, [32, 1]);
    check(&Sample::new(PixelFormat::Rgb8, 1, 2000, 0), [32, 32], fill, [1, 32]);
    check(&Sample::new(PixelFormat::Rgb8, 20, 20, 0), [32, 32], fill, [32, 32]);
}

#[test]
fn a_picture_of_the_right_size_goes_in_unchanged() {
    let sample = Sample::new(PixelFormat::Rgb8, 24, 16, 8);
    for color in [ColorOrder::Rgb, ColorOrder::Bgr] {
        let input = PictureInput { color, ..input(24, 16, Resize::Stretch) };
        let mut preprocessor = Preprocessor::new(&input, Isa::Scalar).unwrap();
        let mut result = vec![0; preprocessor.input_bytes()];
        preprocessor.run(&sample.picture(), &mut result).unwrap();
        let expected: Vec<i8> = sample
            .samples
            .iter()
            .flat_map(|&[red, green, blue]| {
                let [first, third] = if color == ColorOrder::Rgb { [red, blue] } else { [blue, red] };
                let [a, b, c] = [first, green, third].map(|level| i8::try_from(i16::from(level) - 128).unwrap());
                [a, b, c, 0]
            })
            .collect();
        assert_eq!(result, expected);
    }
}

#[test]
fn sizes_may_change_from_picture_to_picture() {
    let mut preprocessor = Preprocessor::new(&input(20, 20, Resize::Letterbox { fill: 0 }), Isa::detect()).unwrap();
    let mut reused = vec![0; preprocessor.input_bytes()];
    for (width, height) in [(40, 10), (10, 40), (40, 10), (33, 33)] {
        let sample = Sample::new(PixelFormat::I420, width, height, 2);
        preprocessor.run(&sample.picture(), &mut reused).unwrap();
        let mut fresh = vec![0; preprocessor.input_bytes()];
        Preprocessor::new(&preprocessor.input, Isa::Scalar).unwrap().run(&sample.picture(), &mut fresh).unwrap();
        assert_eq!(reused, fresh);
    }
}

/// One pixel through the preprocessor.
fn color_of(picture: &Picture<'_>) -> [f64; 3] {
    let mut result = [0; 4];
    Preprocessor::new(&input(1, 1, Resize::Stretch), Isa::detect()).unwrap().run(picture, &mut result).unwrap();
    [0, 1, 2].map(|channel| f64::from(result[channel]) + 128.0)
}

#[test]
fn colours_follow_bt_601() {
    let close = |given: [f64; 3], expected: [f64; 3], from: [u8; 3]| {
        for (given, expected) in given.iter().zip(expected) {
            assert!((given - expected).abs() <= 0.55, "{from:?}: {given} is not {expected}");
        }
    };
    for y in (0..=255).step_by(5) {
        for u in (0..=255).step_by(15) {
            for v in (0..=255).step_by(15) {
                let exact = [y, u, v].map(f64::from);
                close(
                    color_of(&Picture::new(1, 1, 4, PixelFormat::Yuyv, &[y, u, y, v]).unwrap()),
                    bt_601(exact),
                    [y, u, v],
                );
                // ITU-T T.871, section 7.
                let [y, u, v] = [exact[0], exact[1] - 128.0, exact[2] - 128.0];
                let jpeg =
                    [y + 1.402 * v, y - 0.344_136 * u - 0.714_136 * v, y + 1.772 * u].map(|x| x.clamp(0.0, 255.0));
                let pixel = exact.map(|sample| sample as u8);
                close(color_of(&Picture::ycbcr(1, 1, &pixel).unwrap()), jpeg, pixel);
            }
        }
    }
    for (y, level) in [(16, 0.0), (235, 255.0)] {
        let grey = [y, 128, y, 128];
        assert_eq!(color_of(&Picture::new(1, 1, 4, PixelFormat::Yuyv, &grey).unwrap()), [level; 3]);
    }
}

#[test]
fn a_part_of_a_picture_goes_in_as_if_it_were_all() {
    for format in FORMATS {
        let sample = Sample::new(format, 61, 40, 6);
        let crop = Crop { left: 17, top: 12, width: 30, height: 23 };
        let mut preprocessor = Preprocessor::new(&input(24, 24, Resize::Letterbox { fill: 9 }), Isa::detect()).unwrap();
        let mut result = vec![0; preprocessor.input_bytes()];
        let placement = preprocessor.run_crop(&sample.picture(), crop, &mut result).unwrap();
        let covered = [24, 18];
        for (at, pixel) in result.as_chunks::<4>().0.iter().enumerate() {
            let (x, y) = (at % 24, at / 24);
            let source =
                |at: usize, side: usize, covered: usize| (at as f64 + 0.5) * side as f64 / covered as f64 - 0.5;
            let inside = |position: f64, side: usize| position.clamp(0.0, side as f64 - 1.0);
            let expected = if y < covered[1] {
                sample.reference(
                    17.0 + inside(source(x, crop.width, covered[0]), crop.width),
                    12.0 + inside(source(y, crop.height, covered[1]), crop.height),
                )
            } else {
                [9.0; 3]
            };
            for (level, expected) in pixel[..3].iter().zip(expected) {
                let given = f64::from(*level) + 128.0;
                assert!((given - expected).abs() <= 1.0, "{format:?} ({x}, {y}): {given} is not {expected}");
            }
        }
        let in_input = BoundingBox { left: 0.0, top: 0.0, right: 1.0, bottom: 18.0 / 24.0 };
        let in_picture = placement.to_picture(&in_input);
        let expected = [17.0 / 61.0, 12.0 / 40.0, 47.0 / 61.0, 35.0 / 40.0];
        let given = [in_picture.left, in_picture.top, in_picture.right, in_picture.bottom];
        assert!(given.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{given:?}, {expected:?}");
    }
}

#[test]
fn parts_outside_of_the_picture_are_refused() {
    let mut preprocessor = Preprocessor::new(&input(2, 2, Resize::Stretch), Isa::Scalar).unwrap();
    let picture = Picture::rgb(4, 3, &[0; 36]).unwrap();
    for crop in [
        Crop { left: 4, top: 0, width: 1, height: 1 },
        Crop { left: 0, top: 0, width: 0, height: 1 },
        Crop { left: 1, top: 0, width: 4, height: 1 },
        Crop { left: 0, top: 2, width: 1, height: 2 },
        Crop { left: usize::MAX, top: 0, width: usize::MAX, height: 1 },
    ] {
        let error = preprocessor.run_crop(&picture, crop, &mut [0; 16]).unwrap_err();
        assert_eq!(error, PreprocessError::Crop { crop, width: 4, height: 3 });
    }
}

#[test]
fn a_frame_is_a_picture_unless_it_is_compressed() {
    let frame = |format, data: Vec<u8>| Frame {
        sequence: 0,
        captured_at: Monotonic::default(),
        captured_wall: Wall::default(),
        width: 4,
        height: 2,
        stride: 12,
        format,
        data: PooledBytes::unpooled(data),
    };
    let picture_frame = frame(PixelFormat::Rgb8, vec![0; 24]);
    let picture = Picture::from_frame(&picture_frame).unwrap();
    assert_eq!((picture.width(), picture.height()), (4, 2));
    assert_eq!(Picture::from_frame(&frame(PixelFormat::Jpeg, vec![0; 24])).unwrap_err(), PictureError::Compressed);
}

#[test]
fn wrong_pictures_are_refused() {
    assert_eq!(Picture::rgb(0, 4, &[]).unwrap_err(), PictureError::Empty { width: 0, height: 4 });
    for format in FORMATS {
        for padding in [0, 10] {
            let Sample { width, height, stride, data, .. } = Sample::new(format, 6, 5, padding);
            // The last row may lack its padding.
            let chroma_padding = if format == PixelFormat::I420 { padding / 2 } else { padding };
            let shortest = data.len() - chroma_padding;
            assert!(Picture::new(width, height, stride, format, &data[..shortest]).is_ok(), "{format:?}");
            let error = Picture::new(width, height, stride, format, &data[..shortest - 1]).unwrap_err();
            let given = shortest - 1;
            assert_eq!(error, PictureError::TooShort { width, height, format, needed: shortest, given });
        }
        assert!(matches!(Picture::new(6, 5, 5, format, &[0; 999]), Err(PictureError::Stride { stride: 5, .. })));
        let absurd = Picture::new(usize::MAX, usize::MAX, usize::MAX, format, &[0; 999]).unwrap_err();
        assert!(matches!(absurd, PictureError::TooLarge { .. } | PictureError::Stride { .. }), "{absurd}");
    }
}

#[test]
fn wrong_inputs_are_refused() {
    let absurd = Preprocessor::new(&input(0, 300, Resize::Stretch), Isa::Scalar).unwrap_err();
    assert_eq!(absurd, PreprocessError::InputSize { width: 0, height: 300 });
    let mut preprocessor = Preprocessor::new(&input(2, 2, Resize::Stretch), Isa::Scalar).unwrap();
    let error = preprocessor.run(&Picture::rgb(1, 1, &[0; 3]).unwrap(), &mut [0; 15]).unwrap_err();
    assert_eq!(error, PreprocessError::InputLength { given: 15, wanted: 16, width: 2, height: 2 });
}

#[test]
fn a_part_does_not_depend_on_those_before_it() {
    let wanted = input(24, 24, Resize::Letterbox { fill: 9 });
    for format in FORMATS {
        let sample = Sample::new(format, 61, 40, 6);
        let mut kept = Preprocessor::new(&wanted, Isa::detect()).unwrap();
        // More sizes than plans are kept, each at an even and at an odd place, twice.
        for number in 0..44 {
            let side = 11 + number / 2 % 11;
            let crop =
                Crop { left: 7 * number % (61 - side), top: 5 * number % (40 - side), width: side, height: side };
            let (mut given, mut expected) = (vec![1; kept.input_bytes()], vec![2; kept.input_bytes()]);
            let placement = kept.run_crop(&sample.picture(), crop, &mut given).unwrap();
            let mut fresh = Preprocessor::new(&wanted, Isa::detect()).unwrap();
            assert_eq!(fresh.run_crop(&sample.picture(), crop, &mut expected), Ok(placement));
            assert_eq!(given, expected, "{format:?}, number {number}: {crop:?}");
        }
    }
}
