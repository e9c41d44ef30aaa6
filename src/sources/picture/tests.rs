use clawdbot_flow::limits::PICTURE_PIXELS_MAX;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageBuffer, ImageFormat, Luma, Rgb};

use super::{JpegDecoder, Picture, decode};

/// A picture whose left half is red and whose right half is blue.
fn two_halves(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([250, 5, 5]) } else { Rgb([5, 5, 250]) })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let at = ((y * picture.width + x) * 3) as usize;
    picture.rgb[at..at + 3].try_into().unwrap()
}

fn is_near(pixel: [u8; 3], wanted: [u8; 3]) -> bool {
    pixel.iter().zip(wanted).all(|(&one, other)| one.abs_diff(other) <= 12)
}

fn message(bytes: &[u8]) -> String {
    decode(bytes, "front.jpg").unwrap_err().to_string()
}

#[test]
fn reads_the_three_formats() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
        let picture = decode(&encoded(two_halves(48, 32), format), "halves").unwrap();
        assert_eq!((picture.width, picture.height, picture.rgb.len()), (48, 32, 48 * 32 * 3));
        assert!(is_near(pixel(&picture, 4, 4), [250, 5, 5]), "{format:?}");
        assert!(is_near(pixel(&picture, 44, 28), [5, 5, 250]), "{format:?}");
    }
}

#[test]
fn names_what_is_no_picture() {
    assert!(message(b"").contains("`front.jpg`") && message(b"").contains("empty"));
    let text = message(b"hello, I am a text file");
    assert!(text.contains("68 65 6c 6c") && text.contains("convert"), "{text}");
    let gif = message(b"GIF89a\x01\x00\x01\x00");
    assert!(gif.contains("no JPEG, PNG or BMP"), "{gif}");
}

#[test]
fn one_pixel_is_a_picture() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        let picture = decode(&encoded(two_halves(1, 1), format), "dot").unwrap();
        assert_eq!((picture.width, picture.height, picture.rgb.len()), (1, 1, 3));
    }
}

#[test]
fn refuses_a_side_that_is_too_long() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
        let text = message(&encoded(two_halves(20_000, 1), format));
        assert!(text.contains("20000x1") && text.contains("16384") && text.contains("scale it down"), "{text}");
    }
}

#[test]
fn refuses_too_many_pixels_before_taking_memory() {
    // A PNG header alone that promises 16000 x 16000.
    let mut bytes = encoded(two_halves(1, 1), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&16_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&16_000u32.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(message(&bytes).contains("16000x16000"), "{}", message(&bytes));
    let small = JpegDecoder::new("porch", 100);
    let error = small.size(&encoded(two_halves(16, 16), ImageFormat::Jpeg)).unwrap_err().to_string();
    assert!(error.contains("`porch`") && error.contains("100 in all"), "{error}");
}

/// The checksum of a PNG chunk, by its definition (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[test]
fn a_16_bit_png_keeps_its_upper_bits() {
    let image: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(3, 2, Luma([0x80ff]));
    let picture = decode(&encoded(DynamicImage::ImageLuma16(image), ImageFormat::Png), "grey").unwrap();
    assert_eq!((picture.width, picture.height), (3, 2));
    assert!(is_near(pixel(&picture, 0, 0), [0x80; 3]));
}

/// 8x8 CMYK JPEG as Adobe writes it (inverted; transform 0), made with Pillow 13: all pixels C=0 M=255 Y=255 K=0: red.
const CMYK_RED: &[u8] = include_bytes!("tests/cmyk_red.jpg");

#[test]
fn a_cmyk_jpeg_is_converted() {
    let picture = decode(CMYK_RED, "print.jpg").unwrap();
    assert_eq!((picture.width, picture.height), (8, 8));
    assert!(is_near(pixel(&picture, 3, 3), [255, 0, 0]), "{:?}", pixel(&picture, 3, 3));
}

#[test]
fn exif_orientation_turns_a_still_picture_but_not_a_frame() {
    let mut bytes = Vec::new();
    let image = two_halves(32, 16);
    JpegEncoder::new_with_quality(&mut bytes, 95).encode(image.as_raw(), 32, 16, ExtendedColorType::Rgb8).unwrap();
    // APP1 with one IFD entry: orientation 6 (to be turned by 90 degrees clockwise).
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let mut segment = vec![0xff, 0xe1, length[0], length[1]];
    segment.append(&mut exif);
    bytes.splice(2..2, segment);

    let picture = decode(&bytes, "phone.jpg").unwrap();
    assert_eq!((picture.width, picture.height), (16, 32));
    assert!(is_near(pixel(&picture, 8, 2), [250, 5, 5]), "left went up");
    let mut rgb = Vec::new();
    assert_eq!(size_of_frame(&mut JpegDecoder::for_frames("porch"), &bytes, &mut rgb), (32, 16));
}

#[test]
fn a_frame_decoder_keeps_its_buffer() {
    let mut decoder = JpegDecoder::new("porch", PICTURE_PIXELS_MAX);
    let (large, small) =
        (encoded(two_halves(64, 64), ImageFormat::Jpeg), encoded(two_halves(16, 8), ImageFormat::Jpeg));
    let mut rgb = Vec::new();
    assert_eq!(size_of_frame(&mut decoder, &large, &mut rgb), (64, 64));
    let capacity = rgb.capacity();
    assert_eq!(size_of_frame(&mut decoder, &small, &mut rgb), (16, 8));
    assert_eq!((rgb.len(), rgb.capacity()), (16 * 8 * 3, capacity));
}

/// Every truncation and a flip of every bit in a row: an error or a picture, never a panic.
#[test]
fn broken_bytes_never_panic() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
        let bytes = encoded(two_halves(24, 16), format);
        for length in 0..bytes.len() {
            drop(decode(&bytes[..length], "cut"));
        }
        for index in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[index / 8] ^= 1 << (index % 8);
            drop(decode(&broken, "flipped"));
        }
    }
}

fn size_of_frame(decoder: &mut JpegDecoder, bytes: &[u8], pixels: &mut Vec<u8>) -> (usize, usize) {
    let picture = decoder.decode_frame(bytes, pixels).unwrap();
    (picture.width(), picture.height())
}
