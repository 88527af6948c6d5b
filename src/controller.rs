//! Decides when to reconcile which project. It waits for the caches, bounds concurrency, applies backoff per project
//! and restarts failed watches.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
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
    let children = children.map(by_key);
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
        .map_ok(move |event| {
            let caches = shared.cluster.caches();
            if caches.projects.heard(&event) {
                caches.jobs_changed.notify_one(); // Waiting builds may belong to a known project now.
            }
            if let watcher::Event::Delete(object) = &event {
                shared.status_debounce.written(&object.uid().unwrap_or_default());
            }
            let (named, applied) = (named(&event), matches!(event, watcher::Event::Apply(_)));
            let news = !caches.resources.heard(event).is_empty();
            (news || !applied).then_some(named) // Not after our own write of a status.
        })
        .filter_map(|event| std::future::ready(event.transpose()))
        .reflect(writer);
    let shared = context.clone();
    let concerned = move |event: Result<watcher::Event<ProjectDeployment>, watcher::Error>| match event {
        Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => {
            vec![ObjectRef::from_obj(&object)]
        }
        // Only now: until a list is complete, the cache has what was known before it.
        Ok(watcher::Event::InitDone) => {
            shared.cluster.caches().resources.keys().into_iter().map(by_key).collect()
        }
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => vec![],
        Err(error) => {
            tracing::warn!(%error, "watch of ProjectDeployments failed, restarting it");
            vec![]
        }
    };
    events.flat_map(move |event| stream::iter(concerned(event)))
}

fn by_key((namespace, name): Key) -> ObjectRef<ProjectDeployment> {
    ObjectRef::new(&name).within(&namespace)
}

/// The event, with only the names of its object: the queue needs no more, and the cache has the rest.
fn named(event: &watcher::Event<ProjectDeployment>) -> watcher::Event<ProjectDeployment> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let named = |object: &ProjectDeployment| {
        let ObjectMeta { name, namespace, uid, resource_version, .. } = object.metadata.clone();
        let metadata = ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() };
        ProjectDeployment { metadata, ..ProjectDeployment::default() }
    };
    match event {
        Apply(object) => Apply(named(object)),
        Delete(object) => Delete(named(object)),
        InitApply(object) => InitApply(named(object)),
        Init => Init,
        InitDone => InitDone,
    }
}

async fn pass(object: Arc<ProjectDeployment>, context: ApplierContext) -> Result<Action, Error> {
    let uid = object.uid().unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let known = context.cluster.newest(&namespace, &name, &uid);
    let object = match known {
        Some(known) => context.cluster.confirmed(known).await.map_err(Error::Observe)?,
        None => None,
    };
    let Some(object) = object else {
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
