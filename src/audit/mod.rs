//! Audit (granskning): what the figures say, and where our answers do not fit together. Never about one person, neither
//! of the staff nor outside: the smallest thing that is counted is a unit.

pub mod kpi;
pub mod listening;
pub mod metrics;
pub mod rush;
pub mod rush_store;
pub mod similar;
pub mod store;
