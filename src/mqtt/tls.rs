//! The TLS configuration of one connect, from the files as they are at that moment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ClientConfig, RootCertStore};

use super::options::Tls;

/// Why there can be no TLS connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// A certificate file cannot be read.
    #[error("cannot read certificates from {}: {source}; it must be a PEM file that the daemon's user may read", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A certificate file holds none.
    #[error("{} holds no certificate; it must be a PEM file with at least one CERTIFICATE section", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate authority is not acceptable.
    #[error("a certificate in {} cannot be used as an authority: {source}; ask for the CA's own certificate", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The key file cannot be read.
    #[error("cannot read the private key from {}: {source}; it must be an unencrypted PEM key that the daemon's user may read", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// Certificate and key do not go together, or rustls cannot use them.
    #[error("the client certificate and its key cannot be used: {0}; check that they belong together")]
    Identity(rustls::Error),
    /// rustls refuses its own defaults.
    #[error("TLS cannot be set up: {0}; this is a bug, report it")]
    Setup(rustls::Error),
}

/// Reads the files that `tls` names. Blocks on the disk: not for a tokio worker.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca_file)? {
        roots.add(certificate).map_err(|source| TlsError::Authority { path: tls.ca_file.clone(), source })?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots);
    let config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let key = PrivateKeyDer::from_pem_file(&client.key_file)
                .map_err(|source| TlsError::Key { path: client.key_file.clone(), source })?;
            builder.with_client_auth_cert(certificates(&client.certificate_file)?, key).map_err(TlsError::Identity)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let broken = |source| TlsError::Certificates { path: path.to_owned(), source };
    let certificates =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(broken)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}
