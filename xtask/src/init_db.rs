//! `cargo xtask init-db`: what `trading init-db` does.

use trading_app::{Error, SampleData, config::Settings, init_db};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The SQLite file [default: the setting database.path]
    #[arg(long, value_name = "FILE")]
    path: Option<String>,
    /// Fill a record without trades with made-up ones
    #[arg(long)]
    sample_data: bool,
    /// How many made-up trades, of all agents together [default: 80 an agent]
    #[arg(long, value_name = "N", requires = "sample_data")]
    trades: Option<u64>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<String> {
    let mut loader = Settings::loader();
    if let Some(path) = args.path {
        loader = loader.set_path("database.path", path);
    }
    let settings = loader.load().map_err(Error::from)?;
    let sample_data = match args.trades {
        Some(trades) => SampleData::Trades(trades),
        None if args.sample_data => SampleData::Some,
        None => SampleData::None,
    };
    let report = init_db(&settings, sample_data, |_, _| {})?;
    Ok(report.to_string())
}
