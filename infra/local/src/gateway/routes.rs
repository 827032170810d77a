//! The template's routes: a literal segment wins over a parameter, from the left.

use crate::template::Template;
use http::Method;

#[derive(Debug, thiserror::Error)]
#[error("infra/template.yaml: {0} is there twice")]
pub struct NoRoutes(String);

pub(super) struct Routes(Vec<Route>);

struct Route {
    function: String,
    method: Method,
    /// As the template spells it.
    path: String,
}

/// A route and what its parameters stand for.
pub(super) struct Found<'r> {
    pub(super) function: &'r str,
    pub(super) key: String,
    pub(super) parameters: Vec<(&'r str, String)>,
}

impl Routes {
    pub(super) fn of(template: &Template) -> Result<Self, NoRoutes> {
        let mut routes: Vec<Route> = Vec::new();
        for (function, route) in template.functions.iter().flat_map(|f| f.routes.iter().map(move |route| (f, route))) {
            let key = format!("{} {}", route.method, route.path);
            let method = Method::from_bytes(route.method.as_bytes()).map_err(|_| NoRoutes(key.clone()))?;
            if routes.iter().any(|other| other.method == method && other.path == route.path) {
                return Err(NoRoutes(key));
            }
            routes.push(Route { function: function.name.clone(), method, path: route.path.clone() });
        }
        Ok(Self(routes))
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        let fitting = self.0.iter().filter(|route| route.method == method);
        let matches = fitting.filter_map(|route| Some((route, parameters(&route.path, path)?)));
        let (route, parameters) = matches.max_by_key(|(route, _)| literals(&route.path))?;
        let key = format!("{} {}", route.method, route.path);
        Some(Found { function: &route.function, key, parameters })
    }
}

/// Which segments are literal, so that the first difference decides.
fn literals(pattern: &str) -> Vec<bool> {
    pattern.split('/').map(|segment| parameter(segment).is_none()).collect()
}

fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The parameters, decoded, when the path fits. A parameter is never empty.
fn parameters<'p>(pattern: &'p str, path: &str) -> Option<Vec<(&'p str, String)>> {
    let (mut expected, mut segments, mut found) = (pattern.split('/'), path.split('/'), Vec::new());
    loop {
        match (expected.next(), segments.next()) {
            (None, None) => return Some(found),
            (Some(expected), Some(segment)) => match parameter(expected) {
                Some(name) if !segment.is_empty() => found.push((name, decoded(segment))),
                None if expected == segment => {}
                Some(_) | None => return None,
            },
            (None, Some(_)) | (Some(_), None) => return None,
        }
    }
}

/// Percent-decoded; what is not UTF-8 then is replaced, and a lone `%` stays.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex =
            |at: usize| after.get(at).and_then(|&b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        if let (b'%', Some(high), Some(low)) = (first, hex(0), hex(1)) {
            bytes.push(high * 16 + low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
