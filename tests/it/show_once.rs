//! A secret is shown once, to whoever made it, and works at once.
use crate::support::{Answer, Person, TestApp, on_both};

on_both! {
    a_key_made_on_the_pages_is_accepted_at_once,
    a_custom_key_is_accepted_with_its_tenants_name_only,
    a_reload_shows_the_same_key_until_it_is_acknowledged,
    another_browser_of_the_same_admin_does_not_see_it,
    a_form_sent_twice_makes_one_key,
    the_secret_is_stored_nowhere,
}

/// An admin of `acme` and the path of a group there.
async fn group(app: &TestApp) -> (Person<'_>, String) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    (app.admin("acme").await, format!("/s/acme/groups/{group}"))
}

/// Of the page that shows a secret: the path that it was served at.
fn path_of_form(page: &Answer) -> String {
    let action = page.text().split("action=\"").find_map(|it| it.split_once("/acknowledgement\""));
    action.unwrap().0.to_owned()
}

async fn a_key_made_on_the_pages_is_accepted_at_once(app: &TestApp) {
    let (admin, group) = group(app).await;
    let key = admin.issue(&group, &[]).await.secret();
    let accepted = app.service().bearer(&key).await.expect(204);
    assert_eq!(accepted.header("keyward-subscription"), Some("acme"));
    assert_eq!(accepted.header("keyward-key-group"), Some("quote-engine"));
    assert_eq!(accepted.header("keyward-key-instance"), Some("k-2"));
    app.service().synthetic(&key, "acme").await.expect(204);
    let elsewhere = app.service().synthetic(&key, "globex").await.expect(401);
    assert_eq!(elsewhere.header("keyward-reason"), Some("wrong_subscription"));
    let mut other = key.clone();
    other.replace_range(10..11, if &key[10..11] == "a" { "b" } else { "a" });
    app.service().bearer(&other).await.expect(401);
}

async fn a_custom_key_is_accepted_with_its_tenants_name_only(app: &TestApp) {
    let (admin, group) = group(app).await;
    let own = "Blue-7-Otter-42-Canyon-Vx";
    let page = admin.issue(&group, &[("make", "own"), ("key", own)]).await;
    assert_eq!(page.secret(), own);
    app.admin("globex").await;
    let service = app.service();
    service.synthetic(own, "acme").await.expect(204);
    for refused in [
        service.synthetic(own, "globex").await,
        service.bearer(own).await,
        service.raw(&[("x-synthetic-key", own)]).await,
    ] {
        assert_eq!(refused.expect(401).header("keyward-reason"), Some("unknown"));
    }
}

async fn a_reload_shows_the_same_key_until_it_is_acknowledged(app: &TestApp) {
    let (admin, group) = group(app).await;
    let page = admin.issue(&group, &[]).await;
    let (key, path) = (page.secret(), path_of_form(&page));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(admin.get(&path).await.expect(200).secret(), key);
    for file in ["download.json", "download.env"] {
        assert!(admin.get(&format!("{path}/{file}")).await.expect(200).text().contains(&key));
    }
    let acknowledge = format!("{path}/acknowledgement");
    admin.post(&acknowledge, &[("saved_by", "box")]).await.expect(400);
    let cookie = admin.cookie("kw_once").unwrap();
    admin.post(&acknowledge, &[("saved_by", "clipboard")]).await.expect(303);
    assert_eq!(admin.cookie("kw_once"), None);
    for kept in [None, Some(cookie)] {
        if let Some(cookie) = kept {
            admin.plant("kw_once", &cookie);
        }
        for at in [path.clone(), format!("{path}/download.json"), format!("{path}/download.env")] {
            assert!(!admin.get(&at).await.expect(410).text().contains(&key), "{at}");
        }
    }
}

async fn another_browser_of_the_same_admin_does_not_see_it(app: &TestApp) {
    let (admin, group) = group(app).await;
    let page = admin.issue(&group, &[]).await;
    let (key, path) = (page.secret(), path_of_form(&page));
    let other = app.admin("acme").await;
    assert!(!other.get(&path).await.expect(410).text().contains(&key));
    // Nor does somebody else who has the cookie, nor anybody after ten minutes.
    let auditor = app.auditor("acme").await;
    auditor.plant("kw_once", &admin.cookie("kw_once").unwrap());
    auditor.get(&path).await.expect(403);
    app.clock.advance(chrono::TimeDelta::minutes(10));
    admin.get(&path).await.expect(410);
}

async fn a_form_sent_twice_makes_one_key(app: &TestApp) {
    let (admin, group) = group(app).await;
    let path = format!("{group}/keys/new");
    let token = admin.get(&path).await.expect(200).field("submission");
    let fields = [("submission", token.as_str()), ("make", "generate"), ("preset", "30")];
    let keys = app.count("key_instances").await;
    let (first, second) = tokio::join!(admin.post(&path, &fields), admin.post(&path, &fields));
    let third = admin.post(&path, &fields).await;
    assert_eq!(app.count("key_instances").await, keys + 1);
    let places = [first.expect(303), second.expect(303), third.expect(303)];
    assert_eq!(places[0].location(), places[1].location());
    assert_eq!(places[0].location(), places[2].location());
    admin.follow(&places[0]).await.expect(200).secret();
}

async fn the_secret_is_stored_nowhere(app: &TestApp) {
    let (admin, group) = group(app).await;
    let page = admin.issue(&group, &[]).await;
    let (key, path) = (page.secret(), path_of_form(&page));
    app.service().bearer(&key).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    admin.post("/s/acme/search", &[("query", &key)]).await.expect(303);
    admin.post(&format!("{path}/acknowledgement"), &[("saved_by", "manual")]).await.expect(303);
    let stored = format!("{:?}", app.snapshot().await);
    assert!(stored.contains("quote-engine") && !stored.contains(&key[7..]));
    for page in ["/s/acme", "/s/acme/groups", "/s/acme/keys", "/s/acme/keys.csv", "/s/acme/audit"] {
        let text = admin.get(page).await.expect(200).text().to_owned();
        assert!(!text.contains(&key[7..]), "{page}");
    }
    let mut files = 0;
    for entry in std::fs::read_dir(app.home.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let found = bytes.windows(key.len() - 7).any(|it| it == &key.as_bytes()[7..]);
        assert!(!found, "a file beside the database holds the key");
        files += 1;
    }
    assert!(files > 0);
}
