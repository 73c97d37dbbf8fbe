//! Every page for everybody: axe-core against WCAG 2.2 AA in both themes on desktop and phone, and
//! no page wider than a small phone. With `KEYWARD_SHOTS=<folder>` each page is also pictured.
use std::{env, path::Path};

use keyward::{config::Config, domain::Role, installation, members, subscriptions};
use thirtyfour::prelude::*;

use super::scene::{PLAIN, Scene, Stop, Texts, owners};
use crate::support::{
    Database, TestApp,
    browser::{Browser, Look, browse},
    on_sqlite,
};

on_sqlite! {
    pages_of_a_subscription_are_accessible,
    pages_of_access_are_accessible,
    dialogs_are_accessible,
    the_key_that_is_shown_once_is_accessible,
    the_owners_pages_are_accessible,
    the_ways_in_are_accessible,
    the_set_up_page_is_accessible,
    the_refusal_of_plain_http_is_accessible,
    names_of_a_hundred_letters_make_no_page_wider_than_a_small_phone,
}

pub(super) const DESKTOP: Look = Look { width: 1440, ..Look::DESKTOP };
const SMALL: Look = Look { width: 320, height: 640, ..Look::PHONE };

impl Browser {
    pub(super) async fn visit(&self, stop: &Stop) -> WebDriverResult<()> {
        self.look(DESKTOP).await?;
        self.open(&stop.path).await?;
        self.wait("main").await?;
        for target in stop.clicks {
            self.click(target).await?;
        }
        self.until("document.readyState === 'complete'").await
    }

    /// What is wrong with the page that is shown, in any look. Takes its pictures if wanted.
    pub(super) async fn faults(&self, name: &str) -> WebDriverResult<Vec<String>> {
        let mut faults = Vec::new();
        for (size, look) in [("desktop", DESKTOP), ("phone", Look::PHONE)] {
            for (theme, dark) in [("light", false), ("dark", true)] {
                self.look(Look { dark, ..look }).await?;
                // Each size once whole, and each theme: the other two differ in their colours only.
                let found = match dark == (size == "phone") {
                    true => self.accessibility_faults().await?,
                    false => self.colour_faults().await?,
                };
                faults.extend(found.iter().map(|it| format!("{name}, {size}, {theme}: {it}")));
                if let Some(folder) = env::var_os("KEYWARD_SHOTS") {
                    let file = format!("{name}-{size}-{theme}.png");
                    self.screenshot(&Path::new(&folder).join(file)).await?;
                }
            }
        }
        faults.extend(self.too_wide(name).await?);
        Ok(faults)
    }

    pub(super) async fn too_wide(&self, name: &str) -> WebDriverResult<Option<String>> {
        const WIDTHS: &str = "[document.documentElement.scrollWidth, innerWidth]";
        self.look(SMALL).await?;
        let [needed, there]: [u32; 2] = self.ask(WIDTHS).await?;
        assert_eq!(there, SMALL.width);
        Ok((needed > there).then(|| format!("{name} needs {needed} px at {there}")))
    }

    pub(super) async fn faults_along(&self, way: &[Stop]) -> WebDriverResult<Vec<String>> {
        let mut faults = Vec::new();
        for stop in way {
            self.visit(stop).await?;
            faults.extend(self.faults(stop.name).await?);
        }
        Ok(faults)
    }
}

#[track_caller]
pub(super) fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

async fn admin(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await
}

