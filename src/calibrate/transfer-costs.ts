/** Latency and rate of exchanges between ranks, from collectives of several kinds and sizes. */
import type { CollectiveKind } from '../hardware/index.js';
import type { RankMeasurements } from './blocks.js';
import type { MeasuredCollective } from './probe-program.js';
import { EXCHANGED_ELEMENTS, MEASURED_COLLECTIVES, collectiveId } from './probe-program.js';
import { fitNonNegative } from './regression.js';

export interface TransferCosts {
  /** What a collective takes before it moves anything, in seconds. */
  readonly start: number;
  /** How many times as long as of the fastest a byte of each takes. */
  readonly efforts: Readonly<Partial<Record<CollectiveKind, number>>>;
  readonly byRanks: readonly {
    readonly ranks: number;
    /** Seconds for a byte that a rank sends, and for a message that it waits for. */
    readonly perByte: number;
    readonly latency: number;
    readonly repeatability: number;
  }[];
}

export interface Transfers {
  readonly secondsPerMessage: number;
  readonly secondsPerByte: number;
}

/** Latency and bandwidth of collectives; relative errors count, so that small messages weigh as much as large ones. */
export function fitTransfers(
  collectives: readonly { readonly messages: number; readonly bytes: number; readonly seconds: number }[],
): Transfers | undefined {
  if (collectives.length < 2) return undefined;
  const [secondsPerMessage, secondsPerByte] = fitNonNegative(
    collectives.map(({ messages, bytes, seconds: target }) => ({
      features: [messages, bytes],
      target,
      weight: 1 / target ** 2,
    })),
  ) as [number, number];
  return secondsPerByte > 0 ? { secondsPerMessage, secondsPerByte } : undefined;
}

interface Exchange {
  readonly name: MeasuredCollective;
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly repeatability: number;
}

const BYTES = 4;

/** The ring algorithms' counts: an all-reduce is a reduce-scatter and an all-gather. */
function exchangesOf(measured: RankMeasurements, cores: number): Exchange[] {
  const { ranks } = measured;
  return MEASURED_COLLECTIVES.flatMap((name) =>
    EXCHANGED_ELEMENTS.map((elements) => {
      const turns = name === 'all_reduce' ? 2 : 1;
      const id = collectiveId(name, elements);
      // Where ranks take turns on cores, the mean has their waits in it.
      const { value, repeatability } = ranks > cores ? measured.mean(id) : measured.median(id);
      const messages = turns * (ranks - 1);
      return { name, messages, bytes: (messages / ranks) * elements * BYTES, seconds: value, repeatability };
    }),
  );
}

/** Relative errors count, so that small messages weigh as much as large ones. */
const weightOf = ({ seconds }: Exchange): number => 1 / seconds ** 2;

/** @returns nothing where there is no number of ranks above one */
export function transferCosts(all: readonly RankMeasurements[], cores: number): TransferCosts | undefined {
  const several = all.filter(({ ranks }) => ranks > 1);
  const [first] = several;
  if (first === undefined) return undefined;
  const exchanges = exchangesOf(first, cores);
  const [start = 0, , ...slopes] = fitNonNegative(
    exchanges.map((exchange) => ({
      features: [
        1,
        exchange.messages,
        ...MEASURED_COLLECTIVES.map((name) => (name === exchange.name ? exchange.bytes : 0)),
      ],
      target: exchange.seconds,
      weight: weightOf(exchange),
    })),
  );
  const least = Math.min(...slopes.filter((slope) => slope > 0));
  const effortOf = (name: MeasuredCollective): number => {
    const slope = slopes[MEASURED_COLLECTIVES.indexOf(name)]!;
    return Number.isFinite(least) && slope > 0 ? slope / least : 1;
  };
  const byRanks = several.map((measured) => {
    const own = exchangesOf(measured, cores);
    const { secondsPerMessage: latency, secondsPerByte: perByte } = fitTransfers(
      own.map(({ name, messages, bytes, seconds }) => ({
        messages,
        bytes: bytes * effortOf(name),
        // No less than a tenth: a start that is all of it would leave nothing to fit relative errors of.
        seconds: Math.max(seconds - start, seconds / 10),
      })),
    ) ?? { secondsPerMessage: 0, secondsPerByte: 0 };
    const repeats = own.map(({ repeatability }) => repeatability).sort((a, b) => a - b);
    return { ranks: measured.ranks, latency, perByte, repeatability: repeats[repeats.length >> 1]! };
  });
  const efforts = Object.fromEntries(MEASURED_COLLECTIVES.map((name) => [name, effortOf(name)]));
  // What is passed on copies as a gather does.
  return { start, efforts: { ...efforts, permute: efforts['all_gather']! }, byRanks };
}
