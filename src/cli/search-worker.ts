/** The worker module of the UI's search. */
import { giveWay } from './give-way.js';

giveWay();

export { searchPlansSafely as default } from './search-task.js';
