//! The sections of the configuration, each declared once: field, key, default, rule and meaning in one place.

use std::borrow::Cow;

mod choice;
mod operations;
mod services;
mod trading;

pub use self::{
    choice::{Console, Environment, Level, SizeType},
    operations::{Backup, Dashboard, Database, Logging, Monitoring, Notifications},
    services::{Alpaca, Api, Quiver},
    trading::{Scheduling, Trading},
};

/// One key of the configuration, as [`Settings::keys`](crate::Settings::keys) lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The section, as in TOML: `database`, `api.alpaca`.
    pub section: &'static str,
    /// The name within the section: `path`.
    pub name: &'static str,
    /// The name that the earlier system gave the environment variable, if it had one.
    pub earlier_variable: Option<&'static str>,
    /// The text that holds where no source says otherwise; empty for "not set".
    pub default: &'static str,
    /// What the setting does, in a sentence or two.
    pub meaning: &'static str,
    /// If the value must never be shown.
    pub secret: bool,
}

impl Key {
    /// The whole key: `database.path`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that sets it: the earlier system's name, else `SECTION__NAME`.
    #[must_use]
    pub fn variable(&self) -> Cow<'static, str> {
        self.earlier_variable.map_or_else(|| self.path().replace('.', "__").to_ascii_uppercase().into(), Cow::Borrowed)
    }
}

/// Declares a section struct together with its keys and the reading of it.
///
/// A default is a text and goes through the same parser and check as every other source.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $Section:ident in $path:literal {
            $(
                $(#[doc = $meaning:literal])+
                $field:ident: $Type:ty = $default:literal
                $(, variable $variable:literal)?
                $(, check $check:expr, $rule:literal)?;
            )+
        }
        $(sections { $( $(#[doc = $sub_about:literal])+ $sub:ident: $Sub:ty; )+ })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $Section {
            $(
                $(#[doc = $meaning])+
                #[doc = concat!("\n\nKey `", $path, ".", stringify!($field), "`, default `", $default, "`.")]
                pub $field: $Type,
            )+
            $($( $(#[doc = $sub_about])+ pub $sub: $Sub, )+)?
        }

        impl $Section {
            pub(crate) const KEYS: &'static [$crate::Key] = &[$(
                $crate::Key {
                    section: $path,
                    name: stringify!($field),
                    earlier_variable: section!(@option $($variable)?),
                    default: $default,
                    meaning: concat!($($meaning),+).trim_ascii(),
                    secret: <$Type as $crate::value::Value>::SECRET,
                },
            )+];

            pub(crate) fn read(reader: &mut $crate::reader::Reader<'_>) -> Self {
                Self {
                    $($field: reader.read($path, stringify!($field), section!(@check $($check, $rule)?)),)+
                    $($($sub: <$Sub>::read(reader),)+)?
                }
            }
        }
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
    (@check) => { None };
    (@check $check:expr, $rule:literal) => { Some(($check, $rule)) };
}
use section;

/// Chooses the TOML file, and so is no key in one.
pub(crate) const ENVIRONMENT: &str = "ENVIRONMENT";

/// Every variable that is read.
pub(crate) fn variables() -> impl Iterator<Item = Cow<'static, str>> {
    std::iter::once(Cow::Borrowed(ENVIRONMENT)).chain(keys().map(Key::variable))
}

/// The keys of all sections.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    [
        Database::KEYS,
        Backup::KEYS,
        Api::KEYS,
        Quiver::KEYS,
        Alpaca::KEYS,
        Trading::KEYS,
        Scheduling::KEYS,
        Dashboard::KEYS,
        Logging::KEYS,
        Monitoring::KEYS,
        Notifications::KEYS,
    ]
    .into_iter()
    .flatten()
}
