//! Files to save: CSV of exactly what a page shows.
use actix_web::{HttpResponse, http::header::CONTENT_DISPOSITION};

use crate::error::Error;

/// Rows of one file. A longer list is refused rather than cut.
pub const MOST_ROWS: u64 = 250_000;

/// Refuses a list that goes on after [`MOST_ROWS`].
pub fn must_end<T>(next: Option<&T>) -> Result<(), Error> {
    let told = "This list has more than 250 000 rows. Narrow it with filters first.";
    next.map_or(Ok(()), |_| Err(Error::Malformed(told)))
}

/// An RFC 4180 file. Cells that a spreadsheet would take for a formula get a leading `'`.
pub fn csv(name: &str, header: &[&str], rows: &[Vec<String>]) -> Result<HttpResponse, Error> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let written = writer.write_record(header).and_then(|()| {
        rows.iter().try_for_each(|row| writer.write_record(row.iter().map(|it| disarmed(it))))
    });
    written.map_err(anyhow::Error::from)?;
    let bytes = writer.into_inner().map_err(|it| anyhow::anyhow!("{it}"))?;
    Ok(attachment(name, "text/csv; charset=utf-8", bytes))
}

/// `name` is ours: ASCII letters, digits, dashes and dots.
pub fn attachment(name: &str, kind: &str, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind.to_owned())
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes)
}

/// A file name part from a name that people chose.
pub fn file_name(text: &str) -> String {
    let keep = |it: char| if it.is_ascii_alphanumeric() || it == '-' { it } else { '-' };
    let name: String = text.chars().map(keep).take(60).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "keys".to_owned() } else { name.to_owned() }
}

fn disarmed(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        for armed in ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"] {
            assert_eq!(disarmed(armed), format!("'{armed}"));
        }
        assert_eq!(disarmed("a=1"), "a=1");
    }

    #[test]
    fn file_names_are_plain() {
        assert_eq!(file_name("quote engine/../\"x\r\n"), "quote-engine-----x");
        assert_eq!(file_name("äöü"), "keys");
    }
}
