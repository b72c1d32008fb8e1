import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import type { Op, Program, ProgramInput, Region, Role, ValueId, ValueType } from '../../src/program/index.js';
import { Builder, fuse, memoryUse, typeBytes, verify } from '../../src/program/index.js';
import { randomProgram } from '../helpers/random-program.js';

const SIZE = 1000;
const type: ValueType = { shape: [SIZE / 4], dtype: 'f32', states: {} };
const at = (id: string) => ({ id, phase: 'forward' as const });

class Small {
  readonly builder = new Builder(createMesh({ model: 2 }));
  readonly inputs: ProgramInput[] = [];

  input(stack?: number, role: Role = 'input'): ValueId {
    const value = this.builder.value({ ...type, ...(stack === undefined ? {} : { stack }) }, role);
    this.inputs.push({ kind: 'data', value, name: 'images' });
    return value;
  }

  gelu(value: ValueId, id: string): ValueId {
    return this.builder.emit('gelu', [value], {}, at(id));
  }

  hop(value: ValueId, id = 'hop', asynchronous = true): ValueId {
    return this.builder.emit('permute', [value], { axis: 'model', shifts: [1] }, { ...at(id), asynchronous });
  }

  structure(
    name: 'repeat' | 'manual' | 'join_stacks',
    operands: readonly ValueId[],
    attributes: Op['attributes'],
    results: readonly (number | undefined)[],
    region?: Region,
  ): ValueId[] {
    const values = results.map((stack) =>
      this.builder.value({ ...type, ...(stack === undefined ? {} : { stack }) }, 'activation'),
    );
    this.builder.push({ name, ...at(name), operands, attributes, results: values, ...(region ? { region } : {}) });
    return values;
  }

  /** In units of one tensor. */
  peak(build: () => readonly ValueId[]): number {
    const { ops, result } = this.builder.block(build);
    this.builder.append(ops);
    const outputs = result.map((value, index) => ({ name: `gradient:${index}`, value }));
    const program = verify(this.builder.finish(this.inputs, outputs));
    expect(memoryUse(program, { everyIteration: true })).toEqual(memoryUse(program));
    return memoryUse(program).peakBytes / SIZE;
  }
}

const total = (values: object): number => Object.values(values).reduce((sum: number, value: number) => sum + value, 0);

describe('what an asynchronous collective reads', () => {
  /** x → moved, then two ops of which the second or third is the first to read `moved`. */
  const peak = (asynchronous: boolean, readsFirst: boolean): number => {
    const small = new Small();
    const x = small.input();
    return small.peak(() => {
      const own = small.gelu(x, 'own');
      const moved = small.hop(x, 'hop', asynchronous);
      const first = small.gelu(readsFirst ? moved : own, 'first');
      const second = small.gelu(readsFirst ? own : moved, 'second');
      return [first, second];
    });
  };

  it('stays until a result is read, and no longer', () => {
    // x, own, moved, and what comes after it: x is gone where the collective was waited for, or its result read.
    expect(peak(false, true)).toBe(3);
    expect(peak(true, true)).toBe(3);
    expect(peak(false, false)).toBe(3);
    expect(peak(true, false)).toBe(4);
  });

  it('stays until the collective is issued again, then until the end of the repeat', () => {
    const held = (count: number): number => {
      const small = new Small();
      const x = small.input(count);
      return small.peak(() => {
        const { stacked } = small.builder.repeat(
          { ...at('repeat'), count, carried: [], stacked: [x] },
          ({ stacked: [element] }) => {
            small.hop(small.gelu(element!, 'made'));
            return { carried: [], stacked: [] };
          },
        );
        return stacked;
      });
    };
    // The inputs are freed as they are consumed: at the first hop all but one are there, and what was made of it and
    // moved; at the second one less, but what was made first.
    expect(held(1)).toBe(2);
    expect(held(2)).toBe(3);
    expect(held(9)).toBe(10);
  });

  it('is held through a carried result, which the next iteration reads', () => {
    const small = new Small();
    const x = small.input();
    const peak = small.peak(
      () =>
        small.builder.repeat({ ...at('ring'), count: 8, carried: [x], stacked: [] }, ({ carried: [shard] }) => {
          const next = small.hop(shard!);
          small.gelu(shard!, 'use');
          return { carried: [next], stacked: [] };
        }).carried,
    );
    // The shard that travels, where it goes to, and what is made of it.
    expect(peak).toBe(3);
  });
});

