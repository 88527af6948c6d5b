//! A project file of .NET, as far as a build needs it.

use roxmltree::Node;

use super::super::tree::Tree;
use super::super::xml::{all, parse};
use crate::builder::outcome::Failure;

/// The content of a *.csproj or a similar file.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the file")]
pub(super) struct Project {
    /// The file, below the directory that is built.
    pub(super) file: String,
    /// The name of its output.
    pub(super) assembly: String,
    pub(super) targets: Vec<String>,
    /// It has more than one target.
    pub(super) several: bool,
    pub(super) web: bool,
    pub(super) program: bool,
    pub(super) test: bool,
    pub(super) blazor: bool,
    /// It requests native code, or a program that brings its own runtime.
    pub(super) native: bool,
    /// It runs npm.
    pub(super) node: bool,
    references: Vec<String>,
}

impl Project {
    /// Reads one; None if the file does not exist.
    pub(super) fn read(tree: Tree<'_>, file: &str) -> Result<Option<Self>, Failure> {
        let Some(content) = tree.text(file)? else { return Ok(None) };
        let document = parse(file, &content)?;
        let root = document.root_element();
        let values = |name: &str| -> Vec<String> {
            let nodes = all(root, &["PropertyGroup", name]);
            nodes.iter().filter_map(Node::text).map(|text| text.trim().to_owned()).collect()
        };
        let includes = |name: &str| -> Vec<String> {
            let nodes = all(root, &["ItemGroup", name]);
            nodes.iter().filter_map(|node| node.attribute("Include")).map(str::to_owned).collect()
        };
        let is = |name: &str, value: &str| values(name).iter().any(|text| text.eq_ignore_ascii_case(value));
        let sdk = root.attribute("Sdk").unwrap_or_default();
        let packages = includes("PackageReference");
        let stem = file.rsplit('/').next().unwrap_or(file);
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem).to_owned();
        let assembly = values("AssemblyName").pop().filter(|name| !name.contains("$(")).unwrap_or(stem);
        let lists = values("TargetFrameworks");
        let several = !lists.is_empty();
        let targets = values("TargetFramework").into_iter().chain(lists);
        let targets: Vec<String> = targets
            .flat_map(|list| list.split(';').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
            .collect();
        Ok(Some(Self {
            file: file.to_owned(),
            assembly,
            targets: targets
                .into_iter()
                .filter(|target| !target.is_empty() && !target.contains("$("))
                .collect(),
            several,
            web: sdk.starts_with("Microsoft.NET.Sdk.Web")
                || includes("FrameworkReference").iter().any(|name| name == "Microsoft.AspNetCore.App")
                    && is("OutputType", "Exe"),
            program: is("OutputType", "Exe")
                || sdk.starts_with("Microsoft.NET.Sdk.Worker")
                || sdk.contains("BlazorWebAssembly"),
            test: is("IsTestProject", "true") || packages.iter().any(|name| name == "Microsoft.NET.Test.Sdk"),
            blazor: sdk.contains("BlazorWebAssembly"),
            native: [
                "PublishAot",
                "PublishSingleFile",
                "SelfContained",
                "PublishTrimmed",
                "PublishReadyToRun",
            ]
            .iter()
            .any(|name| is(name, "true")),
            node: content.contains("npm "),
            references: includes("ProjectReference"),
        }))
    }

    /// Whether it refers to a project outside the directory that is built.
    pub(super) fn leaves(&self) -> bool {
        let depth = self.file.matches('/').count();
        self.references.iter().any(|path| path.replace('\\', "/").matches("../").count() > depth)
    }
}
