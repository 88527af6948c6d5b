//! What an event does to the model. Nothing here is the operator's doing.

use std::collections::BTreeMap;

use doce_operator::crd::annotations::Verb;
use doce_operator::crd::spec::{ConfigMapSource, Git, GitRef, Image, OnFailure, State};
use doce_operator::crd::{ProjectDeployment, ProjectDeploymentSpec, spec};
use doce_operator::project::Project;
use doce_operator::reconcile::asked::asked;
use doce_operator::version::short;

use super::cluster::{Cluster, DEADLINE, GUARD};
use super::event::{Event, Source, Which};
use super::nature::{self, Health, Nature};
use super::observe::observe;

/// A project that has just been applied.
pub(crate) fn applied(source: Source) -> Cluster {
    let spec: ProjectDeploymentSpec = serde_json::from_value(serde_json::json!({
        "source": {},
        "rollout": { "deadlineSeconds": DEADLINE, "minReadySeconds": GUARD },
        "history": { "limit": 4 },
    }))
    .expect("the model's spec is one");
    let mut object = ProjectDeployment::new("shop", spec);
    object.metadata.namespace = Some("test".to_owned());
    object.metadata.uid = Some("uid".to_owned());
    object.metadata.generation = Some(1);
    object.spec.source = of(source);
    let project = Project::parse(&object).expect("the model's object is complete");
    Cluster {
        clock: 0,
        object,
        project,
        ledger: None,
        records: BTreeMap::new(),
        jobs: BTreeMap::new(),
        deployment: None,
        sets: BTreeMap::new(),
        service: None,
        forgotten: false,
        nature: Nature::default(),
        changes: 0,
    }
}

fn of(source: Source) -> spec::Source {
    let git = |reference| spec::Source {
        git: Some(Git {
            url: "https://git.test/shop.git".to_owned(),
            reference: Some(reference),
            path: None,
        }),
        ..spec::Source::default()
    };
    let image = |reference| spec::Source { image: Some(Image { reference }), ..spec::Source::default() };
    match source {
        Source::Commit(number) => git(GitRef { commit: Some(nature::commit(number)), ..GitRef::default() }),
        Source::Branch => git(GitRef { branch: Some("main".to_owned()), ..GitRef::default() }),
        Source::ConfigMap => spec::Source {
            config_map: Some(ConfigMapSource { name: "site".to_owned() }),
            ..spec::Source::default()
        },
        Source::Digest(number) => image(format!("registry.test/app@{}", nature::image(number))),
        Source::Tag => image("registry.test/app:stable".to_owned()),
    }
}

impl Cluster {
    /// The event happens; `token` makes its requests new.
    pub(crate) fn happen(&mut self, event: Event, token: usize) {
        match event {
            Event::Source(source) => self.object.spec.source = of(source),
            Event::Push(source) => self.nature.tip = source,
            Event::PushAndDeploy(source) => {
                self.nature.tip = source;
                self.ask(Verb::Deploy, "", token);
            }
            Event::Run(run) => self.object.spec.run.port = 3000 + i32::from(run),
            Event::Epoch(epoch) => self.object.spec.build.epoch = i64::from(epoch),
            Event::Limit(limit) => self.object.spec.history.limit = i32::from(limit),
            Event::Pin(which) => self.object.spec.pinned_version = self.name(which),
            Event::Stopped(stopped) => {
                self.object.spec.state = if stopped { State::Stopped } else { State::Running }
            }
            Event::Replicas(replicas) => self.object.spec.replicas = i32::from(replicas),
            Event::Stays(stays) => {
                self.object.spec.rollout.on_failure = if stays { OnFailure::Stay } else { OnFailure::Return };
            }
            Event::Deploy => self.ask(Verb::Deploy, "", token),
            Event::Rollback(which) => self.ask_rollback(which, token),
            Event::Retry => self.ask(Verb::Retry, "", token),
            Event::RetryAndRollback(which) => {
                self.ask(Verb::Retry, "", token);
                self.ask_rollback(which, token);
            }
            Event::Restart => self.ask(Verb::Restart, "", token),
            Event::Cancel => {
                let active =
                    self.jobs.iter().find(|(_, job)| job.state.is_active()).map(|(name, _)| name.clone());
                self.ask(Verb::Cancel, &active.unwrap_or_default(), token);
            }
            Event::CancelNothing => self.ask(Verb::Cancel, "shop-00000000", token),
            Event::RequestsVanish => self.object.metadata.annotations = None,
            _ => self.suffer(event),
        }
        self.reparse();
    }

