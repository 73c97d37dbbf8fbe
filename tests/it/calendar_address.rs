//! The secret address of a calendar feed: made, shown once, reset, removed; and how it answers.
use keyward::{calendar, domain::Refusal, error::Error, key_groups};
use reqwest::Method;

use crate::support::{Answer, Database, Home, TestApp, on_both, program, refusal};

on_both! {
    an_address_is_made_shown_once_and_reset,
    an_address_is_removed,
    whoever_did_not_see_the_newest_feed_resets_nothing,
    an_address_that_is_no_more_is_the_same_as_one_that_never_was,
    who_has_the_calendar_already_gets_it_not_again,
    only_admins_know_of_feeds,
    a_subscription_has_a_hundred_feeds_at_most,
    an_address_is_in_no_log,
}

const PAGE: &str = "/s/acme/settings/calendar";

/// The path of the address that a page shows once.
#[track_caller]
fn address(app: &TestApp, page: &Answer) -> String {
    let url = page.secret();
    let path = url.strip_prefix(&app.site.origin).expect("it is an address of ours").to_owned();
    let token = path.strip_prefix("/calendar/kwf_").and_then(|it| it.strip_suffix(".ics"));
    assert_eq!(token.map(str::len), Some(43), "{path}");
    path
}

async fn an_address_is_made_shown_once_and_reset(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let admin = app.admin("acme").await;
    let page = admin.get(PAGE).await.expect(200);
    assert!(page.plain().contains("No calendar feed yet."));
    for form in [format!("{PAGE}/address"), format!("/s/acme/groups/{group}/calendar")] {
        let shown = admin.get(&form).await.expect(200);
        assert_eq!(shown.field("replaces"), "");
        let made = admin.post(&form, &[("replaces", "")]).await.expect(303);
        let link = admin.follow(&made).await.expect(200);
        let first = address(app, &link);
        // A reload shows the same, another browser nothing.
        assert_eq!(address(app, &admin.follow(&made).await.expect(200)), first);
        app.admin("acme").await.get(made.location()).await.expect(410);
        app.calendar(&first, &[]).await.expect(200);
        admin.post(made.location(), &[("saved_by", "box")]).await.expect(400);
        let kept = admin.post(made.location(), &[("saved_by", "clipboard")]).await.expect(303);
        assert!(
            admin.follow(&kept).await.expect(200).plain().contains("The calendar feed is ready.")
        );
        admin.get(made.location()).await.expect(410);

        let shown = admin.get(&form).await.expect(200);
        assert!(shown.plain().contains("Its address stops working at once"), "{}", shown.plain());
        let old = shown.field("replaces");
        let reset = admin.post(&form, &[("replaces", &old)]).await.expect(303);
        let second = address(app, &admin.follow(&reset).await.expect(200));
        assert_ne!(first, second);
        app.calendar(&first, &[]).await.expect(404);
        app.calendar(&second, &[]).await.expect(200);
    }
    let log = admin.get("/s/acme/audit").await.expect(200).plain();
    for told in ["Calendar feed made", "Calendar feed reset"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    let list = admin.get(PAGE).await.expect(200).plain();
    assert!(list.contains("all key groups") && list.contains("quote-engine"), "{list}");
}

async fn an_address_is_removed(app: &TestApp) {
    let desk = app.desk("acme").await;
    let feed = desk.feed(None).await;
    let id = calendar::list(&desk.act()).await.unwrap()[0].0.id;
    let admin = app.admin("acme").await;
    let path = format!("{PAGE}/{id}/removal");
    assert!(
        admin.get(&path).await.expect(200).plain().contains("Remove the calendar feed of ACME?")
    );
    app.calendar(&feed, &[]).await.expect(200);
    let gone = admin.post(&path, &[]).await.expect(303);
    assert!(admin.follow(&gone).await.expect(200).plain().contains("Its address is dead."));
    app.calendar(&feed, &[]).await.expect(404);
    admin.post(&path, &[]).await.expect(404);
    let log = admin.get("/s/acme/audit?action=calendar_feed.removed").await.expect(200);
    assert!(log.plain().contains("Calendar feed removed"));
}

async fn whoever_did_not_see_the_newest_feed_resets_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let admin = app.admin("acme").await;
    let form = format!("{PAGE}/address");
    admin.get(&form).await.expect(200);
    let feed = desk.feed(None).await;
    let refused = admin.post(&form, &[("replaces", "")]).await.expect(409);
    assert!(refused.plain().contains("Somebody changed this meanwhile."));
    // The form that says so is the one for what there is now.
    assert_ne!(refused.field("replaces"), "");
    admin.post(&form, &[("replaces", "rubbish")]).await.expect(409);
    app.calendar(&feed, &[]).await.expect(200);
}

/// Status, headers in the order of their names, and body.
fn face(answer: &Answer) -> (u16, String, Vec<String>) {
    let headers = answer.headers.iter().filter(|it| it.0 != "date");
    let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    (answer.status, answer.text().to_owned(), headers)
}

