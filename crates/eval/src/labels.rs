//! Which category of the annotations a model's label means.
//!
//! A model may know other things than the annotations do, by other names, or more finely. A label that means no category
//! is left out on both sides: its detections are not compared, and a category that no label means is not counted.

use std::collections::BTreeMap;

use crate::coco::Annotations;

#[cfg(test)]
mod tests;

/// Labels of Open Images that COCO knows by another name. `Desk`, `Vehicle`, `Stationary bicycle` and what people wear
/// have no category there: COCO's `dining table` is no desk, and it splits vehicles into kinds.
const OPEN_IMAGES_TO_COCO: [(&str, &str); 7] = [
    ("cattle", "cow"),
    ("coffee cup", "cup"),
    ("computer monitor", "tv"),
    ("computer mouse", "mouse"),
    ("mug", "cup"),
    ("table", "dining table"),
    ("television", "tv"),
];

/// Why labels cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file is no map.
    #[error(
        "the label map cannot be read ({0}); it must be a JSON object from the model's labels to category names, such as \
         {{\"Cattle\": \"cow\", \"Desk\": null}}"
    )]
    Json(#[from] serde_json::Error),
    /// A category that is not in the annotations.
    #[error(
        "the label map turns \"{label}\" into \"{category}\", which is no category of the annotations; they have {known}"
    )]
    UnknownCategory {
        /// The model's label.
        label: String,
        /// What it should mean.
        category: String,
        /// What the annotations have.
        known: String,
    },
    /// A label that is not the model's.
    #[error("the label map has \"{label}\", which is no label of the model; it has {known}")]
    UnknownLabel {
        /// The label.
        label: String,
        /// What the model has.
        known: String,
    },
    /// Nothing in common.
    #[error(
        "no label of the model ({labels}) is a category of the annotations; give a label map, a JSON object such as \
         {{\"Cattle\": \"cow\"}}"
    )]
    NothingInCommon {
        /// The model's labels.
        labels: String,
    },
}

/// For each label of a model the index of its category, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    categories: Vec<Option<usize>>,
}

impl LabelMap {
    /// Maps by name: equal but for upper and lower case, or Open Images' and COCO's names for one thing.
    ///
    /// # Errors
    /// When no label is a category.
    pub fn by_name(labels: &[String], annotations: &Annotations) -> Result<Self, LabelError> {
        Self::new(labels, annotations, &BTreeMap::new())
    }

    /// Maps as the JSON object `text` says, and by name where it says nothing; `null` leaves a label out.
    ///
    /// # Errors
    /// When `text` is no such object, or has labels or categories that do not exist.
    pub fn parse(text: &str, labels: &[String], annotations: &Annotations) -> Result<Self, LabelError> {
        Self::new(labels, annotations, &serde_json::from_str(text)?)
    }

    fn new(
        labels: &[String],
        annotations: &Annotations,
        told: &BTreeMap<String, Option<String>>,
    ) -> Result<Self, LabelError> {
        if let Some(label) = told.keys().find(|label| !labels.contains(label)) {
            return Err(LabelError::UnknownLabel { label: label.clone(), known: labels.join(", ") });
        }
        let index =
            |name: &str| annotations.categories.iter().position(|category| category.name.eq_ignore_ascii_case(name));
        let categories = labels
            .iter()
            .map(|label| match told.get(label) {
                Some(None) => Ok(None),
                Some(Some(category)) => index(category).map(Some).ok_or_else(|| {
                    let known: Vec<_> = annotations.categories.iter().map(|category| category.name.as_str()).collect();
                    let known = known.join(", ");
                    LabelError::UnknownCategory { label: label.clone(), category: category.clone(), known }
                }),
                None => Ok(index(label).or_else(|| index(synonym(label)?))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if categories.iter().all(Option::is_none) {
            return Err(LabelError::NothingInCommon { labels: labels.join(", ") });
        }
        Ok(Self { categories })
    }

    /// The index of the category that the label with this index means.
    #[must_use]
    pub fn category(&self, label: u16) -> Option<usize> {
        self.categories.get(usize::from(label)).copied().flatten()
    }

    /// The indices of all categories that some label means, in order.
    #[must_use]
    pub fn categories(&self) -> Vec<usize> {
        let mut categories: Vec<_> = self.categories.iter().copied().flatten().collect();
        categories.sort_unstable();
        categories.dedup();
        categories
    }
}

fn synonym(label: &str) -> Option<&'static str> {
    OPEN_IMAGES_TO_COCO.iter().find(|(name, _)| name.eq_ignore_ascii_case(label)).map(|(_, category)| *category)
}
