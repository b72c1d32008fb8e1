/**
 * How much memory a chip needs: an abstract run of the program that keeps count of buffers instead of filling them.
 * Values are freed after their last use; parameters and optimizer state are updated in place; the elements of a stack
 * are freed one by one as a repeat consumes them. What an asynchronous collective reads stays until it is known to be
 * done: a result of it is read, it is issued again and is not queued, or the repeat around it ends.
 */
import type { Bytes } from '../units.js';
import { bytes } from '../units.js';
import { attributesOf } from './builder.js';
import type { Binding, Buffer, MemorySample, Pending } from './memory/account.js';
import { Account, ROLES } from './memory/account.js';
import type { Block, RepeatBlock, Step } from './memory/blocks.js';
import { compileBlocks } from './memory/blocks.js';
import type { State } from './memory/settled.js';
import { goesOnAlike, leap, sameState, stateOf } from './memory/settled.js';
import { isCompute, isTransfer } from './ops/index.js';
import type { Op, Program, Role, ValueId } from './types.js';
import { chipBytes, typeBytes, unstacked } from './types.js';

export type { MemorySample } from './memory/account.js';
export { ROLES } from './memory/account.js';

export interface MemoryUse {
  readonly peakBytes: Bytes;
  /** At the peak; adds up to it. */
  readonly byRole: Readonly<Record<Role, Bytes>>;
  /** The op at which the peak is reached. */
  readonly peakOpId: string;
}

/** Results that take over an operand's memory: [result, operand] by position. */
export const IN_PLACE: Partial<Record<Op['name'], readonly (readonly [number, number])[]>> = {
  adamw: [
    [0, 0],
    [1, 2],
    [2, 3],
  ],
  sgd: [
    [0, 0],
    [1, 2],
  ],
  put: [[0, 1]],
};

/** The operand whose memory a result takes over. */
function overwritten(op: Op, result: number): ValueId | undefined {
  if (op.name === 'from_host' && attributesOf(op, 'from_host').into) return op.operands[op.results.length + result];
  const operand = IN_PLACE[op.name]?.find(([index]) => index === result)?.[1];
  return operand === undefined ? undefined : op.operands[operand];
}

/** What is known of how a program is run; without it every value has memory of its own. */
export interface MemoryOptions {
  /** Values inside a kernel that never reach memory. */
  readonly unwritten?: (kernel: Op) => ReadonlySet<ValueId>;
  /** Ops whose results are other views of their operand's memory. */
  readonly views?: ReadonlySet<string>;
  /** Bytes that are kept beside a value, as long as it. */
  readonly beside?: ReadonlyMap<ValueId, number>;
  /** Counts nothing but what has this role; all roles unless given. */
  readonly only?: Role;
  /** Walks repeats to their end also where iterations settle; the answer is the same. */
  readonly everyIteration?: boolean;
}

const NONE: ReadonlySet<ValueId> = new Set();

class Walk {
  readonly account: Account;
  readonly #program: Program;
  readonly #options: MemoryOptions;
  /** By kernel. */
  readonly #unwritten = new Map<Op, ReadonlySet<ValueId>>();
  readonly #env: (Binding | undefined)[] = [];
  /** Collectives that may be under way, of the innermost repeat. */
  #pending: Pending[] = [];
  /** Of the kernel that runs; nothing outside of one. */
  #hidden: ReadonlySet<ValueId> | undefined;

  constructor(program: Program, options: MemoryOptions, sampling = false) {
    this.account = new Account(sampling, options.only);
    this.#program = program;
    this.#options = options;
  }

