//! The sellers document: what is taken, and how a fault is told.

use super::*;
use serde_json::{Value, json};

pub(super) fn good() -> Value {
    json!({"acme": {"name": "Acme", "popin": {"base_url": "https://popin.example.com/api/v1/", "api_key": "k", "token": 12159}}})
}

fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = good();
    change(&mut document["acme"]);
    match Sellers::parse(document.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(FaultyDocument(faults)) => faults,
    }
}

#[test]
fn only_popin_and_a_name_are_required_and_the_rest_has_defaults() {
    let sellers = Sellers::parse(good().to_string().as_bytes()).unwrap();
    let (_, acme) = sellers.get("acme").unwrap();
    assert_eq!(
        (acme.popin.base_url.as_str(), acme.popin.token.expose()),
        ("https://popin.example.com/api/v1", "12159")
    );
    assert_eq!((acme.popin.timeout.as_secs(), acme.slots.refresh.as_secs(), acme.booking.max_attempts), (10, 300, 5));
    assert_eq!(
        (acme.default_country.code(), acme.booking.native, acme.booking.on_silence),
        ("IN", true, OnSilence::AskHuman)
    );
    assert!(sellers.get("beta").is_none() && sellers.get("../acme").is_none());
}

#[test]
fn the_whole_document_of_the_design_is_taken() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let whole = json!({"acme": {
        "name": "Acme Jewels", "default_country": "IN", "origins": ["https://shop.example.com"], "api_keys": ["a-long-enough-api-key"],
        "popin": {"base_url": "https://widget01.popin.to/api/v1", "api_key": "k", "token": "t", "pin_field": "pincode", "timeout_seconds": 10},
        "webhooks": {"popin": {"keys": [secret]}, "chili-piper": {"path_secrets": [secret]}},
        "crm": {"standard": {"secrets": [secret]},
            "hubspot": {"client_secrets": [secret], "public_url": "https://api.example.com/v1/crm/acme/hubspot", "access_token": "pat"},
            "salesforce": {"path_secrets": [secret], "organization_ids": ["00D000000000001"]}, "zoho": {"tokens": [secret]},
            "leadsquared": {"tokens": [secret]}, "freshsales": {"tokens": [secret]}, "pipedrive": {"users": [{"name": "u", "password": secret}]},
            "shopify": {"secrets": [secret]}},
        "slots": {"refresh_seconds": 300, "stale_after_seconds": 900, "unusable_after_seconds": 3600, "lead_seconds": 1800, "capacity": 1},
        "booking": {"in_doubt_seconds": 900, "lease_seconds": 60, "give_up_seconds": 86400, "max_attempts": 5, "webhooks_wired": true,
            "on_silence": "ask_human", "if_taken": "next", "group": "5211", "agent": 210, "native": true, "url": null}
    }});
    Sellers::parse(whole.to_string().as_bytes()).unwrap();
}

#[test]
fn what_keeps_ids_secret_is_popins_key_or_ones_own_and_never_its_token() {
    let secrets = |key: Option<Value>| {
        let mut document = good();
        if let Some(key) = key {
            document["acme"]["person_key"] = key;
        }
        let sellers = Sellers::parse(document.to_string().as_bytes()).unwrap();
        let seller = sellers.get("acme").unwrap().1.clone();
        (seller.secrets().map(str::to_owned).collect::<Vec<_>>(), seller)
    };
    let (default, seller) = secrets(None);
    assert_eq!(default, ["k"]);
    assert_eq!(seller.persons("x").collect::<Vec<_>>(), [seller.person("x")]);
    let (new, old) = ("a-new-person-key", "an-old-person-key");
    assert_eq!(secrets(Some(json!(new))).0, [new]);
    let (both, rotated) = secrets(Some(json!([new, old, new])));
    assert_eq!(both, [new, old]);
    let persons: Vec<_> = rotated.persons("x").collect();
    assert_eq!((persons.len(), &persons[0], &persons[2]), (3, &rotated.person("x"), &seller.person("x")));
    for (bad, told) in [
        (json!("short"), "acme: person_key is empty or shorter than 16 characters"),
        (json!([new, "short"]), "acme: person_key is empty or shorter than 16 characters"),
        (json!([]), "acme: person_key is not a secret or a list of 1 to 5"),
        (json!([new, new, new, new, new, new]), "acme: person_key is not a secret or a list of 1 to 5"),
    ] {
        assert_eq!(faults(|s| s["person_key"] = bad), [told]);
    }
}

