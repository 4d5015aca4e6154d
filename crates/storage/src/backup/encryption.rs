//! Who can read a backup: in the format of the `age` tool (<https://age-encryption.org/v1>), which reads and writes the same.
//!
//! The types are there without the feature `encryption` too, so that nothing that names them depends on it; then nobody can
//! make a value of them.

#[cfg_attr(feature = "encryption", path = "encryption/age_format.rs")]
#[cfg_attr(not(feature = "encryption"), path = "encryption/absent.rs")]
mod format;

use std::{
    fmt,
    io::{self, Read, Write},
};

/// How a backup is encrypted. Made with the feature `encryption` only.
#[derive(Clone)]
pub struct Encryption(format::Encryption);

/// What reads an encrypted backup. Made with the feature `encryption` only.
#[derive(Clone)]
pub struct Decryption(format::Decryption);

#[cfg(feature = "encryption")]
impl Encryption {
    /// To public keys, `age1…` each: whoever has the identity of one of them can read the backup, and the machine that makes
    /// it need not.
    ///
    /// One more key is added, which lives only until the backup was read back with it, and so proven.
    ///
    /// ```
    /// use trading_storage::Encryption;
    ///
    /// let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    /// assert!(Encryption::to_recipients([key]).is_ok());
    /// assert_eq!(Encryption::to_recipients(["age1"]).unwrap_err().to_string(), "the key is refused: a recipient is age1 and 58 letters and digits");
    /// ```
    ///
    /// # Errors
    /// [`Error::Key`](crate::Error::Key) if there is none, or one cannot be understood.
    pub fn to_recipients<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<Self, crate::Error> {
        format::Encryption::to_recipients(keys).map(Self).map_err(|rule| crate::Error::Key { rule })
    }

    /// With a passphrase, which both who makes the backup and who reads it must have. It takes a second each time, so that
    /// guessing does too.
    ///
    /// # Errors
    /// [`Error::Key`](crate::Error::Key) if it is empty.
    pub fn with_passphrase(passphrase: String) -> Result<Self, crate::Error> {
        if passphrase.is_empty() {
            return Err(crate::Error::Key { rule: "a passphrase is not empty" });
        }
        Ok(Self(format::Encryption::with_passphrase(passphrase)))
    }
}

#[cfg(feature = "encryption")]
impl Decryption {
    /// With the identity of a recipient, `AGE-SECRET-KEY-1…`: a line of what `age-keygen` writes.
    ///
    /// # Errors
    /// [`Error::Key`](crate::Error::Key) if it cannot be understood. The error does not show it.
    pub fn with_identity(identity: &str) -> Result<Self, crate::Error> {
        format::Decryption::with_identity(identity).map(Self).map_err(|rule| crate::Error::Key { rule })
    }

    /// With the passphrase.
    #[must_use]
    pub fn with_passphrase(passphrase: String) -> Self {
        Self(format::Decryption::with_passphrase(passphrase))
    }
}

impl Encryption {
    /// Encrypts what `write` writes, and returns what reads it back.
    pub(super) fn encrypt(
        &self,
        to: &mut dyn Write,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Decryption> {
        self.0.encrypt(to, write).map(Decryption)
    }
}

impl Decryption {
    /// What `from` has, or why it cannot be read: as a clause.
    pub(super) fn decrypt<'r>(&self, from: impl Read + 'r) -> Result<Box<dyn Read + 'r>, String> {
        self.0.decrypt(from)
    }
}

/// Never shows a key.
impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").finish_non_exhaustive()
    }
}

/// Never shows a key.
impl fmt::Debug for Decryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryption").finish_non_exhaustive()
    }
}
