/**
 * The candidates of a search, one after the other and always in the same order: every plan of a space that a task can
 * have, each once. What a candidate costs to make is next to nothing beside its simulation; nothing is lowered.
 */
import { MeshwrightError } from '../errors.js';
import type {
  ListedOption,
  Plan,
  PlanLayout,
  PlanOptionName,
  PlanRules,
  Precision,
  Refusal,
  Space,
  Task,
} from '../job/index.js';
import {
  DEFAULT_PLAN,
  LAYOUT_OPTIONS,
  PLAN_OPTION_NAMES,
  PlanRules as Rules,
  asUsual,
  formatNumberSet,
  hasNumber,
  isPrecision,
  microbatchChoices,
  numbersOf,
  planOptionText,
  planPlace,
  planWord,
  refused,
} from '../job/index.js';
import type { AxisName, Mesh } from '../mesh/index.js';
import { MESH_AXES, createMesh, formatMesh } from '../mesh/index.js';
import { DIMENSIONS, FREE_AXES, fillingCounts, withUsualMesh } from './space.js';

/** A plan of a task: with its types it is a job. */
export interface Candidate {
  /** One object for all candidates of as many chips and as large a batch. */
  readonly task: Task;
  readonly plan: Plan;
  readonly precision: Precision;
}

/** Where a mesh lies on the machine, as a plan says it; nothing of it where the machine chooses. */
export type Layout = Partial<PlanLayout>;

/** What of a space only the machine and its software know. */
export interface Machinery {
  /**
   * The distinct ways in which a mesh may lie, the machine's own choice first.
   *
   * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY where there is none
   */
  layouts(task: Task, mesh: Mesh, space: Pick<Space, 'options' | 'breadth'>): readonly Layout[];
  /** Whether attention is one kernel, which makes scores again in any case: `selective` is then what `none` is. */
  readonly fusedAttention: boolean;
}

export const ANY_MACHINE: Machinery = { layouts: () => [{}], fusedAttention: false };

/** Types first, since others hang on them, and what a mesh may not divide; then in the order of the table. */
const FIRST: readonly PlanOptionName[] = [...PLAN_OPTION_NAMES.filter(isPrecision), 'activations'];
const ORDER = [...FIRST, ...PLAN_OPTION_NAMES.filter((name) => !FIRST.includes(name))].filter(
  (name): name is ListedOption =>
    name !== 'mesh' && name !== 'microbatches' && !(LAYOUT_OPTIONS as readonly string[]).includes(name),
);

/** Candidates that differ in the count of microbatches and in where the mesh lies: all else of their programs is the same. */
export interface CandidateGroup extends Candidate {
  /** Ascending; the group's own plan has the first of them. */
  readonly microbatches: readonly number[];
  /** For each count of microbatches, the machine's choice first. */
  readonly layouts: readonly Layout[];
}

/** The group's candidate with this count of microbatches that lies so. */
export const candidateOf = (
  { task, plan, precision }: CandidateGroup,
  microbatches: number,
  layout: Layout,
): Candidate => ({ task, plan: { ...plan, microbatches, ...layout }, precision });

export interface Candidates extends Iterable<Candidate> {
  /** The same candidates in the same order, for who needs not look at each. */
  groups(): Iterable<CandidateGroup>;
  /** How many combinations can't be had, by the reason; complete when all candidates were taken. */
  readonly refused: ReadonlyMap<string, number>;
}

type Fitted = Omit<Candidate, 'task'>;

class Enumeration implements Candidates {
  readonly refused = new Map<string, number>();
  readonly #space: Space;
  readonly #tasks: readonly Task[];
  readonly #machinery: Machinery;
  /** The options that take more than their default. */
  readonly #varied: readonly ListedOption[];

  constructor(task: Task, space: Space, machinery: Machinery) {
    this.#space = withUsualMesh(space);
    this.#machinery = machinery;
    const { options = {} } = space;
    this.#varied = ORDER.filter((name) => options[name] !== undefined || DIMENSIONS[name] !== undefined);
    const all = (set: Space['chips'], usual: number) => (set === undefined ? [usual] : numbersOf(set));
    this.#tasks = all(space.chips, task.chips).flatMap((chips) =>
      all(space.batch, task.batch).map((batch) => ({ ...task, chips, batch })),
    );
    requireMeshes(this.#tasks, this.#space);
    this.#requireHonoured();
  }

