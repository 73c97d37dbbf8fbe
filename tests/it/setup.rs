//! The first start: schema, pepper, owner.
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

use chrono::TimeDelta;
use keyward::{
    audit::Actor,
    clock::Clock,
    db,
    error::Error,
    installation::{self, SetUp},
    run,
    subscriptions::NewSubscription,
    users::NewUser,
};
use sea_orm::ConnectionTrait;

use crate::support::{Database, Home, PASSWORD, TestApp, on_both};

on_both! {
    the_set_up_link_makes_one_owner_and_signs_them_in,
    the_set_up_link_ends_after_a_day_and_when_another_is_made,
    two_people_with_the_link_make_one_owner,
    fields_that_do_not_do_are_told_and_nothing_is_written,
    an_installation_with_an_owner_gets_no_second_one,
    the_command_line_makes_the_owner_too,
    a_missing_pepper_is_never_made_anew,
    a_foreign_pepper_is_told_from_the_right_one,
    a_pepper_that_everybody_reads_is_refused,
    a_damaged_pepper_is_refused,
    a_new_pepper_comes_behind_those_that_are_known,
    a_database_of_a_newer_version_is_left_alone,
    two_processes_migrate_at_once,
    two_nodes_start_at_once_on_an_empty_database,
}

const FIELDS: [(&str, &str); 5] = [
    ("name", "Olga Owner"),
    ("email", "Olga@Example.com"),
    ("password", PASSWORD),
    ("subscription", "Northwind Re"),
    ("slug", "northwind"),
];

/// The path of a fresh link.
async fn link(app: &TestApp) -> String {
    let link = installation::setup_link(&app.app).await.unwrap().unwrap();
    link.strip_prefix(&app.site.origin).unwrap().to_owned()
}

async fn the_set_up_link_makes_one_owner_and_signs_them_in(app: &TestApp) {
    let (link, person) = (link(app).await, app.anonymous());
    person.get(&link).await.expect(200);
    person.get(&link).await.expect(200);
    let done = person.post(&link, &FIELDS).await.expect(303);
    assert_eq!(done.location(), "/s/northwind");
    person.follow(&done).await.expect(200);
    person.get("/audit").await.expect(200);
    for somebody in [&person, &app.anonymous()] {
        somebody.get(&link).await.expect(404);
        somebody.post(&link, &FIELDS).await.expect(404);
    }
    assert_eq!(installation::setup_link(&app.app).await.unwrap(), None);
    app.anonymous().sign_in("olga@example.com", PASSWORD).await.expect(303);
    assert_eq!((app.count("users").await, app.count("subscriptions").await), (1, 1));
}

async fn the_set_up_link_ends_after_a_day_and_when_another_is_made(app: &TestApp) {
    let person = app.anonymous();
    let replaced = link(app).await;
    let last = link(app).await;
    person.get(&replaced).await.expect(404);
    app.clock.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    person.get(&last).await.expect(200);
    app.clock.advance(TimeDelta::milliseconds(1));
    person.get(&last).await.expect(404);
    person.post(&last, &FIELDS).await.expect(404);
    assert_eq!(app.count("users").await, 0);
}

async fn two_people_with_the_link_make_one_owner(app: &TestApp) {
    let link = link(app).await;
    let (one, other) = (app.anonymous(), app.anonymous());
    let mut fields = FIELDS;
    fields[1].1 = "eve@example.com";
    let (a, b) = tokio::join!(one.post(&link, &FIELDS), other.post(&link, &fields));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    assert_eq!(app.count("users").await, 1);
}

