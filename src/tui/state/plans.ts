/** The second screen: the plans that a search has found so far, the one looked at, and what is asked of them. */
import { MeshwrightError } from '../../errors.js';
import type { PlanLook, PlanRow, SearchProgress, SearchWish, TaskChoice, TimeWindow } from '../services.js';

/** What the keys are for: the table, a line that is typed, the panel of dimensions, or something shown over the table. */
export type PlansView = 'table' | 'filter' | 'dimensions' | 'explain' | 'compare' | 'write';

export const SORTS = ['step time', 'memory', 'exposed', 'microbatches'] as const;
export type SortKey = (typeof SORTS)[number];

export interface PlansState {
  readonly task: TaskChoice;
  readonly wish: SearchWish;
  /** See `AppState`: what they were predicted by. */
  readonly profiles: number;
  readonly progress: SearchProgress;
  /** Label of the plan that was chosen by hand; without one, the first is looked at, whichever it becomes. */
  readonly chosen?: string;
  readonly view: PlansView;
  readonly sort: { readonly by: SortKey; readonly descending: boolean };
  /** Words that a plan's label is to have. */
  readonly filter: string;
  /** The dimension looked at in the panel. */
  readonly dimension: number;
  /** Label of the plan that another is to be compared with. */
  readonly marked?: string;
  /** First line shown of what is longer than the screen. */
  readonly offset: number;
  readonly window: TimeWindow;
  /** What became of looking closely at plans, by `lookKey`; the latest ones. */
  readonly looks: ReadonlyMap<string, PlanLook | MeshwrightError>;
  /** Where a job is to be written. */
  readonly path: string;
}

export const USUAL: SearchWish = { breadth: 'usual', settings: {} };
const NOTHING: SearchProgress = {
  plans: [],
  counts: { candidates: 0, simulated: 0, doNotFit: 0, boundedOut: 0 },
  dimensions: [],
  done: false,
};
export const WHOLE_STEP: TimeWindow = { from: 0, to: 1 };

export const initialPlans = (task: TaskChoice): PlansState => ({
  task,
  wish: USUAL,
  profiles: 0,
  progress: NOTHING,
  view: 'table',
  sort: { by: 'step time', descending: false },
  filter: '',
  dimension: 0,
  offset: 0,
  window: WHOLE_STEP,
  looks: new Map(),
  path: '',
});

/** A search of something else begins; what is known of the dimensions stays to be changed further. */
export const searchedAnew = (state: PlansState, wish: SearchWish): PlansState => ({
  ...state,
  wish,
  progress: { ...NOTHING, dimensions: state.progress.dimensions },
  window: WHOLE_STEP,
});

/** The same search, of whose predictions none are left. */
export const predictedAnew = (state: PlansState): PlansState => ({
  ...searchedAnew(state, state.wish),
  looks: new Map(),
});

/** Nothing of the order in which they come. */
const SORTED_BY: Readonly<Record<SortKey, ((plan: PlanRow) => number) | undefined>> = {
  'step time': undefined,
  memory: (plan) => plan.peakMemoryBytesPerChip,
  exposed: (plan) => plan.exposedCommunicationSeconds,
  microbatches: (plan) => Number(/ microbatches=(\d+)/.exec(plan.label)?.[1] ?? 1),
};

/** The rows of the table: those that the filter leaves, in the order that was chosen. */
export function visiblePlans({ progress, filter, sort }: PlansState): readonly PlanRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const left = progress.plans.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
  const of = SORTED_BY[sort.by];
  const sorted = of === undefined ? left : left.toSorted((a, b) => of(a) - of(b));
  return sort.descending ? sorted.toReversed() : sorted;
}

/** The row looked at: it stays on its plan while others are ranked around it. */
export function selectedIndex(state: PlansState): number {
  return Math.max(
    0,
    visiblePlans(state).findIndex(({ label }) => label === state.chosen),
  );
}

export const selectedPlan = (state: PlansState): PlanRow | undefined => visiblePlans(state)[selectedIndex(state)];

export const planNamed = ({ progress }: PlansState, label: string | undefined): PlanRow | undefined =>
  progress.plans.find((plan) => plan.label === label);

export const withProgress = (state: PlansState, progress: SearchProgress): PlansState => ({ ...state, progress });

export const lookKey = (label: string, { from, to }: TimeWindow): string => `${from} ${to} ${label}`;

/** A plan to look at closely. */
export interface WantedLook {
  readonly task: TaskChoice;
  readonly label: string;
  readonly window: TimeWindow;
}

const isKnown = ({ looks, window }: PlansState, label: string): boolean => looks.has(lookKey(label, window));

/** What is known of a plan, also why nothing is; while one zooms, what was shown before. */
export function lookAt({ looks, window }: PlansState, label: string): PlanLook | MeshwrightError | undefined {
  const known = looks.get(lookKey(label, window));
  if (known !== undefined) return known;
  return [...looks].findLast(([key, look]) => key.endsWith(` ${label}`) && !(look instanceof MeshwrightError))?.[1];
}

/** What is shown and not known yet. */
export function wantedLook(state: PlansState): WantedLook | undefined {
  const shown = [selectedPlan(state)?.label, ...(state.view === 'compare' ? [state.marked] : [])];
  const label = shown.find((one) => one !== undefined && !isKnown(state, one));
  return label === undefined ? undefined : { task: state.task, label, window: state.window };
}

/** Enough for those that one goes to and fro between. */
const LOOKS_KEPT = 64;

export function withLook(
  state: PlansState,
  { label, window }: WantedLook,
  look: PlanLook | MeshwrightError,
): PlansState {
  const looks = [...state.looks, [lookKey(label, window), look] as const];
  return { ...state, looks: new Map(looks.slice(-LOOKS_KEPT)) };
}

const STILL_SEARCHING = 'The search is still running: train when it has ended.';
/** The beginning of what is said where there is nothing yet to do something with. */
export const NO_PLAN = 'There is no plan yet';

/** Whether a search is no longer as was said. */
export const isOutdated = (notice: string, { done, plans }: SearchProgress): boolean =>
  notice === STILL_SEARCHING ? done : notice.startsWith(NO_PLAN) && plans.length > 0;

/** Why the plan looked at can't be trained now, or nothing when it can. */
export function whyNotTrain(state: PlansState): string | undefined {
  const plan = selectedPlan(state);
  if (plan === undefined) return `${NO_PLAN} to train.`;
  if (!state.progress.done) return STILL_SEARCHING;
  if (!plan.runsHere) {
    const { chips, hardware } = state.task;
    return `This machine can only simulate it: the plan is for ${chips} × ${hardware}.`;
  }
  return undefined;
}
