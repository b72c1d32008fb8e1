/**
 * What a collective does on the links: channels that run side by side, each a list of rounds one after the other, each
 * round a pattern of flows that is repeated. A chip goes through a channel's steps on its own: it has done a step when it
 * has sent all it sends in it and got all it gets, and a flow starts once both its ends have come to its step.
 */
import type { AlgorithmName, OfferedAlgorithms } from '../../src/hardware/index.js';
import type { AxisName, HostLane } from '../../src/mesh/index.js';
import type { CollectiveName } from '../../src/program/index.js';
import type { Bytes, BytesPerSecond, Seconds } from '../../src/units.js';
import type { Paths } from './paths.js';

export { ALGORITHMS } from '../../src/hardware/index.js';
export type { AlgorithmName } from '../../src/hardware/index.js';

export interface Flow {
  readonly from: number;
  readonly to: number;
  /** Of the round's bytes. */
  readonly share: number;
  /** Of the way, where a switch in the middle adds up what comes up or copies what goes down. */
  readonly half?: 'up' | 'down';
  /** Between a chip, which both ends are, and its host, or within that. */
  readonly host?: HostLane;
}

/** What decides how long a pattern takes: `latency` and then `share` of its bytes at `rate`. */
export interface SlowestFlow {
  readonly latency: Seconds;
  readonly share: number;
  readonly rate: BytesPerSecond;
}

/** `latency` and `perByte` for each of a pattern's bytes, both in seconds. */
export interface Bound {
  readonly latency: number;
  readonly perByte: number;
}

/** What each link carries, in multiples of a pattern's bytes. */
export interface LinkShares extends Iterable<readonly [link: number, share: number]> {
  /** @param carried by link; what it carries of so many bytes of the pattern is added */
  addTo(carried: Float64Array, bytes: number): void;
}

/**
 * Flows of all groups of the machine that start at once. It is worked out when anything but `bounds` is asked for, and then
 * scales with the bytes.
 */
export interface Pattern {
  readonly flows: readonly Flow[];
  /** The links of each flow, by index in the machine's fabric. */
  readonly paths: Paths;
  /** Flows of one kind have the same share, and take equally long where nothing else is on the links. */
  readonly kinds: readonly SlowestFlow[];
  /** Of each flow, its place among `kinds`. */
  readonly kindOf: Int32Array;
  /** What it surely takes: the most of these. Known before it is worked out. */
  readonly bounds: readonly Bound[];
  /** Where nothing else is on the links: the flow that ends last. */
  slowest(bytes: number): SlowestFlow;
  /** Of large messages. */
  readonly bottleneck: SlowestFlow;
  /** Whether every chip takes part and as long as any other, so that one stands for all of them exactly. */
  readonly even: boolean;
  /** Whether all flows leave their links at once, where nothing else is on them. */
  readonly together: boolean;
  readonly linkShares: LinkShares;
  /** What a chip itself sends and gets on the average, in multiples of the pattern's bytes. */
  readonly chipShares: ChipShares;
}

/** What a chip passes on without it reaching its memory counts for none; of a switch that copies or adds up, its own side. */
export interface ChipShares {
  readonly sent: number;
  readonly got: number;
}

/** A pattern that runs `steps` times, one after the other, with as many bytes each. */
export interface Round {
  readonly pattern: Pattern;
  readonly steps: number;
  readonly bytes: Bytes;
  /** Of what a chip gets, the part that it adds to what it has: 0 to 1. */
  readonly summed: number;
  /** At least 1, which it is where absent: how many times as long as its bytes should it has its links. */
  readonly effort?: number;
  /** Instead of what its flows' way takes, where given. */
  readonly latency?: Seconds;
}

/** Rounds one after the other. */
export type Channel = readonly Round[];

export interface CollectiveSchedule {
  readonly algorithm: AlgorithmName;
  /** Side by side; the collective is done when all are. */
  readonly channels: readonly Channel[];
}

export interface CollectiveRequest {
  readonly name: CollectiveName;
  readonly axis: AxisName;
  /** What each rank holds before, of all the tensors together. */
  readonly heldBytes: Bytes;
  /** Of a `permute`: what each tensor holds and how far it moves along the axis; their bytes add up to `heldBytes`. */
  readonly shifts?: readonly { readonly by: number; readonly bytes: Bytes }[];
}

/** From which place along an axis to which. */
export type Ways = readonly (readonly [from: number, to: number])[];

export interface TransferRequest {
  readonly axis: AxisName;
  readonly ways: Ways;
  /** On each way, from each chip that is at its beginning. */
  readonly bytes: Bytes;
}

export interface SharedRates {
  /**
   * Of each pattern, in the order asked: the rate at which a flow of the share of the pattern's `bottleneck` goes, so
   * that b bytes take b · bottleneck.share / rate. Where the pattern shares no link: the bottleneck's own.
   */
  readonly rates: readonly BytesPerSecond[];
  /** Whether flows that take equally long alone still do: if not, one chip no longer stands for all. */
  readonly even: boolean;
}

export interface Sharing {
  /** Found by the list of patterns; no more than a look-up for each pattern when asked again. */
  sharedRates(patterns: readonly Pattern[]): SharedRates;
  /** Whether any link is used by both. */
  overlap(a: Pattern, b: Pattern): boolean;
}

export interface NetworkOptions {
  /** Fixed for a collective, whatever its axis. */
  readonly algorithms?: Readonly<Partial<Record<CollectiveName, AlgorithmName>>>;
  /** Taken wherever it applies. */
  readonly preferred?: AlgorithmName;
  /** What the stack's library has for a collective; all where absent, or where none of them applies to an axis. */
  readonly offered?: OfferedAlgorithms;
}

export interface Network {
  /**
   * The schedule that is done first where nothing else is on the links, or that of the algorithm that was asked for.
   *
   * @throws MeshwrightError PLAN_INVALID when the algorithm that was asked for does not apply to the axis
   */
  collective(request: CollectiveRequest): CollectiveSchedule;
  /** Transfers along an axis, in all groups at once. */
  transfer(request: TransferRequest): CollectiveSchedule;
  /** Every chip's to its host, from it, or what its host reads and writes for it; of machines with links to hosts. */
  host(way: HostLane, bytes: Bytes): CollectiveSchedule;
  /** Of the machine, the same for all its networks. */
  readonly sharing: Sharing;
}
