//! Variables: those of `.env`, those of the process, and the files that they name.

use std::{ffi::OsString, path::Path, rc::Rc};

use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use crate::{
    Error, Fault,
    dotenv::{self, Malformed},
    section::{FILE, Keys},
    sources::{self, Entry, Refused},
};

/// A variable, and the place it was found.
pub(super) struct Variable {
    name: String,
    text: SecretString,
    /// The file and the line, or none for a variable of the process.
    line: Option<(Rc<str>, usize)>,
}

impl Variable {
    /// Most are of other programs, and never need it.
    fn place(&self) -> String {
        match &self.line {
            Some((file, line)) => format!("{file}:{line} {}", self.name),
            None => format!("variable {}", self.name),
        }
    }

    /// Compose files pass `NAME=` for what is not set, and the earlier system's `.env` has `SMTP_SERVER=`.
    fn is_empty(&self) -> bool {
        self.text.expose_secret().trim().is_empty()
    }
}

/// The variables of the nearest `.env`. A line that is none is a fault, and the others are read.
pub(super) fn from_dotenv(folder: &Path, root: &Path, faults: &mut Vec<Fault>) -> Result<Vec<Variable>, Error> {
    let path = sources::dotenv(folder, root);
    let Some(text) = sources::read(&path)?.map(Zeroizing::new) else { return Ok(Vec::new()) };
    let shown: Rc<str> = path.strip_prefix(root).unwrap_or(&path).display().to_string().into();
    let variable = |line: dotenv::Line| Variable {
        name: line.name,
        text: line.value.into(),
        line: Some((Rc::clone(&shown), line.number)),
    };
    let (lines, malformed) = dotenv::parse(&text);
    faults.extend(malformed.into_iter().map(|Malformed { number, reason }| Fault {
        key: shown.to_string(),
        rule: format!("must {}", reason.rule),
        found: reason.found.to_owned(),
        source: format!("{shown}:{number}"),
        hint: reason.hint.to_owned(),
    }));
    Ok(lines.into_iter().map(variable).collect())
}

/// The variables of the process.
pub(super) fn from_environment(
    variables: Vec<(OsString, OsString)>,
    keys: &Keys,
    faults: &mut Vec<Fault>,
) -> Vec<Variable> {
    let mut found = Vec::with_capacity(variables.len());
    for (name, value) in variables {
        // A name that is not Unicode is none of ours.
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(text) => found.push(Variable { name, text: text.into(), line: None }),
            Err(_) => {
                let key = keys.by_variable(&name).or_else(|| keys.by_file_variable(&name));
                faults.extend(key.map(|key| Fault {
                    key: key.path(),
                    rule: "must be Unicode text".to_owned(),
                    found: "bytes that are not UTF-8".to_owned(),
                    source: format!("variable {name}"),
                    hint: "write the value in UTF-8".to_owned(),
                }));
            }
        }
    }
    found
}

/// What the variables say of our keys.
pub(super) fn entries(variables: Vec<Variable>, keys: &Keys) -> Vec<Entry> {
    let entry = |variable: Variable| {
        let key = keys.by_variable(&variable.name).filter(|_| !variable.is_empty())?;
        let place = variable.place();
        Some(Entry::text(key, variable.text, place))
    };
    variables.into_iter().filter_map(entry).collect()
}

/// What the files say that `NAME_FILE` names; the later of two counts. `NAME` beside it is a fault.
pub(super) fn from_files(layers: [&Vec<Variable>; 2], root: &Path, keys: &Keys, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let said = || layers.into_iter().flatten().filter(|variable| !variable.is_empty());
    let mut entries = Vec::new();
    for variable in said() {
        let Some(key) = keys.by_file_variable(&variable.name) else { continue };
        let (Variable { name, text, .. }, place) = (variable, variable.place());
        let direct = name.strip_suffix(FILE).unwrap_or(name);
        if let Some(other) = said().find(|variable| variable.name == direct) {
            faults.push(Fault {
                key: key.path(),
                rule: format!("must be set by {direct} or {name}, not by both"),
                found: "both".to_owned(),
                source: format!("{} and {place}", other.place()),
                hint: "remove one of them".to_owned(),
            });
            continue;
        }
        let path = root.join(text.expose_secret().trim());
        match sources::secret(&path) {
            Ok(text) => entries.push(Entry::text(key, text, format!("{place} ({})", path.display()))),
            Err(Refused { rule, found }) => faults.push(Fault {
                key: key.path(),
                rule: rule.to_owned(),
                found,
                source: place,
                hint: format!(
                    "mount it as a file of mode 0400 for this user (a relative path starts at the project root), or set \
                     {direct} instead"
                ),
            }),
        }
    }
    entries
}

/// Faults for variables that nobody reads and that somebody surely meant for us.
pub(super) fn refuse_lookalikes<'v>(
    variables: impl Iterator<Item = &'v Variable>,
    keys: &Keys,
    faults: &mut Vec<Fault>,
) {
    for variable in variables {
        let name = &variable.name;
        if keys.by_variable(name).or_else(|| keys.by_file_variable(name)).is_some() {
            continue;
        }
        // One slip of the finger, two in a long name. Two in a short one would take SMTP_HOST, which other programs read, for
        // SMTP_PORT.
        const LONG: usize = 12;
        let slips_max = if name.len() < LONG { 1 } else { 2 };
        let distance_max = if keys.is_in_a_section(name) { name.len() } else { slips_max };
        if let Some(nearest) = keys.nearest_variable(name, distance_max) {
            faults.push(Fault {
                key: name.clone(),
                rule: "must be a known variable".to_owned(),
                found: "an unknown one".to_owned(),
                source: variable.place(),
                hint: format!("did you mean {nearest}?"),
            });
        }
    }
}