describe('ops issued ahead', () => {
  const peak = (count: number, by: number): number => {
    const small = new Small();
    const { builder } = small;
    const [x, shards] = [small.input(), small.input(count, 'parameter')];
    const [y, shard] = [builder.value(type, 'activation'), builder.value(type, 'parameter')];
    return small.peak(() => {
      const gather = builder.block(() => small.hop(shard, 'gather'));
      const use = builder.block(() => builder.emit('add', [y, gather.result], {}, at('use')));
      const [out] = small.structure('repeat', [x, shards], { count, carried: 1, reverse: false }, [undefined], {
        args: [y, shard],
        ops: use.ops,
        results: [use.result],
        ahead: { by, ops: gather.ops },
      });
      return [out!, shards];
    });
  };

  it.each([1, 2, 3])('by %i have as many more results live at once', (by) => {
    // The parameters, one gathered for this layer and `by` for those after it, and the layer's input and output.
    expect(peak(12, by)).toBe(12 + (1 + by) + 2);
    expect(peak(2, by)).toBe(2 + 2 + 2 - (by > 0 ? 0 : 1));
  });

  it('elements that nothing else reads are freed once their collective is done', () => {
    const small = new Small();
    const { builder } = small;
    const [x, shards] = [small.input(), small.input(12)];
    const [y, shard] = [builder.value(type, 'activation'), builder.value(type, 'input')];
    const peak = small.peak(() => {
      const gather = builder.block(() => small.hop(shard, 'gather'));
      const use = builder.block(() => builder.emit('add', [y, gather.result], {}, at('use')));
      return small.structure('repeat', [x, shards], { count: 12, carried: 1, reverse: false }, [undefined], {
        args: [y, shard],
        ops: use.ops,
        results: [use.result],
        ahead: { by: 1, ops: gather.ops },
      });
    });
    // x and all shards, two gathered: that of the first layer is read, its shard freed, before its output is made.
    expect(peak).toBe(1 + 12 + 2);
  });
});

describe('regions that copy nothing', () => {
  const manual = (inner: (small: Small, x: ValueId) => ValueId): number => {
    const small = new Small();
    const x = small.input();
    return small.peak(() => {
      const arg = small.builder.value(type, 'activation');
      const { ops, result } = small.builder.block(() => inner(small, arg));
      return small.structure('manual', [x], { axis: 'model' }, [undefined], { args: [arg], ops, results: [result] });
    });
  };
  const place = { axis: 'model', dimension: 0, stride: 1 } as const;

  it('a manual region takes and gives values as they are', () => {
    expect(manual((_, x) => x)).toBe(1);
    expect(manual((small, x) => small.gelu(x, 'only'))).toBe(2);
  });

  it('take has a buffer for its block, put one for the whole when it begins and none after', () => {
    expect(
      manual((small, x) => {
        const { builder } = small;
        const take = (offset: number) => builder.emit('take', [x], { ...place, offset }, at('take'));
        const begun = builder.emit('put', [take(0)], { ...place, offset: 0 }, at('put'));
        return builder.emit('put', [take(1), begun], { ...place, offset: 1 }, at('put'));
      }),
      // At the second take: x, the whole that was begun, and a block.
    ).toBe(2.5);
  });

  it('joined stacks are the stacks, and a repeat may take its elements from the middle of one', () => {
    const small = new Small();
    const stacks = [small.input(4), small.input(6)];
    const peak = small.peak(() => {
      const [joined] = small.structure('join_stacks', stacks, {}, [10]);
      const element = small.builder.value(type, 'input');
      const { ops, result } = small.builder.block(() => small.gelu(element, 'each'));
      const attributes = { count: 5, carried: 0, reverse: false, first: 3 };
      return small.structure('repeat', [joined!], attributes, [5], { args: [element], ops, results: [result] });
    });
    // The five elements that the repeat does not take are freed before it begins.
    expect(peak).toBe(10);
  });

  it('elements before and after those taken end with the stack', () => {
    const small = new Small();
    const stack = small.input(10);
    const peak = small.peak(() => {
      const element = small.builder.value(type, 'input');
      const { ops, result } = small.builder.block(() => {
        const shifts = [1, 1, 1, 1, 1, 1];
        return small.builder.emitAll(
          'permute',
          shifts.map(() => element),
          { axis: 'model', shifts },
          at('six'),
        );
      });
      const attributes = { count: 1, carried: 0, reverse: false, first: 3 };
      return small.structure(
        'repeat',
        [stack],
        attributes,
        result.map(() => 1),
        { args: [element], ops, results: result },
      );
    });
    // One element and its six copies, where all ten would be sixteen.
    expect(peak).toBe(10);
  });
});

