//! The `age` crate, behind the two types.

use std::{
    io::{self, Read, Write},
    iter,
};

use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, secrecy::SecretString, x25519};

/// The hardest passphrase work that is done, as a power of two: a gigabyte of memory. The `age` tool makes 18.
const WORK_MAX: u8 = 20;

#[derive(Clone)]
pub(super) enum Encryption {
    Recipients(Vec<x25519::Recipient>),
    Passphrase(SecretString),
}

#[derive(Clone)]
pub(super) enum Decryption {
    Identity(x25519::Identity),
    Passphrase(SecretString),
}

impl Encryption {
    pub(super) fn to_recipients<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<Self, &'static str> {
        let parse = |key: &str| key.trim().parse().map_err(drop);
        let parsed: Result<Vec<_>, ()> = keys.into_iter().map(parse).collect();
        let Ok(recipients) = parsed else { return Err("a recipient is age1 and 58 letters and digits") };
        if recipients.is_empty() { Err("there is at least one recipient") } else { Ok(Self::Recipients(recipients)) }
    }

    pub(super) fn with_passphrase(passphrase: String) -> Self {
        Self::Passphrase(passphrase.into())
    }

    pub(super) fn encrypt(
        &self,
        to: &mut dyn Write,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Decryption> {
        let (encryptor, opens) = match self {
            Self::Recipients(recipients) => {
                let proof = x25519::Identity::generate();
                let own = proof.to_public();
                let all = recipients.iter().chain(iter::once(&own)).map(|recipient| recipient as &dyn Recipient);
                (Encryptor::with_recipients(all).map_err(io::Error::other)?, Decryption::Identity(proof))
            }
            Self::Passphrase(passphrase) => {
                (Encryptor::with_user_passphrase(passphrase.clone()), Decryption::Passphrase(passphrase.clone()))
            }
        };
        let mut sealed = encryptor.wrap_output(to)?;
        write(&mut sealed)?;
        sealed.finish()?;
        Ok(opens)
    }
}

impl Decryption {
    pub(super) fn with_identity(identity: &str) -> Result<Self, &'static str> {
        let parsed = identity.trim().parse().map(Self::Identity);
        parsed.map_err(|_not_shown: &str| "an identity is AGE-SECRET-KEY-1 and 58 letters and digits")
    }

    pub(super) fn with_passphrase(passphrase: String) -> Self {
        Self::Passphrase(passphrase.into())
    }

    pub(super) fn decrypt<'r>(&self, from: impl Read + 'r) -> Result<Box<dyn Read + 'r>, String> {
        let decryptor = Decryptor::new(from).map_err(said)?;
        let mut passphrase;
        let identity: &dyn Identity = match self {
            Self::Identity(identity) => identity,
            Self::Passphrase(secret) => {
                passphrase = scrypt::Identity::new(secret.clone());
                passphrase.set_max_work_factor(WORK_MAX);
                &passphrase
            }
        };
        let opened = decryptor.decrypt(iter::once(identity)).map_err(said)?;
        Ok(Box::new(opened))
    }
}

fn said(error: DecryptError) -> String {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            "it is another key's".to_owned()
        }
        other => other.to_string(),
    }
}
