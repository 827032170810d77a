//! A person's name as a text may hold it: what can be seen of it, and whether all of that can be printed.

/// Without the blanks and the invisible characters around it; `None` where nobody sees anything.
pub fn trimmed(raw: &str) -> Option<&str> {
    // A joiner at the end shapes the letter before it.
    let name = raw.trim_start_matches(is_unseen).trim_end_matches(|c: char| c.is_whitespace() || is_unprintable(c));
    Some(name).filter(|name| !name.is_empty())
}

/// Whether it is on one line, in one direction, and all there to be seen.
pub fn is_printable(name: &str) -> bool {
    !name.contains(is_unprintable)
}

/// The name that somebody meant: a line break is a blank, and what nobody sees is not there.
pub fn readable(raw: &str) -> Option<String> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let blank = raw.replace(breaks, " ").replace(is_unprintable, "");
    let words: Vec<_> = blank.split_whitespace().collect();
    trimmed(&words.join(" ")).map(str::to_owned)
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || is_joiner(c) || is_unprintable(c)
}

/// Invisible, and a part of words: joiners of Indic and Arabic scripts and of emoji, and variants of a letter.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{180b}'..='\u{180d}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Controls, line breaks, zero widths, marks of direction, fillers, tags.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{200e}'
                | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_that_need_a_joiner_keep_it() {
        for name in [
            "\u{d30}\u{d3e}\u{d1c}\u{d28}\u{d4d}\u{200d}",
            "\u{646}\u{6cc}\u{200c}\u{645}\u{627}",
            "Ren\u{e9} O\u{2019}Neill",
        ] {
            assert_eq!((trimmed(name), readable(name).as_deref(), is_printable(name)), (Some(name), Some(name), true));
        }
    }

    proptest! {
        #[test]
        fn readable_name_is_trimmed_and_printable(raw in any::<String>()) {
            match readable(&raw) {
                Some(name) => prop_assert_eq!((trimmed(&name), is_printable(&name)), (Some(name.as_str()), true)),
                None => prop_assert!(raw.chars().all(is_unseen)),
            }
        }
    }
}
