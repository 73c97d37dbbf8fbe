//! What came back.
use actix_web::cookie::Cookie;
use reqwest::header::HeaderMap;

use super::html;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    /// Fails, and shows the page, if the status is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.body);
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    /// The one value of a header; `None` if there is none.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice: {:?}", self.headers);
        Some(first.to_str().unwrap())
    }

    /// Where a redirect leads.
    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("{} leads nowhere", self.status))
    }

    pub(crate) fn is_sign_in_redirect(&self) -> bool {
        self.status == 303 && self.location().starts_with("/sign-in")
    }

    pub(crate) fn is_confirm_redirect(&self) -> bool {
        self.status == 303 && self.location().starts_with("/confirm-password")
    }

    pub(crate) fn cookies(&self) -> Vec<Cookie<'static>> {
        let lines = self.headers.get_all("set-cookie").iter();
        lines.map(|it| Cookie::parse(it.to_str().unwrap().to_owned()).unwrap()).collect()
    }

    pub(crate) fn set_cookie(&self, name: &str) -> Option<Cookie<'static>> {
        self.cookies().into_iter().find(|it| it.name() == name)
    }

    /// What stands in a form's field: an `<input>`, the marked one of several, or a `<textarea>`.
    /// Of a page with a dialog the dialog's; the list behind it has fields of the same names.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let form = self.body.split_once("<dialog").map_or(self.text(), |it| it.1);
        let value = html::field(form, name);
        value.unwrap_or_else(|| panic!("there is no field {name} in\n{}", self.body))
    }

    /// The secret on the page that shows it once.
    #[track_caller]
    pub(crate) fn secret(&self) -> String {
        let mut fields = html::tags(&self.body, "textarea").into_iter();
        let secret = fields.find(|it| it.has("data-key")).map(|it| it.text);
        secret.unwrap_or_else(|| panic!("there is no key in\n{}", self.body))
    }
}
