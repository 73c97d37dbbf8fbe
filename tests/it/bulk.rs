//! One act on many keys: one transaction, an outcome for each, and nothing of others.
use chrono::TimeDelta;
use keyward::{
    domain::{ActivePeriod, SecretText},
    key_instances::{self, Issued, KeyInstance, NewKey, Source},
    pepper::random_token,
};
use uuid::Uuid;

use crate::support::{Answer, Desk, PASSWORD, Person, TestApp, ids, on_both};

on_both! {
    several_are_deactivated_in_one_transaction_with_an_audit_row_each,
    what_cannot_be_deactivated_says_why_and_stops_none_of_the_others,
    an_extension_counts_from_the_end_of_each_and_shortens_nothing,
    an_extension_keeps_to_the_longest_lifetime,
    keys_of_another_subscription_are_not_found_and_stay_as_they_are,
    who_may_not_change_keys_changes_none,
    more_than_two_hundred_at_once_are_refused,
    a_form_sent_twice_acts_once,
    a_key_that_changed_meanwhile_is_reported_and_the_others_are_done,
    keys_in_use_end_only_with_their_number,
    what_was_chosen_survives_the_end_of_the_session,
}

const OFF: &str = "/s/acme/keys/bulk/deactivation";
const LONGER: &str = "/s/acme/keys/bulk/extension";

struct Keys<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    admin: Person<'a>,
}

impl<'a> Keys<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let desk = app.desk("acme").await;
        let admin = app.signed_in("admin@acme.example").await;
        Self { app, desk, admin }
    }

    /// So many keys of 90 days in a new group.
    async fn group(&self, name: &str, keys: usize) -> Vec<Issued> {
        let mut all = vec![self.desk.group(name, self.desk.days(90)).await];
        while all.len() < keys {
            let group = all[0].instance.key_group_id;
            all.push(self.desk.key(group, self.desk.days(90)).await);
        }
        all
    }

    async fn stored(&self, key: &Issued) -> KeyInstance {
        key_instances::find(&self.desk.act(), ids(key)).await.unwrap()
    }

    async fn until(&self, key: &Issued) -> String {
        let until = self.stored(key).await.facts().period.until();
        until.map(|it| it.format("%Y-%m-%d").to_string()).unwrap_or_default()
    }

    /// The page that lists what happens.
    async fn chosen(&self, path: &str, keys: &[&Issued]) -> Answer {
        self.admin.get(&choose(path, keys)).await
    }

    /// Sends the form of that page, with further fields.
    async fn confirm(&self, path: &str, page: &Answer, more: &[(&str, &str)]) -> Answer {
        let (picks, token, list) = (picks(page), page.field("submission"), page.field("list"));
        let mut fields = vec![("submission", token.as_str()), ("list", list.as_str())];
        fields.extend(picks.iter().map(|it| ("pick", it.as_str())));
        let shown = if path == LONGER { page.field("shown") } else { String::new() };
        fields.push(("shown", &shown));
        fields.extend(more);
        self.admin.post(path, &fields).await
    }

    /// Makes another choice on the page of an extension, sees what it would do, and does it.
    async fn extend(&self, page: &Answer, choice: &[(&str, &str)]) -> Answer {
        let look = [&[("act", "check")], choice].concat();
        let shown = self.confirm(LONGER, page, &look).await.expect(200);
        self.confirm(LONGER, &shown, choice).await
    }

    async fn events(&self, action: &str) -> usize {
        let sql = format!("SELECT seq FROM audit_events WHERE action = '{action}'");
        self.app.query(&sql).await.len()
    }
}

fn choose(path: &str, keys: &[&Issued]) -> String {
    keys.iter().fold(format!("{path}?list=/s/acme/keys"), |path, it| {
        format!("{path}&pick={}", it.instance.id)
    })
}

/// What the form names.
fn picks(page: &Answer) -> Vec<String> {
    let all = page.text().split("name=\"pick\" value=\"").skip(1);
    all.map(|it| it.split('"').next().unwrap().to_owned()).collect()
}

