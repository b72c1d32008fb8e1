/**
 * How much memory a chip needs: an abstract run of the program that keeps count of buffers instead of filling them.
 * Values are freed after their last use; parameters and optimizer state are updated in place; the elements of a stack
 * are freed one by one as a repeat consumes them.
 */
import type { Bytes } from '../units.js';
import { bytes } from '../units.js';
import { attributesOf } from './builder.js';
import { reads } from './passes/fuse.js';
import type { Op, Program, Region, Role, ValueId, ValueType } from './types.js';
import { typeBytes, unstacked } from './types.js';

export interface MemoryUse {
  readonly peakBytes: Bytes;
  /** At the peak; adds up to it. */
  readonly byRole: Readonly<Record<Role, Bytes>>;
  /** The op at which the peak is reached. */
  readonly peakOpId: string;
}

interface Buffer {
  readonly size: number;
  readonly role: Role;
  holders: number;
}

type Binding = Buffer | Buffer[];

const ROLES: readonly Role[] = ['parameter', 'gradient', 'optimizer', 'activation', 'input'];

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
};

class Account {
  readonly live: Record<Role, number> = { parameter: 0, gradient: 0, optimizer: 0, activation: 0, input: 0 };
  total = 0;
  peak = 0;
  peakByRole: Record<Role, number> = { ...this.live };
  peakOpId = 'start';

  allocate(type: ValueType, role: Role): Buffer {
    const size = typeBytes(type);
    this.live[role] += size;
    this.total += size;
    return { size, role, holders: 0 };
  }

  hold(binding: Binding): void {
    if (Array.isArray(binding)) binding.forEach((buffer) => this.hold(buffer));
    else binding.holders++;
  }

  release(binding: Binding): void {
    if (Array.isArray(binding)) {
      binding.forEach((buffer) => this.release(buffer));
      return;
    }
    binding.holders--;
    if (binding.holders > 0) return;
    this.live[binding.role] -= binding.size;
    this.total -= binding.size;
  }

  mark(opId: string): void {
    if (this.total <= this.peak) return;
    this.peak = this.total;
    this.peakByRole = { ...this.live };
    this.peakOpId = opId;
  }
}

/** For each op of a block, the values whose last use in the block it is. */
function lastUses(ops: readonly Op[], live: readonly ValueId[]): ValueId[][] {
  const seen = new Set(live);
  return ops
    .toReversed()
    .map((op) => {
      const last = [...new Set([...reads(op), ...op.results])].filter((id) => !seen.has(id));
      last.forEach((id) => seen.add(id));
      return last;
    })
    .reverse();
}

