/**
 * One step of a pipeline's stage on one rank: its slots in the order of the schedule, then the programs that end the
 * step. Messages move between kernels and while it waits; a slot begins when what it needs has come.
 */
import { axisSize, group } from '../mesh/index.js';
import type { Program, ProgramInput, ProgramOutput, ValueId } from '../program/index.js';
import { elementCount, invalid, isBatch, isState, stateKey } from '../program/index.js';
import type { Slot } from '../program/schedules/index.js';
import { virtualStage } from '../program/schedules/index.js';
import type { SlotPlace, Span } from '../trace/index.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { Adopter, Feeds } from './adopt.js';
import type { CompiledProgram } from './compile.js';
import { Communicator, groupsOf } from './communicator.js';
import type { Surroundings } from './execute.js';
import type { Binding } from './handle.js';
import type { Handle } from './handle.js';
import { bringAll, holdAll, releaseAll } from './handle.js';
import type { Expected } from './ports.js';
import { Ports } from './ports.js';
import type { Current, ProgramEnds } from './run-program.js';
import { runProgram } from './run-program.js';
import type { StageTask } from './stage-task.js';
import { portKey, sentBy } from './stage-task.js';
import { StageValues } from './stage-values.js';

const PIPE = 'pipe';
const SEND_TIED = 'send:tied:';
const AGREE = 'agree:';
const AGREED = 'agreed:';

/** What a rank keeps between steps. */
export interface StateHolder {
  /** A value, held for a program; given up where the program replaces it. */
  take(key: string, isReplaced: boolean): Binding;
  keep(key: string, binding: Binding): void;
}

export interface StageSurroundings extends Surroundings {
  readonly adopt: Adopter;
  readonly state: StateHolder;
}

/** All programs of a task, those that slots share once. */
export const programsOf = ({ stage, chunks }: StageTask): Set<Program> =>
  new Set([
    ...(stage.start === undefined ? [] : [stage.start]),
    ...stage.finish,
    ...chunks.flatMap(({ slots, last }) => [...Object.values(slots), ...Object.values(last)]),
  ]);

const tiedKey = (name: string, stage: number): string => `tied gradient of ${name} to stage ${stage}`;

/** The last slot of each kind and chunk. */
function lastSlots(slots: readonly Slot[]): ReadonlySet<Slot> {
  return new Set(new Map(slots.map((slot) => [`${slot.kind} ${slot.chunk}`, slot])).values());
}

export class StageRun {
  readonly #made: { readonly spans: readonly Span[]; readonly slot?: SlotPlace }[] = [];
  readonly #messages: Span[] = [];
  readonly #task: StageTask;
  readonly #compiled: ReadonlyMap<Program, CompiledProgram>;
  readonly #around: StageSurroundings;
  readonly #current: Current;
  readonly #values: StageValues;
  readonly #ports: Ports;
  readonly #communicator: Communicator;
  /** What all stages agreed on in this step, held. */
  readonly #agreed = new Map<string, Handle>();
  /** Outputs that were asked for, held. */
  readonly #wanted = new Map<string, Binding>();

  constructor(
    task: StageTask,
    compiled: ReadonlyMap<Program, CompiledProgram>,
    feeds: Feeds,
    around: Omit<StageSurroundings, 'communicator'>,
    current: Current,
  ) {
    this.#task = task;
    this.#compiled = compiled;
    this.#current = current;
    this.#values = new StageValues(task, feeds, around.adopt);
    const { mesh, rank, transport, memory } = around;
    this.#communicator = new Communicator(transport, groupsOf(mesh, rank, memory), () => this.#ports.advance());
    this.#ports = new Ports(transport, memory, () => this.#communicator.advance());
    this.#around = { ...around, communicator: this.#communicator };
  }

  /**
   * @param outputs of the programs that end the step, or of slots to evaluate with
   * @returns those that this stage has, held
   */
  async run(outputs: readonly string[]): Promise<ReadonlyMap<string, Binding>> {
    const { stage, schedule, index } = this.#task;
    schedule.slots.forEach((_, from) => from !== index && this.#ports.expect(this.#rankOf(from), this.#sentFrom(from)));
    if (stage.start !== undefined) await this.#runPlain(stage.start, outputs);
    const own = schedule.slots[index]!;
    const last = lastSlots(own);
    for (const slot of own) await this.#runSlot(slot, last.has(slot), outputs);
    for (const program of stage.finish) await this.#runPlain(program, outputs);
    this.#ports.finish();
    this.#communicator.finish();
    this.#values.end();
    return this.#wanted;
  }

  #rankOf(stage: number): number {
    const { mesh, rank } = this.#around;
    return axisSize(mesh, PIPE) === 1 ? rank : group(mesh, rank, PIPE)[stage]!;
  }

