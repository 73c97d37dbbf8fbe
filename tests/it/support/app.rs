//! Keyward as `main` starts it, with a clock that stands still until it is moved.
use std::{
    net::{SocketAddr, TcpListener},
    ops::Deref,
    sync::Arc,
    time::Duration,
};

use actix_web::{dev::ServerHandle, web::Data};
use argon2::Params;
use chrono::TimeDelta;
use keyward::{
    audit,
    clock::Clock,
    config::Config,
    db::nodes::LEASE,
    domain::Role,
    http::App,
    installation::{self, SetUp},
    live::Keeper,
    members, run, server,
    subscriptions::{self, NewSubscription, Subscription},
    users::{self, NewUser, Passwords, User},
};
use tokio::task::JoinHandle;

use super::{Answer, Database, Desk, Home, Person, eventually, service::Service};

/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// For an empty database to be read.
const LOADED: Duration = Duration::from_secs(10);
/// At which every test starts.
pub(super) const START: &str = "2026-11-20T10:30:00Z";
const OWNER: &str = "owner@example.com";

pub(crate) struct TestApp {
    pub(crate) app: Data<App>,
    /// Where it listens, whatever its public URL says.
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    pub(crate) home: Arc<Home>,
    handle: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    keeper: std::sync::Mutex<Option<Keeper>>,
}

impl Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl TestApp {
    pub(crate) async fn start(database: Database) -> Self {
        Self::start_with(database, |_| {}).await
    }

    /// With another configuration. `bind` is set already, for a public URL that needs its port.
    pub(crate) async fn start_with(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let home = Arc::new(Home::migrated(database).await);
        Self::serve(home, Clock::fixed(START.parse().unwrap()), change).await
    }

    pub(super) async fn serve(
        home: Arc<Home>,
        clock: Clock,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = home.config(address);
        change(&mut config);
        let mut app = run::open(config, clock).await.unwrap();
        // At its real cost a sixth of the time of tests without a browser goes into their users' passwords.
        let cheap = Params::new(8, 1, 1, None).unwrap();
        app.passwords = Passwords::with_cost(app.peppers.derive("passwords"), cheap);
        let app = Data::new(app);
        let server = server::start(listener, app.clone()).unwrap();
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let client = plain_client();
        let keeper = Keeper::start(app.live.clone(), &app.db);
        let it = Self { app, address, client, home, handle, serving, keeper: Some(keeper).into() };
        // Most tests are to see what it says; those of the database switch it off.
        assert!(eventually(LOADED, async || it.live.is_trusted()).await, "nothing is loaded");
        it
    }

    /// Another process on the same database, pepper and clock.
    pub(crate) async fn second_node(&self) -> Self {
        Self::serve(self.home.clone(), self.clock.clone(), |_| {}).await
    }

    /// The same with a clock that is behind.
    pub(crate) async fn second_node_behind(&self, by: TimeDelta) -> Self {
        let clock = Clock::fixed(self.clock.now() - by);
        Self::serve(self.home.clone(), clock, |_| {}).await
    }

    /// Waits for it to notice that its database is away.
    pub(crate) async fn relies_on_nothing(&self) {
        let noticed = async || !self.live.is_trusted();
        assert!(eventually(LEASE * 2, noticed).await, "it relies on its memory for too long");
    }

    pub(crate) async fn stop(self) {
        self.without_memory().await;
        drop(self.client);
        self.handle.stop(false).await;
        self.serving.await.unwrap().unwrap();
        self.app.db.clone().close().await.unwrap();
        drop(self.app);
        if let Some(home) = Arc::into_inner(self.home) {
            home.clean_up().await;
        }
    }

    /// From now on each call asks the database.
    pub(crate) async fn without_memory(&self) {
        let keeper = self.keeper.lock().unwrap().take();
        if let Some(it) = keeper {
            // Some tests have taken its database away.
            let _ = it.stop().await;
        }
    }

