//! What an XML document may have too much of, in one pass before a parser builds anything from it: each element that declares
//! a namespace copies all that are in scope, and each attribute is compared with the others of its element.

/// Beyond these, it is not what a CRM sends. Salesforce's outbound message is seven levels deep.
const MOST_DEPTH: usize = 32;
/// In scope at once: each of a hundred notifications declares its own.
const MOST_NAMESPACES: usize = 64;
const MOST_ATTRIBUTES: usize = 100;

/// Whether a parser may have it. What is no XML at all is the parser's to refuse.
pub fn is_bounded(xml: &[u8]) -> bool {
    // The namespaces that each open element has declared.
    let mut open: Vec<usize> = Vec::new();
    let mut in_scope = 0;
    let mut rest = xml;
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[at..];
        let markup = Markup::read(rest);
        rest = &rest[markup.length..];
        match markup.kind {
            Kind::Opens { .. } if open.len() == MOST_DEPTH => return false,
            Kind::Opens { attributes, namespaces, empty } => {
                if attributes > MOST_ATTRIBUTES || in_scope + namespaces > MOST_NAMESPACES {
                    return false;
                }
                if !empty {
                    open.push(namespaces);
                    in_scope += namespaces;
                }
            }
            Kind::Closes => in_scope -= open.pop().unwrap_or_default(),
            Kind::Other => {}
        }
    }
    true
}

enum Kind {
    Opens {
        attributes: usize,
        namespaces: usize,
        empty: bool,
    },
    Closes,
    /// A comment, characters as they are, or an instruction.
    Other,
}

/// From a `<` to its end.
struct Markup {
    kind: Kind,
    length: usize,
}

impl Markup {
    fn read(text: &[u8]) -> Self {
        let others: [(&[u8], &[u8]); 3] = [(b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")];
        for (begin, end) in others {
            if text.starts_with(begin) {
                let inner = &text[begin.len()..];
                let length = inner.windows(end.len()).position(|window| window == end);
                let length = length.map_or(text.len(), |at| begin.len() + at + end.len());
                return Self { kind: Kind::Other, length };
            }
        }
        Self::tag(text)
    }

    fn tag(text: &[u8]) -> Self {
        let (mut quote, mut attributes, mut namespaces) = (None, 0, 0);
        // The word that an `=` may follow, after white space perhaps.
        let (mut word, mut in_word, mut length) = (1, false, text.len());
        for (at, byte) in text.iter().enumerate().skip(1) {
            match (*byte, quote) {
                (byte, Some(open)) if byte == open => quote = None,
                (_, Some(_)) => {}
                (b'"' | b'\'', None) => (quote, in_word) = (Some(*byte), false),
                (b'=', None) => {
                    attributes += 1;
                    namespaces += usize::from(text[word..].starts_with(b"xmlns"));
                    in_word = false;
                }
                (b'>', None) => {
                    length = at + 1;
                    break;
                }
                (b' ' | b'\t' | b'\r' | b'\n', None) => in_word = false,
                (_, None) if in_word => {}
                (_, None) => (word, in_word) = (at, true),
            }
        }
        let tag = &text[..length];
        let kind = if tag.starts_with(b"</") {
            Kind::Closes
        } else {
            Kind::Opens { attributes, namespaces, empty: tag.ends_with(b"/>") }
        };
        Self { kind, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(depth: usize, attributes: &dyn Fn(usize) -> String) -> String {
        let open = (0..depth).map(|at| format!("<a{}>", attributes(at))).collect::<Vec<_>>().concat();
        open + &"</a>".repeat(depth)
    }

    #[test]
    fn documents_at_the_limits_are_taken_and_beyond_them_are_not() {
        let many = |count: usize| (0..count).map(|at| format!(" k{at}='>'")).collect::<Vec<_>>().concat();
        let named = |count: usize| (0..count).map(|at| format!(" xmlns:n{at} = \"u\"")).collect::<Vec<_>>().concat();
        let rows = [
            (nested(32, &|_| String::new()), true),
            (nested(33, &|_| String::new()), false),
            (nested(31, &|at| if at == 30 { many(100) } else { String::new() }), true),
            (format!("<a{}/>", many(101)), false),
            (nested(32, &|at| format!(" xmlns:n{at}='u' xmlns='v'")), true),
            (nested(2, &|at| if at == 0 { named(64) } else { " xmlns='v'".to_owned() }), false),
            // Not at once.
            (format!("<a>{}</a>", format!("<b{}/>", named(64)).repeat(100)), true),
            (format!("<a>{}</a>", format!("<b{}></b>", named(40)).repeat(100)), true),
            // Not elements.
            (
                format!("<a><!--{}--><![CDATA[{}]]><?p {}?></a>", "<b>".repeat(99), "<b>".repeat(99), "<b>".repeat(99)),
                true,
            ),
            // Not attributes.
            (format!("<a k='{}'>{}</a>", "x='1' ".repeat(200), "x='1' ".repeat(200)), true),
            ("<a><!-- ".to_owned(), true),
            ("<a k='".to_owned(), true),
            ("</a></a><".to_owned(), true),
            ("\u{feff}<?xml version=\"1.0\"?><a/>".to_owned(), true),
        ];
        for (xml, taken) in rows {
            assert_eq!(is_bounded(xml.as_bytes()), taken, "{}", xml.chars().take(200).collect::<String>());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes in any::<Vec<u8>>()) {
            is_bounded(&bytes);
        }

        /// What the parser reads is as deep as it looks here.
        #[test]
        fn no_document_that_the_parser_builds_hides_its_depth(text in "(<a( x='[<>a/]{0,2}'){0,2}>|</a>|<a/>|<!--.{0,3}-->|<!\\[CDATA\\[[a<>]{0,3}\\]\\]>|t){0,60}") {
            if let Ok(document) = roxmltree::Document::parse(&text) {
                let depth = document.descendants().filter(roxmltree::Node::is_element).map(|node| node.ancestors().count() - 1).max();
                prop_assert_eq!(is_bounded(text.as_bytes()), depth.unwrap_or_default() <= MOST_DEPTH);
            }
        }
    }
}
