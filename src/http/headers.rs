//! The headers of a request, whoever took it from the wire.
use actix_web::http::header::HeaderMap;
use httparse::Header;

#[derive(Clone, Copy)]
pub enum Headers<'a> {
    /// As actix takes them.
    Map(&'a HeaderMap),
    /// As they came.
    Lines(&'a [Header<'a>]),
}

impl<'a> Headers<'a> {
    /// Names, in any case, and values. Those of one name are in the order in which they came.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let (map, lines) = match self {
            Self::Map(map) => (Some(map), [].as_slice()),
            Self::Lines(lines) => (None, lines),
        };
        let of_map = map.into_iter().flat_map(HeaderMap::iter);
        let of_map = of_map.map(|(name, value)| (name.as_str(), value.as_bytes()));
        of_map.chain(lines.iter().map(|it| (it.name, it.value)))
    }

    /// The values of one name.
    pub fn named(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1)
    }
}
