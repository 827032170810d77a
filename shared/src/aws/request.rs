//! What can be asked: the SDK's builders of requests, each with the SDK's own writer and reader.

use super::{Client, Failure};
use aws_smithy_runtime_api::client::{
    interceptors::context::{Error, Input, Output},
    orchestrator::{HttpRequest, HttpResponse},
    runtime_plugin::RuntimePlugin,
    ser_de::{DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer},
};
use aws_smithy_types::{
    config_bag::{ConfigBag, FrozenLayer},
    error::metadata::ProvideErrorMetadata,
};
use std::fmt::Debug;

/// A request as the SDK builds it.
pub trait Request: Sized {
    type Answer: Debug + Send + Sync + 'static;
    type Refusal: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static;

    fn codec() -> &'static Codec;
    /// `None` when it lacks something.
    fn built(self) -> Option<Input>;

    /// Sends it, again where that may help, and waits for the answer. What was sent again may have been done twice: a
    /// condition tells, a token, or nobody.
    fn sent_by(self, client: &Client) -> impl Future<Output = Result<Self::Answer, Failure<Self::Refusal>>> + Send {
        let answered = Box::pin(client.exchange(Self::codec(), self.built()));
        async {
            match answered.await {
                Ok(output) => output.downcast().map_err(|_| Failure::Unreadable),
                Err(failure) => Err(failure.map(|error| error.downcast().expect("the operation's own reader made it"))),
            }
        }
    }
}

/// The SDK's writer and reader of one operation.
#[derive(Debug)]
pub struct Codec {
    /// As the SDK's operation brings both.
    codecs: FrozenLayer,
    code: fn(&Error) -> Option<&str>,
}

impl Codec {
    pub(crate) fn of<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
        operation: &impl RuntimePlugin,
    ) -> Self {
        let codecs = operation.config().expect("an operation of the SDK brings its writer and its reader");
        Self { codecs, code: |error| error.downcast_ref::<E>().and_then(ProvideErrorMetadata::code) }
    }

    pub(super) fn write(&self, input: Input) -> Option<HttpRequest> {
        self.codecs.load::<SharedRequestSerializer>()?.serialize_input(input, &mut ConfigBag::base()).ok()
    }

    pub(super) fn read(&self, response: &HttpResponse) -> Result<Output, Failure<Error>> {
        // It takes a body that is there for granted.
        let reader = self.codecs.load::<SharedResponseDeserializer>().filter(|_| response.body().bytes().is_some());
        let reader = reader.ok_or(Failure::Unreadable)?;
        reader.deserialize_nonstreaming_with_config(response, &ConfigBag::base()).map_err(|error| {
            let mut refusal = None;
            drop(error.map_operation_error(|error| refusal = Some(error)));
            // What is no JSON is an error of the operation to the SDK, be it an answer or a refusal.
            let refusal = refusal.filter(|_| !response.status().is_success());
            let status = response.status().as_u16();
            refusal.map_or(Failure::Unreadable, |error| Failure::Refused { status, error })
        })
    }

    /// What AWS calls its refusal.
    pub(super) fn code<'e>(&self, error: &'e Error) -> Option<&'e str> {
        (self.code)(error)
    }
}

/// Lets a builder of the SDK's be sent: `requests! { crate: module { Operation, Builder, Output, Error } ... }`.
macro_rules! requests {
    ($sdk:ident: $($module:ident { $operation:ident, $builder:ident, $answer:ident, $refusal:ident })*) => {$(
        impl $crate::aws::Request for $sdk::operation::$module::builders::$builder {
            type Answer = $sdk::operation::$module::$answer;
            type Refusal = $sdk::operation::$module::$refusal;

            fn codec() -> &'static $crate::aws::Codec {
                static CODEC: std::sync::OnceLock<$crate::aws::Codec> = std::sync::OnceLock::new();
                CODEC.get_or_init(|| {
                    $crate::aws::Codec::of::<Self::Refusal>(&$sdk::operation::$module::$operation::new())
                })
            }

            fn built(self) -> Option<aws_smithy_runtime_api::client::interceptors::context::Input> {
                self.build().ok().map(aws_smithy_runtime_api::client::interceptors::context::Input::erase)
            }
        }
    )*};
}
pub(crate) use requests;
