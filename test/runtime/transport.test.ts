import { describe, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { allocateLike } from '../../src/runtime/blocks.js';
import { Bf16Array, F16Array } from '../../src/runtime/kernels/half.js';
import { numbersOf, stored } from '../../src/runtime/kernels/tensors.js';
import type { HostTensor } from '../../src/runtime/kernels/tensors.js';
import { DTYPES } from '../../src/program/index.js';
import {
  createTransportMemory,
  RunStopped,
  stopAll,
  stoppedBy,
  traffic,
  Transport,
} from '../../src/runtime/transport/index.js';
import type { Exchange } from '../../src/runtime/transport/index.js';
import { addPlain } from '../../src/runtime/sums/index.js';
import { Channel, Incoming, Outgoing } from '../../src/runtime/transport/message.js';
import { counting } from './support.js';

const pair = createMesh({ data: 2 });

/** Sends and receives, and waits until both are done. */
function exchange(transport: Transport, opId: string, messages: Partial<Exchange>): void {
  const transfer = transport.begin({ sending: [], receiving: [], ...messages });
  transport.wait({
    advance: () => transfer.advance(),
    isOver: () => transfer.done,
    blame: () => ({ opId, awaited: transfer.awaited }),
  });
}

describe('a ring of bytes', () => {
  it('has one direction for each ordered pair of ranks that share an axis', () => {
    const { rings } = createTransportMemory(createMesh({ data: 2, model: 2 }), 4);
    expect(rings.map(({ from, to }) => `${from}${to}`).sort()).toEqual([
      '01',
      '02',
      '10',
      '13',
      '20',
      '23',
      '31',
      '32',
    ]);
  });

  it('moves messages larger than itself in parts, of any element size, in order', () => {
    const { rings, ringBytes } = createTransportMemory(pair, 2, { ringBytes: 64 });
    const channel = new Channel(rings[0]!.memory, ringBytes);
    const messages = [
      Float32Array.from({ length: 33 }, (_, i) => i / 3),
      Float64Array.from({ length: 21 }, (_, i) => i / 7),
      Bf16Array.from({ length: 67 }, (_, i) => i * 3) as Bf16Array,
      Float32Array.of(Math.PI),
      F16Array.of(7) as F16Array,
      Int32Array.of(-1, 2 ** 30, 3),
      Float64Array.of(Math.PI, Number.NaN, -0),
    ];
    for (const message of messages) {
      const received = allocateLike(message, message.length);
      const middle = Math.floor(message.length / 3);
      const outgoing = new Outgoing(channel, [message.subarray(0, middle), message.subarray(middle)]);
      const incoming = new Incoming(channel, [received]);
      let rounds = 0;
      while (!outgoing.done || !incoming.done) {
        expect([outgoing.advance(), incoming.advance()]).toContain(true);
        rounds++;
      }
      expect(rounds).toBeGreaterThanOrEqual(message.byteLength / ringBytes);
      expect(received).toEqual(message);
    }
  });

  it('adds what arrives to other terms, or where it is to lie', () => {
    const { rings, ringBytes } = createTransportMemory(pair, 2, { ringBytes: 64 });
    const channel = new Channel(rings[0]!.memory, ringBytes);
    for (const dtype of DTYPES) {
      const length = 50;
      const [sent, own] = [counting(length, 0, dtype), counting(length, 1, dtype)];
      const sum = numbersOf(
        stored(
          dtype,
          numbersOf(sent).map((value, i) => value + numbersOf(own)[i]!),
        ),
      );
      const halves = (tensor: HostTensor) => [tensor.subarray(0, 17), tensor.subarray(17)];
      for (const target of [allocateLike(own, length), own]) {
        const outgoing = new Outgoing(channel, [sent]);
        const incoming = new Incoming(channel, halves(target), { pieces: halves(own), add: addPlain });
        while (!incoming.done) [outgoing, incoming].forEach((message) => message.advance());
        expect(numbersOf(target)).toEqual(sum);
      }
    }
  });

  it('keeps working when its positions pass 2^32', () => {
    const { rings, ringBytes } = createTransportMemory(pair, 2, { ringBytes: 64 });
    const channel = new Channel(rings[0]!.memory, ringBytes);
    // Where both ends would be after sending 4 GiB less 16 bytes.
    for (const word of [0, 32]) channel.words[word] = -16;
    const message = Float64Array.from({ length: 30 }, (_, i) => i);
    const received = new Float64Array(30);
    const [outgoing, incoming] = [new Outgoing(channel, [message]), new Incoming(channel, [received])];
    while (!incoming.done) {
      outgoing.advance();
      incoming.advance();
    }
    expect(received).toEqual(message);
  });

  it('counts the bytes of values, not of padding', () => {
    const memory = createTransportMemory(pair, 2);
    const transport = new Transport(memory, 0);
    exchange(transport, 'x', { sending: [{ to: 1, pieces: [Float32Array.of(1, 2, 3)] }] });
    expect(traffic(memory)).toContainEqual({ from: 0, to: 1, sent: 12 });
  });
});

describe('a rank that waits', () => {
  it('says in which op, and for whom, where it is stopped meanwhile', () => {
    const memory = createTransportMemory(pair, 2, { ringBytes: 64 });
    const receive = () =>
      exchange(new Transport(memory, 0), 'layer/reduce', {
        receiving: [{ from: 1, pieces: [new Float32Array(4)] }],
      });
    const send = () =>
      exchange(new Transport(memory, 1), 'x', { sending: [{ to: 0, pieces: [new Float64Array(100)] }] });
    stopAll(memory.control);
    expect(receive).toThrow('stopped by the host, in layer/reduce, waiting for rank 1 to send');
    expect(send).toThrow('stopped by the host, in x, waiting for rank 0 to read');
  });

  it('finds the stop flag, and the first to raise it is remembered', () => {
    const memory = createTransportMemory(pair, 2);
    const transport = new Transport(memory, 0);
    transport.checkStopped();
    stopAll(memory.control, 1);
    stopAll(memory.control);
    expect(stoppedBy(memory.control)).toBe(1);
    expect(() => transport.checkStopped()).toThrow(RunStopped);
    const receive = () => exchange(transport, 'x', { receiving: [{ from: 1, pieces: [new Float32Array(4)] }] });
    expect(receive).toThrow('stopped because rank 1 failed');
  });
});
