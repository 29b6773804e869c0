//! A batch as one parameter of a statement: a JSON list that is bound as `$1`, and the text by which each engine unfolds it.
//! One statement costs a change of threads or a way over the network, and rows are cheap.

use super::Engine;

/// Ids as one parameter of a statement: a JSON list, which [`Engine::each_of_first`] unfolds. A batch is then asked for
/// in one statement whatever its size.
#[must_use]
pub fn listed(ids: impl IntoIterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

/// What a column of [`Engine::rows_of_first`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A whole number: an id, a time, a count.
    Number,
    /// Text.
    Text,
    /// True or false.
    Truth,
}

/// Rows as one parameter of a statement: a JSON list of objects, which [`Engine::rows_of_first`] unfolds.
///
/// # Errors
/// When a row cannot be told as JSON, which no row of ours does.
pub fn rows<T: serde::Serialize>(rows: &[T]) -> sqlx::Result<String> {
    serde_json::to_string(rows).map_err(|fault| sqlx::Error::Encode(fault.into()))
}

impl Engine {
    /// The rows of the list that is bound as `$1`, as a table `v` with these columns: many rows are then written or
    /// changed in one statement.
    #[must_use]
    pub fn rows_of_first(self, columns: &[(&str, Holds)]) -> String {
        let of = |each: &dyn Fn(&str, Holds) -> String| {
            columns.iter().map(|(name, holds)| each(name, *holds)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Sqlite => {
                let columns = of(&|name, _| format!("value ->> '{name}' as {name}"));
                format!("(select {columns} from json_each($1)) as v")
            }
            Self::Postgres => {
                let columns = of(&|name, holds| {
                    let kind = match holds {
                        Holds::Number => "bigint",
                        Holds::Text => "text",
                        Holds::Truth => "boolean",
                    };
                    format!("{name} {kind}")
                });
                format!("json_to_recordset(cast($1 as json)) as v({columns})")
            }
        }
    }

    /// The ids of the list that is bound as `$1`, as a sub-query.
    #[must_use]
    pub fn each_of_first(self) -> &'static str {
        match self {
            Self::Sqlite => "(select value from json_each($1))",
            Self::Postgres => "(select cast(value as bigint) from json_array_elements_text(cast($1 as json)))",
        }
    }
}
