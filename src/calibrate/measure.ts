/**
 * Times probes on this machine's devices, as a training step would run them: all ranks at once, with as many ranks as are
 * asked for in turn. A block is one turn of each number of ranks; what is measured in blocks that lie apart is put
 * together elsewhere.
 */
import { mean, median } from 'simple-statistics';
import { createMesh } from '../mesh/index.js';
import { DevicePool } from '../runtime/index.js';
import type { FamilyName, PoolRun } from '../runtime/index.js';
import type { OpProbe } from './probes.js';
import {
  AXIS,
  REFERENCE_ID,
  exchangeProgram,
  idleProgram,
  meetingProgram,
  probeProgram,
  timedAs,
} from './probe-program.js';

export interface MeasureRequest {
  readonly family: FamilyName;
  readonly threadsPerRank: number;
  /** Numbers of ranks, each in turn. */
  readonly ranks: readonly number[];
  readonly probes: readonly OpProbe[];
  /** Blocks that are there already, of so many. */
  readonly done: number;
  readonly blocks: number;
  /**
   * For all of it, from preparing on. Each block has at least one run of each probe on each number of ranks; blocks for
   * which no time is left are not measured, but for the first few.
   */
  readonly seconds: number;
  readonly workerUrl: URL;
  /** See `PoolOptions`. */
  readonly diaryFile: number | undefined;
}

/** What a span took, over the runs of a block and over ranks, in seconds. */
export interface Timed {
  readonly median: number;
  readonly mean: number;
}

/** What a number of ranks took in a block. */
export interface RankBlock {
  readonly ranks: number;
  /** By span id: probes, launches and collectives. */
  readonly spans: Readonly<Record<string, Timed>>;
  /** The reference kernel. */
  readonly reference: number;
  /** Steps of few and of many empty kernels: what they take beside their kernels. */
  readonly idle: readonly { readonly kernels: number; readonly seconds: number }[];
}

export interface Block {
  readonly block: number;
  readonly byRanks: readonly RankBlock[];
}

export type MeasureEvent =
  { readonly kind: 'phase'; readonly text: string } | { readonly kind: 'block'; readonly block: Block };

/** Steps of the host that are timed, in kernels each. */
const IDLE_KERNELS = [4, 104] as const;
const IDLE_RUNS = 4;
const EXCHANGES = 3;
const MEETING_RUNS = 2;
/** More in a block would leave the others too far apart. */
const MOST_ROUNDS = 12;

/** Of fewer a median could be any of them. */
export const FEWEST_BLOCKS = 3;

const isTimed = (id: string): boolean => !id.includes('#') && !id.startsWith('ids/');

/** One number of ranks: its pool, ready. */
class Bench {
  readonly ranks: number;
  readonly #pool: DevicePool;

  private constructor(ranks: number, pool: DevicePool) {
    this.ranks = ranks;
    this.#pool = pool;
  }

