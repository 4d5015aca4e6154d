//! The places that settings come from, as figment providers: one a file or variable, so that each value knows its own.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use figment::{
    Metadata, Profile, Provider,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use crate::{Error, Key};

/// A configuration file larger than this is somebody's mistake. Arbitrary, 100 times what one needs.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Some values and the name of the place they come from.
pub(crate) struct Source {
    name: String,
    values: Dict,
}

impl Source {
    /// One value as text, so that figment guesses no type: `00123` stays `00123`.
    pub(crate) fn text(name: String, key: &Key, text: &str) -> Self {
        let leaf = Dict::from([(key.name.to_owned(), Value::from(text))]);
        let values = key
            .section
            .rsplit('.')
            .fold(leaf, |values, section| Dict::from([(section.to_owned(), Value::from(values))]));
        Self { name, values }
    }

    /// A TOML file, or `None` if there is none.
    pub(crate) fn toml(path: &Path, name: String) -> Result<Option<Self>, Error> {
        let Some(text) = read(path)? else { return Ok(None) };
        let values = Toml::from_str::<Dict>(&text).map_err(|error| {
            // Not the error's own Display: it quotes the line, and the line may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            Error::malformed(path, before.matches('\n').count() + 1, format!("not TOML: {}", error.message()))
        })?;
        Ok(Some(Self { name, values }))
    }
}

impl Provider for Source {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The text of a file, or `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    // Before the opening, which would block on a pipe.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(failed(io::Error::other("not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere was meant to lead somewhere.
            return if fs::symlink_metadata(path).is_ok() { Err(failed(error)) } else { Ok(None) };
        }
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(io::Error::other("larger than 1 MiB")));
    }
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error())))
}

/// The nearest `.env` from `folder` upward, not above `root`.
pub(crate) fn dotenv(folder: &Path, root: &Path) -> PathBuf {
    folder
        .ancestors()
        .take_while(|ancestor| ancestor.starts_with(root))
        .map(|ancestor| ancestor.join(".env"))
        .find(|path| fs::symlink_metadata(path).is_ok())
        .unwrap_or_else(|| root.join(".env"))
}

/// The project root: the nearest folder, from `folder` upward, with one of our files in its `config/`; else `folder`.
pub(crate) fn root(folder: &Path) -> &Path {
    // Not any `config/`: `crates/` has one, and it is a crate.
    const FILES: [&str; 4] = ["agents.json", "development.toml", "test.toml", "production.toml"];
    folder
        .ancestors()
        .find(|ancestor| FILES.iter().any(|file| ancestor.join("config").join(file).is_file()))
        .unwrap_or(folder)
}
