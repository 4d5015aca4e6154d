//! The places that settings come from, and the one that wins.
//!
//! figment merges numbers of entries, not texts: so no text, which may be a secret, gets into its errors and its copies.

use std::{
    collections::HashMap,
    fmt, fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};
use toml_edit::{ImDocument, Item, TableLike};

use crate::{Error, Fault, Key, section::Keys};

/// A configuration file larger than this is somebody's mistake. Arbitrary, 100 times what one needs.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// **Source:** what a `NAME_FILE` may hold; a Kubernetes secret may be 1 MiB, a key or a password never is.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What somebody wrote for a key, and where.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static Key,
    pub(crate) found: Found,
    /// As faults say it: `.env:3 LOG_LEVEL`, `config/production.toml:7`, `variable LOG_LEVEL`.
    pub(crate) place: String,
}

/// The shape of what was found. Texts are all treated as secrets here: whose it is says the key, later.
#[derive(Debug)]
pub(crate) enum Found {
    Text(SecretString),
    List,
    Table,
}

impl Entry {
    pub(crate) fn text(key: &'static Key, text: impl Into<SecretString>, place: String) -> Self {
        Self { key, found: Found::Text(text.into()), place }
    }

    /// The text, or an empty one for a list or a table.
    pub(crate) fn written(&self) -> &str {
        match &self.found {
            Found::Text(text) => text.expose_secret(),
            Found::List | Found::Table => "",
        }
    }
}

/// All entries of a load, merged.
pub(crate) struct Merged {
    entries: Vec<Entry>,
    of_key: HashMap<&'static str, Vec<usize>>,
    winners: Value,
}

impl Merged {
    /// Merges the layers: a later one wins over an earlier one, and so does a later entry within a layer.
    pub(crate) fn new(layers: [Vec<Entry>; 5]) -> Self {
        let (mut entries, mut of_key): (Vec<Entry>, HashMap<_, Vec<usize>>) = (Vec::new(), HashMap::new());
        let mut figment = Figment::new();
        for layer in layers {
            let mut values = Dict::new();
            for entry in layer {
                // Flat, by whole keys: there is no section to merge, and figment is quicker with it.
                values.insert(entry.key.whole.to_owned(), Value::from(entries.len()));
                of_key.entry(entry.key.whole).or_default().push(entries.len());
                entries.push(entry);
            }
            if !values.is_empty() {
                figment = figment.merge(Layer(values));
            }
        }
        let winners = figment.find_value("").unwrap_or_else(|_| Dict::new().into());
        Self { entries, of_key, winners }
    }

    /// The entry that holds.
    pub(crate) fn winner(&self, key: &Key) -> Option<&Entry> {
        let number = self.winners.as_dict()?.get(key.whole)?.to_u128()?;
        self.entries.get(usize::try_from(number).ok()?)
    }

    /// All entries of a key, the earliest layer first: the last is the winner.
    pub(crate) fn of_key(&self, key: &Key) -> impl DoubleEndedIterator<Item = &Entry> {
        self.of_key.get(key.whole).into_iter().flatten().filter_map(|number| self.entries.get(*number))
    }
}

impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

/// The numbers of one layer's entries.
struct Layer(Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::default()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

/// The entries of a TOML file, of which there need be none. `name` stands in messages.
///
/// # Errors
/// If it cannot be read, or is not TOML.
pub(crate) fn toml(path: &Path, name: &str, keys: &Keys, faults: &mut Vec<Fault>) -> Result<Vec<Entry>, Error> {
    let Some(text) = read(path)?.map(Zeroizing::new) else { return Ok(Vec::new()) };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let document = ImDocument::parse(text).map_err(|error| {
        // Not the error's own Display: it quotes the line, and the line may hold a secret.
        let line = Lines::of(text).number(error.span().map_or(0, |span| span.start));
        Error::malformed(path, line, format!("not TOML: {}", error.message().lines().next().unwrap_or_default()))
    })?;
    let mut walk = Walk { text, lines: Lines::of(text), name, keys, entries: Vec::new(), faults };
    walk.table(document.as_table(), "");
    Ok(walk.entries)
}

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The number of the line that the byte `at` is in, counted from 1.
    fn number(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}

struct Walk<'w> {
    text: &'w str,
    lines: Lines,
    name: &'w str,
    keys: &'w Keys,
    entries: Vec<Entry>,
    faults: &'w mut Vec<Fault>,
}

impl Walk<'_> {
    fn table(&mut self, table: &dyn TableLike, above: &str) {
        for (name, item) in table.iter() {
            let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
            let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            let place = format!("{}:{}", self.name, self.lines.number(span.map_or(0, |span| span.start)));
            // What stands at a key is that key's value, of whatever shape: its own reading says what is wrong.
            if let Some(key) = self.keys.by_path(&path) {
                self.entries.push(Entry { key, found: self.found(item), place });
                continue;
            }
            match item.as_table_like() {
                Some(table) if !table.is_empty() => self.table(table, &path),
                // An empty section says nothing.
                Some(_) if self.keys.is_section(&path) => {}
                _ => self.faults.push(Fault {
                    rule: "must be a known key".to_owned(),
                    found: "an unknown one".to_owned(),
                    source: place,
                    hint: format!("did you mean {}?", self.keys.nearest_path(&path)),
                    key: path,
                }),
            }
        }
    }

    /// Numbers as they are written: `100.00` stays `100.00`.
    fn found(&self, item: &Item) -> Found {
        let text = match item.as_value() {
            Some(toml_edit::Value::String(text)) => text.value().clone(),
            Some(toml_edit::Value::Integer(number)) => number.value().to_string(),
            Some(toml_edit::Value::Boolean(yes)) => yes.value().to_string(),
            Some(toml_edit::Value::Float(number)) => {
                let span = number.span().and_then(|span| self.text.get(span));
                span.map_or_else(|| number.value().to_string(), |written| written.replace('_', ""))
            }
            Some(toml_edit::Value::Datetime(time)) => time.value().to_string(),
            Some(toml_edit::Value::Array(_)) => return Found::List,
            Some(toml_edit::Value::InlineTable(_)) => return Found::Table,
            None if item.is_array_of_tables() => return Found::List,
            None => return Found::Table,
        };
        Found::Text(text.into())
    }
}

/// Why a file that a `NAME_FILE` names was not read: the rule, and what was found.
pub(crate) struct Refused {
    pub(crate) rule: &'static str,
    pub(crate) found: String,
}

/// The content of a file that holds one value, without its one trailing line end.
pub(crate) fn secret(path: &Path) -> Result<SecretString, Refused> {
    let refused = |rule, found: &str| Refused { rule, found: format!("{found} at {}", path.display()) };
    // Without the path: where there is no file, somebody may have written the secret itself.
    let failed = |error: &io::Error| Refused { rule: "must name a file that can be read", found: error.to_string() };
    // Before the opening, which would block on a pipe.
    if !fs::metadata(path).map_err(|error| failed(&error))?.is_file() {
        return Err(refused("must name a regular file", "something else"));
    }
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    // Of the opened file, which nobody can exchange any more.
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(|error| failed(&error))?.permissions()) & 0o004
        != 0
    {
        return Err(refused("must name a file that others cannot read", "a file that everybody can read"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(refused("must name a file of at most 64 kB", "a larger one"));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(refused("must name a file of UTF-8 text", "other bytes"));
    };
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.trim().is_empty() {
        return Err(refused("must name a file that holds a value", "an empty file"));
    }
    Ok(text.into())
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
