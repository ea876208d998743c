//! The header of an ENVI image: lines of `name = value`, a value in braces over
//! several.

/// The fields of a header, their names in small letters.
pub(super) struct Header(Vec<(String, String)>);

impl Header {
    /// The first line of every header.
    pub(super) const SIGNATURE: &str = "ENVI";

    /// The fields of a text; `None` if it is no ENVI header.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut lines = text.trim_start_matches('\u{feff}').lines();
        lines.next().filter(|line| line.trim() == Self::SIGNATURE)?;
        let mut fields = Vec::new();
        while let Some(line) = lines.next() {
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with(';')) else {
                continue;
            };
            let mut value = value.trim().to_owned();
            while value.starts_with('{') && !value.contains('}') {
                // One that does not close ends with the file.
                let Some(more) = lines.next() else { break };
                value.push(' ');
                value += more.trim();
            }
            fields.push((name.trim().to_lowercase(), value));
        }
        Some(Self(fields))
    }

    /// The value of a field.
    pub(super) fn value(&self, name: &str) -> Option<&String> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// A whole number; `Err` with its text if it is none.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, String> {
        self.value(name).map(|value| value.parse().map_err(|_| value.clone())).transpose()
    }

    /// The entries of a list in braces.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let inner = value.trim_start_matches('{');
        let inner = inner.split('}').next().unwrap_or_default();
        if inner.trim().is_empty() {
            return Vec::new();
        }
        inner.split(',').map(|entry| entry.trim().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_lists_of_several_lines() {
        let text = "ENVI\r\ndescription = {\r\n  a = b, of\r\n  two lines}\r\n; bands = 9\r\nSamples = 5\r\nbands=x\r\n\
                    band names = {red, near infrared,\r\n blue }\r\n";
        let header = Header::of(text).unwrap();
        assert_eq!(header.value("description").map(String::as_str), Some("{ a = b, of two lines}"));
        assert_eq!(header.whole("samples"), Ok(Some(5)));
        assert_eq!(header.whole("lines"), Ok(None));
        assert_eq!(header.whole("bands"), Err("x".to_owned()));
        assert_eq!(header.list("band names"), ["red", "near infrared", "blue"]);
        assert!(header.list("wavelength").is_empty());
        assert!(Header::of("ENVIRONMENT\n").is_none() && Header::of("").is_none());
        assert_eq!(Header::of("ENVI\nband names = {a, b").unwrap().list("band names"), ["a", "b"]);
    }
}
