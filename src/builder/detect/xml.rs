//! The XML of project files, such as pom.xml and *.csproj, with a lookup of elements by path.

use roxmltree::{Document, Node, ParsingOptions};

use super::no_builder;
use crate::builder::outcome::Failure;

/// Most nodes of a document.
const MAX_NODES: u32 = 100_000;

/// Parses the text of a file.
pub(super) fn parse<'a>(file: &str, text: &'a str) -> Result<Document<'a>, Failure> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|error| no_builder(format!("{file} cannot be read as XML: {error}; correct it")))
}

/// The elements of a name in an element, whatever their namespace.
pub(super) fn children<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// All elements at the end of a path of names below an element.
pub(super) fn all<'a, 'i>(node: Node<'a, 'i>, path: &[&str]) -> Vec<Node<'a, 'i>> {
    path.iter().fold(vec![node], |nodes, name| {
        nodes.into_iter().flat_map(|node| children(node, name).collect::<Vec<_>>()).collect()
    })
}

/// The text of the first element at the end of a path; None if it is empty.
pub(super) fn text<'a>(node: Node<'a, '_>, path: &[&str]) -> Option<&'a str> {
    let found = all(node, path).into_iter().next()?;
    found.text().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_path_in_any_namespace() {
        let text = "<project xmlns=\"x\"><build><plugins><plugin><id> a </id></plugin><plugin><id>b</id></plugin></plugins></build></project>";
        let document = parse("pom.xml", text).unwrap();
        let plugins = all(document.root_element(), &["build", "plugins", "plugin"]);
        let ids: Vec<_> = plugins.iter().filter_map(|plugin| super::text(*plugin, &["id"])).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(super::text(document.root_element(), &["nothing"]), None);
    }

    #[test]
    fn hostile_documents_are_rejected() {
        let entities = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        for text in ["", "<a>", "<a></b>", entities, &"<a>".repeat(200_000)] {
            let failure = parse("a.csproj", text).unwrap_err();
            assert!(failure.message.starts_with("a.csproj cannot be read as XML"), "{}", failure.message);
        }
        let deep = format!("{}{}", "<a>".repeat(50_000), "</a>".repeat(50_000));
        let _read = parse("pom.xml", &deep);
    }
}
