//! Where to look: which parts of a picture the network sees, when it cannot see all of it at the camera's resolution.
//!
//! | what | meaning, unit, range |
//! |---|---|
//! | scene | what moves ([`crate::motion`]) |
//! | known | where objects are expected now ([`crate::objects::Objects::expected`]), in fractions of the picture |
//! | runs | how often the network may run for this picture, 0..=[`RUNS_MAX`] |
//! | result | at most `runs` rectangles of the picture for `Preprocessor::run_crop`, the most urgent first |
//!
//! A look has one of a few sizes ([`levels`]): the network's input at one pixel to one, twice and four times that, and the
//! whole picture. It is never larger on the network than in the picture, save that a picture smaller than the input is.
//!
//! What moves and what is known becomes *items*: rectangles with a margin, each with the closest level into which it fits
//! and the widest on which it is still large enough to be recognised. How urgent an item is, is the number of pictures for
//! which it has waited: an item that overlaps one of the picture before is that one; a new one begins with the number of
//! pictures since somebody looked at its place ([`ages`]), at most [`NEWS_MAX`]. Then, as long as there are runs:
//!
//! 1. The whole picture, when it is due: every `whole_every`-th picture, or every other one while everything moves. It is the
//!    floor that finds what came in unnoticed and what stands still.
//! 2. The most urgent item, at the level at which one look serves most urgency: as many other items as fit into the same
//!    rectangle, the most urgent first, come along. An item is served when it lies wholly in a look of a fitting level.
//! 3. With [`Options::scan`]: that part of the picture, of those that tile it at the closest level, which was longest unseen.
//!    It finds what is small and does not move. It comes before an item where something moves when it was unseen for eight
//!    times as long as the item has waited, before one that is merely expected at four times, and when no items are left.
//!
//! So nobody starves: the item that waits longest is served first, after at most [`NEWS_MAX`] runs, one for each other item, and
//! one for each part: a part that was seen while the item waits cannot become so much older than it.
//! In integers, without chance: the same calls give the same looks. All memory is taken by [`Regions::new`].

use clawdbot_flow::detection::BoundingBox;
use clawdbot_nn::metadata::PictureInput;

use crate::motion::PATCHES_MAX;
use crate::motion::Scene;
use crate::objects::OBJECTS_MAX;
use crate::preprocess::Crop;

mod ages;
pub mod join;
mod levels;
mod rectangle;
#[cfg(test)]
mod tests;

use ages::Ages;
use levels::Levels;
use rectangle::{OVERLAP_ONE, Rectangle};

/// Looks that one picture may have.
pub const RUNS_MAX: usize = 16;
/// Items that are thought about; known objects beyond that are left to the scan and to the whole picture.
const ITEMS_MAX: usize = PATCHES_MAX + OBJECTS_MAX;
/// Items of two pictures that overlap as much are the same.
const SAME_MIN: u64 = OVERLAP_ONE / 3;
/// Something new is as urgent as if it had waited since somebody looked at its place, but no more than that.
const NEWS_MAX: u32 = 4;
/// While everything moves, the whole picture has every other look at least.
const WHOLE_EVERY_IN_STORM: u32 = 2;

/// How looks are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Pictures from one look at the whole to the next, at least 1; 1 leaves single runs for nothing else.
    pub whole_every: u32,
    /// Whether the picture is gone through part by part, beside what asks for looks; otherwise runs that nothing asks for are
    /// saved. It finds a little more of what stands still, and more that is not there (docs/reference/regions.md).
    pub scan: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { whole_every: 4, scan: false }
    }
}

/// Something to look at.
#[derive(Clone, Copy, Debug)]
struct Item {
    place: Rectangle,
    /// The first and the last level at which it can be looked at.
    levels: [usize; 2],
    /// Pictures since somebody did.
    waited: u32,
    /// Whether something moves there; otherwise it is expected there.
    moving: bool,
    served: bool,
}

impl Item {
    /// By how much a part of the picture must be unseen for longer than the item has waited to come before it.
    const fn patience(&self) -> u32 {
        if self.moving { 8 } else { 4 }
    }
}

/// Shares out the looks at one camera's pictures.
#[derive(Clone, Debug)]
pub struct Regions {
    options: Options,
    levels: Levels,
    ages: Ages,
    /// The parts of the picture at the closest level.
    tiling: Vec<Crop>,
    items: Vec<Item>,
    /// Those of the picture before.
    before: Vec<Item>,
    looks: Vec<Crop>,
    since_whole: Option<u32>,
}

impl Regions {
    /// Nothing looked at yet, of pictures of `width` x `height` pixels, with a network that takes `input`. Sides are at
    /// least 1.
    #[must_use]
    pub fn new(width: usize, height: usize, input: &PictureInput, options: Options) -> Self {
        let levels = Levels::new([width.max(1), height.max(1)], input);
        Self {
            options,
            ages: Ages::new(levels.picture(), levels.count()),
            tiling: levels.tiling(),
            levels,
            items: Vec::with_capacity(ITEMS_MAX),
            before: Vec::with_capacity(ITEMS_MAX),
            looks: Vec::with_capacity(RUNS_MAX),
            since_whole: None,
        }
    }

