use std::fmt;

use comfy_table::{CellAlignment, presets};

/// A table for people.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// A column by its heading.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Text, aligned to the left.
    Words(&'static str),
    /// Numbers, aligned to the right.
    Numbers(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Words(heading) | Self::Numbers(heading) => heading,
        }
    }

    fn is_numeric(self) -> bool {
        matches!(self, Self::Numbers(_))
    }
}

impl Table {
    pub(super) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub(super) fn add(&mut self, row: impl Into<Vec<String>>) {
        self.rows.push(row.into());
    }

    /// The table as Markdown has it.
    pub(super) fn to_markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = |column: &Column| if column.is_numeric() { "---:" } else { "---" }.to_owned();
        let escaped = |row: &Vec<String>| row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let mut text = line(self.columns.iter().map(|column| column.heading().to_owned()).collect());
        text += &line(self.columns.iter().map(rule).collect());
        text + &self.rows.iter().map(escaped).map(line).collect::<String>()
    }
}

/// The table in columns of blanks, without any at the ends of lines.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(self.columns.iter().map(|column| column.heading()));
        for row in &self.rows {
            table.add_row(row.iter());
        }
        for (k, column) in self.columns.iter().enumerate() {
            if let (true, Some(column)) = (column.is_numeric(), table.column_mut(k)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A cell of a number that may not be known.
pub(super) fn cell<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}