type Change = Box<dyn FnOnce(&mut Value)>;

#[test]
fn a_fault_names_the_seller_and_the_field_and_never_the_value() {
    const HUSH: &str = "hush-HUSH";
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|s| s["colour"] = json!(HUSH)), "acme: colour is not a setting"),
        (Box::new(|s| s["slots"] = json!({"refresh": 5})), "acme: slots.refresh is not a setting"),
        (Box::new(|s| drop(s.as_object_mut().unwrap().remove("name"))), "acme: name is missing"),
        (
            Box::new(|s| s["popin"] = json!({"base_url": "https://x.example.com", "api_key": HUSH})),
            "acme: popin.token is missing",
        ),
        (Box::new(|s| s["api_keys"] = json!([HUSH])), "acme: api_keys[0] is empty or shorter than 16 characters"),
        (
            Box::new(|s| s["webhooks"] = json!({"popin": {"keys": ["."]}})),
            "acme: webhooks.popin.keys[0] is empty or shorter than 16 characters",
        ),
        (Box::new(|s| s["webhooks"] = json!({"popin": {}})), "acme: webhooks.popin has neither keys nor path_secrets"),
        (
            Box::new(|s| s["webhooks"] = json!({"zoom": {"keys": ["a-long-enough-api-key"]}})),
            "acme: webhooks.zoom is not a vendor",
        ),
        (
            Box::new(|s| s["popin"]["api_key"] = json!(".")),
            "acme: popin.api_key is empty or a dot, or not a header value",
        ),
        (
            Box::new(|s| {
                s["crm"] = json!({"hubspot": {"client_secrets": [], "public_url": "", "signatures": ["v3", HUSH]}});
            }),
            "acme: crm.hubspot.signatures[1] is neither v3 nor v2",
        ),
        (
            Box::new(|s| s["crm"] = json!({"hubspot": {"client_secrets": [], "public_url": "", "signatures": ["v2"]}})),
            "acme: crm.hubspot.signatures lacks v3, which always proves a delivery",
        ),
        (
            Box::new(|s| {
                s["crm"] = json!({"shopify": {"secrets": [], "shop_domain": "https://hush-HUSH.example.com"}});
            }),
            "acme: crm.shopify.shop_domain is not a host name",
        ),
        (Box::new(|s| s["popin"]["base_url"] = json!(HUSH)), "acme: popin.base_url is not a URL"),
        (Box::new(|s| s["popin"]["base_url"] = json!("http://popin.example.com")), "acme: popin.base_url is not https"),
        (
            Box::new(|s| s["popin"]["base_url"] = json!("https://10.0.0.1/api")),
            "acme: popin.base_url is an address of a private network",
        ),
        (
            Box::new(|s| s["booking"] = json!({"url": "https://localhost/call"})),
            "acme: booking.url is not https, or not on the internet",
        ),
        (
            Box::new(|s| s["popin"]["timeout_seconds"] = json!(0)),
            "acme: popin.timeout_seconds is not a whole number of seconds from 1 up",
        ),
        (
            Box::new(|s| s["slots"] = json!({"refresh_seconds": 1.5})),
            "acme: slots.refresh_seconds is not a whole number of seconds from 1 up",
        ),
        (Box::new(|s| s["default_country"] = json!(HUSH)), "acme: default_country is not a country"),
        (
            Box::new(|s| s["origins"] = json!(["https://a.example.com", "https://a.example.com/x"])),
            "acme: origins[1] is not an origin (scheme and host, no path)",
        ),
        (
            Box::new(|s| s["booking"] = json!({"on_silence": "retry"})),
            "acme: booking.on_silence is retry, which needs webhooks_wired",
        ),
        (Box::new(|s| s["booking"] = json!({"on_silence": HUSH})), "acme: booking.on_silence is unusable"),
        (Box::new(|s| s["booking"] = json!({"agent": HUSH})), "acme: booking.agent is unusable"),
        (
            Box::new(|s| s["crm"] = json!({"standard": {"secrets": ["not-a-whsec-secret-at-all"]}})),
            "acme: crm.standard.secrets[0] begins with neither whsec_ nor whpk_",
        ),
        (
            Box::new(|s| s["crm"] = json!({"pipedrive": {"users": [{"name": HUSH}]}})),
            "acme: crm.pipedrive.users[0].password is missing",
        ),
        (Box::new(|s| s["slots"] = json!({"": HUSH})), "acme: slots. is not a setting"),
        (Box::new(|s| *s = json!(HUSH)), "acme: . is unusable"),
    ];
    for (change, expected) in cases {
        let told = faults(change);
        assert_eq!(told, [expected]);
        assert!(!told[0].contains(HUSH));
    }
}