  static async open(ranks: number, request: MeasureRequest): Promise<Bench> {
    const { family, threadsPerRank, workerUrl, diaryFile, probes } = request;
    const mesh = createMesh({ [AXIS]: ranks });
    const pool = await DevicePool.create({ mesh, family, threadsPerRank, workerUrl, diaryFile });
    try {
      await pool.load('probes', probeProgram(mesh, probes));
      if (ranks > 1) {
        await pool.load('exchanges', exchangeProgram(mesh, ranks));
        await pool.load('meetings', meetingProgram(mesh, ranks));
      }
      for (const kernels of IDLE_KERNELS) await pool.load(`idle ${kernels}`, idleProgram(mesh, kernels));
      await pool.initialize(1);
      return new Bench(ranks, pool);
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  /** Every probe so many times. */
  async measure(rounds: number, signal: AbortSignal): Promise<RankBlock> {
    const times = new Map<string, number[]>();
    const collect = ({ spans }: PoolRun): void => {
      for (const { id: spanId, start, end } of spans.flat()) {
        const id = timedAs(spanId);
        const known = times.get(id);
        if (known === undefined) times.set(id, [end - start]);
        else known.push(end - start);
      }
    };
    const idle = await this.#idle(signal);
    for (let round = 0; round < rounds; round++) collect(await this.#pool.run('probes', { signal }));
    const reference = median(
      [...times].flatMap(([id, taken]) => (id.startsWith(REFERENCE_ID) && isTimed(id) ? taken : [])),
    );
    if (this.ranks > 1)
      for (let run = 0; run <= EXCHANGES; run++) {
        const done = await this.#pool.run('exchanges', { signal });
        // The first has the ranks find each other.
        if (run > 0) collect(done);
      }
    if (this.ranks > 1)
      for (let run = 0; run < MEETING_RUNS; run++) collect(await this.#pool.run('meetings', { signal }));
    const spans = [...times].flatMap(([id, taken]) =>
      isTimed(id) && !id.startsWith(REFERENCE_ID) ? [[id, { median: median(taken), mean: mean(taken) }] as const] : [],
    );
    return { ranks: this.ranks, spans: Object.fromEntries(spans), reference, idle };
  }

  async #idle(signal: AbortSignal): Promise<RankBlock['idle']> {
    const found: { kernels: number; seconds: number }[] = [];
    for (const kernels of IDLE_KERNELS) {
      const rests: number[] = [];
      for (let run = 0; run <= IDLE_RUNS; run++) {
        const start = performance.now();
        const { spans } = await this.#pool.run(`idle ${kernels}`, { signal });
        const taken = (performance.now() - start) / 1e3;
        const inSpans = spans.flat().reduce((sum, span) => sum + span.end - span.start, 0) / this.ranks;
        if (run > 0) rests.push(Math.max(0, taken - inSpans));
      }
      found.push({ kernels, seconds: median(rests) });
    }
    return found;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

/**
 * @param emit what is being done, and each block when it is whole
 * @throws MeshwrightError DEVICE_MISSING, DEVICE_FAILED, RANK_FAILED; the signal's reason between two numbers of ranks
 */
export async function measureDevices(
  request: MeasureRequest,
  emit: (event: MeasureEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { ranks, probes, done, blocks } = request;
  const end = performance.now() + 1e3 * request.seconds;
  const benches: Bench[] = [];
  try {
    for (const count of ranks) {
      emit({ kind: 'phase', text: `preparing ${probes.length} kernels on ${count} ${count === 1 ? 'rank' : 'ranks'}` });
      benches.push(await Bench.open(count, request));
      signal.throwIfAborted();
    }
    // What is run for the first time faults in its memory and fills caches; and it says how long a round takes.
    emit({ kind: 'phase', text: 'warming up' });
    const measured = async (bench: Bench, rounds: number): Promise<{ of: RankBlock; roundSeconds: number }> => {
      const start = performance.now();
      const of = await bench.measure(rounds, signal);
      return { of, roundSeconds: (performance.now() - start) / 1e3 / rounds };
    };
    const roundSeconds: number[] = [];
    for (const bench of benches) roundSeconds.push((await measured(bench, 1)).roundSeconds);
    for (let block = done; block < blocks; block++) {
      const left = Math.max(0, end - performance.now()) / 1e3;
      const shortest = roundSeconds.reduce((sum, one) => sum + one, 0);
      if (block >= FEWEST_BLOCKS && shortest > left) break;
      // As many rounds as all blocks have time for, so that each number of ranks has them alike.
      const rounds = Math.max(1, Math.min(MOST_ROUNDS, Math.floor(left / (blocks - block) / shortest)));
      const byRanks: RankBlock[] = [];
      for (const [index, bench] of benches.entries()) {
        const { of, roundSeconds: taken } = await measured(bench, rounds);
        roundSeconds[index] = taken;
        byRanks.push(of);
        signal.throwIfAborted();
      }
      emit({ kind: 'block', block: { block, byRanks } });
    }
  } finally {
    await Promise.all(benches.map((bench) => bench.close()));
  }
}
