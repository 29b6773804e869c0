//! The command line: one binary, many roles.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lyhord::clock::Clock;
use lyhord::command;
use lyhord::config::Overrides;

/// Lyhörd hears what people say about their municipality and sees to it that they get an answer in time.
///
/// Without a command it runs the whole service: web page, listening, reminders. Exit codes: 0 done, 1 something was
/// found wrong (a fault in the configuration, a broken journal, a source that cannot be read), 2 the command line is
/// not understood, 3 the service could not start or ended by a fault.
#[derive(Debug, Parser)]
#[command(name = "lyhord", version, propagate_version = true)]
struct Line {
    /// Folder with lyhord.toml, sources.toml, organisation.toml, words.toml and lexicon.toml.
    #[arg(long, global = true, env = "LYHORD_CONFIG", default_value = "config")]
    config: PathBuf,
    /// Database address (sqlite:FILE or postgres://…); stands before what lyhord.toml says.
    #[arg(long, global = true, env = "LYHORD_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Address and port of the web page; stands before what lyhord.toml says.
    #[arg(long, global = true, env = "LYHORD_LISTEN")]
    listen: Option<String>,
    /// Rehearse with a told clock: REAL=TOLDxFACTOR, as 2026-11-23T22:00:00Z=2026-11-23T08:00:00+01:00x60.
    #[arg(long, global = true, env = "LYHORD_REHEARSE", hide = true)]
    rehearse: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run only the web pages (large installations: one of these, any number of `work`).
    Web,
    /// Run only the workers; any number of them on `PostgreSQL`.
    Work,
    /// Read the configuration and say everything that is wrong, with file and line.
    Check {
        /// Also try each source and each voice once.
        #[arg(long)]
        online: bool,
    },
    /// Play a day in Ale on this machine: no network, no account, no configuration needed.
    Demo {
        /// Port of the web page; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Print the items of a feed, one JSON object a line.
    Feed {
        /// A file or an address.
        from: String,
        /// NDJSON instead of readable lines.
        #[arg(long)]
        json: bool,
        /// Allow an address on this machine or a private network.
        #[arg(long)]
        local: bool,
    },
    /// Bring in earlier posts from NDJSON; they open cases like any post, and never count as a spike.
    Import {
        /// The file; `-` reads standard input.
        file: PathBuf,
    },
    /// Say who would get this, due when, and why.
    Route {
        /// The post.
        text: String,
        /// The channel it stands in.
        #[arg(long, default_value = "forum")]
        channel: String,
        /// Show each step of the way.
        #[arg(long)]
        explain: bool,
    },
    /// Say who would be told what, and why others are held. Sends nothing.
    Remind {
        /// Required: this command only shows.
        #[arg(long, required = true)]
        dry_run: bool,
        /// The moment to look at (RFC 3339); now when absent.
        #[arg(long)]
        at: Option<String>,
    },
    /// Say when something is due by a calendar of config/organisation.toml.
    Due {
        /// From when (RFC 3339).
        #[arg(long)]
        from: String,
        /// Open hours of the calendar; 1.5 is an hour and a half.
        #[arg(long, conflicts_with = "working_days", required_unless_present = "working_days")]
        hours: Option<f64>,
        /// Working days, keeping the clock time.
        #[arg(long)]
        working_days: Option<u16>,
        /// Which calendar.
        #[arg(long, default_value = "kontaktcenter")]
        calendar: String,
        /// JSON instead of a sentence.
        #[arg(long)]
        json: bool,
    },
    /// Say whether lines are about us: plain lines in, an answer a line.
    Match {
        /// NDJSON in ({id, text, channel, source, lang}) and out.
        #[arg(long)]
        json: bool,
        /// Try this watch rule instead of those in words.toml.
        #[arg(long)]
        rule: Option<String>,
        /// Try it over the mentions that are kept, and count.
        #[arg(long, requires = "rule")]
        history: bool,
    },
    /// Judge lines: topic, intent, tone, urgency, and why.
    Classify {
        /// NDJSON in ({id, text, channel, source}) and out.
        #[arg(long)]
        json: bool,
    },
    /// Say whether pairs of questions ask the same thing: NDJSON {id, a, b}, or two texts with a tab between.
    Similar {
        /// NDJSON in and out.
        #[arg(long)]
        json: bool,
    },
    /// Train the judge from its seed and write the model; the same seed gives the same bytes.
    Train {
        /// Where to write it.
        #[arg(long, default_value = "model.bin")]
        out: PathBuf,
        /// Also learn from the corrections that the judge in office has learned from, in the database.
        #[arg(long)]
        corrected: bool,
    },
    /// About the judge.
    Judge {
        #[command(subcommand)]
        what: JudgeCommand,
    },
    /// About the journal.
    Journal {
        #[command(subcommand)]
        what: JournalCommand,
    },
    /// Purge what decisions say may be purged; an error names each class that has none (REF-14).
    Purge,
    /// Print the log of supervision: from when to when each source was read, with gaps as gaps, for a spreadsheet.
    Supervision {
        /// How many days back.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
    },
    /// Print a one-time sign-in link for a member of staff, or close her account.
    Invite {
        /// Her key in organisation.toml.
        staff: String,
        /// Close her account instead: she is signed out and cannot sign in.
        #[arg(long)]
        close: bool,
    },
}

#[derive(Debug, Subcommand)]
enum JudgeCommand {
    /// Print precision, recall, confusion and calibration on the regression set.
    Report {
        /// Judge every voice of the seed by a model that has not read it, too; takes as long as the training.
        #[arg(long)]
        cross_validate: bool,
        /// Judge your own labelled posts instead: NDJSON, {text, channel, source} and any of relevant, topic, intent,
        /// sentiment, urgency.
        #[arg(long, value_name = "FILE", conflicts_with = "cross_validate")]
        posts: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Walk along the whole chain and say whether it holds, and where it breaks.
    Verify,
}

#[tokio::main]
async fn main() -> ExitCode {
    let line = Line::parse();
    let clock = match line.rehearse.as_deref().map(Clock::rehearsal) {
        None => Clock::System,
        Some(Some(clock)) => clock,
        Some(None) => {
            eprintln!(
                "lyhord: --rehearse: expected REAL=TOLDxFACTOR, as 2026-11-23T22:00:00Z=2026-11-23T08:00:00+01:00x60"
            );
            return ExitCode::from(2);
        }
    };
    let place = command::Place {
        clock,
        config: line.config,
        overrides: Overrides { database: line.database.map(Into::into), listen: line.listen },
    };
    let outcome = match line.command {
        None => command::serve::run(&place, command::serve::Roles::ALL).await,
        Some(Command::Web) => command::serve::run(&place, command::serve::Roles::WEB).await,
        Some(Command::Work) => command::serve::run(&place, command::serve::Roles::WORK).await,
        Some(Command::Check { online }) => command::check::run(&place, online).await,
        Some(Command::Demo { port }) => command::demo::run(port).await,
        Some(Command::Feed { from, json, local }) => command::feed::run(&from, json, local).await,
        Some(Command::Import { file }) => command::import::run(&place, &file).await,
        Some(Command::Route { text, channel, explain }) => command::route::run(&place, &text, &channel, explain).await,
        Some(Command::Remind { dry_run: _, at }) => command::remind::run(&place, at.as_deref()).await,
        Some(Command::Due { from, hours, working_days, calendar, json }) => {
            command::due::run(&place, &from, hours, working_days, &calendar, json)
        }
        Some(Command::Match { json, rule, history }) => {
            command::listen::run(&place, json, rule.as_deref(), history).await
        }
        Some(Command::Classify { json }) => command::judge::classify(&place, json),
        Some(Command::Similar { json }) => command::judge::similar(&place, json),
        Some(Command::Train { out, corrected }) => command::judge::train(&place, &out, corrected).await,
        Some(Command::Judge { what: JudgeCommand::Report { cross_validate, posts } }) => match posts {
            Some(file) => command::judge::report_on(&place, &file),
            None => command::judge::report(&place, cross_validate.into()),
        },
        Some(Command::Journal { what: JournalCommand::Verify }) => command::journal::verify(&place).await,
        Some(Command::Supervision { days }) => command::supervision::run(&place, days).await,
        Some(Command::Purge) => command::purge::run(&place).await,
        Some(Command::Invite { staff, close }) => command::invite::run(&place, &staff, close).await,
    };
    match outcome {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("lyhord: {fault:#}");
            ExitCode::from(command::COULD_NOT)
        }
    }
}
