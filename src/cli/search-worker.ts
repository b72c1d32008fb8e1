/** The worker module of the UI's search. */
export { searchPlansSafely as default } from './search-task.js';