/** The peak of memory over one run of a training step. */
export function memoryUse(program: Program): MemoryUse {
  const account = new Account();
  const env = new Map<ValueId, Binding>();
  const type = (id: ValueId) => program.values[id]!.type;
  const role = (id: ValueId) => program.values[id]!.role;
  const schedules = new Map<Region | Program, ValueId[][]>();

  const bind = (id: ValueId, binding: Binding): void => {
    account.hold(binding);
    env.set(id, binding);
  };
  const drop = (id: ValueId): void => {
    const binding = env.get(id);
    // A value of an outer block stays bound there until that block's own last use of it.
    if (binding === undefined) return;
    env.delete(id);
    account.release(binding);
  };

  const runBlock = (
    owner: Region | Program,
    ops: readonly Op[],
    live: readonly ValueId[],
    owned: ReadonlySet<ValueId>,
  ): void => {
    let schedule = schedules.get(owner);
    if (schedule === undefined) schedules.set(owner, (schedule = lastUses(ops, live)));
    ops.forEach((op, index) => {
      const last = schedule[index]!;
      run(op, new Set(last.filter((id) => owned.has(id))));
      last.forEach((id) => owned.has(id) && drop(id));
    });
  };

  /** @param dying operands that nothing after the op uses */
  const run = (op: Op, dying: ReadonlySet<ValueId>): void => {
    if (op.name === 'repeat') {
      runRepeat(op, dying);
      return;
    }
    if (op.name === 'kernel') {
      const inner = op.region!;
      const made = new Set(inner.ops.flatMap((member) => member.results));
      runBlock(inner, inner.ops, op.results, new Set([...made, ...dying]));
      return;
    }
    const inPlace = new Map(IN_PLACE[op.name] ?? []);
    op.results.forEach((id, index) => {
      const operand = inPlace.get(index);
      bind(id, operand === undefined ? account.allocate(type(id), role(id)) : env.get(op.operands[operand]!)!);
    });
    account.mark(op.id);
  };

  const runRepeat = (op: Op, dying: ReadonlySet<ValueId>): void => {
    const region = op.region!;
    const { count, carried, reverse } = attributesOf(op, 'repeat');
    const stackOperands = op.operands.slice(carried);
    const stacks: Buffer[][] = op.results.slice(carried).map(() => []);
    let current = op.operands.slice(0, carried).map((id) => env.get(id)!);
    current.forEach((binding) => account.hold(binding));
    const sources = stackOperands.map((id) => env.get(id) as Buffer[]);
    // What the region also reads from around it lives until its last iteration.
    const captured = new Set(region.ops.flatMap(reads));
    const ends = (id: ValueId): boolean => dying.has(id) && !captured.has(id);
    // A stack that dies here gives up its elements one by one: each iteration holds its own, the stack holds none.
    const consumed = stackOperands.map((id, index) => ends(id) && stackOperands.indexOf(id) === index);
    op.operands.forEach((id, index) => {
      const isStack = index >= carried;
      if (!ends(id) || !env.has(id)) return;
      if (!isStack) drop(id);
      else if (consumed[index - carried]) env.delete(id);
    });
    const owned = new Set([...region.args, ...region.ops.flatMap((inner) => inner.results)]);
    // Without stacks of its own nothing accumulates: every iteration after the second is like it.
    const walked = stacks.length === 0 ? Math.min(count, 2) : count;
    for (let step = 0; step < walked; step++) {
      const element = reverse ? count - 1 - step : step;
      region.args.forEach((arg, index) => {
        const binding = index < carried ? current[index]! : sources[index - carried]![element]!;
        bind(arg, binding);
        if (index < carried || consumed[index - carried]) account.release(binding);
      });
      runBlock(region, region.ops, region.results, owned);
      const results = region.results.map((id) => env.get(id)!);
      results.forEach((binding) => account.hold(binding));
      // Arguments that no op read are still bound.
      owned.forEach(drop);
      current = results.slice(0, carried);
      results.slice(carried).forEach((binding, index) => (stacks[index]![element] = binding as Buffer));
    }
    if (walked < count) {
      sources.forEach((source, index) => {
        if (!consumed[index]) return;
        for (let element = walked; element < count; element++) account.release(source[element]!);
      });
    }
    op.results.forEach((id, index) => {
      const binding = index < carried ? current[index]! : stacks[index - carried]!;
      bind(id, binding);
      account.release(binding);
    });
    account.mark(op.id);
  };

  const allocateInput = (id: ValueId): Binding => {
    const inputType = type(id);
    const one = () => account.allocate(unstacked(inputType), role(id));
    return inputType.stack === undefined ? one() : Array.from({ length: inputType.stack }, one);
  };
  for (const { value } of program.inputs) bind(value, allocateInput(value));
  account.mark('start');
  const owned = new Set([...program.inputs.map(({ value }) => value), ...program.ops.flatMap((op) => op.results)]);
  runBlock(
    program,
    program.ops,
    program.outputs.map(({ value }) => value),
    owned,
  );

  const byRole = Object.fromEntries(ROLES.map((name) => [name, bytes(account.peakByRole[name])])) as Record<
    Role,
    Bytes
  >;
  return { peakBytes: bytes(account.peak), byRole, peakOpId: account.peakOpId };
}
