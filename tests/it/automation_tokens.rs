//! Automation tokens: made, shown once, recognized, revoked.
use std::net::IpAddr;

use chrono::TimeDelta;
use keyward::{
    automation_tokens::{self, NewToken},
    domain::{ApiScopes, Refusal, Role},
    pepper::random_token,
};

use crate::support::{Program, TestApp, on_both, refusal, wire};

on_both! {
    a_token_is_made_shown_once_and_revoked,
    a_token_needs_a_name_a_scope_and_an_end,
    its_end_can_be_a_date_in_the_zone_of_the_admin,
    who_removes_a_member_is_told_of_the_tokens_that_stay,
    a_form_sent_twice_makes_one_token,
    only_a_whole_live_token_is_recognized,
    its_last_use_is_noted_at_most_once_a_minute,
    a_token_of_another_subscription_is_not_there,
    there_is_an_end_to_how_many_are_live,
    a_token_counts_at_the_end_of_a_body_that_trickles,
    no_credential_stands_in_a_url,
}

const PAGE: &str = "/s/acme/settings/tokens";

async fn a_token_is_made_shown_once_and_revoked(app: &TestApp) {
    let admin = app.admin("acme").await;
    let form = admin.get(&format!("{PAGE}/new")).await.expect(200);
    let submission = form.field("submission");
    let fields = [
        ("submission", submission.as_str()),
        ("name", "build-pipeline"),
        ("scopes", "keys:write"),
        ("scopes", "access:read"),
        ("preset", "90"),
    ];
    let made = admin.post(&format!("{PAGE}/new"), &fields).await.expect(303);
    let page = admin.follow(&made).await.expect(200);
    let token = page.secret();
    assert!(token.starts_with("kwa_") && !made.location().contains(&token));
    assert!(page.plain().contains("keys:write access:read"), "{}", page.plain());
    // Whoever else is an admin does not see it.
    app.admin("acme").await.get(made.location()).await.expect(410);
    let kept = admin.post(made.location(), &[("saved_by", "clipboard")]).await.expect(303);
    let list = admin.follow(&kept).await.expect(200);
    assert!(list.plain().contains("The token build-pipeline is ready to use."));
    assert!(!list.text().contains(&token) && list.text().contains(&token[..8]));
    admin.get(made.location()).await.expect(410);
    let program = Program::with(app, &token);
    program.get("/key-groups").await.expect(200);
    let id = made.location().rsplit('/').nth(1).unwrap();
    let path = format!("{PAGE}/{id}/revocation");
    assert!(admin.get(&path).await.expect(200).plain().contains("It was last used"));
    admin.post(&path, &[]).await.expect(303);
    program.get("/key-groups").await.expect(401);
    let again = admin.post(&path, &[]).await.expect(409);
    assert!(again.plain().contains("This token has ended already."), "{}", again.plain());
    let log = admin.get("/s/acme/audit").await.expect(200);
    assert!(!log.text().contains(&token), "the audit log has the token");
    for told in ["Automation token created", "Automation token revoked"] {
        assert!(log.plain().contains(told), "{told}: {}", log.plain());
    }
}

async fn a_token_needs_a_name_a_scope_and_an_end(app: &TestApp) {
    let admin = app.admin("acme").await;
    let form = format!("{PAGE}/new");
    let submission = admin.get(&form).await.expect(200).field("submission");
    let fields = [("submission", submission.as_str()), ("name", " "), ("preset", "soon")];
    let refused = admin.post(&form, &fields).await.expect(422).plain();
    for told in ["Enter a name.", "Choose at least one scope.", "A token has an end."] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    assert_eq!(app.count("automation_tokens").await, 0);
    let desk = app.desk("acme").await;
    for (life, fits) in [(366, true), (367, false), (0, false)] {
        let new = NewToken {
            name: "x".to_owned(),
            scopes: ApiScopes::parse(["keys:read"]),
            ends_at: Some(app.clock.now() + TimeDelta::days(life)),
        };
        let made = automation_tokens::create(&desk.act(), &new, &random_token()).await;
        assert_eq!(made.is_ok(), fits, "{life} days");
    }
}

