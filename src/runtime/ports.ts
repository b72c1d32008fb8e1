/**
 * What passes between the stages of a pipeline while they compute: messages of one tensor, to and from ranks of other
 * stages. Those from a peer come in the order in which it sends them, which its order of slots says; they are received
 * as they come, but not far ahead of what is taken.
 */
import type { DType } from '../program/index.js';
import { Handle } from './handle.js';
import type { Memory } from './memory.js';
import type { Transfer, Transport } from './transport/index.js';

/** A message that will come. */
export interface Expected {
  readonly key: string;
  readonly dtype: DType;
  readonly length: number;
}

/** How many messages of a peer may wait to be taken before others of it are received that nobody waits for yet. */
const RECEIVED_AHEAD = 2;

interface Outgoing {
  readonly handle: Handle;
  readonly begun: () => void;
  readonly sent: (bytes: number) => void;
}

class Peer {
  readonly expected: Expected[] = [];
  readonly outgoing: Outgoing[] = [];
  incoming: { readonly key: string; readonly handle: Handle; readonly transfer: Transfer } | undefined;
  sending: { readonly message: Outgoing; readonly transfer: Transfer } | undefined;
  /** Received and not taken. */
  waiting = 0;
}

export class Ports {
  readonly #transport: Transport;
  readonly #memory: Memory;
  readonly #peers = new Map<number, Peer>();
  readonly #here = new Map<string, { readonly handle: Handle; readonly peer: Peer | undefined }>();
  #wanted: string | undefined;
  readonly #all: () => boolean;

  /** @param beside moves what else is under way with what is here, without waiting; see `advance` */
  constructor(transport: Transport, memory: Memory, beside?: () => boolean) {
    this.#transport = transport;
    this.#memory = memory;
    this.#all = beside ?? (() => this.advance());
  }

  #peer(rank: number): Peer {
    const peer = this.#peers.get(rank) ?? new Peer();
    this.#peers.set(rank, peer);
    return peer;
  }

  /** @param messages in the order in which the peer sends them */
  expect(rank: number, messages: readonly Expected[]): void {
    this.#peer(rank).expected.push(...messages);
  }

  /**
   * Starts to send a tensor, which is held until it has gone.
   *
   * @param begun called when its turn has come
   * @param sent called with the bytes when it has gone
   */
  send(rank: number, handle: Handle, begun: () => void, sent: (bytes: number) => void): void {
    this.#peer(rank).outgoing.push({ handle: handle.hold(), begun, sent });
  }

  /** Leaves a tensor for another part of the model on the same rank. */
  deliver(key: string, handle: Handle): void {
    this.#here.set(key, { handle: handle.hold(), peer: undefined });
  }

  /**
   * Waits for a message. @returns what came, held
   *
   * @throws RunStopped, see `Transport.wait`
   */
  take(key: string): Handle {
    this.#wanted = key;
    this.#transport.wait({
      advance: this.#all,
      isOver: () => this.#here.has(key),
      blame: () => ({ opId: key, awaited: this.#awaited() }),
    });
    this.#wanted = undefined;
    const { handle, peer } = this.#here.get(key)!;
    this.#here.delete(key);
    if (peer !== undefined) peer.waiting--;
    return handle;
  }

  /** Waits until everything has gone that was to be sent. */
  finish(): void {
    const isOver = (): boolean =>
      [...this.#peers.values()].every(({ sending, outgoing }) => sending === undefined && outgoing.length === 0);
    this.#transport.wait({
      advance: this.#all,
      isOver,
      blame: () => ({ opId: 'the end of the step', awaited: this.#awaited() }),
    });
  }

  /** Moves what can be moved without waiting. @returns whether anything moved */
  advance(): boolean {
    let moved = false;
    for (const [rank, peer] of this.#peers) {
      if (this.#advanceOutgoing(rank, peer)) moved = true;
      if (this.#advanceIncoming(rank, peer)) moved = true;
    }
    return moved;
  }

  #advanceOutgoing(rank: number, peer: Peer): boolean {
    const next = peer.sending === undefined ? peer.outgoing.shift() : undefined;
    if (next !== undefined) {
      const sending = [{ to: rank, pieces: [next.handle.data] }];
      peer.sending = { message: next, transfer: this.#transport.begin({ sending, receiving: [] }) };
      next.begun();
    }
    if (peer.sending === undefined) return false;
    const { message, transfer } = peer.sending;
    const moved = transfer.advance();
    if (transfer.done) {
      peer.sending = undefined;
      message.sent(message.handle.data.byteLength);
      message.handle.release();
    }
    return moved;
  }

  #advanceIncoming(rank: number, peer: Peer): boolean {
    const { expected } = peer;
    const isWanted = this.#wanted !== undefined && expected.some(({ key }) => key === this.#wanted);
    if (peer.incoming === undefined && (isWanted || peer.waiting < RECEIVED_AHEAD)) {
      const next = expected.shift();
      if (next === undefined) return false;
      const handle = Handle.allocate(this.#memory, next.dtype, next.length);
      const receiving = [{ from: rank, pieces: [handle.data] }];
      peer.incoming = { key: next.key, handle, transfer: this.#transport.begin({ sending: [], receiving }) };
    }
    if (peer.incoming === undefined) return false;
    const { key, handle, transfer } = peer.incoming;
    const moved = transfer.advance();
    if (transfer.done) {
      peer.incoming = undefined;
      peer.waiting++;
      this.#here.set(key, { handle: handle.hold(), peer });
    }
    return moved;
  }

  #awaited(): string {
    const open = [...this.#peers.values()].flatMap(({ incoming, sending }) => [
      ...(incoming === undefined ? [] : [incoming.transfer.awaited]),
      ...(sending === undefined ? [] : [sending.transfer.awaited]),
    ]);
    return open.length === 0 ? 'another stage' : open.join(' and ');
  }
}
