/** What a search may choose among, as data: each dimension fixed, listed, bounded, or left to its usual range. */
import type { AxisName } from '../mesh/index.js';
import type { NumberSet } from './number-set.js';
import type { Plan, PlanOptionName } from './plan-options.js';

/** Options of a plan that are listed value by value; sizes of axes and counts of microbatches are numbers. */
export type ListedOption = Exclude<PlanOptionName, 'mesh' | 'microbatches'>;

/** Values that a plan's option may take; `all` of one whose values the hardware and the mesh decide. */
export type OptionChoices = {
  readonly [K in ListedOption]?:
    readonly NonNullable<Plan[K]>[] | (K extends 'slice' | 'placement' | 'axisOrder' ? 'all' : never);
};

/** What is absent takes its usual range: chips and batch those of the task, the rest as the table of dimensions says. */
export interface Space {
  readonly chips?: NumberSet;
  readonly batch?: NumberSet;
  readonly mesh?: Readonly<Partial<Record<AxisName, NumberSet>>>;
  readonly microbatches?: NumberSet;
  readonly options?: OptionChoices;
  /**
   * `usual`: of dimensions that nothing is said of the values that most often win, and no pipelines; all of them unless
   * given.
   */
  readonly breadth?: 'usual' | 'full';
  /** The share of a chip's memory that plans are to leave free, of 0 up to 1. */
  readonly headroom?: number;
}
