//! `agents`: who is followed, and how they stand in the record.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trading_app::storage_options;
use trading_config::{Agent, Settings};
use trading_storage::{ReadOnlyDatabase, Summary, rust_decimal::Decimal};

use crate::{
    cli::{Agents, SettingSources},
    failure::Failure,
    output::{Output, complain, table},
};

pub(crate) fn run(sources: &SettingSources, command: Agents, output: Output) -> Result<(), Failure> {
    match command {
        Agents::List => list(&sources.load()?, output),
        Agents::Show { id } => show(&sources.load()?, &id, output),
        Agents::Validate { file } => validate(sources, file, output),
    }
}

/// How each agent stands, if there is a record; it may be in use.
fn standings(settings: &Settings) -> BTreeMap<String, Summary> {
    let summaries = match ReadOnlyDatabase::open(&storage_options(settings)) {
        Err(trading_storage::Error::Missing { .. }) => return BTreeMap::new(),
        Err(error) => Err(error),
        Ok(database) => database.read(|r| r.summaries()),
    };
    match summaries {
        Ok(summaries) => summaries.into_iter().map(|summary| (summary.agent.id.as_str().to_owned(), summary)).collect(),
        Err(error) => {
            complain(&format!("warning: the record cannot be read: {error}"));
            BTreeMap::new()
        }
    }
}

fn list(settings: &Settings, output: Output) -> Result<(), Failure> {
    let standings = standings(settings);
    let agents = settings.agents().list();
    let rows = agents.iter().map(|agent| {
        let standing = standings.get(&agent.id);
        let of = |text: &dyn Fn(&Summary) -> String| standing.map_or_else(|| "-".to_owned(), text);
        [
            agent.id.clone(),
            agent.kind.to_string(),
            if agent.enabled { "yes" } else { "no" }.to_owned(),
            of(&|summary| summary.positions.to_string()),
            of(&|summary| cents(summary.market_value)),
            of(&|summary| summary.last_trade_date.map_or_else(|| "-".to_owned(), |date| date.to_string())),
            agent.name.clone(),
        ]
    });
    let head = ["ID", "TYPE", "ENABLED", ">POSITIONS", ">VALUE", "LAST TRADE", "NAME"];
    output.say(&table(head, rows), || agents.iter().map(|agent| described(agent, standings.get(&agent.id))).collect())
}

fn described(agent: &Agent, standing: Option<&Summary>) -> Value {
    json!({
        "id": agent.id,
        "name": agent.name,
        "type": agent.kind.to_string(),
        "description": agent.description,
        "politicians": agent.politicians,
        "enabled": agent.enabled,
        "parameters": agent.parameters,
        "record": standing.map(|summary| json!({
            "positions": summary.positions,
            "market_value": summary.market_value.to_string(),
            "unrealized_profit": summary.unrealized_profit.to_string(),
            "last_trade_date": summary.last_trade_date.map(|date| date.to_string()),
        })),
    })
}

fn show(settings: &Settings, id: &str, output: Output) -> Result<(), Failure> {
    let Some(agent) = settings.agent(id) else {
        let ids: Vec<_> = settings.agents().list().iter().map(|agent| agent.id.as_str()).collect();
        let what = format!("there is no agent {id} in {}", settings.agents().source());
        return Err(Failure::Usage { what, way_out: format!("name one of {}", ids.join(", ")) });
    };
    let standings = standings(settings);
    let standing = standings.get(id);
    let mut lines = vec![
        ("id", agent.id.clone()),
        ("name", agent.name.clone()),
        ("type", agent.kind.to_string()),
        ("enabled", if agent.enabled { "yes" } else { "no" }.to_owned()),
        ("description", agent.description.clone()),
        ("follows", agent.politicians.join(", ")),
    ];
    lines.extend(agent.parameters.iter().map(|(name, value)| (name.as_str(), value.to_string())));
    match standing {
        None => lines.push(("record", "nothing is recorded".to_owned())),
        Some(summary) => lines.extend([
            ("positions", summary.positions.to_string()),
            ("market value", cents(summary.market_value)),
            ("unrealised profit", cents(summary.unrealized_profit)),
            ("last trade", summary.last_trade_date.map_or_else(|| "-".to_owned(), |date| date.to_string())),
        ]),
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    let said = lines.iter().filter(|(_, value)| !value.is_empty());
    let text: String = said.map(|(name, value)| format!("{name:width$}{value}\n")).collect();
    output.say(&text, || described(agent, standing))
}

fn validate(sources: &SettingSources, file: Option<String>, output: Output) -> Result<(), Failure> {
    let settings = sources.load_with(file.map(|file| ("trading.agents_path", file)))?;
    let (agents, enabled) = (settings.agents().list().len(), settings.enabled_agents().count());
    // Where there is no file, the built-in ones.
    let source = settings.agents().source();
    let text = format!("{source} is good: {agents} agents, {enabled} enabled");
    output.say(&text, || json!({ "source": source, "agents": agents, "enabled": enabled }))
}

/// Rounded half to even; a width alone would cut it off.
fn cents(amount: Decimal) -> String {
    format!("{:.2}", amount.round_dp(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_and_not_cut() {
        for (amount, expected) in [("92287.3075", "92287.31"), ("-0.009", "-0.01"), ("0.125", "0.12"), ("7", "7.00")] {
            assert_eq!(cents(amount.parse().expect("a number")), expected);
        }
    }
}
