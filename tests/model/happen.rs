//! What people do to the model: they write specs and requests. Nothing here is done by the operator.

use std::collections::BTreeMap;

use doce_operator::crd::annotations::RequestKind;
use doce_operator::crd::init_command::InitCommand;
use doce_operator::crd::run::BoundedString;
use doce_operator::crd::spec::{
    ConfigMapSource, Git, GitRef, Image, NodePortMode, OnFailure, State, Takeover,
};
use doce_operator::crd::{ProjectDeployment, ProjectDeploymentSpec, spec};
use doce_operator::project::Project;
use doce_operator::reconcile::target::target;
use doce_operator::version::short;

use super::cluster::{Cluster, DEADLINE, GUARD};
use super::event::{Event, Source, Which};
use super::namesake::NAME;
use super::nature::{self, Nature};
use super::observe::observe;
use super::server::Server;

/// A newly applied project.
pub(crate) fn applied(source: Source, replicas: u8) -> Cluster {
    let spec: ProjectDeploymentSpec = serde_json::from_value(serde_json::json!({
        "source": {},
        "replicas": replicas,
        "rollout": { "deadlineSeconds": DEADLINE, "minReadySeconds": GUARD },
        "history": { "limit": 4 },
    }))
    .expect("the model's spec is valid");
    let mut object = ProjectDeployment::new(NAME, spec);
    object.metadata.namespace = Some("test".to_owned());
    object.metadata.uid = Some("uid-0".to_owned());
    object.metadata.generation = Some(1);
    object.metadata.resource_version = Some("0".to_owned());
    object.spec.source = of(source);
    let project = Project::parse(&object).expect("the model's object is complete");
    Cluster {
        clock: 0,
        object,
        project,
        ledger: None,
        records: BTreeMap::new(),
        jobs: BTreeMap::new(),
        inits: BTreeMap::new(),
        deployment: None,
        sets: BTreeMap::new(),
        service: None,
        lost_metadata: vec![],
        orphaned_ledger: false,
        heir: false,
        ghosts: vec![],
        lives: 0,
        first_requests: None,
        server: Server::default(),
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
            ..Git::default()
        }),
        ..spec::Source::default()
    };
    let image = |reference| spec::Source {
        image: Some(Image { reference, secret_ref: None }),
        ..spec::Source::default()
    };
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
    /// Applies the event; `token` makes its requests new.
    pub(crate) fn happen(&mut self, event: Event, token: usize) {
        match event {
            Event::Source(source) => self.object.spec.source = of(source),
            Event::Push(source) => self.nature.tip = source,
            Event::PushAndDeploy(source) => {
                self.nature.tip = source;
                self.ask(RequestKind::Deploy, "", token);
            }
            Event::Run(run) => {
                self.object.spec.run.port = 3000 + i32::from(run);
                let command = InitCommand {
                    command: vec![BoundedString("migrate".to_owned())],
                    deadline_seconds: DEADLINE,
                };
                self.object.spec.run.init_command = Some(command).filter(|_| run == nature::RUN_WITH_INIT);
            }
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
            Event::Replaces(replaces) => {
                let strategy = if replaces { Takeover::Replace } else { Takeover::Surge };
                self.object.spec.rollout.strategy = strategy;
            }
            Event::FixedPort(port) => {
                let mode = if port.is_some() { NodePortMode::Fixed } else { NodePortMode::Auto };
                self.object.spec.expose.node_port.mode = mode;
                self.object.spec.expose.node_port.port = port.map(i32::from);
            }
            Event::NoPort => {
                self.object.spec.expose.node_port.mode = NodePortMode::None;
                self.object.spec.expose.node_port.port = None;
            }
            _ => self.request(event, token),
        }
        self.reparse();
    }

    /// Requests of people besides the spec.
    fn request(&mut self, event: Event, token: usize) {
        match event {
            Event::Deploy => self.ask(RequestKind::Deploy, "", token),
            Event::Rollback(which) => self.ask_rollback(which, token),
            Event::Retry => self.ask(RequestKind::Retry, "", token),
            Event::RetryAndRollback(which) => {
                self.ask(RequestKind::Retry, "", token);
                self.ask_rollback(which, token);
            }
            Event::Restart => self.ask(RequestKind::Restart, "", token),
            Event::Cancel => self.ask_cancel(token),
            Event::Several(verbs) => self.ask_several(verbs, token),
            Event::CancelNothing => self.ask(RequestKind::Cancel, "shop-00000000", token),
            Event::RequestsVanish => self.object.metadata.annotations = None,
            Event::RequestsPutBack => {
                if self.first_requests.is_some() && !self.forgotten {
                    self.object.metadata.annotations.clone_from(&self.first_requests);
                }
            }
            _ => self.suffer(event),
        }
    }

    fn ask(&mut self, verb: RequestKind, argument: &str, token: usize) {
        let annotations = self.object.metadata.annotations.get_or_insert_default();
        annotations.insert(verb.annotation().to_owned(), format!("{argument}@{token}"));
        if self.first_requests.is_none() {
            self.first_requests.clone_from(&self.object.metadata.annotations);
        }
    }

    fn ask_cancel(&mut self, token: usize) {
        let active = self.jobs.iter().find(|(_, job)| job.state.is_active()).map(|(name, _)| name.clone());
        self.ask(RequestKind::Cancel, &active.unwrap_or_default(), token);
    }

    fn ask_several(&mut self, verbs: u8, token: usize) {
        for (bit, verb) in RequestKind::ALL.into_iter().enumerate().filter(|(bit, _)| verbs & (1 << bit) != 0)
        {
            match verb {
                RequestKind::Cancel => self.ask_cancel(token),
                RequestKind::Rollback => self.ask_rollback(Which::Usual, token),
                _ => self.ask(verb, "", token + bit * 1000), // Requests have different values.
            }
        }
    }

    fn ask_rollback(&mut self, which: Which, token: usize) {
        let argument = self.name(which).unwrap_or_else(|| "previous".to_owned());
        self.ask(RequestKind::Rollback, &argument, token);
    }

    /// The version as a person would type it; `None` for the default.
    fn name(&self, which: Which) -> Option<String> {
        let ledger = self.memory();
        let unknown = || "vfeedbeef".to_owned();
        let version = match which {
            Which::Usual => return None,
            Which::Unknown => return Some(unknown()),
            Which::Nth(nth) => self.records.keys().nth(usize::from(nth)).cloned(),
            Which::Own => target(&self.project, &observe(self)).from_spec.map(|from_spec| from_spec.version),
            Which::InPlace => self.in_place().map(str::to_owned),
            Which::Failed => {
                self.records.keys().find(|version| ledger.state(version).failed.is_some()).cloned()
            }
        };
        Some(version.map_or_else(unknown, |version| short(&version)))
    }
}
