//! Who was shown which secret, and what that is good for when a person goes.
use chrono::TimeDelta;
use keyward::domain::Role;
use uuid::Uuid;

use crate::support::{Person, TestApp, ids, on_both, path_of};

on_both! {
    each_way_to_a_secret_is_noted_once_with_its_first_time,
    a_ticked_box_and_a_refused_page_note_nothing,
    the_page_of_a_key_tells_who_has_seen_it,
    a_removal_lists_the_live_keys_that_the_person_knows,
    the_removal_of_somebody_leads_to_the_keys_to_rotate,
    keys_can_be_filtered_by_who_knows_them_and_the_csv_holds_the_same,
    somebody_who_never_had_to_do_with_a_subscription_is_unknown_in_it,
    what_is_known_of_a_deleted_key_goes_with_it,
}

/// What is noted about a person, in the order of the ways' names.
async fn noted(app: &TestApp, user: Uuid) -> Vec<(String, i64)> {
    let rows = app.query("SELECT user_id, how, at FROM secret_exposures").await;
    let mut noted: Vec<_> = rows
        .iter()
        .filter(|it| is(&it["user_id"], user))
        .map(|it| (it["how"].as_str().unwrap().to_owned(), it["at"].as_i64().unwrap()))
        .collect();
    noted.sort();
    noted
}

/// A uuid as either database gives it.
fn is(value: &serde_json::Value, id: Uuid) -> bool {
    let text = value.as_str().and_then(|it| Uuid::try_parse(it).ok());
    let bytes = || {
        let bytes: Vec<u8> =
            value.as_array()?.iter().map(|it| it.as_u64().unwrap() as u8).collect();
        Uuid::from_slice(&bytes).ok()
    };
    text.or_else(bytes) == Some(id)
}

/// A second admin of `acme`, who makes a key on the pages. Gives the path of its secret.
async fn a_key_by_jonas<'a>(app: &'a TestApp, group: &str) -> (Person<'a>, Uuid, String) {
    let desk = app.desk("acme").await;
    let user = match keyward::users::by_email(&app.db, "jonas@acme.example").await.unwrap() {
        Some(user) => user,
        None => desk.newcomer("jonas@acme.example", Role::Admin).await,
    };
    let jonas = app.signed_in(&user.email).await;
    let secret = another(&jonas, group).await;
    (jonas, user.id, secret)
}

async fn another(person: &Person<'_>, group: &str) -> String {
    let made = person.submit(&format!("{group}/keys/new"), &[]).await.expect(303);
    made.location().to_owned()
}

async fn group(app: &TestApp) -> String {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    format!("/s/acme/groups/{}", key.instance.key_group_id)
}

async fn each_way_to_a_secret_is_noted_once_with_its_first_time(app: &TestApp) {
    let group = group(app).await;
    let (jonas, user, secret) = a_key_by_jonas(app, &group).await;
    let start = keyward::clock::millis(app.clock.now());
    assert_eq!(noted(app, user).await, [("made".to_owned(), start)]);
    let ways = ["", "/download.json", "/download.env"];
    for minute in 1..=2 {
        app.clock.advance(TimeDelta::minutes(1));
        for way in ways {
            jonas.get(&format!("{secret}{way}")).await.expect(200);
        }
        let at = start + 60_000;
        let expected = [("env", at), ("json", at), ("made", start), ("shown", at)];
        let expected = expected.map(|it| (it.0.to_owned(), it.1));
        assert_eq!(noted(app, user).await, expected, "minute {minute}");
    }
    let saved = [("saved_by", "clipboard")];
    jonas.post(&format!("{secret}/acknowledgement"), &saved).await.expect(303);
    let copied = noted(app, user).await.remove(0);
    assert_eq!(copied, ("clipboard".to_owned(), start + 120_000));
    for (by, how) in [("selection", "selection"), ("manual", "manual")] {
        let (jonas, user, secret) = a_key_by_jonas(app, &group).await;
        jonas.post(&format!("{secret}/acknowledgement"), &[("saved_by", by)]).await.expect(303);
        assert!(noted(app, user).await.iter().any(|it| it.0 == how), "{by}");
    }
}