#[test]
fn what_is_no_document_is_told_by_line_and_every_seller_with_a_fault_is_named() {
    assert_eq!(Sellers::parse(b"{nope").unwrap_err().0, ["not a JSON object (line 1, column 2)"]);
    let two = json!({"a": {"name": 1}, "b": {}, "B!": {}});
    assert_eq!(Sellers::parse(two.to_string().as_bytes()).unwrap_err().0.len(), 3);
}

#[test]
fn public_part_has_what_pages_need_and_no_credential() {
    let public = json!({"name": "Acme", "origins": ["https://shop.example.com"], "slots": {"capacity": 2}, "person_key": ["short"]});
    let read = |change: &dyn Fn(&mut Value)| {
        let mut public = public.clone();
        change(&mut public);
        Sellers::parse_public(json!({"acme": public}).to_string().as_bytes())
    };
    let sellers = read(&|_| {}).unwrap();
    let (_, acme) = sellers.get("acme").unwrap();
    assert_eq!((acme.slots.capacity, acme.secrets().collect::<Vec<_>>()), (2, vec!["short"]));
    assert_eq!(acme.origins, ["https://shop.example.com"]);
    for part in ["api_keys", "popin", "webhooks", "crm", "notify", "booking"] {
        let told = read(&|public| public[part] = json!({})).unwrap_err().0;
        assert_eq!(told, [format!("acme: {part} is not a setting")]);
    }
    for none in [json!(null), json!([])] {
        assert!(read(&|public| public["person_key"] = none.clone()).is_err());
    }
    assert!(read(&|public| drop(public.as_object_mut().unwrap().remove("person_key"))).is_err());
    assert!(read(&|public| public["origins"] = json!(["shop.example.com"])).is_err());
}

#[test]
fn a_crm_that_nothing_could_prove_or_map_is_refused_with_seller_and_field() {
    let secret = "a-secret-of-some-length";
    let crm = |crm: Value| faults(|acme| acme["crm"] = crm);
    let zoho = |more: Value| {
        let mut zoho = json!({"tokens": [secret]});
        for (name, value) in more.as_object().unwrap() {
            zoho[name] = value.clone();
        }
        crm(json!({"zoho": zoho}))
    };
    let none: [&str; 0] = [];
    let whole = json!({"name": ["First_Name", "Last_Name"], "mobile": ["Mobile", "Phone"], "slot": "Call.at", "email": "Email"});
    assert_eq!(zoho(json!({"fields": whole, "only": {"Stage": ["Hot"]}})), none);
    assert_eq!(zoho(json!({"fields": {"nmae": "Name"}})), ["acme: crm.zoho.fields.nmae is not a setting"]);
    let rule = "is not a field of the CRM's, or a list of 1 to 4";
    for bad in [
        json!(""),
        json!(7),
        json!([]),
        json!(["a", ""]),
        json!("a..b"),
        json!(["a", "b", "c", "d", "e"]),
        json!({"a": 1}),
    ] {
        assert_eq!(zoho(json!({"fields": {"mobile": bad}})), [format!("acme: crm.zoho.fields.mobile {rule}")], "{bad}");
    }
    for bad in [json!({"Stage": "Hot"}), json!({"Stage": []}), json!(["Stage"]), json!({"": ["Hot"]})] {
        let told = zoho(json!({"only": bad})).join("; ");
        let rule = " is not an object of fields, each with a list of values";
        assert!(told.starts_with("acme: crm.zoho.only") && told.ends_with(rule), "{bad} {told}");
    }
    assert_eq!(zoho(json!({"api_base": "zohoapis"})), ["acme: crm.zoho.api_base is not a URL"]);
    let url = "https://api.example.com/v1/crm/acme/hubspot";
    assert_eq!(crm(json!({"hubspot": {"client_secrets": [secret], "public_url": url}})), none);
    assert_eq!(
        crm(json!({"hubspot": {"client_secrets": [secret], "public_url": "hubspot"}})),
        ["acme: crm.hubspot.public_url is not the URL that HubSpot calls"]
    );
    assert_eq!(crm(json!({"hubspot": {"client_secrets": [secret]}})), ["acme: crm.hubspot.public_url is missing"]);
    assert_eq!(crm(json!({"salesforce": {}})), ["acme: crm.salesforce.path_secrets is missing"]);
}

