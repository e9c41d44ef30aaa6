//! A stage: camera-like scenes made in memory of annotated still pictures, with boxes that are known in every frame.
//!
//! The ground is a mosaic of stills, pixel for pixel. Over it go *movers*: what is in an annotated box of another still, cut out
//! with a margin, on a straight way that turns at the edges. Or the camera pans, and everything goes.
//!
//! What cannot fairly be asked for is marked as ignored: objects of which an edge or a mover hides more than 40 %, and crowds.
//! Nothing is random: the seed decides what moves, whence and whither.

#[cfg(test)]
mod tests;

/// Size of a mosaic's field in pixels; most stills of COCO have it.
const FIELD: [usize; 2] = [640, 480];
/// What shows where no still is.
const GREY: u8 = 114;
/// An object of which more is hidden is ignored.
const HIDDEN_MAX: f32 = 0.4;
/// What is cut out has a longer side of so many pixels.
const MOVER_SIDE: std::ops::RangeInclusive<f32> = 16.0..=160.0;
/// Around a mover, in shares of its sides.
const MARGIN: f32 = 0.25;
/// Pixels a frame that movers go, along each axis.
const STEP_MAX: i64 = 8;

/// An object in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Index into the annotations' categories.
    pub category: usize,
    /// Left, top, right, bottom in pixels.
    pub edges: [f32; 4],
    /// To be found or not, it counts neither for nor against.
    pub ignored: bool,
}

/// A picture and what is in it.
#[derive(Clone, Debug)]
pub struct Still {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Red, green, blue, rows from the top.
    pub rgb: Vec<u8>,
    /// What is in it.
    pub objects: Vec<Placed>,
}

/// A cut-out on its way.
#[derive(Clone, Debug)]
struct Mover {
    cut: Still,
    start: [i64; 2],
    step: [i64; 2],
}

/// A scene.
#[derive(Clone, Debug)]
pub struct Stage {
    size: [usize; 2],
    ground: Still,
    movers: Vec<Mover>,
    /// Pixels a frame that the camera goes, along each axis.
    pan: [i64; 2],
}

impl Stage {
    /// A camera of `size` (width, height) that stands still, over a mosaic of the first of `stills`, with `movers` cut out of the
    /// rest.
    #[must_use]
    pub fn yard(stills: &[Still], size: [usize; 2], movers: usize, seed: u64) -> Self {
        let fields = [0, 1].map(|axis| size[axis].div_ceil(FIELD[axis]));
        let (below, rest) = stills.split_at(stills.len().min(fields[0] * fields[1]));
        let mut chance = Chance(seed);
        let mut stage = Self { size, ground: mosaic(below, fields), movers: Vec::new(), pan: [0; 2] };
        let cuts: Vec<(&Still, &Placed)> =
            rest.iter().flat_map(|still| still.objects.iter().map(move |object| (still, object))).collect();
        let cuts: Vec<_> = cuts.into_iter().filter(|(_, object)| is_movable(object)).collect();
        for _ in 0..if cuts.is_empty() { 0 } else { movers } {
            let (still, object) = cuts[chance.below(cuts.len())];
            let mut axis = |side: usize| {
                let step = i64::try_from(chance.below(2 * 8 + 1)).unwrap_or_default() - STEP_MAX;
                (i64::try_from(chance.below(side.max(1))).unwrap_or_default(), if step == 0 { 2 } else { step })
            };
            let ((x, step_x), (y, step_y)) = (axis(size[0]), axis(size[1]));
            stage.movers.push(Mover { cut: cut_out(still, object), start: [x, y], step: [step_x, step_y] });
        }
        stage
    }

    /// A camera of `size` that pans by `step` pixels a frame over a mosaic of all `stills`.
    #[must_use]
    pub fn pan(stills: &[Still], size: [usize; 2], step: [i64; 2]) -> Self {
        let columns = (1..).find(|columns| columns * columns >= stills.len()).unwrap_or(1);
        let fields = [columns, stills.len().div_ceil(columns).max(1)];
        let fields = [0, 1].map(|axis| fields[axis].max(size[axis].div_ceil(FIELD[axis])));
        Self { size, ground: mosaic(stills, fields), movers: Vec::new(), pan: step }
    }

