//! Threads for the shards of a batch.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// A few threads, each of which is a pool of its own: whatever the engine does in parallel stays on that one thread,
/// so that shards do not wait for each other and results do not depend on the number of cores.
pub(crate) struct Workers {
    pools: Vec<ThreadPool>,
}

impl Workers {
    /// This many threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let pool = |index| {
            let name = move |_| format!("train-{index}");
            ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(name)
                .build()
        };
        Ok(Self {
            pools: (0..threads).map(pool).collect::<Result<_, _>>()?,
        })
    }

    /// The results of `count` jobs, in order of their index.
    pub fn map<T: Send>(&self, count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
        let width = self.pools.len();
        let job = &job;
        std::thread::scope(|scope| {
            // Worker w takes the jobs w, w + width, w + 2 width, ...
            let mut shares: Vec<Vec<(usize, &mut Option<T>)>> =
                (0..width).map(|_| Vec::new()).collect();
            for (index, result) in results.iter_mut().enumerate() {
                shares[index % width].push((index, result));
            }
            for (pool, share) in self.pools.iter().zip(shares) {
                scope.spawn(move || {
                    pool.install(|| {
                        for (index, result) in share {
                            *result = Some(job(index));
                        }
                    });
                });
            }
        });
        results.into_iter().flatten().collect()
    }
}
