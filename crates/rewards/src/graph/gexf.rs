//! GEXF, the graph format that networkx and Gephi write.

mod network;

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use rustc_hash::FxHashMap;

use crate::fault::{Fault, Place};

pub(super) use network::Network;
use network::{Edge, Node};

pub(super) fn parse(text: &str) -> Result<Network, Fault> {
    let mut reader = Reader::from_str(text);
    // An empty `<edge …/>` then has an end event too, where its relation is decided.
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

/// An edge attribute as it is declared.
#[derive(Default)]
struct Declared {
    id: Option<String>,
    /// What the attribute is for edges that do not give it.
    default: Option<String>,
}

#[derive(Clone, Copy)]
enum Declaring {
    Relation,
    MultigraphKey,
}

/// What was read so far, where a reason alone says what is wrong: the line is the reader's.
#[derive(Default)]
struct Document {
    depth: usize,
    closed: bool,
    /// The edge attribute titled "relation".
    relation: Declared,
    /// The edge attribute in which networkx keeps the keys of a multigraph.
    multigraph_key: Declared,
    in_edge_attributes: bool,
    /// Which of the two the parser is inside of.
    declaring: Option<Declaring>,
    /// Text of the default that the parser is inside of.
    default: Option<String>,
    in_edge: bool,
    /// What the present edge gives for the two.
    given: Option<String>,
    key: Option<String>,
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
                    "attribute" => self.declaring = None,
                    "default" => self.end_default(),
                    "edge" => self.end_edge(),
                    _ => {}
                }
                // The reader rejects an end tag without a start tag, so this cannot underflow.
                self.depth -= 1;
                self.closed = self.depth == 0;
            }
            // A text comes in parts, cut at its entities: "Tom &amp; Jerry" in three.
            Event::Text(text) => self.default_text(|| Ok(text.xml10_content().into_owned()))?,
            Event::CData(text) => self.default_text(|| Ok(text.xml10_content().into_owned()))?,
            Event::GeneralRef(name) => self.default_text(|| resolve(name))?,
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
            "default" if self.declaring.is_some() => self.default = Some(String::new()),
            "node" => self.node(element)?,
            "edge" => self.edge(element, line)?,
            "attvalue" if self.in_edge => self.edge_value(element)?,
            _ => {}
        }
        Ok(())
    }

    fn attribute(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let [id, title] = fields(element, ["id", "title"])?;
        let title = title.unwrap_or_default();
        self.declaring = match title.trim() {
            title if title.eq_ignore_ascii_case("relation") => Some(Declaring::Relation),
            "networkx_key" => Some(Declaring::MultigraphKey),
            _ => None,
        };
        if let Some(declared) = self.declared() {
            declared.id = id.map(Cow::into_owned);
        }
        Ok(())
    }

    /// The attribute that the parser is inside of, if it is one of those that matter.
    fn declared(&mut self) -> Option<&mut Declared> {
        self.declaring.map(|declaring| match declaring {
            Declaring::Relation => &mut self.relation,
            Declaring::MultigraphKey => &mut self.multigraph_key,
        })
    }

    fn default_text(
        &mut self,
        text: impl FnOnce() -> Result<String, String>,
    ) -> Result<(), String> {
        if let Some(default) = &mut self.default {
            default.push_str(&text()?);
        }
        Ok(())
    }

    fn end_default(&mut self) {
        let default = self.default.take();
        if let Some(declared) = self.declared() {
            declared.default = default.and_then(|text| not_blank(text.into()));
        }
    }

    fn node(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let [id, label] = fields(element, ["id", "label"])?;
        let id = id.ok_or("node without id")?;
        // Gephi and others write blank labels for nodes that their ids name.
        let label = label.and_then(not_blank).or_else(|| not_blank(id.clone()));
        let label = label.ok_or("node with a blank id and no label")?;
        let number = self.number(&id)?;
        match self.labels[number as usize].replace(label) {
            None => Ok(()),
            Some(_) => Err(format!("node `{id}` occurs twice")),
        }
    }

    fn edge(&mut self, element: &BytesStart<'_>, line: usize) -> Result<(), String> {
        let [source, target, label, kind] = fields(element, ["source", "target", "label", "kind"])?;
        let source = self.number(&source.ok_or("edge without source")?)?;
        let target = self.number(&target.ok_or("edge without target")?)?;
        let relation = label
            .and_then(not_blank)
            .or_else(|| kind.and_then(not_blank));
        self.edges.push(Edge {
            source,
            target,
            relation,
            line,
        });
        (self.in_edge, self.given, self.key) = (true, None, None);
        Ok(())
    }

    /// The attribute titled "relation" says most, then its default, the edge's label or kind, and the multigraph's key.
    fn end_edge(&mut self) {
        self.in_edge = false;
        let declared = self.given.take().or_else(|| self.relation.default.clone());
        let key = self
            .key
            .take()
            .or_else(|| self.multigraph_key.default.clone());
        if let Some(edge) = self.edges.last_mut() {
            edge.relation = declared.or(edge.relation.take()).or(key);
        }
    }

    fn edge_value(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        // Before version 1.2 the key was called `id`.
        let [key, id, value] = fields(element, ["for", "id", "value"])?;
        let Some(key) = key.or(id) else {
            return Ok(());
        };
        let value = value.and_then(not_blank);
        if self.relation.id.as_deref() == Some(&*key) {
            self.given = value;
        } else if self.multigraph_key.id.as_deref() == Some(&*key) {
            // networkx counts parallel edges where they were given no keys of their own.
            self.key = value.filter(|key| !key.bytes().all(|byte| byte.is_ascii_digit()));
        }
        Ok(())
    }

    fn number(&mut self, id: &str) -> Result<u32, String> {
        if let Some(&number) = self.numbers.get(id) {
            return Ok(number);
        }
        let number = u32::try_from(self.labels.len()).map_err(|_| "too many nodes")?;
        self.numbers.insert(id.to_owned(), number);
        // An edge may come before the nodes that it names.
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
        // Sorted by number, which is the place of the label; a hash map has no order.
        let mut ids: Vec<(String, u32)> = self.numbers.into_iter().collect();
        ids.sort_unstable_by_key(|(_, number)| *number);
        let labels = self.labels.into_iter().flatten();
        let nodes = ids.into_iter().zip(labels);
        Ok(Network {
            nodes: nodes.map(|((id, _), label)| Node { id, label }).collect(),
            edges: self.edges,
        })
    }
}

