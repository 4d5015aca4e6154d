//! A program of another group: the settings of the system, a section of its own, and what they say of themselves.
//!
//! `cargo run -p trading-config --example own_section` in the checkout; try `SIGNALS__INTERVAL=2h` before it, or
//! `SIGNALS__INTERVLA=1m`, or an argument such as `signals.interval=10s`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::{process::ExitCode, time::Duration};

use trading_config::{SecretString, Settings};

trading_config::section! {
    /// Where signals come from.
    pub struct Signals in "signals" {
        /// How often they are asked for.
        interval: Duration = "5m", from "1s" to "1h";
        /// How long one request may take.
        timeout: Duration = "30s", above "0s" to "5m";
        /// The password of the service.
        token: Option<SecretString> = "", variable "SIGNALS_TOKEN";
    }
    rules {
        [timeout, interval]: |signals| signals.timeout < signals.interval,
            "one request must end before the next one begins", "lower SIGNALS__TIMEOUT";
    }
}

fn main() -> ExitCode {
    let mut loader = Settings::loader().section::<Signals>();
    #[expect(clippy::disallowed_methods, reason = "an example is a binary, and too small for clap")]
    for argument in std::env::args().skip(1) {
        let (key, value) = argument.split_once('=').unwrap_or((&argument, ""));
        loader = loader.set(key, value);
    }
    let settings = match loader.load() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    for warning in settings.warnings() {
        eprintln!("warning: {warning}");
    }
    let signals = settings.section::<Signals>().expect("the loader took it");
    println!("asks for signals every {:?}, each time for {:?} at the most\n", signals.interval, signals.timeout);
    for name in ["signals.interval", "DATABASE_PATH"] {
        println!("{}\n", settings.explain(name).expect("is a setting"));
    }
    println!("All that holds, for `config/{}.toml`:\n{}", settings.environment, settings.effective());
    ExitCode::SUCCESS
}
