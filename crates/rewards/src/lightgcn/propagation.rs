use rayon::prelude::*;

use super::Interactions;

/// Columns held in registers while a row's neighbours are summed.
const TILE: usize = 32;

/// Rows per parallel task; the result does not depend on it.
const ROWS_PER_TASK: usize = 64;

/// The linear map P = 1/(L+1) · Σ_{l=0..L} Âˡ with Â = D^-1/2 A D^-1/2 over users, then items.
///
/// P is symmetric, so it takes layer-0 embeddings to final ones and gradients of the final ones back
/// to layer 0.
#[derive(Debug)]
pub(super) struct Propagation {
    layers: usize,
    /// Neighbours of node `n`: `neighbours[offsets[n]..offsets[n + 1]]`, ascending.
    offsets: Vec<usize>,
    neighbours: Vec<u32>,
}

/// Memory for the layers, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    current: Vec<f32>,
    next: Vec<f32>,
}

impl Propagation {
    pub(super) fn new(interactions: &Interactions, layers: usize) -> Self {
        let users = interactions.users().len();
        let nodes = users + interactions.items().len();
        let mut offsets = vec![0; nodes + 1];
        for (user, item) in interactions.edges() {
            offsets[user as usize + 1] += 1;
            offsets[users + item as usize + 1] += 1;
        }
        for node in 1..=nodes {
            offsets[node] += offsets[node - 1];
        }
        // Edges come by user, then item, so that every node's neighbours end up ascending: the order of the sums is fixed.
        let mut cursor = offsets.clone();
        let mut neighbours = vec![0; 2 * interactions.len()];
        for (user, item) in interactions.edges() {
            let item = users as u32 + item;
            for (from, to) in [(user, item), (item, user)] {
                neighbours[cursor[from as usize]] = to;
                cursor[from as usize] += 1;
            }
        }
        Self {
            layers,
            offsets,
            neighbours,
        }
    }

    fn degree(&self, node: usize) -> f32 {
        (self.offsets[node + 1] - self.offsets[node]) as f32
    }

    /// `output` = P · `input`, both `[nodes, d]`, row by row and so the same on any number of threads.
    ///
    /// Runs on F = D^-1/2 E, for which a layer is the mean over neighbours, without a weight per edge:
    /// F_l = D^-1 A F_{l-1} and E_l = D^1/2 F_l. A node without neighbours gets E_l = 0.
    pub(super) fn apply(
        &self,
        dimension: usize,
        input: &[f32],
        output: &mut [f32],
        work: &mut Workspace,
    ) {
        // E_0, the first term of the sum.
        output.copy_from_slice(input);
        work.current.resize(input.len(), 0.0);
        work.next.resize(input.len(), 0.0);
        nodes(&mut work.current, dimension)
            .zip(input.par_chunks_exact(dimension))
            .for_each(|((node, row), x)| {
                // At least 1: a node without edges would divide by 0, and only its own layer 0 counts.
                let scale = self.degree(node).max(1.0).sqrt().recip();
                row.iter_mut().zip(x).for_each(|(f, x)| *f = scale * x);
            });
        for _ in 0..self.layers {
            let current = &work.current;
            nodes(&mut work.next, dimension)
                .zip(nodes(output, dimension))
                .for_each(|((node, row), (_, sum))| {
                    self.neighbour_mean(node, current, row);
                    let scale = self.degree(node).sqrt();
                    sum.iter_mut()
                        .zip(row)
                        .for_each(|(sum, f)| *sum += scale * *f);
                });
            std::mem::swap(&mut work.current, &mut work.next);
        }
        let share = 1.0 / (self.layers + 1) as f32;
        output.iter_mut().for_each(|x| *x *= share);
    }

