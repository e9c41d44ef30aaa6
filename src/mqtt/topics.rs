//! Every topic, spelled once. Topics have a fixed depth and each level is a slug, so that a subscriber's `+` always
//! means the same thing and no name from a configuration can break a broker or Home Assistant.

/// The longest slug in bytes.
pub(crate) const SLUG_BYTES_MAX: usize = 48;

/// The topics of one node: `<prefix>/<node>/...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topics {
    root: String,
    node: String,
}

impl Topics {
    /// Topics under `<prefix>/<node>`; `node` and each level of `prefix` are made a [`slug`].
    pub(crate) fn new(prefix: &str, node: &str) -> Self {
        let node = slug(node);
        let prefix: Vec<String> = prefix.trim_matches('/').split('/').map(slug).collect();
        Self { root: format!("{}/{node}", prefix.join("/")), node }
    }

    /// This node's id.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The filter that matches all that this node publishes.
    pub(crate) fn everything(&self) -> String {
        format!("{}/#", self.root)
    }

    /// `topic` without this node's own levels; as it is when it is another node's.
    pub(crate) fn within<'t>(&self, topic: &'t str) -> &'t str {
        topic.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix('/')).unwrap_or(topic)
    }

    /// `online` or `offline`, the last will: retained, QoS 1, plain text.
    pub(crate) fn status(&self) -> String {
        format!("{}/status", self.root)
    }

    /// What this node is: retained, QoS 1.
    pub(crate) fn info(&self) -> String {
        format!("{}/info", self.root)
    }

    /// How this node fares: retained, QoS 1.
    pub(crate) fn health(&self) -> String {
        format!("{}/health", self.root)
    }

    /// Rates and times of the last interval: QoS 0.
    pub(crate) fn stats(&self) -> String {
        format!("{}/stats", self.root)
    }

    /// Whether a camera delivers: retained, QoS 1.
    pub(crate) fn camera_status(&self, camera: &str) -> String {
        format!("{}/camera/{}/status", self.root, slug(camera))
    }

    /// What is in a camera's view now: retained, QoS 1.
    pub(crate) fn camera_state(&self, camera: &str) -> String {
        format!("{}/camera/{}/state", self.root, slug(camera))
    }

    /// What happened in a camera's view: QoS 1.
    pub(crate) fn camera_event(&self, camera: &str) -> String {
        format!("{}/camera/{}/event", self.root, slug(camera))
    }

    /// The filter of the commands to this node: QoS 1.
    pub(crate) fn commands(&self) -> String {
        format!("{}/cmd/+", self.root)
    }

    /// The verb of a command's topic; `None` for any other topic.
    pub(crate) fn verb<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let verb = topic.strip_prefix(&self.root)?.strip_prefix("/cmd/")?;
        (!verb.contains('/')).then_some(verb)
    }

    /// The answer to a client's command: QoS 1.
    pub(crate) fn reply(&self, client: &str, id: &str) -> String {
        format!("{}/reply/{}/{}", self.root, slug(client), slug(id))
    }

    /// An answer while it grows: QoS 0.
    pub(crate) fn stream(&self, client: &str, id: &str) -> String {
        format!("{}/stream/{}/{}", self.root, slug(client), slug(id))
    }

    /// Whether a language model can be asked: retained, QoS 1.
    pub(crate) fn language_status(&self, model: &str) -> String {
        format!("{}/llm/{}/status", self.root, slug(model))
    }

    /// What a language task found: QoS 1.
    pub(crate) fn language_result(&self, task: &str) -> String {
        format!("{}/llm/{}/result", self.root, slug(task))
    }

    /// A sensor's last reading: retained, QoS 1.
    pub(crate) fn sensor_state(&self, sensor: &str) -> String {
        format!("{}/sensor/{}/state", self.root, slug(sensor))
    }
}

/// A topic level for the display name `name`: lower case `[a-z0-9_-]`, everything else becomes one `_`, at most
/// [`SLUG_BYTES_MAX`] bytes, never empty. A slug is its own slug. Two names can share a slug: whoever takes names from
/// outside must refuse that.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len().min(SLUG_BYTES_MAX));
    for character in name.chars() {
        if slug.len() == SLUG_BYTES_MAX {
            break;
        }
        match character.to_ascii_lowercase() {
            kept @ ('a'..='z' | '0'..='9' | '-' | '_') => slug.push(kept),
            _ if slug.ends_with('_') => {}
            _ => slug.push('_'),
        }
    }
    if slug.is_empty() { "_".to_owned() } else { slug }
}

#[cfg(test)]
mod tests;
