//! How much an object costs. Pure.

use std::io;

use serde::Serialize;
use serde_json::Value;

/// Bytes of a value of any kind in memory.
const OF_A_VALUE: usize = 32;

/// Bytes of an object as JSON text.
#[must_use]
pub(super) fn of_text(object: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    let _ = serde_json::to_writer(&mut counter, object); // Counting does not fail.
    counter.0
}

/// Bytes of an object in memory, about.
#[must_use]
pub(super) fn of_memory(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(of_memory).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| OF_A_VALUE + name.len() + of_memory(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    OF_A_VALUE + inside
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_counted_as_it_is_sent_and_small_values_are_not_free_in_memory() {
        let object = json!({ "a": [1, null, "\"x\""] });
        assert_eq!(of_text(&object), object.to_string().len());
        let zeros = json!(vec![0; 1000]);
        assert!(of_memory(&zeros) > 10 * of_text(&zeros));
        assert!(of_memory(&json!({ "text": "x".repeat(1000) })) > 1000);
    }
}
