//! Without the feature `encryption`: there is no key, so nothing is ever encrypted or decrypted.

use std::io::{self, Read, Write};

#[derive(Clone)]
pub(super) enum Encryption {}

#[derive(Clone)]
pub(super) enum Decryption {}

impl Encryption {
    pub(super) fn encrypt(
        &self,
        _to: &mut dyn Write,
        _write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Decryption> {
        match *self {}
    }
}

impl Decryption {
    pub(super) fn decrypt<'r>(&self, _from: impl Read + 'r) -> Result<Box<dyn Read + 'r>, String> {
        match *self {}
    }
}
