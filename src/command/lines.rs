//! Lines from standard input to standard output: in order, as they come, bounded; a faulty line is said with its number
//! and the stream goes on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::FOUND_WRONG;

/// Bytes of a line: a post is at most some thousand, and a longer line is not a post.
const LINE_MAX: usize = 1_000_000;
/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;

/// Answers each line of standard input. Answers are written out whenever there is nothing more to read at the moment, so
/// that one who writes a line at a time gets each answer before the next line.
///
/// # Errors
/// When input or output cannot be read or written.
pub fn answer_each(answer: impl FnMut(&str) -> Result<String, String>) -> anyhow::Result<ExitCode> {
    let input = BufReader::with_capacity(CHUNK, std::io::stdin());
    let output = std::io::BufWriter::with_capacity(CHUNK, std::io::stdout().lock());
    let faults = stream(input, output, std::io::stderr(), answer)?;
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_WRONG) })
}

/// Takes each line of a file; returns how many were faulty, after telling of each.
///
/// # Errors
/// When the file cannot be read.
pub fn take_each(file: &Path, mut take: impl FnMut(&str) -> Result<(), String>) -> anyhow::Result<usize> {
    let open = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let input = BufReader::with_capacity(CHUNK, open);
    let taken = stream(input, std::io::sink(), std::io::stderr(), |line| take(line).map(|()| String::new()));
    taken.with_context(|| format!("{} cannot be read", file.display()))
}

/// The same between any ends; returns how many lines were faulty. Blank lines are passed over.
fn stream(
    mut input: BufReader<impl Read>,
    mut output: impl Write,
    mut errors: impl Write,
    mut answer: impl FnMut(&str) -> Result<String, String>,
) -> std::io::Result<usize> {
    let mut faults = 0;
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        if input.buffer().is_empty() {
            output.flush()?;
        }
        let Some(whole) = next_line(&mut input, &mut line)? else { break };
        number += 1;
        let said = match (whole, std::str::from_utf8(&line)) {
            (false, _) => Err(format!("longer than {LINE_MAX} bytes, passed over")),
            (true, Err(_)) => Err("not UTF-8 text, passed over".to_owned()),
            (true, Ok(text)) if text.trim().is_empty() => continue,
            (true, Ok(text)) => answer(text.trim_end_matches('\r')),
        };
        match said {
            Ok(said) => writeln!(output, "{said}")?,
            Err(fault) => {
                faults += 1;
                // What was answered before stands before the fault when both go to one terminal.
                output.flush()?;
                writeln!(errors, "line {number}: {fault}")?;
            }
        }
    }
    output.flush()?;
    Ok(faults)
}

/// The next line without its end; false when it is longer than may be, and what is too long is thrown away.
fn next_line(input: &mut BufReader<impl Read>, line: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    line.clear();
    let (mut whole, mut any) = (true, false);
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        if line.len() + part.len() > LINE_MAX {
            whole = false;
            line.clear();
        } else if whole {
            line.extend_from_slice(part);
        }
        let taken = end.map_or(chunk.len(), |end| end + 1);
        input.consume(taken);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &[u8]) -> (String, String, usize) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let upper = |line: &str| if line == "fel" { Err("no such line".to_owned()) } else { Ok(line.to_uppercase()) };
        let faults = stream(BufReader::with_capacity(16, input), &mut out, &mut errors, upper).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap(), faults)
    }

    #[test]
    fn a_faulty_line_is_said_with_its_number_and_the_stream_goes_on() {
        let (out, errors, faults) = run("ett\r\nfel\n\n  \nåtta\n\u{ff}".replace('\u{ff}', "sist").as_bytes());
        assert_eq!((out.as_str(), errors.as_str(), faults), ("ETT\nÅTTA\nSIST\n", "line 2: no such line\n", 1));
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_passed_over_in_bounded_memory() {
        let mut input = vec![b'x'; LINE_MAX + 20];
        input.extend_from_slice(b"\nett\n\xff\xfe\ntva");
        let (out, errors, faults) = run(&input);
        assert_eq!((out.as_str(), faults), ("ETT\nTVA\n", 2));
        assert!(errors.starts_with("line 1: longer than") && errors.contains("line 3: not UTF-8"), "{errors}");
    }
}
