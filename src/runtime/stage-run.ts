/**
 * One step of a pipeline's stage on one rank: its slots in the order of the schedule, then the programs that end the
 * step. Messages move between kernels and while it waits; a slot begins when what it needs has come.
 */
import type { AxisName } from '../mesh/index.js';
import { axisSize, group } from '../mesh/index.js';
import type { Program, ProgramInput, ProgramOutput, SlotKind } from '../program/index.js';
import { elementCount, invalid, isBatch, isState, stateKey } from '../program/index.js';
import type { SlotPlace, Span } from '../trace/index.js';
import type { Adopter } from './adopt.js';
import { unsuitable } from './adopt.js';
import type { CompiledProgram } from './compile.js';
import type { Surroundings } from './execute.js';
import type { Binding } from './handle.js';
import { Handle, handlesOf, holdAll, releaseAll } from './handle.js';
import type { Expected } from './ports.js';
import { Ports } from './ports.js';
import type { Feeds } from './rank.js';
import type { Current } from './run-program.js';
import { runProgram } from './run-program.js';
import type { ScheduledSlot, StageTask } from './stage-task.js';
import { portKey, sentBy } from './stage-task.js';

const PIPE: AxisName = 'pipe';
const KINDS: readonly SlotKind[] = ['forward', 'backward', 'backward-input', 'backward-weight'];

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
    stage.start,
    ...stage.finish,
    ...chunks.flatMap(({ slots, last }) => [...Object.values(slots), ...Object.values(last)]),
  ]);

const tiedKey = (name: string, stage: number): string => `tied gradient of ${name} to stage ${stage}`;

export class StageRun {
  readonly spans: Span[] = [];
  readonly #task: StageTask;
  readonly #compiled: ReadonlyMap<Program, CompiledProgram>;
  readonly #around: StageSurroundings;
  readonly #feeds: Feeds;
  readonly #current: Current;
  /** Outputs that were asked for, held. */
  readonly #wanted = new Map<string, Binding>();
  readonly #ports: Ports;
  /** `sum:` and `gathered:`; tensors, or the stage's stacks, of which slots have their chunk's part. */
  readonly #shared = new Map<string, Handle | (Handle | undefined)[]>();
  readonly #residuals = new Map<string, Binding>();
  /** The batch and scalars, by name and microbatch; several slots may read them. */
  readonly #fed = new Map<string, Binding>();

  constructor(
    task: StageTask,
    compiled: ReadonlyMap<Program, CompiledProgram>,
    feeds: Feeds,
    around: Omit<StageSurroundings, 'beside'>,
    current: Current,
  ) {
    this.#current = current;
    this.#task = task;
    this.#compiled = compiled;
    this.#feeds = feeds;
    this.#ports = new Ports(around.transport, around.memory);
    this.#around = { ...around, beside: () => this.#ports.advance() };
  }