async fn several_are_deactivated_in_one_transaction_with_an_audit_row_each(app: &TestApp) {
    let it = Keys::new(app).await;
    let (engine, claims) = (it.group("quote-engine", 3).await, it.group("claims", 1).await);
    let versions = "SELECT name, version FROM key_groups ORDER BY name";
    let before = app.query(versions).await;
    let three = [&engine[0], &engine[1], &claims[0]];
    let page = it.chosen(OFF, &three).await.expect(200);
    assert_eq!(page.names(), ["k-1", "k-1", "k-2"], "by group and label");
    let text = page.plain();
    for told in ["Deactivate 3 keys?", "claims stops working.", "in quote-engine", "Is deactivated"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(it.events("key_instance.deactivated").await, 0, "looking does nothing");
    let done = it.confirm(OFF, &page, &[]).await.expect(200);
    assert!(done.plain().contains("3 keys are deactivated"), "{}", done.plain());
    for key in three {
        let verdict = app.service().bearer(key.secret.expose()).await;
        assert_eq!(verdict.header("keyward-reason"), Some("deactivated"));
    }
    app.service().bearer(engine[2].secret.expose()).await.expect(204);
    let told = "SELECT object, after FROM audit_events WHERE action = 'key_instance.deactivated' \
                ORDER BY seq";
    let told = app.query(told).await;
    let names: Vec<&str> = told.iter().map(|it| it["object"].as_str().unwrap()).collect();
    assert_eq!(names, ["claims / k-1", "quote-engine / k-1", "quote-engine / k-2"]);
    assert!(told[0]["after"].as_str().unwrap().contains("\"deactivated_at\":\"2026-"));
    // The summary of each group was refreshed, and each counts one change.
    let tabs = it.admin.get("/s/acme/keys").await.expect(200).tabs();
    assert_eq!((tabs["Active"], tabs["Deactivated"]), (1, 3));
    let after = app.query(versions).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["version"].as_i64().unwrap() + 1, after["version"].as_i64().unwrap());
    }
}

async fn what_cannot_be_deactivated_says_why_and_stops_none_of_the_others(app: &TestApp) {
    let it = Keys::new(app).await;
    let keys = it.group("quote-engine", 4).await;
    let client = it.desk.client("partner").await;
    let secret = SecretText::from_text("9011@83sd!f1042ds+f19fg86M".to_owned());
    let new = NewKey { source: Source::Own(secret), period: it.desk.days(90), note: "".into() };
    let secret = key_instances::create(&it.desk.act(), client.id, new, &random_token()).await;
    let secret = secret.unwrap();
    key_instances::revoke(&it.desk.act(), ids(&keys[1])).await.unwrap();
    key_instances::deactivate(&it.desk.act(), ids(&keys[2])).await.unwrap();
    let all = [&keys[0], &keys[1], &keys[2], &keys[3], &secret];
    let page = it.chosen(OFF, &all).await.expect(200);
    let text = page.plain();
    assert!(text.contains("2 of 5 can be done"), "{text}");
    for why in [
        "It is revoked, and stays revoked.",
        "This key is already deactivated.",
        "A client secret is not deactivated. Revoke it if it shall end now.",
    ] {
        assert!(text.contains(&format!("Cannot be done. {why}")), "{why}: {text}");
    }
    assert_eq!(picks(&page).len(), 2, "the form names what it can be done to");
    // Whoever names the others all the same is told, row by row.
    let extension = it.chosen(LONGER, &all).await.expect(200);
    let done = it.confirm(OFF, &extension, &[]).await.expect(200);
    assert!(done.plain().contains("2 of 5 keys are deactivated"), "{}", done.plain());
    assert!(done.plain().contains("Not done. A client secret is not deactivated."));
    assert_eq!(it.events("key_instance.deactivated").await, 3);
    assert!(it.stored(&secret).await.deactivated_at.is_none());
    // With nothing that can be done there is no button, and nothing happens.
    let page = it.chosen(OFF, &all).await.expect(200);
    assert!(!page.text().contains("value=\"do\""), "there is a button");
    let extension = it.chosen(LONGER, &[&keys[1]]).await.expect(200);
    let none = it.confirm(OFF, &extension, &[]).await.expect(409);
    assert!(none.plain().contains("No key was deactivated"), "{}", none.plain());
}