    fn neighbour_mean(&self, node: usize, values: &[f32], row: &mut [f32]) {
        let neighbours = &self.neighbours[self.offsets[node]..self.offsets[node + 1]];
        let share = self.degree(node).max(1.0).recip();
        let dimension = row.len();
        // Tile by tile: the sums of one tile stay in registers over all neighbours, instead of in memory over each.
        let mut tiles = row.chunks_exact_mut(TILE);
        for (tile, out) in (&mut tiles).enumerate() {
            let mut sum = [0.0f32; TILE];
            for &neighbour in neighbours {
                let start = neighbour as usize * dimension + tile * TILE;
                let part = &values[start..start + TILE];
                sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
            }
            out.iter_mut()
                .zip(sum)
                .for_each(|(out, sum)| *out = share * sum);
        }
        let rest = tiles.into_remainder();
        rest.fill(0.0);
        for &neighbour in neighbours {
            let end = (neighbour as usize + 1) * dimension;
            let part = &values[end - rest.len()..end];
            rest.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        rest.iter_mut().for_each(|x| *x *= share);
    }
}

fn nodes(
    values: &mut [f32],
    dimension: usize,
) -> impl IndexedParallelIterator<Item = (usize, &mut [f32])> {
    values
        .par_chunks_exact_mut(dimension)
        .enumerate()
        .with_min_len(ROWS_PER_TASK)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn interactions() -> Interactions {
        let pairs = (0..60u32).map(|i| (format!("u{}", i * i % 7), format!("i{}", i * 5 % 13)));
        Interactions::from_pairs(pairs).unwrap()
    }

    fn propagate(interactions: &Interactions, layers: usize, d: usize, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; input.len()];
        let propagation = Propagation::new(interactions, layers);
        propagation.apply(d, input, &mut output, &mut Workspace::default());
        output
    }

    #[test]
    fn by_hand_on_a_path() {
        // u - i - v, degrees 1, 2, 1: the weights of both edges are 1/√2.
        let interactions = Interactions::from_pairs([("u", "i"), ("v", "i")]).unwrap();
        let output = propagate(&interactions, 1, 1, &[1.0, 2.0, 4.0]);
        let half = 0.5f32.sqrt();
        let expected = [1.0 + 4.0 * half, 2.0 + 4.0 * half, 4.0 + 3.0 * half].map(|x| x / 2.0);
        output
            .iter()
            .zip(expected)
            .for_each(|(a, b)| assert_relative_eq!(a, &b, epsilon = 1e-6));
    }

    /// Σ_l Âˡ by dense f64 products.
    #[test]
    fn equals_dense_products_for_every_width() {
        let interactions = interactions();
        let users = interactions.users().len();
        let n = users + interactions.items().len();
        let mut adjacency = ndarray::Array2::<f64>::zeros((n, n));
        for (user, item) in interactions.edges() {
            adjacency[[user as usize, users + item as usize]] = 1.0;
            adjacency[[users + item as usize, user as usize]] = 1.0;
        }
        let degree = adjacency.sum_axis(ndarray::Axis(1));
        let normalised = ndarray::Array2::from_shape_fn((n, n), |(i, j)| {
            adjacency[[i, j]] / (degree[i] * degree[j]).sqrt()
        });
        for d in [1, 32, 35, 64, 70] {
            let input: Vec<f32> = (0..n * d)
                .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
                .collect();
            let output = propagate(&interactions, 3, d, &input);
            let mut layer =
                ndarray::Array2::from_shape_fn((n, d), |(i, j)| f64::from(input[i * d + j]));
            let mut sum = layer.clone();
            for _ in 0..3 {
                layer = normalised.dot(&layer);
                sum += &layer;
            }
            for (a, b) in output.iter().zip(sum.iter()) {
                assert_relative_eq!(f64::from(*a), b / 4.0, epsilon = 1e-5);
            }
        }
    }

    /// ⟨y, P x⟩ = ⟨P y, x⟩, on which the backward pass rests.
    #[test]
    fn is_symmetric() {
        let interactions = interactions();
        let n = interactions.users().len() + interactions.items().len();
        let x: Vec<f32> = (0..n * 4).map(|i| ((i * 31) % 17) as f32 - 8.0).collect();
        let y: Vec<f32> = (0..n * 4).map(|i| ((i * 13) % 23) as f32 - 11.0).collect();
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let (px, py) = (
            propagate(&interactions, 3, 4, &x),
            propagate(&interactions, 3, 4, &y),
        );
        assert_relative_eq!(dot(&y, &px), dot(&py, &x), max_relative = 1e-4);
    }

    #[test]
    fn no_layer_is_the_identity() {
        let interactions = interactions();
        let n = interactions.users().len() + interactions.items().len();
        let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
        assert_eq!(propagate(&interactions, 0, 1, &x), x);
    }
}
