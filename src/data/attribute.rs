/// What a file says of the value that stands for nothing in one of its arrays.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodataAttribute {
    /// The value.
    Number(f64),
    /// A text that is no number. Nobody knows what is nothing then, unless the
    /// user says it.
    Unclear {
        /// The attribute's name.
        name: String,
        /// What it says.
        text: String,
    },
}

impl NodataAttribute {
    /// Of the attributes of these names the first that there is.
    pub(super) fn find<'a>(names: &[&str], value: impl Fn(&str) -> Option<&'a String>) -> Option<Self> {
        names.iter().find_map(|name| Some(Self::parse(name, value(name)?)))
    }

    /// The attribute of that name, which says `text`.
    pub(super) fn parse(name: &str, text: &str) -> Self {
        match text.trim().parse() {
            Ok(number) => Self::Number(number),
            Err(_) => Self::Unclear { name: name.to_owned(), text: text.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_they_say() {
        for (text, number) in [("-9999", -9999.0), (" 1.5e3\n", 1500.0), ("-inf", f64::NEG_INFINITY)] {
            assert_eq!(NodataAttribute::parse("a", text), NodataAttribute::Number(number), "{text}");
        }
        for text in ["nan", "NaN", "-nan"] {
            assert!(matches!(NodataAttribute::parse("a", text), NodataAttribute::Number(n) if n.is_nan()));
        }
        for text in ["", "none", "1,5", "0x10", "-9999f"] {
            let unclear = NodataAttribute::Unclear { name: "a".to_owned(), text: text.to_owned() };
            assert_eq!(NodataAttribute::parse("a", text), unclear);
        }
    }

    #[test]
    fn the_first_name_counts() {
        let value = "7".to_owned();
        let of = |there: &'static str| {
            NodataAttribute::find(&["b", "a"], |name| Some(&value).filter(|_| there.contains(name)))
        };
        assert_eq!(of("a"), Some(NodataAttribute::Number(7.0)));
        assert_eq!(of("c"), None);
        let two = ["1".to_owned(), "2".to_owned()];
        let both = |name: &str| Some(&two[usize::from(name == "b")]);
        assert_eq!(NodataAttribute::find(&["b", "a"], both), Some(NodataAttribute::Number(2.0)));
    }
}
