//! What each cell showed before, and which cells differ from it.
//!
//! With d = level - background, all in 1/64 level:
//!
//! ```text
//! low    = clamp(6 x noise, 4 levels, 48 levels)          noise: median of |d| over one cell of 7, smoothed
//! limit  = max(low, 2 x restless)                         restless: mean of |d| of this cell over some 64 pictures
//! mask   = 0, or 1 where |d| > limit, or 2 where |d| > 2 x limit
//! background += round(d / 16), or round(d / 128) where the mask is not 0
//! ```
//!
//! The median of |d| of Gaussian noise is 0.67 standard deviations, so `low` is four of them: one cell in 16,000 by chance.

/// One level.
const LEVEL: i16 = 64;
/// The least difference that counts, however clean the picture.
const LOW_MIN: i16 = 4 * LEVEL;
/// The most that noise may ask for.
const LOW_MAX: i16 = 48 * LEVEL;
/// A cell's restlessness counts up to here.
const RESTLESS_MAX: i16 = 64 * LEVEL;
/// Every so many cells one is asked for the noise: odd, so that all columns have their turn.
const NOISE_STEP: usize = 7;
/// Steps of the noise's histogram: 1/8 level.
const NOISE_SHIFT: u32 = 3;
/// 32 levels.
const NOISE_STEPS: usize = 256;

/// How the background follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Quickly where nothing differs, slowly where something does.
    Calm,
    /// Quickly everywhere.
    Storm,
    /// It becomes the picture.
    AtOnce,
}

/// The background of one camera.
#[derive(Clone, Debug)]
pub(super) struct Background {
    columns: usize,
    levels: Vec<i16>,
    restless: Vec<i16>,
    noise: i16,
    histogram: [u16; NOISE_STEPS],
    empty: bool,
}

impl Background {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let plane = || vec![0; columns * rows];
        let histogram = [0; NOISE_STEPS];
        Self { columns, levels: plane(), restless: plane(), noise: 0, histogram, empty: true }
    }

    /// Fills `mask`, whose rows have a cell more on either side and above and below, from `levels`. The number of cells
    /// that differ; `None` for the first picture, which becomes the background.
    pub(super) fn compare(&mut self, levels: &[i16], mask: &mut [u8]) -> Option<usize> {
        if std::mem::take(&mut self.empty) {
            self.levels.copy_from_slice(levels);
            return None;
        }
        self.noise += (self.median(levels) - self.noise) / 4;
        let low = (6 * self.noise).clamp(LOW_MIN, LOW_MAX);
        let columns = self.columns;
        let rows = levels.chunks_exact(columns).zip(self.levels.chunks_exact(columns));
        let rows = rows.zip(self.restless.chunks_exact(columns));
        let masks = mask.chunks_exact_mut(columns + 2).skip(1);
        Some(
            rows.zip(masks)
                .map(|(((new, old), restless), mask)| compare(new, old, restless, low, &mut mask[1..=columns]))
                .sum(),
        )
    }

    /// Takes over what `levels` show, as fast as `pace` says.
    pub(super) fn follow(&mut self, levels: &[i16], mask: &[u8], pace: Pace) {
        if pace == Pace::AtOnce {
            self.levels.copy_from_slice(levels);
            return;
        }
        let columns = self.columns;
        let rows = levels.chunks_exact(columns).zip(self.levels.chunks_exact_mut(columns));
        let rows = rows.zip(self.restless.chunks_exact_mut(columns));
        for (((new, old), restless), mask) in rows.zip(mask.chunks_exact(columns + 2).skip(1)) {
            match pace {
                Pace::Storm => storm(new, old),
                _ => calm(new, old, restless, &mask[1..=columns]),
            }
        }
    }

    /// The median of |level - background| over some of the cells.
    fn median(&mut self, levels: &[i16]) -> i16 {
        self.histogram.fill(0);
        let mut count = 0;
        for (new, old) in levels.iter().zip(&self.levels).step_by(NOISE_STEP) {
            let step = usize::from(new.abs_diff(*old) >> NOISE_SHIFT);
            self.histogram[step.min(NOISE_STEPS - 1)] += 1;
            count += 1;
        }
        let mut below = 0;
        let half = |&count_here: &u16| {
            below += count_here;
            2 * below >= count
        };
        let step = self.histogram.iter().position(half).unwrap_or(NOISE_STEPS - 1);
        i16::try_from(step << NOISE_SHIFT).unwrap_or(LOW_MAX)
    }
}

/// One row of the mask, and how many of its cells differ.
#[inline(never)]
fn compare(new: &[i16], old: &[i16], restless: &[i16], low: i16, mask: &mut [u8]) -> usize {
    let mut lit = 0_u16;
    for (((new, old), restless), mask) in new.iter().zip(old).zip(restless).zip(mask) {
        let difference = (new - old).abs();
        let limit = low.max(2 * restless);
        let over = u8::from(difference > limit);
        *mask = over + u8::from(difference > 2 * limit);
        lit += u16::from(over);
    }
    usize::from(lit)
}

#[inline(never)]
fn calm(new: &[i16], old: &mut [i16], restless: &mut [i16], mask: &[u8]) {
    for (((new, old), restless), mask) in new.iter().zip(old).zip(restless).zip(mask) {
        let difference = new - *old;
        let step = if *mask == 0 { (difference + 8) >> 4 } else { (difference + 64) >> 7 };
        *old += step;
        *restless += (difference.abs().min(RESTLESS_MAX) - *restless + 32) >> 6;
    }
}

#[inline(never)]
fn storm(new: &[i16], old: &mut [i16]) {
    for (new, old) in new.iter().zip(old) {
        *old += (new - *old + 8) >> 4;
    }
}
