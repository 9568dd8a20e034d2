//! GEXF, the graph format that networkx and Gephi write.

use std::borrow::Cow;

use petgraph::unionfind::UnionFind;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use rustc_hash::FxHashMap;

use super::triples::{DEFAULT_RELATION, Triple};
use crate::Attribute;
use crate::fault::{Fault, Place};

/// Nodes and edges of a file, which does not say which nodes are items.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// Labels.
    nodes: Vec<String>,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
struct Edge {
    source: u32,
    target: u32,
    relation: Option<String>,
    line: usize,
}

impl Network {
    /// The facts that the edges state, item first.
    ///
    /// Either end of an edge may be the item: networkx writes an undirected edge from the end that
    /// it met first. Every connected part has two sides with all its edges between them; the side
    /// with more known items is the items', or, where that does not tell, the side of the source of
    /// the part's first edge.
    pub(super) fn triples(&self, known_item: impl Fn(&str) -> bool) -> Result<Vec<Triple>, Fault> {
        let sides = self.sides()?;
        let mut rank = vec![(0usize, 0usize); 2 * self.nodes.len()];
        for (node, label) in self.nodes.iter().enumerate() {
            rank[sides.find(node)].0 += usize::from(known_item(label));
        }
        for (position, edge) in self.edges.iter().enumerate().rev() {
            rank[sides.find(edge.source as usize)].1 = self.edges.len() - position;
        }
        let on_item_side = |node: u32| {
            let node = node as usize;
            rank[sides.find(node)] > rank[sides.find(node + self.nodes.len())]
        };
        Ok(self
            .edges
            .iter()
            .map(|edge| self.triple(edge, on_item_side(edge.source)))
            .collect())
    }

    fn triple(&self, edge: &Edge, item_is_source: bool) -> Triple {
        let ends = [edge.source, edge.target].map(|end| self.nodes[end as usize].clone());
        let [source, target] = ends;
        let (item, value) = if item_is_source {
            (source, target)
        } else {
            (target, source)
        };
        let relation = edge
            .relation
            .as_deref()
            .unwrap_or(DEFAULT_RELATION)
            .to_owned();
        Triple {
            item,
            attribute: Attribute { relation, value },
        }
    }

    /// Node `n` and, for the side across, `n + nodes`: equal representatives are one side of a part.
    fn sides(&self) -> Result<UnionFind<usize>, Fault> {
        let nodes = self.nodes.len();
        let mut sides = UnionFind::new(2 * nodes);
        for edge in &self.edges {
            let (source, target) = (edge.source as usize, edge.target as usize);
            sides.union(source, target + nodes);
            sides.union(source + nodes, target);
            if sides.equiv(source, source + nodes) {
                let reason = format!(
                    "edge `{}` - `{}` joins two nodes of the same side, need items on one side and attributes on the other",
                    self.nodes[source], self.nodes[target]
                );
                return Err(Fault::new(Place::Line(edge.line), reason));
            }
        }
        Ok(sides)
    }
}

pub(super) fn parse(text: &str) -> Result<Network, Fault> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut document = Document::default();
    let (mut line, mut counted) = (1, 0);
    loop {
        let event = reader.read_event();
        // Only ever forward, and so linear over the file.
        let read = usize::try_from(reader.buffer_position())
            .unwrap_or(counted)
            .min(text.len());
        line += memchr::memchr_iter(b'\n', &text.as_bytes()[counted..read]).count();
        counted = read;
        let more = event.map_err(|error| error.to_string());
        match more.and_then(|event| document.take(&event, line)) {
            Ok(true) => {}
            Ok(false) => return document.network(),
            Err(reason) => return Err(Fault::new(Place::Line(line), reason)),
        }
    }
}

/// What was read so far, where a reason alone says what is wrong: the line is the reader's.
#[derive(Default)]
struct Document {
    depth: usize,
    closed: bool,
    /// Id of the edge attribute titled "relation".
    relation_key: Option<String>,
    in_edge_attributes: bool,
    in_edge: bool,
    /// Numbers of node ids, in the order in which nodes or edges name them first.
    numbers: FxHashMap<String, u32>,
    /// Labels of the nodes; none yet where only an edge named the node.
    labels: Vec<Option<String>>,
    edges: Vec<Edge>,
}

