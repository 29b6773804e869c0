//! Who comes and goes changes what is said about more than her own cases: those she stands in for, and those whose line
//! she stands in, are looked at again too.

use crate::assignment::absence::of_rows;
use crate::assignment::{self, Organisation};
use crate::case::batch_store::{self, Around};
use crate::clock::Time;
use crate::db::Tx;

/// Lets every open case be looked at now that somebody's absence, silence or rhythm can concern. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn around(tx: &mut Tx, organisation: &Organisation, staff: &str, now: Time) -> sqlx::Result<u64> {
    let absences = of_rows(&assignment::store::absences(tx, now).await?);
    let (owners, units) = organisation.around(staff, &absences, now);
    let owners = owners.into_iter().map(|owner| Around { owner: Some(owner.to_owned()), unit: None });
    let units = units.into_iter().map(|unit| Around { owner: None, unit: Some(unit.to_owned()) });
    let all: Vec<Around> = owners.chain(units).collect();
    batch_store::look_again(tx, &all, now).await
}
