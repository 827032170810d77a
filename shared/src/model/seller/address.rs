//! Where a call that a seller's document names may go: seen in the document, and again when its name is resolved.

use std::net::IpAddr;

/// Which addresses a call that a seller's document names may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet: https, and no address of a private network.
    Public,
    /// This machine too: only for a stack that runs on it.
    Local,
}

/// What can be seen of an address before its name is resolved; the rest is seen when the call is made.
pub(super) fn check_url(at: &str, raw: &str, reach: Reach) -> Result<(), String> {
    let Ok(url) = raw.parse::<http::Uri>() else { return Err(format!("{at} is not a URL")) };
    let (scheme, authority) = (url.scheme_str().unwrap_or_default(), url.authority().map(http::uri::Authority::as_str));
    let Some(host) = url.host().filter(|host| !host.is_empty() && !authority.unwrap_or_default().contains('@')) else {
        return Err(format!("{at} is not a URL"));
    };
    match reach {
        Reach::Local if matches!(scheme, "https" | "http") => Ok(()),
        Reach::Public if scheme == "https" && !is_private_host(host) => Ok(()),
        Reach::Public if scheme == "https" => Err(format!("{at} is an address of a private network")),
        Reach::Local | Reach::Public => Err(format!("{at} is not https")),
    }
}

/// Whether a URL leads to the internet by https, and shows no user name: fit to be handed on.
pub fn is_public_url(raw: &str) -> bool {
    check_url("url", raw, Reach::Public).is_ok()
}

/// Whether a URL's host is nearer than the internet, or a spelling that hides where it is.
pub fn is_private_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    match bare.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => {
            bare == "localhost"
                || [".localhost", ".local", ".internal"].iter().any(|end| bare.ends_with(end))
                || ends_in_a_number(&bare)
        }
    }
}

/// As no name does, and as every spelling of an IPv4 address does: `2130706433`, `0x7f.1` (the URL Standard, "ends in a number").
fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str, radix| text.chars().all(|c| c.is_digit(radix));
    last.strip_prefix("0x").map_or_else(|| !last.is_empty() && digits(last, 10), |hex| digits(hex, 16))
}

/// An address of the internet, and of nothing nearer.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (18..20).contains(&b);
            let protocols = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || shared
                || benchmark
                || protocols)
        }
        IpAddr::V6(v6) => {
            // What stands for an address of version 4 goes where that goes.
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            let segments = v6.segments();
            let global = segments[0] & 0xe000 == 0x2000;
            // 6to4 and Teredo carry an address of version 4 inside, and documentation goes nowhere.
            let odd = segments[0] == 0x2002 || segments[0] == 0x2001 && (segments[1] == 0 || segments[1] == 0xdb8);
            global && !odd
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        for (address, public) in [
            ("93.184.215.14", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("198.18.0.1", false),
            ("192.0.0.8", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:93.184.215.14", true),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
            ("2606:4700::6810:1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn a_url_is_seen_through_before_it_is_resolved() {
        let fault = |raw: &str| check_url("notify.url", raw, Reach::Public).err();
        assert_eq!(fault("https://hooks.example.com/frontdesk?x=1"), None);
        assert_eq!(fault("https://hooks.example.com:8443/"), None);
        for (raw, told) in [
            ("http://hooks.example.com/", "notify.url is not https"),
            ("https://user:password@hooks.example.com/", "notify.url is not a URL"),
            ("/frontdesk", "notify.url is not a URL"),
            ("https://localhost/", "notify.url is an address of a private network"),
            ("https://LOCALHOST./", "notify.url is an address of a private network"),
            ("https://127.0.0.1:7700/", "notify.url is an address of a private network"),
            ("https://[::1]/", "notify.url is an address of a private network"),
            ("https://169.254.169.254/latest", "notify.url is an address of a private network"),
            ("https://metadata.google.internal/", "notify.url is an address of a private network"),
            ("https://2130706433/", "notify.url is an address of a private network"),
            ("https://0X7F.1/", "notify.url is an address of a private network"),
            ("https://127.1./", "notify.url is an address of a private network"),
        ] {
            assert_eq!(fault(raw).as_deref(), Some(told), "{raw}");
        }
        assert_eq!(check_url("notify.url", "http://127.0.0.1:7702/crm/hooks", Reach::Local), Ok(()));
        assert!(check_url("notify.url", "file:///etc/passwd", Reach::Local).is_err());
    }
}
