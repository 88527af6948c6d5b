//! Decides when to reconcile which project. It waits for the caches, bounds concurrency, applies backoff per project
//! and restarts failed watches.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use kube::runtime::controller::{Action, Config as Concurrency, applier};
use kube::runtime::reflector::{self, ObjectRef, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::build_queue::admit::limits;
use crate::build_queue::run::{self, Queue};
use crate::cluster::cache::Key;
use crate::crd::{ProjectDeployment, field_managers};
use crate::election::Leadership;
use crate::reconcile::{Error, Requeue, Shared, reconcile};
use crate::text::with_causes;

/// Longest pause after a rejection, so that a child appears soon after the policy that rejected it is gone.
const LONGEST_REFUSED: Duration = Duration::from_mins(1);

/// Interval of reconciliations without an event, in case an event was lost. They write nothing if nothing changed.
const RESYNC: Duration = Duration::from_mins(10);

/// Capacity of the channel for changed projects. A watch that is faster than the loop waits.
const NEWS: usize = 1024;

/// Runs until `shutdown` completes and finishes passes that have begun. It reconciles only while this process leads.
/// Before that it keeps its caches warm. If it loses the lead, it drops its passes and becomes a standby again.
pub async fn run(
    context: Shared,
    mut leadership: impl Leadership,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (changed, mut news) = mpsc::channel(NEWS);
    let caches = context.cluster.shared_caches();
    let namespace = context.config.namespace.clone();
    let mut beside = JoinSet::new(); // Ends with this function, even if the caller drops it halfway.
    beside.spawn(caches.clone().watch(context.cluster.client(), namespace, changed));
    let mut shutdown = Box::pin(shutdown);
    let synced = async {
        loop {
            let listed = caches.listed.notified(); // Counts notifications from here on, even before it is polled.
            if caches.synced() {
                return;
            }
            listed.await;
        }
    };
    tokio::select! {
        () = synced => {}
        () = &mut shutdown => return leadership.release().await,
    }
    loop {
        tokio::select! {
            () = leadership.mine() => {}
            () = unheard(&mut news) => {}
            () = &mut shutdown => break,
        }
        let mut builds = JoinSet::new(); // Ends with the lead.
        builds.spawn(run_build_queue(context.clone()));
        tokio::select! {
            () = leadership.lost() => {}
            () = loop_until(&context, &mut news, &mut shutdown) => break,
        }
    }
    leadership.release().await;
}

/// Discards changes while this process is a standby, so that no watch waits. A new leader reconciles every project
/// anyway.
async fn unheard(news: &mut mpsc::Receiver<Key>) {
    while news.recv().await.is_some() {}
    std::future::pending::<()>().await;
}

async fn loop_until(
    context: &Shared,
    news: &mut mpsc::Receiver<Key>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (reader, writer) = reflector::store();
    let projects = projects(context, writer);
    let children = stream::poll_fn(|polled| news.poll_recv(polled));
    let children =
        children.map(|(namespace, name)| ObjectRef::<ProjectDeployment>::new(&name).within(&namespace));
    let queue =
        stream::select(projects, children).take_until(shutdown).map(Ok::<_, std::convert::Infallible>);
    let concurrency = Concurrency::default().concurrency(context.config.concurrency);
    let passes = applier(
        |object, context: ApplierContext| Box::pin(pass(object, context)),
        |object, error, context: ApplierContext| after_error(&object, error, &context),
        Arc::new(context.clone()),
        reader,
        queue,
        concurrency,
    );
    passes.for_each(|_| std::future::ready(())).await;
}

/// Starts queued builds until it is dropped.
async fn run_build_queue(context: Shared) {
    let queue = Queue {
        cluster: &context.cluster,
        starts: &context.starts,
        limits: limits(&context.config),
        cleans: context.platform.sees_all,
    };
    run::run(&queue).await;
}

/// The applier shares its context in another `Arc`.
type ApplierContext = Arc<Shared>;

fn projects(
    context: &Shared,
    writer: store::Writer<ProjectDeployment>,
) -> impl Stream<Item = ObjectRef<ProjectDeployment>> + use<> {
    let client = context.cluster.client();
    let api = match &context.config.namespace {
        Some(namespace) => Api::<ProjectDeployment>::namespaced(client, namespace),
        None => Api::all(client),
    };
    let shared = context.clone();
    let events = watcher(api, watcher::Config::default().timeout(60)).default_backoff();
    let events = events
        .modify(|object| field_managers::thin(object.metadata.managed_fields.as_mut()))
        .reflect(writer)
        .inspect(move |event| {
            let Ok(event) = event else { return };
            let caches = shared.cluster.caches();
            if caches.projects.heard(event) {
                caches.jobs_changed.notify_one(); // Waiting builds may belong to a known project now.
            }
            if let watcher::Event::Delete(object) = event {
                let uid = object.uid().unwrap_or_default();
                shared.cluster.forget(&uid);
                shared.status_debounce.written(&uid);
            }
        });
    events.touched_objects().filter_map(|touched| async {
        let touched = touched
            .inspect_err(|error| tracing::warn!(%error, "watch of ProjectDeployments failed, restarting it"));
        touched.ok().map(|object| ObjectRef::from_obj(&object))
    })
}

async fn pass(object: Arc<ProjectDeployment>, context: ApplierContext) -> Result<Action, Error> {
    let uid = object.uid().unwrap_or_default();
    let told = context.cluster.newest(&object);
    let Some(object) = context.cluster.confirmed(told).await.map_err(Error::Observe)? else {
        // An event is about to arrive: the object is gone, or a list in progress will contain it.
        return Ok(Action::requeue(Duration::from_secs(1)));
    };
    let next = Box::pin(reconcile(&object, &context)).await?;
    Ok(Action::requeue(match next {
        Requeue::After(pause) => {
            context.backoff.succeeded(&uid);
            pause.max(Duration::from_millis(200)).min(RESYNC)
        }
        Requeue::WithBackoff => context.backoff.failed(&uid).min(LONGEST_REFUSED),
        Requeue::AwaitChange => {
            context.backoff.succeeded(&uid);
            RESYNC
        }
    }))
}

/// Requeues a failed pass. A conflict only means that the caches are stale; anything else is logged and retried with
/// backoff.
fn after_error(object: &ProjectDeployment, error: &Error, context: &Shared) -> Action {
    let uid = object.uid().unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    if let Error::Act(conflict @ crate::cluster::Error::Conflict { .. })
    | Error::Report(conflict @ crate::cluster::Error::Conflict { .. }) = error
    {
        tracing::debug!(namespace, name, error = %conflict, "conflict, retrying");
        return Action::requeue(context.backoff.conflicted(&uid));
    }
    let pause = context.backoff.failed(&uid);
    let (error, pause_ms) = (with_causes(error), pause.as_millis());
    tracing::warn!(namespace, name, error, pause_ms, "reconciliation failed, retrying");
    Action::requeue(pause)
}