  #unwrittenIn(kernel: Op): ReadonlySet<ValueId> {
    let found = this.#unwritten.get(kernel);
    if (found === undefined) this.#unwritten.set(kernel, (found = this.#options.unwritten?.(kernel) ?? NONE));
    return found;
  }

  run(): void {
    this.account.begin('start');
    for (const { value } of this.#program.inputs) {
      const { type, role } = this.#program.values[value]!;
      const one = () => this.account.allocate(chipBytes(unstacked(type)), role);
      this.#bind(value, type.stack === undefined ? one() : Array.from({ length: type.stack }, one));
    }
    this.account.mark('start');
    this.#block(compileBlocks(this.#program));
  }

  #bind(id: ValueId, binding: Binding): void {
    this.account.hold(binding);
    this.#env[id] = binding;
  }

  #drop(id: ValueId): void {
    const binding = this.#env[id];
    // What ended inside an op is gone already.
    if (binding === undefined) return;
    this.#env[id] = undefined;
    this.account.release(binding);
  }

  #take(ids: readonly ValueId[]): Binding[] {
    const bindings = ids.map((id) => this.#env[id]!);
    bindings.forEach((binding) => this.account.hold(binding));
    return bindings;
  }

  /** Binds what `#take` took. */
  #give(ids: readonly ValueId[], bindings: readonly Binding[]): void {
    ids.forEach((id, index) => this.#bind(id, bindings[index]!));
    bindings.forEach((binding) => this.account.release(binding));
  }

  #block({ steps }: Block, early = false): void {
    // What makes nothing that is written is part of what comes next, which reads what it reads.
    let dropped: ValueId[] = [];
    for (const step of steps) {
      this.#step(step, early);
      dropped.push(...step.drops);
      const { results } = step.op;
      if (this.#hidden !== undefined && results.length > 0 && results.every((id) => this.#hidden!.has(id))) continue;
      for (const id of dropped) this.#drop(id);
      dropped = [];
    }
    for (const id of dropped) this.#drop(id);
  }

  #step(step: Step, early: boolean): void {
    const { op, inner, repeat } = step;
    if (repeat) this.#repeat(step, repeat, early);
    else if (op.name === 'manual') this.#manual(step, early);
    else if (op.name === 'kernel') {
      this.account.begin(op.id);
      this.#read(op);
      this.#hidden = this.#unwrittenIn(op);
      this.#block(inner!);
      this.#hidden = undefined;
    } else if (op.name === 'join_stacks') {
      this.#bind(
        op.results[0]!,
        op.operands.flatMap((id) => this.#env[id]!),
      );
    } else if (op.name === 'element') {
      const stack = this.#env[op.operands[0]!] as Buffer[];
      this.#bind(op.results[0]!, stack[attributesOf(op, 'element').index]!);
    } else {
      if (this.#hidden === undefined && (isCompute(op.name) || isTransfer(op.name))) this.account.begin(op.id);
      if (op.asynchronous === true) this.#start(op, early || op.queued === true);
      else {
        this.#read(op);
        this.#allocate(op);
      }
    }
  }

  #read({ operands }: Op): void {
    for (const id of operands) {
      const binding = this.#env[id]!;
      for (const buffer of Array.isArray(binding) ? binding : [binding]) this.account.settle(buffer.pending);
    }
  }

  #allocate(op: Op): void {
    op.results.forEach((id, index) => {
      const isView = this.#options.views?.has(op.name) === true;
      const over = isView ? op.operands[0] : overwritten(op, index);
      const { type, role } = this.#program.values[id]!;
      const size = this.#hidden?.has(id) === true ? 0 : chipBytes(type) + (this.#options.beside?.get(id) ?? 0);
      this.#bind(id, over === undefined ? this.account.allocate(size, role) : this.#env[over]!);
    });
    this.account.mark(op.id);
  }

  #start(op: Op, early: boolean): void {
    if (!early) this.account.settle(this.#pending.find((one) => one.op === op && !one.settled));
    const operands = op.operands.map((id) => this.#env[id] as Buffer);
    const after = operands.flatMap(({ pending }) => (pending === undefined || pending.settled ? [] : [pending]));
    operands.forEach((buffer) => this.account.hold(buffer));
    this.#allocate(op);
    const pending: Pending = { op, operands, after, settled: false };
    op.results.forEach((id) => ((this.#env[id] as Buffer).pending = pending));
    this.#pending.push(pending);
  }

  #manual({ op, inner, ending }: Step, early: boolean): void {
    const { args, results } = op.region!;
    op.operands.forEach((id, index) => this.#bind(args[index]!, this.#env[id]!));
    ending!.forEach((id) => this.#drop(id));
    this.#block(inner!, early);
    const taken = this.#take(results);
    inner!.rest.forEach((id) => this.#drop(id));
    this.#give(op.results, taken);
  }

  #repeat({ op, inner, ending }: Step, plan: RepeatBlock, early: boolean): void {
    const { account } = this;
    const { args, results } = op.region!;
    const { count, carried, reverse, firsts, consumed, readAhead, ahead } = plan;
    const outer = this.#pending;
    this.#pending = [];
    let current = this.#take(op.operands.slice(0, carried));
    ending!.forEach((id) => this.#drop(id));
    // By position, the order in which they are taken.
    const sources = op.operands.slice(carried).map((id, index) => {
      const stack = this.#env[id] as Buffer[];
      const taken = stack.slice(firsts[index], firsts[index]! + count);
      if (consumed[index])
        account.release(stack.filter((_, at) => at < firsts[index]! || at >= firsts[index]! + count));
      return reverse ? taken.reverse() : taken;
    });
    // A stack that ends here holds its elements no more than the repeat does, which gives them up one by one.
    op.operands.slice(carried).forEach((id, index) => consumed[index] && (this.#env[id] = undefined));
    const stacks: Buffer[][] = op.results.slice(carried).map(() => []);
    const prefetched: Binding[][] = [];

    // Whether the iteration takes an element that something else holds too, which is not freed as others are.
    let shared = false;
    const bindElements = (position: number, isAhead: boolean): void => {
      sources.forEach((source, index) => {
        if (readAhead[index] && !isAhead) return;
        const element = source[position]!;
        this.#bind(args[carried + index]!, element);
        if (!consumed[index] || readAhead[index] !== isAhead) return;
        account.release(element);
        shared ||= element.holders > 1;
      });
    };
    const issueAhead = (position: number): void => {
      bindElements(position, true);
      this.#block(ahead!.block, true);
      prefetched.push(this.#take(ahead!.results));
      ahead!.block.rest.forEach((id) => this.#drop(id));
    };

    const firstSerial = account.allocations;
    const takenEarly = readAhead.map((isAhead) => (isAhead ? ahead!.by : 0));
    let before: State | undefined;
    for (let position = 0; position < count; position++) {
      if (ahead) {
        for (let next = position === 0 ? 0 : position + ahead.by; next <= position + ahead.by && next < count; next++)
          issueAhead(next);
        this.#give(ahead.results, prefetched.shift()!);
      }
      bindElements(position, false);
      this.#give(args.slice(0, carried), current);
      this.#block(inner!, early);
      const taken = this.#take(results);
      inner!.rest.forEach((id) => this.#drop(id));
      current = taken.slice(0, carried);
      stacks.forEach((stack, index) => (stack[position] = taken[carried + index] as Buffer));
      this.#pending = this.#pending.filter(({ settled }) => !settled);

      // The last iterations issue nothing ahead, and the one before them may be the highest.
      const last = count - 2 - (ahead?.by ?? 0);
      if (this.#options.everyIteration === true || position >= last) continue;
      const after = stateOf(account, [...current, ...prefetched.flat()], this.#pending);
      if (before && !shared && sameState(before, after)) {
        const progress = { firstSerial, sources, consumed, early: takenEarly, stacks, position, before, after };
        if (goesOnAlike(progress)) {
          leap(account, progress, last);
          position = last;
        }
      }
      shared = false;
      before = after;
    }
    this.#pending.forEach((pending) => account.settle(pending));
    this.#pending = outer;
    this.#give(op.results, [...current, ...stacks.map((stack) => (reverse ? stack.reverse() : stack))]);
    account.mark(op.id);
  }
}

/** What a program keeps in the memory of the chip's host, which nothing but its state is in. */
export const hostBytes = ({ inputs, values }: Program): Bytes =>
  bytes(
    inputs.reduce((total, { value }) => total + typeBytes(values[value]!.type) - chipBytes(values[value]!.type), 0),
  );

/** The peak of memory over one run of a training step. */
export function memoryUse(program: Program, options: MemoryOptions = {}): MemoryUse {
  const walk = new Walk(program, options);
  walk.run();
  const { peak, peakByRole, peakOpId } = walk.account;
  const byRole = Object.fromEntries(ROLES.map((role, index) => [role, bytes(peakByRole[index]!)]));
  return { peakBytes: bytes(peak), byRole: byRole as Record<Role, Bytes>, peakOpId };
}

/**
 * What is live while each kernel and collective of a step runs, in the order of issue; before them what the step begins
 * with. All iterations are walked.
 */
export function memorySamples(program: Program, options: MemoryOptions = {}): readonly MemorySample[] {
  const walk = new Walk(program, { ...options, everyIteration: true }, true);
  walk.run();
  return walk.account.samples!;
}
