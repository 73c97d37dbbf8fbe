//! One call of an interface as the document tells it. What every call has in common is added by rule:
//! the scope that its route takes, and how it can be refused.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{examples, refusals};
use crate::{domain::ApiScope, server::Access};

/// Schemas by their names.
pub type Schemas = BTreeMap<String, Value>;

pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    tag: &'static str,
    summary: &'static str,
    text: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    refused: BTreeMap<u16, &'static str>,
    leads: Vec<(&'static str, &'static str)>,
    pub schemas: Schemas,
}

pub const fn get(
    path: &'static str,
    id: &'static str,
) -> (&'static str, &'static str, &'static str) {
    ("GET", path, id)
}

pub const fn post(
    path: &'static str,
    id: &'static str,
) -> (&'static str, &'static str, &'static str) {
    ("POST", path, id)
}

pub const fn put(
    path: &'static str,
    id: &'static str,
) -> (&'static str, &'static str, &'static str) {
    ("PUT", path, id)
}

pub const fn patch(
    path: &'static str,
    id: &'static str,
) -> (&'static str, &'static str, &'static str) {
    ("PATCH", path, id)
}

pub const fn delete(
    path: &'static str,
    id: &'static str,
) -> (&'static str, &'static str, &'static str) {
    ("DELETE", path, id)
}

/// A call that belongs to a chapter, in a line and in as many sentences as it takes.
pub fn operation(
    (method, path, id): (&'static str, &'static str, &'static str),
    tag: &'static str,
    (summary, text): (&'static str, &'static str),
) -> Operation {
    Operation {
        method,
        path,
        id,
        tag,
        summary,
        text,
        parameters: Vec::new(),
        body: None,
        answers: BTreeMap::new(),
        refused: BTreeMap::new(),
        leads: Vec::new(),
        schemas: Schemas::new(),
    }
}

impl Operation {
    /// The parameters of its query: the fields of `Q`.
    pub fn asks<Q: ToSchema>(mut self) -> Self {
        let query = schema_of::<Q>();
        let required: Vec<&str> =
            query["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            let mut schema = not_null(schema.clone());
            let text = schema.as_object_mut().and_then(|it| it.remove("description"));
            let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
            if let Some(text) = text {
                parameter["description"] = text;
            }
            if required.contains(&name.as_str()) {
                parameter["required"] = true.into();
            }
            self.parameters.push(parameter);
        }
        collect::<Q>(&mut self.schemas);
        // The query itself is no schema that anything refers to.
        self.schemas.remove(&*Q::name());
        self
    }

    /// A parameter of its query that no struct reads.
    pub fn query(mut self, name: &str, text: &str, schema: &Value) -> Self {
        let it = json!({ "name": name, "in": "query", "description": text, "schema": schema });
        self.parameters.push(it);
        self
    }

    /// The cursor of this list has a form of its own.
    pub fn cursor<C: ToSchema>(mut self) -> Self {
        for it in self.parameters.iter_mut().filter(|it| it["name"] == "cursor") {
            it["schema"] = reference(&C::name());
        }
        collect::<C>(&mut self.schemas);
        self
    }

    /// A body of JSON.
    pub fn takes<B: ToSchema>(mut self) -> Self {
        collect::<B>(&mut self.schemas);
        let content = json_content(&B::name(), reference(&B::name()));
        self.body = Some(json!({ "required": true, "content": content }));
        self
    }

    /// The same, or none.
    pub fn may_take<B: ToSchema>(self) -> Self {
        let mut it = self.takes::<B>();
        if let Some(body) = &mut it.body {
            body["required"] = false.into();
        }
        it
    }

    /// It makes something, once for each `Idempotency-Key`.
    pub fn creates(mut self) -> Self {
        self.parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
        self
    }

    /// It can be bound to what the caller has read.
    pub fn conditional(mut self) -> Self {
        self.parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
        self
    }

    /// An answer with a body and with these headers.
    pub fn gives<T: ToSchema>(mut self, status: u16, text: &str, headers: &[&str]) -> Self {
        collect::<T>(&mut self.schemas);
        let name = T::name();
        self.answer(status, text, headers, Some(json_content(&name, reference(&name))))
    }

    /// One page of a list of such things.
    pub fn page<T: ToSchema>(mut self) -> Self {
        collect::<T>(&mut self.schemas);
        let page = format!("{}Page", T::name());
        let schema = json!({
            "type": "object",
            "description": "One page of a list.",
            "required": ["data", "next_cursor"],
            "properties": {
                "data": { "type": "array", "items": reference(&T::name()) },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Where the next page begins; null on the last one."
                }
            }
        });
        self.schemas.insert(page.clone(), schema);
        let mut content = json!({ "schema": reference(&page) });
        if let Some(one) = examples::of(&T::name()) {
            content["example"] = json!({ "data": [one], "next_cursor": null });
        }
        let content = json!({ "application/json": content });
        self.answer(200, "One page.", &["Link"], Some(content))
    }

    /// Any answer. Headers are named as they stand among the components.
    pub fn answer(
        mut self,
        status: u16,
        text: &str,
        headers: &[&str],
        content: Option<Value>,
    ) -> Self {
        let mut answer = json!({ "description": text });
        for name in headers {
            answer["headers"][*name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
        if let Some(content) = content {
            answer["content"] = content;
        }
        self.answers.insert(status, answer);
        self
    }

    /// A refusal that not every call has, or that means something of its own here.
    pub fn refuses(mut self, status: u16, text: &'static str) -> Self {
        self.refused.insert(status, text);
        self
    }

    /// Where its answer has what a parameter of other calls takes, as a JSON pointer.
    pub fn leads(mut self, parameter: &'static str, pointer: &'static str) -> Self {
        self.leads.push((parameter, pointer));
        self
    }

    /// As an Operation Object, for a route that `access` may call.
    pub fn object(&self, access: Access, all: &[Self]) -> Value {
        let mut answers = serde_json::Map::new();
        for (status, text) in refusals::of(self, access) {
            answers.insert(status.to_string(), refusals::answer(status, text));
        }
        for (status, answer) in &self.answers {
            let mut answer = answer.clone();
            if self.method != "GET" && access != Access::Anyone {
                answer["headers"]["Keyward-Applied"] =
                    json!({ "$ref": "#/components/headers/Keyward-Applied" });
            }
            if *status < 300 && !self.leads.is_empty() {
                answer["links"] = self.links(all);
            }
            answers.insert(status.to_string(), answer);
        }
        // Viewers do not show the scope of a bearer token: it is said in words too.
        let text = match access {
            Access::Token(scope) | Access::TokenOrKey(scope) => {
                format!("{}\n\nScope: `{}`.", self.text, scope.as_str())
            }
            _ => self.text.to_owned(),
        };
        let mut object = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": text,
            "security": security(access, self.path),
            "responses": answers,
        });
        let mut parameters = path_parameters(self.path);
        parameters.extend(self.parameters.iter().cloned());
        if !parameters.is_empty() {
            object["parameters"] = parameters.into();
        }
        if let Some(body) = &self.body {
            object["requestBody"] = body.clone();
        }
        object
    }

    /// Which calls its answer leads to.
    fn links(&self, all: &[Self]) -> Value {
        let mut links = serde_json::Map::new();
        for (parameter, pointer) in &self.leads {
            for other in all.iter().filter(|it| it.path.contains(&format!("{{{parameter}}}"))) {
                let value = format!("$response.body#{pointer}");
                let link = json!({ "operationId": other.id, "parameters": { *parameter: value } });
                links.insert(other.id.to_owned(), link);
            }
        }
        links.into()
    }

    pub fn has_body(&self) -> bool {
        self.body.is_some()
    }

    /// Whether a parameter is one of the components'.
    pub fn has(&self, parameter: &str) -> bool {
        let wanted = format!("#/components/parameters/{parameter}");
        self.parameters.iter().any(|it| it["$ref"] == wanted)
    }

    pub fn refused(&self) -> &BTreeMap<u16, &'static str> {
        &self.refused
    }
}

pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A schema, and all that it refers to.
pub fn collect<T: ToSchema>(into: &mut Schemas) {
    let mut found = Vec::new();
    T::schemas(&mut found);
    for (name, schema) in found {
        into.insert(name, json!(schema));
    }
    into.insert(T::name().into_owned(), schema_of::<T>());
}

fn schema_of<T: ToSchema>() -> Value {
    json!(T::schema())
}

fn json_content(name: &str, schema: Value) -> Value {
    let mut content = json!({ "schema": schema });
    if let Some(example) = examples::of(name) {
        content["example"] = example;
    }
    json!({ "application/json": content })
}

/// What stands in a query is there or it is not.
fn not_null(mut schema: Value) -> Value {
    if let Some(kinds) = schema["type"].as_array() {
        let kind = kinds.iter().find(|it| *it != "null").cloned();
        schema["type"] = kind.unwrap_or_default();
    } else if let Some(either) = schema.as_object_mut().and_then(|it| it.remove("oneOf")) {
        let other = either.as_array().and_then(|it| it.iter().find(|it| it["type"] != "null"));
        for (name, value) in other.and_then(Value::as_object).into_iter().flatten() {
            schema[name.as_str()] = value.clone();
        }
    }
    if let Some(object) = schema.as_object_mut() {
        object.retain(|_, it| !it.is_null());
    }
    schema
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name| json!({ "$ref": format!("#/components/parameters/{name}") });
    names.map(parameter).collect()
}

/// Any one of these does.
fn security(access: Access, path: &str) -> Value {
    let scope = |it: ApiScope| json!({ "automationToken": [it.as_str()] });
    let keys = [
        json!({ "key": [] }),
        json!({ "clientSecret": [] }),
        json!({ "customKey": [], "tenant": [] }),
    ];
    match access {
        Access::Token(it) => json!([scope(it)]),
        Access::TokenOrKey(it) => std::iter::once(scope(it)).chain(keys).collect::<Vec<_>>().into(),
        _ if path == "/verify" => keys.to_vec().into(),
        _ => json!([]),
    }
}
