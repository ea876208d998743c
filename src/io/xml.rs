//! As much of XML as GDAL's notes on images take: elements, attributes and
//! text, read leniently, since what is not understood is only not found.

/// An element that is open.
pub(super) struct Open<'x> {
    pub(super) name: &'x str,
    attributes: &'x str,
    text: String,
}

impl Open<'_> {
    /// Whether it has that name: GDAL sees no case in names.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of an attribute, if it is there.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, behind) = after[1..].split_once(quote)?;
            if key.trim().eq_ignore_ascii_case(name) {
                return Some(unescaped(value));
            }
            rest = behind;
        }
    }
}

/// Calls `each` at the end of every element, with it and those around it, from
/// the outermost on, and its own text. Returns whether all that was opened was
/// closed, each element by its own name: else the text is cut off or damaged.
pub(super) fn for_each_text(xml: &str, mut each: impl FnMut(&[Open<'_>], &str)) -> bool {
    /// Deeper than any of GDAL's.
    const MOST_DEPTH: usize = 64;
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut rest = xml;
    let mut is_whole = true;
    let mut split = |text, end| {
        let parts = str::split_once(text, end);
        is_whole &= parts.is_some();
        parts.unwrap_or((text, ""))
    };
    let mut are_tags_right = true;
    let mut elements = 0u64;
    while let Some((text, after)) = rest.split_once('<') {
        if let Some(open) = open.last_mut() {
            open.text.push_str(&unescaped(text));
        }
        rest = if let Some(comment) = after.strip_prefix("!--") {
            split(comment, "-->").1
        } else if let Some(data) = after.strip_prefix("![CDATA[") {
            let (data, behind) = split(data, "]]>");
            open.iter_mut().next_back().into_iter().for_each(|open| open.text.push_str(data));
            behind
        } else if after.starts_with(['?', '!']) {
            split(after, ">").1
        } else if let Some(after) = after.strip_prefix('/') {
            let (name, behind) = split(after, ">");
            are_tags_right &= open.last().is_some_and(|last| last.is(name.trim()));
            if let Some(last) = open.last_mut() {
                let text = std::mem::take(&mut last.text);
                each(&open, text.trim());
                open.pop();
            }
            behind
        } else {
            let (tag, behind) = after.split_at(tag_end(after));
            (are_tags_right, elements) = (are_tags_right && behind.starts_with('>'), elements + 1);
            let is_empty = tag.ends_with('/');
            let tag = tag.strip_suffix('/').unwrap_or(tag);
            let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            open.push(Open { name, attributes, text: String::new() });
            if is_empty {
                each(&open, "");
                open.pop();
            }
            if open.len() > MOST_DEPTH {
                return false;
            }
            behind.get(1..).unwrap_or_default()
        };
    }
    is_whole && are_tags_right && elements > 0 && open.is_empty()
}

/// The place where a tag ends: at the first `>` outside quotes.
fn tag_end(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    text.len()
}

fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (name, character)| text.replace(name, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text_are_found() {
        let xml = "<?xml version=\"1.0\"?><!-- <a>no</a> --><A x='1'>\n <B key=\"p > &quot;q&quot;\" b = '2'> 7 &lt; 8 </B>\
                   <C/><D><![CDATA[<raw>]]></D></A>";
        let mut found = Vec::new();
        let is_whole = for_each_text(xml, |open, text| {
            let path: Vec<&str> = open.iter().map(|open| open.name).collect();
            let last = open.last().unwrap();
            found.push((path.join("/"), last.attribute("key"), last.attribute("b"), text.to_owned()));
        });
        assert!(is_whole);
        let want = |path: &str, key: Option<&str>, b: Option<&str>, text: &str| {
            (path.to_owned(), key.map(str::to_owned), b.map(str::to_owned), text.to_owned())
        };
        assert_eq!(
            found,
            [
                want("A/B", Some("p > \"q\""), Some("2"), "7 < 8"),
                want("A/C", None, None, ""),
                want("A/D", None, None, "<raw>"),
                want("A", None, None, ""),
            ]
        );
    }

    #[test]
    fn what_is_cut_off_or_wrong_ends() {
        let xml = "<A k=\"v\"><B>1</B><!-- x --><C a='b'/></A></A></A><";
        for end in 0..=xml.len() {
            assert!(!for_each_text(&xml[..end], |open, _| assert!(!open.is_empty())) || end == 41, "{end}");
        }
        assert!(for_each_text("<a b='1'><B/></A >", |_, _| ()));
        assert!(["<a><b></a></b>", "<a/", "", "text"].iter().all(|xml| !for_each_text(xml, |_, _| ())));
        for_each_text(&"<a>".repeat(100_000), |_, _| ());
    }
}
