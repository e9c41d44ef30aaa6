//! What both sources are asked: the rows of a part of the model, by its role.

use clawdbot_nn::metadata::language::{Architecture, NormPlacement, QueryKeyNorm};

use super::LanguageError;

/// A tensor by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Embedding,
    Head,
    Norm,
    Layer(usize, Part),
}

/// A tensor of a layer by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    AttentionNorm,
    AttentionAfterNorm,
    FeedForwardNorm,
    FeedForwardAfterNorm,
    QueryNorm,
    KeyNorm,
    Query,
    Key,
    Value,
    QueryBias,
    KeyBias,
    ValueBias,
    Output,
    Gate,
    Up,
    Down,
}

/// Where weights come from. Rows are those that the bundle wants: q and k turned in halves, norms as they are multiplied.
pub(super) trait Weights {
    /// The name of the tensor behind `role` in the source, for messages.
    fn name(&self, role: Role) -> String;

    /// Writes row `row` of `role`, of which a vector has one, to `out`. Sizes have been checked.
    fn row(&self, role: Role, row: usize, out: &mut [f32]) -> Result<(), LanguageError>;

    /// The checksum of the source, `progress` being told the bytes done and all of them.
    fn sha256(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String, LanguageError>;
}

/// Every role of `architecture` with its rows and columns; `feed_forward` is the source's, before it is filled up.
pub(super) fn roles(architecture: &Architecture, feed_forward: usize) -> Vec<(Role, [usize; 2])> {
    let &Architecture { width, vocabulary, .. } = architecture;
    let (query, key) = (architecture.query_rows(), architecture.key_rows());
    let mut roles = vec![(Role::Embedding, [vocabulary, width]), (Role::Norm, [1, width])];
    if !architecture.tied_embedding {
        roles.push((Role::Head, [vocabulary, width]));
    }
    let mut parts = vec![
        (Part::Query, [query, width]),
        (Part::Key, [key, width]),
        (Part::Value, [key, width]),
        (Part::Output, [width, query]),
        (Part::Gate, [feed_forward, width]),
        (Part::Up, [feed_forward, width]),
        (Part::Down, [width, feed_forward]),
    ];
    if architecture.norms != NormPlacement::After {
        parts.extend([(Part::AttentionNorm, [1, width]), (Part::FeedForwardNorm, [1, width])]);
    }
    if architecture.norms != NormPlacement::Before {
        parts.extend([(Part::AttentionAfterNorm, [1, width]), (Part::FeedForwardAfterNorm, [1, width])]);
    }
    if architecture.qkv_bias {
        parts.extend([(Part::QueryBias, [1, query]), (Part::KeyBias, [1, key]), (Part::ValueBias, [1, key])]);
    }
    match architecture.query_key_norm {
        QueryKeyNorm::None => {}
        QueryKeyNorm::PerHead => {
            parts.extend([(Part::QueryNorm, [1, architecture.head_dim]), (Part::KeyNorm, [1, architecture.head_dim])]);
        }
        QueryKeyNorm::Whole => parts.extend([(Part::QueryNorm, [1, query]), (Part::KeyNorm, [1, key])]),
    }
    for layer in 0..architecture.layers.len() {
        roles.extend(parts.iter().map(|&(part, size)| (Role::Layer(layer, part), size)));
    }
    roles
}
