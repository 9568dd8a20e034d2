//! Loading an item-attribute graph, on one thread.
//!
//! Baseline, measured on the same 2-core machine class: networkx reads a GEXF file of 10,000 edges in 314 ms.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rerec_rewards::{AttributeGraph, Catalogue, GraphFile, GraphFormat, Item, JoinBy};

/// Attributes of an item.
const DEGREE: usize = 10;

fn title(number: usize) -> String {
    format!("Night Train to Station {number} (19{:02})", number % 100)
}

/// A file as networkx writes it: relations as edge attributes, one element a line.
fn gexf(edges: usize) -> String {
    let items = edges / DEGREE;
    let mut text = String::from(
        "<?xml version='1.0' encoding='utf-8'?>\n<gexf xmlns=\"http://www.gexf.net/1.2draft\" version=\"1.2\">\n\
         <graph defaultedgetype=\"undirected\" mode=\"static\" name=\"\">\n<attributes mode=\"static\" class=\"edge\">\n\
         <attribute id=\"0\" title=\"relation\" type=\"string\" />\n</attributes>\n<nodes>\n",
    );
    let names = (0..items)
        .map(title)
        .chain((0..items).map(|value| format!("value {value}")));
    for name in names {
        writeln!(text, "<node id=\"{name}\" label=\"{name}\" />").unwrap();
    }
    text.push_str("</nodes>\n<edges>\n");
    for edge in 0..edges {
        let (item, value) = (title(edge / DEGREE), (edge * 7919) % items);
        writeln!(
            text,
            "<edge source=\"{item}\" target=\"value {value}\" id=\"{edge}\">\n<attvalues>\n\
             <attvalue for=\"0\" value=\"relation {}\" />\n</attvalues>\n</edge>",
            edge % DEGREE
        )
        .unwrap();
    }
    text.push_str("</edges>\n</graph>\n</gexf>\n");
    text
}

fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("load_gexf");
    let path = Path::new("graph.gexf");
    for edges in [1_000, 10_000, 100_000] {
        let text = gexf(edges);
        let items = (0..edges / DEGREE)
            .map(|n| Item::new(n.to_string(), title(n)))
            .collect();
        let catalogue = Catalogue::new(items).unwrap();
        group.throughput(Throughput::Elements(edges as u64));
        group.bench_function(BenchmarkId::new("read", edges), |b| {
            b.iter(|| {
                let file = GraphFile::parse(black_box(text.as_bytes()), GraphFormat::Gexf, path);
                file.unwrap().triples(|_| false).unwrap().len()
            });
        });
        // With title matching, the compact form and the check of the id space.
        group.bench_function(BenchmarkId::new("read_and_join", edges), |b| {
            b.iter(|| {
                let file = GraphFile::parse(black_box(text.as_bytes()), GraphFormat::Gexf, path);
                let triples = file.unwrap().triples(|_| false).unwrap();
                AttributeGraph::from_triples(&triples, &catalogue, JoinBy::Title).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