  /**
   * @param outputs of the programs that end the step
   * @returns those that this stage has, held
   */
  async run(outputs: readonly string[]): Promise<ReadonlyMap<string, Binding>> {
    const { stage, order, index } = this.#task;
    this.#expect();
    await this.#runPlain(stage.start, outputs);
    const own = order[index]!;
    for (const [at, slot] of own.entries()) {
      const isLast = !own.slice(at + 1).some(({ kind, chunk }) => kind === slot.kind && chunk === slot.chunk);
      await this.#runSlot(slot, isLast);
    }
    for (const program of stage.finish) await this.#runPlain(program, outputs);
    this.#ports.finish();
    for (const held of [...this.#fed.values(), ...(this.#shared.values() as Iterable<Binding>)]) releaseAll(held);
    return this.#wanted;
  }

  #rankOf(stage: number): number {
    const { mesh, rank } = this.#around;
    return axisSize(mesh, PIPE) === 1 ? rank : group(mesh, rank, PIPE)[stage]!;
  }

  /** Tells the ports what others will send here. */
  #expect(): void {
    const { order, index, stage, tied } = this.#task;
    order.forEach((slots, from) => {
      if (from === index) return;
      const streams = slots.flatMap((slot): Expected[] => {
        const sent = sentBy(this.#task, from, slot);
        if (sent?.to !== index) return [];
        const { name, virtual, microbatch } = sent;
        const chunk = stage.chunks.findIndex((one) => one.virtual === virtual);
        return [this.#portOf(Object.values(this.#task.chunks[chunk]!.slots), name, portKey(name, virtual, microbatch))];
      });
      const gradients = tied
        .filter(({ other }) => other === from)
        .map(({ name }) => this.#portOf(stage.finish, `tied:${name}`, tiedKey(name, index)));
      this.#ports.expect(this.#rankOf(from), [...streams, ...gradients]);
    });
  }

  #portOf(programs: readonly Program[], name: string, key: string): Expected {
    for (const { inputs, values } of programs) {
      const port = inputs.find((input) => input.kind === 'port' && input.name === name);
      if (port === undefined) continue;
      const { dtype, shape } = values[port.value]!.type;
      return { key, dtype, length: elementCount(shape) };
    }
    throw invalid('pipeline', `a port ${name}`, 'none');
  }

  /** A program that is no slot. */
  async #runPlain(program: Program, wanted: readonly string[]): Promise<void> {
    const { state } = this.#around;
    const replaced = new Set(program.outputs.map(({ name }) => name));
    const execution = await runProgram(
      this.#compiled.get(program)!,
      this.#around,
      {
        bind: (input) => this.#bindPlain(program, input, replaced),
        give: ({ name }, binding) => {
          if (name.startsWith('send:tied:')) this.#sendTied(name.slice('send:tied:'.length), binding as Handle);
          else if (name.startsWith('sum:') || name.startsWith('gathered:')) this.#share(name, holdAll(binding));
          else if (program.inputs.some((input) => isState(input) && stateKey(input) === name))
            state.keep(name, binding);
          if (wanted.includes(name)) this.#wanted.set(name, holdAll(binding));
        },
      },
      this.#current,
    );
    this.spans.push(...execution.spans);
  }

  #share(name: string, binding: Binding): void {
    this.#shared.set(name, binding instanceof Handle ? binding : [...binding]);
  }

