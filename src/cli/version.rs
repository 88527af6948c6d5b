//! `version`: this program and the cluster.

use serde_json::json;

use super::arguments::Printed;
use super::connection::Connection;
use super::door::Door;
use super::failure::Failure;
use super::output;
use super::screen::Screen;

/// Prints the versions. Without a cluster, only that of this program.
pub(super) async fn run(connection: &Connection, screen: &Screen, verb: &Printed) -> Result<(), Failure> {
    let client = env!("CARGO_PKG_VERSION");
    let cluster = async {
        let door = Door::open(connection).await?;
        Ok::<_, Failure>((door.server_version().await?, door.served_versions().await?))
    };
    let cluster = cluster.await;
    if !verb.output.is_for_people() {
        let (kubernetes, served) =
            cluster.as_ref().map_or((None, None), |(kubernetes, served)| (Some(kubernetes), Some(served)));
        return output::print(
            screen,
            &verb.output,
            &json!({ "client": client, "kubernetes": kubernetes, "doce.dev": served }),
            &[],
        );
    }
    screen.print(&format!("kubectl-doce  {client}"));
    match cluster {
        Ok((kubernetes, served)) => {
            let served = if served.is_empty() { "not installed".to_owned() } else { served.join(", ") };
            screen.print(&format!("Kubernetes    {kubernetes}"));
            screen.print(&format!("doce.dev      {served}"));
        }
        Err(failure) => screen.note(&format!("no cluster: {}", failure.message)),
    }
    Ok(())
}
