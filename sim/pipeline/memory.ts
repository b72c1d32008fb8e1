/**
 * The memory of each stage of a pipeline: a walk over what it does in order. What a program needs while it runs is counted
 * from the program; beside it stays what the stage holds in any case, what microbatches under way left, and what has
 * arrived or is still being sent.
 */
import type { MemoryUse, TrainingPipeline, Program, ProgramInput, Role } from '../../src/program/index.js';
import { ROLES, isBatch, typeBytes } from '../../src/program/index.js';
import type { SlotKind } from '../../src/program/schedules/index.js';
import { placeOf, virtualStage, virtualStageCount } from '../../src/program/schedules/index.js';
import type { Bytes } from '../../src/units.js';
import { bytes } from '../../src/units.js';
import type { ProgramRuns } from './program-runs.js';
import type { PipelineTimes } from './times.js';
import { arrivalOf, takeOf } from './times.js';
import type { Transfers } from './transfers.js';
import { COTANGENT, STREAM, outputBytes } from './transfers.js';

export interface MemorySubject {
  readonly runs: ProgramRuns;
  readonly pipeline: TrainingPipeline;
  readonly transfers: Transfers;
  readonly times: PipelineTimes;
}

/** In the order of `ROLES`. */
type ByRole = readonly number[];

export interface StageMemory {
  readonly peakBytes: Bytes;
  readonly byRole: Readonly<Record<Role, Bytes>>;
  /** What it does then: `start`, `finish`, or the index of a slot in its list. */
  readonly at: 'start' | 'finish' | number;
  /** The op of that program at which the peak is reached. */
  readonly peakOpId: string;
  /** The most microbatches, of chunks, whose forward it has done and of which it still holds something. */
  readonly microbatchesHeld: number;
}

const NONE: ByRole = ROLES.map(() => 0);
const add = (a: ByRole, b: ByRole, sign = 1): ByRole => a.map((value, index) => value + sign * b[index]!);
const total = (of: ByRole): number => of.reduce((sum, value) => sum + value, 0);
const peakOf = ({ byRole }: MemoryUse): ByRole => ROLES.map((role) => byRole[role]);

function inputBytes({ inputs, values }: Program, wanted: (input: ProgramInput) => boolean): ByRole {
  const found = [...NONE];
  for (const input of inputs) {
    const { type, role } = values[input.value]!;
    if (wanted(input)) found[ROLES.indexOf(role)]! += typeBytes(type);
  }
  return found;
}

function residualBytes({ outputs, values }: Program): ByRole {
  const found = [...NONE];
  for (const { name, value } of outputs) {
    const { type, role } = values[value]!;
    if (name.startsWith('residual:')) found[ROLES.indexOf(role)]! += typeBytes(type);
  }
  return found;
}

const isKind =
  (...kinds: readonly ProgramInput['kind'][]) =>
  ({ kind }: ProgramInput): boolean =>
    kinds.includes(kind);
const isState = isKind('parameter', 'optimizer', 'counter');
const isSum = isKind('sum');
const isGathered = isKind('gathered');
/** What a slot's program is given that the stage holds around it. */
const isHeld = (input: ProgramInput): boolean => input.kind !== 'port' && (input.kind !== 'data' || isBatch(input));

/** What a slot needs and changes. */
interface SlotMemory {
  /** More than what the stage holds around it. */
  readonly inside: ByRole;
  readonly insideBytes: number;
  readonly opId: string;
  /** What its microbatch holds after it, less what it held before. */
  readonly leaves: ByRole;
  readonly leavesBytes: number;
  /** Of what it waits for. */
  readonly portBytes: number;
  readonly sentBytes: number;
  /** Whether it is the last of its microbatch and chunk. */
  readonly ends: boolean;
  readonly arrives: number;
  readonly sends: number;
}

const KINDS: readonly SlotKind[] = ['forward', 'backward', 'backward-input', 'backward-weight'];
const ACTIVATION = ROLES.indexOf('activation');

/** What is live at the highest while a stage does something. */
export interface MemoryMoment {
  readonly at: StageMemory['at'];
  readonly byRole: ByRole;
  readonly opId: string;
}

