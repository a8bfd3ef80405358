//! Thread pools by size, started once a process.

use crate::Error;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type Pools = Mutex<BTreeMap<usize, Arc<rayon::ThreadPool>>>;

/// The pool with this many threads.
pub(super) fn pool(threads: usize) -> Result<Arc<rayon::ThreadPool>, Error> {
    static POOLS: OnceLock<Pools> = OnceLock::new();
    let mut pools = POOLS.get_or_init(Pools::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&threads) {
        return Ok(pool.clone());
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = Arc::new(built.map_err(|e| Error::Threads { reason: e.to_string() })?);
    pools.insert(threads, pool.clone());
    Ok(pool)
}
