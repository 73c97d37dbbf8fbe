//! What is answered before the router: to find a handler among all routes, and to call it, costs as much
//! as a verification.
use actix_http::Request;
use actix_service::{Service, ServiceFactory, forward_ready};
use actix_web::{
    body::BoxBody,
    dev::{AppConfig, Response},
};
use futures_util::{
    TryFutureExt,
    future::{Either, LocalBoxFuture, OkInto},
};

type Answer = Response<BoxBody>;

/// Requests of one path are given to `answer`, those of all others to `rest`: makes such a service of each
/// thread, and is one.
#[derive(Clone)]
pub struct First<H, S> {
    pub path: &'static str,
    pub answer: H,
    pub rest: S,
}

impl<H, A, S> ServiceFactory<Request> for First<H, S>
where
    H: Fn(Request) -> A + Clone + 'static,
    A: Future<Output = Result<Answer, S::Error>>,
    S: ServiceFactory<Request, Config = AppConfig>,
    S::Response: Into<Answer>,
    S::Future: 'static,
{
    type Response = Answer;
    type Error = S::Error;
    type Config = AppConfig;
    type Service = First<H, S::Service>;
    type InitError = S::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, S::InitError>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (path, answer) = (self.path, self.answer.clone());
        let rest = self.rest.new_service(config);
        Box::pin(rest.map_ok(move |rest| First { path, answer, rest }))
    }
}

impl<H, A, S> Service<Request> for First<H, S>
where
    H: Fn(Request) -> A,
    A: Future<Output = Result<Answer, S::Error>>,
    S: Service<Request>,
    S::Response: Into<Answer>,
{
    type Response = Answer;
    type Error = S::Error;
    type Future = Either<A, OkInto<S::Future, Answer>>;

    forward_ready!(rest);

    fn call(&self, req: Request) -> Self::Future {
        match req.path() == self.path {
            true => Either::Left((self.answer)(req)),
            false => Either::Right(self.rest.call(req).ok_into()),
        }
    }
}
