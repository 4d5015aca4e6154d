//! Settings that are one of a few words.

use std::{fmt, path::Path};

use crate::{Kind, Value};

macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $Choice:ident: $rule:literal {
            $( $(#[$variant_meta:meta])* $Variant:ident = $name:literal $(| $other:literal)*, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Choice { $( $(#[$variant_meta])* $Variant, )+ }

        impl $Choice {
            /// The word for it, as a configuration says it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $name, )+ }
            }
        }

        impl fmt::Display for $Choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Value for $Choice {
            const RULE: &'static str = $rule;
            const KIND: Kind = Kind::Choice(&[$( $name $(, $other)* ),+]);
            fn parse(text: &str, _root: &Path) -> Option<Self> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $( $name $(| $other)* => Some(Self::$Variant), )+
                    _ => None,
                }
            }
        }
    };
}

choice! {
    /// What the process is run for. Chosen by `ENVIRONMENT`, default `development`.
    pub enum Environment: "development, test or production" {
        /// On a developer's machine: a new database is filled with sample data.
        Development = "development",
        /// Under automated tests.
        Test = "test",
        /// With real accounts: the API keys are required.
        Production = "production",
    }
}

choice! {
    /// How much is logged. The earlier system's names (`WARNING`, `CRITICAL`) are understood.
    pub enum Level: "one of ERROR, WARNING, INFO, DEBUG, TRACE" {
        /// Faults only; `CRITICAL` is this too.
        Error = "error" | "critical" | "fatal",
        /// And what somebody should look at.
        Warn = "warn" | "warning",
        /// And what happened.
        Info = "info",
        /// And why.
        Debug = "debug",
        /// Everything.
        Trace = "trace" | "notset",
    }
}

choice! {
    /// What the console shows beside the files.
    pub enum Console: "one of text, json, off" {
        /// Readable lines on standard error.
        Text = "text",
        /// JSON lines on standard output.
        Json = "json",
        /// Nothing.
        Off = "off",
    }
}

choice! {
    /// How a key is handed to Quiver Quantitative.
    pub enum Authorization: "Bearer or Token" {
        /// `Authorization: Bearer KEY`.
        Bearer = "bearer",
        /// `Authorization: Token KEY`.
        Token = "token",
    }
}

choice! {
    /// How the size of a copied trade is chosen.
    pub enum SizeType: "fixed or percentage" {
        /// A fixed amount of money.
        Fixed = "fixed",
        /// A percentage of the portfolio.
        Percentage = "percentage" | "percent",
    }
}
