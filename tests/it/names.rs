//! A name that nobody can see is none, and what Popin is told of a person is text that can be printed.

use serde_json::{Value, json};
use system_tests::{
    crm_ways::{ORGANIZATION, Way, outbound},
    shop::{Shop, lead},
};

/// Nothing that anybody sees: control characters, zero width, directions, fillers.
const INVISIBLE: [&str; 9] = [
    "\u{200b}",
    "\u{202e}",
    "\u{0}\u{7}",
    " \r\n\t ",
    "\u{feff}\u{2060}\u{200d}",
    "\u{2066}\u{2069}",
    "\u{ad}\u{34f}\u{3164}",
    "\u{e0041}\u{fe0f}",
    "\u{85}\u{2028}",
];

fn named(name: &str) -> Value {
    let mut body = lead(1);
    body["lead"]["name"] = name.into();
    body
}

#[tokio::test(start_paused = true)]
async fn name_that_nobody_can_see_is_missing_at_every_door() {
    for name in INVISIBLE {
        let shop = Shop::with_crms().await;
        let said = shop.book("k-1", None, &named(name)).await;
        assert_eq!((said.status.as_u16(), said.code()), (400, "lead_name_missing"), "{name:?}");
        let said = shop.trigger("msg_1", &named(name)).await;
        assert_eq!((said.status.as_u16(), said.code()), (400, "lead_name_missing"), "{name:?}");
        let flat = json!({"record_id": "1", "name": name, "mobile": "9000000001"});
        Way::Freshsales.send(&shop, &flat.to_string()).await;
        // Our own form at a CRM's door.
        Way::Freshsales.send(&shop, &named(name).to_string()).await;
        let listed = shop.parked_list("").await;
        let codes: Vec<_> = listed.body["parked"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
        assert_eq!((codes, shop.bookings().len()), (vec![json!("lead_name_missing"); 2], 0), "{name:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_name_can_be_printed() {
    // Our own doors say what is wrong; around a name it costs nothing.
    for (name, taken) in [
        ("\r\n\u{feff} Asha Example\u{200b}\r\n", Some("Asha Example")),
        ("Asha\r\nBcc: x", None),
        ("Asha\u{202e}elpmaxE", None),
        ("Asha\u{0}Example", None),
        ("Asha\u{200b}Example", None),
        ("\u{915}\u{94d}\u{200d}\u{937}", Some("\u{915}\u{94d}\u{200d}\u{937}")),
        ("\u{646}\u{6cc}\u{200c}\u{645}\u{627}", Some("\u{646}\u{6cc}\u{200c}\u{645}\u{627}")),
        (
            "Zo\u{eb} O\u{2019}Neill-\u{674e} \u{1f469}\u{200d}\u{1f680}",
            Some("Zo\u{eb} O\u{2019}Neill-\u{674e} \u{1f469}\u{200d}\u{1f680}"),
        ),
    ] {
        let shop = Shop::with_crms().await;
        let said = shop.book("k-1", Some(10), &named(name)).await;
        match taken {
            None => assert_eq!((said.status.as_u16(), said.code()), (400, "lead_name_invalid"), "{name:?}"),
            Some(taken) => {
                assert_eq!(said.status, 201, "{name:?} {said:?}");
                assert_eq!(captured(&shop), taken, "{name:?}");
            }
        }
    }
    // A CRM's merge field may have a line break: its lead is called all the same.
    for (name, taken) in [
        ("Asha\r\nExample", "Asha Example"),
        ("Asha\tExample\n", "Asha Example"),
        ("Asha\u{202e} \u{200b}Example\u{202c}", "Asha Example"),
        ("\u{1}Asha\u{1f}Example", "Asha Example"),
    ] {
        for way in [Way::Freshsales, Way::LeadSquared] {
            let shop = Shop::with_crms().await;
            let mut body: Value = serde_json::from_str(&way.body(1)).unwrap();
            for (field, value) in [("name", name), ("FirstName", name), ("LastName", "\u{200b}")] {
                if let Some(field) = body.get_mut(field) {
                    *field = value.into();
                }
            }
            assert_eq!(way.send(&shop, &body.to_string()).await.status, 200);
            shop.settle().await;
            assert_eq!(captured(&shop), taken, "{way:?} {name:?}");
        }
    }
    let shop = Shop::with_crms().await;
    let body = outbound(ORGANIZATION, &[1]).replace("Asha Example", "Asha&#xD;&#xA;Example&#x202E;");
    Way::Outbound.send(&shop, &body).await;
    shop.settle().await;
    assert_eq!(captured(&shop), "Asha Example");
}

/// The name that Popin was told.
fn captured(shop: &Shop) -> String {
    let doc: Value = serde_json::from_str(shop.bookings()[0]["doc"].as_str().unwrap()).unwrap();
    doc["lead"]["name"].as_str().unwrap().to_owned()
}
