/**
 * The join of a simulated and a measured step, by span id. One run of a kernel or a collective is compared by how long it
 * took; what a step's time is made of, by what each added to it, which of a collective is its exposed time.
 */
import { MeshwrightError } from '../errors.js';
import type { Lane } from '../mesh/index.js';
import type { Phase } from '../program/index.js';
import type { TimedSpan } from './measured.js';
import type { SpanKind } from './trace.js';

export interface JoinedSpan {
  readonly id: string;
  readonly kind: SpanKind;
  readonly name: string;
  readonly phase: Phase;
  readonly predictedSeconds: number;
  readonly measuredSeconds: number;
  /** What it adds to the step, see `exposedTimes`. */
  readonly predictedExposedSeconds: number;
  readonly measuredExposedSeconds: number;
  /** See `TimedSpan`. */
  readonly runs?: number;
  readonly sentBytes?: number;
  readonly axis?: Lane;
}

/** What the host does is no op of the program: it is part of what lies between spans. */
const ofProgram = (spans: readonly TimedSpan[]): TimedSpan[] => spans.filter(({ kind }) => kind !== 'host');

/**
 * Joins kernels and collectives.
 *
 * @throws MeshwrightError RUN_INVALID when the two are not of one program: an id of one that the other lacks, or a
 *   collective that sent other bytes than simulated
 */
export function joinSpans(simulated: readonly TimedSpan[], measured: readonly TimedSpan[]): JoinedSpan[] {
  const byId = new Map(ofProgram(simulated).map((span) => [span.id, span]));
  const joined = ofProgram(measured).map((span): JoinedSpan => {
    const twin = byId.get(span.id);
    byId.delete(span.id);
    if (twin === undefined) throw mismatch(span.id, 'a span that the simulation has too', 'none there');
    if (Math.abs((twin.sentBytes ?? 0) - (span.sentBytes ?? 0)) > 1) {
      throw mismatch(span.id, `${twin.sentBytes} bytes sent, as simulated`, `${span.sentBytes}`);
    }
    const { id, kind, name, phase } = span;
    const runs = span.runs === undefined ? {} : { runs: span.runs };
    const bytes = span.sentBytes === undefined ? {} : { sentBytes: span.sentBytes };
    return {
      id,
      kind,
      name,
      phase,
      predictedSeconds: twin.seconds,
      measuredSeconds: span.seconds,
      predictedExposedSeconds: twin.exposedSeconds,
      measuredExposedSeconds: span.exposedSeconds,
      ...runs,
      ...bytes,
      ...(span.axis === undefined ? {} : { axis: span.axis }),
    };
  });
  const [left] = byId.keys();
  if (left !== undefined) throw mismatch(left, 'a span that was measured too', 'none there');
  return joined;
}

const mismatch = (place: string, expected: string, got: string): MeshwrightError =>
  new MeshwrightError('RUN_INVALID', {
    place,
    expected,
    got,
    hint: 'the run and the simulation are of different programs, or the simulation takes algorithms for collectives that the trainer lacks (collectives in the stack profile)',
  });

export interface KindDifference {
  /** `forward kernels`, `all_reduce` … */
  readonly kind: string;
  /** What all of the kind add to the step. */
  readonly predictedSeconds: number;
  readonly measuredSeconds: number;
}

/**
 * Where a difference in step time comes from, largest first; what no span covers is `between spans`, with it a
 * pipeline's bubble. The kinds add up to the steps.
 */
export function differencesByKind(
  joined: readonly JoinedSpan[],
  step: { readonly predictedSeconds: number; readonly measuredSeconds: number },
): KindDifference[] {
  const kinds = new Map<string, { predictedSeconds: number; measuredSeconds: number }>();
  const rest = { ...step };
  for (const { kind, name, phase, ...span } of joined) {
    const { predictedExposedSeconds: predictedSeconds, measuredExposedSeconds: measuredSeconds } = span;
    const key = kind === 'collective' ? `${name} (${phase})` : `${phase} kernels`;
    const entry = kinds.get(key) ?? { predictedSeconds: 0, measuredSeconds: 0 };
    kinds.set(key, {
      predictedSeconds: entry.predictedSeconds + predictedSeconds,
      measuredSeconds: entry.measuredSeconds + measuredSeconds,
    });
    rest.predictedSeconds -= predictedSeconds;
    rest.measuredSeconds -= measuredSeconds;
  }
  const difference = ({ predictedSeconds, measuredSeconds }: Omit<KindDifference, 'kind'>) =>
    Math.abs(measuredSeconds - predictedSeconds);
  return [...kinds, ['between spans', rest] as const]
    .map(([kind, times]) => ({ kind, ...times }))
    .toSorted((a, b) => difference(b) - difference(a));
}
