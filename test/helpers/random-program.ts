/**
 * Random programs that verify, for properties of executors and analyses: nested repeats with carried values, stacks and
 * ops issued ahead, manual regions, collectives of both kinds over two axes. They compute nothing of interest.
 */
import { createMesh } from '../../src/mesh/index.js';
import type { Op, Program, ProgramInput, Region, ValueId, ValueType } from '../../src/program/index.js';
import { Builder, unstacked, verify } from '../../src/program/index.js';

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const RANDOM_MESH = createMesh({ data: 4, model: 2 });
const AXES = ['data', 'model'] as const;
const COUNTS = [1, 2, 3, 5, 9, 14] as const;

class RandomProgram {
  readonly #builder = new Builder(RANDOM_MESH);
  readonly #random: () => number;
  readonly #inputs: ProgramInput[] = [];
  #names = 0;

  constructor(seed: number) {
    this.#random = generator(seed);
  }

  build(): Program {
    const scope = Array.from({ length: 3 }, () => this.#input());
    for (const count of [this.#pick(COUNTS), this.#pick(COUNTS)]) scope.push(this.#input(count), this.#input(count));
    const { ops } = this.#builder.block(() => this.#ops(scope, 2));
    this.#builder.append(ops);
    const outputs = this.#some(scope, 3).map((value, index) => ({ name: `gradient:${index}`, value }));
    return verify(this.#builder.finish(this.#inputs, outputs));
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }

  #some<T>(items: readonly T[], most: number): T[] {
    return items.length === 0 ? [] : Array.from({ length: this.#below(most + 1) }, () => this.#pick(items));
  }

  #at() {
    return { id: `op${this.#names++}`, phase: 'forward' as const };
  }

  #type(id: ValueId): ValueType {
    return this.#builder.type(id);
  }

  #tensors(scope: readonly ValueId[]): ValueId[] {
    return scope.filter((id) => this.#type(id).stack === undefined);
  }

  #like(scope: readonly ValueId[], type: ValueType): ValueId[] {
    return scope.filter((id) => {
      const { shape, stack } = this.#type(id);
      return stack === type.stack && shape.join() === type.shape.join();
    });
  }

  #input(stack?: number): ValueId {
    const shape = [this.#pick([64, 4096, 2 ** 16])];
    const type = { shape, dtype: 'f32' as const, states: {}, ...(stack === undefined ? {} : { stack }) };
    const value = this.#builder.value(type, this.#pick(['input', 'parameter']));
    this.#inputs.push({ kind: 'data', value, name: 'images' });
    return value;
  }

  /** Emits ops and adds what they make to the scope. */
  #ops(scope: ValueId[], depth: number): void {
    const length = 1 + this.#below(5);
    for (let index = 0; index < length; index++) {
      const kind = this.#random();
      if (depth > 0 && kind < 0.3) this.#repeat(scope, depth - 1);
      else if (depth > 0 && kind < 0.4) this.#manual(scope, depth - 1);
      else if (kind < 0.45) this.#join(scope);
      else if (kind < 0.7) this.#permute(scope);
      else this.#compute(scope);
    }
  }

  #compute(scope: ValueId[]): void {
    const first = this.#pick(this.#tensors(scope));
    const second = this.#pick(this.#like(scope, this.#type(first)));
    const made =
      this.#random() < 0.5
        ? this.#builder.emit('gelu', [first], {}, this.#at())
        : this.#builder.emit('add', [first, second], {}, this.#at());
    scope.push(made);
  }

