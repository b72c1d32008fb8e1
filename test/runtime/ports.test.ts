/** Messages between stages, moved by hand on one thread. */
import { describe, expect, test } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { Handle } from '../../src/runtime/handle.js';
import { Memory } from '../../src/runtime/memory.js';
import type { Expected } from '../../src/runtime/ports.js';
import { Ports } from '../../src/runtime/ports.js';
import { createTransportMemory, stopAll, Transport } from '../../src/runtime/transport/index.js';

const memory = new Memory();

const ringsOf = (ringBytes: number) => createTransportMemory(createMesh({ pipe: 2 }), 2, { ringBytes });

function pair(ringBytes: number, rings = ringsOf(ringBytes)): [Ports, Ports] {
  const end = (rank: number): Ports => new Ports(new Transport(rings, rank), memory);
  return [end(0), end(1)];
}

const message = (key: string, length = 5): Expected => ({ key, dtype: 'f64', length });

function tensor(first: number, length = 5): Handle {
  const handle = Handle.allocate(memory, 'f64', length);
  handle.data.forEach((_, index, data) => (data[index] = first + index));
  return handle;
}

const ignore = (): void => undefined;
const send = (ports: Ports, first: number, sent: (bytes: number) => void = ignore): void =>
  ports.send(1, tensor(first), ignore, sent);

describe('ports', () => {
  test('bring messages larger than the ring, in whatever order they are taken', () => {
    const [left, right] = pair(16);
    right.expect(
      0,
      ['a', 'b', 'c', 'd'].map((key) => message(key)),
    );
    const sent: number[] = [];
    [10, 20, 30, 40].forEach((first) => send(left, first, (bytes) => sent.push(bytes)));
    for (let round = 0; round < 100; round++) [left, right].forEach((end) => end.advance());
    // Two have come and wait to be taken; the others stay with who sends them.
    expect(sent.length).toBeLessThan(4);
    expect(right.take('b').data[0]).toBe(20);
    for (let round = 0; round < 100; round++) [left, right].forEach((end) => end.advance());
    expect(right.take('c').data[4]).toBe(34);
    expect(right.take('a').data[0]).toBe(10);
    for (let round = 0; round < 100; round++) [left, right].forEach((end) => end.advance());
    expect(right.take('d').data[0]).toBe(40);
    expect(sent).toEqual([40, 40, 40, 40]);
    expect(() => left.finish()).not.toThrow();
  });

  test('receive as far ahead as what is waited for takes', () => {
    const [left, right] = pair(2 ** 10);
    right.expect(
      0,
      ['a', 'b', 'c', 'd'].map((key) => message(key)),
    );
    [10, 20, 30, 40].forEach((first) => send(left, first));
    for (let round = 0; round < 10; round++) left.advance();
    expect(right.take('d').data[0]).toBe(40);
  });

  test('between parts of the model on one rank go by no ring', () => {
    const [left] = pair(16);
    left.deliver('a', tensor(7));
    expect(left.take('a').data[0]).toBe(7);
  });

  test('name who is waited for when nothing comes', () => {
    const rings = ringsOf(16);
    const [, right] = pair(16, rings);
    right.expect(0, [message('a')]);
    stopAll(rings.control);
    expect(() => right.take('a')).toThrow('in a, waiting for rank 0 to send');
  });
});
