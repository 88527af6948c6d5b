//! A server that answers with one line.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let server = tiny_http::Server::http(format!("0.0.0.0:{port}"))?;
    for request in server.incoming_requests() {
        request.respond(tiny_http::Response::from_string("Hello from Rust\n"))?;
    }
    Ok(())
}
