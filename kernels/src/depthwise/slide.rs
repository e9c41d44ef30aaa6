//! The walk of a 3x3 depthwise window over a picture, once for both kinds of Arm processors.
//!
//! Sixteen channels at a time, and of those a row of pixels, column of cells by column of cells: a window is three columns,
//! and neighbours share them. Cells come straight from the input; a row of padding is one cell that is read again and
//! again. Rows go in groups that stay in the cache while channel after channel is made.
//!
//! A macro, for the reasons of [`crate::dense`]. `slide!("its features")` expects
//!
//! - `Column`, what is kept of a column of three cells: `column(cells, &index)` makes it, with the `Index` of `index()`;
//! - `Window`, the weights and biases of sixteen channels: `window(task, channel)` makes it, `sums([a, b, c])` are the sums
//!   of three columns.

use crate::geometry::Geometry;

/// Bytes of input that a group of rows reads: half of a first cache of 64 KiB.
pub(super) const GROUP: usize = 32768;

/// Whether `slide!` knows such windows and steps.
pub(super) const fn fits(geometry: &Geometry) -> bool {
    let padded = geometry.padding_left < 3 && geometry.input_width > 0;
    let steps = matches!(geometry.stride, [1, 1] | [2, 2]);
    padded && steps && matches!(geometry.kernel, [3, 3])
}

