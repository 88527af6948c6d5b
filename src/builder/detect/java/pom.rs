//! A pom.xml, as far as a build needs it.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::super::xml::{all, children, parse, text};
use super::main_class::is_class;
use crate::builder::outcome::Failure;

/// What a pom.xml says.
#[derive(Clone, Debug, Default)]
pub(super) struct Pom {
    pub(super) artifact: String,
    pub(super) packaging: String,
    pub(super) modules: Vec<String>,
    /// The artifact and the version of its parent, and the parent's path; no path if it comes from a repository.
    pub(super) parent: Option<(String, String)>,
    pub(super) parent_path: Option<String>,
    properties: BTreeMap<String, String>,
    /// Plugins of the build, by artifact.
    plugins: BTreeMap<String, Plugin>,
    /// Dependencies, `group:artifact`.
    dependencies: BTreeSet<String>,
    main_class: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Plugin {
    executions: bool,
    /// Elements of its configuration that hold a text alone.
    configuration: BTreeMap<String, String>,
    /// It is below `pluginManagement`, so the build may not run it.
    managed: bool,
}

impl Pom {
    /// Reads a pom.xml; `file` is its name in errors.
    pub(super) fn parse(file: &str, content: &str) -> Result<Self, Failure> {
        let document = parse(file, content)?;
        let root = document.root_element();
        let owned = |path: &[&str]| text(root, path).map(str::to_owned);
        let mut pom = Self {
            artifact: owned(&["artifactId"]).unwrap_or_default(),
            packaging: owned(&["packaging"]).unwrap_or_else(|| "jar".to_owned()),
            modules: all(root, &["modules", "module"])
                .iter()
                .filter_map(Node::text)
                .map(|text| text.trim().to_owned())
                .collect(),
            ..Self::default()
        };
        if let Some(parent) = all(root, &["parent"]).first() {
            let part = |name| text(*parent, &[name]).unwrap_or_default().to_owned();
            pom.parent = Some((part("artifactId"), part("version")));
            // An empty element means that the parent comes from a repository.
            pom.parent_path = match children(*parent, "relativePath").next() {
                Some(path) => path.text().map(|path| path.trim().to_owned()).filter(|path| !path.is_empty()),
                None => Some("../pom.xml".to_owned()),
            };
        }
        for node in
            all(root, &["properties"]).iter().flat_map(roxmltree::Node::children).filter(Node::is_element)
        {
            let value = node.text().unwrap_or_default().trim();
            pom.properties.insert(node.tag_name().name().to_owned(), value.to_owned());
        }
        for node in all(root, &["dependencies", "dependency"]) {
            let part = |name| text(node, &[name]).unwrap_or_default();
            pom.dependencies.insert(format!("{}:{}", part("groupId"), part("artifactId")));
        }
        for (path, managed) in [
            (["build", "pluginManagement", "plugins", "plugin"].as_slice(), true),
            (["build", "plugins", "plugin"].as_slice(), false),
        ] {
            for node in all(root, path) {
                pom.add_plugin(node, managed);
            }
        }
        Ok(pom)
    }

    fn add_plugin(&mut self, node: Node<'_, '_>, managed: bool) {
        let Some(artifact) = text(node, &["artifactId"]) else { return };
        let plugin = self.plugins.entry(artifact.to_owned()).or_default();
        plugin.managed = managed;
        plugin.executions |= !all(node, &["executions", "execution"]).is_empty();
        for setting in
            all(node, &["configuration"]).iter().flat_map(roxmltree::Node::children).filter(Node::is_element)
        {
            if let Some(value) = setting.text().map(str::trim).filter(|value| !value.is_empty()) {
                plugin.configuration.insert(setting.tag_name().name().to_owned(), value.to_owned());
            }
        }
        let named = node.descendants().filter(|node| node.tag_name().name() == "mainClass");
        for class in named.filter_map(|node| node.text()) {
            self.main_class.get_or_insert_with(|| class.trim().to_owned());
        }
    }

    /// Whether a plugin is part of the build.
    pub(super) fn runs(&self, plugin: &str) -> bool {
        self.plugins.get(plugin).is_some_and(|plugin| !plugin.managed)
    }

    /// Whether a plugin has executions of its own here.
    pub(super) fn executes(&self, plugin: &str) -> bool {
        self.plugins.get(plugin).is_some_and(|plugin| plugin.executions)
    }

    /// A setting of a plugin.
    pub(super) fn configured(&self, plugin: &str, setting: &str) -> Option<&str> {
        self.plugins.get(plugin)?.configuration.get(setting).map(String::as_str)
    }

    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// Whether it depends on an artifact of this group.
    pub(super) fn depends(&self, group: &str) -> bool {
        self.dependencies.iter().any(|name| name.split(':').next() == Some(group))
    }
}

/// A value with the properties that it refers to, looked up in each pom in turn.
pub(super) fn resolved(value: &str, poms: &[Pom]) -> Option<String> {
    let mut value = value.to_owned();
    for _ in 0..5 {
        let Some(name) = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return Some(value);
        };
        let next = poms.iter().find_map(|pom| pom.property(name))?.to_owned();
        value = next;
    }
    None
}

/// The class that a pom or one above it starts.
pub(super) fn main_class(poms: &[Pom]) -> Option<String> {
    let named = poms.iter().find_map(|pom| {
        let property = ["exec.mainClass", "start-class", "mainClass", "main.class"]
            .iter()
            .find_map(|name| pom.property(name));
        pom.main_class.as_deref().or(property)
    });
    resolved(named?, poms).filter(|class| is_class(class))
}
