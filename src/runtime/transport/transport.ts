/**
 * A rank's side of the rings: sends and receives whole messages, waiting on the rank's doorbell. The thread blocks while
 * it waits; nothing else happens on it, and a kernel never runs at the same time.
 */
import { MeshwrightError } from '../../errors.js';
import type { HostTensor } from '../kernels/family.js';
import type { TransportMemory } from './memory.js';
import { bellWord, NOT_STOPPED, STOP_WORD, stoppedBy, waitingWord } from './memory.js';
import { Channel, Incoming, Outgoing } from './message.js';

/** Longest sleep in one go. A stop wakes sleepers anyway; this bounds the harm of a lost wake-up. */
const SLEEP_MILLISECONDS = 250;

/** Thrown where a rank finds the stop flag raised: somebody else failed, or the run is not wanted any more. */
export class RunStopped extends Error {
  constructor(readonly by: number | 'host') {
    super(by === 'host' ? 'stopped by the host' : `stopped because rank ${by} failed`);
    this.name = 'RunStopped';
  }
}

export interface Sending {
  readonly to: number;
  readonly pieces: readonly HostTensor[];
}

export interface Receiving {
  readonly from: number;
  /** Arrays of one kind, filled in order. */
  readonly pieces: readonly HostTensor[];
  /** Whether what arrives is added to what the pieces hold. */
  readonly add: boolean;
}

export class Transport {
  readonly rank: number;
  readonly #memory: TransportMemory;
  readonly #control: Int32Array;
  readonly #outgoing: ReadonlyMap<number, Channel>;
  readonly #incoming: ReadonlyMap<number, Channel>;
  readonly #timeoutSeconds: number;
  #sentBytes = 0;

  constructor(memory: TransportMemory, rank: number, options: { readonly timeoutSeconds: number }) {
    this.rank = rank;
    this.#memory = memory;
    this.#control = new Int32Array(memory.control);
    this.#timeoutSeconds = options.timeoutSeconds;
    const channel = (ring: SharedArrayBuffer): Channel => new Channel(ring, memory.ringBytes);
    // Two axes never share a pair of ranks, so a peer names one ring.
    this.#outgoing = new Map(memory.rings.filter((ring) => ring.from === rank).map((r) => [r.to, channel(r.memory)]));
    this.#incoming = new Map(memory.rings.filter((ring) => ring.to === rank).map((r) => [r.from, channel(r.memory)]));
  }

  /** Bytes of values that this rank has sent since it was made. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** @throws RunStopped when the stop flag is raised */
  checkStopped(): void {
    if (Atomics.load(this.#control, STOP_WORD) === NOT_STOPPED) return;
    throw new RunStopped(stoppedBy(this.#memory.control) ?? 'host');
  }

  /**
   * Sends one message and receives another at the same time, each as large as it likes. Pieces of both are arrays of
   * one kind; a message without elements is not sent.
   *
   * @param opId whom to name when it fails
   * @throws RunStopped when the stop flag is raised
   * @throws MeshwrightError TIMED_OUT when a peer neither sends nor reads for the timeout
   */
  exchange(opId: string, sending?: Sending, receiving?: Receiving): void {
    const outgoing = sending && new Outgoing(this.#channel(this.#outgoing, sending.to), sending.pieces);
    const incoming =
      receiving && new Incoming(this.#channel(this.#incoming, receiving.from), receiving.pieces, receiving.add);
    if (sending) for (const piece of sending.pieces) this.#sentBytes += piece.byteLength;
    let idleSince: number | undefined;
    for (;;) {
      const bell = Atomics.load(this.#control, bellWord(this.rank));
      const wrote = outgoing?.advance() ?? false;
      if (wrote) this.#ring(sending!.to);
      const read = incoming?.advance() ?? false;
      if (read) this.#ring(receiving!.from);
      if ((outgoing?.done ?? true) && (incoming?.done ?? true)) return;
      this.checkStopped();
      if (wrote || read) {
        idleSince = undefined;
        continue;
      }
      idleSince ??= performance.now();
      const idleSeconds = (performance.now() - idleSince) / 1000;
      if (idleSeconds >= this.#timeoutSeconds) {
        const awaited = [
          ...(outgoing?.done === false ? [`rank ${sending!.to} to read`] : []),
          ...(incoming?.done === false ? [`rank ${receiving!.from} to send`] : []),
        ];
        throw this.#timedOut(opId, awaited.join(' and '));
      }
      this.#sleep(bell, this.#timeoutSeconds - idleSeconds);
    }
  }

  #channel(channels: ReadonlyMap<number, Channel>, peer: number): Channel {
    const channel = channels.get(peer);
    if (channel) return channel;
    throw new MeshwrightError('INTERNAL', {
      place: `rank ${this.rank}`,
      expected: `a peer of it (${[...channels.keys()].join(', ')})`,
      got: `rank ${peer}`,
    });
  }

  #ring(peer: number): void {
    Atomics.add(this.#control, bellWord(peer), 1);
    // The peer announces its sleep before it compares its bell with what it saw, so none of the two is missed.
    if (Atomics.load(this.#control, waitingWord(peer)) === 1) Atomics.notify(this.#control, bellWord(peer));
  }

  /** Sleeps until the bell is no longer `seen`, or for the time given. */
  #sleep(seen: number, seconds: number): void {
    const bell = bellWord(this.rank);
    for (let spin = 0; spin < this.#memory.spins; spin++) {
      if (Atomics.load(this.#control, bell) !== seen) return;
    }
    Atomics.store(this.#control, waitingWord(this.rank), 1);
    Atomics.wait(this.#control, bell, seen, Math.min(seconds * 1000, SLEEP_MILLISECONDS));
    Atomics.store(this.#control, waitingWord(this.rank), 0);
  }

  #timedOut(opId: string, awaited: string): MeshwrightError {
    return new MeshwrightError('TIMED_OUT', {
      place: `rank ${this.rank}, ${opId}`,
      expected: `${awaited} within ${this.#timeoutSeconds} s`,
      got: 'nothing',
      hint: 'it may still run a long kernel: raise the timeout, or look at what that rank does',
    });
  }
}
