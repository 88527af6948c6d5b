//! One HTTP request of the suite.

use std::time::Duration;

use super::example::HttpCheck;

const TIMEOUT: Duration = Duration::from_secs(15);

/// `Ok` if the answer is as expected, else an error that describes it.
pub async fn check(address: &str, check: &HttpCheck) -> Result<(), String> {
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
    let url = format!("http://{address}{}", if check.path.is_empty() { "/" } else { &check.path });
    let response = client.get(&url).send().await.map_err(|error| format!("GET {}: {error}", check.path))?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|error| format!("GET {}: {error}", check.path))?;
    if status != check.expected {
        return Err(format!("GET {} answered {status}, not {}", check.path, check.expected));
    }
    match check.expected_output.words().iter().find(|words| !body.contains(*words)) {
        Some(words) => Err(format!("GET {} answered {status} without {words:?}", check.path)),
        None => Ok(()),
    }
}
