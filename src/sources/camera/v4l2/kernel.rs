//! The ioctls: the only file of the cameras with `unsafe`. Structs and numbers come from the `v4l` crate.
//!
//! The crate's own mmap stream is not used: it can't be used after its first timeout (it queues a buffer that the
//! kernel still owns), hands out whole buffers, and its `Drop` panics twice over when STREAMOFF and REQBUFS fail. Its
//! `Format` and `Capabilities` panic on values that they don't know. Here an error is an error.
#![expect(unsafe_code, reason = "V4L2 is spoken by ioctl and mmap; each block says why it is sound")]

use std::ffi::c_void;
use std::io::{self, Error};
use std::path::Path;
use std::time::Duration;

use v4l::v4l_sys;
use v4l::v4l2::{self, vidioc};

use super::negotiation::Size;

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`: single-planar capture, the only type that we use.
const CAPTURE: u32 = v4l_sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
/// `V4L2_MEMORY_MMAP`.
const MMAP: u32 = v4l_sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// What a node says that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Capability {
    /// The driver: `uvcvideo`.
    pub(super) driver: String,
    /// The device's name for people; may have lost the end of a letter to the kernel's 32 bytes.
    pub(super) card: String,
    /// Where it is plugged in: `usb-0000:01:00.0-1.2`.
    pub(super) bus: String,
    /// What this very node can do (`device_caps`, not the whole device's `capabilities`).
    pub(super) device_caps: u32,
}

/// The picture that the driver agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PixFormat {
    /// Four letters: `MJPG`.
    pub(super) fourcc: [u8; 4],
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes from one row to the next; 0 for JPEG.
    pub(super) stride: u32,
}

/// A buffer that the kernel filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    index: usize,
    /// Bytes that count.
    pub(super) bytes_used: usize,
    /// The driver says that the content is damaged.
    pub(super) is_error: bool,
    /// The driver's frame number.
    pub(super) sequence: u32,
    /// How long ago the frame was caught, if the driver's timestamps say so.
    pub(super) age: Option<Duration>,
}

/// An open video node.
pub(super) struct Node {
    device: v4l::Device,
}

impl Node {
    /// Opens the node, not blocking.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { device: v4l::Device::with_path(path)? })
    }

    fn fd(&self) -> i32 {
        self.device.handle().fd()
    }

    /// One ioctl with the struct that belongs to it; retried when a signal came in between.
    ///
    /// # Safety
    /// `request` must be an ioctl whose argument is a `T`.
    unsafe fn ioctl<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the fd is open as long as `self.device`; the argument is a live T, which is what the caller promises
            // that `request` reads and writes.
            let result = unsafe { v4l2::ioctl(self.fd(), request, std::ptr::from_mut(argument).cast::<c_void>()) };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// What the node is.
    pub(super) fn capability(&self) -> io::Result<Capability> {
        let mut raw: v4l_sys::v4l2_capability = zeroed();
        // SAFETY: QUERYCAP takes a v4l2_capability.
        unsafe { self.ioctl(vidioc::VIDIOC_QUERYCAP, &mut raw)? };
        let has_own = raw.capabilities & v4l_sys::V4L2_CAP_DEVICE_CAPS != 0;
        Ok(Capability {
            driver: text(&raw.driver),
            card: text(&raw.card),
            bus: text(&raw.bus_info),
            device_caps: if has_own { raw.device_caps } else { raw.capabilities },
        })
    }

    /// The formats that it offers, in its order.
    pub(super) fn formats(&self) -> Vec<[u8; 4]> {
        let mut formats = Vec::new();
        for index in 0..ENUMERATED_MAX {
            let mut raw = v4l_sys::v4l2_fmtdesc { index, type_: CAPTURE, ..zeroed() };
            // SAFETY: ENUM_FMT takes a v4l2_fmtdesc.
            if unsafe { self.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut raw) }.is_err() {
                break;
            }
            formats.push(raw.pixelformat.to_le_bytes());
        }
        formats
    }

    /// The sizes that it offers in a format; empty when it does not say.
    pub(super) fn sizes(&self, fourcc: [u8; 4]) -> Vec<Size> {
        let mut sizes = Vec::new();
        for index in 0..ENUMERATED_MAX {
            let mut raw = v4l_sys::v4l2_frmsizeenum { index, pixel_format: u32::from_le_bytes(fourcc), ..zeroed() };
            // SAFETY: ENUM_FRAMESIZES takes a v4l2_frmsizeenum.
            if unsafe { self.ioctl(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut raw) }.is_err() {
                break;
            }
            let is_discrete = raw.type_ == v4l_sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE;
            sizes.push(if is_discrete {
                // SAFETY: the type says that this arm of the union was written; both arms are plain numbers.
                let size = unsafe { raw.__bindgen_anon_1.discrete };
                Size::discrete(size.width, size.height)
            } else {
                // SAFETY: as above.
                let size = unsafe { raw.__bindgen_anon_1.stepwise };
                Size {
                    width: (size.min_width, size.max_width, size.step_width),
                    height: (size.min_height, size.max_height, size.step_height),
                }
            });
            if !is_discrete {
                break;
            }
        }
        sizes
    }

    /// Asks for a picture; the answer is what the driver made of it.
    pub(super) fn set_format(&self, fourcc: [u8; 4], width: u32, height: u32) -> io::Result<PixFormat> {
        let mut raw = v4l_sys::v4l2_format { type_: CAPTURE, ..zeroed() };
        raw.fmt.pix = v4l_sys::v4l2_pix_format {
            width,
            height,
            pixelformat: u32::from_le_bytes(fourcc),
            field: v4l_sys::v4l2_field_V4L2_FIELD_ANY,
            ..zeroed()
        };
        // SAFETY: S_FMT takes a v4l2_format.
        unsafe { self.ioctl(vidioc::VIDIOC_S_FMT, &mut raw)? };
        // SAFETY: for CAPTURE the union holds a v4l2_pix_format, plain numbers.
        let pix = unsafe { raw.fmt.pix };
        Ok(PixFormat {
            fourcc: pix.pixelformat.to_le_bytes(),
            width: pix.width,
            height: pix.height,
            stride: pix.bytesperline,
        })
    }

    /// Asks for `frames_per_second`; the answer is what the driver made of it, `None` if it does not say.
    pub(super) fn set_frames_per_second(&self, frames_per_second: f64) -> Option<f64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let denominator = (frames_per_second * 1000.0).round().clamp(1.0, 1e6) as u32;
        let mut raw = v4l_sys::v4l2_streamparm { type_: CAPTURE, ..zeroed() };
        raw.parm.capture = v4l_sys::v4l2_captureparm {
            timeperframe: v4l_sys::v4l2_fract { numerator: 1000, denominator },
            ..zeroed()
        };
        // SAFETY: S_PARM takes a v4l2_streamparm.
        unsafe { self.ioctl(vidioc::VIDIOC_S_PARM, &mut raw) }.ok()?;
        // SAFETY: for CAPTURE the union holds a v4l2_captureparm, plain numbers.
        let interval = unsafe { raw.parm.capture }.timeperframe;
        (interval.numerator > 0 && interval.denominator > 0)
            .then(|| f64::from(interval.denominator) / f64::from(interval.numerator))
    }
}

/// More formats or sizes than this no driver has; a broken one that never says "no more" must not hold us.
const ENUMERATED_MAX: u32 = 256;

/// A struct of the kernel with every byte zero, which its interface asks for.
fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` is implemented below for C structs of numbers, arrays and unions of such only.
    unsafe { std::mem::zeroed() }
}