async fn an_extension_counts_from_the_end_of_each_and_shortens_nothing(app: &TestApp) {
    let it = Keys::new(app).await;
    let first = it.desk.group("quote-engine", it.desk.days(10)).await;
    let group = first.instance.key_group_id;
    let second = it.desk.key(group, it.desk.days(100)).await;
    let endless = ActivePeriod::new(app.clock.now(), None).unwrap();
    let endless = it.desk.key(group, endless).await;
    let all = [&first, &second, &endless];
    let page = it.chosen(LONGER, &all).await.expect(200);
    let told = "Ends Wed 30 Dec 2026 10:30 UTC instead of Mon 30 Nov 2026 10:30 UTC";
    assert!(page.plain().contains(told), "{}", page.plain());
    let why = "Cannot be done. It never ends, so there is nothing to extend.";
    assert!(page.plain().contains(why), "{}", page.plain());
    // Another choice shows what it would do, and does nothing.
    let shown = [("act", "check"), ("preset", "90")];
    let check = it.confirm(LONGER, &page, &shown).await.expect(200);
    assert!(check.plain().contains("Ends Sun 28 Feb 2027 10:30 UTC"), "{}", check.plain());
    assert_eq!(it.events("key_instance.period_changed").await, 0);
    // Also where it was sent without looking, as a page without a script allows.
    let unseen = it.confirm(LONGER, &page, &[("preset", "365")]).await.expect(200);
    assert!(unseen.plain().contains("Ends Tue 30 Nov 2027 10:30 UTC"), "{}", unseen.plain());
    let forgotten = [("preset", "30"), ("until", "2027-01-31T00:00")];
    let unseen = it.confirm(LONGER, &page, &forgotten).await.expect(200);
    assert!(unseen.plain().contains(told), "{}", unseen.plain());
    assert_eq!(it.events("key_instance.period_changed").await, 0);
    let done = it.confirm(LONGER, &page, &[("preset", "30")]).await.expect(200);
    assert!(done.plain().contains("2 of 3 keys are extended"), "{}", done.plain());
    assert_eq!(it.until(&first).await, "2026-12-30");
    assert_eq!(it.until(&second).await, "2027-03-30");
    assert_eq!(it.until(&endless).await, "");
    assert_eq!(it.events("key_instance.period_changed").await, 2);
    // To one date: who ends later keeps its end.
    let page = it.chosen(LONGER, &[&first, &second]).await.expect(200);
    let date = [("preset", "dates"), ("until", "2027-01-31T00:00")];
    let done = it.extend(&page, &date).await.expect(200);
    assert!(done.plain().contains("1 of 2 keys is extended"), "{}", done.plain());
    assert!(done.plain().contains("Not done. It ends later than that already"));
    assert_eq!(it.until(&first).await, "2027-01-31");
    assert_eq!(it.until(&second).await, "2027-03-30");
    // A date that does not do is told beside its field.
    let page = it.chosen(LONGER, &[&first]).await.expect(200);
    for (until, told) in [
        ("", "Enter a date and a time, like 2026-11-20T10:30."),
        (
            "2026-11-01T00:00",
            "The end must lie in the future. Deactivate or revoke it if it shall end now.",
        ),
    ] {
        let date = [("preset", "dates"), ("until", until)];
        let again = it.confirm(LONGER, &page, &date).await.expect(422);
        assert_eq!(again.error_at("until"), told);
    }
    it.confirm(LONGER, &page, &[("preset", "99999")]).await.expect(422);
}

async fn an_extension_keeps_to_the_longest_lifetime(app: &TestApp) {
    let it = Keys::new(app).await;
    let first = it.desk.group("quote-engine", it.desk.days(10)).await;
    let second = it.desk.key(first.instance.key_group_id, it.desk.days(80)).await;
    it.desk
        .change_settings(|it| {
            (it.max_lifetime_days, it.default_lifetime_days) = (Some(90), 90);
        })
        .await;
    let page = it.chosen(LONGER, &[&first, &second]).await.expect(200);
    let why = "Keys of this subscription may live for 90 days at most.";
    assert!(page.plain().contains(&format!("Cannot be done. {why}")), "{}", page.plain());
    let done = it.confirm(LONGER, &page, &[("preset", "30")]).await.expect(200);
    assert!(done.plain().contains(&format!("Not done. {why}")), "{}", done.plain());
    let ends = (it.until(&first).await, it.until(&second).await);
    assert_eq!(ends, ("2026-12-30".to_owned(), "2027-02-08".to_owned()));
}

