//! As much of HTML as it takes to read our own forms.

/// A start tag: its attributes, and what stands between it and the next tag.
pub(super) struct Tag {
    attributes: Vec<(String, String)>,
    pub(super) text: String,
}

impl Tag {
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|it| it.0 == name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }
}

/// All start tags of one element, in order.
pub(super) fn tags(page: &str, element: &str) -> Vec<Tag> {
    let start = format!("<{element}");
    let starts = page.match_indices(&start).map(|it| it.0 + start.len());
    starts.filter_map(|at| tag(&page[at..])).collect()
}

/// From behind the element's name on.
fn tag(text: &str) -> Option<Tag> {
    if !text.starts_with([' ', '\n', '\t', '>', '/']) {
        return None; // another element, whose name starts alike
    }
    let mut attributes = Vec::new();
    let mut rest = text.trim_start();
    while !rest.starts_with('>') {
        if let Some(behind) = rest.strip_prefix('/') {
            rest = behind.trim_start();
            continue;
        }
        let end = rest.find(|it: char| it.is_whitespace() || "=>/".contains(it))?;
        let name = rest[..end].to_owned();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(behind) = rest.strip_prefix('=') {
            let quoted = behind.strip_prefix('"').map(|it| (it, it.find('"')));
            let bare = || (behind, behind.find(|it: char| it.is_whitespace() || it == '>'));
            let (from, end) = quoted.unwrap_or_else(bare);
            value = &from[..end?];
            rest = from[end?..].trim_start_matches('"').trim_start();
        }
        attributes.push((name, unescaped(value)));
    }
    let text = rest[1..].split('<').next().unwrap_or_default();
    Some(Tag { attributes, text: unescaped(text) })
}

/// Of radio buttons and check boxes the marked one counts.
pub(super) fn field(page: &str, name: &str) -> Option<String> {
    let named = |it: &Tag| it.value("name") == Some(name);
    let boxes = ["radio", "checkbox"];
    let inputs = tags(page, "input").into_iter().filter(named).filter(|it| {
        let is_box = it.value("type").is_some_and(|it| boxes.contains(&it));
        !is_box || it.has("checked")
    });
    let mut values = inputs.map(|it| it.value("value").unwrap_or_default().to_owned());
    let text = || tags(page, "textarea").into_iter().find(named).map(|it| it.text);
    values.next().or_else(text).or_else(|| selected(page, name))
}

fn selected(page: &str, name: &str) -> Option<String> {
    let is_named = |it: &&str| it.split('>').next().unwrap().contains(&format!("name=\"{name}\""));
    let select = page.split("<select").skip(1).find(is_named)?.split("</select>").next()?;
    let chosen = tags(select, "option").into_iter().find(|it| it.has("selected"))?;
    chosen.value("value").map(str::to_owned)
}

pub(super) fn unescaped(text: &str) -> String {
    let names = [("&#34;", "\""), ("&#39;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">")];
    let numbers = [("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&"), ("&amp;", "&")];
    let all = names.iter().chain(&numbers);
    all.fold(text.to_owned(), |text, (escaped, it)| text.replace(escaped, it))
}

#[test]
fn fields_are_read_as_a_browser_reads_them() {
    let page = r#"<input name="a" value="1 &#38;lt; 2"><input type=radio name=b value=x>
        <input type="radio" name="b" value="y" checked /><textarea name="c">l&#60;t</textarea>
        <input name=d disabled><select name="s"><option value="1">a<option value="2" selected>b</select>"#;
    let read = ["a", "b", "c", "d", "e", "s"].map(|it| field(page, it));
    let expected = [Some("1 &lt; 2"), Some("y"), Some("l<t"), Some(""), None, Some("2")];
    assert_eq!(read, expected.map(|it| it.map(str::to_owned)));
}
