//! The panels of the app on the page of the health server: how the agents stand, what backups there are, what this program is, and what
//! it was told.

use std::{error::Error, sync::Arc};

use chrono::{DateTime, NaiveTime, SecondsFormat, Utc};
use trading_config::Settings;
use trading_monitoring::{Pages, Part};
use trading_storage::{
    Backup, Database, Performance, Summary,
    rust_decimal::{Decimal, prelude::ToPrimitive as _},
};

use crate::{Handles, version};

type Parts = Result<Vec<Part>, Box<dyn Error + Send + Sync>>;

/// How many recorded days the chart has: about half a year of trading.
const CHART_DAYS: u32 = 130;

pub(crate) fn pages(handles: &Handles) -> Pages {
    let database = || handles.database.clone();
    let settings = || Arc::clone(&handles.settings);
    let (of_agents, of_chart, of_positions, of_versions) = (database(), database(), database(), database());
    let (of_backups, of_configuration) = (settings(), settings());
    Pages::new("/overview")
        .panel("Agents", move || agents(&of_agents))
        .panel("Performance", move || performance(&of_chart))
        .panel("Positions", move || positions(&of_positions))
        .panel("Backups", move || backups(&of_backups, Utc::now()))
        .panel("Program", move || program(&of_versions))
        .panel("Configuration", move || Ok(vec![configuration(&of_configuration)]))
}

fn agents(database: &Database) -> Parts {
    let summaries = database.read(|r| r.summaries())?;
    let dash = || "–".to_owned();
    let rows = summaries.iter().map(|summary| {
        let Summary { agent, positions, market_value, unrealized_profit, performance, last_trade_date, .. } = summary;
        let of = |text: fn(&Performance) -> String| performance.as_ref().map_or_else(dash, text);
        [
            agent.id.as_str().to_owned(),
            agent.name.clone(),
            if agent.enabled { "yes" } else { "no" }.to_owned(),
            positions.to_string(),
            dollars(*market_value),
            dollars(*unrealized_profit),
            of(|day| day.date.to_string()),
            of(|day| percent(day.daily_return_percent)),
            of(|day| percent(day.total_return_percent)),
            last_trade_date.map_or_else(dash, |date| date.to_string()),
        ]
    });
    let columns =
        ["agent", "name", "enabled", "positions", "value", "profit", "last day", "that day", "in all", "last trade"];
    Ok(vec![Part::table(columns, rows)])
}

/// What each agent that is to run earned since its start.
fn performance(database: &Database) -> Parts {
    let lines = database.read(|r| {
        let agents = r.agents()?.into_iter().filter(|agent| agent.enabled).take(Part::LINES_MAX);
        let line = |agent: trading_storage::Agent| {
            let days = r.performance(&agent.id, CHART_DAYS)?;
            let points = days.iter().rev().map(|day| {
                let at = day.date.and_time(NaiveTime::MIN).and_utc();
                (at, day.total_return_percent.to_f64().unwrap_or(f64::NAN))
            });
            Ok((agent.id.as_str().to_owned(), points.collect::<Vec<_>>()))
        };
        agents.map(line).collect::<Result<Vec<_>, trading_storage::Error>>()
    })?;
    if lines.iter().all(|(_, points)| points.is_empty()) {
        return Ok(vec![Part::text("No day is recorded yet.")]);
    }
    Ok(vec![Part::chart("%", lines)])
}

fn positions(database: &Database) -> Parts {
    let rows = database.read(|r| {
        let mut rows = Vec::new();
        for agent in r.agents()? {
            for position in r.positions(&agent.id)? {
                rows.push([
                    agent.id.as_str().to_owned(),
                    position.ticker.as_str().to_owned(),
                    position.quantity.normalize().to_string(),
                    dollars(position.average_cost),
                    dollars(position.current_price),
                    dollars(position.market_value),
                    dollars(position.unrealized_profit),
                ]);
            }
        }
        Ok(rows)
    })?;
    if rows.is_empty() {
        return Ok(vec![Part::text("Nobody holds anything.")]);
    }
    Ok(vec![Part::table(["agent", "ticker", "quantity", "cost", "price", "value", "profit"], rows)])
}

fn backups(settings: &Settings, now: DateTime<Utc>) -> Parts {
    let folder = settings.backup.path.full();
    let backups = Backup::list(&folder)?;
    if backups.is_empty() {
        return Ok(vec![Part::text(format!("There is none in {}.", settings.backup.path.as_written().display()))]);
    }
    let rows = backups.iter().map(|backup| {
        let trades = backup.manifest.as_ref().ok().and_then(|manifest| manifest.contents.rows.get("trades"));
        [
            backup.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            backup.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            format!("{} h", backup.age(now).as_secs() / 3600),
            format!("{:.1} MiB", mebibytes(backup.size_bytes)),
            trades.map_or_else(|| "–".to_owned(), u64::to_string),
            if backup.is_proven() { "yes" } else { "no" }.to_owned(),
        ]
    });
    Ok(vec![Part::table(["backup", "of", "age", "size", "trades", "proven"], rows)])
}

fn program(database: &Database) -> Parts {
    let schema = database.schema_version("core")?.unwrap_or_default().to_string();
    let mut facts: Vec<(&str, String)> = version::facts().into();
    facts.push(("schema", schema));
    facts.push(("record", database.instance_id().to_owned()));
    Ok(vec![Part::facts(facts)])
}

/// All settings, the secrets among them redacted.
fn configuration(settings: &Settings) -> Part {
    let rows = Settings::keys().filter_map(|key| {
        let explanation = settings.explain(&key.path()).ok()?;
        let value = explanation.value.clone().unwrap_or_else(|| "(not set)".to_owned());
        Some([key.path(), value, explanation.source.clone()])
    });
    Part::table(["key", "value", "from"], rows)
}

fn dollars(amount: Decimal) -> String {
    cents(amount)
}

fn percent(part: Decimal) -> String {
    format!("{} %", cents(part))
}

/// With two digits, rounded half to even as the record's amounts are: the format alone would cut the others off.
fn cents(value: Decimal) -> String {
    let rounded = value.round_dp(2);
    format!("{:.2}", if rounded.is_zero() { Decimal::ZERO } else { rounded })
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

#[cfg(test)]
mod tests {
    use super::{Decimal, dollars, percent};

    #[test]
    fn amounts_are_rounded_half_to_even_and_not_cut_off() {
        for (value, shown) in [
            ("7.926098", "7.93"),
            ("-7.926098", "-7.93"),
            ("0.125", "0.12"),
            ("0.135", "0.14"),
            ("0.1350001", "0.14"),
            ("999.995", "1000.00"),
            ("-0.004", "0.00"),
            ("3", "3.00"),
        ] {
            let value: Decimal = value.parse().expect("a number");
            assert_eq!((dollars(value), percent(value)), (shown.to_owned(), format!("{shown} %")), "{value}");
        }
    }
}