async fn a_ticked_box_and_a_refused_page_note_nothing(app: &TestApp) {
    let group = group(app).await;
    let (jonas, user, secret) = a_key_by_jonas(app, &group).await;
    let other = app.signed_in("admin@acme.example").await;
    let before = app.count("secret_exposures").await;
    for way in ["", "/download.json", "/download.env"] {
        other.get(&format!("{secret}{way}")).await.expect(410);
    }
    let fields = [("saved_by", "box"), ("confirmed", "on")];
    jonas.post(&format!("{secret}/acknowledgement"), &fields).await.expect(303);
    jonas.get(&secret).await.expect(410);
    assert_eq!(app.count("secret_exposures").await, before);
    assert_eq!(noted(app, user).await.len(), 1);
    // A download was noted when it was made.
    let (jonas, _, secret) = a_key_by_jonas(app, &group).await;
    let before = app.count("secret_exposures").await;
    let fields = [("saved_by", "download"), ("confirmed", "")];
    jonas.post(&format!("{secret}/acknowledgement"), &fields).await.expect(303);
    assert_eq!(app.count("secret_exposures").await, before);
}

async fn the_page_of_a_key_tells_who_has_seen_it(app: &TestApp) {
    let group = group(app).await;
    let (jonas, _, secret) = a_key_by_jonas(app, &group).await;
    jonas.get(&secret).await.expect(200);
    jonas.get(&format!("{secret}/download.env")).await.expect(200);
    let key = secret.strip_suffix("/secret").unwrap();
    for person in [app.admin("acme").await, app.member("acme").await] {
        let page = person.get(key).await.expect(200).plain();
        let (_, told) = page.split_once("Who has seen it").unwrap();
        for how in ["made it", "saw it", "downloaded it as .env"] {
            assert!(told.contains(&format!("jonas@acme.example {how} Fri 20 Nov 2026")), "{told}");
        }
    }
}

async fn a_removal_lists_the_live_keys_that_the_person_knows(app: &TestApp) {
    let group = group(app).await;
    let (jonas, user, first) = a_key_by_jonas(app, &group).await;
    jonas.get(&first).await.expect(200);
    let end = |it: &str, act: &str| format!("{}{act}", it.strip_suffix("/secret").unwrap());
    let off = another(&jonas, &group).await;
    jonas.post(&end(&off, "/deactivation"), &[]).await.expect(303);
    let revoked = another(&jonas, &group).await;
    jonas.post(&end(&revoked, "/revocation"), &[("confirm", "k-4")]).await.expect(303);
    let admin = app.signed_in("admin@acme.example").await;
    let removal = format!("/s/acme/members/{user}/removal");
    let page = admin.get(&removal).await.expect(200).plain();
    let (_, dialog) = page.split_once("Remove jonas@acme.example?").unwrap();
    assert!(dialog.contains("The key that they know keeps working"), "{dialog}");
    assert!(dialog.contains("k-2 in quote-engine made it and saw it; never used"), "{dialog}");
    assert!(!dialog.contains("k-1 in") && !dialog.contains("k-3 in") && !dialog.contains("k-4 in"));
    for _ in 0..11 {
        another(&jonas, &group).await;
    }
    let page = admin.get(&removal).await.expect(200);
    assert_eq!(page.plain().matches(" in quote-engine made it").count(), 10);
    assert!(page.plain().contains("The 12 keys that they know keep working"), "{}", page.plain());
    assert!(page.plain().contains("and 2 more"), "{}", page.plain());
}

