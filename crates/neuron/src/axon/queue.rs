//! Whose turn it is: at most so many requests at once, and those that wait in the order of their cost.
//!
//! A request that costs some time is served as if it had come so much later. So who is more welcome goes first, and
//! nobody waits for ever: what comes much later goes behind, however welcome. The line is bounded; when it is full, the
//! last in it gives way to who would stand before it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// The line is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is busy: its queue is full")]
pub struct Full;

/// A line and its places.
pub struct Queue {
    state: Mutex<State>,
    begun: Instant,
    at_once: usize,
    waiting: usize,
}

/// Where somebody stands: when it would have come, and a number of its own.
type Place = (Duration, u64);

#[derive(Default)]
struct State {
    running: usize,
    line: BTreeMap<Place, oneshot::Sender<Turn>>,
    arrivals: u64,
}

/// A place among those that are served. Dropping it lets the next one in.
pub struct Turn(Option<Arc<Queue>>);

impl Queue {
    /// A line in which `waiting` requests can wait while `at_once` are served.
    pub fn new(at_once: usize, waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            begun: Instant::now(),
            at_once: at_once.max(1),
            waiting,
        })
    }

    /// Waits for a turn. Whoever drops this leaves the line.
    ///
    /// # Errors
    /// When the line is full, or somebody who costs less has taken the place.
    pub async fn turn(self: &Arc<Self>, cost: Duration) -> Result<Turn, Full> {
        let (place, turn) = {
            let mut state = self.state();
            if state.running < self.at_once && state.line.is_empty() {
                state.running += 1;
                return Ok(Turn(Some(self.clone())));
            }
            state.arrivals += 1;
            let place = (self.begun.elapsed().saturating_add(cost), state.arrivals);
            if state.line.len() >= self.waiting {
                match state.line.last_key_value() {
                    // Dropping its sender tells it.
                    Some((last, _)) if place < *last => drop(state.line.pop_last()),
                    _ => return Err(Full),
                }
            }
            let (sender, turn) = oneshot::channel();
            state.line.insert(place, sender);
            (place, turn)
        };
        let _leaving = Leaving(self, place);
        turn.await.map_err(|_| Full)
    }

    /// How many are served, and how many wait.
    pub fn load(&self) -> (usize, usize) {
        let state = self.state();
        (state.running, state.line.len())
    }

    /// Gives one turn on.
    fn next(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            let Some((_, next)) = state.line.pop_first() else {
                state.running -= 1;
                return;
            };
            drop(state);
            match next.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                // It has just left. Its turn goes on to the next here and not by being dropped.
                Err(mut turn) => drop(turn.0.take()),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = mem::take(&mut self.0) {
            queue.next();
        }
    }
}

/// Takes somebody out of the line who does not wait any more.
struct Leaving<'a>(&'a Arc<Queue>, Place);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.state().line.remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(cost: u64) -> Duration {
        Duration::from_secs(cost)
    }

    /// Lets `costs` into the line one after the other and says in which order they get their turn.
    async fn order(costs: &[u64], waiting: usize) -> Vec<Result<usize, usize>> {
        let queue = Queue::new(1, waiting);
        let first = queue.turn(Duration::ZERO).await.unwrap();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (index, cost) in costs.iter().enumerate() {
            let (queue, done, cost) = (queue.clone(), done.clone(), *cost);
            tokio::spawn(async move {
                let turn = queue.turn(seconds(cost)).await;
                done.send(turn.map(|_| index).map_err(|_| index)).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop((first, done));
        let mut all = Vec::new();
        while let Some(one) = order.recv().await {
            all.push(one);
        }
        assert_eq!(queue.load(), (0, 0));
        all
    }

    #[tokio::test]
    async fn who_costs_less_goes_first_and_equals_in_order() {
        let order = order(&[30, 10, 20, 10], 10).await;
        assert_eq!(order, [Ok(1), Ok(3), Ok(2), Ok(0)]);
    }

    #[tokio::test]
    async fn who_is_last_in_a_full_line_gives_way_to_who_costs_less() {
        // The third finds no room, the fourth takes the first one's.
        let order = order(&[30, 10, 40, 20], 2).await;
        assert_eq!(order, [Err(2), Err(0), Ok(1), Ok(3)]);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let queue = Queue::new(1, 10);
        let first = queue.turn(Duration::ZERO).await.unwrap();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for cost in [50, 0] {
            let (queue, done) = (queue.clone(), done.clone());
            tokio::spawn(async move {
                let turn = queue.turn(Duration::from_millis(cost)).await;
                done.send(cost).unwrap();
                drop(turn);
            });
            // What comes so much later goes behind, at no cost.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(first);
        assert_eq!(
            (order.recv().await, order.recv().await),
            (Some(50), Some(0))
        );
    }

    #[tokio::test]
    async fn who_leaves_makes_room() {
        let queue = Queue::new(1, 1);
        let turn = queue.turn(seconds(0)).await.unwrap();
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.turn(seconds(0)).await.map(drop) }
        });
        while queue.load() != (1, 1) {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(queue.load(), (1, 0));
        drop(turn);
        assert_eq!(queue.load(), (0, 0));
        drop(queue.turn(seconds(0)).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_than_so_many_are_served_at_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let queue = Queue::new(3, 1_000);
        let running = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..500)
            .map(|index| {
                let (queue, running) = (queue.clone(), running.clone());
                tokio::spawn(async move {
                    let Ok(turn) = queue.turn(Duration::from_millis(index % 7)).await else {
                        panic!("there is room");
                    };
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(queue.load(), (0, 0));
    }
}