/// C structs for which all bytes zero is a value.
trait Plain {}
impl Plain for v4l_sys::v4l2_capability {}
impl Plain for v4l_sys::v4l2_fmtdesc {}
impl Plain for v4l_sys::v4l2_frmsizeenum {}
impl Plain for v4l_sys::v4l2_format {}
impl Plain for v4l_sys::v4l2_pix_format {}
impl Plain for v4l_sys::v4l2_streamparm {}
impl Plain for v4l_sys::v4l2_captureparm {}
impl Plain for v4l_sys::v4l2_requestbuffers {}
impl Plain for v4l_sys::v4l2_buffer {}

/// C's text in a fixed field.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).trim().to_owned()
}

/// One of the driver's buffers, mapped.
struct Mapping {
    start: *mut c_void,
    length: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this one has one owner.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `Streaming::start` with this length, unmapped once, and no slice of it outlives `Streaming`.
        if let Err(error) = unsafe { v4l2::munmap(self.start, self.length) } {
            tracing::debug!("a camera buffer could not be unmapped: {error}");
        }
    }
}

/// A node that streams. Dropping it stops the stream and gives the buffers back, whatever state the device is in.
pub(super) struct Streaming {
    // Dropped in this order: the mappings before the node that they belong to.
    mappings: Vec<Mapping>,
    node: Node,
}

