//! What a person reads on a page.
use std::collections::BTreeMap;

use super::{Answer, html};

impl Answer {
    /// The sentence beside a field that needs a change; empty if it does not.
    pub(crate) fn error_at(&self, field: &str) -> String {
        let start = format!("id=\"{field}-error\">");
        let shown =
            self.text().split_once(&start).and_then(|it| between(it.1, "<span>", "</span>"));
        shown.map(html::unescaped).unwrap_or_default()
    }

    /// The rule that refused, where no field is to blame; empty if none did.
    pub(crate) fn refusal(&self) -> String {
        let summary = self.text().split_once("<h2>This is not possible</h2>");
        let text = summary.and_then(|it| between(it.1, "<p>", "</p>"));
        text.map(html::unescaped).unwrap_or_default()
    }

    /// What the act before has done; empty if nothing is told.
    pub(crate) fn flash(&self) -> String {
        let flash = self.text().split_once("<div class=\"flash\">");
        let text = flash.and_then(|it| between(it.1, "<strong>", "</strong>"));
        text.map(html::unescaped).unwrap_or_default()
    }

    /// The tabs of a list, with their counts.
    pub(crate) fn tabs(&self) -> BTreeMap<String, usize> {
        let nav = between(self.text(), "<nav class=\"seg\"", "</nav>").expect("there are no tabs");
        let tabs = nav.split("<a ").skip(1).map(|it| {
            let text = it.split_once('>').unwrap().1;
            let count = between(text, "<span>", "</span>").unwrap();
            let digits: String = count.chars().filter(char::is_ascii_digit).collect();
            (text.split('<').next().unwrap().to_owned(), digits.parse().unwrap())
        });
        tabs.collect()
    }

    /// The rows of a list, as its first column names them; of a key in all groups only its own name.
    pub(crate) fn names(&self) -> Vec<String> {
        let heads = self.text().split("<th scope=\"row\"").skip(1);
        let names = heads.filter_map(|it| {
            let (_, name) = it.split_once("</th>")?.0.rsplit_once("<a class=\"name\"")?;
            Some(html::unescaped(between(name, ">", "<")?))
        });
        names.collect()
    }

    /// Where the list goes on.
    pub(crate) fn next_page(&self) -> Option<String> {
        let (_, link) = self.text().split_once("rel=\"next\" href=\"")?;
        Some(html::unescaped(link.split('"').next()?))
    }

    /// The rows of a CSV file, with its header first.
    pub(crate) fn csv(&self) -> Vec<Vec<String>> {
        let reader =
            csv::ReaderBuilder::new().has_headers(false).from_reader(self.text().as_bytes());
        let rows = reader.into_records().map(|it| it.unwrap().iter().map(str::to_owned).collect());
        rows.collect()
    }

    /// As a person reads it: without tags, each run of white space as one space.
    pub(crate) fn plain(&self) -> String {
        let texts = self.text().split('<').filter_map(|it| Some(it.split_once('>')?.1));
        let text: String = texts.map(|it| format!("{it} ")).collect();
        html::unescaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(start)?;
    Some(behind.split_once(end)?.0)
}
