/** The worker module of the device pool: one rank on one thread. */
export { serveRank as default } from '../runtime/rank-task.js';
