//! Rows of the route table as paths that can be asked for.
use keyward::{http::assets, server::Route};

use super::Things;

/// Of these things of `acme`, where the route has one. Its token is one that was never made.
#[track_caller]
pub(crate) fn path_to(route: &Route, of: &Things) -> String {
    let path = route.path.replace("{slug}", "acme").replace("{token}", "never-made");
    let path = path.replace("{service}", "orders").replace("{owner}", &of.owner.to_string());
    // Personal keys belong to one person: whoever walks has none of this id.
    let path = ["{personal_key}", "{key_id}"]
        .iter()
        .fold(path, |path, name| path.replace(name, "8bb11574-0385-43dd-92a4-ad285d9f3d30"));
    let path = path.replace("{space}", "acme").replace("{access}", "1");
    let path = path.replace("/static/{hash}/{name}", &assets::url("app.css"));
    let path = of.ids().iter().fold(path, |path, (name, id)| path.replace(name, &id.to_string()));
    assert!(!path.contains('{'), "{path}: no test knows this placeholder");
    path
}

impl Things {
    /// What a route calls them, and their ids.
    pub(crate) fn ids(&self) -> [(&'static str, uuid::Uuid); 13] {
        [
            ("{group}", self.key.key_group_id),
            ("{key}", self.key.id),
            ("{policy}", self.policy),
            ("{user_group}", self.user_group),
            ("{workspace}", self.workspace),
            ("{role}", self.role),
            ("{edit}", self.edit),
            ("{member}", self.member),
            ("{invitation}", self.invitation),
            ("{webhook}", self.webhook),
            ("{delivery}", self.delivery),
            ("{feed}", self.feed),
            ("{automation_token}", self.automation_token),
        ]
    }
}
