//! An infinite bound of a clip, which JSON cannot write, as `null`.

/// Below.
pub(super) mod low {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(bound: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        Some(*bound).filter(|bound| *bound != f32::NEG_INFINITY).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NEG_INFINITY))
    }
}

/// Above.
pub(super) mod high {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(bound: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        Some(*bound).filter(|bound| *bound != f32::INFINITY).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f32::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::Activation;

    #[test]
    fn bounds_survive_json() {
        for (low, high) in [(0.0, 1.0), (f32::NEG_INFINITY, 3.5), (-2.0, f32::INFINITY)] {
            let clip = Activation::Clip { low, high };
            let json = serde_json::to_string(&clip).unwrap();
            assert_eq!(serde_json::from_str::<Activation>(&json).unwrap(), clip, "{json}");
        }
        assert_eq!(serde_json::to_string(&Activation::Leaky(0.5)).unwrap(), r#"{"leaky":0.5}"#);
    }
}
