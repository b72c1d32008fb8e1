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
  #ended: Error | undefined;
  /** Settles when the rank's task is over, however it ended. */
  readonly task: Promise<void>;

  constructor(rank: number, start: (port: MessagePort) => Promise<void>) {
    this.rank = rank;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (reply: RankReply) => this.#pending.shift()?.resolve(reply));
    this.task = start(port2).then(
      () => this.#end('its task to run until it is closed', 'its end'),
      (error: unknown) => this.#end('the thread to live', messageOf(error)),
    );
  }

  /** The next reply: replies come in the order of the calls, the first one says that the rank is ready. */
  reply(): Promise<RankReply> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }));
  }

  call(request: RankRequest): Promise<RankReply> {
    const reply = this.reply();
    if (!this.#ended) this.#port.postMessage(request);
    return reply;
  }

  #end(expected: string, got: string): void {
    this.#ended = new MeshwrightError('RANK_FAILED', { place: `rank ${this.rank}`, expected, got });
    // Replies that were sent before the end are still on their way.
    setImmediate(() => {
      this.#port.close();
      for (const { reject } of this.#pending.splice(0)) reject(this.#ended!);
    });
  }
}