    /// Where to look in the next picture: at most `runs` rectangles. Allocates nothing.
    pub fn plan(&mut self, scene: &Scene<'_>, known: impl IntoIterator<Item = BoundingBox>, runs: usize) -> &[Crop] {
        let runs = runs.min(RUNS_MAX);
        self.looks.clear();
        self.ages.grow();
        self.collect(scene, known);
        let since = self.since_whole.map_or(u32::MAX, |since| since.saturating_add(1));
        self.since_whole = Some(since);
        let every = if scene.everything {
            self.options.whole_every.min(WHOLE_EVERY_IN_STORM)
        } else {
            self.options.whole_every
        };
        if runs > 0 && since >= every {
            self.look(self.levels.whole(), self.levels.count() - 1);
        }
        while self.looks.len() < runs {
            let Some((crop, level)) = self.next_look() else { break };
            self.look(crop, level);
        }
        &self.looks
    }

    /// Whether one of the last looks would have shown an object of ours at `place`: wholly, and large enough.
    #[must_use]
    pub fn saw(&self, place: &BoundingBox) -> bool {
        let place = Rectangle::of_box(place, self.levels.picture());
        let widest = self.levels.widest(&place).max(self.levels.closest(&place));
        let shows = |look: &&Crop| Rectangle::of_crop(look).contains(&place) && self.levels.of(look) <= widest;
        self.looks.iter().any(|look| shows(&look))
    }

    /// The looks of the last plan.
    #[must_use]
    pub fn looks(&self) -> &[Crop] {
        &self.looks
    }

    /// Fills the list of items, the most urgent first; the order in which they came decides between equals.
    fn collect(&mut self, scene: &Scene<'_>, known: impl IntoIterator<Item = BoundingBox>) {
        std::mem::swap(&mut self.items, &mut self.before);
        self.items.clear();
        let picture = self.levels.picture();
        let moving = scene.patches.iter().map(|patch| (true, Rectangle::of_crop(&patch.place)));
        let known = known.into_iter().map(|place| (false, Rectangle::of_box(&place, picture)));
        for (moving, place) in moving.chain(known).filter(|(_, place)| !place.is_empty()).take(ITEMS_MAX) {
            let widest = self.levels.widest(&place);
            let place = place.with_margin(picture);
            let closest = self.levels.closest(&place);
            let levels = [closest, widest.max(closest)];
            let waited = self.waited(&place).unwrap_or_else(|| self.ages.at(levels[1], place.centre()).min(NEWS_MAX));
            self.items.push(Item { place, levels, waited, moving, served: false });
        }
        // Insertion keeps the order of equals without the memory that a stable sort takes.
        for index in 1..self.items.len() {
            let item = self.items[index];
            let place = self.items[..index].partition_point(|other| other.waited >= item.waited);
            self.items.copy_within(place..index, place + 1);
            self.items[place] = item;
        }
    }

    /// How long the item that was at `place` in the picture before has waited by now; `None` when there was none.
    fn waited(&self, place: &Rectangle) -> Option<u32> {
        let overlaps = self.before.iter().map(|item| (item.place.overlap(place), item));
        let (_, same) = overlaps.filter(|(overlap, _)| *overlap >= SAME_MIN).max_by_key(|(overlap, _)| *overlap)?;
        Some(if same.served { 1 } else { same.waited.saturating_add(1) })
    }

    /// The next look: at the most urgent item, or, when that has waited for a small part of the time only, at what was not
    /// seen for longest.
    fn next_look(&self) -> Option<(Crop, usize)> {
        let item = self.items.iter().find(|item| !item.served);
        let unseen = if self.options.scan { self.longest_unseen() } else { None };
        match (item, unseen) {
            (Some(item), Some((age, part))) if age >= item.patience() * item.waited.max(1) => Some((part, 0)),
            (Some(item), _) => Some(self.serve(item)),
            (None, unseen) => unseen.map(|(_, part)| (part, 0)),
        }
    }

    /// The look that serves `item`, and as much as possible beside it.
    fn serve(&self, item: &Item) -> (Crop, usize) {
        let (mut most, mut crop) = self.gather(item, item.levels[0]);
        let mut level = item.levels[0];
        for wider in item.levels[0] + 1..=item.levels[1] {
            let (urgency, other) = self.gather(item, wider);
            if urgency > most {
                (most, crop, level) = (urgency, other, wider);
            }
        }
        (crop, level)
    }

    /// A look of `level` at `item` and others that fit beside it, and how urgent they are together.
    fn gather(&self, item: &Item, level: usize) -> (u32, Crop) {
        let mut union = item.place;
        let mut urgency = 0_u32;
        for other in
            self.items.iter().filter(|other| !other.served && (other.levels[0]..=other.levels[1]).contains(&level))
        {
            let larger = union.joined(&other.place);
            if self.levels.fits(&larger, level) {
                union = larger;
                urgency = urgency.saturating_add(other.waited).saturating_add(1);
            }
        }
        (urgency, self.levels.around(&union, level))
    }

    /// The part of the picture that nobody has seen closely for longest, and for how long; `None` when all were seen now.
    fn longest_unseen(&self) -> Option<(u32, Crop)> {
        let mut best: Option<(u32, Crop)> = None;
        for part in &self.tiling {
            let age = self.ages.at(0, Rectangle::of_crop(part).centre());
            if age > best.map_or(0, |(most, _)| most) {
                best = Some((age, *part));
            }
        }
        best
    }

    fn look(&mut self, crop: Crop, level: usize) {
        let seen = Rectangle::of_crop(&crop);
        for item in self.items.iter_mut().filter(|item| level <= item.levels[1] && seen.contains(&item.place)) {
            item.served = true;
        }
        self.ages.reset(level, &crop);
        if level + 1 == self.levels.count() {
            self.since_whole = Some(0);
        }
        self.looks.push(crop);
    }
}
