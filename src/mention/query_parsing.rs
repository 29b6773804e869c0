//! Reading the watch language: from text to [`Query`], or to the first fault with its place and a way out.

use super::query::{Fault, Field, MAX_DEPTH, MAX_QUERY_BYTES, Near, Query};
use super::query_pieces::{Lexeme, Piece, fault, lex};

/// Reads a query.
///
/// # Errors
/// The first thing that cannot be understood, with its place in `text`.
pub fn parse(text: &str) -> Result<Query, Fault> {
    if text.len() > MAX_QUERY_BYTES {
        return fault(
            0..0,
            format!("the query is {} bytes, at most {MAX_QUERY_BYTES} are read", text.len()),
            "move words into a list in words.toml and write @list",
        );
    }
    let mut parser = Parser { lexemes: lex(text)?, next: 0, end: text.len(), depth: 0 };
    let query = parser.any()?;
    match parser.peek() {
        None => Ok(query),
        Some(lexeme) if lexeme.piece == Piece::Close => {
            fault(lexeme.span.clone(), "this parenthesis closes nothing", "remove it or open one before")
        }
        Some(lexeme) => fault(
            lexeme.span.clone(),
            "two terms stand side by side with nothing between them",
            "write AND or OR between them, or quotation marks around a phrase",
        ),
    }
}

struct Parser {
    lexemes: Vec<Lexeme>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.next)
    }

    fn take(&mut self, piece: &Piece) -> bool {
        let found = self.peek().is_some_and(|lexeme| lexeme.piece == *piece);
        self.next += usize::from(found);
        found
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            let span = self.peek().map_or(self.end..self.end, |lexeme| lexeme.span.clone());
            return fault(span, format!("more than {MAX_DEPTH} levels deep"), "split the rule into two");
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn any(&mut self) -> Result<Query, Fault> {
        let mut parts = Vec::new();
        loop {
            match self.all()? {
                Query::Any(inner) => parts.extend(inner),
                other => parts.push(other),
            }
            if !self.take(&Piece::Or) {
                return Ok(one_or(parts, Query::Any));
            }
        }
    }

    fn all(&mut self) -> Result<Query, Fault> {
        let mut parts = Vec::new();
        loop {
            match self.not()? {
                Query::All(inner) => parts.extend(inner),
                other => parts.push(other),
            }
            let and = self.take(&Piece::And);
            let not = self.peek().is_some_and(|lexeme| lexeme.piece == Piece::Not);
            if !and && !not {
                return Ok(one_or(parts, Query::All));
            }
        }
    }

    fn not(&mut self) -> Result<Query, Fault> {
        if self.take(&Piece::Not) {
            return self.deeper(|parser| Ok(Query::Not(Box::new(parser.not()?))));
        }
        self.near()
    }

    fn near(&mut self) -> Result<Query, Fault> {
        let start = self.next;
        let mut left = self.term()?;
        while let Some(Piece::Near(order, within)) = self.peek().map(|lexeme| lexeme.piece.clone()) {
            self.check_place(start, &left)?;
            self.next += 1;
            let start = self.next;
            let right = self.term()?;
            self.check_place(start, &right)?;
            if self.depth >= MAX_DEPTH {
                return self.deeper(|_| Ok(left));
            }
            left = Query::Near(Box::new(Near { left, right, within, order }));
            self.check_chain(start, &left)?;
        }
        Ok(left)
    }

    /// NEAR asks where things stand, so each side must stand somewhere.
    fn check_place(&self, start: usize, side: &Query) -> Result<(), Fault> {
        let mut odd = false;
        side.each(&mut |part| {
            odd |= match part {
                Query::Field(field, _) => *field != Field::Tag,
                Query::Not(_) | Query::All(_) => true,
                _ => false,
            }
        });
        if !odd {
            return Ok(());
        }
        let span = self.lexemes.get(start).map_or(self.end..self.end, |lexeme| lexeme.span.clone());
        fault(
            span,
            "beside NEAR there can only be words, phrases, lists, tags and OR between them",
            "put AND, NOT and fields outside the NEAR",
        )
    }

    /// A chain `a NEAR/2 b NEAR/2 c …` nests to the left without parentheses, so its depth is counted here.
    fn check_chain(&self, start: usize, near: &Query) -> Result<(), Fault> {
        let mut levels = 0;
        let mut inner = near;
        while let Query::Near(deeper) = inner {
            levels += 1;
            inner = &deeper.left;
        }
        if levels <= MAX_DEPTH {
            return Ok(());
        }
        let span = self.lexemes.get(start).map_or(self.end..self.end, |lexeme| lexeme.span.clone());
        fault(span, format!("more than {MAX_DEPTH} NEAR in a row"), "split the rule into two")
    }

    fn term(&mut self) -> Result<Query, Fault> {
        let Some(lexeme) = self.lexemes.get(self.next) else {
            return fault(self.end..self.end, "the query ends where a term should stand", "write a word here");
        };
        let span = lexeme.span.clone();
        match &lexeme.piece {
            Piece::Term(query) => {
                let query = query.clone();
                self.next += 1;
                Ok(query)
            }
            Piece::Open => {
                self.next += 1;
                let query = self.deeper(Self::any)?;
                if self.take(&Piece::Close) {
                    return Ok(query);
                }
                let end = self.peek().map_or(self.end..self.end, |lexeme| lexeme.span.clone());
                if end.start == self.end {
                    return fault(span, "this parenthesis is never closed", "add `)`");
                }
                fault(
                    end,
                    "two terms stand side by side with nothing between them",
                    "write AND or OR between them, or quotation marks around a phrase",
                )
            }
            Piece::Close => fault(span, "the parenthesis closes where a term should stand", "write a word before it"),
            Piece::And | Piece::Or | Piece::Not | Piece::Near(..) => fault(
                span,
                "an operator stands where a term should stand",
                "write a word between, or put the word in quotation marks when the word itself is meant",
            ),
        }
    }
}

fn one_or(mut parts: Vec<Query>, many: impl FnOnce(Vec<Query>) -> Query) -> Query {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    many(parts)
}
