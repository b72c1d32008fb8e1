/** Instructions as arrays: every chip has a cursor into the same script. */
import type { Lane } from '../../src/mesh/index.js';
import type { CollectiveInstruction, Instruction, RunId } from '../instructions.js';
import type { KernelStep } from '../plan.js';

export const KERNEL = 0;
export const COLLECTIVE = 1;
const WAIT = 2;

/** Lists of runs in compressed rows: those of `index` are `runs[starts[index]]` up to `runs[starts[index + 1]]`. */
export interface RunLists {
  readonly starts: Int32Array;
  readonly runs: Int32Array;
}

export interface Script {
  readonly axes: readonly Lane[];
  readonly kernels: readonly KernelStep[];
  /** By run. */
  readonly collectives: readonly CollectiveInstruction[];
  /** By line: KERNEL, COLLECTIVE or WAIT; which kernel or run; the instruction it stands for; what it waits for. */
  readonly kind: Uint8Array;
  readonly subject: Int32Array;
  readonly instruction: Int32Array;
  readonly after: RunLists;
  /** By run: its lane, which is its axis' number, and how many come before it there. */
  readonly lane: Int32Array;
  readonly place: Int32Array;
  /** By run: the instruction that issues it. */
  readonly issuedBy: Int32Array;
  readonly operands: RunLists;
  /** By lane: its runs, in the order of issue. */
  readonly laneRuns: readonly Int32Array[];
}

class Lists {
  readonly #starts = [0];
  readonly #runs: number[] = [];
  add(runs: readonly RunId[]): void {
    for (const run of runs) this.#runs.push(run);
    this.#starts.push(this.#runs.length);
  }
  finish(): RunLists {
    return { starts: Int32Array.from(this.#starts), runs: Int32Array.from(this.#runs) };
  }
}

const ALL = { kernel: KERNEL, collective: COLLECTIVE, wait: WAIT } satisfies Record<Instruction['kind'], number>;

export function scriptOf(instructions: readonly Instruction[]): Script {
  const laneOf = new Map<Lane, number>();
  const kernelOf = new Map<KernelStep, number>();
  const collectives: CollectiveInstruction[] = [];
  const kinds: number[] = [];
  const subjects: number[] = [];
  const sources: number[] = [];
  const lanes: number[] = [];
  const places: number[] = [];
  const issuers: number[] = [];
  const laneRuns: number[][] = [];
  const after = new Lists();
  const operands = new Lists();
  const line = (kind: number, subject: number, source: number, runs: readonly RunId[]): void => {
    kinds.push(kind);
    subjects.push(subject);
    sources.push(source);
    after.add(runs);
  };
  const numberOf = <Key>(known: Map<Key, number>, key: Key): number => {
    const found = known.get(key) ?? known.size;
    known.set(key, found);
    return found;
  };
  instructions.forEach((instruction, index) => {
    const { kind } = instruction;
    if (kind === 'kernel') line(ALL[kind], numberOf(kernelOf, instruction.step), index, instruction.after);
    else if (kind === 'wait') line(ALL[kind], 0, index, instruction.after);
    else {
      const { run, step } = instruction;
      line(ALL[kind], run, index, instruction.after);
      if (instruction.synchronous) line(WAIT, 0, index, [run]);
      const lane = numberOf(laneOf, step.axis);
      const runs = (laneRuns[lane] ??= []);
      collectives[run] = instruction;
      lanes[run] = lane;
      places[run] = runs.push(run) - 1;
      issuers[run] = index;
      operands.add(instruction.operands);
    }
  });
  return {
    axes: [...laneOf.keys()],
    kernels: [...kernelOf.keys()],
    collectives,
    kind: Uint8Array.from(kinds),
    subject: Int32Array.from(subjects),
    instruction: Int32Array.from(sources),
    after: after.finish(),
    lane: Int32Array.from(lanes),
    place: Int32Array.from(places),
    issuedBy: Int32Array.from(issuers),
    operands: operands.finish(),
    laneRuns: laneRuns.map((runs) => Int32Array.from(runs)),
  };
}
