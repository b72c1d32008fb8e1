/** Rows of a step for a report: of a chip its kernels, its collectives over each axis and its host; of a pipeline its stages. */
import { HOST_LANES, MESH_AXES } from '../mesh/index.js';
import type { Lane, LaneSpan, Lanes } from '../report/index.js';
import type { Span } from '../trace/index.js';
import { MOST_RUNS, pipelineSpans, pipelineTrace, ticks, toSeconds } from '../../sim/index.js';
import type { Assessment, PipelineAssessment } from './assess.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';
import { opOf } from './kernel-costs.js';

/** More rows are no longer told apart. */
const MOST_LANES = 32;

/** A kernel's colour, and what its time is made of before anything slows it down. */
export type KernelMix = Required<Pick<LaneSpan, 'category' | 'parts'>>;

/** By op id. */
export function kernelMixes(assessment: AnyAssessment): ReadonlyMap<string, KernelMix> {
  const plans = isOfPipeline(assessment)
    ? assessment.execution.stages.flatMap(({ uses }) => uses.map(({ run }) => run.plan))
    : [assessment.execution.plan];
  return new Map(
    plans.flatMap(({ kernels }) =>
      kernels.map(({ op, byCategory }): [string, KernelMix] => {
        const parts = Object.entries(byCategory)
          .filter(([, taken]) => taken > 0)
          .map(([category, taken]): [string, number] => [
            op.phase === 'optimizer' ? 'optimizer' : category,
            toSeconds(ticks(taken)),
          ]);
        const [most] = parts.toSorted(([, a], [, b]) => b - a);
        return [op.id, { category: most?.[0] ?? 'overhead', parts }];
      }),
    ),
  );
}

const laneSpan = ({ id, start, end }: Pick<Span, 'id' | 'start' | 'end'>, category: string): LaneSpan => ({
  id,
  start,
  end,
  category,
});

const byStart = (a: LaneSpan, b: LaneSpan): number => a.start - b.start;

/** One chip's rows: kernels first, then axes in their usual order, then the host. */
export function lanesOfChip(spans: readonly Span[], mixes: ReadonlyMap<string, KernelMix>, prefix = ''): Lane[] {
  const lanes = new Map<string, LaneSpan[]>();
  const add = (lane: string, span: LaneSpan): void => {
    const before = lanes.get(lane);
    if (before === undefined) lanes.set(lane, [span]);
    else before.push(span);
  };
  for (const span of spans) {
    if (span.kind === 'collective') add(span.axis ?? 'collectives', laneSpan(span, span.axis ?? 'other'));
    else if (span.kind === 'host') add('host', laneSpan(span, 'host'));
    else add('kernels', { ...laneSpan(span, 'kernel'), ...mixes.get(opOf(span.id)) });
  }
  return ['kernels', ...MESH_AXES, ...HOST_LANES, 'collectives', 'host'].flatMap((name) => {
    const found = lanes.get(name);
    return found === undefined ? [] : [{ name: `${prefix}${name}`, spans: found.toSorted(byStart) }];
  });
}

/** What is between spans, of the stage's time, is its bubble. */
function withBubbles(spans: readonly LaneSpan[], seconds: number): LaneSpan[] {
  const filled: LaneSpan[] = [];
  let at = 0;
  const fill = (to: number): void => {
    // Less is rounding.
    if (to - at > seconds * 1e-9) filled.push({ id: 'bubble', start: at, end: to, category: 'bubble' });
  };
  for (const span of spans) {
    fill(span.start);
    filled.push(span);
    at = Math.max(at, span.end);
  }
  fill(seconds);
  return filled;
}

/** When the last of them ends. */
export const endOf = (spans: readonly { readonly end: number }[]): number =>
  spans.reduce((last, { end }) => Math.max(last, end), 0);

function lanesOfPipeline({ execution, machine, simulation }: PipelineAssessment): Lanes {
  const { spans } = pipelineTrace(execution, machine);
  const { slowestStage, byStage } = simulation.pipeline;
  const stages = new Map<number, LaneSpan[]>();
  for (const span of spans) {
    const category = span.kind === 'host' ? 'host' : span.name;
    const before = stages.get(span.rank);
    if (before === undefined) stages.set(span.rank, [laneSpan(span, category)]);
    else before.push(laneSpan(span, category));
  }
  const seconds = endOf(spans);
  const all = [...stages].toSorted(([a], [b]) => a - b).map(([, own]) => own);
  const every = Math.ceil(all.length / MOST_LANES);
  const lanes = all.flatMap((own, stage): Lane[] =>
    stage % every === 0 || stage === slowestStage
      ? [{ name: `stage ${stage}`, spans: withBubbles(own.toSorted(byStart), seconds) }]
      : [],
  );
  const runs = execution.stages.reduce(
    (total, { uses }) =>
      total +
      uses.reduce((sum, { run, count }) => sum + count * (run.plan.kernels.length + run.plan.collectives.length), 0),
    0,
  );
  const isFew = runs <= MOST_RUNS;
  const detail = isFew
    ? lanesOfChip(
        pipelineSpans(execution, machine)[slowestStage]!,
        kernelMixes({ execution, machine, simulation } as PipelineAssessment),
        `${slowestStage}: `,
      )
    : [];
  const note = [
    isFew ? `Below the stages, stage ${slowestStage}, the busiest of ${byStage.length}, kernel by kernel.` : '',
    every > 1 ? `Every ${every}th stage is drawn, and the busiest.` : '',
    'It is one step alone; steps that follow each other begin before the last stage has ended.',
  ]
    .filter((one) => one !== '')
    .join(' ');
  return { lanes: [...lanes, ...detail], seconds, note };
}

function lanesOfStep(assessment: Assessment): Lanes {
  const { trace, unfolded } = assessment.execution;
  const rank = unfolded?.lastRank ?? trace.spans[0]?.rank ?? 0;
  const spans = trace.spans.filter((span) => span.rank === rank);
  const lanes = lanesOfChip(spans, kernelMixes(assessment));
  const note = unfolded === undefined ? {} : { note: `Of chip ${unfolded.lastChip}, which ends last.` };
  return { lanes, seconds: toSeconds(assessment.execution.duration), ...note };
}

/** Null where there are too many kernels and collectives. @param runs of them */
export function lanesOf(assessment: AnyAssessment, runs: number): Lanes | null {
  if (isOfPipeline(assessment)) return lanesOfPipeline(assessment);
  return runs > MOST_RUNS ? null : lanesOfStep(assessment);
}