  /** What another stage will send here, in its order. */
  #sentFrom(from: number): Expected[] {
    const { schedule, index, stage, tied, chunks } = this.#task;
    const streams = schedule.slots[from]!.flatMap((slot): Expected[] => {
      const sent = sentBy(schedule, from, slot);
      if (sent?.to.stage !== index) return [];
      const { name, virtual, to } = sent;
      const programs = Object.values(chunks[to.chunk]!.slots);
      return [this.#expected(programs, name, portKey(name, virtual, slot.microbatch))];
    });
    const gradients = tied
      .filter(({ other }) => other === from)
      .map(({ name }) => this.#expected(stage.finish, `tied:${name}`, tiedKey(name, index)));
    return [...streams, ...gradients];
  }

  #expected(programs: readonly Program[], name: string, key: string): Expected {
    for (const { inputs, values } of programs) {
      const port = inputs.find((input) => input.kind === 'port' && input.name === name);
      if (port === undefined) continue;
      const { dtype, shape } = values[port.value]!.type;
      return { key, dtype, length: elementCount(shape) };
    }
    throw invalid('pipeline', `a port ${name}`, 'none');
  }

  /** What was done, once the run is over. */
  get spans(): Span[] {
    return [
      ...this.#made.flatMap(({ spans, slot }) =>
        slot === undefined ? spans : spans.map((span) => ({ ...span, slot })),
      ),
      ...this.#messages,
    ];
  }

  /** @param finish whether to wait for all its collectives; others wait where they read what those bring */
  async #run(program: Program, ends: ProgramEnds, slot?: SlotPlace, finish = true): Promise<void> {
    const compiled = this.#compiled.get(program)!;
    const { spans } = await runProgram(compiled, this.#around, ends, this.#current, finish);
    this.#made.push({ spans, ...(slot === undefined ? {} : { slot }) });
  }

  /** A program that is no slot. */
  async #runPlain(program: Program, wanted: readonly string[]): Promise<void> {
    const { state } = this.#around;
    const names = new Set(program.outputs.map(({ name }) => name));
    const replaced = new Set(
      program.inputs
        .filter(isState)
        .map(stateKey)
        .filter((key) => names.has(key)),
    );
    await this.#run(program, {
      bind: (input) => {
        if (isState(input)) return state.take(stateKey(input), replaced.has(stateKey(input)));
        if (input.kind === 'port' && input.name.startsWith(AGREED)) return this.#agreed.get(input.name)!;
        if (input.kind === 'port') return this.#ports.take(tiedKey(input.name.replace('tied:', ''), this.#task.index));
        if (input.kind === 'sum') return this.#values.take(`sum:${input.name}`);
        return this.#values.feed(input.name, program.values[input.value]!.type);
      },
      give: async ({ name, value }, binding) => {
        if (name.startsWith(SEND_TIED)) await this.#sendTied(name, binding as Handle);
        else if (name.startsWith(AGREE)) await this.#agree(program, name, value, binding as Handle);
        else if (replaced.has(name)) state.keep(name, binding);
        else if (name.startsWith('sum:') || name.startsWith('gathered:')) this.#values.keep(name, holdAll(binding));
        if (wanted.includes(name)) this.#wanted.set(name, holdAll(binding));
      },
    });
  }

  async #runSlot(slot: Slot, isLast: boolean, wanted: readonly string[]): Promise<void> {
    const { index, chunks } = this.#task;
    const { kind, chunk, microbatch } = slot;
    const { slots, last } = chunks[chunk]!;
    const program = (isLast ? last : slots)[kind];
    // Reductions that begin in the last microbatch go on beside what comes after.
    const finish = program === slots[kind];
    if (program === undefined) throw invalid('schedule', Object.keys(slots).join(' or '), kind);
    const place: SlotPlace = { stage: index, chunk, microbatch };
    await this.#run(
      program,
      {
        bind: (input) => this.#bind(program, input, slot),
        give: async (output, binding) => {
          // To evaluate with: there is one microbatch then.
          if (wanted.includes(output.name)) this.#wanted.set(output.name, holdAll(binding));
          else await this.#give(program, output, binding, slot, place);
        },
      },
      place,
      finish,
    );
  }

  #bind(program: Program, input: ProgramInput, slot: Slot): Binding {
    const { index, schedule } = this.#task;
    const { chunk, microbatch } = slot;
    const { type } = program.values[input.value]!;
    switch (input.kind) {
      case 'port':
        return this.#ports.take(portKey(input.name, virtualStage(schedule, index, chunk), microbatch));
      case 'residual':
        return this.#values.takeResidual(input.name, slot);
      case 'sum':
        return this.#values.takeSum(`sum:${input.name}`, type, chunk);
      case 'gathered':
        return this.#values.gathered(`gathered:${input.name}`, type, chunk);
      case 'data':
        return this.#values.feed(input.name, type, isBatch(input) ? microbatch : undefined);
      default: {
        const whole = this.#around.state.take(stateKey(input), false);
        const own = holdAll(this.#values.partOf(whole, type, chunk));
        releaseAll(whole);
        return own;
      }
    }
  }

  async #give(
    program: Program,
    { name, value }: ProgramOutput,
    binding: Binding,
    slot: Slot,
    place: SlotPlace,
  ): Promise<void> {
    const { type } = program.values[value]!;
    if (name.startsWith('residual:')) {
      this.#values.giveResidual(name.slice('residual:'.length), slot, holdAll(binding));
    } else if (name.startsWith('sum:')) {
      this.#values.giveSum(name, type, slot.chunk, holdAll(binding));
    } else {
      const { schedule, index } = this.#task;
      const sent = sentBy(schedule, index, slot);
      if (sent === undefined) throw invalid('pipeline', `a stage that gets ${name}`, 'none');
      const key = portKey(sent.name, sent.virtual, slot.microbatch);
      if (sent.to.stage === index) this.#ports.deliver(key, binding as Handle);
      else {
        await this.#send(sent.to.stage, name, binding as Handle, place);
        if (schedule.blocking === true) this.#ports.finish();
      }
    }
  }

  /** Adds a number up over all stages. */
  async #agree(program: Program, output: string, value: ValueId, handle: Handle): Promise<void> {
    const { mesh, rank } = this.#around;
    const name = output.replace(AGREE, AGREED);
    if (axisSize(mesh, PIPE) === 1) return void this.#agreed.set(name, handle.hold());
    const attributes = { axis: PIPE } as const;
    const op = {
      name: 'all_reduce',
      id: output,
      phase: 'optimizer',
      operands: [value],
      results: [],
      attributes,
    } as const;
    await bringAll([handle]);
    const start = this.#now();
    const [made] = this.#communicator.start(program, op, [handle], (sentBytes) =>
      this.#messages.push({
        id: output,
        kind: 'collective',
        name: 'all_reduce',
        phase: 'optimizer',
        rank,
        axis: PIPE,
        issued: start,
        start,
        end: this.#now(),
        sentBytes,
      }),
    );
    this.#agreed.set(name, (made as Handle).hold());
  }

  #now(): Seconds {
    const { clock, startedAt } = this.#around;
    return seconds(clock() - startedAt);
  }

  async #sendTied(output: string, handle: Handle): Promise<void> {
    const parameter = output.slice(SEND_TIED.length);
    const { other } = this.#task.tied.find(({ name }) => name === parameter)!;
    await this.#send(other, output, handle);
  }

  async #send(stage: number, id: string, handle: Handle, slot?: SlotPlace): Promise<void> {
    const { rank } = this.#around;
    await bringAll([handle]);
    const issued = this.#now();
    let start = issued;
    this.#communicator.wait([handle]);
    const phase = slot === undefined ? 'reduce' : id === 'send:stream' ? 'forward' : 'backward';
    const base = { id, kind: 'collective', name: 'send', phase, rank, axis: PIPE, issued } as const;
    this.#ports.send(
      this.#rankOf(stage),
      handle,
      () => (start = this.#now()),
      (sentBytes) => this.#messages.push({ ...base, start, end: this.#now(), sentBytes, ...(slot ? { slot } : {}) }),
    );
  }
}
