//! `serve`: the whole, until it is told to stop.

use trading_app::{App, Signals};
use trading_config::Console;

use crate::{
    cli::SettingSources,
    failure::Failure,
    output::{complain, print},
};

pub(crate) fn serve(sources: &SettingSources) -> Result<(), Failure> {
    let settings = sources.load()?;
    let signals = Signals::catch()?;
    let app = App::start(settings)?;
    // There, standard output is for the JSON lines alone.
    if app.settings().logging.console != Console::Json {
        print(&app.to_string());
    }
    let stopped = app.run_until(signals)?;
    if !stopped.tasks_left.is_empty() {
        complain(&format!("these tasks did not end in time: {}", stopped.tasks_left.join(", ")));
    }
    if !stopped.logs_complete {
        complain("some log lines did not reach their files");
    }
    Ok(())
}
