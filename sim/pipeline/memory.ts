/**
 * The memory of each stage of a pipeline: a walk over what it does in order. What a program needs while it runs is counted
 * from the program; beside it stays what the stage holds in any case, what microbatches under way left, and what has
 * arrived or is still being sent.
 */
import type { MemoryUse, TrainingPipeline, Program, ProgramInput, Role, ValueId } from '../../src/program/index.js';
import { ROLES, chipBytes, isBatch, typeBytes } from '../../src/program/index.js';
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
    if (wanted(input)) found[ROLES.indexOf(role)]! += chipBytes(type);
  }
  return found;
}

/** @param beside what is kept beside values */
function residualBytes({ outputs, values }: Program, beside: ReadonlyMap<ValueId, number>): ByRole {
  const found = [...NONE];
  for (const { name, value } of outputs) {
    const { type, role } = values[value]!;
    if (name.startsWith('residual:')) found[ROLES.indexOf(role)]! += typeBytes(type) + (beside.get(value) ?? 0);
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
  /** 1 where it is the first of its microbatch and chunk, −1 where it is the last. */
  readonly holds: number;
  /** Ticks that what it waits for is on its way from another stage; below 0 where nothing is. */
  readonly arrives: number;
  /** What comes through one comes in order. */
  readonly channel: number;
  /** Ticks that what it sends is on its way. */
  readonly sends: number;
}

const CODES: Record<SlotKind, number> = { forward: 0, backward: 1, 'backward-input': 2, 'backward-weight': 3 };
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
    const dealt = inputBytes(finish.at(-1)!, isSum);
    const gathered = inputBytes(this.#asInputs(start), isGathered);
    const around = add(state, batch);
    this.#consider('start', add(around, this.#inside(start)), this.#runs.of(start).memory.peakOpId);
    const microbatchesHeld = this.#slots(add(add(around, this.#whole(dealt)), gathered));
    for (const program of finish)
      this.#consider('finish', add(add(around, dealt), this.#inside(program)), this.#runs.of(program).memory.peakOpId);
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

  /** What slots add up: whole until the last microbatch's slots deal it out. */
  #whole(dealt: ByRole): ByRole {
    let found = dealt;
    for (let chunk = 0; chunk < this.#times.schedule.chunks; chunk++) {
      const virtual = virtualStage(this.#times.schedule, this.#stage, chunk);
      for (const program of Object.values(this.#pipeline.virtual[virtual]!.last))
        found = add(found, this.#dealtBy(program), -1);
    }
    return found;
  }

  /** What is added up after a slot of the last microbatch, less what was before. */
  #dealtBy(program: Program): ByRole {
    const ends = new Map(program.outputs.map(({ name, value }) => [name, value]));
    const found = [...NONE];
    for (const input of program.inputs) {
      const end = input.kind === 'sum' ? ends.get(`sum:${input.name}`) : undefined;
      if (end === undefined) continue;
      const { type, role } = program.values[input.value]!;
      found[ROLES.indexOf(role)]! += typeBytes(program.values[end]!.type) - typeBytes(type);
    }
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
    const forward = residualBytes(slots.forward!, this.#runs.keptBeside(slots.forward!));
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
    const left = isLast ? add(leaves[kind](), this.#dealtBy(program)) : leaves[kind]();
    return {
      inside,
      insideBytes: total(inside),
      opId: run.memory.peakOpId,
      leaves: left,
      leavesBytes: total(left),
      portBytes: total(inputBytes(program, isKind('port'))),
      sentBytes: outputBytes(program, (name) => name === STREAM || name === COTANGENT),
      holds: kind === 'forward' ? 1 : kind === 'backward-input' ? 0 : -1,
      channel: chunk * 2 + (kind === 'forward' ? 0 : 1),
      arrives: arrivalOf(this.#times, this.#transfers)(this.#stage, kind, chunk)?.duration ?? -1,
      sends: sends ? this.#transfers.between(virtual, to).duration : 0,
    };
  }

  /** @param around what the stage holds in any case meanwhile @returns the most microbatches under way */
  #slots(around: ByRole): number {
    const { schedule, timeline } = this.#times;
    const stage = this.#stage;
    const known: (SlotMemory | undefined)[] = [];
    const list = schedule.slots[stage]!.map(({ kind, chunk, microbatch }) => {
      const isLast = microbatch === schedule.microbatches - 1;
      return (known[(chunk * 4 + CODES[kind]) * 2 + (isLast ? 1 : 0)] ??= this.#slotMemory(kind, chunk, isLast));
    });
    const arrivals = this.#arrivals(list);
    const under = [...NONE];
    const aroundBytes = total(around);
    let [underBytes, waiting, held, mostHeld] = [0, 0, 0, 0];
    for (let index = 0; index < list.length; index++) {
      const memory = list[index]!;
      const now = timeline.start(stage, index);
      for (const arriving of arrivals)
        for (; arriving.next < arriving.at.length && arriving.at[arriving.next]! <= now; arriving.next++)
          waiting += arriving.bytes;
      // Its own is counted in what it needs.
      if (memory.arrives >= 0) waiting -= memory.portBytes;
      let sending = 0;
      for (let before = index - 1; before >= 0; before--) {
        const { sends, sentBytes } = list[before]!;
        if (timeline.end(stage, before) + sends <= now) break;
        sending += sentBytes;
      }
      const sum = aroundBytes + underBytes + waiting + sending + memory.insideBytes;
      if (sum > this.#peak || this.moments !== undefined) {
        const ports = NONE.map((_, role) => (role === ACTIVATION ? waiting + sending : 0));
        this.#consider(index, add(add(add(around, under), ports), memory.inside), memory.opId);
      }
      for (let role = 0; role < under.length; role++) under[role]! += memory.leaves[role]!;
      underBytes += memory.leavesBytes;
      held += memory.holds;
      mostHeld = Math.max(mostHeld, held);
    }
    return mostHeld;
  }

  /** When what the stage's slots wait for arrives, of each kind of slot in their order, which is that of time. */
  #arrivals(list: readonly SlotMemory[]): { readonly bytes: number; readonly at: number[]; next: number }[] {
    const { timeline } = this.#times;
    const found = new Map<number, { bytes: number; at: number[]; next: number }>();
    for (let index = 0; index < list.length; index++) {
      const { arrives, portBytes, channel } = list[index]!;
      const from = arrives < 0 ? undefined : timeline.senderEnd(this.#stage, index);
      if (from === undefined) continue;
      let own = found.get(channel);
      if (own === undefined) found.set(channel, (own = { bytes: portBytes, at: [], next: 0 }));
      own.at.push(from + arrives);
    }
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
