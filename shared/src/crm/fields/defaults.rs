//! What each CRM calls the fields of a person, of its own accord or in the set-up that functions/crm-intake/crm/ describes.

use crate::model::{connector::Connector, seller::mapping::Target};

/// The CRM's own names: ways in order of preference, the fields of one way joined by `+`.
pub(super) fn defaults(connector: Connector, target: Target) -> &'static [&'static str] {
    match connector {
        Connector::Standard => plain(target),
        Connector::HubSpot => hubspot(target),
        Connector::Salesforce => salesforce(target),
        Connector::Zoho => zoho(target),
        Connector::LeadSquared => leadsquared(target),
        Connector::Freshsales => freshsales(target),
        Connector::Pipedrive => pipedrive(target),
        Connector::Shopify => shopify(target),
    }
}

fn plain(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["external_id", "id"],
        Target::Name => &["name", "first_name+last_name"],
        Target::Mobile => &["mobile", "phone"],
        Target::Email => &["email"],
        Target::Country => &["country"],
        Target::Pincode => &["pincode"],
        Target::Slot => &["start_at", "slot"],
        Target::Group => &["group"],
        Target::Agent => &["agent"],
        Target::Campaign => &["campaign"],
        Target::Stage => &["stage"],
        Target::Modified => &["updated_at"],
    }
}

fn hubspot(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["hs_object_id", "objectId", "vid"],
        Target::Name => &["name", "firstname+lastname"],
        Target::Mobile => &["mobile", "mobilephone", "phone"],
        Target::Email => &["email"],
        Target::Country => &["hs_country_region_code", "country"],
        Target::Pincode => &["zip", "pincode"],
        Target::Slot => &["slot"],
        Target::Group => &["group"],
        Target::Agent => &["agent"],
        Target::Campaign => &["campaign"],
        Target::Stage => &["lifecyclestage"],
        Target::Modified => &["lastmodifieddate"],
    }
}

fn salesforce(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["Id", "record_id", "Lead_Id__c", "Contact_Id__c", "Record_Id__c"],
        Target::Name => &["Name", "Name__c", "FirstName+LastName", "First_Name__c+Last_Name__c", "name"],
        Target::Mobile => &["MobilePhone", "Mobile__c", "Phone", "Phone__c", "mobile"],
        Target::Email => &["Email", "Email__c", "email"],
        Target::Country => &["CountryCode", "Country", "Country__c", "country"],
        Target::Pincode => &["PostalCode", "MailingPostalCode", "Pincode__c", "pincode"],
        Target::Slot => &["Slot__c", "slot"],
        Target::Group => &["Group__c", "group"],
        Target::Agent => &["Agent__c", "agent"],
        Target::Campaign => &["Campaign__c", "campaign"],
        Target::Stage => &["Status", "StageName", "Stage__c", "stage"],
        Target::Modified => &["LastModifiedDate", "SystemModstamp", "modified"],
    }
}

fn zoho(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["lead_id", "contact_id", "deal_id", "record_id", "id"],
        Target::Name => &["name", "Full_Name", "First_Name+Last_Name"],
        Target::Mobile => &["mobile", "Mobile", "phone", "Phone"],
        Target::Email => &["email", "Email"],
        Target::Country => &["country", "Country", "Mailing_Country"],
        Target::Pincode => &["pincode", "Zip_Code", "Mailing_Zip"],
        Target::Slot => &["slot", "Slot"],
        Target::Group => &["group", "Group"],
        Target::Agent => &["agent", "Agent"],
        Target::Campaign => &["campaign", "Campaign"],
        Target::Stage => &["stage", "Stage", "Lead_Status"],
        Target::Modified => &["modified_time", "Modified_Time"],
    }
}

fn leadsquared(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["ProspectID", "RelatedProspectId"],
        Target::Name => &["FirstName+LastName", "Name"],
        Target::Mobile => &["Mobile", "Phone"],
        Target::Email => &["EmailAddress"],
        Target::Country => &["mx_Country"],
        Target::Pincode => &["mx_Zip"],
        Target::Slot => &["mx_Slot"],
        Target::Group => &["mx_Group"],
        Target::Agent => &["mx_Agent"],
        Target::Campaign => &["SourceCampaign"],
        Target::Stage => &["ProspectStage"],
        Target::Modified => &["ModifiedOn"],
    }
}

fn freshsales(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["record_id", "id"],
        Target::Name => &["name", "display_name", "first_name+last_name"],
        Target::Mobile => &["mobile", "mobile_number", "phone", "work_number"],
        Target::Email => &["email"],
        Target::Country => &["country"],
        Target::Pincode => &["pincode", "zipcode"],
        Target::Slot => &["slot"],
        Target::Group => &["group"],
        Target::Agent => &["agent"],
        Target::Campaign => &["campaign"],
        Target::Stage => &["stage"],
        Target::Modified => &["updated_at"],
    }
}

fn pipedrive(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["id"],
        Target::Name => &["name", "first_name+last_name"],
        Target::Mobile => &["phones.0.value", "phone.0.value", "phone"],
        Target::Email => &["emails.0.value", "email.0.value", "primary_email"],
        Target::Country => &["postal_address.country"],
        Target::Pincode => &["postal_address.postal_code"],
        Target::Slot => &["slot"],
        Target::Group => &["group"],
        Target::Agent => &["agent"],
        Target::Campaign => &["campaign"],
        Target::Stage => &["deal.stage_id"],
        Target::Modified => &["update_time"],
    }
}

fn shopify(target: Target) -> &'static [&'static str] {
    match target {
        Target::Id => &["id"],
        Target::Name => &[
            "first_name+last_name",
            "customer.first_name+customer.last_name",
            "shipping_address.name",
            "billing_address.name",
        ],
        Target::Mobile => &[
            "phone",
            "default_address.phone",
            "customer.phone",
            "shipping_address.phone",
            "billing_address.phone",
            "customer.default_address.phone",
        ],
        Target::Email => &["email", "customer.email"],
        Target::Country => &[
            "default_address.country_code",
            "shipping_address.country_code",
            "billing_address.country_code",
            "customer.default_address.country_code",
        ],
        Target::Pincode => &["default_address.zip", "shipping_address.zip", "billing_address.zip"],
        Target::Slot => &["slot"],
        Target::Group => &["group"],
        Target::Agent => &["agent"],
        Target::Campaign => &["campaign"],
        Target::Stage => &["state", "financial_status"],
        Target::Modified => &["updated_at"],
    }
}