async fn fields_that_do_not_do_are_told_and_nothing_is_written(app: &TestApp) {
    let (link, person) = (link(app).await, app.anonymous());
    let before = app.snapshot().await;
    for (field, wrong) in
        [("name", " "), ("email", "olga"), ("password", "too short"), ("slug", "North Wind!")]
    {
        let fields = FIELDS.map(|it| if it.0 == field { (field, wrong) } else { it });
        let form = person.post(&link, &fields).await.expect(422);
        assert!(form.text().contains(&format!("id=\"{field}-error\"")), "{field}");
        for (name, typed) in fields.into_iter().filter(|it| it.0 != "password") {
            assert_eq!(form.field(name), typed);
        }
        assert_eq!(form.field("password"), "");
    }
    // All at once are told at once.
    let form = person.post(&link, &[]).await.expect(422);
    for field in ["name", "email", "password", "subscription"] {
        assert!(form.text().contains(&format!("id=\"{field}-error\"")), "{field}");
    }
    assert_eq!(app.snapshot().await, before);
    person.post(&link, &FIELDS).await.expect(303);
}

async fn an_installation_with_an_owner_gets_no_second_one(app: &TestApp) {
    app.owner_user().await;
    let before = app.snapshot().await;
    let owner = NewUser {
        email: "eve@example.com".into(),
        name: "Eve".into(),
        password: PASSWORD.to_owned().into(),
    };
    let subscription = NewSubscription { name: "Eve's".into(), slug: "eve".into() };
    let (wanted, now) = (SetUp { owner, subscription }, app.clock.now());
    let actor = Actor::command_line();
    let made = installation::create_owner(&app.app, wanted, None, &actor, now).await;
    assert!(matches!(made, Err(Error::Forbidden(_))));
    assert_eq!(app.snapshot().await, before);
}

