/**
 * The collectives of one rank that are under way. Those over one axis run one after the other, in the order they were
 * started, which is the same on all ranks; axes run side by side. A synchronous collective is one that is waited for at
 * once.
 */
import type { AxisName, Mesh } from '../mesh/index.js';
import { coordinate, group } from '../mesh/index.js';
import type { CollectiveName, Op, Program } from '../program/index.js';
import type { Seconds } from '../units.js';
import type { Algorithm, Group } from './collectives.js';
import { collective } from './collectives.js';
import type { Binding } from './handle.js';
import { Handle, handlesOf } from './handle.js';
import type { Memory } from './memory.js';
import type { Transfer, Transport } from './transport/index.js';

/** A collective that was started. It holds its operands and its results until it is done. */
class Running {
  readonly op: Op<CollectiveName>;
  readonly operands: readonly Handle[];
  readonly results: readonly Handle[];
  readonly begin: () => Algorithm;
  readonly finished: (sentBytes: number) => void;
  /** Once all before it on its axis are done and its operands are there. */
  algorithm: Algorithm | undefined;
  /** The exchange that the algorithm waits for. */
  transfer: Transfer | undefined;
  sentBytes = 0;
  isDone = false;

  constructor(
    op: Op<CollectiveName>,
    operands: readonly Handle[],
    results: readonly Handle[],
    begin: () => Algorithm,
    finished: (sentBytes: number) => void,
  ) {
    this.op = op;
    this.operands = operands;
    this.results = results;
    this.begin = begin;
    this.finished = finished;
    for (const handle of [...operands, ...results]) handle.hold();
  }
}

/** A rank's groups over the axes of a mesh. */
export const groupsOf = (mesh: Mesh, rank: number, memory: Memory): ReadonlyMap<AxisName, Group> =>
  new Map(
    mesh.axes.map(({ name }): [AxisName, Group] => [
      name,
      { ranks: group(mesh, rank, name), index: coordinate(mesh, rank, name), memory },
    ]),
  );

export class Communicator {
  /** The op whose messages are being moved, to name when that fails. */
  opId: string | undefined;
  /** When the last collective over each axis was done, as those who started them say. */
  readonly ends = new Map<AxisName, Seconds>();
  readonly #transport: Transport;
  readonly #groups: ReadonlyMap<AxisName, Group>;
  readonly #queues: ReadonlyMap<AxisName, Running[]>;
  readonly #beside: (() => boolean) | undefined;
  /** Of handles whose data are still to come. */
  readonly #makers = new Map<Handle, Running>();

  /** @param beside moves what else is under way, without waiting, and says whether anything did */
  constructor(transport: Transport, groups: ReadonlyMap<AxisName, Group>, beside?: () => boolean) {
    this.#beside = beside;
    this.#transport = transport;
    this.#groups = groups;
    this.#queues = new Map([...groups.keys()].map((axis) => [axis, []]));
  }

  /**
   * Starts a collective of a program; operands may be results of others that are not done. Those that nobody else holds
   * by the time it begins may be overwritten.
   *
   * @param finished called once with the bytes that this rank sent for it
   * @returns what its results are bound to
   */
  start(
    program: Program,
    op: Op<CollectiveName>,
    bindings: readonly Binding[],
    finished: (sentBytes: number) => void,
  ): Binding[] {
    const { axis } = op.attributes;
    const group = this.#groups.get(axis)!;
    const made = bindings.map((binding): Binding => {
      const result = (): Handle => Handle.owned(group.memory);
      return binding instanceof Handle ? result() : binding.map(result);
    });
    const operands = bindings.flatMap(handlesOf);
    const owners = bindings.flatMap((binding, index) => handlesOf(binding).map(() => index));
    const begin = (): Algorithm => {
      const moved = operands.map(({ data, isExclusive }, at) => {
        const { shape } = program.values[op.operands[owners[at]!]!]!.type;
        // Held by the collective alone.
        return { data, shape, isSpent: isExclusive };
      });
      return collective(group, op, moved, owners);
    };
    const running = new Running(op, operands, made.flatMap(handlesOf), begin, finished);
    running.results.forEach((handle) => this.#makers.set(handle, running));
    this.#queues.get(axis)!.push(running);
    return made;
  }

  /** Moves what can be moved without waiting. */
  poll(): void {
    while (this.advance()) this.#transport.diary.moves();
  }

  /**
   * Waits for the data of handles.
   *
   * @throws RunStopped, see `Transport.wait`
   */
  wait(handles: readonly Handle[]): void {
    for (const handle of handles) {
      const maker = this.#makers.get(handle);
      if (maker === undefined) continue;
      this.#transport.wait({
        advance: () => this.advance(),
        isOver: () => maker.isDone,
        blame: () => {
          const { op, transfer } = this.#inTheWay(maker);
          return { opId: op.id, awaited: transfer?.awaited ?? 'its peers' };
        },
      });
    }
  }

  /** Moves what can be moved while a kernel runs, as far as that leaves the thread free. */
  async during<T>(kernel: Promise<T>): Promise<T> {
    if (this.#beside === undefined && this.#makers.size === 0) return kernel;
    return this.#transport.beside(kernel, () => this.advance());
  }

  /** Waits for everything that was started. */
  finish(): void {
    this.wait([...this.#makers.keys()]);
  }

  /** The collective that has to move before another one can. */
  #inTheWay(running: Running): Running {
    const first = this.#queues.get(running.op.attributes.axis)![0]!;
    if (first.algorithm !== undefined) return first;
    const missing = first.operands.map((operand) => this.#makers.get(operand)).find((maker) => maker !== undefined);
    return missing === undefined ? first : this.#inTheWay(missing);
  }

  /** Moves what can be moved at once. @returns whether anything moved */
  advance(): boolean {
    let moved = this.#beside?.() ?? false;
    for (const queue of this.#queues.values()) {
      const [running] = queue;
      if (running === undefined) continue;
      this.opId = running.op.id;
      if (this.#drive(running)) moved = true;
      this.opId = undefined;
      if (running.isDone) queue.shift();
    }
    return moved;
  }

  #drive(running: Running): boolean {
    let moved = false;
    if (running.algorithm === undefined) {
      if (running.operands.some((operand) => this.#makers.has(operand))) return false;
      running.algorithm = running.begin();
      this.#proceed(running, running.algorithm);
      moved = true;
    }
    while (running.transfer !== undefined) {
      if (running.transfer.advance()) moved = true;
      if (!running.transfer.done) return moved;
      this.#proceed(running, running.algorithm);
    }
    return moved;
  }

  #proceed(running: Running, algorithm: Algorithm): void {
    const { done, value } = algorithm.next();
    if (done !== true) {
      running.transfer = this.#transport.begin(value);
      for (const { pieces } of value.sending) for (const piece of pieces) running.sentBytes += piece.byteLength;
      return;
    }
    running.transfer = undefined;
    running.isDone = true;
    running.results.forEach((handle, index) => {
      const [operand, tensor] = [running.operands[index], value[index]!];
      if (operand?.data === tensor) operand.surrender();
      handle.fill(tensor);
      this.#makers.delete(handle);
    });
    for (const handle of [...running.operands, ...running.results]) handle.release();
    running.finished(running.sentBytes);
  }
}
