/**
 * The device pool: one worker thread a rank, each running one task from `create` to `close`. A rank that fails stops
 * the others and leaves state behind that is incomplete, so a pool whose run failed can only be closed.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { MeshwrightError } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import { axisSize, coordinate, rankCount } from '../mesh/index.js';
import type { Pipeline, Program } from '../program/index.js';
import { invalid } from '../program/index.js';
import type { Schedule } from '../program/schedules/index.js';
import type { Span } from '../trace/index.js';
import { seconds } from '../units.js';
import type { Seconds } from '../units.js';
import { AwakeTime, LOOK_MILLISECONDS } from './awake.js';
import type { Clock } from './clock.js';
import { createClock } from './clock.js';
import { unpackError } from './failure.js';
import { GarbageCollector } from './garbage.js';
import type { StateValue } from './initialize.js';
import type { Inspection, NonFinite } from './inspector.js';
import { earliest } from './inspector.js';
import type { FamilyName, HostTensor } from './kernels/family.js';
import { prepareProcess } from './kernels/index.js';
import type { Args, CallName, RankReply, RankRequest, RankTask, Result } from './protocol.js';
import { pack, packFeeds, unpack, unpackRun } from './protocol.js';
import { RankHandle } from './rank-handle.js';
import type { Feeds } from './adopt.js';
import { stageTasks } from './stage-task.js';
import type { ChannelTraffic, TransportMemory } from './transport/index.js';
import { createTransportMemory, stopAll, traffic } from './transport/index.js';
import type { Patience } from './watchdog.js';
import { Watchdog } from './watchdog.js';
import { createWhereabouts, readWhereabouts } from './whereabouts.js';

export interface PoolOptions {
  readonly mesh: Mesh;
  readonly family: FamilyName;
  /** Threads that each rank's kernels may use. */
  readonly threadsPerRank: number;
  /** The compiled worker module, `cli/rank-worker.js`: workers run JavaScript. */
  readonly workerUrl: URL;
  /** When a rank is said to hang. */
  readonly patience?: Patience;
  /** Where the ranks write which kernel they are in, see `Diary`. */
  readonly diaryFile?: number | undefined;
  /** Capacity of each ring between two ranks, see `TransportOptions`. */
  readonly ringBytes?: number;
  /** False forms the sums of collectives in plain loops even where there is SIMD. */
  readonly simd?: boolean;
}

export interface RunOptions {
  /** Values of the data inputs, one record a rank or a function of the rank. */
  readonly feeds?: readonly Feeds[] | ((rank: number) => Feeds);
  /** Names of the outputs to bring back; the state that a program replaces stays on the ranks either way. */
  readonly outputs?: readonly string[];
  /** Looks for numbers that are not finite; the run is slower then. */
  readonly inspection?: Inspection | undefined;
  /** Stops the ranks between kernels; the run rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface PoolRun {
  /** By rank. */
  readonly outputs: readonly Readonly<Record<string, StateValue>>[];
  /** By rank; times count from the start of the step. */
  readonly spans: readonly (readonly Span[])[];
  /** From the start of the step until the last rank was done. */
  readonly seconds: Seconds;
  /** The first that there was on any rank, where they looked. */
  readonly nonFinite?: NonFinite | undefined;
}

/** Looks again this often before a thread sleeps: waking one takes longer. Only where every rank has a core. */
const SPINS = 4000;

/**
 * Of each rank's young JavaScript objects, which die with their kernel. Without a limit memory went up and down by 30 MB
 * over hundreds of steps of vit-tiny, as V8 lets it grow to 48 MB a thread before it looks what is still used.
 */
const YOUNG_MEGABYTES = 8;

