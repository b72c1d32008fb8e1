/**
 * A pipeline's programs, each planned and run once on a chip that stands for all that run it: collectives over `data` and
 * `model` as all groups of the machine have them at once, those of all stages. A program starts with nothing under way.
 */
import type { Stack } from '../../src/hardware/index.js';
import type { Lane } from '../../src/mesh/index.js';
import type { MemoryUse, Program, ValueId } from '../../src/program/index.js';
import { keptBeside, stepMemory } from '../cost/index.js';
import type { TicksByCategory } from '../categories.js';
import { ticksByCategory } from '../categories.js';
import type { Ticks } from '../engine/index.js';
import { ticks } from '../engine/index.js';
import { computeOf } from '../executor.js';
import type { ExposureTotals } from '../exposure.js';
import { runFolded } from '../folded.js';
import type { Machine } from '../machine/index.js';
import type { CollectiveChoice, Plan } from '../plan.js';
import { hostTicksOfSpans, planProgram } from '../plan.js';

/** What a run takes, up to some end of it. */
export interface Take {
  readonly duration: Ticks;
  /** Adds up to the duration. */
  readonly byCategory: TicksByCategory;
  readonly exposure: ExposureTotals;
}

export interface ProgramRun {
  readonly program: Program;
  readonly plan: Plan;
  /** Until all its collectives are done. */
  readonly whole: Take;
  /** Until the chip can go on, and what it sends is there: reductions that nothing waits for may still be under way. */
  readonly issued: Take;
  /** What the reductions take that may be under way then, one after the other. */
  readonly queued: Ticks;
  readonly matmulFlops: number;
  /** Whether one chip stands for all of its stage exactly. */
  readonly even: boolean;
  readonly memory: MemoryUse;
}

/** Of the axis over which they take longest: those over different axes run side by side. */
function queuedTicks({ collectives }: Plan): Ticks {
  const byAxis = new Map<Lane, number>();
  for (const { op, axis, duration, times } of collectives)
    if (op.queued === true) byAxis.set(axis, (byAxis.get(axis) ?? 0) + duration * times);
  return ticks(Math.max(0, ...byAxis.values()));
}

type ByChoice = WeakMap<CollectiveChoice, WeakMap<Program, ProgramRun>>;
const known = new WeakMap<Machine, WeakMap<Stack, ByChoice>>();

function innerMap<K extends object, V extends object>(of: WeakMap<K, V>, key: K, make: () => V): V {
  let found = of.get(key);
  if (found === undefined) of.set(key, (found = make()));
  return found;
}

/** Programs are the same objects in pipelines that share them. */
const knownRuns = (machine: Machine, stack: Stack, collectives: CollectiveChoice): WeakMap<Program, ProgramRun> =>
  innerMap(
    innerMap(
      innerMap(known, machine, () => new WeakMap<Stack, ByChoice>()),
      stack,
      (): ByChoice => new WeakMap(),
    ),
    collectives,
    () => new WeakMap(),
  );

export class ProgramRuns {
  readonly #machine: Machine;
  readonly #stack: Stack;
  readonly #collectives: CollectiveChoice;
  readonly #forwards: ReadonlySet<Program>;
  readonly #runs = new Map<Program, ProgramRun>();
  /** Of this machine, stack and choice, in other pipelines too. */
  readonly #known: WeakMap<Program, ProgramRun>;

  /** @param forwards those with a microbatch's forward pass through a stage */
  constructor(machine: Machine, stack: Stack, collectives: CollectiveChoice, forwards: ReadonlySet<Program>) {
    this.#machine = machine;
    this.#stack = stack;
    this.#collectives = collectives;
    this.#forwards = forwards;
    this.#known = knownRuns(machine, stack, collectives);
  }

  /** All that were asked for. */
  get all(): readonly ProgramRun[] {
    return [...this.#runs.values()];
  }

  of(program: Program): ProgramRun {
    let run = this.#runs.get(program);
    if (run === undefined) {
      run = this.#known.get(program) ?? this.#run(program);
      this.#known.set(program, run);
      this.#runs.set(program, run);
    }
    return run;
  }

  /** See `keptBeside`. */
  keptBeside(program: Program): ReadonlyMap<ValueId, number> {
    return keptBeside(program, this.#stack);
  }

  #run(program: Program): ProgramRun {
    const planned = planProgram(program, this.#machine, this.#stack, this.#collectives, this.#forwards.has(program));
    const plan: Plan = {
      ...planned,
      // The host prepares a step once, not each of its programs.
      hostDuration: hostTicksOfSpans(planned),
      awaited: program.outputs.filter(({ name }) => name.startsWith('send:')).map(({ value }) => value),
    };
    const { duration, issued, exposure, contention, hostWait, even } = runFolded(plan);
    const compute = computeOf(plan, contention, ticks(0));
    const take = (until: Ticks, exposed: ExposureTotals): Take => {
      const found = { plan, duration: until, exposure: exposed, hostWait, computeTicks: compute.computeTicks };
      return { duration: until, exposure: exposed, byCategory: ticksByCategory(found) };
    };
    const patterns = plan.collectives.flatMap(({ schedule }) => schedule.channels.flat());
    const stack = this.#stack;
    return {
      program,
      plan,
      whole: take(duration, exposure),
      issued: take(issued.at, issued.exposure),
      queued: queuedTicks(plan),
      matmulFlops: compute.matmulFlops,
      even: even && patterns.every(({ pattern }) => pattern.even),
      get memory() {
        return stepMemory(program, stack);
      },
    };
  }
}
