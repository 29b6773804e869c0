//! Ids of rows: a number a person can say aloud, with a type of its own so that a case is never taken for a mention.

/// Declares a newtype over `i64` that the database, JSON and a person's eye all read as the bare number.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A place we listen to.
    SourceId,
    /// A post about us, kept once.
    MentionId,
    /// Something that waits for an answer.
    CaseId,
    /// One judgement of one mention by one version of the judge.
    ClassificationId,
    /// An outbox row: one chat message to one person.
    MessageId,
    /// One thing to be said to one person about one case at one stage.
    ReminderId,
    /// What we answered.
    ResponseId,
    /// Something that was handed in at a web hook.
    DeliveryId,
    /// Something that a colleague saw and pasted.
    TipId,
}
