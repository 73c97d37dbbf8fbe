//! Text that people and callers leave behind is shown as text, on every page (SECURITY.md, O19).
use keyward::domain::Role;
use thirtyfour::prelude::*;

use super::scene::{Scene, Texts, owners};
use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    on_sqlite,
};

on_sqlite! {
    hostile_texts_are_text_on_every_page,
}

const HOSTILE: Texts = Texts {
    name: r#""><img src=x onerror=alert(1)>"#,
    description: "</title></script><script>alert(2)</script>{{7*7}}${7*7}<%= 7*7 %>",
    contact: "javascript:alert(3)//'-alert(3)-'",
    email: "noor@northwind.example",
    note: "<svg/onload=alert(4)><style>*{display:none}</style>' autofocus onfocus='alert(4)",
    agent: r#"<img src=x onerror=alert(5)>" onmouseover="alert(5)"#,
    subscription: r#"'"><details open ontoggle=alert(6)><!--"#,
};

/// Before any script of the page: notes what hostile text may set off.
const WATCH: &str = "
    window.setOff = [];
    for (const name of ['alert', 'confirm', 'prompt'])
      window[name] = (text) => setOff.push(`${name} ${text}`);
    addEventListener('securitypolicyviolation', (e) => setOff.push(
      `${e.violatedDirective} ${e.blockedURI} ${e.sample}`), true);";

/// Elements and attributes that no template has.
const PLANTED: &str = "main img, nav img, dialog img, svg[onload], body script, body style, \
                       details[ontoggle], [onerror], [onmouseover], [onfocus], a[href^=javascript]";

async fn harmless(it: &Browser, name: &str) -> WebDriverResult<()> {
    let set_off: Vec<String> = it.ask("setOff").await?;
    assert!(set_off.is_empty(), "{name} sets off {set_off:#?}");
    let planted: Vec<String> = it
        .ask(&format!("[...document.querySelectorAll('{PLANTED}')].map((it) => it.outerHTML)"))
        .await?;
    assert!(planted.is_empty(), "{name} has {planted:#?}");
    Ok(())
}

async fn hostile_texts_are_text_on_every_page(app: &TestApp) {
    let scene = Scene::set(app, &HOSTILE).await;
    let owner = app.owner_user().await.email;
    browse(app, Look::DESKTOP, |it| async move {
        it.on_every_page(WATCH).await?;
        it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
        for stop in scene.pages().iter().chain(&scene.rights()).chain(&scene.dialogs()) {
            it.visit(stop).await?;
            harmless(&it, stop.name).await?;
        }
        // It was there to be set off: as text, where people read it.
        it.open(&scene.group).await?;
        for text in [HOSTILE.name, HOSTILE.description, HOSTILE.contact, HOSTILE.note] {
            it.says(text).await?;
        }
        it.says(HOSTILE.subscription).await?;
        it.open(&scene.used).await?;
        it.says(HOSTILE.agent).await?;
        it.open(&format!("{}/keys/new", scene.group)).await?;
        it.fill("note", HOSTILE.note).await?;
        it.set("#until", "2027-06-01T00:00").await?;
        it.until("document.querySelector('#preview svg')").await?;
        it.click("dialog button[value=create]").await?;
        it.wait("dialog[data-secret]:modal").await?;
        it.says(HOSTILE.name).await?;
        harmless(&it, "secret").await?;
        it.delete_all_cookies().await?;
        it.sign_in(&owner).await?;
        for stop in &owners() {
            it.visit(stop).await?;
            harmless(&it, stop.name).await?;
        }
        // What is typed into an address or a form and comes back at once.
        it.open("/subscriptions").await?;
        it.says(HOSTILE.subscription).await?;
        it.open("/sign-in?next=/%22%3E%3Cimg%20src=x%20onerror=alert(7)%3E").await?;
        harmless(&it, "next").await
    })
    .await;
}