impl Document {
    /// Whether more may come.
    fn take(&mut self, event: &Event<'_>, line: usize) -> Result<bool, String> {
        match event {
            Event::Eof if self.depth > 0 => return Err("the file ends too early".to_owned()),
            Event::Eof if !self.closed => return Err("no gexf element".to_owned()),
            Event::Eof => return Ok(false),
            Event::Start(element) => {
                self.start(element, line)?;
                self.depth += 1;
            }
            Event::End(element) => {
                match element.local_name().as_ref() {
                    "attributes" => self.in_edge_attributes = false,
                    "edge" => self.in_edge = false,
                    _ => {}
                }
                self.depth -= 1;
                self.closed = self.depth == 0;
            }
            _ => {}
        }
        Ok(true)
    }

    fn start(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), String> {
        match element.local_name().as_ref() {
            "gexf" if self.depth == 0 && !self.closed => {}
            name if self.depth == 0 => {
                return Err(format!("root element `{name}`, need one `gexf`"));
            }
            "attributes" => {
                let [class] = fields(element, ["class"])?;
                self.in_edge_attributes = class.as_deref() == Some("edge");
            }
            "attribute" if self.in_edge_attributes => self.attribute(element)?,
            "node" => self.node(element)?,
            "edge" => self.edge(element, line)?,
            "attvalue" if self.in_edge => self.edge_value(element)?,
            _ => {}
        }
        Ok(())
    }

    fn attribute(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let [id, title] = fields(element, ["id", "title"])?;
        if title.is_some_and(|title| title.trim().eq_ignore_ascii_case("relation")) {
            self.relation_key = id.map(Cow::into_owned);
        }
        Ok(())
    }

    fn node(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let [id, label] = fields(element, ["id", "label"])?;
        let id = id.ok_or("node without id")?;
        let label = label.as_ref().unwrap_or(&id).trim();
        if label.is_empty() {
            return Err(format!("node `{id}` has a blank label"));
        }
        let number = self.number(&id)?;
        match self.labels[number as usize].replace(label.to_owned()) {
            None => Ok(()),
            Some(_) => Err(format!("node `{id}` occurs twice")),
        }
    }

    fn edge(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), String> {
        let [source, target, label, kind] = fields(element, ["source", "target", "label", "kind"])?;
        let source = self.number(&source.ok_or("edge without source")?)?;
        let target = self.number(&target.ok_or("edge without target")?)?;
        let relation = label.or(kind).and_then(not_blank);
        self.edges.push(Edge {
            source,
            target,
            relation,
            line,
        });
        self.in_edge = true;
        Ok(())
    }

    fn edge_value(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let [key, value] = fields(element, ["for", "value"])?;
        let is_relation = key.is_some() && key.as_deref() == self.relation_key.as_deref();
        if let (true, Some(edge)) = (is_relation, self.edges.last_mut()) {
            edge.relation = value.and_then(not_blank);
        }
        Ok(())
    }

    fn number(&mut self, id: &str) -> Result<u32, String> {
        if let Some(&number) = self.numbers.get(id) {
            return Ok(number);
        }
        let number = u32::try_from(self.labels.len()).map_err(|_| "too many nodes")?;
        self.numbers.insert(id.to_owned(), number);
        self.labels.push(None);
        Ok(number)
    }

    fn network(self) -> Result<Network, Fault> {
        if let Some((id, &number)) = self
            .numbers
            .iter()
            .find(|(_, number)| self.labels[**number as usize].is_none())
        {
            let ends = |edge: &&Edge| edge.source == number || edge.target == number;
            let line = self.edges.iter().find(ends).map_or(0, |edge| edge.line);
            return Err(Fault::new(
                Place::Line(line),
                format!("edge to unknown node `{id}`"),
            ));
        }
        Ok(Network {
            nodes: self.labels.into_iter().flatten().collect(),
            edges: self.edges,
        })
    }
}