    /// What nature and other hands do.
    fn suffer(&mut self, event: Event) {
        let in_place = self.in_place().map(str::to_owned);
        match event {
            Event::Break => self.nature.changed.extend(in_place.map(|version| (version, Health::Bad))),
            Event::BreakNewborn => {
                self.nature.sick_newborn.extend(in_place.map(|version| (version, Health::Bad)));
            }
            Event::HealAll => {
                let known = self.nature.origins.keys().cloned();
                self.nature.changed = known.map(|version| (version, Health::Good)).collect();
                self.nature.sick_newborn.clear();
                self.sets.values_mut().flat_map(|set| &mut set.pods).for_each(|pod| pod.sick = None);
            }
            Event::LoseLedger => {
                self.ledger = None;
                self.forgotten = true;
            }
            Event::LoseDeployment => {
                self.deployment = None;
                self.sets.clear();
            }
            Event::LoseService => self.service = None,
            Event::LoseSet(nth) => lose(&mut self.sets, nth),
            Event::LoseRecord(nth) => lose(&mut self.records, nth),
            Event::LoseJob(nth) => lose(&mut self.jobs, nth),
            Event::SweepJobs => self.jobs.retain(|_, job| job.state.is_active()),
            Event::EditService => self.service.iter_mut().for_each(|service| service.edited = true),
            _ => self.suffer_in_deployment(event),
        }
    }

    fn suffer_in_deployment(&mut self, event: Event) {
        let Some(deployment) = &mut self.deployment else { return };
        match event {
            Event::EditTemplate => deployment.template.edit += 1,
            Event::EditReplicas(replicas) => deployment.replicas = usize::from(replicas),
            Event::StripVersion => deployment.template.version = None,
            _ => return,
        }
        deployment.generation += 1;
    }

    fn ask(&mut self, verb: Verb, argument: &str, token: usize) {
        let annotations = self.object.metadata.annotations.get_or_insert_default();
        annotations.insert(verb.annotation().to_owned(), format!("{argument}@{token}"));
    }

    fn ask_rollback(&mut self, which: Which, token: usize) {
        let argument = self.name(which).unwrap_or_else(|| "previous".to_owned());
        self.ask(Verb::Rollback, &argument, token);
    }

    /// The version as a person would type it; none for the usual.
    fn name(&self, which: Which) -> Option<String> {
        let ledger = self.memory();
        let unknown = || "vfeedbeef".to_owned();
        let version = match which {
            Which::Usual => return None,
            Which::Unknown => return Some(unknown()),
            Which::Nth(nth) => self.records.keys().nth(usize::from(nth)).cloned(),
            Which::Own => asked(&self.project, &observe(self)).yielded.map(|yielded| yielded.version),
            Which::InPlace => self.in_place().map(str::to_owned),
            Which::Failed => {
                self.records.keys().find(|version| ledger.life(version).failed.is_some()).cloned()
            }
        };
        Some(version.map_or_else(unknown, |version| short(&version)))
    }
}

fn lose<K: Clone + Ord, V>(children: &mut BTreeMap<K, V>, nth: u8) {
    if let Some(name) = children.keys().nth(usize::from(nth)).cloned() {
        children.remove(&name);
    }
}
