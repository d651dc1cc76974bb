//! Threads for the shards of a batch.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// A few pools of threads, one for each shard that is computed at a time: what the engine does in parallel stays in its
/// shard's pool, so that shards do not wait for each other. The engine splits work by elements of the result, never
/// within a sum, so that results do not depend on the number of threads.
pub(crate) struct Workers {
    pools: Vec<ThreadPool>,
}

impl Workers {
    /// This many threads, shared out among at most this many jobs at a time.
    pub fn new(threads: usize, jobs: usize) -> Result<Self, ThreadPoolBuildError> {
        let width = threads.min(jobs);
        let pool = |index| {
            let name = move |thread| format!("train-{index}-{thread}");
            ThreadPoolBuilder::new()
                // The first pools get what is left over.
                .num_threads(threads / width + usize::from(index < threads % width))
                .thread_name(name)
                .build()
        };
        Ok(Self {
            pools: (0..width).map(pool).collect::<Result<_, _>>()?,
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
