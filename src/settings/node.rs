//! What a configuration file holds, as plain values that know where they stand.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A value of a configuration file, with where it stands in its text.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    Moment(String),
    List(Vec<(Node, Range<usize>)>),
    Table(Vec<(String, usize, Node, Range<usize>)>),
}

impl Node {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .map_or(Self::Float(f64::NAN), Self::Integer),
            DeValue::Float(number) => Self::Float(number.as_str().replace('_', "").parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Datetime(moment) => Self::Moment(moment.to_string()),
            DeValue::Array(list) => {
                Self::List(list.iter().map(|item| (Self::of(item.get_ref()), item.span())).collect())
            }
            DeValue::Table(table) => Self::table(table),
        }
    }

    pub(super) fn table(table: &DeTable<'_>) -> Self {
        Self::Table(
            table
                .iter()
                .map(|(key, value)| {
                    (key.get_ref().to_string(), key.span().start, Self::of(value.get_ref()), value.span())
                })
                .collect(),
        )
    }

    /// What it is, for a message that says what was expected instead.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Moment(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}