async fn pages_of_a_subscription_are_accessible(app: &TestApp) {
    let scene = Scene::set(app, &PLAIN).await;
    browse(app, DESKTOP, |it| async move {
        admin(&it, app).await?;
        let mut faults = it.faults_along(&scene.pages()).await?;
        // The navigation of a phone, and a message that can be undone.
        it.look(Look::PHONE).await?;
        it.open(&scene.group).await?;
        it.click("button[popovertarget=nav]").await?;
        faults.extend(it.faults("navigation").await?);
        it.look(DESKTOP).await?;
        it.open("/profile").await?;
        it.click("main form button").await?;
        it.wait(".flash").await?;
        faults.extend(it.faults("profile-saved").await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn pages_of_access_are_accessible(app: &TestApp) {
    let scene = Scene::set(app, &PLAIN).await;
    browse(app, DESKTOP, |it| async move {
        admin(&it, app).await?;
        none(&it.faults_along(&scene.rights()).await?);
        Ok(())
    })
    .await;
}

async fn dialogs_are_accessible(app: &TestApp) {
    let scene = Scene::set(app, &PLAIN).await;
    browse(app, DESKTOP, |it| async move {
        admin(&it, app).await?;
        none(&it.faults_along(&scene.dialogs()).await?);
        Ok(())
    })
    .await;
}

async fn the_key_that_is_shown_once_is_accessible(app: &TestApp) {
    let scene = Scene::set(app, &PLAIN).await;
    browse(app, DESKTOP, |it| async move {
        admin(&it, app).await?;
        it.open(&format!("{}/keys/new", scene.group)).await?;
        it.click("dialog button[value=create]").await?;
        it.wait("dialog[data-secret]:modal").await?;
        let mut faults = it.faults("secret").await?;
        it.look(DESKTOP).await?;
        it.click("[data-copy]").await?;
        it.click("details.try summary").await?;
        faults.extend(it.faults("secret-copied").await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn the_owners_pages_are_accessible(app: &TestApp) {
    Scene::set(app, &PLAIN).await;
    let owner = app.owner_user().await.email;
    app.subscription("without-an-admin").await;
    browse(app, DESKTOP, |it| async move {
        it.sign_in(&owner).await?;
        let mut faults = it.faults_along(&owners()).await?;
        it.look(DESKTOP).await?;
        it.open("/subscriptions/without-an-admin/invitation").await?;
        it.fill("email", "ada@northwind.example").await?;
        it.click("dialog button.primary").await?;
        it.wait("dialog[data-secret]:modal").await?;
        faults.extend(it.faults("invitation-link").await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn the_ways_in_are_accessible(app: &TestApp) {
    let member = app.user("acme", Role::Member).await.email;
    let to = subscriptions::by_slug(&app.db, "hq").await.unwrap();
    let actor = app.desk("acme").await.act().actor;
    let invite = async |email: &str| {
        let wanted = (email, Role::Admin);
        members::invite(app, &to, wanted, &actor, app.clock.now()).await.unwrap()
    };
    let (new, known) = (invite("new@acme.example").await, invite(&member).await);
    browse(app, DESKTOP, |it| async move {
        let way = |name, path| Stop { name, path, clicks: &[] };
        let ways = [
            way("sign-in", "/sign-in".to_owned()),
            way("invitation", format!("/invitations/{new}")),
            way("invitation-known", format!("/invitations/{known}")),
        ];
        let mut faults = it.faults_along(&ways).await?;
        it.look(DESKTOP).await?;
        it.open("/sign-in").await?;
        it.fill("email", &member).await?;
        it.fill("password", "not the password at all").await?;
        it.click("form button").await?;
        it.wait("#password-error").await?;
        faults.extend(it.faults("sign-in-wrong").await?);
        app.clock.advance(chrono::TimeDelta::seconds(2)); // what a wrong one costs
        it.look(DESKTOP).await?;
        it.sign_in(&member).await?;
        app.clock.advance(chrono::TimeDelta::minutes(6));
        it.open("/confirm-password").await?;
        faults.extend(it.faults("confirm-password").await?);
        it.look(DESKTOP).await?;
        it.fill("password", "not the password at all").await?;
        it.turn("form button").await?;
        it.wait("#password-error").await?;
        faults.extend(it.faults("confirm-password-wrong").await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn the_set_up_page_is_accessible(app: &TestApp) {
    let link = installation::setup_link(app).await.unwrap().unwrap();
    let path = link.replace(&app.site.origin, "");
    browse(app, DESKTOP, |it| async move {
        let mut faults = it.faults_along(&[Stop { name: "set-up", path, clicks: &[] }]).await?;
        it.look(DESKTOP).await?;
        for field in ["name", "password", "subscription"] {
            it.fill(field, "   spaces   only   ").await?;
        }
        it.fill("name", " ").await?;
        it.fill("email", "olga@example").await?;
        it.click("form button").await?;
        it.wait(".error-summary").await?;
        faults.extend(it.faults("set-up-refused").await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn the_refusal_of_plain_http_is_accessible(database: &Database) {
    let in_the_lan = |it: &mut Config| {
        let url = format!("http://keyward.test:{}", it.bind.port());
        it.public_url = Some(url.parse().unwrap());
    };
    let app = TestApp::start_with(*database, in_the_lan).await;
    browse(&app, DESKTOP, |it| async move {
        let path = "/sign-in".to_owned();
        none(&it.faults_along(&[Stop { name: "plain-http", path, clicks: &[] }]).await?);
        Ok(())
    })
    .await;
    app.stop().await;
}

/// As many letters as a name may have on a page without a place to break it.
macro_rules! hundred {
    ($ten:literal) => {
        concat!($ten, $ten, $ten, $ten, $ten, $ten, $ten, $ten, $ten, $ten)
    };
}

const LONG: Texts = Texts {
    name: hundred!("quoteWWWen"),
    description: hundred!("describeds"),
    contact: concat!(hundred!("pricingtea"), "@example.com"),
    email: concat!(hundred!("noorhaddad"), "@example.com"),
    note: hundred!("pragueblue"),
    agent: hundred!("quoteagent"),
    subscription: hundred!("NorthwindR"),
};

async fn names_of_a_hundred_letters_make_no_page_wider_than_a_small_phone(app: &TestApp) {
    let scene = Scene::set(app, &LONG).await;
    let owner = app.owner_user().await.email;
    browse(app, DESKTOP, |it| async move {
        admin(&it, app).await?;
        let mut faults = Vec::new();
        for stop in scene.pages().iter().chain(&scene.rights()).chain(&scene.dialogs()) {
            it.visit(stop).await?;
            faults.extend(it.too_wide(stop.name).await?);
        }
        it.look(DESKTOP).await?;
        it.make_group("acme", hundred!("anothernam")).await?;
        faults.extend(it.too_wide("secret").await?);
        it.delete_all_cookies().await?;
        it.look(DESKTOP).await?;
        it.sign_in(&owner).await?;
        for stop in &owners() {
            it.visit(stop).await?;
            faults.extend(it.too_wide(stop.name).await?);
        }
        none(&faults);
        Ok(())
    })
    .await;
}