async fn keys_of_another_subscription_are_not_found_and_stay_as_they_are(app: &TestApp) {
    let it = Keys::new(app).await;
    let own = it.group("quote-engine", 1).await.remove(0);
    let globex = app.desk("globex").await;
    let theirs = globex.group("quote-engine", globex.days(90)).await;
    let never = Uuid::from_u128(7).to_string();
    let token = random_token();
    let before = app.snapshot().await;
    for path in [OFF, LONGER] {
        let foreign = it.chosen(path, &[&theirs]).await.expect(404);
        let nobody = it.admin.get(&format!("{path}?pick={never}")).await.expect(404);
        assert_eq!(foreign.text(), nobody.text());
        let theirs = theirs.instance.id.to_string();
        let fields = [("submission", token.as_str()), ("pick", theirs.as_str())];
        it.admin.post(path, &fields).await.expect(404);
        it.admin.get(&format!("{path}?pick=rubbish")).await.expect(404);
    }
    assert_eq!(app.snapshot().await, before);
    // Among one's own they are as if deleted.
    let page = it.chosen(OFF, &[&own, &theirs]).await.expect(200);
    assert!(page.plain().contains("One of the chosen keys is not there any more."));
    let foreign = format!("{}.0123456789", theirs.instance.id.simple());
    let done = it.confirm(OFF, &page, &[("pick", foreign.as_str())]).await.expect(200);
    assert!(done.plain().contains("1 of 2 keys is deactivated"), "{}", done.plain());
    app.service().bearer(theirs.secret.expose()).await.expect(204);
}

async fn who_may_not_change_keys_changes_none(app: &TestApp) {
    let it = Keys::new(app).await;
    let key = it.group("quote-engine", 1).await.remove(0);
    let page = it.chosen(OFF, &[&key]).await.expect(200);
    let (pick, token) = (picks(&page).remove(0), page.field("submission"));
    for person in [app.member("acme").await, app.auditor("acme").await] {
        for path in [OFF, LONGER] {
            person.get(&choose(path, &[&key])).await.expect(403);
            let fields = [("submission", token.as_str()), ("pick", pick.as_str())];
            person.post(path, &fields).await.expect(403);
        }
        let list = person.get("/s/acme/keys").await.expect(200);
        assert!(!list.text().contains("name=\"pick\""), "nothing can be chosen");
    }
    app.service().bearer(key.secret.expose()).await.expect(204);
}

async fn more_than_two_hundred_at_once_are_refused(app: &TestApp) {
    let it = Keys::new(app).await;
    let key = it.group("quote-engine", 1).await.remove(0);
    let before = app.snapshot().await;
    let with = |n: u128| {
        let path = format!("{OFF}?pick={}", key.instance.id);
        (1..=n).fold(path, |path, n| format!("{path}&pick={}", Uuid::from_u128(n).simple()))
    };
    it.admin.get(&with(199)).await.expect(200);
    let page = it.admin.get(&with(200)).await.expect(400);
    assert!(page.plain().contains("Choose at most 200 keys at once."), "{}", page.plain());
    let ids: Vec<String> = (0..201).map(|n| Uuid::from_u128(n).to_string()).collect();
    let token = random_token();
    let mut fields = vec![("submission", token.as_str())];
    fields.extend(ids.iter().map(|it| ("pick", it.as_str())));
    it.admin.post(OFF, &fields).await.expect(400);
    assert_eq!(app.snapshot().await, before);
}

async fn a_form_sent_twice_acts_once(app: &TestApp) {
    let it = Keys::new(app).await;
    let keys = it.group("quote-engine", 2).await;
    let page = it.chosen(LONGER, &[&keys[0], &keys[1]]).await.expect(200);
    let send = || it.confirm(LONGER, &page, &[("preset", "30")]);
    let (one, two) = tokio::join!(send(), send());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 303]);
    let again = send().await.expect(303);
    assert_eq!(again.location(), "/s/acme/keys");
    assert_eq!(it.until(&keys[0]).await, "2027-03-20");
    assert_eq!(it.events("key_instance.period_changed").await, 2);
}

