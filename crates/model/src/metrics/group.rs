//! Means over groups of classes.

/// Classes whose values are averaged, and the weight of that average.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The weight of the group among the groups.
    pub weight: f64,
    /// Its classes; each has the same weight within the group.
    pub classes: &'a [usize],
}

impl Group<'_> {
    /// The mean over the group's classes of a value that each class has; 0 for a group without classes.
    ///
    /// # Panics
    /// When a class of the group has no value.
    pub fn mean(&self, values: &[f64]) -> f64 {
        if self.classes.is_empty() {
            return 0.0;
        }
        let sum: f64 = self.classes.iter().map(|&class| values[class]).sum();
        sum / self.classes.len() as f64
    }
}

/// The weighted mean of the groups' means, for example of F1 by risk; 0 where the weights sum to nothing.
///
/// # Panics
/// When a class of a group has no value.
pub fn grouped_mean(values: &[f64], groups: &[Group<'_>]) -> f64 {
    let total: f64 = groups.iter().map(|group| group.weight).sum();
    if total <= 0.0 {
        return 0.0;
    }
    let sum: f64 = groups.iter().map(|g| g.weight * g.mean(values)).sum();
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn the_golden_vector_of_the_lesion_groups() {
        let f1 = [0.5, 0.8, 0.3, 0.6, 0.4, 0.2, 0.1, 0.7, 0.9, 0.35, 0.45];
        let groups = [
            Group {
                weight: 3.0,
                classes: &[1, 6, 7, 9],
            },
            Group {
                weight: 2.0,
                classes: &[0, 3, 10],
            },
            Group {
                weight: 1.0,
                classes: &[2, 4, 5, 8],
            },
        ];
        close(groups[0].mean(&f1), 0.4875);
        close(groups[1].mean(&f1), 0.516667);
        close(groups[2].mean(&f1), 0.45);
        close(grouped_mean(&f1, &groups), 0.490972);
        assert_eq!(grouped_mean(&f1, &[]), 0.0);
    }
}
