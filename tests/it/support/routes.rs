//! Rows of the route table as paths that can be asked for.
use keyward::{http::assets, key_instances::KeyInstance, server::Route};

/// Of this key of `acme`, where the route has one. Its token is one that was never made.
#[track_caller]
pub(crate) fn path_to(route: &Route, key: &KeyInstance) -> String {
    let (group, id) = (key.key_group_id.to_string(), key.id.to_string());
    let path = route.path.replace("{slug}", "acme").replace("{token}", "never-made");
    let path = path.replace("{group}", &group).replace("{key}", &id);
    let path = path.replace("/static/{hash}/{name}", &assets::url("app.css"));
    assert!(!path.contains('{'), "{path}: no test knows this placeholder");
    path
}
