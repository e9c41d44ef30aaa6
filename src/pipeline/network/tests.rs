//! A network that remembers, between two cameras.

use std::path::PathBuf;
use std::sync::Arc;

use clawdbot_convert::draft::{Draft, Means, Provenance, Request, Target};
use clawdbot_convert::importers::Source;
use clawdbot_convert::network::Compute;
use clawdbot_convert::recipe::Wishes;
use clawdbot_vision::preprocess::Picture;

use super::*;
use crate::sources::picture;

/// A file of `shared/data`; `None` (said aloud) where it is missing and may be.
fn data(path: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            assert!(std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_none(), "{}: {error}", path.display());
            // Written past the test runner's capture, which shows nothing of a test that passes.
            let notice = format!("SKIPPED: {}: {error}\n", path.display());
            std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
            None
        }
    }
}

/// The detector of three classes that hands two maps on to itself.
fn traffic() -> Option<Network> {
    let file = data("detect/ssd-traffic/traffic_model.tflite")?;
    let labels = Some(["a", "b", "c"].map(ToOwned::to_owned).to_vec());
    let wishes = Wishes { labels, ..Wishes::default() };
    let draft = Draft::open(Source::alone(&file), &Provenance::default(), &wishes).unwrap();
    let workers = Arc::new(Workers::new());
    let compute = Compute { isa: Isa::detect(), workers: Arc::clone(&workers) };
    let request = Request { target: Target::Int8, snr_db_min: 0.0, probe: false, means: Means::ALL, compute };
    let conversion = draft.convert(&request, &mut |_| None, &mut |_| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traffic");
    conversion.writer().write(&path).unwrap();
    Some(Network::new(&Bundle::open(&path).unwrap(), Isa::detect(), workers).unwrap())
}

#[test]
fn each_camera_is_remembered_apart() {
    let Some(mut network) = traffic() else { return };
    let mut preprocessor = network.preprocessor().unwrap();
    let mut input = vec![0; preprocessor.input_bytes()];
    let mut look = |network: &mut Network, memory: &mut Memory, name: &str| {
        let bmp = data(&format!("detect/ssd-traffic/{name}.bmp")).unwrap();
        let decoded = picture::decode(&bmp, name).unwrap();
        let picture = Picture::rgb(decoded.width as usize, decoded.height as usize, &decoded.rgb).unwrap();
        let placement = preprocessor.run(&picture, &mut input).unwrap();
        let mut detections = Vec::new();
        network.run(&input, memory, 0.1, placement, &mut detections);
        detections
    };
    let mut alone = network.memory();
    let wanted = ["0001", "0002"].map(|name| look(&mut network, &mut alone, name));
    let (mut here, mut there) = (network.memory(), network.memory().filled(4.7));
    // These pictures leave nothing behind (nor do they in LiteRT), so another camera's memory is made up; and it matters.
    assert_ne!(look(&mut network, &mut there, "0001"), wanted[0]);
    let found = ["0001", "0002"].map(|name| {
        let mut there = network.memory().filled(4.7);
        look(&mut network, &mut there, name);
        look(&mut network, &mut here, name)
    });
    assert_eq!(found, wanted);
}
