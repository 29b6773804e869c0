//! What the command line does, one file a command. A command answers with an exit code, or with a fault that is
//! printed and becomes code 3.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::clock::Clock;
use crate::config::{self, Config, Overrides};

pub mod check;
pub mod demo;
pub mod due;
pub mod feed;
pub mod import;
pub mod invite;
pub mod journal;
pub mod judge;
pub mod lines;
pub mod listen;
pub mod purge;
pub mod remind;
pub mod route;
pub mod serve;
pub mod supervision;

/// Something was found wrong.
pub const FOUND_WRONG: u8 = 1;
/// The service could not start, or ended by a fault.
pub const COULD_NOT: u8 = 3;

/// Where the configuration and the database are, as the command line says.
#[derive(Debug, Clone)]
pub struct Place {
    /// The configuration folder.
    pub config: PathBuf,
    /// Where `now` comes from: the machine, or a rehearsal.
    pub clock: Clock,
    /// What stands before the configuration.
    pub overrides: Overrides,
}

impl Place {
    /// Reads the configuration; faults go to standard error, all at once.
    ///
    /// # Errors
    /// The exit code to leave with.
    pub fn read(&self) -> Result<Config, ExitCode> {
        config::read(&self.config, &self.overrides).map_err(|problems| {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("lyhord: {} in the configuration; nothing was started", faults(problems.len()));
            ExitCode::from(FOUND_WRONG)
        })
    }
}

/// Reads the configuration or leaves the function with its exit code.
#[macro_export]
macro_rules! config_or_leave {
    ($place:expr) => {
        match $place.read() {
            Ok(config) => config,
            Err(code) => return Ok(code),
        }
    };
}

/// "1 fault", "2 faults".
#[must_use]
pub fn faults(n: usize) -> String {
    if n == 1 { "1 fault".to_owned() } else { format!("{n} faults") }
}
