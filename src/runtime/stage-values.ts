/**
 * What a rank of a pipeline's stage holds within a step: sums and gathered parameters, of which each slot has its chunk's
 * part; residuals of microbatches under way; the batch.
 */
import type { Program, ValueType } from '../program/index.js';
import { invalid } from '../program/index.js';
import type { Slot, SlotKind } from '../program/schedules/index.js';
import type { Adopter, Feed, Feeds } from './adopt.js';
import { unsuitable } from './adopt.js';
import type { Binding } from './handle.js';
import { Handle, handlesOf, holdAll, releaseAll } from './handle.js';
import type { StageTask } from './stage-task.js';

/** In the order in which a microbatch's slots run. */
const KINDS: readonly SlotKind[] = ['forward', 'backward', 'backward-input', 'backward-weight'];

export class StageValues {
  readonly #task: StageTask;
  readonly #feeds: Feeds;
  readonly #adopt: Adopter;
  /** `sum:NAME` and `gathered:NAME`; of a stack, elements that a slot works on are missing. */
  readonly #shared = new Map<string, Handle | (Handle | undefined)[]>();
  readonly #residuals = new Map<string, Binding>();
  /** What of the feeds was taken in; several slots may read it. */
  readonly #fed = new Map<string, Binding>();

  constructor(task: StageTask, feeds: Feeds, adopt: Adopter) {
    this.#task = task;
    this.#feeds = feeds;
    this.#adopt = adopt;
  }

  /** The chunk's part of a stage's value. */
  partOf(binding: Binding, { stack }: ValueType, chunk: number): Binding {
    const first = this.#firstOf(chunk);
    return stack === undefined ? binding : (binding as readonly Handle[]).slice(first, first + stack);
  }

  #firstOf(chunk: number): number {
    return this.#task.stage.chunks[chunk]!.first;
  }

  /** Takes over the hold on a value of the whole stage. */
  keep(name: string, binding: Binding): void {
    this.#shared.set(name, binding instanceof Handle ? binding : [...binding]);
  }

  /** Gives up a value of the whole stage. */
  take(name: string): Binding {
    const held = this.#shared.get(name);
    if (held === undefined) throw invalid(`stage ${this.#task.index}`, name, 'none');
    this.#shared.delete(name);
    return held as Binding;
  }

  /** Gives up a chunk's part of a sum: the slot is the only one to hold it. */
  takeSum(name: string, type: ValueType, chunk: number): Binding {
    if (type.stack === undefined) return this.take(name);
    const list = this.#shared.get(name) as (Handle | undefined)[];
    const first = this.#firstOf(chunk);
    return list.splice(first, type.stack, ...Array.from({ length: type.stack }, () => undefined)) as Handle[];
  }

  /** Takes over the hold on what replaces it. */
  giveSum(name: string, { stack }: ValueType, chunk: number, binding: Binding): void {
    const list = this.#shared.get(name);
    if (stack === undefined || !Array.isArray(list)) this.keep(name, binding);
    else list.splice(this.#firstOf(chunk), stack, ...handlesOf(binding));
  }

  /** The chunk's part of a gathered parameter, held for a slot. */
  gathered(name: string, type: ValueType, chunk: number): Binding {
    return holdAll(this.partOf(this.#shared.get(name) as Binding, type, chunk));
  }

  giveResidual(name: string, { chunk, microbatch }: Slot, binding: Binding): void {
    this.#residuals.set(`${chunk} ${microbatch} ${name}`, binding);
  }

  /** A residual for a slot, which the last one to read it has alone. */
  takeResidual(name: string, { kind, chunk, microbatch }: Slot): Binding {
    const key = `${chunk} ${microbatch} ${name}`;
    const found = this.#residuals.get(key);
    if (found === undefined) throw invalid(`${kind} of microbatch ${microbatch}`, `a residual ${name}`, 'none');
    const { slots } = this.#task.chunks[chunk]!;
    const isRead = ({ inputs }: Program): boolean =>
      inputs.some((input) => input.kind === 'residual' && input.name === name);
    const later = KINDS.slice(KINDS.indexOf(kind) + 1).flatMap((one) => slots[one] ?? []);
    if (later.some(isRead)) return holdAll(found);
    this.#residuals.delete(key);
    return found;
  }

  /** A data input, held for a program. @param microbatch of a batch that is fed as a list of them */
  feed(name: string, type: ValueType, microbatch?: number): Binding {
    const key = microbatch === undefined ? name : `${name} of microbatch ${microbatch}`;
    const known = this.#fed.get(key);
    if (known !== undefined) return holdAll(known);
    const feed = this.#feeds[name];
    if (feed === undefined) throw unsuitable(`feed ${name}`, 'a value', 'none');
    if (microbatch !== undefined && !Array.isArray(feed)) throw unsuitable(`feed ${name}`, 'a list', 'one value');
    const one = microbatch === undefined ? feed : ((feed as readonly Feed[])[microbatch] ?? []);
    const adopted = holdAll(this.#adopt(one, type, `feed ${key}`));
    this.#fed.set(key, adopted);
    return holdAll(adopted);
  }

  /** Lets go of what is left when the step has ended. */
  end(): void {
    for (const held of [...this.#fed.values(), ...(this.#shared.values() as Iterable<Binding>)]) releaseAll(held);
  }
}