    /// Somebody with a fresh browser.
    pub(crate) fn anonymous(&self) -> Person<'_> {
        Person::new(self)
    }

    /// The owner of the installation: member of `hq` only.
    pub(crate) async fn owner(&self) -> Person<'_> {
        self.owner_user().await;
        self.signed_in(OWNER).await
    }

    pub(crate) async fn admin(&self, slug: &str) -> Person<'_> {
        self.somebody(slug, Role::Admin).await
    }

    pub(crate) async fn member(&self, slug: &str) -> Person<'_> {
        self.somebody(slug, Role::Member).await
    }

    pub(crate) async fn auditor(&self, slug: &str) -> Person<'_> {
        self.somebody(slug, Role::Auditor).await
    }

    /// Where a path is answered.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A program that shows a key to `/verify`.
    pub(crate) fn service(&self) -> Service<'_> {
        Service(self)
    }

    /// Where fixtures of a subscription are made, by its admin.
    pub(crate) async fn desk(&self, slug: &str) -> Desk<'_> {
        let user = self.user(slug, Role::Admin).await;
        Desk::of(self, &user, slug).await
    }

    async fn somebody(&self, slug: &str, role: Role) -> Person<'_> {
        let user = self.user(slug, role).await;
        self.signed_in(&user.email).await
    }

    /// Signed in through the page, in a fresh browser.
    pub(crate) async fn signed_in(&self, email: &str) -> Person<'_> {
        let person = self.anonymous();
        person.sign_in(email, PASSWORD).await.expect(303);
        person
    }

    pub(crate) async fn owner_user(&self) -> User {
        if let Some(user) = users::by_email(&self.db, OWNER).await.unwrap() {
            return user;
        }
        let subscription = NewSubscription { name: "Headquarters".into(), slug: "hq".into() };
        let wanted = SetUp { owner: new_user(OWNER, "Olga Owner"), subscription };
        let (now, actor) = (self.clock.now(), audit::Actor::command_line());
        installation::create_owner(&self.app, wanted, None, &actor, now).await.unwrap().0
    }

    /// Made without any member, if needed.
    pub(crate) async fn subscription(&self, slug: &str) -> Subscription {
        let owner = self.owner_user().await;
        if let Ok(found) = subscriptions::by_slug(&self.db, slug).await {
            return found;
        }
        let (name, slug) = (slug.to_uppercase(), slug.to_owned());
        let (new, now) = (NewSubscription { name, slug }, self.clock.now());
        subscriptions::create(&self.app, new, &acting(&owner), now).await.unwrap()
    }

    /// Suspends a subscription, or opens it again, as an owner.
    pub(crate) async fn suspend(&self, slug: &str, is_suspended: bool) {
        let it = subscriptions::by_slug(&self.db, slug).await.unwrap();
        let (owner, now) = (acting(&self.owner_user().await), self.clock.now());
        subscriptions::set_suspended(&self.app, &it, is_suspended, &owner, now).await.unwrap();
    }

    /// The user with this role in a subscription, such as `auditor@acme.example`; made if needed.
    pub(crate) async fn user(&self, slug: &str, role: Role) -> User {
        let email = format!("{}@{slug}.example", role.as_str());
        if let Some(user) = users::by_email(&self.db, &email).await.unwrap() {
            return user;
        }
        let (to, now) = (self.subscription(slug).await, self.clock.now());
        let owner = acting(&self.owner_user().await);
        let token = members::invite(&self.app, &to, (&email, role), &owner, now).await.unwrap();
        let new = new_user(&email, &format!("{} of {slug}", role.title()));
        members::accept_as_new(&self.app, &token, new, owner.client, now).await.unwrap().0
    }

    /// What a monitor asks.
    pub(crate) async fn healthz(&self) -> Answer {
        self.anonymous().get("/healthz").await
    }
}

/// For http. To read the certificates of the system would take a tenth of the time of all tests.
pub(crate) fn plain_client() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.tls_certs_only([]).build().unwrap()
}

pub(super) fn new_user(email: &str, name: &str) -> NewUser {
    let password = PASSWORD.to_owned().into();
    NewUser { email: email.into(), name: name.into(), password }
}

/// A user in the audit log.
pub(super) fn acting(user: &User) -> audit::Actor {
    let it = audit::Actor::command_line();
    audit::Actor { user_id: Some(user.id), name: user.email.clone(), ..it }
}
