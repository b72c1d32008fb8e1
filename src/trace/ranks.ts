/** What each rank did in a run, so that ranks can be told apart: the join with the simulation has only their mean. */
import { median } from 'simple-statistics';
import type { Lane, Mesh } from '../mesh/index.js';
import { coordinate, rankCount } from '../mesh/index.js';
import type { Phase } from '../program/index.js';
import { exposedTimes } from './exposure.js';
import type { MeasuredStep } from './measured.js';
import { typical } from './measured.js';
import type { Span, SpanKind } from './trace.js';

/** A span by rank; null of ranks that don't have it. */
export interface RankSpan {
  readonly id: string;
  readonly kind: SpanKind;
  readonly name: string;
  readonly phase: Phase;
  readonly axis?: Lane;
  /** Of one run, from its start to its end: the median over steps. */
  readonly medianSeconds: readonly (number | null)[];
  /** What all its runs add to a step, see `exposedTimes`: the mean over the steps that `summarizeSteps` takes. */
  readonly exposedSeconds: readonly (number | null)[];
}

/** How long ranks took for their kernels, over what their peers took for the same; null of a rank without peers. */
export interface Slowness {
  readonly firstStep: number;
  /** The same, unless several steps are taken together. */
  readonly lastStep: number;
  readonly byRank: readonly (number | null)[];
}

interface Times {
  readonly span: Span;
  readonly durations: number[][];
  readonly exposed: number[];
}

const orNull = (values: readonly number[], of: (values: readonly number[]) => number): number | null =>
  values.length === 0 ? null : of(values);

/** Every span of every rank, the host's too, in the order of the first step. */
export function spansByRank(steps: readonly MeasuredStep[]): RankSpan[] {
  const found = new Map<string, Times>();
  const taken = typical(steps, (step) => step.seconds);
  const ranks = Math.max(0, ...taken.map((step) => step.spansByRank.length));
  for (const step of taken) {
    step.spansByRank.forEach((spans, rank) => {
      const exposed = exposedTimes(spans);
      spans.forEach((span, index) => {
        let times = found.get(span.id);
        if (times === undefined) {
          const [durations, exposures] = [Array.from({ length: ranks }, () => []), Array<number>(ranks).fill(0)];
          found.set(span.id, (times = { span, durations, exposed: exposures }));
        }
        times.durations[rank]!.push(span.end - span.start);
        times.exposed[rank]! += exposed[index]!;
      });
    });
  }
  return [...found.values()].map(({ span: { id, kind, name, phase, axis }, durations, exposed }) => ({
    id,
    kind,
    name,
    phase,
    ...(axis === undefined ? {} : { axis }),
    medianSeconds: durations.map((own) => orNull(own, (values) => median([...values]))),
    exposedSeconds: exposed.map((total, rank) => orNull(durations[rank]!, () => total / taken.length)),
  }));
}

/** Ranks that compute the same: those of one stage. By rank, the others. */
export function peersOf(mesh: Mesh): number[][] {
  const ranks = Array.from({ length: rankCount(mesh) }, (_, rank) => rank);
  const stage = (rank: number): number => coordinate(mesh, rank, 'pipe');
  return ranks.map((rank) => ranks.filter((other) => other !== rank && stage(other) === stage(rank)));
}

/** What each kernel took a rank in a step, all its runs. */
function kernelTimes(spans: readonly Span[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { kind, id, start, end } of spans)
    if (kind === 'kernel') found.set(id, (found.get(id) ?? 0) + (end - start));
  return found;
}

/** A step's kernels of each rank against the median of its peers, kernel by kernel: waiting for others is no part of it. */
export function slownessOf(
  { step, spansByRank: spans }: Pick<MeasuredStep, 'step' | 'spansByRank'>,
  peers: readonly (readonly number[])[],
): Slowness {
  const times = spans.map(kernelTimes);
  const byRank = times.map((own, rank) => {
    let [mine, theirs] = [0, 0];
    for (const [id, taken] of own) {
      const others = peers[rank]!.flatMap((peer) => times[peer]!.get(id) ?? []);
      if (others.length === 0) continue;
      mine += taken;
      theirs += median(others);
    }
    return theirs > 0 ? mine / theirs : null;
  });
  return { firstStep: step, lastStep: step, byRank };
}

/** Steps that are taken together: of each rank the sum of logarithms, and of how many. */
interface Part {
  readonly firstStep: number;
  readonly lastStep: number;
  readonly byRank: readonly { readonly logs: number; readonly count: number }[];
}

const partOf = ({ firstStep, lastStep, byRank }: Slowness): Part => ({
  firstStep,
  lastStep,
  byRank: byRank.map((value) => (value === null ? { logs: 0, count: 0 } : { logs: Math.log(value), count: 1 })),
});

const joined = (first: Part, second: Part): Part => ({
  firstStep: first.firstStep,
  lastStep: second.lastStep,
  byRank: first.byRank.map(({ logs, count }, rank) => {
    const other = second.byRank[rank]!;
    return { logs: logs + other.logs, count: count + other.count };
  }),
});

const slownessIn = ({ firstStep, lastStep, byRank }: Part): Slowness => ({
  firstStep,
  lastStep,
  byRank: byRank.map(({ logs, count }) => (count === 0 ? null : Math.exp(logs / count))),
});

/**
 * How slow ranks were in the steps of a run, of bounded size however long that is: when it is full, neighbours become
 * their geometric mean, and so do as many steps from then on.
 */
export class SlownessSeries {
  readonly #most: number;
  /** Steps in each part. */
  #size = 1;
  #parts: Part[] = [];
  #pending: { readonly part: Part; readonly steps: number } | undefined;

  /** @param most parts that it may have, an even number */
  constructor(most: number) {
    this.#most = most;
  }

  /** @param step the one after those before it */
  add(step: Slowness): void {
    const before = this.#pending;
    const part = before === undefined ? partOf(step) : joined(before.part, partOf(step));
    const steps = (before?.steps ?? 0) + 1;
    this.#pending = steps < this.#size ? { part, steps } : undefined;
    if (this.#pending !== undefined) return;
    this.#parts.push(part);
    if (this.#parts.length < this.#most) return;
    this.#parts = Array.from({ length: this.#most / 2 }, (_, at) =>
      joined(this.#parts[2 * at]!, this.#parts[2 * at + 1]!),
    );
    this.#size *= 2;
  }

  /** In order; the last one may be of fewer steps. */
  get all(): Slowness[] {
    return [...this.#parts, ...(this.#pending === undefined ? [] : [this.#pending.part])].map(slownessIn);
  }
}
