//! What the password is asked for, told from the page that comes next; and where Cancel leads: to the
//! page from which the form of that act is opened.

/// What somebody is about to do.
pub fn act(next: &str) -> &'static str {
    let path = path(next);
    let ends = |end: &str| path.ends_with(end);
    let is_personal = path.starts_with("/profile/keys/");
    match () {
        () if is_webhook(path) && ends("/secret") => "make a new signing secret",
        () if is_webhook(path) && ends("/removal") => "remove a webhook",
        () if is_webhook(path) => "see the signing secret of a webhook",
        () if is_calendar(path) && ends("/link") => "see the address of a calendar feed",
        () if is_calendar(path) => "make the address of a calendar feed",
        () if is_personal && ends("/new") => "make a personal key",
        () if is_personal => "see your new personal key",
        () if ends("/groups/new") => "make a key group with its first key",
        () if ends("/keys/new") => "make a key",
        () if ends("/rotation") => "rotate a key",
        () if ends("/replacement") => "replace a key",
        () if ends("/secret") => "see a key",
        () if ends("/invitations/new") || ends("/invitation") => "invite somebody",
        () if ends("/link") => "see the link of an invitation",
        () if ends("/role") => "change what somebody may do",
        () if path.starts_with("/owners/") && ends("/new") => "name an owner",
        () if path.starts_with("/owners/") => "remove an owner",
        () if ends("/removal") => "remove a member",
        () if ends("/deletion") => "delete a policy",
        () if ends("/suspension") => "suspend a subscription",
        () if ends("/audit") => "download the audit log",
        () => "go on",
    }
}

fn is_webhook(path: &str) -> bool {
    path.contains("/settings/webhooks/")
}

fn is_calendar(path: &str) -> bool {
    path.contains("/settings/calendar/") || path.ends_with("/calendar")
}

/// Where Cancel leads.
pub fn back(next: &str) -> String {
    let path = path(next);
    let before = |part: &str| path.split_once(part).map(|it| it.0);
    for (part, page) in [("webhooks", "notices"), ("calendar", "calendar")] {
        if let Some(place) = before(&format!("/settings/{part}/")) {
            return format!("{place}/settings/{page}");
        }
    }
    if path.ends_with("/audit") {
        return next.to_owned();
    }
    for top in ["/profile/keys", "/subscriptions", "/owners"] {
        if path.strip_prefix(top).is_some_and(|it| it.starts_with('/')) {
            return top.to_owned();
        }
    }
    if let Some(place) = before("/members/").or_else(|| before("/invitations/")) {
        return format!("{place}/members");
    }
    // A dialog over the page of its group.
    let group = before("/keys/").filter(|it| it.contains("/groups/"));
    let above = group.or_else(|| path.rsplit_once('/').map(|it| it.0)).unwrap_or_default();
    if above.is_empty() { "/".to_owned() } else { above.to_owned() }
}

fn path(next: &str) -> &str {
    next.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_act_is_named_and_cancel_leads_to_the_page_of_its_form() {
        for (next, told, cancel) in [
            ("/s/a/groups/new", "make a key group with its first key", "/s/a/groups"),
            ("/s/a/groups/7/keys/new", "make a key", "/s/a/groups/7"),
            ("/s/a/groups/7/keys/8/rotation?x=y", "rotate a key", "/s/a/groups/7"),
            ("/s/a/groups/7/keys/8/secret", "see a key", "/s/a/groups/7"),
            ("/s/a/policies/9/deletion", "delete a policy", "/s/a/policies/9"),
            ("/s/a/members/9/role", "change what somebody may do", "/s/a/members"),
            ("/s/a/invitations/link", "see the link of an invitation", "/s/a/members"),
            (
                "/s/a/settings/webhooks/9",
                "see the signing secret of a webhook",
                "/s/a/settings/notices",
            ),
            ("/s/a/settings/webhooks/9/removal", "remove a webhook", "/s/a/settings/notices"),
            (
                "/s/a/settings/webhooks/9/secret",
                "make a new signing secret",
                "/s/a/settings/notices",
            ),
            (
                "/s/a/settings/calendar/9/link",
                "see the address of a calendar feed",
                "/s/a/settings/calendar",
            ),
            ("/s/a/groups/7/calendar", "make the address of a calendar feed", "/s/a/groups/7"),
            ("/subscriptions/a/invitation", "invite somebody", "/subscriptions"),
            ("/owners/9/removal", "remove an owner", "/owners"),
            ("/profile/keys/new", "make a personal key", "/profile/keys"),
            ("/s/a/audit?since=1", "download the audit log", "/s/a/audit?since=1"),
            ("/profile", "go on", "/"),
            ("/", "go on", "/"),
            ("", "go on", "/"),
        ] {
            assert_eq!((act(next), back(next).as_str()), (told, cancel), "{next}");
        }
    }
}
