//! Reads a JSON value, and says where in it a fault is.

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Value, map};
use std::{cell::RefCell, iter::Enumerate, slice};

/// The path is of what has the fault, like `popin.keys[0]`; `.` is the whole value.
pub(super) struct Fault {
    pub path: String,
    pub error: Error,
}

/// Lists may be longer than a tuple that reads them: the settings have none.
pub(super) fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Fault> {
    let path = Path::default();
    T::deserialize(Located { value, path: &path }).map_err(|error| {
        let path = path.0.into_inner();
        let told = if path.is_empty() { "." } else { path.strip_prefix('.').unwrap_or(&path) };
        Fault { path: told.to_owned(), error }
    })
}

/// Written from its end, by each level that the fault passes on its way out: `.popin.keys[0]`.
#[derive(Default)]
struct Path(RefCell<String>);

impl Path {
    /// Not in line: every setting's reader would have a copy.
    #[cold]
    #[inline(never)]
    fn leave(&self, level: Level<'_>) {
        let level = match level {
            Level::Field(name) => format!(".{name}"),
            Level::Item(at) => format!("[{at}]"),
        };
        self.0.borrow_mut().insert_str(0, &level);
    }
}

#[derive(Clone, Copy)]
enum Level<'a> {
    Field(&'a str),
    Item(usize),
}

#[derive(Clone, Copy)]
struct Located<'de, 'p> {
    value: &'de Value,
    path: &'p Path,
}

impl<'de> Deserializer<'de> for Located<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(yes) => visitor.visit_bool(*yes),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(_) => self.deserialize_str(visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.value.as_bool().ok_or_else(another_type)?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.value.as_number().ok_or_else(another_type)?.deserialize_any(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.value.as_str().ok_or_else(another_type)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let items = self.value.as_array().ok_or_else(another_type)?.iter().enumerate();
        visitor.visit_seq(Items { items, path: self.path })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let rest = self.value.as_object().ok_or_else(another_type)?.iter();
        visitor.visit_map(Fields { rest, at: None, path: self.path })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Only of the kind that is one word.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.value.as_str().ok_or_else(another_type)?.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

#[cold]
#[inline(never)]
fn another_type() -> Error {
    Error::custom("of another type")
}

struct Items<'de, 'p> {
    items: Enumerate<slice::Iter<'de, Value>>,
    path: &'p Path,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((at, value)) = self.items.next() else { return Ok(None) };
        let read = seed.deserialize(Located { value, path: self.path });
        read.map(Some).inspect_err(|_| self.path.leave(Level::Item(at)))
    }
}

struct Fields<'de, 'p> {
    rest: map::Iter<'de>,
    at: Option<(&'de str, &'de Value)>,
    path: &'p Path,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.at = Some((key, value));
        let read = seed.deserialize(BorrowedStrDeserializer::new(key));
        read.map(Some).inspect_err(|_| self.path.leave(Level::Field(key)))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let (key, value) = self.at.take().expect("a value is asked for after its key");
        seed.deserialize(Located { value, path: self.path }).inspect_err(|_| self.path.leave(Level::Field(key)))
    }
}
