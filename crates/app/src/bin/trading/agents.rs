//! `agents`: who is followed, and how they stand in the record.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trading_app::{Error, counted, storage_options};
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

/// How an agent is marked that the record knows, and the file does not: it is not to run.
const NOT_IN_THE_FILE: &str = "no, not in the file";

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
            let line = Error::of_record(error, settings).line();
            complain(&line.replacen("error:", "warning: the record cannot be read:", 1));
            BTreeMap::new()
        }
    }
}

fn list(settings: &Settings, output: Output) -> Result<(), Failure> {
    let standings = standings(settings);
    let agents = settings.agents().list();
    let rows = agents.iter().map(|agent| {
        let standing = standings.get(&agent.id);
        let [positions, value, last_trade] = standing.map_or_else(|| ["-"; 3].map(str::to_owned), held);
        [
            agent.id.clone(),
            agent.kind.to_string(),
            if agent.enabled { "yes" } else { "no" }.to_owned(),
            positions,
            value,
            last_trade,
            agent.name.clone(),
        ]
    });
    let forgotten = || standings.values().filter(|summary| settings.agent(summary.agent.id.as_str()).is_none());
    let rows = rows.chain(forgotten().map(|summary| {
        let trading_storage::Agent { id, name, kind, .. } = &summary.agent;
        let [positions, value, last_trade] = held(summary);
        [id.to_string(), kind.clone(), NOT_IN_THE_FILE.to_owned(), positions, value, last_trade, name.clone()]
    }));
    let head = ["ID", "TYPE", "ENABLED", ">POSITIONS", ">VALUE", "LAST TRADE", "NAME"];
    output.say(&table(head, rows), || {
        let in_file = agents.iter().map(|agent| described(agent, standings.get(&agent.id)));
        in_file.chain(forgotten().map(described_by_record)).collect()
    })
}

/// How many positions it has, what they are worth, and the day of its last trade.
fn held(summary: &Summary) -> [String; 3] {
    let last_trade = summary.last_trade_date.map_or_else(|| "-".to_owned(), |date| date.to_string());
    [summary.positions.to_string(), cents(summary.market_value), last_trade]
}

fn described(agent: &Agent, standing: Option<&Summary>) -> Value {
    json!({
        "id": agent.id,
        "name": agent.name,
        "type": agent.kind.to_string(),
        "description": agent.description,
        "politicians": agent.politicians,
        "enabled": agent.enabled,
        "in_file": true,
        "parameters": agent.parameters,
        "record": standing.map(recorded),
    })
}

/// One that the file has no more, or never had.
fn described_by_record(summary: &Summary) -> Value {
    let trading_storage::Agent { id, name, kind, enabled } = &summary.agent;
    let record = recorded(summary);
    json!({ "id": id.as_str(), "name": name, "type": kind, "enabled": enabled, "in_file": false, "record": record })
}

fn recorded(summary: &Summary) -> Value {
    json!({
        "positions": summary.positions,
        "market_value": summary.market_value.to_string(),
        "unrealized_profit": summary.unrealized_profit.to_string(),
        "last_trade_date": summary.last_trade_date.map(|date| date.to_string()),
    })
}

fn show(settings: &Settings, id: &str, output: Output) -> Result<(), Failure> {
    let standings = standings(settings);
    let standing = standings.get(id);
    let (mut lines, described) = match (settings.agent(id), standing) {
        (Some(agent), _) => (by_file(agent), described(agent, standing)),
        (None, Some(summary)) => (by_record(&summary.agent), described_by_record(summary)),
        (None, None) => {
            let ids: Vec<_> = settings.agents().list().iter().map(|agent| agent.id.as_str()).collect();
            let what = format!("there is no agent {id} in {}, or in the record", settings.agents().source());
            return Err(Failure::Usage { what, way_out: format!("name one of {}", ids.join(", ")) });
        }
    };
    match standing {
        None => lines.push(("record", "nothing is recorded".to_owned())),
        Some(summary) => {
            let [positions, value, last_trade] = held(summary);
            let profit = cents(summary.unrealized_profit);
            lines.extend([("positions", positions), ("market value", value)]);
            lines.extend([("unrealised profit", profit), ("last trade", last_trade)]);
        }
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    let said = lines.iter().filter(|(_, value)| !value.is_empty());
    let text: String = said.map(|(name, value)| format!("{name:width$}{value}\n")).collect();
    output.say(&text, || described)
}

fn by_file(agent: &Agent) -> Vec<(&str, String)> {
    let mut lines = vec![
        ("id", agent.id.clone()),
        ("name", agent.name.clone()),
        ("type", agent.kind.to_string()),
        ("enabled", if agent.enabled { "yes" } else { "no" }.to_owned()),
        ("description", agent.description.clone()),
        ("follows", agent.politicians.join(", ")),
    ];
    lines.extend(agent.parameters.iter().map(|(name, value)| (name.as_str(), value.to_string())));
    lines
}

fn by_record(agent: &trading_storage::Agent) -> Vec<(&str, String)> {
    let trading_storage::Agent { id, name, kind, .. } = agent;
    vec![
        ("id", id.to_string()),
        ("name", name.clone()),
        ("type", kind.clone()),
        ("enabled", NOT_IN_THE_FILE.to_owned()),
    ]
}

fn validate(sources: &SettingSources, file: Option<String>, output: Output) -> Result<(), Failure> {
    let settings = sources.load_with(file.map(|file| ("trading.agents_path", file)))?;
    let (agents, enabled) = (settings.agents().list().len(), settings.enabled_agents().count());
    // Where there is no file, the built-in ones.
    let source = settings.agents().source();
    let text = format!("{source} is good: {}, {enabled} enabled", counted(agents as u64, "agent"));
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
