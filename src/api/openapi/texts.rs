//! Schemas of values whose rule no Rust type tells. Each is the rule of `domain` said once more, in
//! words that programs read; a fuzzer holds the two together.
use std::borrow::Cow;

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, Type},
    },
};

/// What `str::trim` takes away.
const SPACE: &str =
    r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// `domain::text::is_invisible`.
const HIDDEN: &str = r"\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff";

/// A line of text, around which spaces do not count: `least` is 0 or 1.
fn line(least: u8, most: u16) -> String {
    let inner = most - 2;
    let optional = if least == 0 { "?" } else { "" };
    format!(
        "^[{SPACE}]*([^{SPACE}{HIDDEN}]([^{HIDDEN}]{{0,{inner}}}[^{SPACE}{HIDDEN}])?){optional}[{SPACE}]*$"
    )
}

macro_rules! texts {
    ($($type:ident $name:literal: $pattern:expr, $text:literal;)*) => {$(
        pub struct $type;

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let it = ObjectBuilder::new().schema_type(Type::String);
                it.pattern(Some($pattern)).description(Some($text)).into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )*};
}

macro_rules! words {
    ($($type:ident $name:literal: [$($word:literal),*], $text:literal;)*) => {$(
        pub struct $type;

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let it = ObjectBuilder::new().schema_type(Type::String);
                it.enum_values(Some([$($word),*])).description(Some($text)).into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )*};
}

texts! {
    Name "Name": line(1, 100),
        "1 to 100 characters on one line, without control characters. Spaces around it do not count.";
    Description "Description": line(0, 500),
        "At most 500 characters on one line, without control characters. Spaces around it do not count.";
    Contact "Contact": line(0, 200),
        "Whom to ask: at most 200 characters on one line.";
    Note "Note": line(0, 200),
        "At most 200 characters on one line, without control characters.";
    PermissionName "PermissionName": r"^[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._:/-]{1,100}$",
        "A permission: the service's name, a colon, and an action.";
    WorkspaceSlug "WorkspaceSlug": "^[a-z0-9-]{2,63}$",
        "The short name of a workspace: 2 to 63 of a-z, 0-9 and -.";
    NewSlug "NewWorkspaceSlug": format!("^[{SPACE}]*([a-z0-9-]{{2,63}})?[{SPACE}]*$"),
        "2 to 63 of a-z, 0-9 and -. Empty: it is made from the name.";
    ChosenKey "ChosenKey": "^[!-~]{10,128}$",
        "Of a `token` group, 20 to 128 of A-Z, a-z, 0-9 and -; of a client, 10 to 30 visible ASCII characters of at least three classes. A text that could be guessed is refused.";
    Cursor "Cursor": "^-?[0-9]{1,18}_[0-9a-f]{32}$",
        "`next_cursor` of the page before, as it is.";
    PermissionCursor "PermissionCursor": r"^[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._:/-]{1,100}$",
        "`next_cursor` of the page before, as it is.";
    QueryText "QueryText": r"^[^\u0000]*$",
        "Any text without the character U+0000.";
}

words! {
    CoverageState "CoverageState": ["covered", "runs_out", "gap", "forever", "nothing"],
        "Whether the keys of a group follow each other without a gap.";
    StatusWord "Status": ["active", "active_in_the_future", "expired", "deactivated"],
        "What a key is at the time of the answer.";
    OverlapWord "Overlap": ["now", "1h", "24h", "7d", "own"],
        "How long the key that gives way still works; `own` is until its own end.";
    OutcomeWord "Outcome": ["done", "refused"],
        "Whether it was done.";
    DenialWord "DenialCode": [
        "unknown", "expired", "revoked", "deactivated", "not_yet_active", "suspended",
        "insufficient_permissions"
    ], "Why a secret is not accepted. What belongs to another subscription is unknown.";
    AcceptedWord "AcceptedCode": ["accepted"], "It is accepted.";
}

/// Actions of a service with their descriptions.
pub fn actions() -> Schema {
    let text =
        |pattern: String| ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    let names = format!("^[{SPACE}]*[A-Za-z0-9._:/-]{{1,100}}[{SPACE}]*$");
    let described = text(line(0, 300)).description(Some("What the action lets a key do."));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Actions, as they stand behind the colon, each with its description."))
        .property_names(Some(text(names)))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(described.into()))))
        .examples([json!({ "read": "Read orders", "write": "Change orders" })])
        .into()
}