async fn a_key_that_changed_meanwhile_is_reported_and_the_others_are_done(app: &TestApp) {
    let it = Keys::new(app).await;
    let keys = it.group("quote-engine", 3).await;
    let page = it.chosen(LONGER, &[&keys[0], &keys[1], &keys[2]]).await.expect(200);
    key_instances::change_period(&it.desk.act(), ids(&keys[1]), it.desk.days(7)).await.unwrap();
    let done = it.confirm(LONGER, &page, &[("preset", "30")]).await.expect(200);
    let text = done.plain();
    assert!(text.contains("2 of 3 keys are extended"), "{text}");
    assert!(text.contains("Not done. It was changed meanwhile, so nothing was done to it."));
    assert_eq!(it.until(&keys[1]).await, "2026-11-27");
    assert_eq!(it.until(&keys[2]).await, "2027-03-20");
    // A group that was deleted meanwhile takes its keys along.
    let other = it.group("claims", 1).await;
    let page = it.chosen(OFF, &[&keys[0], &other[0]]).await.expect(200);
    let group = keyward::key_groups::find(&it.desk.act(), other[0].instance.key_group_id).await;
    let group = group.unwrap();
    keyward::key_groups::delete(&it.desk.act(), group.id, group.version).await.unwrap();
    let done = it.confirm(OFF, &page, &[]).await.expect(200);
    assert!(done.plain().contains("1 of 2 keys is deactivated"), "{}", done.plain());
    assert!(done.plain().contains("One of them was not there any more."), "{}", done.plain());
}

async fn keys_in_use_end_only_with_their_number(app: &TestApp) {
    let it = Keys::new(app).await;
    let keys = it.group("quote-engine", 2).await;
    for _ in 0..3 {
        app.service().bearer(keys[0].secret.expose()).await.expect(204);
    }
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let page = it.chosen(OFF, &[&keys[0], &keys[1]]).await.expect(200);
    assert!(page.plain().contains("Type 2 , the number of keys, because one of them is in use"));
    let before = app.snapshot().await;
    for typed in ["", "1", "two"] {
        let again = it.confirm(OFF, &page, &[("confirm", typed)]).await.expect(422);
        assert_eq!(again.error_at("confirm"), "Type 2, the number of keys that are deactivated.");
        assert_eq!(picks(&again), picks(&page));
    }
    assert_eq!(app.snapshot().await, before);
    it.confirm(OFF, &page, &[("confirm", " 2 ")]).await.expect(200);
    assert_eq!(it.events("key_instance.deactivated").await, 2);
    // Nothing ends by an extension, so it asks for nothing.
    let more = it.group("claims", 1).await;
    app.service().bearer(more[0].secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let page = it.chosen(LONGER, &[&more[0]]).await.expect(200);
    it.extend(&page, &[("preset", "365")]).await.expect(200);
}

async fn what_was_chosen_survives_the_end_of_the_session(app: &TestApp) {
    let it = Keys::new(app).await;
    let keys = it.group("quote-engine", 2).await;
    let page = it.chosen(LONGER, &[&keys[0], &keys[1]]).await.expect(200);
    app.clock.advance(TimeDelta::days(2));
    let gone = it.confirm(LONGER, &page, &[("preset", "90")]).await.expect(303);
    assert!(gone.is_sign_in_redirect(), "{}", gone.location());
    it.admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    let back = it.admin.get(LONGER).await.expect(200);
    assert_eq!((back.names(), back.field("preset")), (page.names(), "90".to_owned()));
    assert_eq!(picks(&back), picks(&page));
    it.confirm(LONGER, &back, &[("preset", "90")]).await.expect(200);
    assert_eq!(it.until(&keys[0]).await, "2027-05-19");
    // Without anything chosen the page says where to begin.
    let nothing = it.admin.get(OFF).await.expect(200);
    assert!(nothing.plain().contains("Tick some keys in a list first."), "{}", nothing.plain());
}
