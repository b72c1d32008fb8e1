/** All that the command `plan` loads, of which the build makes one file: hundreds of small modules take longer to find and read. */
export { plan } from './commands/plan.js';
export { machineryOf } from './machinery.js';
export { LocalLane } from './search-lane.js';
export { defaultObjectives, searchSpace } from './search-plans.js';
export { PlanRules, parsePlan, resolveTask } from '../job/index.js';
export { searchPlans } from '../planner/index.js';