macro_rules! slide {
    ($features:literal) => {
        /// The channels that come in sixteens, by windows that [`crate::depthwise::slide::fits`]; answers the first channel
        /// that is left.
        #[target_feature(enable = $features)]
        pub(super) fn sixteens(task: &mut Task<'_>) -> usize {
            let geometry = task.geometry;
            let after = geometry.channels / BLOCK * BLOCK;
            let bytes = geometry.input_width * geometry.channels * geometry.stride[0];
            let group = ($crate::depthwise::slide::GROUP / bytes.max(1)).max(4);
            let rows = task.rows.clone();
            for first in rows.clone().step_by(group) {
                for channel in (0..after).step_by(BLOCK) {
                    let block = Block::new(task, channel);
                    for y in first..rows.end.min(first + group) {
                        let pixel = (y - rows.start) * geometry.output_width;
                        if geometry.stride[1] == 1 {
                            by_form::<1>(&block, y, pixel, task);
                        } else {
                            by_form::<2>(&block, y, pixel, task);
                        }
                    }
                }
            }
            after
        }

        /// Sixteen channels.
        struct Block<'a> {
            channel: usize,
            window: Window,
            pixels: Pixels<'a>,
            /// A cell of padding.
            padding: [i8; BLOCK],
            form: u8,
        }

        impl<'a> Block<'a> {
            #[target_feature(enable = $features)]
            fn new(task: &Task<'a>, channel: usize) -> Self {
                Self {
                    channel,
                    window: window(task, channel),
                    pixels: Pixels::new(task.depthwise.bias, &task.requantize, channel),
                    padding: [task.depthwise.pad_value; BLOCK],
                    form: task.requantize.form(),
                }
            }
        }

        /// The columns that the windows of a row of pixels see, from the left.
        struct Columns<'a> {
            /// So many columns of padding come first.
            before: usize,
            lines: $crate::strided::Lines<'a, 3>,
            padding: std::arch::aarch64::int8x16_t,
            index: Index,
        }

        impl Columns<'_> {
            /// The next one, wherever it lies.
            #[inline]
            #[target_feature(enable = $features)]
            fn next(&mut self) -> Column {
                if self.before == 0 && self.lines.has::<1>() {
                    return self.inside();
                }
                self.before = self.before.saturating_sub(1);
                column([self.padding; 3], &self.index)
            }

            /// The next one, which lies inside of the picture. Ask `has` first.
            #[inline]
            #[target_feature(enable = $features)]
            fn inside(&mut self) -> Column {
                column(self.lines.next(), &self.index)
            }
        }

        /// See [`row`].
        #[target_feature(enable = $features)]
        fn by_form<const S: usize>(block: &Block<'_>, y: usize, pixel: usize, task: &mut Task<'_>) {
            match block.form {
                $crate::epilogue::form::CLAMP => row::<{ $crate::epilogue::form::CLAMP }, S>(block, y, pixel, task),
                $crate::epilogue::form::PLAIN => row::<{ $crate::epilogue::form::PLAIN }, S>(block, y, pixel, task),
                $crate::epilogue::form::RELU => row::<{ $crate::epilogue::form::RELU }, S>(block, y, pixel, task),
                $crate::epilogue::form::RESIDUAL => {
                    row::<{ $crate::epilogue::form::RESIDUAL }, S>(block, y, pixel, task)
                }
                $crate::epilogue::form::LEAKY => row::<{ $crate::epilogue::form::LEAKY }, S>(block, y, pixel, task),
                $crate::epilogue::form::BUMP => row::<{ $crate::epilogue::form::BUMP }, S>(block, y, pixel, task),
                $crate::epilogue::form::BUMP_6 => row::<{ $crate::epilogue::form::BUMP_6 }, S>(block, y, pixel, task),
                $crate::epilogue::form::BUMP_7 => row::<{ $crate::epilogue::form::BUMP_7 }, S>(block, y, pixel, task),
                _ => row::<{ $crate::epilogue::form::OTHER }, S>(block, y, pixel, task),
            }
        }

        /// The pixels of row y of the output, the first of which is number `pixel`, at a step of S.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn row<const FORM: u8, const S: usize>(block: &Block<'_>, y: usize, pixel: usize, task: &mut Task<'_>) {
            let (geometry, mut pixel) = (task.geometry, pixel);
            let mut lines = [(&block.padding[..], 0, 0); 3];
            for (index, line) in lines.iter_mut().enumerate() {
                let row = (y * S + index).wrapping_sub(geometry.padding_top);
                if row < geometry.input_height {
                    let start = row * geometry.input_width * geometry.channels + block.channel;
                    *line = (task.input, start, geometry.channels);
                }
            }
            let lines = $crate::strided::Lines::new(lines, geometry.input_width);
            let padding = $crate::arm::load_i8x16(&block.padding);
            let mut columns = Columns { before: geometry.padding_left, lines, padding, index: index() };
            let start = pixel * task.output_stride + block.channel;
            let mut targets =
                $crate::strided::CellsMut::<BLOCK>::new(task.output, start, task.output_stride, geometry.output_width);
            let mut store = |sums: [std::arch::aarch64::int32x4_t; 4], target: &mut [i8; BLOCK]| {
                if FORM == $crate::epilogue::form::OTHER {
                    block.pixels.store_other(sums, pixel, target);
                } else {
                    block.pixels.store::<FORM>(sums, block.pixels.residual::<FORM>(pixel), target);
                }
                pixel += 1;
            };
            let mut a = columns.next();
            if S == 1 {
                let mut b = columns.next();
                while targets.has::<3>() && columns.lines.has::<3>() {
                    let [first, second, third] = targets.next();
                    let c = columns.inside();
                    store(block.window.sums([&a, &b, &c]), first);
                    a = columns.inside();
                    store(block.window.sums([&b, &c, &a]), second);
                    b = columns.inside();
                    store(block.window.sums([&c, &a, &b]), third);
                }
                while targets.has::<1>() {
                    let [target] = targets.next();
                    let c = columns.next();
                    store(block.window.sums([&a, &b, &c]), target);
                    (a, b) = (b, c);
                }
            } else {
                while targets.has::<2>() && columns.before == 0 && columns.lines.has::<4>() {
                    let [first, second] = targets.next();
                    let (b, c) = (columns.inside(), columns.inside());
                    store(block.window.sums([&a, &b, &c]), first);
                    let b = columns.inside();
                    a = columns.inside();
                    store(block.window.sums([&c, &b, &a]), second);
                }
                while targets.has::<1>() {
                    let [target] = targets.next();
                    let (b, c) = (columns.next(), columns.next());
                    store(block.window.sums([&a, &b, &c]), target);
                    a = c;
                }
            }
        }
    };
}
pub(super) use slide;