export class DevicePool {
  readonly mesh: Mesh;
  readonly #piscina: Piscina;
  readonly #memory: TransportMemory;
  readonly #ranks: readonly RankHandle[];
  readonly #clock: Clock = createClock();
  readonly #awake = new AwakeTime(this.#clock);
  readonly #whereabouts: SharedArrayBuffer;
  readonly #watchdog: Watchdog;
  readonly #garbage = new GarbageCollector();
  readonly #looking: NodeJS.Timeout;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  private constructor({ mesh, family, threadsPerRank, workerUrl, patience, diaryFile, ...transport }: PoolOptions) {
    const count = rankCount(mesh);
    this.mesh = mesh;
    this.#memory = createTransportMemory(mesh, count, {
      spins: count * threadsPerRank <= availableParallelism() ? SPINS : 0,
      ...transport,
    });
    this.#piscina = new Piscina({
      filename: workerUrl.href,
      minThreads: count,
      maxThreads: count,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    // A thread that can't start may leave its task waiting and only be heard of here.
    const broken = new Promise<never>((_, reject) => this.#piscina.on('error', reject));
    // Without a task left to end it is no news.
    broken.catch(() => undefined);
    const whereabouts = createWhereabouts(count);
    const awake = this.#awake.memory;
    this.#whereabouts = whereabouts;
    this.#ranks = Array.from({ length: count }, (_, rank) => {
      const task = { mesh, rank, family, threads: threadsPerRank, memory: this.#memory, whereabouts, awake, diaryFile };
      return new RankHandle(
        rank,
        (port) =>
          Promise.race([this.#piscina.run({ ...task, port } satisfies RankTask, { transferList: [port] }), broken]),
        () => readWhereabouts(whereabouts)[rank]!.what,
      );
    });
    this.#watchdog = new Watchdog(patience);
    this.#looking = setInterval(() => this.#look(), LOOK_MILLISECONDS).unref();
  }

  /** Gives up a rank that hangs. */
  #look(): void {
    const passed = this.#awake.look();
    const busy = new Set(this.#ranks.filter(({ isBusy }) => isBusy).map(({ rank }) => rank));
    const verdict = this.#watchdog.look(readWhereabouts(this.#whereabouts), busy, passed);
    if (verdict === undefined) return;
    const { rank, place, expected, got } = verdict;
    this.#ranks[rank]!.abandon(place, expected, got);
  }

  /** @throws MeshwrightError DEVICE_MISSING where the kernel family can't be had, RANK_FAILED where a thread ends */
  static async create(options: PoolOptions): Promise<DevicePool> {
    await prepareProcess(options.family, { ranks: rankCount(options.mesh), threadsPerRank: options.threadsPerRank });
    const pool = new DevicePool(options);
    try {
      await pool.#gather(pool.#ranks.map((rank) => rank.reply()));
      return pool;
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  /** Compiles a program on every rank, to be run by `name`; see `Rank.load` for what is thrown. */
  async load(name: string, program: Program): Promise<void> {
    await this.#callAll('load', () => ({ name, program }));
  }

  /**
   * As `load`, a pipeline over the mesh's axis `pipe`. A run feeds the batch as a list of microbatches, and brings back an
   * output from the ranks of the stages that have it.
   */
  async loadPipeline(name: string, pipeline: Pipeline, schedule: Schedule): Promise<void> {
    const tasks = stageTasks(pipeline, schedule);
    if (tasks.length !== axisSize(this.mesh, 'pipe'))
      throw invalid(name, `${axisSize(this.mesh, 'pipe')} stages, as the mesh has`, String(tasks.length));
    await this.#callAll('loadStage', (rank) => ({ name, task: tasks[coordinate(this.mesh, rank, 'pipe')]! }));
  }

  /** Gives the parameters of all loaded programs their initial values; the same ones on any mesh. */
  async initialize(seed: number): Promise<void> {
    await this.#callAll('initialize', () => ({ seed }));
  }

  /** @param values one a rank: what it is to hold under `key` (`parameter:NAME`, `optimizer:NAME:SLOT`) */
  async setState(key: string, values: readonly StateValue[]): Promise<void> {
    const copies = this.#ranks.map((): ArrayBuffer[] => []);
    await this.#call(this.#ranks, 'setState', (rank) => ({ key, value: pack(values[rank]!, copies[rank]!) }), copies);
  }

  /** What each rank holds under `key`; of a stage's parameter, each rank of that stage. */
  async readState(key: string, stage = 0): Promise<StateValue[]> {
    const own = this.#ranks.filter(({ rank }) => coordinate(this.mesh, rank, 'pipe') === stage);
    return (await this.#call(own, 'readState', () => ({ key }))).map(unpack);
  }

  /**
   * What some ranks hold under `key`, in their order.
   *
   * @param element of a stack; the tensor itself where it is none
   */
  async readElement(ranks: readonly number[], key: string, element: number | undefined): Promise<HostTensor[]> {
    const parts = await this.#call(this.#some(ranks), 'readState', () => ({ key, element }));
    return parts.map((part) => unpack(part) as HostTensor);
  }

  /** Overwrites what some ranks hold, see `readElement`; `values` has one for each of them, of the type that is held. */
  async writeElement(
    ranks: readonly number[],
    key: string,
    element: number | undefined,
    values: readonly HostTensor[],
  ): Promise<void> {
    const copies = ranks.map((): ArrayBuffer[] => []);
    const argsOf = (rank: number) => {
      const at = ranks.indexOf(rank);
      return { key, element, value: pack(values[at]!, copies[at]!) };
    };
    await this.#call(this.#some(ranks), 'writeState', argsOf, copies);
  }

  #some(ranks: readonly number[]): RankHandle[] {
    return ranks.map((rank) => this.#ranks[rank]!);
  }

  /**
   * Runs a loaded program on all ranks.
   *
   * @throws MeshwrightError RANK_FAILED naming rank and op, with its cause, where one failed, died or hangs
   */
  async run(name: string, { feeds = [], outputs = [], signal, inspection }: RunOptions = {}): Promise<PoolRun> {
    signal?.throwIfAborted();
    const feed = (rank: number): Feeds => (typeof feeds === 'function' ? feeds(rank) : (feeds[rank] ?? {}));
    const copies = this.#ranks.map((): ArrayBuffer[] => []);
    const perRank = this.#ranks.map(({ rank }) => packFeeds(feed(rank), copies[rank]!));
    const stop = (): void => stopAll(this.#memory.control);
    signal?.addEventListener('abort', stop);
    try {
      const startedAt = this.#clock();
      const run = (rank: number) => ({ name, feeds: perRank[rank]!, outputs, startedAt, inspection });
      const replies = await this.#call(this.#ranks, 'run', run, copies);
      // Ranks that were done before they saw the flag: what the caller gave up stays given up.
      signal?.throwIfAborted();
      const runs = replies.map(unpackRun);
      return {
        outputs: runs.map((run) => run.outputs),
        spans: runs.map((run) => run.spans),
        seconds: seconds(Math.max(...runs.map((run) => run.end))),
        nonFinite: earliest(runs.map((run) => run.nonFinite)),
      };
    } catch (error) {
      this.#failure ??= error as Error;
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#garbage.collect();
    }
  }

  /** Bytes sent so far between each pair of ranks that share an axis. */
  bytesSent(): ChannelTraffic[] {
    return traffic(this.#memory);
  }

  /**
   * Asks the ranks to stop, waits until they have, and only then ends their threads: ending one during a kernel would
   * abort the process. It waits as long as the kernel that runs takes. Where a rank hangs the threads are left to the
   * process, which is to be killed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    stopAll(this.#memory.control);
    await Promise.allSettled(this.#ranks.map((rank) => rank.call({ kind: 'close', args: undefined })));
    clearInterval(this.#looking);
    if (this.#ranks.some(({ isAbandoned }) => isAbandoned)) return;
    await Promise.all(this.#ranks.map(({ task }) => task));
    await this.#piscina.destroy();
  }

  #callAll<K extends CallName>(kind: K, argsOf: (rank: number) => Args<K>): Promise<Result<K>[]> {
    return this.#call(this.#ranks, kind, argsOf);
  }

  async #call<K extends CallName>(
    ranks: readonly RankHandle[],
    kind: K,
    argsOf: (rank: number) => Args<K>,
    transfers: readonly (readonly ArrayBuffer[])[] = [],
  ): Promise<Result<K>[]> {
    if (this.#failure) throw this.#failure;
    const replies = ranks.map((rank, index) => {
      const args = argsOf(rank.rank);
      return rank.call({ kind, args } as RankRequest, transfers[index]);
    });
    return (await this.#gather(replies, ranks)) as Result<K>[];
  }

  /** All results, or the first failure that is a rank's own: those that only stopped wait for it. */
  #gather(replies: readonly Promise<RankReply>[], ranks = this.#ranks): Promise<Result<CallName>[]> {
    return new Promise((resolve, reject) => {
      const results = new Array<Result<CallName>>(replies.length);
      let waiting = replies.length;
      let stopped: Error | undefined;
      const settle = (): void => {
        if (--waiting > 0) return;
        if (stopped) reject(stopped);
        else resolve(results);
      };
      replies.forEach((promise, index) => {
        const { rank } = ranks[index]!;
        promise.then(
          (reply) => {
            if (reply.ok) results[index] = reply.result;
            else if (reply.stopped) stopped ??= interrupted(rank, unpackError(reply.error));
            else reject(unpackError(reply.error));
            settle();
          },
          (error: unknown) => {
            stopAll(this.#memory.control, rank);
            reject(error as Error);
          },
        );
      });
    });
  }
}

const interrupted = (rank: number, cause: Error): MeshwrightError =>
  new MeshwrightError(
    'DEVICE_FAILED',
    { place: `rank ${rank}`, expected: 'the run to go on', got: cause.message },
    { cause },
  );