impl Streaming {
    /// Takes `buffers` buffers (the driver may give another number), queues all, starts.
    pub(super) fn start(node: Node, buffers: u32) -> io::Result<Self> {
        let mut request = v4l_sys::v4l2_requestbuffers { count: buffers, type_: CAPTURE, memory: MMAP, ..zeroed() };
        // SAFETY: REQBUFS takes a v4l2_requestbuffers.
        unsafe { node.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)? };
        // From here on dropping `streaming` undoes whatever was done.
        let mut streaming = Self { mappings: Vec::new(), node };
        for index in 0..request.count {
            let mapping = streaming.map(index)?;
            streaming.mappings.push(mapping);
        }
        for index in 0..streaming.mappings.len() {
            streaming.queue(index)?;
        }
        let mut kind = CAPTURE;
        // SAFETY: STREAMON takes an int with the buffer type; u32 has its size.
        unsafe { streaming.node.ioctl(vidioc::VIDIOC_STREAMON, &mut kind)? };
        Ok(streaming)
    }

    fn map(&self, index: u32) -> io::Result<Mapping> {
        let mut buffer = v4l_sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() };
        // SAFETY: QUERYBUF takes a v4l2_buffer.
        unsafe { self.node.ioctl(vidioc::VIDIOC_QUERYBUF, &mut buffer)? };
        let length = usize::try_from(buffer.length).map_err(Error::other)?;
        // SAFETY: for MMAP the union holds the offset, a plain number.
        let offset = libc::off_t::from(unsafe { buffer.m.offset });
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let fd = self.node.fd();
        // SAFETY: a new mapping at a place of the kernel's choice; nothing of ours is touched.
        let start = unsafe { v4l2::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd, offset)? };
        Ok(Mapping { start, length })
    }

    fn queue(&self, index: usize) -> io::Result<()> {
        let index = u32::try_from(index).map_err(Error::other)?;
        let mut buffer = v4l_sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() };
        // SAFETY: QBUF takes a v4l2_buffer.
        unsafe { self.node.ioctl(vidioc::VIDIOC_QBUF, &mut buffer) }
    }

    /// Waits up to `patience` for a filled buffer, or for an error to be fetched by [`Streaming::dequeue`]; false when
    /// neither came, or a signal did.
    pub(super) fn wait(&self, patience: Duration) -> io::Result<bool> {
        let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        match self.node.device.handle().poll(libc::POLLIN, patience) {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a filled buffer; `None` when there is none after all.
    pub(super) fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut buffer = v4l_sys::v4l2_buffer { type_: CAPTURE, memory: MMAP, ..zeroed() };
        // SAFETY: DQBUF takes a v4l2_buffer.
        match unsafe { self.node.ioctl(vidioc::VIDIOC_DQBUF, &mut buffer) } {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let index = usize::try_from(buffer.index).map_err(Error::other)?;
        let mapping =
            self.mappings.get(index).ok_or_else(|| Error::other("the driver gave a buffer that it has not"))?;
        Ok(Some(Filled {
            index,
            bytes_used: usize::try_from(buffer.bytesused).map_err(Error::other)?.min(mapping.length),
            is_error: buffer.flags & v4l_sys::V4L2_BUF_FLAG_ERROR != 0,
            sequence: buffer.sequence,
            age: age(&buffer),
        }))
    }

    /// The bytes of a filled buffer that count.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let mapping = &self.mappings[filled.index];
        // SAFETY: the mapping lives as long as `self`; `bytes_used` was held against its length; the kernel does not write
        // into a buffer between DQBUF and QBUF, and `give_back` takes the `Filled` that this slice was made from.
        unsafe { std::slice::from_raw_parts(mapping.start.cast::<u8>(), filled.bytes_used.min(mapping.length)) }
    }

    /// Hands a buffer back to the driver.
    pub(super) fn give_back(&self, filled: Filled) -> io::Result<()> {
        self.queue(filled.index)
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let mut kind = CAPTURE;
        // SAFETY: STREAMOFF takes an int with the buffer type; u32 has its size.
        if let Err(error) = unsafe { self.node.ioctl(vidioc::VIDIOC_STREAMOFF, &mut kind) } {
            // An unplugged device says ENODEV here; closing it, which follows, gives everything back anyway.
            tracing::debug!("a camera's stream could not be stopped: {error}");
        }
        self.mappings.clear();
        let mut request = v4l_sys::v4l2_requestbuffers { count: 0, type_: CAPTURE, memory: MMAP, ..zeroed() };
        // SAFETY: REQBUFS takes a v4l2_requestbuffers.
        if let Err(error) = unsafe { self.node.ioctl(vidioc::VIDIOC_REQBUFS, &mut request) } {
            tracing::debug!("a camera's buffers could not be given back: {error}");
        }
    }
}

/// The longest age that is believed: beyond it the driver's clock is not the one that it says.
const AGE_MAX: Duration = Duration::from_secs(5);

/// The time since the frame's timestamp, if that is on the monotonic clock.
fn age(buffer: &v4l_sys::v4l2_buffer) -> Option<Duration> {
    if buffer.flags & v4l_sys::V4L2_BUF_FLAG_TIMESTAMP_MASK != v4l_sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC {
        return None;
    }
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, which the call fills.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) } != 0 {
        return None;
    }
    let at = |seconds: i64, nanoseconds: i64| {
        Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?))
    };
    let caught = at(buffer.timestamp.tv_sec, buffer.timestamp.tv_usec.checked_mul(1000)?)?;
    at(now.tv_sec, now.tv_nsec)?.checked_sub(caught).filter(|age| *age <= AGE_MAX)
}