async fn the_removal_of_somebody_leads_to_the_keys_to_rotate(app: &TestApp) {
    let group = group(app).await;
    let (_, user, secret) = a_key_by_jonas(app, &group).await;
    let admin = app.signed_in("admin@acme.example").await;
    let done = admin.post(&format!("/s/acme/members/{user}/removal"), &[]).await.expect(303);
    let list = admin.follow(&done).await.expect(200);
    assert_eq!(list.flash(), "jonas@acme.example is removed, and knows 1 key that works.");
    let known = format!("/s/acme/keys?known_to={user}");
    assert_eq!(list.text().matches(&format!("href=\"{known}\"")).count(), 2, "flash and list");
    assert!(list.plain().contains("Removed, and still know keys that work"));
    let keys = admin.get(&known).await.expect(200);
    assert_eq!(keys.names(), ["k-2"]);
    let key = secret.strip_suffix("/secret").unwrap();
    assert!(keys.text().contains(&format!("href=\"{key}/rotation\"")), "Rotate is in the menu");
    let tabs = keys.plain();
    assert!(tabs.contains("All Active Expiring soon Future"), "no counts of other lists: {tabs}");
    // Once nothing of it works any more, there is nothing to do.
    admin.post(&format!("{key}/revocation"), &[("confirm", "k-2")]).await.expect(303);
    assert_eq!(admin.get(&known).await.expect(200).names(), [] as [&str; 0]);
    let list = admin.get("/s/acme/members").await.expect(200);
    assert!(!list.plain().contains("still know keys"), "{}", list.plain());
    let told = admin.get("/s/acme/audit?action=member.removed").await.expect(200);
    assert!(told.plain().contains("live keys known"), "{}", told.plain());
}

async fn keys_can_be_filtered_by_who_knows_them_and_the_csv_holds_the_same(app: &TestApp) {
    let group = group(app).await;
    let (jonas, user, _) = a_key_by_jonas(app, &group).await;
    for _ in 0..29 {
        another(&jonas, &group).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get(&format!("/s/acme/keys?known_to={user}")).await.expect(200);
    assert!(page.plain().contains("Known to jonas@acme.example remove filter"));
    let mut names = page.names();
    let next = page.next_page().unwrap();
    let rest = admin.get(&next).await.expect(200);
    assert!(next.contains("known_to="), "{next}");
    names.extend(rest.names());
    assert_eq!((names.len(), rest.next_page()), (30, None));
    let csv = admin.get(&format!("/s/acme/keys.csv?known_to={user}")).await.expect(200).csv();
    let in_csv: Vec<String> = csv[1..].iter().map(|it| it[1].clone()).collect();
    assert_eq!(in_csv, names);
    for (query, n) in
        [("status=active", 25), ("status=expired", 0), ("q=k-7", 1), ("used=never", 25)]
    {
        let page = admin.get(&format!("/s/acme/keys?known_to={user}&{query}")).await.expect(200);
        assert_eq!(page.names().len(), n, "{query}");
    }
    let in_group = admin.get(&format!("{group}?known_to={user}&q=k-1")).await.expect(200);
    assert_eq!(in_group.names(), [] as [&str; 0], "k-1 is of the other admin");
    let all = admin.get("/s/acme/keys?status=active").await.expect(200);
    assert!(all.next_page().is_some());
}

async fn somebody_who_never_had_to_do_with_a_subscription_is_unknown_in_it(app: &TestApp) {
    let admin = app.admin("acme").await;
    let gone = app.user("acme", Role::Member).await.id;
    let stranger = app.user("globex", Role::Admin).await.id;
    let at = |csv: &str, id: &str| format!("/s/acme/keys{csv}?known_to={id}");
    admin.post(&format!("/s/acme/members/{gone}/removal"), &[]).await.expect(303);
    let never = stranger.to_string().replace('0', "1");
    for csv in ["", ".csv"] {
        // Who was a member is known for ever, also without any key.
        admin.get(&at(csv, &gone.to_string())).await.expect(200);
        let theirs = admin.get(&at(csv, &stranger.to_string())).await.expect(404);
        let nobody = admin.get(&at(csv, &never)).await.expect(404);
        let rubbish = admin.get(&at(csv, "rubbish")).await.expect(404);
        assert_eq!((theirs.text(), nobody.text()), (nobody.text(), rubbish.text()));
    }
}

async fn what_is_known_of_a_deleted_key_goes_with_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    desk.key(key.instance.key_group_id, desk.days(30)).await;
    assert_eq!(app.count("secret_exposures").await, 2);
    let admin = app.signed_in("admin@acme.example").await;
    let (group, _) = ids(&key);
    let deletion = format!("/s/acme/groups/{group}/deletion");
    let version = admin.get(&deletion).await.expect(200).field("version");
    let fields = [("version", version.as_str()), ("confirm", "quote-engine")];
    admin.post(&deletion, &fields).await.expect(303);
    admin.get(&path_of("acme", &key.instance)).await.expect(404);
    assert_eq!(app.count("secret_exposures").await, 0);
}
