/** What other programs can use: jobs, their programs, the simulator and the planner. */
export { MeshwrightError } from './errors.js';
export type { ErrorCode, ErrorDetail } from './errors.js';
export type { Hardware, Stack } from './hardware/index.js';
export { listHardware, loadHardware, loadStack, parseHardware, parseStack } from './hardware/index.js';
export type { Job, JobInput, Plan, PlanInput, Precision, Space, Task } from './job/index.js';
export {
  DEFAULT_PLAN,
  PLAN_OPTIONS,
  formatJob,
  formatPlan,
  lowerJob,
  modelFlops,
  numbers,
  parseJob,
  parsePlan,
  readJob,
  resolveJob,
  resolveTask,
} from './job/index.js';
export type { AxisName, Mesh } from './mesh/index.js';
export { createMesh } from './mesh/index.js';
export type { ActivationLayout, DecoderConfig, ModelConfig, VitConfig } from './models/index.js';
export { ACTIVATION_LAYOUTS, PRESETS, findModel } from './models/index.js';
export type { PlanSearch, PlanSearchSettings } from './cli/plan-search.js';
export { searchPlans } from './cli/plan-search.js';
export type { MemoryUse, Program } from './program/index.js';
export { countCollectiveBytes, countMatmulFlops, memoryUse, print, verify } from './program/index.js';
export type { Machine, SimulationInput, SimulationResult } from '../sim/index.js';
export { createMachine, simulate, simulateExecution } from '../sim/index.js';