  /** What was asked for is refused before anything is tried. */
  #requireHonoured(): void {
    const honoured = new Honoured(this.#space.options);
    for (const task of this.#tasks) {
      const rules = new Rules(task);
      for (const mesh of meshesOf(task.chips, this.#space.mesh)) {
        if (honoured.isComplete) return;
        const [count] = this.#counts(task, mesh);
        if (count === undefined) continue;
        this.#combinations(task, rules, { ...DEFAULT_PLAN, mesh, microbatches: count }, honoured);
      }
    }
    honoured.requireAll();
  }

  *[Symbol.iterator](): Generator<Candidate> {
    for (const group of this.groups())
      for (const count of group.microbatches)
        for (const layout of group.layouts) yield candidateOf(group, count, layout);
  }

  *groups(): Generator<CandidateGroup> {
    this.refused.clear();
    for (const task of this.#tasks) {
      const rules = new Rules(task);
      for (const mesh of meshesOf(task.chips, this.#space.mesh)) {
        const layouts = this.#layouts(task, mesh);
        if (layouts.length === 0) continue;
        const counts = this.#counts(task, mesh);
        if (counts.length === 0) continue;
        const fitted = this.#combinations(task, rules, { ...DEFAULT_PLAN, mesh, microbatches: counts[0]! });
        for (const one of fitted) {
          const microbatches = this.#countsOf(rules, one, fitted, counts);
          if (microbatches.length === 0) continue;
          yield { task, ...one, plan: { ...one.plan, microbatches: microbatches[0]! }, microbatches, layouts };
        }
      }
    }
  }

  #refuse(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }

  #layouts(task: Task, mesh: Mesh): readonly Layout[] {
    try {
      return this.#machinery.layouts(task, mesh, this.#space);
    } catch (error) {
      if (!(error instanceof MeshwrightError) || error.code !== 'MESH_DOES_NOT_MULTIPLY') throw error;
      this.#refuse(`does not lie on the machine: ${error.detail.place} is to be ${error.detail.expected}`);
      return [];
    }
  }

  #counts(task: Task, mesh: Mesh): readonly number[] {
    const { microbatches } = this.#space;
    const all = microbatchChoices(task, mesh);
    const asked = microbatches === undefined ? all : all.filter((count) => hasNumber(microbatches, count));
    if (asked.length > 0) return microbatches === undefined ? fillingCounts({ mesh }, asked) : asked;
    const into = microbatches === undefined ? '' : ` into ${formatNumberSet(microbatches)} microbatches`;
    this.#refuse(`a batch of ${task.batch} does not divide over ${formatMesh(mesh)}${into}`);
    return [];
  }

  /** The options that a mesh can have, with the types that come of them, each combination once. */
  #combinations(task: Task, rules: PlanRules, base: Plan, honoured?: Honoured): Fitted[] {
    let plans: Plan[] = [base];
    for (const name of this.#varied) {
      const next: Plan[] = [];
      const seen = new Set<string>();
      for (const plan of plans) {
        for (const value of this.#values(name, task, plan)) {
          const wish: Plan = { ...plan, [name]: value };
          const { plan: found, dropped, refusal } = rules.fit(wish);
          if (refusal !== undefined) {
            this.#refuse(`${planWord(refusal.option)} has to be ${refusal.expected}`);
            honoured?.lost(name, value, refusal, found);
            continue;
          }
          for (const one of dropped) honoured?.lost(name, value, one, wish);
          const key = this.#key(found, false);
          if (seen.has(key)) continue;
          seen.add(key);
          next.push(found);
        }
      }
      plans = name === 'activations' ? next.filter((plan) => this.#divides(rules, plan)) : next;
      if (plans.length === 0) return [];
    }
    if (honoured !== undefined) plans.forEach((plan) => honoured.note(plan));
    return this.#asAsked(plans).map((plan) => {
      const { precision } = rules.fit(plan);
      return { plan: asUsual(plan, task, precision), precision };
    });
  }

  /** What was asked for comes before what was left open: plans are without it only where all of a mesh's are. */
  #asAsked(plans: readonly Plan[]): readonly Plan[] {
    let left = plans;
    for (const name of this.#varied) {
      const asked = this.#space.options?.[name] as readonly unknown[] | undefined;
      if (asked === undefined) continue;
      const wanted = new Set(asked.map((value) => planOptionText(name, value)));
      const having = left.filter((plan) => plan[name] !== undefined && wanted.has(planOptionText(name, plan[name])));
      if (having.length > 0) left = having;
    }
    return left;
  }

  #values(name: ListedOption, task: Task, plan: Plan): readonly unknown[] {
    const asked = this.#space.options?.[name] as readonly unknown[] | undefined;
    if (asked !== undefined) return asked;
    const { values, usual = values } = DIMENSIONS[name]!;
    return (this.#space.breadth === 'usual' ? usual : values)({ task, plan });
  }

  #divides(rules: PlanRules, plan: Plan): boolean {
    const error = rules.undivided(plan);
    if (error === undefined) return true;
    const { place, expected, got } = error.detail;
    this.#refuse(`${place.replace('plan.mesh.', '')} has to be ${expected}, not ${got}`);
    return false;
  }

  /** Two plans that lower to the same programs have the same. */
  #key(plan: Plan, oneMicrobatch: boolean): string {
    const { fusedAttention } = this.#machinery;
    let key = '';
    for (const name of this.#varied) {
      const value = plan[name];
      if (name === 'rematerialize' && value === 'selective' && fusedAttention) key += 'none';
      else if (name === 'shard' && value === 'gradients' && oneMicrobatch) key += 'optimizer';
      else key += value === undefined ? '' : typeof value === 'string' ? value : planOptionText(name, value);
      key += ' ';
    }
    return key;
  }

  /** The counts with which a plan can be had and is no other's. */
  #countsOf(rules: PlanRules, { plan }: Fitted, all: readonly Fitted[], counts: readonly number[]): readonly number[] {
    const isOther = (): boolean => {
      const key = this.#key(plan, true);
      return all.some((other) => other.plan.shard === 'optimizer' && this.#key(other.plan, true) === key);
    };
    const left = plan.shard === 'gradients' && counts[0] === 1 && isOther() ? counts.slice(1) : counts;
    // The one rule that asks for the count.
    if (plan.scheduleMemory === 'usual') return left;
    return left.filter((microbatches) => {
      const { refusal } = rules.fit({ ...plan, microbatches });
      if (refusal !== undefined) this.#refuse(`${planWord(refusal.option)} has to be ${refusal.expected}`);
      return refusal === undefined;
    });
  }
}

