//! Case (ärende): something that waits for an answer, the moves it allows, and what we have promised about it.

pub mod batch_store;
pub mod list_store;
pub mod opening;
pub mod outcome;
pub mod promise;
pub mod promise_store;
pub mod queue_store;
pub mod response_times;
pub mod running;
pub mod state;
pub mod store;
pub mod threat;

pub use opening::{Author, NoCase, Opening, opening};
pub use outcome::{DismissReason, Outcome, outcome_of};
pub use promise::{Asked, Promise, PromiseKind, Promises, promise};
pub use response_times::ResponseTimes;
pub use running::{Happening, Phase, PromiseEvent, Standing, fold};
pub use state::{CaseState, InvalidTransition, Move, needs_outcome, next};
pub use threat::Threat;