    /// Width and height in pixels.
    #[must_use]
    pub const fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Frame `number`: its pixels and what is where in it.
    pub fn draw(&self, number: usize, rgb: &mut Vec<u8>, truth: &mut Vec<Placed>) {
        let number = i64::try_from(number).unwrap_or_default();
        let [width, height] = self.size;
        let room = [self.ground.width - width, self.ground.height - height];
        let [x, y] = [0, 1].map(|axis| to_and_fro(self.pan[axis] * number, room[axis]));
        rgb.clear();
        for row in y..y + height {
            rgb.extend_from_slice(&self.ground.rgb[3 * (row * self.ground.width + x)..][..3 * width]);
        }
        truth.clear();
        truth.extend(self.ground.objects.iter().filter_map(|object| moved(object, [-place(x), -place(y)], self.size)));
        for mover in &self.movers {
            let cut = &mover.cut;
            let room = [width.saturating_sub(cut.width), height.saturating_sub(cut.height)];
            let [x, y] = [0, 1].map(|axis| to_and_fro(mover.start[axis] + mover.step[axis] * number, room[axis]));
            for (line, pixels) in cut.rgb.chunks_exact(3 * cut.width).enumerate().take(height - y) {
                let shown = cut.width.min(width - x);
                rgb[3 * ((y + line) * width + x)..][..3 * shown].copy_from_slice(&pixels[..3 * shown]);
            }
            let covered = [place(x), place(y), place(x + cut.width), place(y + cut.height)];
            for object in truth.iter_mut() {
                object.ignored |= shared(&object.edges, &covered) > HIDDEN_MAX * area(&object.edges);
            }
            truth.extend(cut.objects.iter().filter_map(|object| moved(object, [place(x), place(y)], self.size)));
        }
    }
}

/// Where something is that goes back and forth between 0 and `room`.
fn to_and_fro(way: i64, room: usize) -> usize {
    let round = 2 * i64::try_from(room).unwrap_or_default();
    let at = if round == 0 { 0 } else { way.rem_euclid(round) };
    usize::try_from(at.min(round - at)).unwrap_or_default()
}

/// Stills side by side, each cut to its field.
fn mosaic(stills: &[Still], fields: [usize; 2]) -> Still {
    let [width, height] = [fields[0] * FIELD[0], fields[1] * FIELD[1]];
    let mut whole = Still { width, height, rgb: vec![GREY; 3 * width * height], objects: Vec::new() };
    for (index, still) in stills.iter().enumerate().take(fields[0] * fields[1]) {
        let corner = [index % fields[0] * FIELD[0], index / fields[0] * FIELD[1]];
        let shown = [still.width.min(FIELD[0]), still.height.min(FIELD[1])];
        for row in 0..shown[1] {
            let line = &still.rgb[3 * row * still.width..][..3 * shown[0]];
            whole.rgb[3 * ((corner[1] + row) * width + corner[0])..][..line.len()].copy_from_slice(line);
        }
        let inside = still.objects.iter().filter_map(|object| moved(object, [0.0; 2], shown));
        let corner = corner.map(place);
        whole.objects.extend(inside.filter_map(|object| moved(&object, corner, [width, height])));
    }
    whole
}

/// Whether an object makes a mover.
fn is_movable(object: &Placed) -> bool {
    let [left, top, right, bottom] = object.edges;
    !object.ignored && MOVER_SIDE.contains(&(right - left).max(bottom - top)) && (right - left).min(bottom - top) >= 8.0
}

/// What is in the box of `object`, with a margin and all that is in it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the still")]
fn cut_out(still: &Still, object: &Placed) -> Still {
    let [left, top, right, bottom] = object.edges;
    let (across, down) = (MARGIN * (right - left), MARGIN * (bottom - top));
    let pixel = |at: f32, side: usize| at.round().clamp(0.0, place(side)) as usize;
    let (left, right) = (pixel(left - across, still.width), pixel(right + across, still.width));
    let (top, bottom) = (pixel(top - down, still.height), pixel(bottom + down, still.height));
    let (width, height) = (right - left, bottom - top);
    let rows = (top..bottom).flat_map(|row| &still.rgb[3 * (row * still.width + left)..][..3 * width]);
    let inside = still.objects.iter().filter_map(|object| moved(object, [-place(left), -place(top)], [width, height]));
    Still { width, height, rgb: rows.copied().collect(), objects: inside.collect() }
}

/// An object elsewhere, as far as a picture of `size` shows it; `None` when it does not.
fn moved(object: &Placed, by: [f32; 2], size: [usize; 2]) -> Option<Placed> {
    let [left, top, right, bottom] = object.edges;
    let whole = [left + by[0], top + by[1], right + by[0], bottom + by[1]];
    let [width, height] = size.map(place);
    let edges = [whole[0].max(0.0), whole[1].max(0.0), whole[2].min(width), whole[3].min(height)];
    let shown = if edges[0] < edges[2] && edges[1] < edges[3] { area(&edges) } else { 0.0 };
    let ignored = object.ignored || shown < (1.0 - HIDDEN_MAX) * area(&whole);
    (shown > 0.0).then_some(Placed { edges, ignored, ..*object })
}

fn area(edges: &[f32; 4]) -> f32 {
    (edges[2] - edges[0]) * (edges[3] - edges[1])
}

fn shared(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    width.max(0.0) * height.max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a picture, below 2^24")]
fn place(pixel: usize) -> f32 {
    pixel as f32
}

/// A sequence of numbers that the seed decides (a linear congruence; Knuth, "Seminumerical Algorithms", 3.3.4, line 26).
struct Chance(u64);

impl Chance {
    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }
}