  #permute(scope: ValueId[]): void {
    const operands = [this.#pick(this.#tensors(scope)), ...this.#some(this.#tensors(scope), 1)];
    const shifts = operands.map(() => this.#pick([1, -1]));
    const options = { ...this.#at(), asynchronous: this.#random() < 0.75 };
    scope.push(...this.#builder.emitAll('permute', operands, { axis: this.#pick(AXES), shifts }, options));
  }

  #join(scope: ValueId[]): void {
    const stacks = scope.filter((id) => this.#type(id).stack !== undefined);
    const [one] = stacks;
    if (one === undefined) return;
    const operands = [this.#pick(stacks)];
    const others = stacks.filter((id) => this.#type(id).shape.join() === this.#type(operands[0]!).shape.join());
    operands.push(this.#pick(others));
    const stack = operands.reduce((total, id) => total + this.#type(id).stack!, 0);
    const result = this.#builder.value({ ...unstacked(this.#type(operands[0]!)), stack }, 'activation');
    this.#builder.push({ name: 'join_stacks', ...this.#at(), operands, results: [result], attributes: {} });
    scope.push(result);
  }

  /** Takes the blocks of some tensors and puts them together again. */
  #manual(scope: ValueId[], depth: number): void {
    const axis = this.#pick(AXES);
    const operands = this.#some(this.#tensors(scope), 3);
    if (operands.length === 0) return;
    const args = operands.map((id) => this.#builder.value(this.#type(id), 'activation'));
    const place = { axis, dimension: 0, stride: 1 };
    const { ops, result } = this.#builder.block(() => {
      const inner = [...args];
      for (const arg of args) {
        const blocks = [0, 1].map((offset) => this.#builder.emit('take', [arg], { ...place, offset }, this.#at()));
        const [first, second] = blocks as [ValueId, ValueId];
        const begun = this.#builder.emit('put', [first], { ...place, offset: 0 }, this.#at());
        const whole = this.#builder.emit('put', [second, begun], { ...place, offset: 1 }, this.#at());
        inner.push(this.#random() < 0.5 ? whole : this.#builder.emit('gelu', [whole], {}, this.#at()));
      }
      this.#ops(inner, depth);
      return [this.#pick(this.#tensors(inner)), ...this.#some(this.#tensors(inner), 1)];
    });
    this.#structure('manual', operands, { axis }, { args, ops, results: result }, scope, (type) => type);
  }

  #repeat(scope: ValueId[], depth: number): void {
    const stacks = scope.filter((id) => this.#type(id).stack !== undefined);
    const count =
      stacks.length > 0 && this.#random() < 0.7 ? this.#type(this.#pick(stacks)).stack! : this.#pick(COUNTS);
    const long = this.#some(
      stacks.filter((id) => this.#type(id).stack! >= count),
      3,
    );
    const shortest = Math.min(...long.map((id) => this.#type(id).stack!).filter((stack) => stack > count));
    const first = shortest === Infinity ? 0 : this.#below(shortest - count + 1);
    const carried = this.#some(scope, 3);
    const argument = (id: ValueId, type: ValueType) => this.#builder.value(type, this.#builder.role(id));
    const current = carried.map((id) => argument(id, this.#type(id)));
    const elements = long.map((id) => argument(id, unstacked(this.#type(id))));
    const early = [...elements, ...this.#some(this.#tensors(scope), 1)];
    const by = 1 + this.#below(3);
    const ahead =
      early.length === 0 || this.#random() < 0.5
        ? undefined
        : this.#builder.block(() => {
            this.#permute(early);
            this.#ops(early, 0);
          });
    const { ops, result } = this.#builder.block(() => {
      const inner = [...current, ...elements, ...(ahead ? early : []), ...this.#some(scope, 2)];
      if (this.#tensors(inner).length === 0) inner.push(this.#pick(this.#tensors(scope)));
      this.#ops(inner, depth);
      const next = current.map((id) => this.#pick(this.#like(inner, this.#type(id))));
      // Mostly what the iteration made last.
      const late = this.#tensors(inner).slice(-3);
      return [...next, ...this.#some(late, 2), ...this.#some(this.#tensors(inner), 1)];
    });
    const reverse = this.#random() < 0.4;
    const region = {
      args: [...current, ...elements],
      ops,
      results: result,
      ...(ahead ? { ahead: { by, ops: ahead.ops } } : {}),
    };
    const attributes = { count, carried: carried.length, reverse, ...(first > 0 ? { first } : {}) };
    this.#structure('repeat', [...carried, ...long], attributes, region, scope, (type, index) =>
      index < carried.length ? type : { ...type, stack: count },
    );
  }

  #structure(
    name: 'repeat' | 'manual',
    operands: readonly ValueId[],
    attributes: Op['attributes'],
    region: Region,
    scope: ValueId[],
    typeOf: (type: ValueType, index: number) => ValueType,
  ): void {
    const results = region.results.map((id, index) => this.#builder.value(typeOf(this.#type(id), index), 'activation'));
    this.#builder.push({ name, ...this.#at(), operands, results, attributes, region });
    scope.push(...results);
  }
}

export const randomProgram = (seed: number): Program => new RandomProgram(seed).build();

/** The program with every op changed, those in regions too. */
export function mapOps(program: Program, change: (op: Op) => Op): Program {
  const visit = (op: Op): Op => {
    const { region } = op;
    if (region === undefined) return change(op);
    const { ahead, ops } = region;
    const inner = {
      ...region,
      ops: ops.map(visit),
      ...(ahead ? { ahead: { ...ahead, ops: ahead.ops.map(visit) } } : {}),
    };
    return change({ ...op, region: inner });
  };
  return { ...program, ops: program.ops.map(visit) };
}
