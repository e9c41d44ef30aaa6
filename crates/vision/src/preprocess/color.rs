//! One pixel at a time, whatever the format: what the resizer reads its rows through.

/// A row of pixels.
pub(super) trait Row {
    /// Red, green and blue of the pixel at `x`.
    fn rgb(&self, x: usize) -> [u8; 3];
}

/// Red, green, blue in turn.
pub(super) struct RgbRow<'a>(pub(super) &'a [u8]);

impl Row for RgbRow<'_> {
    #[inline]
    fn rgb(&self, x: usize) -> [u8; 3] {
        let pixel = &self.0[3 * x..3 * x + 3];
        [pixel[0], pixel[1], pixel[2]]
    }
}

/// Y0 U Y1 V for two pixels.
pub(super) struct YuyvRow<'a>(pub(super) &'a [u8]);

impl Row for YuyvRow<'_> {
    #[inline]
    fn rgb(&self, x: usize) -> [u8; 3] {
        let pair = &self.0[4 * (x / 2)..4 * (x / 2) + 4];
        yuv_to_rgb(pair[2 * (x % 2)], pair[1], pair[3])
    }
}

/// A row of luma and the row of interleaved U, V that it shares with its neighbour.
pub(super) struct Nv12Row<'a> {
    pub(super) luma: &'a [u8],
    pub(super) chroma: &'a [u8],
}

impl Row for Nv12Row<'_> {
    #[inline]
    fn rgb(&self, x: usize) -> [u8; 3] {
        let pair = &self.chroma[2 * (x / 2)..2 * (x / 2) + 2];
        yuv_to_rgb(self.luma[x], pair[0], pair[1])
    }
}

/// A row of luma and the rows of U and of V that it shares with its neighbour.
pub(super) struct I420Row<'a> {
    pub(super) luma: &'a [u8],
    pub(super) u: &'a [u8],
    pub(super) v: &'a [u8],
}

impl Row for I420Row<'_> {
    #[inline]
    fn rgb(&self, x: usize) -> [u8; 3] {
        yuv_to_rgb(self.luma[x], self.u[x / 2], self.v[x / 2])
    }
}

/// BT.601, limited range (Y 16..=235, U and V 16..=240), in 16.16 fixed point, rounded to nearest, clamped to 0..=255.
/// Source of the factors: ITU-R BT.601-7, 2.5.1 to 2.5.3, solved for R, G, B and scaled by 255/219 and 255/224.
#[inline]
pub(super) fn yuv_to_rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let luma = 76_309 * (i32::from(y) - 16) + (1 << 15);
    let u = i32::from(u) - 128;
    let v = i32::from(v) - 128;
    [
        level((luma + 104_597 * v) >> 16),
        level((luma - 25_675 * u - 53_279 * v) >> 16),
        level((luma + 132_201 * u) >> 16),
    ]
}

#[inline]
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte just before")]
fn level(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
