use std::fmt::{self, Write};

/// Colours by the reader's choice of light or dark, and always light on paper.
const STYLE: &str = "
:root { --Ink: #222; --Paper: #fff; --Soft: #666; --Rule: #ddd; color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) {
  :root { --Ink: #ddd; --Paper: #17191c; --Soft: #999; --Rule: #3a3d42; }
  svg [fill='#222222'] { fill: var(--Ink); }
  svg [stroke='#222222'] { stroke: var(--Ink); }
}
body { margin: 0; background: var(--Paper); color: var(--Ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 880px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid var(--Rule); }
th { font-weight: 500; color: var(--Soft); white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 0; } svg rect { shape-rendering: crispEdges; }
.wide { overflow-x: auto; } .wide td { white-space: nowrap; }
svg { width: 100%; height: auto; display: block; }
code { font: .85rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.soft { color: var(--Soft); }
@media print { body { font-size: 11pt; } main { max-width: none; padding: 0; }
  figure, table, h2 { break-inside: avoid; } h2 { break-after: avoid; } }
";

/// The parts of a page.
pub(super) struct Page {
    pub(super) heading: String,
    pub(super) sentences: Vec<String>,
    pub(super) sections: Vec<Section>,
}

/// A part of a page with its title.
pub(super) enum Section {
    /// Names and values.
    Rows(&'static str, Vec<Row>),
    /// A picture.
    Figure(&'static str, String),
    /// A table with these headings.
    Table(String, Vec<&'static str>, Vec<Vec<String>>),
}

/// A row of a table: its name, the field of `fit --json` with the same number, and
/// its text.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) field: &'static str,
    pub(super) text: String,
}

pub(super) fn row(name: &str, field: &'static str, text: impl Into<String>) -> Row {
    Row { name: name.to_owned(), field, text: text.into() }
}

/// Text within a page.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl Page {
    /// The page as HTML.
    pub(super) fn html(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        let heading = Escaped(&self.heading);
        write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{heading}</h1>\n"
        )?;
        for sentence in &self.sentences {
            writeln!(page, "<p>{}</p>", Escaped(sentence))?;
        }
        for section in &self.sections {
            section.write(page)?;
        }
        page.push_str("</main>\n</body>\n</html>\n");
        Ok(())
    }
}

impl Section {
    fn write(&self, page: &mut String) -> fmt::Result {
        match self {
            Self::Rows(title, rows) => {
                write!(page, "<h2>{title}</h2>\n<table>\n")?;
                for Row { name, field, text } in rows {
                    let mark =
                        if field.is_empty() { String::new() } else { format!(" data-field=\"{field}\"") };
                    writeln!(page, "<tr><th>{}</th><td{mark}>{}</td></tr>", Escaped(name), Escaped(text))?;
                }
                page.push_str("</table>\n");
            }
            Self::Figure(title, svg) => {
                let labelled =
                    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{title}\" "), 1);
                write!(page, "<h2>{title}</h2>\n<figure>\n{labelled}</figure>\n")?;
            }
            Self::Table(title, headings, rows) => {
                write!(page, "<h2>{}</h2>\n<div class=\"wide\">\n<table>\n<tr>", Escaped(title))?;
                for heading in headings {
                    write!(page, "<th>{}</th>", Escaped(heading))?;
                }
                page.push_str("</tr>\n");
                for row in rows {
                    page.push_str("<tr>");
                    for cell in row {
                        write!(page, "<td>{}</td>", Escaped(cell))?;
                    }
                    page.push_str("</tr>\n");
                }
                page.push_str("</table>\n</div>\n");
            }
        }
        Ok(())
    }
}
