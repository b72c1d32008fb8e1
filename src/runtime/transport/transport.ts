/**
 * A rank's side of the rings: begins messages, which then move whenever they are looked after, and waits for them on the
 * rank's doorbell. The thread blocks while it waits, and nothing else happens on it; only while a kernel runs that leaves
 * the thread free do messages move from the event loop.
 */
import { MeshwrightError } from '../../errors.js';
import type { HostTensor } from '../kernels/family.js';
import type { Add } from '../sums/index.js';
import { createAdd } from '../sums/index.js';
import { createWhereabouts, Diary } from '../whereabouts.js';
import type { TransportMemory } from './memory.js';
import { bellWord, NOT_STOPPED, STOP_WORD, stoppedBy, waitingWord } from './memory.js';
import { Channel, Incoming, Outgoing } from './message.js';

declare global {
  interface Atomics {
    /** Of ES2024, in every Node that is supported. */
    waitAsync(
      words: Int32Array,
      index: number,
      value: number,
      timeoutMilliseconds: number,
    ): { readonly value: string | Promise<string> };
  }
}

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

/** A message; pieces are arrays of one kind, and one without elements is not sent. */
export interface Sending {
  readonly to: number;
  readonly pieces: readonly HostTensor[];
  /** How many of the exchange's messages have to be received before: those whose data it passes on. Default 0. */
  readonly after?: number;
}

export interface Receiving {
  readonly from: number;
  /** Arrays of one kind, filled in order. */
  readonly pieces: readonly HostTensor[];
  /** Where sums are wanted: the other term of each piece's, as long as it, which may be the piece itself. */
  readonly plus?: readonly HostTensor[];
}

/**
 * Messages that a rank sends and receives at the same time, each as large as it likes; those to or from one peer in the
 * order of the list.
 */
export interface Exchange {
  readonly sending: readonly Sending[];
  readonly receiving: readonly Receiving[];
}

/** Messages to one peer, or from one. */
class Flow<M extends Outgoing | Incoming> {
  readonly peer: number;
  readonly #messages: readonly M[];
  #next = 0;

  constructor(peer: number, messages: readonly M[]) {
    this.peer = peer;
    this.#messages = messages;
    this.#skip();
  }

  /** The message whose turn it is. */
  get current(): M | undefined {
    return this.#messages[this.#next];
  }

  /** How many have gone or come. */
  get past(): number {
    return this.#next;
  }

  /** @returns whether anything moved */
  advance(): boolean {
    const moved = this.current?.advance() ?? false;
    if (moved) this.#skip();
    return moved;
  }

  #skip(): void {
    while (this.current?.done === true) this.#next++;
  }
}

/** The list's elements by the peer they name, in their order. */
function byPeer<T, M extends Outgoing | Incoming>(
  list: readonly T[],
  peerOf: (one: T) => number,
  message: (one: T) => M,
): Flow<M>[] {
  const peers = [...new Set(list.map(peerOf))];
  return peers.map((peer) => new Flow(peer, list.filter((one) => peerOf(one) === peer).map(message)));
}

/** An exchange on its way. */
export class Transfer {
  readonly #outgoing: readonly Flow<Outgoing>[];
  readonly #incoming: readonly Flow<Incoming>[];
  readonly #ring: (peer: number) => void;

  constructor(outgoing: readonly Flow<Outgoing>[], incoming: readonly Flow<Incoming>[], ring: (peer: number) => void) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
    this.#ring = ring;
  }

  get done(): boolean {
    const isOver = ({ current }: Flow<Outgoing | Incoming>): boolean => current === undefined;
    return this.#outgoing.every(isOver) && this.#incoming.every(isOver);
  }

  /** Moves what there is room for, without waiting. @returns whether anything moved */
  advance(): boolean {
    let moved = false;
    for (const flow of this.#outgoing) if (this.#mayGo(flow) && this.#advance(flow)) moved = true;
    for (const flow of this.#incoming) if (this.#advance(flow)) moved = true;
    return moved;
  }

  /** What it still takes, for messages. */
  get awaited(): string {
    const going = this.#outgoing.filter((flow) => this.#mayGo(flow));
    const open = [...going, ...this.#incoming.filter(({ current }) => current !== undefined)];
    return open.map(({ peer, current }) => `rank ${peer} to ${current!.awaits}`).join(' and ');
  }

  #mayGo({ current }: Flow<Outgoing>): boolean {
    if (current === undefined) return false;
    let received = 0;
    for (const { past } of this.#incoming) received += past;
    return current.after <= received;
  }

  #advance(flow: Flow<Outgoing | Incoming>): boolean {
    const moved = flow.advance();
    if (moved) this.#ring(flow.peer);
    return moved;
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
    const outgoing = byPeer(
      sending,
      ({ to }) => to,
      ({ to, pieces, after }) => new Outgoing(this.#channel(this.#outgoing, to), pieces, after),
    );
    const incoming = byPeer(
      receiving,
      ({ from }) => from,
      ({ from, pieces, plus }) => {
        const terms = plus && { pieces: plus, add: this.#add };
        return new Incoming(this.#channel(this.#incoming, from), pieces, terms);
      },
    );
    return new Transfer(outgoing, incoming, (peer) => this.#ring(peer));
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

  /**
   * As `wait`, for work that leaves this thread free: moves what can be moved whenever a peer rings, and otherwise lets
   * the event loop go on.
   *
   * @returns the work's result
   * @throws what the work throws, and what `advance` does, once the work has ended
   */
  async beside<T>(work: Promise<T>, advance: () => boolean): Promise<T> {
    const bell = bellWord(this.rank);
    let isOver = false;
    const ended = work.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    try {
      Atomics.store(this.#control, waitingWord(this.rank), 1);
      while (!isOver) {
        const seen = Atomics.load(this.#control, bell);
        while (advance()) this.diary.moves();
        const { value } = Atomics.waitAsync(this.#control, bell, seen, SLEEP_MILLISECONDS);
        await Promise.race([ended, value]);
      }
    } finally {
      Atomics.store(this.#control, waitingWord(this.rank), 0);
      // Ends the last wait.
      Atomics.notify(this.#control, bell);
      await ended;
    }
    return work;
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
