import type { Job } from '../../job/index.js';
import { deepspeed } from './deepspeed.js';
import type { FrameworkSettings } from './framework.js';
import { fsdp } from './fsdp.js';
import { maxtext } from './maxtext.js';
import { megatron } from './megatron.js';
import { torchtitan } from './torchtitan.js';

export type { FrameworkSettings, NoEquivalent } from './framework.js';
export { noEquivalentText } from './framework.js';

const FRAMEWORKS = { megatron, fsdp, torchtitan, maxtext, deepspeed } as const satisfies Record<
  string,
  (job: Job) => FrameworkSettings
>;

export type FrameworkName = keyof typeof FRAMEWORKS;
export const FRAMEWORK_NAMES = Object.keys(FRAMEWORKS) as FrameworkName[];

/** A job's plan as a framework's settings, and what of it the framework has no setting for. */
export const settingsFor = (name: FrameworkName, job: Job): FrameworkSettings => FRAMEWORKS[name](job);