async fn its_end_can_be_a_date_in_the_zone_of_the_admin(app: &TestApp) {
    let admin = app.admin("acme").await;
    let profile = [("name", "Ada"), ("theme", "dark"), ("time_zone", "Europe/Berlin")];
    admin.post("/profile", &profile).await.expect(303);
    let path = format!("{PAGE}/new");
    let form = admin.get(&path).await.expect(200);
    assert!(form.plain().contains("Until Europe/Berlin"), "the zone is named");
    // 90 days from now, which the form begins with: clocks went back in between, or not.
    assert_eq!(form.field("until"), "2027-02-18T11:30");
    let submission = form.field("submission");
    let send = async |until: &str| {
        let fields = [
            ("submission", submission.as_str()),
            ("name", "pipeline"),
            ("scopes", "keys:read"),
            ("preset", "dates"),
            ("until", until),
        ];
        admin.post(&path, &fields).await
    };
    for (until, told) in [
        ("", "Enter a date and a time"),
        ("2027-03-28T02:30", "This time does not exist in Europe/Berlin"),
        ("2026-11-20T11:29", "The end must lie in the future."),
        ("2027-11-21T11:31", "Choose an end within 366 days."),
    ] {
        let refused = send(until).await.expect(422);
        assert!(refused.error_at("ends_at").contains(told), "{until}: {}", refused.plain());
        assert_eq!(
            (refused.field("until"), refused.field("name")),
            (until.into(), "pipeline".into())
        );
    }
    send("2027-07-01T12:00").await.expect(303);
    let desk = app.desk("acme").await;
    let made = automation_tokens::list(&desk.act()).await.unwrap().remove(0);
    assert_eq!(
        made.ends(),
        "2027-07-01T10:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    );
}

async fn who_removes_a_member_is_told_of_the_tokens_that_stay(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.newcomer("ben@acme.example", Role::Admin).await;
    let ben = app.signed_in("ben@acme.example").await;
    let path = format!("{PAGE}/new");
    let make = async |name: &str| {
        let submission = ben.open(&path).await.expect(200).field("submission");
        let fields = [
            ("submission", submission.as_str()),
            ("name", name),
            ("scopes", "keys:write"),
            ("preset", "30"),
        ];
        let made = ben.post(&path, &fields).await.expect(303);
        (ben.follow(&made).await.expect(200).secret(), made.location().to_owned())
    };
    let (token, _) = make("of-ben").await;
    let (_, revoked) = make("revoked").await;
    ben.post(&revoked.replace("/secret", "/revocation"), &[]).await.expect(303);
    let mine = desk.token(&["audit:read"]).await.1;
    let id = keyward::members::people(&desk.act()).await.unwrap();
    let id = id.iter().find(|it| it.2 == "ben@acme.example").unwrap().0;
    let admin = app.signed_in("admin@acme.example").await;
    let removal = format!("/s/acme/members/{id}/removal");
    let page = admin.open(&removal).await.expect(200);
    let told = page.plain();
    assert!(told.contains("1 automation token that they made stays"), "{told}");
    assert!(told.contains("of-ben keys:write; ends 20 Dec; never used"), "{told}");
    assert!(page.text().contains("href=\"/s/acme/settings/tokens\""));
    for other in ["revoked", "for audit:read"] {
        assert!(!told.contains(other), "{other}: {told}");
    }
    admin.post(&removal, &[]).await.expect(303);
    // Both stay.
    Program::with(app, &token).get("/instances").await.expect(200);
    Program::with(app, &mine).get("/audit").await.expect(200);
}

async fn a_form_sent_twice_makes_one_token(app: &TestApp) {
    let admin = app.admin("acme").await;
    let form = format!("{PAGE}/new");
    let submission = admin.get(&form).await.expect(200).field("submission");
    let fields = [
        ("submission", submission.as_str()),
        ("name", "x"),
        ("scopes", "keys:read"),
        ("preset", "30"),
    ];
    let first = admin.post(&form, &fields).await.expect(303);
    let second = admin.post(&form, &fields).await.expect(303);
    assert_eq!(first.location(), second.location());
    assert_eq!(app.count("automation_tokens").await, 1);
}

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

async fn only_a_whole_live_token_is_recognized(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (id, token) = desk.token(&["keys:read"]).await;
    let is_good = async |text: &str| {
        let found = automation_tokens::recognize(app, text, FROM, app.clock.now()).await.unwrap();
        found.is_some_and(|it| it.0.id == id)
    };
    assert!(is_good(&token).await);
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    for other in ["", "kwa_", &token[..token.len() - 1], &format!("{token}x"), key.expose()] {
        assert!(!is_good(other).await, "{other}");
    }
    app.clock.advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    assert!(is_good(&token).await);
    app.clock.advance(TimeDelta::milliseconds(1));
    assert!(!is_good(&token).await, "the end is not included");
    let (_, token) = desk.token(&["keys:read"]).await;
    let found = automation_tokens::recognize(app, &token, FROM, app.clock.now()).await.unwrap();
    automation_tokens::revoke(&desk.act(), found.unwrap().0.id).await.unwrap();
    assert!(
        automation_tokens::recognize(app, &token, FROM, app.clock.now()).await.unwrap().is_none()
    );
}

async fn its_last_use_is_noted_at_most_once_a_minute(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (id, token) = desk.token(&["keys:read"]).await;
    let begin = app.clock.now();
    let mut noted = Vec::new();
    for seconds in [0, 59, 60, 61, 121] {
        let now = begin + TimeDelta::seconds(seconds);
        automation_tokens::recognize(app, &token, FROM, now).await.unwrap();
        let it = automation_tokens::find(&desk.act(), id).await.unwrap();
        noted.push((it.last_used_at.unwrap() - begin.timestamp_millis()) / 1_000);
        assert_eq!(it.last_used_from.as_deref(), Some("192.0.2.7"));
    }
    assert_eq!(noted, [0, 0, 60, 60, 121]);
}

async fn a_token_of_another_subscription_is_not_there(app: &TestApp) {
    let (id, _) = app.desk("globex").await.token(&["keys:read"]).await;
    let admin = app.admin("acme").await;
    for rest in ["secret", "revocation"] {
        admin.get(&format!("{PAGE}/{id}/{rest}")).await.expect(404);
    }
    admin.post(&format!("{PAGE}/{id}/revocation"), &[]).await.expect(404);
    assert!(!admin.get(PAGE).await.expect(200).text().contains("for keys:read"));
}

async fn there_is_an_end_to_how_many_are_live(app: &TestApp) {
    let desk = app.desk("acme").await;
    for _ in 0..automation_tokens::MOST {
        desk.token_for(&["keys:read"], TimeDelta::days(1)).await;
    }
    let new = NewToken {
        name: "one too many".to_owned(),
        scopes: ApiScopes::parse(["keys:read"]),
        ends_at: Some(app.clock.now() + TimeDelta::days(1)),
    };
    let made = automation_tokens::create(&desk.act(), &new, &random_token()).await;
    assert_eq!(refusal(made), Refusal::TooMany { most: 100, what: "automation tokens" });
    // What has ended counts no more.
    app.clock.advance(TimeDelta::days(1));
    desk.token(&["keys:read"]).await;
}

async fn a_token_counts_at_the_end_of_a_body_that_trickles(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (id, token) = desk.token(&["keys:write"]).await;
    let (host, body) = (&app.site.hosts[0], r#"{"name": "quote-engine"}"#);
    let head = format!(
        "POST /api/v1/key-groups HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let (begin, end) = body.split_at(9);
    let revoked = async {
        // By now the head has been looked at.
        app.anonymous().get("/sign-in").await.expect(200);
        automation_tokens::revoke(&desk.act(), id).await.unwrap();
    };
    let answer = wire::in_two_parts(app.address, (head + begin, end), revoked).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(app.count("key_groups").await, 0);
}

async fn no_credential_stands_in_a_url(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let (secret, group) = (key.secret.expose(), key.instance.key_group_id);
    let (_, token) = desk.token(&["keys:read", "access:read"]).await;
    for path in [
        format!("/key-groups/{group}?access_token={token}"),
        format!("/key-groups/{group}?Token=x"),
        format!("/key-groups?q={secret}"),
        format!("/instances?note={token}"),
        "/api_keys?api_key=x".to_owned(),
        "/policies?client_secret=".to_owned(),
    ] {
        let url = app.url(&format!("/api/v1{path}"));
        // With another one in a header, and alone.
        for request in [app.client.get(&url).bearer_auth(&token), app.client.get(&url)] {
            let refused = request.send().await.unwrap();
            assert_eq!(refused.status(), 400, "{path}");
            let told = refused.text().await.unwrap();
            assert!(!told.contains(&token) && !told.contains(secret), "{told}");
        }
    }
    // What only looks like one is looked for.
    for query in ["q=api.example.com", "q=v1.2.3"] {
        let url = app.url(&format!("/api/v1/key-groups?{query}"));
        let found = app.client.get(&url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(found.status(), 200, "{query}");
    }
    let asked = app.client.post(app.url(&format!("/api/v1/verify?key={secret}"))).send().await;
    assert_eq!(asked.unwrap().status(), 400);
}
