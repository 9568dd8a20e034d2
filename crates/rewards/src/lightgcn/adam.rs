/// Adam (Kingma & Ba, 2015) over one flat parameter.
#[derive(Debug)]
pub(super) struct Adam {
    learning_rate: f64,
    steps: i32,
    mean: Vec<f32>,
    square: Vec<f32>,
}

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

impl Adam {
    pub(super) fn new(learning_rate: f64, parameters: usize) -> Self {
        Self {
            learning_rate,
            steps: 0,
            mean: vec![0.0; parameters],
            square: vec![0.0; parameters],
        }
    }

    pub(super) fn step(&mut self, parameters: &mut [f32], gradient: &[f32]) {
        self.steps = self.steps.saturating_add(1);
        // Moments begin at 0 and are too small at first, by these factors.
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(self.steps);
        // Algorithm 1 as it stands, with epsilon added after the correction of the second moment;
        // both corrections are taken out of the loop. In f64, since 1 - βᵗ cancels in f32.
        let rate = (self.learning_rate / correction(BETA_1)) as f32;
        let scale = correction(BETA_2).sqrt().recip() as f32;
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((x, &g), (mean, square)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *mean = BETA_1 * *mean + (1.0 - BETA_1) * g;
            *square = BETA_2 * *square + (1.0 - BETA_2) * g * g;
            *x -= rate * *mean / (scale * square.sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn two_steps_by_hand() {
        // The first step is the learning rate by sign, whatever the gradient's size.
        let mut adam = Adam::new(0.1, 2);
        let mut x = [1.0, 1.0];
        adam.step(&mut x, &[4.0, -1e-3]);
        assert_relative_eq!(x[0], 0.9, epsilon = 1e-6);
        assert_relative_eq!(x[1], 1.1, epsilon = 1e-5);
        // Then gradient 0: mean 0.36 / 0.19, square 0.015984 / 0.001999.
        adam.step(&mut x, &[0.0, 0.0]);
        let step = 0.1 * (0.36 / 0.19) / (0.015984f32 / 0.001999).sqrt();
        assert_relative_eq!(x[0], 0.9 - step, epsilon = 1e-5);
    }
}
