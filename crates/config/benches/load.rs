//! How long a load takes, beside a bare figment extract of the same sources, in one run: `cargo bench -p trading-config`.
//!
//! Both read the same TOML file, `.env`, environment, secret file, override and agents file; the extract checks no more than
//! types, knows no lines, and explains nothing. They take turns, so that both meet the same machine; the median counts.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    hint::black_box,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Json, Toml},
    value::{Dict, Map, Value},
};
use serde::Deserialize;
use tempfile::TempDir;
use trading_config::{Key, Settings};

const ROUNDS: usize = 3_000;
/// Variables of other programs, as a process has them.
const STRANGERS: usize = 40;

/// A value of any shape: what a bare extract gives before anybody checks it.
type Tree = BTreeMap<String, BTreeMap<String, serde_json::Value>>;

#[derive(Deserialize)]
struct Agents {
    agents: Vec<BTreeMap<String, serde_json::Value>>,
}

/// The variables of one source, as a provider.
struct Variables<'v>(&'static str, Vec<(&'v Key, String)>);

impl Provider for Variables<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (key, text) in &self.1 {
            let mut values = &mut root;
            for section in key.section.split('.') {
                let inner = values.entry(section.to_owned()).or_insert_with(|| Dict::new().into());
                let Value::Dict(_, inner) = inner else { unreachable!("only sections are above keys") };
                values = inner;
            }
            values.insert(key.name.to_owned(), Value::from(text.as_str()));
        }
        Ok(Profile::Default.collect(root))
    }
}

fn bare(root: &Path, keys: &BTreeMap<String, &Key>, environment: &[(String, String)]) -> (Tree, Agents) {
    let dotenv = fs::read_to_string(root.join(".env")).expect("is read");
    let of = |name: &str, text: &str| keys.get(name).map(|key| (*key, text.to_owned()));
    let dotenv = dotenv.lines().filter_map(|line| line.split_once('=')).filter_map(|(name, text)| of(name, text));
    let secret = fs::read_to_string(root.join("secret")).expect("is read");
    let tree = Figment::from(Variables("defaults", keys.values().map(|key| (*key, key.default.to_owned())).collect()))
        .merge(Toml::file_exact(root.join("config/development.toml")))
        .merge(Variables(".env", dotenv.collect()))
        .merge(Variables("environment", environment.iter().filter_map(|(name, text)| of(name, text)).collect()))
        .merge(Variables("file", of("ALPACA_SECRET_KEY", secret.trim_end()).into_iter().collect()))
        .merge(Variables("override", of("MONITORING__PORT", "0").into_iter().collect()));
    let agents = Figment::from(Json::file_exact(root.join("config/agents.json")));
    (tree.extract().expect("extracts"), agents.extract().expect("extracts"))
}

fn project() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::create_dir(folder.path().join("config")).expect("is made");
    fs::copy(checkout.join("config/agents.json"), folder.path().join("config/agents.json")).expect("is copied");
    let (mut toml, mut dotenv) = (String::new(), String::new());
    let mut section = "";
    for key in Settings::keys().filter(|key| !key.default.is_empty()) {
        if key.section != section {
            section = key.section;
            writeln!(toml, "\n[{section}]").expect("a String takes all");
        }
        writeln!(toml, "{} = {:?}", key.name, key.default).expect("a String takes all");
        writeln!(dotenv, "{}={}", key.variable(), key.default).expect("a String takes all");
    }
    fs::write(folder.path().join("config/development.toml"), toml).expect("is written");
    fs::write(folder.path().join(".env"), dotenv).expect("is written");
    fs::write(folder.path().join("secret"), "0123456789\n").expect("is written");
    fs::set_permissions(folder.path().join("secret"), fs::Permissions::from_mode(0o400)).expect("is permitted");
    folder
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    *times.get(times.len() / 2).expect("there are rounds")
}

fn main() {
    let folder = project();
    let keys: BTreeMap<_, _> = Settings::keys().map(|key| (key.variable().into_owned(), key)).collect();
    let ours = Settings::keys().filter(|key| !key.default.is_empty()).take(20);
    let environment: Vec<_> = ours
        .map(|key| (key.variable().into_owned(), key.default.to_owned()))
        .chain((0..STRANGERS).map(|number| (format!("SOMEBODY_ELSES_NAME_{number}"), "x".repeat(40))))
        .collect();
    let with_file: Vec<_> =
        environment.iter().cloned().chain([("ALPACA_SECRET_KEY_FILE".to_owned(), "secret".to_owned())]).collect();

    let (mut loads, mut extracts) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        let loader = Settings::loader().root(folder.path()).environment(with_file.iter().cloned());
        let loader = loader.set("monitoring.port", "0");
        let start = Instant::now();
        let settings = loader.load().expect("loads");
        loads.push(start.elapsed());
        assert_eq!((settings.agents().list().len(), settings.monitoring.port), (5, 0));
        black_box(settings);

        let start = Instant::now();
        let (tree, agents) = bare(folder.path(), &keys, &environment);
        extracts.push(start.elapsed());
        assert_eq!((agents.agents.len(), tree.len()), (5, 9));
        black_box((tree, agents));
    }
    let (load, extract) = (median(loads), median(extracts));
    println!("load                 {load:>10.1?}");
    println!("bare figment extract {extract:>10.1?}");
    println!("ratio                {:>10.2}", load.as_secs_f64() / extract.as_secs_f64());
}
