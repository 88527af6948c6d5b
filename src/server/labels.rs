//! Which projects a list has: those with certain labels. Pure.

use serde_json::Value;

use super::problem::Problem;

/// Most labels of a selection.
const MOST: usize = 16;

/// Labels that a project must have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Labels(Vec<(String, String)>);

impl Labels {
    /// Of `key=value`, separated by commas.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong(pair))?;
            let key = key.trim_end_matches('!');
            if key.is_empty() || pair.contains("!=") {
                return Err(wrong(pair));
            }
            Ok((key.to_owned(), value.trim_start_matches('=').to_owned()))
        };
        let pairs: Vec<_> = text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .map(pair)
            .collect::<Result<_, _>>()?;
        if pairs.len() > MOST {
            return Err(Problem::bad_request(format!("labelSelector has more than {MOST} labels")));
        }
        Ok(Self(pairs))
    }

    /// An object has all of them.
    #[must_use]
    pub(super) fn match_object(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|(key, value)| labels.get(key).is_some_and(|there| there == value.as_str()))
    }
}

fn wrong(pair: &str) -> Problem {
    Problem::bad_request(format!("labelSelector has {pair:?}, but takes only key=value, separated by commas"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_objects_with_all_labels_match() {
        let object = json!({ "metadata": { "labels": { "a.b/c": "d", "e": "" } } });
        let matches = |text| Labels::parse(text).unwrap().match_object(&object);
        assert!(matches("") && matches("a.b/c=d") && matches("a.b/c==d, e="));
        assert!(!matches("a.b/c=x") && !matches("e=,f=g"));
        for wrong in ["a", "a!=b", "=b", "a in (b)"] {
            assert_eq!(Labels::parse(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
