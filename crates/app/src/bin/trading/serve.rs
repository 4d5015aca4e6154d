//! `serve`: the whole, until it is told to stop.

use serde_json::{Value, json};
use trading_app::{App, Signals, version};
use trading_config::Console;

use crate::{
    cli::SettingSources,
    failure::Failure,
    output::{Output, complain},
};

pub(crate) fn serve(sources: &SettingSources, output: Output) -> Result<(), Failure> {
    let settings = sources.load()?;
    let signals = Signals::catch()?;
    let app = App::start(settings)?;
    // There, standard output is for the JSON lines alone.
    if app.settings().logging.console != Console::Json {
        // A banner that cannot be said is no reason to stop trading.
        let _said = output.say(&app, || described(&app));
    }
    app.run_until(signals)?.cut_off().iter().for_each(|sentence| complain(sentence));
    Ok(())
}

/// What the banner says.
fn described(app: &App) -> Value {
    let (settings, record) = (app.settings(), app.record());
    json!({
        "version": version::VERSION,
        "environment": settings.environment.as_str(),
        "pid": std::process::id(),
        "address": app.address().to_string(),
        "paper": settings.api.alpaca.paper,
        "broker": settings.api.alpaca.base_url.to_string(),
        "agents": settings.agents().list().len(),
        "agents_enabled": settings.enabled_agents().count(),
        "database": settings.database.full_path(),
        "trades": record.trades,
        "unresolved": record.unresolved,
        "recovered_bytes": record.recovered_bytes,
        "logs": settings.logging.path.full(),
    })
}
