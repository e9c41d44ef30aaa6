//! The integration tests: one binary, so that the whole tree is linked once.

mod published;
mod schema;
