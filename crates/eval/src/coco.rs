//! Annotations in COCO's JSON ("instances" files): which objects are where in which picture.
//!
//! Only what detection needs is read; other keys are passed over, since real files carry many. Whatever comes in, what
//! comes out is sound: identifiers are unique and resolved to indices, boxes are finite, file names stay in their folder.
//! Source: <https://cocodataset.org/#format-data>.

use std::collections::HashMap;

use serde::Deserialize;

#[cfg(test)]
mod tests;

/// Why a text is no set of annotations.
#[derive(Debug, thiserror::Error)]
pub enum CocoError {
    /// It is not the JSON that we look for.
    #[error(
        "the annotations cannot be read ({0}); they must be a JSON object with \"images\", \"annotations\" and \
         \"categories\", such as COCO's instances_val2017.json"
    )]
    Json(#[from] serde_json::Error),
    /// Two things of a kind have one id.
    #[error("the annotations have two {what} with the id {id}; ids must be unique, so make the file again")]
    Duplicate {
        /// Images, annotations or categories.
        what: &'static str,
        /// The id.
        id: u64,
    },
    /// An object refers to something that is not there.
    #[error("annotation {id} refers to {what} {target}, which the file does not list; make the file again")]
    Dangling {
        /// The annotation.
        id: u64,
        /// Image or category.
        what: &'static str,
        /// The id that is missing.
        target: u64,
    },
    /// A box cannot be one.
    #[error("annotation {id} has the box {bounding_box:?} and the area {area}; all must be finite and no size below 0")]
    Box {
        /// The annotation.
        id: u64,
        /// Left, top, width, height.
        bounding_box: [f64; 4],
        /// As the file says.
        area: f64,
    },
    /// A picture's file could lie anywhere.
    #[error("image {id} has the file name {name:?}, which leads out of the folder of pictures; use plain names")]
    FileName {
        /// The image.
        id: u64,
        /// Its file name.
        name: String,
    },
    /// There is nothing to compare with.
    #[error("the annotations list no {what}; take a file that has some")]
    Nothing {
        /// Images or categories.
        what: &'static str,
    },
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Image {
    /// The file's own number.
    pub id: u64,
    /// Where it lies, relative to the folder of pictures; without `..`, not absolute.
    pub file_name: String,
}

/// One kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Category {
    /// The file's own number: 1 to 90 with gaps for COCO.
    pub id: u64,
    /// What people call it.
    pub name: String,
}

/// One annotated object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Index into [`Annotations::images`].
    pub image: usize,
    /// Index into [`Annotations::categories`].
    pub category: usize,
    /// Left, top, width, height in pixels.
    pub bounding_box: [f64; 4],
    /// In square pixels, as the file says (of the mask, where the file has masks); the box's where it says nothing.
    pub area: f64,
    /// A region full of such objects: what is found in it counts neither for nor against.
    pub crowd: bool,
}

/// What is where. Images and categories stand in the order of their ids, as pycocotools goes through them.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotations {
    /// All pictures, those without objects too.
    pub images: Vec<Image>,
    /// All categories.
    pub categories: Vec<Category>,
    /// All objects, in the file's order.
    pub objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Raw {
    images: Vec<Image>,
    annotations: Vec<RawObject>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct RawObject {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
}

impl Annotations {
    /// Reads an "instances" file.
    ///
    /// # Errors
    /// When it is no such file, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, CocoError> {
        let Raw { mut images, annotations, mut categories } = serde_json::from_str(text)?;
        images.sort_by_key(|image| image.id);
        categories.sort_by_key(|category| category.id);
        let image_index = indices("images", images.iter().map(|image| image.id))?;
        let category_index = indices("categories", categories.iter().map(|category| category.id))?;
        indices_unless_empty("annotations", annotations.iter().map(|object| object.id))?;
        if let Some(Image { id, file_name }) = images.iter().find(|image| !stays_inside(&image.file_name)) {
            return Err(CocoError::FileName { id: *id, name: file_name.clone() });
        }
        let objects = annotations
            .into_iter()
            .map(|raw| resolve(&raw, &image_index, &category_index))
            .collect::<Result<_, _>>()?;
        Ok(Self { images, categories, objects })
    }
}

fn resolve(
    raw: &RawObject,
    images: &HashMap<u64, usize>,
    categories: &HashMap<u64, usize>,
) -> Result<Object, CocoError> {
    let RawObject { id, image_id, category_id, bbox, area, iscrowd } = *raw;
    let find = |what, indices: &HashMap<u64, usize>, target| {
        indices.get(&target).copied().ok_or(CocoError::Dangling { id, what, target })
    };
    let area = area.unwrap_or(bbox[2] * bbox[3]);
    let sound = bbox.iter().chain([&area]).all(|number| number.is_finite());
    if !sound || bbox[2] < 0.0 || bbox[3] < 0.0 || area < 0.0 {
        return Err(CocoError::Box { id, bounding_box: bbox, area });
    }
    Ok(Object {
        image: find("image", images, image_id)?,
        category: find("category", categories, category_id)?,
        bounding_box: bbox,
        area,
        crowd: iscrowd != 0,
    })
}

/// The index of each id; an error when there are none, or two are equal.
fn indices(what: &'static str, ids: impl Iterator<Item = u64>) -> Result<HashMap<u64, usize>, CocoError> {
    let indices = indices_unless_empty(what, ids)?;
    if indices.is_empty() { Err(CocoError::Nothing { what }) } else { Ok(indices) }
}

fn indices_unless_empty(what: &'static str, ids: impl Iterator<Item = u64>) -> Result<HashMap<u64, usize>, CocoError> {
    let mut indices = HashMap::new();
    for (index, id) in ids.enumerate() {
        if indices.insert(id, index).is_some() {
            return Err(CocoError::Duplicate { what, id });
        }
    }
    Ok(indices)
}

/// Whether a name leads to a file in, or below, the folder that it is relative to.
pub(crate) fn stays_inside(name: &str) -> bool {
    use std::path::{Component, Path};
    let mut components = Path::new(name).components().peekable();
    components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
}
