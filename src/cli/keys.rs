//! Whether keys can be read where a command runs: asked of the reader that the daemon has, so that both say the same.

use crate::{cloud::credentials::KeyRing, domain::names::CredentialSource};

/// Why the keys of a source cannot be used here; never a secret.
pub fn unusable(source: &CredentialSource) -> Option<String> {
    KeyRing::of_process().keys(source).err().map(|error| error.to_string())
}