describe('what never reaches memory', () => {
  /** x → a → b → c in one kernel. */
  const chain = (unwritten: readonly number[]): number => {
    const small = new Small();
    const x = small.input();
    const a = small.gelu(x, 'a');
    const b = small.gelu(a, 'b');
    const c = small.gelu(b, 'c');
    const program = fuse(verify(small.builder.finish(small.inputs, [{ name: 'y', value: c }])));
    const hidden = new Set(unwritten.map((index) => [a, b][index]!));
    return memoryUse(program, { unwritten: () => hidden }).peakBytes / SIZE;
  };

  it('takes none, and keeps what it is made of until what is made of it is there', () => {
    expect(chain([])).toBe(2);
    // x, a and then c: b is a part of c.
    expect(chain([1])).toBe(2);
    expect(chain([0, 1])).toBe(2);
  });

  it('a view takes what its operand takes, which stays as long as the view does', () => {
    const small = new Small();
    const x = small.input();
    const a = small.gelu(x, 'a');
    const [left, right] = small.builder.emitAll('split', [a], { sizes: [SIZE / 8, SIZE / 8] }, at('split'));
    const y = small.gelu(left!, 'y');
    const program = verify(
      small.builder.finish(small.inputs, [
        { name: 'y', value: y },
        { name: 'z', value: right! },
      ]),
    );
    // a, both halves; the halves and y.
    expect(memoryUse(program).peakBytes / SIZE).toBe(2);
    // x and a; a, of which both are parts, and y.
    expect(memoryUse(program, { views: new Set(['split']) }).peakBytes / SIZE).toBe(2);
    expect(memoryUse(program, { views: new Set(['split']) }).byRole.activation / SIZE).toBe(1);
  });
});

describe('leaping over iterations', () => {
  const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

  it('gives what walking all of them gives', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const program = randomProgram(seed);
        for (const one of [program, fuse(program)])
          expect(memoryUse(one)).toEqual(memoryUse(one, { everyIteration: true }));
      }),
      { numRuns: 500 },
    );
  });

  it('adds up by role, and holds at least what the program begins with', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const program: Program = randomProgram(seed);
        const { peakBytes, byRole } = memoryUse(program);
        expect(total(byRole)).toBe(peakBytes);
        const inputs = program.inputs.map(({ value }) => typeBytes(program.values[value]!.type));
        expect(peakBytes).toBeGreaterThanOrEqual(total(inputs));
      }),
      { numRuns: 100 },
    );
  });

  it('takes stacks that grow, and those that shrink, into account', () => {
    const count = 50;
    const small = new Small();
    const x = small.input();
    const peak = small.peak(() => {
      const forward = small.builder.repeat(
        { ...at('forward'), count, carried: [x], stacked: [] },
        ({ carried: [y] }) => {
          const [a, b] = [small.gelu(y!, 'a'), small.gelu(y!, 'b')];
          return { carried: [b], stacked: [a] };
        },
      );
      return small.builder.repeat(
        { ...at('backward'), count, reverse: true, carried: [forward.carried[0]!], stacked: [forward.stacked[0]!] },
        ({ carried: [dy], stacked: [a] }) => ({
          carried: [small.builder.emit('add', [dy!, a!], {}, at('gradient'))],
          stacked: [],
        }),
      ).carried;
    });
    // All residuals; with the last of them, what the last forward and the first backward iteration read and make.
    expect(peak).toBe(count + 2);
  });
});