  #bindPlain(program: Program, input: ProgramInput, replaced: ReadonlySet<string>): Binding {
    const { state } = this.#around;
    if (isState(input)) {
      return state.take(stateKey(input), replaced.has(stateKey(input)));
    }
    if (input.kind === 'port') return this.#ports.take(tiedKey(input.name.replace('tied:', ''), this.#task.index));
    if (input.kind === 'sum') {
      const key = `sum:${input.name}`;
      const held = this.#shared.get(key) as Binding;
      this.#shared.delete(key);
      return held;
    }
    return this.#feed(program, input);
  }

  #feed(program: Program, input: ProgramInput, microbatch?: number): Binding {
    const { name } = input as { readonly name: string };
    const feed = this.#feeds[name];
    if (feed === undefined) throw unsuitable(`feed ${name}`, 'a value', 'none');
    const key = `${name} ${microbatch ?? ''}`;
    const known = this.#fed.get(key);
    if (known !== undefined) return holdAll(known);
    const { type } = program.values[input.value]!;
    const isList = microbatch !== undefined && isBatch(input);
    if (isList && !Array.isArray(feed)) throw unsuitable(`feed ${name}`, 'one value a microbatch', 'one');
    const value = isList ? (feed as Exclude<typeof feed, number>)[microbatch]! : feed;
    const adopted = holdAll(this.#around.adopt(value as Parameters<Adopter>[0], type, `feed ${name}`));
    this.#fed.set(key, adopted);
    return holdAll(adopted);
  }

  async #runSlot(slot: ScheduledSlot, isLast: boolean): Promise<void> {
    const { index, chunks, placement } = this.#task;
    const { kind, chunk, microbatch } = slot;
    const { slots, last } = chunks[chunk]!;
    const program = (isLast ? last : slots)[kind];
    if (program === undefined) throw invalid('schedule', Object.keys(slots).join(' or '), kind);
    const place: SlotPlace = { stage: index, chunk, microbatch };
    const virtual = placement[index]![chunk]!;
    const execution = await runProgram(
      this.#compiled.get(program)!,
      this.#around,
      {
        bind: (input) => this.#bindSlot(program, input, slot, virtual),
        give: (output, binding) => this.#giveSlot(program, output, binding, slot, place),
      },
      this.#current,
    );
    this.spans.push(...execution.spans.map((span) => ({ ...span, slot: place })));
  }

  #first(chunk: number): number {
    return this.#task.stage.chunks[chunk]!.first;
  }

  #bindSlot(
    program: Program,
    input: ProgramInput,
    { kind, chunk, microbatch }: ScheduledSlot,
    virtual: number,
  ): Binding {
    const { stack } = program.values[input.value]!.type;
    const first = this.#first(chunk);
    const part = (binding: Binding): Binding =>
      stack === undefined ? binding : (binding as readonly Handle[]).slice(first, first + stack);
    switch (input.kind) {
      case 'port':
        return this.#ports.take(portKey(input.name, virtual, microbatch));
      case 'residual': {
        const key = `${chunk} ${microbatch} ${input.name}`;
        const found = this.#residuals.get(key);
        if (found === undefined)
          throw invalid(`${kind} of microbatch ${microbatch}`, `a residual ${input.name}`, 'none');
        if (this.#isReadLater(chunk, kind, input.name)) return holdAll(found);
        this.#residuals.delete(key);
        return found;
      }
      case 'sum': {
        const held = this.#shared.get(`sum:${input.name}`)!;
        // The slot is the only one to hold it, and frees an element when the next one is made.
        if (held instanceof Handle || stack === undefined) this.#shared.delete(`sum:${input.name}`);
        else {
          const taken = part(held as Handle[]);
          held.fill(undefined, first, first + stack);
          return taken;
        }
        return held as Binding;
      }
      case 'gathered':
        return holdAll(part(this.#shared.get(`gathered:${input.name}`) as Binding));
      case 'data':
        return this.#feed(program, input, microbatch);
      default:
        return this.#partOfState(stateKey(input), part);
    }
  }

  /** The chunk's part of a parameter, held for a program. */
  #partOfState(key: string, part: (binding: Binding) => Binding): Binding {
    const whole = this.#around.state.take(key, false);
    const own = holdAll(part(whole));
    releaseAll(whole);
    return own;
  }

  #isReadLater(chunk: number, kind: SlotKind, name: string): boolean {
    const { slots } = this.#task.chunks[chunk]!;
    return KINDS.slice(KINDS.indexOf(kind) + 1).some((later) =>
      slots[later]?.inputs.some((input) => input.kind === 'residual' && input.name === name),
    );
  }

  #giveSlot(
    program: Program,
    { name, value }: ProgramOutput,
    binding: Binding,
    slot: ScheduledSlot,
    place: SlotPlace,
  ): void {
    const { chunk, microbatch } = slot;
    if (name.startsWith('residual:')) {
      this.#residuals.set(`${chunk} ${microbatch} ${name.slice('residual:'.length)}`, holdAll(binding));
    } else if (name.startsWith('sum:')) {
      const held = this.#shared.get(name);
      const { stack } = program.values[value]!.type;
      if (stack === undefined || !Array.isArray(held)) this.#share(name, holdAll(binding));
      else held.splice(this.#first(chunk), stack, ...handlesOf(holdAll(binding)));
    } else {
      const sent = sentBy(this.#task, this.#task.index, slot);
      if (sent === undefined) throw invalid('pipeline', `a stage that gets ${name}`, 'none');
      const key = portKey(sent.name, sent.virtual, microbatch);
      if (sent.to === this.#task.index) this.#ports.deliver(key, binding as Handle);
      else this.#send(sent.to, key, name, binding as Handle, place);
    }
  }

  #sendTied(parameter: string, handle: Handle): void {
    const { other } = this.#task.tied.find(({ name }) => name === parameter)!;
    this.#send(other, tiedKey(parameter, other), `send:tied:${parameter}`, handle, undefined);
  }

  #send(stage: number, key: string, id: string, handle: Handle, slot: SlotPlace | undefined): void {
    const { rank, clock, startedAt } = this.#around;
    const now = (): Span['start'] => (clock() - startedAt) as Span['start'];
    const issued = now();
    let start = issued;
    const phase = slot === undefined ? 'reduce' : id === 'send:stream' ? 'forward' : 'backward';
    const base = { id, kind: 'collective', name: 'send', phase, rank, axis: PIPE, ...(slot ? { slot } : {}) } as const;
    this.#ports.send(
      this.#rankOf(stage),
      key,
      handle,
      () => (start = now()),
      (sentBytes) => this.spans.push({ ...base, issued, start, end: now(), sentBytes }),
    );
  }
}