fn not_blank(text: Cow<'_, str>) -> Option<String> {
    Some(text.trim())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// The values of an element's attributes of these names.
fn fields<'a, const N: usize>(
    element: &'a BytesStart<'_>,
    names: [&str; N],
) -> Result<[Option<Cow<'a, str>>; N], String> {
    let mut values = [const { None }; N];
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if let Some(field) = names
            .iter()
            .position(|name| *name == attribute.key.as_ref())
        {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            values[field] = Some(value.map_err(|error| error.to_string())?);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gexf(nodes: &[&str], edges: &[(&str, &str)]) -> String {
        let nodes: String = nodes
            .iter()
            .map(|id| format!("<node id=\"{id}\" label=\"{id}\" />\n"))
            .collect();
        let edge = |(number, (source, target)): (usize, &(&str, &str))| {
            format!("<edge source=\"{source}\" target=\"{target}\" id=\"{number}\" />\n")
        };
        let edges: String = edges.iter().enumerate().map(edge).collect();
        format!("<gexf><graph><nodes>{nodes}</nodes><edges>{edges}</edges></graph></gexf>")
    }

    fn pairs(network: &Network, known: &[&str]) -> Vec<(String, String)> {
        let triples = network.triples(|label| known.contains(&label)).unwrap();
        triples
            .into_iter()
            .map(|t| (t.item, t.attribute.value))
            .collect()
    }

    fn message(text: &str) -> String {
        let fault = parse(text)
            .and_then(|network| network.triples(|_| false))
            .unwrap_err();
        format!("{}: {}", fault.place, fault.reason)
    }

    /// As networkx 3 writes it: the edge attribute is declared by a number, entities are escaped.
    #[test]
    fn relations_and_entities() {
        let text = r#"<?xml version='1.0' encoding='utf-8'?>
<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">
  <graph defaultedgetype="undirected" mode="static" name="">
    <attributes mode="static" class="node"><attribute id="0" title="relation" type="string" /></attributes>
    <attributes mode="static" class="edge"><attribute id="1" title="relation" type="string" /></attributes>
    <nodes>
      <node id="Romeo &amp; Juliet" label="Romeo &amp; Juliet"><attvalues><attvalue for="1" value="no edge" /></attvalues></node>
      <node id="Luhrmann" label="Baz Luhrmann" />
      <node id="1996" label="1996" />
    </nodes>
    <edges>
      <edge source="Romeo &amp; Juliet" target="Luhrmann" id="0"><attvalues><attvalue for="1" value="director" /></attvalues></edge>
      <edge source="Romeo &amp; Juliet" target="1996" id="1" />
    </edges>
  </graph>
</gexf>"#;
        let triples = parse(text).unwrap().triples(|_| false).unwrap();
        let attribute = |relation: &str, value: &str| Attribute {
            relation: relation.into(),
            value: value.into(),
        };
        assert_eq!(triples[0].item, "Romeo & Juliet");
        assert_eq!(triples[0].attribute, attribute("director", "Baz Luhrmann"));
        assert_eq!(triples[1].attribute, attribute(DEFAULT_RELATION, "1996"));
    }

    /// networkx met "Mann" before "Thief" and so writes that edge from the attribute.
    #[test]
    fn the_item_may_be_either_end() {
        let text = gexf(
            &["Heat", "Mann", "Thief"],
            &[("Heat", "Mann"), ("Mann", "Thief")],
        );
        let network = parse(&text).unwrap();
        let facts =
            [("Heat", "Mann"), ("Thief", "Mann")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pairs(&network, &[]), facts);
        assert_eq!(pairs(&network, &["Thief", "Heat"]), facts);
        // An attribute that is an item's name too is outvoted.
        assert_eq!(pairs(&network, &["Thief", "Heat", "Mann"]), facts);
        let turned =
            [("Mann", "Heat"), ("Mann", "Thief")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pairs(&network, &["Mann"]), turned);
    }

    #[test]
    fn every_part_has_its_own_sides() {
        let text = gexf(&["A", "x", "y", "B"], &[("A", "x"), ("y", "B")]);
        let network = parse(&text).unwrap();
        let expect = |facts: [(&str, &str); 2]| facts.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(
            pairs(&network, &["A", "B"]),
            expect([("A", "x"), ("B", "y")])
        );
        assert_eq!(pairs(&network, &[]), expect([("A", "x"), ("y", "B")]));
    }

    #[test]
    fn faults_name_the_line() {
        assert_eq!(message(""), "line 1: no gexf element");
        assert_eq!(
            message("<svg/>"),
            "line 1: root element `svg`, need one `gexf`"
        );
        assert_eq!(
            message("<gexf>\n<graph>"),
            "line 2: the file ends too early"
        );
        assert_eq!(
            message(&gexf(&["a", "a"], &[])),
            "line 2: node `a` occurs twice"
        );
        assert_eq!(
            message(&gexf(&["a"], &[("a", "b")])),
            "line 2: edge to unknown node `b`"
        );
        assert_eq!(message("<gexf><node/></gexf>"), "line 1: node without id");
        assert_eq!(
            message("<gexf><edge source='a'/></gexf>"),
            "line 1: edge without target"
        );
        let triangle = gexf(&["a", "b", "c"], &[("a", "b"), ("b", "c"), ("c", "a")]);
        assert_eq!(
            message(&triangle),
            "line 6: edge `c` - `a` joins two nodes of the same side, need items on one side and attributes on the other"
        );
        assert!(message("<gexf><graph></gexf>").starts_with("line 1: "));
        assert!(message("<gexf><node id='&bomb;'/></gexf>").starts_with("line 1: "));
    }
}
