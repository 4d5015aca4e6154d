#![doc = include_str!("../README.md")]

mod loader;
mod settings;
#[macro_use]
mod section;
mod agents;
mod dotenv;
mod error;
mod reader;
mod schema;
mod sources;
mod value;

pub use crate::{
    agents::{Agent, AgentKind, Agents},
    error::{Error, Fault},
    loader::Loader,
    section::{
        Alpaca, Api, Backup, Console, Dashboard, Database, Environment, Key, Level, Logging, Monitoring, Notifications,
        Quiver, Scheduling, SizeType, Trading,
    },
    settings::Settings,
    value::ProjectPath,
};
pub use secrecy::{ExposeSecret, SecretString};
