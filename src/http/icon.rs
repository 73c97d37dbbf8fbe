//! Icons for templates: `{{ crate::http::icon("plus") }}`.
use std::fmt;

use super::assets;

/// One symbol of the sprite. Decoration: a word stands beside it, or a label on its button.
pub struct Icon {
    name: &'static str,
    class: &'static str,
}

/// 16 px.
pub fn icon(name: &'static str) -> Icon {
    Icon { name, class: "i" }
}

/// 14 px.
pub fn small_icon(name: &'static str) -> Icon {
    Icon { name, class: "i i-s" }
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, class } = self;
        let path = assets::icon(name);
        write!(f, r#"<svg class="{class}" aria-hidden="true"><use href="{path}"/></svg>"#)
    }
}

/// Names and classes are ours: nothing to escape.
impl askama::filters::HtmlSafe for Icon {}
