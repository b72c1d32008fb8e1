/** The host's end of one rank: calls go out in order, replies come back in the same order, until the task is over. */
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { MeshwrightError } from '../errors.js';
import { messageOf } from './failure.js';
import type { RankReply, RankRequest } from './protocol.js';

interface Pending {
  readonly resolve: (reply: RankReply) => void;
  readonly reject: (error: Error) => void;
}

export class RankHandle {
  readonly rank: number;
  readonly #port: MessagePort;
  readonly #pending: Pending[] = [];
  readonly #whatItWasAt: () => string;
  #ended: Error | undefined;
  #isAbandoned = false;
  /** Settles when the rank's task is over, however it ended. */
  readonly task: Promise<void>;

  /** @param whatItWasAt the op, to name when the task ends early */
  constructor(rank: number, start: (port: MessagePort) => Promise<void>, whatItWasAt: () => string) {
    this.rank = rank;
    this.#whatItWasAt = whatItWasAt;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (reply: RankReply) => this.#pending.shift()?.resolve(reply));
    this.task = start(port2).then(
      () => this.#end(this.#place(), 'its task to run until it is closed', 'its end'),
      (error: unknown) => this.#end(this.#place(), 'the thread to live', messageOf(error)),
    );
  }

  /** Whether it owes a reply. */
  get isBusy(): boolean {
    return this.#pending.length > 0;
  }

  /** Whether nobody waits for it any more, though its thread may still run. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Gives up a rank that hangs: its calls fail, and none is made again. */
  abandon(place: string, expected: string, got: string): void {
    this.#isAbandoned = true;
    this.#end(place, expected, got);
  }

  /** The next reply: replies come in the order of the calls, the first one says that the rank is ready. */
  reply(): Promise<RankReply> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }));
  }

  /** @param transfer goes over to the rank: it is empty here afterwards */
  call(request: RankRequest, transfer: readonly ArrayBuffer[] = []): Promise<RankReply> {
    const reply = this.reply();
    if (!this.#ended) this.#port.postMessage(request, transfer);
    return reply;
  }

  #place(): string {
    const what = this.#whatItWasAt();
    return what === '' ? `rank ${this.rank}` : `rank ${this.rank}, ${what}`;
  }

  #end(place: string, expected: string, got: string): void {
    this.#ended ??= new MeshwrightError('RANK_FAILED', { place, expected, got });
    // Replies that were sent before the end are still on their way.
    setImmediate(() => {
      this.#port.close();
      for (const { reject } of this.#pending.splice(0)) reject(this.#ended!);
    });
  }
}
