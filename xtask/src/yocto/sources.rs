//! Where the layers lie that ours is read beside.

use std::path::{Path, PathBuf};

/// What the folder must hold, as it is told to users.
pub(super) const LAYOUT: &str = "\
DIR must hold, as plain folders or git checkouts of one series (for instance wrynose, whose bitbake is 2.18):
  DIR/bitbake             with bin/bitbake
  DIR/openembedded-core   with meta/conf/layer.conf
  DIR/meta-raspberrypi    with conf/layer.conf
Any other folder in DIR that has a conf/layer.conf joins them, a layer with a newer Rust for instance.";

/// bitbake and the layers, every path whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// The folder of them all.
    pub(super) folder: PathBuf,
    /// Those that bblayers.conf names, save ours.
    pub(super) layers: Vec<PathBuf>,
}

impl Sources {
    /// Looks at what lies in `folder`.
    ///
    /// # Errors
    /// Says what is missing, and how the folder must look.
    pub(super) fn find(folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}\n{LAYOUT}", folder.display());
        let folder = folder.canonicalize().map_err(failed)?;
        for needed in
            ["bitbake/bin/bitbake", "openembedded-core/meta/conf/layer.conf", "meta-raspberrypi/conf/layer.conf"]
        {
            if !folder.join(needed).is_file() {
                return Err(format!("{} is missing\n{LAYOUT}", folder.join(needed).display()));
            }
        }
        let mut layers: Vec<PathBuf> = std::fs::read_dir(&folder)
            .map_err(failed)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.join("conf/layer.conf").is_file())
            .collect();
        layers.sort();
        layers.insert(0, folder.join("openembedded-core/meta"));
        Ok(Self { folder, layers })
    }

    /// The folder of bitbake's programs.
    pub(super) fn bitbake(&self) -> PathBuf {
        self.folder.join("bitbake/bin")
    }

    /// The folder of oe-core's programs, which bitbake starts.
    pub(super) fn scripts(&self) -> PathBuf {
        self.folder.join("openembedded-core/scripts")
    }

    /// A name for what is made of these sources.
    pub(super) fn name(&self) -> String {
        self.folder.file_name().map_or_else(|| "sources".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}
