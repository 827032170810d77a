//! One trigger for each connector, as its CRM would send it, as commands to paste.

use crate::demo::{CRM_SECRET, HUBSPOT_URL, ORGANIZATION, SELLER, SIGNING_KEY};

/// In bash, with curl and openssl.
pub fn crms(api: &str, sim: &str) -> String {
    let json = "-H 'Content-Type: application/json'";
    let token = format!("-H 'X-Frontdesk-Token: {CRM_SECRET}'");
    let crm = format!("{api}/v1/crm/{SELLER}");
    format!(
        r#"# A CRM triggers a call, signed as Standard Webhooks ask.
body='{{"lead":{{"external_id":"9021003","name":"Ravi Example","mobile":"+919000000003"}}}}'; id=msg_$RANDOM; at=$(date +%s)
signature=$(printf '%s' "$id.$at.$body" | openssl dgst -sha256 -hmac '{SIGNING_KEY}' -binary | openssl base64 -A)
curl -sS -w '\n' {crm}/standard {json} -d "$body" \
  -H "webhook-id: $id" -H "webhook-timestamp: $at" -H "webhook-signature: v1,$signature"

# HubSpot: a custom workflow action, which then waits to be called back.
body='{{"callbackId":"ap-1","object":{{"objectId":614,"objectType":"CONTACT"}},"inputFields":{{"name":"Hari Example","mobile":"+919000000011"}}}}'
signature=$(printf '%s' '{CRM_SECRET}POST{HUBSPOT_URL}'"$body" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
curl -sS -w '\n' {crm}/hubspot {json} -d "$body" -H 'X-HubSpot-Signature-Version: v2' -H "X-HubSpot-Signature: $signature"

# HubSpot: an app's webhook carries ids; the contact is read back.
curl -sS -w '\n' {sim}/_sim/records {json} \
  -d '{{"name":"hubspot/contacts/615","record":{{"firstname":"Hema","lastname":"Example","mobilephone":"+919000000012"}}}}'
at=$(date +%s)000; body='[{{"eventId":1,"portalId":1,"occurredAt":'$at',"subscriptionType":"contact.creation","objectId":615}}]'
signature=$(printf '%s' 'POST{HUBSPOT_URL}'"$body$at" | openssl dgst -sha256 -hmac '{CRM_SECRET}' -binary | openssl base64 -A)
curl -sS -w '\n' {crm}/hubspot {json} -d "$body" -H "X-HubSpot-Request-Timestamp: $at" -H "X-HubSpot-Signature-v3: $signature"

# Salesforce: an outbound message. One Ack for all that it holds.
curl -sS -w '\n' {crm}/salesforce/{CRM_SECRET} -H 'Content-Type: text/xml' -d '<soapenv:Envelope
  xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
  <OrganizationId>{ORGANIZATION}</OrganizationId><Notification><Id>04l000000000001AAA</Id>
  <sObject xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>00Q000000000001AAA</sf:Id><sf:Name>Sara Example</sf:Name>
  <sf:MobilePhone>+919000000013</sf:MobilePhone></sObject></Notification></notifications></soapenv:Body></soapenv:Envelope>'

# Salesforce: a flow's HTTP callout, answered flat.
curl -sS -w '\n' {crm}/salesforce {json} {token} -H 'Prefer: wait=10' \
  -d '{{"organization_id":"{ORGANIZATION}","record_id":"00Q000000000002AAA","name":"Sami Example","mobile":"+919000000014"}}'

# Zoho: a workflow's webhook, as a form.
curl -sS -w '\n' {crm}/zoho {token} -d 'lead_id=4150868000004&name=Zoya+Example&mobile=%2B919000000015&stage=Contacted'

# LeadSquared.
curl -sS -w '\n' {crm}/leadsquared {json} {token} \
  -d '{{"ProspectID":"a3110000-0e56-4601-b580-f931645e7b32","FirstName":"Lata","LastName":"Example","Phone":"+91-9000000016","ProspectStage":"Prospect"}}'

# Freshsales. Without a number it is parked, and told why.
curl -sS -w '\n' {crm}/freshsales {json} {token} -d '{{"record_id":"70000123","name":"Farah Example","mobile":"9000000017","stage":"Qualified"}}'
curl -sS -w '\n' {crm}/freshsales {json} {token} -d '{{"record_id":"70000124","name":"Nobody Example","stage":"Qualified"}}'
curl -sS -w '\n' {crm}/parked -H 'Authorization: Bearer {key}'

# Pipedrive: a person comes whole.
curl -sS -w '\n' {crm}/pipedrive {json} -u 'demo:{CRM_SECRET}' \
  -d '{{"meta":{{"action":"create","entity":"person","id":"6ba407fc-1","version":"2.0"}},"data":{{"id":18,"name":"Piya Example","phones":[{{"value":"+919000000018"}}]}}}}'

# Shopify, signed over the raw body.
body='{{"id":19,"first_name":"Shan","last_name":"Example","phone":"+919000000019"}}'
signature=$(printf '%s' "$body" | openssl dgst -sha256 -hmac '{CRM_SECRET}' -binary | openssl base64 -A)
curl -sS -w '\n' {crm}/shopify {json} -d "$body" -H 'X-Shopify-Topic: customers/create' -H 'X-Shopify-Event-Id: event-1' \
  -H "X-Shopify-Hmac-Sha256: $signature"
"#,
        key = crate::demo::API_KEY
    )
}
