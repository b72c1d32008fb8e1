/** Where a plan lies on its machine, which changes nothing of its programs. */
import { omit } from '../omit.js';
import type { Plan } from './plan-options.js';

export const LAYOUT_OPTIONS = ['slice', 'slices', 'twist', 'placement', 'axisOrder'] as const;

/** What of it a plan says. */
export type PlanLayout = Pick<Plan, (typeof LAYOUT_OPTIONS)[number]>;

export const layoutOf = ({ slice, slices, twist, placement, axisOrder }: Plan): PlanLayout => ({
  twist,
  ...(slice === undefined ? {} : { slice }),
  ...(slices === undefined ? {} : { slices }),
  ...(placement === undefined ? {} : { placement }),
  ...(axisOrder === undefined ? {} : { axisOrder }),
});

/** The same for plans that differ only in it. */
export const withoutLayout = (plan: Plan): Plan => ({
  ...omit(plan, 'slice', 'slices', 'placement', 'axisOrder'),
  twist: false,
});