/** Which values that were asked for some plan has: one that none has is refused rather than ignored. */
class Honoured {
  readonly #open = new Map<string, { readonly name: ListedOption; refusal?: Refusal; plan?: Plan }>();

  constructor(options: Space['options'] = {}) {
    for (const name of ORDER) {
      const values = options[name];
      for (const value of values ?? []) this.#open.set(`${name} ${planOptionText(name, value)}`, { name });
    }
  }

  get isComplete(): boolean {
    return this.#open.size === 0;
  }

  lost(name: PlanOptionName, value: unknown, refusal: Refusal, plan: Plan): void {
    const open = this.#open.get(`${name} ${planOptionText(name, value)}`);
    if (open !== undefined) Object.assign(open, { refusal, plan });
  }

  note(plan: Plan): void {
    for (const [key, { name }] of this.#open)
      if (plan[name] !== undefined && key === `${name} ${planOptionText(name, plan[name])}`) this.#open.delete(key);
  }

  /** @throws MeshwrightError PLAN_INVALID */
  requireAll(): void {
    for (const { name, refusal, plan } of this.#open.values()) {
      if (refusal !== undefined && plan !== undefined && refusal.option === name) throw refused(refusal, plan);
    }
  }
}

/** Ascending. */
export const divisors = (value: number): number[] => {
  const low: number[] = [];
  const high: number[] = [];
  for (let one = 1; one * one <= value; one++) {
    if (value % one !== 0) continue;
    low.push(one);
    if (one * one !== value) high.unshift(value / one);
  }
  return [...low, ...high];
};

/** Every mesh of so many chips, those with fewer stages and larger `data` first. */
export function* meshesOf(chips: number, asked: Space['mesh'] = {}): Generator<Mesh> {
  const allows = (name: AxisName, size: number): boolean => {
    const set = asked[name];
    if (set !== undefined) return hasNumber(set, size);
    return size === 1 || (FREE_AXES as readonly string[]).includes(name);
  };
  function* split(axes: readonly AxisName[], left: number, sizes: Partial<Record<AxisName, number>>): Generator<Mesh> {
    const [name, ...rest] = axes;
    if (name === undefined) {
      if (allows('data', left)) yield createMesh({ ...sizes, data: left });
      return;
    }
    for (const size of divisors(left)) {
      if (allows(name, size)) yield* split(rest, left / size, { ...sizes, [name]: size });
    }
  }
  yield* split(
    MESH_AXES.filter((name) => name !== 'data'),
    chips,
    {},
  );
}

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY where no count of chips has a mesh */
function requireMeshes(tasks: readonly Task[], { mesh = {} }: Space): void {
  if (tasks.some(({ chips }) => meshesOf(chips, mesh).next().done !== true)) return;
  throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
    place: planPlace('mesh'),
    expected: `axes that multiply to ${[...new Set(tasks.map(({ chips }) => chips))].join(' or ')} chips`,
    got: MESH_AXES.flatMap((name) => (mesh[name] === undefined ? [] : `${name}=${formatNumberSet(mesh[name])}`)).join(
      ', ',
    ),
  });
}

/**
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY where no mesh has so many chips, PLAN_INVALID of an option that was asked
 *   for and that no plan can have, DTYPE_UNSUPPORTED
 */
export const candidatesOf = (task: Task, space: Space, machinery: Machinery = ANY_MACHINE): Candidates =>
  new Enumeration(task, space, machinery);
