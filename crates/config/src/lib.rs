#![doc = include_str!("../README.md")]

mod loader;
mod settings;
#[macro_use]
mod section;
mod agents;
mod dotenv;
mod error;
mod explain;
mod reader;
mod schema;
mod sources;
mod value;

#[doc(hidden)]
pub use crate::reader::Reader;
pub use crate::{
    agents::{Agent, AgentKind, Agents, AgentsWatch, Subscription, WatchEvent, WatchOptions, WatchState},
    error::{Error, Fault},
    explain::{Effective, Explanation},
    loader::Loader,
    section::{
        Alpaca, Api, Authorization, Backup, Bounds, Console, Dashboard, Database, Environment, Key, Level, Levels,
        Limit, Logging, Monitoring, Notifications, Quiver, Scheduling, Section, SizeType, Trading,
    },
    settings::{Sections, Settings},
    value::{Bytes, Kind, ProjectPath, Value},
};
pub use secrecy::{ExposeSecret, SecretString};
