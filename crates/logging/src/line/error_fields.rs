//! What an error tells beyond its text.

use std::error::Error;

use log::kv::Value;

/// Tells the fields of an error, so that its code and context do not melt into its text.
///
/// It is asked about each error that is a field's value (`error:err = failure`) and about its causes in turn, until it
/// tells something. A field `error` then brings, for each name told, a field `error_NAME` behind it. Closures are
/// `ErrorFields` too; [`Builder::error_fields`](crate::Builder::error_fields) has an example.
pub trait ErrorFields: Send + Sync {
    /// Calls `field` with a name and a value for each field. Runs on the thread that logs; it should neither wait nor log.
    fn fields(&self, error: &(dyn Error + 'static), field: &mut dyn FnMut(&str, Value<'_>));
}

impl<F> ErrorFields for F
where
    F: Fn(&(dyn Error + 'static), &mut dyn FnMut(&str, Value<'_>)) + Send + Sync,
{
    fn fields(&self, error: &(dyn Error + 'static), field: &mut dyn FnMut(&str, Value<'_>)) {
        self(error, field);
    }
}
