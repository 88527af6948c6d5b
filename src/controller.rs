//! Watches to reconcile: which project is looked at and when. It waits for the caches, bounds concurrency, lets pauses
//! grow per project, and never gives up on a watch.

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
use crate::crd::{ProjectDeployment, authors};
use crate::election::Leadership;
use crate::reconcile::{Error, Requeue, Shared, reconcile};
use crate::text::with_causes;

/// Longest pause after a refusal: what a policy refuses comes up soon after the policy goes.
const LONGEST_REFUSED: Duration = Duration::from_mins(1);

/// A look without any news: it writes nothing when nothing has changed, and is there against news that got lost.
const SAFETY_NET: Duration = Duration::from_mins(10);

/// News that wait; a watch that is faster than the loop is held up.
const NEWS: usize = 1024;

/// Runs until `shutdown` completes; work that has begun is finished then. Passes are made only while this process leads:
/// before, it keeps its caches warm, and when the lead is lost it stands by again, its passes left where they are.
pub async fn run(
    context: Shared,
    mut leadership: impl Leadership,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (changed, mut news) = mpsc::channel(NEWS);
    let caches = context.cluster.shared_caches();
    let namespace = context.config.namespace.clone();
    let mut beside = JoinSet::new(); // Ends with this function, also when that is given up halfway.
    beside.spawn(caches.clone().watch(context.cluster.client(), namespace, changed));
    let mut shutdown = Box::pin(shutdown);
    let synced = async {
        loop {
            let listed = caches.listed.notified(); // Told from here on, whether polled or not.
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
        builds.spawn(released(context.clone()));
        tokio::select! {
            () = leadership.lost() => {}
            () = loop_until(&context, &mut news, &mut shutdown) => break,
        }
    }
    leadership.release().await;
}

/// Takes in what a standby need not act on, so that no watch is held up: who takes the lead looks at every project.
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
        |object, context: Shared2| Box::pin(pass(object, context)),
        |object, error, context: Shared2| after_error(&object, error, &context),
        Arc::new(context.clone()),
        reader,
        queue,
        concurrency,
    );
    passes.for_each(|_| std::future::ready(())).await;
}

/// Releases builds until it is dropped.
async fn released(context: Shared) {
    let queue = Queue {
        cluster: &context.cluster,
        starts: &context.starts,
        limits: limits(&context.config),
        cleans: context.platform.sees_all,
    };
    run::run(&queue).await;
}

/// The applier shares its context in an `Arc` of its own.
type Shared2 = Arc<Shared>;

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
        .modify(|object| authors::thin(object.metadata.managed_fields.as_mut()))
        .reflect(writer)
        .inspect(move |event| {
            let Ok(event) = event else { return };
            let caches = shared.cluster.caches();
            if caches.projects.heard(event) {
                caches.jobs_changed.notify_one(); // Builds that wait belong to somebody now.
            }
            if let watcher::Event::Delete(object) = event {
                let uid = object.uid().unwrap_or_default();
                shared.cluster.forget(&uid);
                shared.announcements.told(&uid);
            }
        });
    events.touched_objects().filter_map(|touched| async {
        let touched = touched.inspect_err(
            |error| tracing::warn!(%error, "the watch of ProjectDeployments broke, beginning it anew"),
        );
        touched.ok().map(|object| ObjectRef::from_obj(&object))
    })
}

async fn pass(object: Arc<ProjectDeployment>, context: Shared2) -> Result<Action, Error> {
    let uid = object.uid().unwrap_or_default();
    let told = context.cluster.newest(&object);
    let Some(object) = context.cluster.sure_of(told).await.map_err(Error::Observe)? else {
        // The watch is about to tell that it is gone, or, in the middle of a list, that it is there.
        return Ok(Action::requeue(Duration::from_secs(1)));
    };
    let next = Box::pin(reconcile(&object, &context)).await?;
    Ok(Action::requeue(match next {
        Requeue::After(pause) => {
            context.backoff.succeeded(&uid);
            pause.max(Duration::from_millis(200)).min(SAFETY_NET)
        }
        Requeue::WithBackoff => context.backoff.failed(&uid).min(LONGEST_REFUSED),
        Requeue::AwaitChange => {
            context.backoff.succeeded(&uid);
            SAFETY_NET
        }
    }))
}

/// A conflict only means that the caches are behind; anything else is said, and tried again after a growing pause.
fn after_error(object: &ProjectDeployment, error: &Error, context: &Shared) -> Action {
    let uid = object.uid().unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    if let Error::Act(conflict @ crate::cluster::Error::Conflict { .. })
    | Error::Report(conflict @ crate::cluster::Error::Conflict { .. }) = error
    {
        tracing::debug!(namespace, name, error = %conflict, "looking again");
        return Action::requeue(context.backoff.conflicted(&uid));
    }
    let pause = context.backoff.failed(&uid);
    let (error, pause_ms) = (with_causes(error), pause.as_millis());
    tracing::warn!(namespace, name, error, pause_ms, "a pass failed");
    Action::requeue(pause)
}