class StageWalk {
  readonly moments: MemoryMoment[] | undefined;
  readonly #runs: ProgramRuns;
  readonly #pipeline: TrainingPipeline;
  readonly #transfers: Transfers;
  readonly #times: PipelineTimes;
  readonly #stage: number;
  #peak = 0;
  #found: Omit<StageMemory, 'microbatchesHeld'> | undefined;

  constructor({ runs, pipeline, transfers, times }: MemorySubject, stage: number, recording = false) {
    this.moments = recording ? [] : undefined;
    this.#runs = runs;
    this.#pipeline = pipeline;
    this.#transfers = transfers;
    this.#times = times;
    this.#stage = stage;
  }

  run(): StageMemory {
    const { start, finish } = this.#pipeline.stages[this.#stage]!;
    const { microbatches } = this.#times.schedule;
    const state = finish
      .map((program) => inputBytes(program, isState))
      .reduce((most, one) => most.map((value, index) => Math.max(value, one[index]!)));
    const batch = this.#batch().map((value) => value * microbatches);
    const sums = inputBytes(finish.at(-1)!, isSum);
    const gathered = inputBytes(this.#asInputs(start), isGathered);
    const around = add(state, batch);
    this.#consider('start', add(around, this.#inside(start)), this.#runs.of(start).memory.peakOpId);
    const microbatchesHeld = this.#slots(add(add(around, sums), gathered));
    for (const program of finish)
      this.#consider('finish', add(add(around, sums), this.#inside(program)), this.#runs.of(program).memory.peakOpId);
    return { ...this.#found!, microbatchesHeld };
  }

  #programs(chunk: number): Program[] {
    const virtual = virtualStage(this.#times.schedule, this.#stage, chunk);
    return Object.values(this.#pipeline.virtual[virtual]!.slots);
  }

  /** One microbatch's part of the batch that any of the stage's programs reads. */
  #batch(): ByRole {
    const seen = new Set<string>();
    const isNew = (input: ProgramInput): boolean =>
      input.kind === 'data' && isBatch(input) && !seen.has(input.name) && seen.add(input.name) !== undefined;
    let found = NONE;
    for (let chunk = 0; chunk < this.#times.schedule.chunks; chunk++)
      for (const program of this.#programs(chunk)) found = add(found, inputBytes(program, isNew));
    return found;
  }

  /** What `start` gathers, as a program that gets it. */
  #asInputs({ outputs, ...program }: Program): Program {
    const inputs = outputs.flatMap(({ name, value }): ProgramInput[] =>
      name.startsWith('gathered:') ? [{ kind: 'gathered', name, value }] : [],
    );
    return { ...program, outputs, inputs };
  }

  #inside(program: Program): ByRole {
    return add(peakOf(this.#runs.of(program).memory), inputBytes(program, isHeld), -1);
  }

  #consider(at: StageMemory['at'], byRole: ByRole, opId: string): void {
    this.moments?.push({ at, byRole, opId });
    const sum = total(byRole);
    if (sum <= this.#peak) return;
    this.#peak = sum;
    const named = Object.fromEntries(ROLES.map((role, index) => [role, bytes(byRole[index]!)]));
    this.#found = { peakBytes: bytes(sum), byRole: named as Record<Role, Bytes>, at, peakOpId: opId };
  }

  #slotMemory(kind: SlotKind, chunk: number, isLast: boolean): SlotMemory {
    const { schedule, blocking } = this.#times;
    const virtual = virtualStage(schedule, this.#stage, chunk);
    const { run } = takeOf(this.#runs, this.#pipeline, virtual, kind, isLast);
    const { program } = run;
    const { slots } = this.#pipeline.virtual[virtual]!;
    const forward = residualBytes(slots.forward!);
    const forWeights = kind === 'backward-input' || kind === 'backward-weight';
    const kept = forWeights ? inputBytes(slots['backward-weight']!, isKind('residual')) : NONE;
    const leaves: Record<SlotKind, () => ByRole> = {
      forward: () => forward,
      backward: () => add(NONE, forward, -1),
      'backward-input': () => add(kept, forward, -1),
      'backward-weight': () => add(NONE, kept, -1),
    };
    const to = kind === 'forward' ? virtual + 1 : virtual - 1;
    const isElsewhere = to >= 0 && to < virtualStageCount(schedule) && placeOf(schedule, to).stage !== this.#stage;
    const sends = kind !== 'backward-weight' && isElsewhere && !blocking;
    const inside = this.#inside(program);
    const left = leaves[kind]();
    return {
      inside,
      insideBytes: total(inside),
      opId: run.memory.peakOpId,
      leaves: left,
      leavesBytes: total(left),
      portBytes: total(inputBytes(program, isKind('port'))),
      sentBytes: outputBytes(program, (name) => name === STREAM || name === COTANGENT),
      ends: kind === 'backward' || kind === 'backward-weight',
      arrives: arrivalOf(this.#times, this.#transfers)(this.#stage, kind, chunk)?.duration ?? -1,
      sends: sends ? this.#transfers.between(virtual, to).duration : 0,
    };
  }

  /** @param around what the stage holds in any case meanwhile @returns the most microbatches under way */
  #slots(around: ByRole): number {
    const { schedule, timeline } = this.#times;
    const stage = this.#stage;
    const list = schedule.slots[stage]!;
    const known: (SlotMemory | undefined)[] = [];
    const memoryOf = (index: number): SlotMemory => {
      const { kind, chunk, microbatch } = list[index]!;
      const isLast = microbatch === schedule.microbatches - 1;
      const at = (chunk * KINDS.length + KINDS.indexOf(kind)) * 2 + (isLast ? 1 : 0);
      return (known[at] ??= this.#slotMemory(kind, chunk, isLast));
    };
    // What arrives, in the order in which it does.
    const arrivals = this.#arrivals(memoryOf);
    let [waiting, held, mostHeld] = [0, 0, 0];
    const under = [...NONE];
    let underBytes = 0;
    const aroundBytes = total(around);
    list.forEach(({ kind }, index) => {
      const memory = memoryOf(index);
      const now = timeline.start(stage, index);
      for (const arriving of arrivals)
        for (; arriving.next < arriving.at.length && arriving.at[arriving.next]! <= now; arriving.next++)
          waiting += arriving.bytes;
      // Its own is counted in what it needs.
      if (memory.arrives >= 0) waiting -= memory.portBytes;
      let sending = 0;
      for (let before = index - 1; before >= 0; before--) {
        const { sends, sentBytes } = memoryOf(before);
        if (timeline.end(stage, before) + sends <= now) break;
        sending += sentBytes;
      }
      const sum = aroundBytes + underBytes + waiting + sending + memory.insideBytes;
      if (sum > this.#peak || this.moments !== undefined) {
        const ports = NONE.map((_, role) => (role === ACTIVATION ? waiting + sending : 0));
        this.#consider(index, add(add(add(around, under), ports), memory.inside), memory.opId);
      }
      memory.leaves.forEach((value, role) => (under[role]! += value));
      underBytes += memory.leavesBytes;
      if (kind === 'forward') held++;
      if (memory.ends) held--;
      mostHeld = Math.max(mostHeld, held);
    });
    return mostHeld;
  }

  /** When what the stage's slots wait for arrives, of each kind of slot in their order, which is that of time. */
  #arrivals(
    memoryOf: (index: number) => SlotMemory,
  ): { readonly bytes: number; readonly at: number[]; next: number }[] {
    const { schedule, timeline } = this.#times;
    const stage = this.#stage;
    const found = new Map<string, { bytes: number; at: number[]; next: number }>();
    schedule.slots[stage]!.forEach(({ kind, chunk }, index) => {
      const { arrives, portBytes } = memoryOf(index);
      const from = arrives < 0 ? undefined : timeline.sender(stage, index);
      if (from === undefined) return;
      const key = `${kind} ${chunk}`;
      const own = found.get(key) ?? { bytes: portBytes, at: [], next: 0 };
      own.at.push(timeline.end(from.stage, from.index) + arrives);
      found.set(key, own);
    });
    return [...found.values()];
  }
}

/** The peak of one stage's chips over a step. */
export const stageMemory = (subject: MemorySubject, stage: number): StageMemory => new StageWalk(subject, stage).run();

/** What is live at every slot of a stage, in their order. */
export function memoryMoments(subject: MemorySubject, stage: number): readonly MemoryMoment[] {
  const walk = new StageWalk(subject, stage, true);
  walk.run();
  return walk.moments!;
}