/// The text that an entity such as `&amp;` or `&#233;` stands for.
fn resolve(name: &BytesRef<'_>) -> Result<String, String> {
    let character = name.resolve_char_ref().map_err(|error| error.to_string())?;
    let content = name.xml10_content();
    match (character, resolve_predefined_entity(&content)) {
        (Some(character), _) => Ok(character.to_string()),
        (None, Some(text)) => Ok(text.to_owned()),
        (None, None) => Err(format!("unknown entity `{content}`")),
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
    use crate::Attribute;
    use crate::graph::triples::DEFAULT_RELATION;

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
        let triples = network
            .triples(|_, label, _| known.contains(&label))
            .unwrap();
        triples
            .into_iter()
            .map(|t| (t.item, t.attribute.value))
            .collect()
    }

    fn message(text: &str) -> String {
        let fault = parse(text)
            .and_then(|network| network.triples(|_, _, _| false))
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
        let triples = parse(text).unwrap().triples(|_, _, _| false).unwrap();
        let attribute = |relation: &str, value: &str| Attribute {
            relation: relation.into(),
            value: value.into(),
        };
        assert_eq!(triples[0].item, "Romeo & Juliet");
        assert_eq!(triples[0].attribute, attribute("director", "Baz Luhrmann"));
        assert_eq!(triples[1].attribute, attribute(DEFAULT_RELATION, "1996"));
    }

    /// Relations of the edges of a graph with these declarations of edge attributes.
    fn relations(attributes: &str, edges: &[&str]) -> Vec<String> {
        let edge = |edge: &&str| format!("<edge source='a' target='x' {edge}");
        let edges: String = edges.iter().map(edge).collect();
        let text = format!(
            "<gexf><graph>{attributes}<nodes><node id='a'/><node id='x'/></nodes><edges>{edges}</edges></graph></gexf>"
        );
        let triples = parse(&text).unwrap().triples(|_, _, _| false).unwrap();
        triples.into_iter().map(|t| t.attribute.relation).collect()
    }

    #[test]
    fn a_default_stands_for_what_an_edge_does_not_give() {
        let given = "><attvalues><attvalue for='0' value='writer'/></attvalues></edge>";
        let blank = "><attvalues><attvalue for='0' value=' '/></attvalues></edge>";
        let old = "><attvalues><attvalue id='0' value='writer'/></attvalues></edge>";
        for default in [
            "director",
            " director\n",
            "<![CDATA[director]]>",
            "d&#105;rector",
        ] {
            let attributes = format!(
                "<attributes class='node'><attribute id='0' title='relation'><default>no</default></attribute></attributes>\
                 <attributes class='edge'><attribute id='1' title='weight'><default>1</default></attribute>\
                 <attribute id='0' title='Relation'><default>{default}</default></attribute></attributes>"
            );
            assert_eq!(
                relations(&attributes, &["/>", given, blank, old, "></edge>"]),
                ["director", "writer", "director", "writer", "director"]
            );
        }
        let entity = "<attributes class='edge'><attribute id='0' title='relation'><default>R&amp;D</default></attribute></attributes>";
        assert_eq!(relations(entity, &["/>"]), ["R&D"]);
    }

    #[test]
    fn label_then_kind_then_the_key_of_a_multigraph() {
        let keys = "<attributes class='edge'><attribute id='7' title='networkx_key'/></attributes>";
        let keyed = |attributes: &str, key: &str| {
            format!("{attributes}><attvalues><attvalue for='7' value='{key}'/></attvalues></edge>")
        };
        for (edge, relation) in [
            ("label='' kind='director'/>".to_owned(), "director"),
            ("label=' ' kind='director'/>".to_owned(), "director"),
            ("label='writer' kind='director'/>".to_owned(), "writer"),
            ("kind=''/>".to_owned(), DEFAULT_RELATION),
            (keyed("", "director"), "director"),
            (keyed("kind='writer'", "director"), "writer"),
            (keyed("", "0"), DEFAULT_RELATION),
            (keyed("", "12"), DEFAULT_RELATION),
        ] {
            assert_eq!(relations(keys, &[&edge]), [relation], "{edge}");
        }
    }

    #[test]
    fn nodes_of_one_label_stay_two() {
        let text = "<gexf><nodes><node id='m1' label='Heat'/><node id='m2' label='Casino'/>\
                    <node id='p1' label='John Smith'/><node id='p2' label='John Smith'/><node id='g' label='Crime'/></nodes>\
                    <edges><edge source='m1' target='p1'/><edge source='p2' target='m2'/>\
                    <edge source='m1' target='g'/><edge source='m2' target='g'/></edges></gexf>";
        let network = parse(text).unwrap();
        let facts = [
            "Heat John Smith (p1)",
            "Casino John Smith (p2)",
            "Heat Crime",
            "Casino Crime",
        ];
        let triples = network.triples(|_, label, _| label == "Heat").unwrap();
        let said = triples
            .iter()
            .map(|t| format!("{} {}", t.item, t.attribute.value));
        assert_eq!(said.collect::<Vec<_>>(), facts);
        assert_eq!(triples[1].id.as_deref(), Some("m2"));
        // An item and an attribute of one label are on two sides and no homonyms.
        let text = "<gexf><nodes><node id='1' label='Dracula'/><node id='2' label='Dracula'/></nodes>\
                    <edges><edge source='1' target='2'/></edges></gexf>";
        let triples = parse(text).unwrap().triples(|_, _, _| false).unwrap();
        assert_eq!(triples[0].attribute.value, "Dracula");
    }

    #[test]
    fn an_id_stands_in_for_a_blank_label() {
        for label in ["label=''", "label='  '", ""] {
            let text = format!(
                "<gexf><nodes><node id='A' {label}/><node id='x' label='Mann'/></nodes><edges><edge source='A' target='x'/></edges></gexf>"
            );
            assert_eq!(
                pairs(&parse(&text).unwrap(), &[]),
                [("A".to_owned(), "Mann".to_owned())]
            );
        }
        let refused = message("<gexf><nodes><node id=' ' label=''/></nodes></gexf>");
        assert_eq!(refused, "line 1: node with a blank id and no label");
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
