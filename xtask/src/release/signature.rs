//! The signature of `SHA256SUMS`, as `minisign` makes and verifies them. What signs is one crate, what verifies another, and
//! the file is read back for it.

use std::path::Path;

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use super::options::Options;
use super::work::Work;
use super::write;
use crate::Outcome;
use crate::process::repository_root;

/// The key that users verify with, once there is one.
pub(super) const PUBLIC_KEY: &str = "deploy/minisign.pub";
/// The secret key's password, where it has one.
const PASSWORD: &str = "MINISIGN_PASSWORD";

/// A secret key and what verifies its signatures.
pub(super) struct Signer {
    secret: SecretKey,
    /// The text of the public key's file.
    public: String,
}

impl Signer {
    /// With the key that was named; in a rehearsal without one, with one that is gone afterwards.
    pub(super) fn of(options: &Options) -> Result<Self, String> {
        let Some(path) = &options.key else {
            println!("no --key: a REHEARSAL KEY signs, made for this run and kept nowhere");
            let pair =
                KeyPair::generate_unencrypted_keypair().map_err(|error| format!("cannot make a key: {error}"))?;
            return Self::with(pair.sk);
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read the secret key {}: {error}", path.display()))?;
        let signer = Self::with(unlocked(&text, std::env::var(PASSWORD).ok())?)?;
        signer.is_the_published_one(&repository_root().join(PUBLIC_KEY))?;
        Ok(signer)
    }

    fn with(secret: SecretKey) -> Result<Self, String> {
        let public = PublicKey::from_secret_key(&secret).and_then(|public| public.to_box());
        let public = public.map_err(|error| format!("the secret key has no public one: {error}"))?;
        Ok(Self { secret, public: public.into_string() })
    }

    /// What users have must verify what this signs. A repository without a key has not released yet.
    fn is_the_published_one(&self, path: &Path) -> Outcome {
        let Ok(published) = std::fs::read_to_string(path) else { return Ok(()) };
        // The first line is a comment, which anybody may write otherwise.
        if published.lines().nth(1) == self.public.lines().nth(1) {
            return Ok(());
        }
        Err(format!("the secret key is not the one behind {PUBLIC_KEY}: nobody could verify the signature"))
    }

    /// Writes `FILE.minisig`, and the public key beside it, and verifies what it wrote.
    pub(super) fn sign(&self, sums: &Path, work: &Work) -> Outcome {
        let comment = format!("clawdbot {} timestamp:{}", work.release.version, work.release.epoch);
        let signature = self.signature(&read(sums)?, &comment)?;
        let (beside, key) = (sums.with_extension("minisig"), sums.with_file_name("minisign.pub"));
        write(&beside, signature)?;
        write(&key, &self.public)?;
        verify(&text(&key)?, &text(&beside)?, &read(sums)?)?;
        println!("   {} verifies with {}", beside.display(), key.display());
        Ok(())
    }

    fn signature(&self, data: &[u8], comment: &str) -> Result<String, String> {
        let signed = minisign::sign(None, &self.secret, data, Some(comment), Some("signature of a clawdbot release"));
        signed.map(minisign::SignatureBox::into_string).map_err(|error| format!("cannot sign: {error}"))
    }
}

/// The key in the text of its file.
fn unlocked(text: &str, password: Option<String>) -> Result<SecretKey, String> {
    let locked = SecretKeyBox::from_string(text).map_err(|error| format!("the secret key: {error}"))?;
    match password {
        Some(password) => locked
            .into_secret_key(Some(password))
            .map_err(|error| format!("the secret key does not open with the password in {PASSWORD}: {error}")),
        None => locked.into_unencrypted_secret_key().map_err(|error| {
            format!(
                "the secret key does not open: {error}; say its password in {PASSWORD} (one made by `minisign -G -W`, without \
                 a password, is not read: `minisign -C` gives it one)"
            )
        }),
    }
}

/// Whether `data` is what the owner of the key has signed.
fn verify(public: &str, signature: &str, data: &[u8]) -> Outcome {
    let public = minisign_verify::PublicKey::decode(public).map_err(|error| format!("the public key: {error}"))?;
    let signature = minisign_verify::Signature::decode(signature).map_err(|error| format!("the signature: {error}"))?;
    public.verify(data, &signature, false).map_err(|error| format!("the signature does not verify: {error}"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::with(KeyPair::generate_unencrypted_keypair().unwrap().sk).unwrap()
    }

    #[test]
    fn a_changed_byte_is_found() {
        let signer = signer();
        let signature = signer.signature(b"abc  clawdbot.deb\n", "clawdbot 1.0.0").unwrap();
        assert_eq!(verify(&signer.public, &signature, b"abc  clawdbot.deb\n"), Ok(()));
        assert!(verify(&signer.public, &signature, b"abd  clawdbot.deb\n").is_err());
        // The comment tells of the version, and is signed with it.
        let other = signature.replace("clawdbot 1.0.0", "clawdbot 2.0.0");
        assert!(verify(&signer.public, &other, b"abc  clawdbot.deb\n").is_err());
        assert!(verify(&super::tests::signer().public, &signature, b"abc  clawdbot.deb\n").is_err());
    }

    #[test]
    fn another_key_than_the_published_one_is_refused() {
        let (signer, other, folder) = (signer(), signer(), tempfile::tempdir().unwrap());
        let path = folder.path().join("minisign.pub");
        assert_eq!(signer.is_the_published_one(&path), Ok(()), "nothing was published yet");
        write(&path, signer.public.replace("untrusted comment:", "untrusted comment: ours,")).unwrap();
        assert_eq!(signer.is_the_published_one(&path), Ok(()));
        assert!(other.is_the_published_one(&path).is_err_and(|error| error.contains(PUBLIC_KEY)));
    }

    #[test]
    fn a_locked_key_wants_its_password() {
        let open = KeyPair::generate_unencrypted_keypair().unwrap().sk.to_box(None).unwrap().into_string();
        assert!(unlocked(&open, None).is_ok());
        assert!(unlocked(&open, Some("secret".to_owned())).is_err_and(|error| error.contains("not encrypted")));
        assert!(unlocked("no key", None).is_err_and(|error| error.contains(PASSWORD)));
    }
}
