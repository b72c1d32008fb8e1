/** What the pool and its ranks say to each other. Everything here can be cloned between threads. */
import type { MessagePort } from 'node:worker_threads';
import type { Mesh } from '../mesh/index.js';
import type { DType, Program } from '../program/index.js';
import type { Seconds } from '../units.js';
import type { PackedError } from './failure.js';
import type { StateValue } from './initialize.js';
import { isStack } from './initialize.js';
import type { FamilyName, HostTensor } from './kernels/family.js';
import { dtypeOf, viewOf } from './kernels/tensors.js';
import type { Feeds } from './adopt.js';
import type { Inspection } from './inspector.js';
import type { RankRun } from './rank.js';
import type { StageTask } from './stage-task.js';
import type { TransportMemory } from './transport/index.js';

/** What a rank's thread is started with. */
export interface RankTask {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly family: FamilyName;
  readonly threads: number;
  readonly memory: TransportMemory;
  /** See `createWhereabouts`. */
  readonly whereabouts: SharedArrayBuffer;
  /** See `awakeClock`. */
  readonly awake: SharedArrayBuffer;
  /** See `Diary`. */
  readonly diaryFile: number | undefined;
  readonly port: MessagePort;
}

interface Call<A, R> {
  readonly args: A;
  readonly result: R;
}

export interface RankCalls {
  load: Call<{ readonly name: string; readonly program: Program }, undefined>;
  loadStage: Call<{ readonly name: string; readonly task: StageTask }, undefined>;
  initialize: Call<{ readonly seed: number }, undefined>;
  setState: Call<{ readonly key: string; readonly value: Portable }, undefined>;
  readState: Call<{ readonly key: string; readonly element?: number | undefined }, Portable>;
  writeState: Call<{ readonly key: string; readonly element: number | undefined; readonly value: Portable }, undefined>;
  run: Call<
    {
      readonly name: string;
      readonly feeds: PortableFeeds;
      readonly outputs: readonly string[];
      readonly startedAt: Seconds;
      readonly inspection: Inspection | undefined;
    },
    PortableRun
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

/** A tensor on its way to another thread; a clone of an array of halves is an array of whole numbers. */
interface Parcel {
  readonly dtype: DType;
  readonly elements: HostTensor;
}

/** A value to send to another thread. */
export type Portable = Parcel | readonly Parcel[];
export type PortableFeeds = Readonly<Record<string, number | Portable>>;
export type PortableRun = Omit<RankRun, 'outputs'> & { readonly outputs: Readonly<Record<string, Portable>> };

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));

/**
 * Cloning a view clones all the memory behind it, so parts are copied out first.
 *
 * @param copies gets what was made for it, to be transferred: nobody else has it, and it would be garbage here
 */
export function pack(value: StateValue, copies: ArrayBuffer[]): Portable {
  const one = (tensor: HostTensor): Parcel => {
    const dtype = dtypeOf(tensor);
    const isWhole = tensor.byteLength === tensor.buffer.byteLength || tensor.buffer instanceof SharedArrayBuffer;
    if (isWhole) return { dtype, elements: tensor };
    const elements = tensor.slice();
    copies.push(elements.buffer);
    return { dtype, elements };
  };
  return isStack(value) ? value.map(one) : one(value);
}

export function unpack(portable: Portable): StateValue {
  const one = ({ dtype, elements: { buffer, byteOffset, length } }: Parcel): HostTensor =>
    viewOf(dtype, buffer, byteOffset, length);
  return 'dtype' in portable ? one(portable) : portable.map(one);
}

export const packFeeds = (feeds: Feeds, copies: ArrayBuffer[]): PortableFeeds =>
  mapValues(feeds, (feed) => (typeof feed === 'number' ? feed : pack(feed, copies)));

export const unpackFeeds = (feeds: PortableFeeds): Feeds =>
  mapValues(feeds, (feed) => (typeof feed === 'number' ? feed : unpack(feed)));

export const packRun = (run: RankRun, copies: ArrayBuffer[]): PortableRun => ({
  ...run,
  outputs: mapValues(run.outputs, (output) => pack(output, copies)),
});

export const unpackRun = (run: PortableRun): RankRun => ({ ...run, outputs: mapValues(run.outputs, unpack) });
