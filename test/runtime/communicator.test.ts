/** Ranks' collectives moved by hand, all on one thread: which of them may run at a time, and that they come to an end. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { coordinate, createMesh, group, rankCount } from '../../src/mesh/index.js';
import type { CollectiveName, Op, Program, Value, ValueType } from '../../src/program/index.js';
import { Communicator } from '../../src/runtime/communicator.js';
import type { Binding } from '../../src/runtime/handle.js';
import { Handle } from '../../src/runtime/handle.js';
import type { HostTensor } from '../../src/runtime/kernels/tensors.js';
import { Memory } from '../../src/runtime/memory.js';
import { createTransportMemory, stopAll, Transport } from '../../src/runtime/transport/index.js';
import { createWhereabouts, Diary, readWhereabouts } from '../../src/runtime/whereabouts.js';
import { tensorType } from './support.js';

const memory = new Memory();

/** Collectives over values that are all of one type: value 0 is an operand, the others results. */
class Ends {
  readonly finished: string[] = [];
  readonly #communicator: Communicator;
  readonly #env: Binding[] = [];
  readonly #program: Program;
  readonly #rank: number;
  readonly #whereabouts: SharedArrayBuffer;

  constructor(mesh: Mesh, rank: number, type: ValueType, ringMemory: ReturnType<typeof createTransportMemory>) {
    const values: Value[] = Array.from({ length: 64 }, () => ({ type, role: 'activation' }));
    this.#program = { mesh, values, inputs: [], ops: [], outputs: [] };
    const groups = mesh.axes.map(({ name }) => {
      const ranks = group(mesh, rank, name);
      return [name, { ranks, index: coordinate(mesh, rank, name), memory }] as const;
    });
    this.#rank = rank;
    this.#whereabouts = createWhereabouts(rank + 1);
    const transport = new Transport(ringMemory, rank, new Diary(this.#whereabouts, rank));
    this.#communicator = new Communicator(transport, new Map(groups));
    this.#env[0] = Handle.allocate(memory, type.dtype, type.shape[0]!).hold();
    (this.#env[0] as Handle).data.forEach((_, index, data) => (data[index] = rank + index / 8));
  }

  start(op: Op<CollectiveName>): void {
    const bindings = op.operands.map((id) => this.#env[id]!);
    const made = this.#communicator.start(this.#program, op, bindings, () => this.finished.push(op.id));
    op.results.forEach((id, index) => (this.#env[id] = (made[index] as Handle).hold()));
  }

  poll(): void {
    this.#communicator.poll();
  }

  /** See `Whereabouts`. */
  get beat(): number {
    return readWhereabouts(this.#whereabouts)[this.#rank]!.beat;
  }

  wait(id: number): void {
    this.#communicator.wait([this.#env[id] as Handle]);
  }

  /** Lets go of a value, as after its last use. */
  drop(id: number): void {
    (this.#env[id] as Handle).release();
  }

  tensor(id: number): HostTensor {
    return (this.#env[id] as Handle).data;
  }

  data(id: number): number[] {
    return [...(this.#env[id] as Handle).data];
  }
}

function ends(mesh: Mesh, length: number, ringBytes?: number): Ends[] {
  const rings = createTransportMemory(mesh, rankCount(mesh), ringBytes === undefined ? {} : { ringBytes });
  return Array.from({ length: rankCount(mesh) }, (_, rank) => new Ends(mesh, rank, tensorType([length]), rings));
}

const reduce = (axis: AxisName, result: number, operand = 0): Op<CollectiveName> => ({
  name: 'all_reduce',
  id: `reduce/${result}`,
  phase: 'forward',
  operands: [operand],
  results: [result],
  attributes: { axis },
  asynchronous: true,
});

const square = createMesh({ data: 2, model: 2 });

describe('collectives under way', () => {
  it('move by polling alone, a message larger than its ring as both sides look after it', () => {
    const [left, right] = ends(createMesh({ data: 2 }), 9, 16) as [Ends, Ends];
    left.start(reduce('data', 1));
    left.poll();
    expect(left.finished).toEqual([]);
    right.start(reduce('data', 1));
    let rounds = 0;
    for (; left.finished.length + right.finished.length < 2; rounds++) {
      left.poll();
      right.poll();
    }
    expect(rounds).toBeGreaterThan(1);
    expect(left.data(1)).toEqual(Array.from({ length: 9 }, (_, index) => 1 + index / 4));
    expect(right.data(1)).toEqual(left.data(1));
  });

  it('count as progress whenever something moves, and only then', () => {
    const [left, right] = ends(createMesh({ data: 2 }), 9, 16) as [Ends, Ends];
    left.start(reduce('data', 1));
    left.poll();
    const waiting = left.beat;
    left.poll();
    expect(left.beat).toBe(waiting);
    right.start(reduce('data', 1));
    right.poll();
    left.poll();
    expect(left.beat).toBeGreaterThan(waiting);
  });

  it('over one axis run in the order they were started, those over another beside them', () => {
    const all = ends(square, 2, 64);
    // Rank 0 has started over `data` what its peer, rank 2, has not.
    all[0]!.start(reduce('data', 1));
    for (const end of all) end.start(reduce('model', 2));
    all[0]!.start(reduce('data', 3));
    for (let round = 0; round < 8; round++) all.forEach((end) => end.poll());
    expect(all.map(({ finished }) => finished)).toEqual(all.map(() => ['reduce/2']));
    all[2]!.start(reduce('data', 1));
    all[2]!.start(reduce('data', 3));
    for (let round = 0; round < 8; round++) all.forEach((end) => end.poll());
    expect(all[0]!.finished).toEqual(['reduce/2', 'reduce/1', 'reduce/3']);
  });

  it('may read what others bring: they begin when it has come', () => {
    const all = ends(square, 3, 8);
    for (const end of all) end.start(reduce('data', 1));
    for (const end of all) end.start(reduce('model', 2, 1));
    for (let round = 0; round < 64; round++) all.forEach((end) => end.poll());
    for (const end of all) {
      expect(end.finished).toEqual(['reduce/1', 'reduce/2']);
      expect(end.data(2)).toEqual([0, 1, 2].map((index) => 0 + 1 + 2 + 3 + (4 * index) / 8));
    }
  });

  it('that don’t come blame the one in the way', () => {
    const rings = createTransportMemory(square, 4, { ringBytes: 8 });
    const first = new Ends(square, 0, tensorType([3]), rings);
    first.start(reduce('data', 1));
    first.start(reduce('model', 2, 1));
    first.start(reduce('model', 3));
    stopAll(rings.control);
    expect(() => first.wait(3)).toThrow('in reduce/1, waiting for rank 2 to read and rank 2 to send');
  });

  it('sum tensors of many blocks, of odd length, over any number of ranks', () => {
    for (const size of [2, 3, 5]) {
      const length = 700_001;
      const all = ends(createMesh({ data: size }), length);
      for (const end of all) end.start(reduce('data', 1));
      while (all.some(({ finished }) => finished.length === 0)) all.forEach((end) => end.poll());
      const ranks = (size * (size - 1)) / 2;
      for (const end of all) {
        const wrong = end.tensor(1).findIndex((value, index) => value !== ranks + (size * index) / 8);
        expect(wrong).toBe(-1);
      }
    }
  });

  it('lie where their operand did if nobody else holds it, and leave it as it is if somebody does', () => {
    const [left, right] = ends(createMesh({ data: 2 }), 9, 64) as [Ends, Ends];
    const before = left.tensor(0);
    const kept = right.data(0);
    left.start(reduce('data', 1));
    left.drop(0);
    right.start(reduce('data', 1));
    for (let round = 0; round < 64; round++) [left, right].forEach((end) => end.poll());
    expect(left.tensor(1)).toBe(before);
    expect(right.tensor(1).byteOffset).not.toBe(right.tensor(0).byteOffset);
    expect(right.data(0)).toEqual(kept);
    expect(left.data(1)).toEqual(right.data(1));
  });

  it('come to an end however ranks start and look after them', () => {
    const program = fc.array(fc.record({ axis: fc.constantFrom<AxisName>('data', 'model'), operand: fc.nat(20) }), {
      minLength: 1,
      maxLength: 12,
    });
    const turns = fc.infiniteStream(fc.record({ rank: fc.nat(3), starts: fc.boolean() }));
    fc.assert(
      fc.property(program, turns, fc.constantFrom(8, 16, 64), (ops, order, ringBytes) => {
        const list = ops.map(({ axis, operand }, index) => reduce(axis, index + 1, operand % (index + 1)));
        const all = ends(square, 5, ringBytes);
        const started = all.map(() => 0);
        for (let turn = 0; all.some(({ finished }) => finished.length < list.length); turn++) {
          expect(turn).toBeLessThan(20_000);
          const { rank, starts } = order.next().value;
          if (starts && started[rank]! < list.length) all[rank]!.start(list[started[rank]!++]!);
          else all[rank]!.poll();
        }
        // A sum over both axes is the same everywhere; over one it is the same along that axis.
        list.forEach(({ attributes: { axis }, results: [result] }) => {
          const peer = axis === 'data' ? 2 : 1;
          expect(all[0]!.data(result!)).toEqual(all[peer]!.data(result!));
        });
      }),
      { numRuns: 60 },
    );
  });
});
