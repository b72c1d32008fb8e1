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

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
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

/** Geometric means of neighbours, so that a long run is no longer than a short one. */
export function condense(series: readonly Slowness[], most: number): Slowness[] {
  const size = Math.ceil(series.length / most);
  if (size <= 1) return [...series];
  return Array.from({ length: Math.ceil(series.length / size) }, (_, index) => {
    const part = series.slice(index * size, (index + 1) * size);
    const ofRank = (rank: number): number | null =>
      orNull(
        part.flatMap(({ byRank }) => byRank[rank] ?? []),
        (values) => Math.exp(sum(values.map(Math.log)) / values.length),
      );
    return {
      firstStep: part[0]!.firstStep,
      lastStep: part.at(-1)!.lastStep,
      byRank: part[0]!.byRank.map((_, rank) => ofRank(rank)),
    };
  });
}
