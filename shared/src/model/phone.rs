//! A phone number, E.164 once and for all.

use super::sensitive::Sensitive;
use phonelib::{PhoneNumber, PhoneNumberType};

/// A number with its country, as Popin wants them apart: `country` always goes along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    e164: Sensitive<String>,
    country: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number")]
pub struct NotAPhone;

impl Phone {
    /// Any spelling that a person or a CRM uses; `country` (ISO letters or calling code) speaks when the number does not.
    pub fn parse(raw: &str, country: Country) -> Result<Self, NotAPhone> {
        let plain: String = raw.chars().filter_map(plain_char).collect();
        if !(4..=40).contains(&plain.len()) || plain.chars().any(char::is_alphabetic) {
            return Err(NotAPhone);
        }
        // The library takes some countries' own digits for the prefix: what is dialled abroad is spelled out first.
        let plain = match plain.trim_start().strip_prefix("00") {
            Some(whole) if !whole.starts_with('0') => format!("+{whole}"),
            Some(_) | None => plain,
        };
        let number = read(&plain, country).ok_or(NotAPhone)?;
        let e164 = number.e164().to_owned();
        // Under calling code 1 the library's prefix includes the area code of small countries; Popin's `country` is "1".
        let prefix = number.country_code().to_string();
        let country = if prefix.starts_with('1') { "1".to_owned() } else { prefix };
        if e164.strip_prefix('+').is_some_and(|digits| digits.starts_with(&country)) {
            Ok(Self { e164: Sensitive::new(e164), country })
        } else {
            Err(NotAPhone)
        }
    }

    /// Digits in a text that nothing calls a phone: only what people's own phones have, lest every id is one. Seconds and
    /// milliseconds since 1970 are none, nor is what has another length or kind than a mobile; a trunk zero, which no id
    /// and no price begins with, speaks for any number.
    pub fn unlabelled(raw: &str, country: Country) -> Option<Self> {
        let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
        if let Some(rest) = digits.strip_prefix("00") {
            let whole = (10..=15).contains(&rest.len()) && !rest.starts_with('0');
            return whole.then(|| Self::from_e164(&format!("+{rest}")).ok()).flatten();
        }
        let trunk = digits.starts_with('0');
        let time = digits.starts_with('1') && matches!(digits.len(), 10 | 13);
        if time || !(8..=13).contains(&digits.len()) || (trunk && digits.len() < 10) {
            return None;
        }
        let phone = Self::parse(&digits, country).ok()?;
        if phone.e164.expose().len() > 14 || phone.national().expose().starts_with('0') {
            return None;
        }
        let kind = phonelib::detect_phone_number_type(phone.e164.expose())?;
        let mobile = matches!(kind, PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile);
        // The library's tables have gaps; mobiles of ten digits begin high.
        let gap = kind == PhoneNumberType::Unknown && phone.national().expose().len() >= 10 && digits.as_str() >= "6";
        (mobile || gap || trunk).then_some(phone)
    }

    /// A number that is E.164 already, as we stored it.
    pub fn from_e164(raw: &str) -> Result<Self, NotAPhone> {
        if raw.starts_with('+') { Self::parse(raw, Country("US")) } else { Err(NotAPhone) }
    }

    /// `+919544510895`.
    pub fn e164(&self) -> &Sensitive<String> {
        &self.e164
    }

    /// The calling code in digits, `91`.
    pub fn country(&self) -> &str {
        &self.country
    }

    /// The national digits without a trunk zero, `9544510895`.
    pub fn national(&self) -> Sensitive<String> {
        Sensitive::new(self.e164.expose()[1 + self.country.len()..].to_owned())
    }
}

/// Digits that begin with the country's own calling code may be a whole number that lost its plus: read as national,
/// `91 95445 10895` would be an Indian number of 14 digits. So long a number is read the other way, where there is one.
fn read(plain: &str, country: Country) -> Option<PhoneNumber> {
    let national = PhoneNumber::parse_with_country(plain, country.0);
    if plain.contains('+') || national.as_ref().is_some_and(|number| number.e164().len() <= 14) {
        return national;
    }
    let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
    let whole = PhoneNumber::parse(&format!("+{digits}")).filter(|whole| whole.country().code == country.0);
    whole.or(national)
}

/// The country that a number without one belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(&'static str);

impl Country {
    /// `IN`, `in`, `91`, `+91` or `0091`.
    pub fn parse(raw: &str) -> Option<Self> {
        let raw: String = raw.chars().filter_map(plain_char).filter(|c| c.is_alphanumeric()).collect();
        if let Ok(code) = raw.trim_start_matches('0').parse::<u32>() {
            let countries = phonelib::countries_by_calling_code(code);
            let main = countries.iter().find(|country| matches!(country.code, "US" | "RU" | "GB" | "IT" | "NO" | "AU"));
            return main.or(countries.first()).map(|country| Self(country.code));
        }
        phonelib::country_by_code(&raw.to_ascii_uppercase()).map(|country| Self(country.code))
    }

    pub fn code(self) -> &'static str {
        self.0
    }
}

/// Full-width digits and signs as their plain twins; invisible marks dropped.
pub(super) fn plain_char(c: char) -> Option<char> {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' => None,
        c if c.is_whitespace() => Some(' '),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn india() -> Country {
        Country::parse("IN").unwrap()
    }

    #[test]
    fn every_spelling_of_a_number_is_the_same_number() {
        for raw in [
            "9544510895",
            "09544510895",
            "+919544510895",
            "00919544510895",
            "00 91 95445 10895",
            "+91-95445-10895",
            "95445 10895",
            "９５４４５１０８９５",
            "(+91) 95445 10895",
            "91 9544510895",
            "\u{202A}+91 95445 10895\u{202C}",
        ] {
            let phone = Phone::parse(raw, india()).unwrap_or_else(|e| panic!("{raw}: {e}"));
            assert_eq!(phone.e164().expose(), "+919544510895", "{raw}");
            assert_eq!((phone.country(), phone.national().expose().as_str()), ("91", "9544510895"), "{raw}");
        }
    }

    #[test]
    fn a_foreign_number_keeps_its_country() {
        let phone = Phone::parse("+1 202-555-0173", india()).unwrap();
        assert_eq!((phone.country(), phone.national().expose().as_str()), ("1", "2025550173"));
        let phone = Phone::parse("020 7946 0958", Country::parse("+44").unwrap()).unwrap();
        assert_eq!((phone.country(), phone.national().expose().as_str()), ("44", "2079460958"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for raw in ["", "abc", "12", "call me", "+", "99999999999999999999", "0000000000"] {
            assert_eq!(Phone::parse(raw, india()), Err(NotAPhone), "{raw}");
        }
    }

    #[test]
    fn a_country_is_letters_or_a_calling_code() {
        for raw in ["IN", "in", "91", "+91", "0091"] {
            assert_eq!(Country::parse(raw), Some(india()), "{raw}");
        }
        assert_eq!(Country::parse("1").map(Country::code), Some("US"));
        assert_eq!(Country::parse("XX"), None);
        assert_eq!(Country::parse(""), None);
    }
}