#[test]
fn what_is_written_back_goes_to_the_internet_and_into_fields_of_the_sellers_own() {
    let secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let token = "a-long-enough-token";
    let fields = |field: &str| json!({"state": field});
    let zoho = |field| json!({"client_id": "c", "client_secret": "s", "refresh_token": "r", "accounts_base": "https://accounts.zoho.in", "fields": fields(field)});
    let salesforce = |version: &str| json!({"client_id": "c", "client_secret": "s", "api_version": version, "fields": fields("State__c")});
    for (at, value, told) in [
        ("notify", json!({"url": "https://hooks.example.com/", "secrets": [secret]}), None),
        ("notify", json!({"url": "http://hooks.example.com/", "secrets": [secret]}), Some("notify.url is not https")),
        (
            "notify",
            json!({"url": "https://10.0.0.1/", "secrets": [secret]}),
            Some("notify.url is an address of a private network"),
        ),
        ("notify", json!({"url": "https://hooks.example.com/", "secrets": []}), Some("notify.secrets is empty")),
        (
            "notify",
            json!({"url": "https://hooks.example.com/", "secrets": ["whsec_c2hvcnQgc2VjcmV0"]}),
            Some("notify.secrets[0] is not whsec_ and 24 to 64 bytes of base64"),
        ),
        (
            "hubspot",
            json!({"client_secrets": [], "public_url": "u", "write_back": {"access_token": "t", "fields": fields("vc_state")}}),
            None,
        ),
        (
            "hubspot",
            json!({"client_secrets": [], "public_url": "u", "write_back": {"access_token": "t", "fields": fields("lifecyclestage")}}),
            Some("crm.hubspot.write_back.fields.state is not a field of the seller's own making"),
        ),
        (
            "zoho",
            json!({"tokens": [token], "write_back": zoho("Call_State")}),
            Some("crm.zoho.api_base is missing, which write_back needs"),
        ),
        (
            "zoho",
            json!({"tokens": [token], "api_base": "https://www.zohoapis.in", "write_back": zoho("Lead_Status")}),
            Some("crm.zoho.write_back.fields.state is not a field of the seller's own making"),
        ),
        (
            "salesforce",
            json!({"path_secrets": [], "api_base": "https://acme.my.salesforce.com", "write_back": salesforce("v62.0/../x")}),
            Some("crm.salesforce.write_back.api_version is not a plain word"),
        ),
        (
            "freshsales",
            json!({"tokens": [token], "api_base": "https://localhost/crm", "write_back": {"api_key": "k", "fields": fields("cf_state")}}),
            Some("crm.freshsales.api_base is an address of a private network"),
        ),
        (
            "leadsquared",
            json!({"tokens": [token], "api_base": "https://api-in21.leadsquared.com", "write_back": {"access_key": "k", "secret_key": "s", "colour": 1}}),
            Some("crm.leadsquared.write_back.colour is not a setting"),
        ),
    ] {
        let put = |s: &mut Value| if at == "notify" { s[at] = value } else { s["crm"][at] = value };
        let expected: Vec<_> = told.iter().map(|told| format!("acme: {told}")).collect();
        assert_eq!(faults(put), expected, "{at}");
    }
}
