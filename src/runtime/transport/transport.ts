/**
 * A rank's side of the rings: begins messages, which then move whenever they are looked after, and waits for them on the
 * rank's doorbell. The thread blocks while it waits; nothing else happens on it, and a kernel never runs at the same
 * time.
 */
import { MeshwrightError } from '../../errors.js';
import type { HostTensor } from '../kernels/family.js';
import type { Add } from '../sums/index.js';
import { createAdd } from '../sums/index.js';
import { createWhereabouts, Diary } from '../whereabouts.js';
import type { TransportMemory } from './memory.js';
import { bellWord, NOT_STOPPED, STOP_WORD, stoppedBy, waitingWord } from './memory.js';
import { Channel, Incoming, Outgoing } from './message.js';

/** Longest sleep in one go. A stop wakes sleepers anyway; this bounds the harm of a lost wake-up. */
const SLEEP_MILLISECONDS = 250;

/** Thrown where a rank finds the stop flag raised: somebody else failed, or the run is not wanted any more. */
export class RunStopped extends Error {
  constructor(
    readonly by: number | 'host',
    waiting?: Blame,
  ) {
    const why = by === 'host' ? 'stopped by the host' : `stopped because rank ${by} failed`;
    super(waiting === undefined ? why : `${why}, in ${waiting.opId}, waiting for ${waiting.awaited}`);
    this.name = 'RunStopped';
  }
}

/** What a rank waits in, and whom for. */
export interface Blame {
  readonly opId: string;
  readonly awaited: string;
}

export interface Sending {
  readonly to: number;
  readonly pieces: readonly HostTensor[];
}

export interface Receiving {
  readonly from: number;
  /** Arrays of one kind, filled in order. */
  readonly pieces: readonly HostTensor[];
  /** Where sums are wanted: the other term of each piece's, as long as it, which may be the piece itself. */
  readonly plus?: readonly HostTensor[];
}

/**
 * Messages that a rank sends and receives at the same time, each as large as it likes, no two to or from one peer.
 * Pieces of a message are arrays of one kind; one without elements is not sent.
 */
export interface Exchange {
  readonly sending: readonly Sending[];
  readonly receiving: readonly Receiving[];
}

interface Flow {
  readonly peer: number;
  readonly message: Outgoing | Incoming;
}

/** An exchange on its way. */
export class Transfer {
  readonly #flows: readonly Flow[];
  readonly #ring: (peer: number) => void;

  constructor(flows: readonly Flow[], ring: (peer: number) => void) {
    this.#flows = flows;
    this.#ring = ring;
  }

  get done(): boolean {
    return this.#flows.every(({ message }) => message.done);
  }

  /** Moves what there is room for, without waiting. @returns whether anything moved */
  advance(): boolean {
    let moved = false;
    for (const { peer, message } of this.#flows) {
      if (!message.advance()) continue;
      moved = true;
      this.#ring(peer);
    }
    return moved;
  }

  /** What it still takes, for messages. */
  get awaited(): string {
    const open = this.#flows.filter(({ message }) => !message.done);
    return open.map(({ peer, message }) => `rank ${peer} to ${message.awaits}`).join(' and ');
  }
}

/** How a wait comes to its end. */
export interface Waiting {
  /** Moves what can be moved. @returns whether anything did */
  advance(): boolean;
  isOver(): boolean;
  /** Whom to name where nothing moves, and what it takes. */
  blame(): Blame;
}

export class Transport {
  readonly rank: number;
  readonly #memory: TransportMemory;
  readonly #control: Int32Array;
  readonly #outgoing: ReadonlyMap<number, Channel>;
  readonly #incoming: ReadonlyMap<number, Channel>;
  /** Where the rank says what it is at. */
  readonly diary: Diary;
  readonly #add: Add;

  constructor(memory: TransportMemory, rank: number, diary = new Diary(createWhereabouts(rank + 1), rank)) {
    this.rank = rank;
    this.diary = diary;
    this.#memory = memory;
    this.#control = new Int32Array(memory.control);
    this.#add = createAdd(memory);
    const channel = (ring: SharedArrayBuffer): Channel => new Channel(ring, memory.ringBytes);
    // Two axes never share a pair of ranks, so a peer names one ring.
    this.#outgoing = new Map(memory.rings.filter((ring) => ring.from === rank).map((r) => [r.to, channel(r.memory)]));
    this.#incoming = new Map(memory.rings.filter((ring) => ring.to === rank).map((r) => [r.from, channel(r.memory)]));
  }

  /**
   * @param waiting says what the rank waits for, if it does
   * @throws RunStopped when the stop flag is raised
   */
  checkStopped(waiting?: Waiting): void {
    if (Atomics.load(this.#control, STOP_WORD) === NOT_STOPPED) return;
    throw new RunStopped(stoppedBy(this.#memory.control) ?? 'host', waiting?.blame());
  }

  /** Only one exchange with a peer may be under way. Nothing moves yet. */
  begin({ sending, receiving }: Exchange): Transfer {
    const flows = [
      ...sending.map(({ to, pieces }) => ({
        peer: to,
        message: new Outgoing(this.#channel(this.#outgoing, to), pieces),
      })),
      ...receiving.map(({ from, pieces, plus }) => ({
        peer: from,
        message: new Incoming(this.#channel(this.#incoming, from), pieces, plus && { pieces: plus, add: this.#add }),
      })),
    ];
    return new Transfer(flows, (peer) => this.#ring(peer));
  }

  /**
   * Blocks until the wait is over, asleep while nothing moves; for as long as it takes, since the host sees who hangs.
   *
   * @throws RunStopped when the stop flag is raised
   */
  wait(waiting: Waiting): void {
    let slept = false;
    for (;;) {
      const bell = Atomics.load(this.#control, bellWord(this.rank));
      const moved = waiting.advance();
      const isOver = waiting.isOver();
      if (moved || (isOver && slept)) this.diary.goesOn();
      if (isOver) return;
      this.checkStopped(waiting);
      if (moved) continue;
      this.#sleep(bell, waiting);
      slept = true;
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

  /** Sleeps until the bell is no longer `seen`, or for some time. */
  #sleep(seen: number, waiting: Waiting): void {
    const bell = bellWord(this.rank);
    for (let spin = 0; spin < this.#memory.spins; spin++) {
      if (Atomics.load(this.#control, bell) !== seen) return;
    }
    this.diary.waits(waiting.blame());
    Atomics.store(this.#control, waitingWord(this.rank), 1);
    Atomics.wait(this.#control, bell, seen, SLEEP_MILLISECONDS);
    Atomics.store(this.#control, waitingWord(this.rank), 0);
  }
}
