/** The second screen: the plans that a search has found so far, and the one looked at. */
import type { PlanRow, SearchProgress, TaskChoice } from '../services.js';
import type { Press } from './press.js';
import { move } from './press.js';

export interface PlansState {
  readonly task: TaskChoice;
  readonly progress: SearchProgress;
  /** Label of the plan that was chosen by hand; without one, the best is looked at, whichever it becomes. */
  readonly chosen?: string;
}

export const initialPlans = (task: TaskChoice): PlansState => ({
  task,
  progress: { plans: [], rejected: 0, done: false },
});

/** The row looked at: it stays on its plan while others are ranked around it. */
export function selectedIndex({ progress, chosen }: PlansState): number {
  return Math.max(
    0,
    progress.plans.findIndex(({ label }) => label === chosen),
  );
}

export const selectedPlan = (state: PlansState): PlanRow | undefined => state.progress.plans[selectedIndex(state)];

export const withProgress = (state: PlansState, progress: SearchProgress): PlansState => ({ ...state, progress });

export function pressPlans(state: PlansState, press: Press): PlansState {
  const before = selectedIndex(state);
  const after = state.progress.plans[move(before, press, state.progress.plans.length)];
  return after === undefined || after.label === state.progress.plans[before]!.label
    ? state
    : { ...state, chosen: after.label };
}

/** Why the plan looked at can't be trained now, or nothing when it can. */
export function whyNotTrain(state: PlansState): string | undefined {
  const plan = selectedPlan(state);
  if (plan === undefined) return 'There is no plan yet to train.';
  if (!state.progress.done) return 'The search is still running: train when it has ended.';
  if (!plan.runsHere) {
    const { chips, hardware } = state.task;
    return `This machine can only simulate it: the plan is for ${chips} × ${hardware}.`;
  }
  return undefined;
}

/** A label in at most `room` cells where that is possible without losing what tells plans apart. */
export const shortLabel = (label: string, room: number): string =>
  label.length <= room ? label : label.replace('microbatches=', 'mb=');

/** A label's parts: `data=64,model=16 microbatches=8` → the mesh, how many microbatches, and what else it says. */
export function readLabel(label: string): { readonly mesh: string; readonly microbatches: string } {
  const words = label.split(' ');
  const isCount = (word: string) => word.startsWith('microbatches=');
  return {
    mesh: words.filter((word) => !isCount(word)).join(' '),
    microbatches: words.find(isCount)?.slice('microbatches='.length) ?? '',
  };
}
