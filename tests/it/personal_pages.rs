//! The pages of personal keys: made by a form, seen once, listed, deleted; each only by its person.
use chrono::TimeDelta;
use keyward::{domain::Role, personal_keys};
use serde_json::Value;

use crate::support::{Answer, Person, TestApp, on_both};

on_both! {
    a_key_is_made_by_a_form_and_seen_once,
    the_form_offers_ends_and_says_what_to_change,
    a_form_that_is_sent_twice_makes_one_personal_key,
    the_sealed_cookie_belongs_to_its_page_its_person_and_ten_minutes,
    the_download_holds_the_whole_key,
    pages_of_somebody_elses_key_never_were,
    the_list_tells_notes_ends_and_last_uses_and_deletes,
    the_key_of_somebody_with_many_user_groups_is_shown_whole,
}

const LIST: &str = "/profile/keys";
const NEW: &str = "/profile/keys/new";

/// A form with its token, for 90 days unless these fields say something else.
async fn submit(person: &Person<'_>, fields: &[(&str, &str)]) -> Answer {
    let form = person.get(NEW).await.expect(200);
    let token = form.field("submission");
    let mut all = vec![("submission", token.as_str()), ("lifetime", "90")];
    all.retain(|it| fields.iter().all(|other| other.0 != it.0));
    all.extend(fields);
    person.post(NEW, &all).await
}

/// The page of a new key, and its path.
async fn shown(person: &Person<'_>, fields: &[(&str, &str)]) -> (Answer, String) {
    let made = submit(person, fields).await.expect(303);
    (person.follow(&made).await.expect(200), made.location().to_owned())
}

async fn a_key_is_made_by_a_form_and_seen_once(app: &TestApp) {
    let ida = app.member("acme").await;
    let profile = ida.get("/profile").await.expect(200);
    assert!(profile.text().contains("href=\"/profile/keys\""));
    let (page, path) = shown(&ida, &[("note", "laptop")]).await;
    let key = page.secret();
    let answer = app.service().bearer(&key).await.expect(204);
    assert_eq!(answer.header("keyward-user"), Some("member@acme.example"));
    assert_eq!(answer.header("keyward-expires"), Some("2027-02-18T10:30:00.000Z"));
    // A reload shows the same, no other page shows it, and then none does.
    assert_eq!(ida.get(&path).await.expect(200).secret(), key);
    let list = ida.get(LIST).await.expect(200);
    assert!(!list.text().contains(&key) && list.plain().contains("Not confirmed as saved"));
    let done = format!("{path}/acknowledgement");
    ida.post(&done, &[("saved_by", "box")]).await.expect(400);
    ida.post(&done, &[("saved_by", "telepathy")]).await.expect(400);
    let saved = ida.post(&done, &[("saved_by", "clipboard")]).await.expect(303);
    let list = ida.follow(&saved).await.expect(200);
    assert_eq!(list.flash(), "Your personal key is ready to use.");
    assert!(!list.plain().contains("Not confirmed as saved"));
    for path in [path.clone(), format!("{path}/download.json")] {
        ida.get(&path).await.expect(410);
    }
    ida.post(&done, &[("saved_by", "clipboard")]).await.expect(410);
    app.service().bearer(&key).await.expect(204);
}

async fn the_form_offers_ends_and_says_what_to_change(app: &TestApp) {
    let ida = app.member("acme").await;
    assert_eq!(ida.get(NEW).await.expect(200).field("lifetime"), "90");
    for (lifetime, until) in [
        ("30", "2026-12-20T10:30:00.000Z"),
        ("365", "2027-11-20T10:30:00.000Z"),
        ("never", "never"),
    ] {
        let (page, _) = shown(&ida, &[("lifetime", lifetime)]).await;
        let answer = app.service().bearer(&page.secret()).await.expect(204);
        assert_eq!(answer.header("keyward-expires"), Some(until));
    }
    let long = "x".repeat(201);
    for (field, value) in [("lifetime", "7"), ("lifetime", ""), ("note", long.as_str())] {
        let refused = submit(&ida, &[(field, value), ("name", "kept")]).await.expect(422);
        assert!(!refused.error_at(field).is_empty(), "{field}={value}");
    }
    assert_eq!(app.count("personal_keys").await, 3);
    let user = app.user("acme", Role::Member).await;
    for _ in 3..personal_keys::MOST {
        app.personal_key(&user).await;
    }
    let refused = submit(&ida, &[]).await.expect(409);
    assert!(refused.refusal().contains("20 personal keys"), "{}", refused.refusal());
}

async fn a_form_that_is_sent_twice_makes_one_personal_key(app: &TestApp) {
    let ida = app.member("acme").await;
    let token = ida.get(NEW).await.expect(200).field("submission");
    let fields = [("submission", token.as_str()), ("lifetime", "90")];
    let first = ida.post(NEW, &fields).await.expect(303);
    let second = ida.post(NEW, &fields).await.expect(303);
    assert_eq!(first.location(), second.location());
    ida.follow(&second).await.expect(200);
    ida.post(NEW, &[("lifetime", "90")]).await.expect(400);
    assert_eq!(app.count("personal_keys").await, 1);
}

