/** What the pool and its ranks say to each other. Everything here can be cloned between threads. */
import type { MessagePort } from 'node:worker_threads';
import type { Mesh } from '../mesh/index.js';
import type { Program } from '../program/index.js';
import type { Seconds } from '../units.js';
import type { PackedError } from './failure.js';
import type { StateValue } from './initialize.js';
import { isStack } from './initialize.js';
import type { FamilyName, HostTensor } from './kernels/family.js';
import type { Feeds, RankRun } from './rank.js';
import type { TransportMemory } from './transport/index.js';

/** What a rank's thread is started with. */
export interface RankTask {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly family: FamilyName;
  readonly threads: number;
  readonly memory: TransportMemory;
  readonly timeoutSeconds: number;
  readonly port: MessagePort;
}

interface Call<A, R> {
  readonly args: A;
  readonly result: R;
}

export interface RankCalls {
  load: Call<{ readonly name: string; readonly program: Program }, undefined>;
  initialize: Call<{ readonly seed: number }, undefined>;
  setState: Call<{ readonly key: string; readonly value: StateValue }, undefined>;
  readState: Call<{ readonly key: string }, StateValue>;
  run: Call<
    {
      readonly name: string;
      readonly feeds: Feeds;
      readonly outputs: readonly string[];
      readonly startedAt: Seconds;
    },
    RankRun
  >;
  /** The last call: the rank frees its kernels and its thread is given back. */
  close: Call<undefined, undefined>;
}

export type CallName = keyof RankCalls;
export type Args<K extends CallName> = RankCalls[K]['args'];
export type Result<K extends CallName> = RankCalls[K]['result'];

/** Calls are answered in the order they are made. */
export type RankRequest = { [K in CallName]: { readonly kind: K; readonly args: Args<K> } }[CallName];

export type RankReply =
  | { readonly ok: true; readonly result: Result<CallName> }
  /** `stopped`: somebody else failed, or the host wanted it. */
  | { readonly ok: false; readonly stopped: boolean; readonly error: PackedError };

/** A value to send to another thread. Cloning a view clones all the memory behind it, so parts are copied out first. */
export function portable(value: StateValue): StateValue {
  const one = (tensor: HostTensor): HostTensor =>
    tensor.byteLength === tensor.buffer.byteLength || tensor.buffer instanceof SharedArrayBuffer
      ? tensor
      : tensor.slice();
  return isStack(value) ? value.map(one) : one(value);
}
