//! `check-config` and `explain`.

use serde_json::json;

use crate::{
    cli::SettingSources,
    failure::Failure,
    output::{Output, complain},
};

pub(crate) fn check(sources: &SettingSources, output: Output) -> Result<(), Failure> {
    let settings = sources.load()?;
    trading_app::check_settings(&settings, Vec::new())?;
    let warnings = settings.warnings();
    if !output.json {
        warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
    }
    let (agents, enabled) = (settings.agents().list().len(), settings.enabled_agents().count());
    let paper = settings.api.alpaca.paper;
    let money = if paper { "paper money" } else { "REAL MONEY" };
    let environment = settings.environment;
    output.say(
        &format!("the settings are good: {environment}, {money}, {enabled} of {agents} agents enabled"),
        || {
            let (environment, warnings) = (environment.as_str(), warnings.iter().map(ToString::to_string));
            let warnings: Vec<String> = warnings.collect();
            json!({ "environment": environment, "paper": paper, "agents": agents, "agents_enabled": enabled, "warnings": warnings })
        },
    )
}

pub(crate) fn explain(sources: &SettingSources, key: Option<&str>, output: Output) -> Result<(), Failure> {
    let settings = sources.load_without_agents()?;
    let all = settings.effective();
    if let Some(effective) = key.map_or(Some(all), |key| all.section(key)) {
        return output.say(&effective.to_toml().trim_start(), || effective.to_json());
    }
    let key = key.unwrap_or_default();
    let explanation = settings.explain(key)?;
    output.say(&explanation, || {
        let key = explanation.key;
        let shadowed = explanation.shadowed.iter().map(|(source, value)| json!({ "source": source, "value": value }));
        json!({
            "key": key.path(),
            "variable": key.variable(),
            "value": explanation.value,
            "source": explanation.source,
            "shadowed": shadowed.collect::<Vec<_>>(),
            "default": key.default,
            "secret": key.secret,
            "meaning": key.meaning,
        })
    })
}