async fn the_sealed_cookie_belongs_to_its_page_its_person_and_ten_minutes(app: &TestApp) {
    let ida = app.member("acme").await;
    let made = submit(&ida, &[]).await.expect(303);
    let path = made.location().to_owned();
    let cookie = made.set_cookie("kw_once").unwrap();
    assert_eq!(cookie.path(), Some(path.as_str()));
    assert_eq!(cookie.http_only(), Some(true));
    let key = ida.follow(&made).await.expect(200).secret();
    let signature = key.rsplit_once('.').unwrap().1;
    assert!(!cookie.value().contains(signature), "it is not sealed");
    // The same person in another browser, and another person with the cookie.
    app.member("acme").await.get(&path).await.expect(410);
    let ben = app.admin("acme").await;
    ben.plant("kw_once", cookie.value());
    ben.get(&path).await.expect(404);
    // Another key of hers is not this one.
    let other = submit(&ida, &[]).await.expect(303);
    let thief = app.member("acme").await;
    thief.plant("kw_once", cookie.value());
    thief.get(other.location()).await.expect(410);
    assert_eq!(thief.get(&path).await.expect(200).secret(), key);
    app.clock.advance(TimeDelta::minutes(10));
    ida.open(&path).await.expect(410);
}

async fn the_download_holds_the_whole_key(app: &TestApp) {
    let ida = app.member("acme").await;
    let (page, path) = shown(&ida, &[("note", "laptop"), ("lifetime", "30")]).await;
    let file = ida.get(&format!("{path}/download.json")).await.expect(200);
    let disposition = file.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"personal-key-"), "{disposition}");
    let json: Value = file.json();
    assert_eq!(json["api_key"], page.secret());
    assert_eq!(
        (&json["note"], &json["header"]),
        (&"laptop".into(), &"Authorization: Bearer".into())
    );
    assert_eq!(json["active_until"], "2026-12-20T10:30:00.000Z");
    assert!(path.contains(json["key_id"].as_str().unwrap()));
}

async fn pages_of_somebody_elses_key_never_were(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let id = app.personal_key(&user).await.key.id;
    let ben = app.admin("acme").await;
    for rest in ["secret", "secret/download.json", "deletion"] {
        let theirs = ben.get(&format!("{LIST}/{id}/{rest}")).await.expect(404);
        for never in ["8bb11574-0385-43dd-92a4-ad285d9f3d30", "no-id"] {
            let never = ben.get(&format!("{LIST}/{never}/{rest}")).await.expect(404);
            assert_eq!(never.text(), theirs.text());
        }
    }
    let before = app.snapshot().await;
    for (rest, fields) in
        [("deletion", &[][..]), ("secret/acknowledgement", &[("saved_by", "manual")])]
    {
        ben.post(&format!("{LIST}/{id}/{rest}"), fields).await.expect(404);
    }
    assert_eq!(app.snapshot().await, before);
    assert!(!ben.get(LIST).await.expect(200).text().contains(&id.to_string()));
}

async fn the_list_tells_notes_ends_and_last_uses_and_deletes(app: &TestApp) {
    let ida = app.member("acme").await;
    assert!(ida.get(LIST).await.expect(200).plain().contains("No personal keys yet."));
    let (page, path) = shown(&ida, &[("note", "<b>laptop</b>"), ("lifetime", "30")]).await;
    let bearer = format!("Bearer {}", page.secret());
    app.service().raw(&[("authorization", &bearer), ("user-agent", "curl/8.5")]).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::minutes(3));
    let list = ida.get(LIST).await.expect(200);
    let id = path.split('/').nth(3).unwrap();
    let text = list.plain();
    for told in [id, "<b>laptop</b>", "3 minutes ago", "127.0.0.1 curl/8.5", "in 30 days"] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
    let deletion = format!("{LIST}/{id}/deletion");
    assert!(ida.get(&deletion).await.expect(200).plain().contains("Delete this personal key?"));
    app.service().raw(&[("authorization", &bearer)]).await.expect(204);
    let deleted = ida.post(&deletion, &[]).await.expect(303);
    assert_eq!(ida.follow(&deleted).await.flash(), "The personal key is deleted.");
    app.service().raw(&[("authorization", &bearer)]).await.expect(401);
    ida.post(&deletion, &[]).await.expect(404);
}

/// Browsers keep no cookie above 4 KiB: of the key only its signature is in one.
async fn the_key_of_somebody_with_many_user_groups_is_shown_whole(app: &TestApp) {
    let desk = app.desk("acme").await;
    let user = app.user("acme", Role::Member).await;
    let join = async |n: usize| {
        let group = desk.user_group(&format!("{n:02} {}", "long ".repeat(19)), &[]).await;
        desk.edit_user_group(group.id, |it| it.members = [user.id].into()).await;
    };
    for n in 0..40 {
        join(n).await;
    }
    let ida = app.member("acme").await;
    let made = submit(&ida, &[]).await.expect(303);
    assert!(made.set_cookie("kw_once").unwrap().to_string().len() < 1_000);
    let key = ida.follow(&made).await.expect(200).secret();
    assert!(key.len() > 5_000, "{}", key.len());
    app.service().bearer(&key).await.expect(204);
    // More than fits is refused, and says why.
    for n in 40..60 {
        join(n).await;
    }
    let refused = submit(&ida, &[]).await.expect(409);
    assert!(refused.refusal().contains("more and longer names"), "{}", refused.refusal());
}
