//! `.env.example` against the settings of the code.

use std::{fs, path::Path};

use anyhow::Context as _;
use trading_app::config::Settings;

/// What `.env.example` has, two lines a setting: its meaning and key, and its variable with the default, switched off.
pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    const NAME: &str = ".env.example";
    let mut faults = Vec::new();
    let text = fs::read_to_string(root.join(NAME)).with_context(|| format!("cannot read {NAME}"))?;
    let lines: Vec<&str> = text.lines().collect();
    let keys: Vec<_> = Settings::keys().map(|key| (key.variable(), key)).collect();
    for (variable, key) in &keys {
        let wanted = format!("#{variable}={}", key.default);
        match lines.iter().position(|line| *line == wanted) {
            None => faults.push(format!("{NAME}: there is no line {wanted}")),
            Some(at) => {
                let above = at.checked_sub(1).and_then(|at| lines.get(at)).copied().unwrap_or_default();
                let wanted = format!("# {} [{}]", key.meaning, key.path());
                if above != wanted {
                    faults.push(format!("{NAME}:{at}: must be {wanted}"));
                }
            }
        }
    }
    for (number, line) in lines.iter().enumerate() {
        let said = line.strip_prefix('#').unwrap_or(line);
        let Some((name, _)) = said.split_once('=').filter(|_| !said.starts_with(' ')) else { continue };
        if name != "ENVIRONMENT" && !keys.iter().any(|(variable, _)| variable == name) {
            faults.push(format!("{NAME}:{}: there is no setting {name}", number + 1));
        }
    }
    Ok(faults)
}