/// Runs the program itself.
fn keyward(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(arguments).current_dir(home.folder());
    command.env("KEYWARD_DATABASE_URL", &home.database_url);
    command.env("KEYWARD_PEPPER_FILE", home.pepper_file());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn the_command_line_makes_the_owner_too(database: &Database) {
    let home = Home::new(*database).await;
    let file = home.folder().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let file = file.to_str().unwrap();
    let make = |email| {
        let name = ["--name", "Olga", "--subscription", "Northwind Re"];
        let rest = ["--email", email, "--password-file", file];
        let arguments = [&["admin", "create-owner"][..], &name, &rest].concat();
        keyward(&home, &arguments).output().unwrap()
    };
    let wrong = make("olga");
    assert!(!wrong.status.success());
    assert!(said(&wrong).contains("email: Enter an e-mail address"), "{}", said(&wrong));
    let made = make("olga@example.com");
    assert!(made.status.success(), "{}", said(&made));
    let again = make("eve@example.com");
    assert!(!again.status.success());
    assert!(said(&again).contains("has an owner already"), "{}", said(&again));
    let verified = keyward(&home, &["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", said(&verified));
    home.clean_up().await;
}

/// Anywhere: nothing listens there.
fn config(home: &Home) -> keyward::config::Config {
    home.config(SocketAddr::from(([127, 0, 0, 1], 9)))
}

async fn open(home: &Home) -> Result<(), String> {
    let clock = Clock::fixed("2026-11-20T10:30:00Z".parse().unwrap());
    match run::open(config(home), clock).await {
        Ok(app) => {
            app.db.close().await.unwrap();
            Ok(())
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Makes a home, spoils its pepper, and gives what the next start says.
async fn with_pepper_spoiled(database: Database, spoil: impl FnOnce(&Home)) -> (Home, String) {
    let home = Home::new(database).await;
    open(&home).await.unwrap();
    let made = fs::metadata(home.pepper_file()).unwrap().permissions().mode();
    assert_eq!(made & 0o777, 0o600);
    let before = installation_row(&home).await;
    spoil(&home);
    let said = open(&home).await.expect_err("it starts with a spoiled pepper");
    assert_eq!(installation_row(&home).await, before);
    assert!(!said.contains('\n') && said.contains("keyward.pepper"), "{said}");
    (home, said)
}

async fn installation_row(home: &Home) -> String {
    use sea_orm::{FromQueryResult, JsonValue, Statement};
    let db = home.connect().await;
    let backend = db.get_database_backend();
    let all = Statement::from_string(backend, "SELECT * FROM installation");
    let rows = JsonValue::find_by_statement(all).all(&db).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(rows.len(), 1);
    rows[0].to_string()
}

async fn a_missing_pepper_is_never_made_anew(database: &Database) {
    let remove = |home: &Home| fs::remove_file(home.pepper_file()).unwrap();
    let (home, said) = with_pepper_spoiled(*database, remove).await;
    assert!(said.contains("is missing") && said.contains("--pepper-file"), "{said}");
    assert!(!home.pepper_file().exists());
    home.clean_up().await;
}

async fn a_foreign_pepper_is_told_from_the_right_one(database: &Database) {
    let other = Home::new(*database).await;
    open(&other).await.unwrap();
    let foreign = fs::read(other.pepper_file()).unwrap();
    let replace = |home: &Home| fs::write(home.pepper_file(), &foreign).unwrap();
    let (home, said) = with_pepper_spoiled(*database, replace).await;
    assert!(said.contains("does not belong to this database"), "{said}");
    assert_eq!(fs::read(home.pepper_file()).unwrap(), foreign);
    home.clean_up().await;
    other.clean_up().await;
}

async fn a_pepper_that_everybody_reads_is_refused(database: &Database) {
    let publish = |home: &Home| {
        fs::set_permissions(home.pepper_file(), fs::Permissions::from_mode(0o644)).unwrap();
    };
    let (home, said) = with_pepper_spoiled(*database, publish).await;
    assert!(said.contains("readable by everybody") && said.contains("chmod 600"), "{said}");
    home.clean_up().await;
}

/// Some keys come from the oldest version, and new secrets from the newest.
async fn a_new_pepper_comes_behind_those_that_are_known(database: &Database) {
    let home = Home::new(*database).await;
    open(&home).await.unwrap();
    let add = |version: u8| {
        let key = "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let file = fs::read_to_string(home.pepper_file()).unwrap();
        fs::write(home.pepper_file(), format!("{file}{version} {key}\n")).unwrap();
    };
    add(3);
    open(&home).await.unwrap();
    let good = fs::read(home.pepper_file()).unwrap();
    for version in [2, 0] {
        add(version);
        let said = open(&home).await.expect_err("it takes a version that is no newer");
        assert!(format!("{said:#}").contains("a number above 3"), "{said:#}");
        fs::write(home.pepper_file(), &good).unwrap();
    }
    open(&home).await.unwrap();
    home.clean_up().await;
}

async fn a_damaged_pepper_is_refused(database: &Database) {
    for damaged in ["", "1\n", "1 AAAA\n", "one AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"] {
        let damage = |home: &Home| fs::write(home.pepper_file(), damaged).unwrap();
        let (home, said) = with_pepper_spoiled(*database, damage).await;
        assert!(said.contains("is damaged"), "{said}");
        home.clean_up().await;
    }
}

async fn a_database_of_a_newer_version_is_left_alone(database: &Database) {
    let home = Home::new(*database).await;
    open(&home).await.unwrap();
    let db = home.connect().await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_later', 0)";
    db.execute_unprepared(newer).await.unwrap();
    db.close().await.unwrap();
    let said = open(&home).await.expect_err("it starts on a newer schema");
    assert!(said.contains("newer Keyward") && said.contains("m29990101_later"), "{said}");
    let output = keyward(&home, &["migrate"]).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(self::said(&output).trim().lines().count(), 1, "{}", self::said(&output));
    home.clean_up().await;
}

async fn two_processes_migrate_at_once(database: &Database) {
    let home = Home::new(*database).await;
    let start = || keyward(&home, &["migrate"]).spawn().unwrap();
    for process in [start(), start(), start()] {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let (a, b) = tokio::join!(db::migrate(&home.database_url), db::migrate(&home.database_url));
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    open(&home).await.unwrap();
    home.clean_up().await;
}

async fn two_nodes_start_at_once_on_an_empty_database(database: &Database) {
    for _ in 0..5 {
        let home = Home::new(*database).await;
        let nodes = tokio::join!(open(&home), open(&home), open(&home));
        assert_eq!(nodes, (Ok(()), Ok(()), Ok(())));
        home.clean_up().await;
    }
}