async fn an_address_that_is_no_more_is_the_same_as_one_that_never_was(app: &TestApp) {
    let (desk, globex) = (app.desk("acme").await, app.desk("globex").await);
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let of_group = desk.feed(Some(group)).await;
    let reset = desk.feed(None).await;
    let whole = desk.feed(None).await;
    let suspended = globex.feed(None).await;
    for path in [&of_group, &whole, &suspended] {
        app.calendar(path, &[]).await.expect(200);
    }
    let version = key_groups::find(&desk.act(), group).await.unwrap().version;
    key_groups::delete(&desk.act(), group, version).await.unwrap();
    app.suspend("globex", true).await;
    let never = face(&app.calendar(&format!("/calendar/kwf_{}.ics", "A".repeat(43)), &[]).await);
    assert_eq!((never.0, never.1.as_str()), (404, "There is nothing at this address.\n"));
    let strange =
        ["/calendar/x.ics", "/calendar/%00.ics", "/calendar/%F0%9F%94%91.ics"].map(str::to_owned);
    for path in [&of_group, &reset, &suspended].into_iter().chain(&strange) {
        assert_eq!(face(&app.calendar(path, &[]).await), never, "{path}");
    }
    app.calendar(&whole, &[]).await.expect(200);
    app.suspend("globex", false).await;
    app.calendar(&suspended, &[]).await.expect(200);
}

async fn who_has_the_calendar_already_gets_it_not_again(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let feed = desk.feed(None).await;
    let first = app.calendar(&feed, &[]).await.expect(200);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(first.header("content-type"), Some("text/calendar; charset=utf-8"));
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    assert!(first.cookies().is_empty());
    let weak = format!("W/{tag}");
    let listed = format!("\"other\", {tag}");
    for known in [tag.as_str(), &weak, &listed, "*"] {
        let again = app.calendar(&feed, &[("if-none-match", known)]).await.expect(304);
        assert_eq!((again.text(), again.header("etag")), ("", Some(tag.as_str())), "{known}");
        assert_eq!(again.header("cache-control"), Some("private, no-cache"));
    }
    app.calendar(&feed, &[("if-none-match", "\"other\"")]).await.expect(200);
    let head = app.service().ask(Method::HEAD, &feed, &[]).await.expect(200);
    assert_eq!((head.text(), head.header("etag")), ("", Some(tag.as_str())));
    assert_eq!(head.header("content-length"), Some(first.text().len().to_string().as_str()));
    let ids = (key.instance.key_group_id, key.instance.id);
    keyward::key_instances::deactivate(&desk.act(), ids).await.unwrap();
    let changed = app.calendar(&feed, &[("if-none-match", &tag)]).await.expect(200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
}

async fn only_admins_know_of_feeds(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let page = format!("/s/acme/groups/{group}");
    let link = format!("{page}/calendar");
    assert!(app.admin("acme").await.get(&page).await.expect(200).text().contains(&link));
    for person in [app.member("acme").await, app.auditor("acme").await] {
        assert!(!person.get(&page).await.expect(200).text().contains(&link));
        person.get(PAGE).await.expect(403);
    }
}

async fn a_subscription_has_a_hundred_feeds_at_most(app: &TestApp) {
    let desk = app.desk("acme").await;
    let period = desk.days(90);
    let mut first = None;
    for n in 0..100 {
        let group = desk.group(&format!("group-{n:03}"), period).await.instance.key_group_id;
        desk.feed(Some(group)).await;
        first = first.or(Some(group));
    }
    let made = calendar::make(&desk.act(), None, None).await.map(|_| ());
    assert_eq!(refusal(made), Refusal::TooMany { most: 100, what: "calendar feeds" });
    // A reset is none more.
    desk.feed(first).await;
    let list = app.admin("acme").await.get(PAGE).await.expect(200).plain();
    assert!(list.contains("group-000") && list.contains("group-099"));
    let nothing = calendar::make(&desk.act(), Some(uuid::Uuid::nil()), None).await.map(|_| ());
    assert!(matches!(nothing, Err(Error::NotFound)));
}

/// At the finest level that our own code has.
async fn an_address_is_in_no_log(database: &Database) {
    let home = Home::new(*database).await;
    program::Program::set_up(&home);
    let it = program::Program::start_logging(&home, "trace,sqlx=info").await;
    let cookie = it.sign_in().await;
    let form = "/s/acme/settings/calendar/address";
    let made = it.send(Method::POST, form, &cookie, &[("replaces", "")]).await.unwrap();
    assert_eq!(made.status(), 303);
    let once = made.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let (path, cookies) =
        (made.headers()["location"].to_str().unwrap(), format!("{cookie}; {once}"));
    let page = it.send(Method::GET, path, &cookies, &[]).await.unwrap().text().await.unwrap();
    let token = page.split("/calendar/kwf_").nth(1).unwrap().split(".ics").next().unwrap();
    for path in [format!("/calendar/kwf_{token}.ics"), "/calendar/kwf_never.ics".to_owned()] {
        it.send(Method::GET, &path, "", &[]).await.unwrap();
    }
    drop(it);
    let log = std::fs::read_to_string(program::log_file(&home)).unwrap();
    assert!(log.contains("/s/{slug}/settings/calendar/address"), "{log}");
    assert!(!log.contains(token) && !log.contains("kwf_"), "the address is in the log");
    home.clean_up().await;
}
