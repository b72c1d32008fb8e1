/** `ranks.json`: what each rank of a run did, beside what is predicted of it. A run of before has none. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MESH_AXES, axisSize, coordinate, rankCount } from '../mesh/index.js';
import type { RankSpan, Slowness, Span } from '../trace/index.js';
import { exposedTimes } from '../trace/index.js';
import { writeDocument } from '../whole-file.js';
import type { Timing } from '../train/index.js';
import type { AnyAssessment } from './assess.js';
import { readDocument } from './run-folder.js';
import type { Trial } from './trial.js';
import { measuredStepSeconds, predictedStepSeconds, predictedTrace } from './trial.js';

const SCHEMA = 'meshwright/ranks@1';
const FILE = 'ranks.json';

/** What a rank does in a step, in seconds. */
export interface RankParts {
  readonly kernels: number;
  /** What no kernel hides. */
  readonly collectives: number;
  readonly host: number;
  /** Nothing of its own: for other ranks, for the host of all, in a pipeline's bubble. */
  readonly waits: number;
}

export interface RankComparison {
  readonly rank: number;
  /** Along the axes of the mesh that have more than one rank. */
  readonly place: Readonly<Record<string, number>>;
  readonly predicted: RankParts;
  readonly measured: RankParts;
}

export interface RanksDocument {
  readonly schema: typeof SCHEMA;
  readonly ranks: readonly RankComparison[];
  readonly spans: readonly RankSpan[];
  readonly slowness: readonly Slowness[];
}

/** Less is rounding of the simulator's ticks, or of the median step's length. */
const LEAST_WAIT_SECONDS = 1e-9;

const PART_OF = { kernel: 'kernels', slot: 'kernels', collective: 'collectives', host: 'host' } as const;

function partsOf(times: readonly (readonly [RankSpan['kind'], number])[], step: number): RankParts {
  const parts = { kernels: 0, collectives: 0, host: 0 };
  for (const [kind, seconds] of times) parts[PART_OF[kind]] += seconds;
  const rest = step - parts.kernels - parts.collectives - parts.host;
  return { ...parts, waits: rest < LEAST_WAIT_SECONDS ? 0 : rest };
}

/** By stage, or of any rank where there are none. */
function predictedParts(predicted: AnyAssessment): (stage: number) => RankParts {
  const byRank = new Map<number, Span[]>();
  for (const span of predictedTrace(predicted)) byRank.set(span.rank, [...(byRank.get(span.rank) ?? []), span]);
  const stages = [...byRank].toSorted(([a], [b]) => a - b).map(([, spans]) => spans);
  const step = predictedStepSeconds(predicted);
  return (stage) => {
    const spans = stages[stage] ?? [];
    const exposed = exposedTimes(spans);
    return partsOf(
      spans.map(({ kind }, index) => [kind, exposed[index]!] as const),
      step,
    );
  };
}

/** @param timing of the same steps as the trial */
export function ranksDocument(
  trial: Trial,
  { rankSpans: spans, slowness }: Pick<Timing, 'rankSpans' | 'slowness'>,
): RanksDocument {
  const { mesh } = trial.predicted.job.plan;
  const predicted = predictedParts(trial.predicted);
  const step = measuredStepSeconds(trial);
  const ranks = Array.from({ length: rankCount(mesh) }, (_, rank): RankComparison => ({
    rank,
    place: Object.fromEntries(
      MESH_AXES.filter((axis) => axisSize(mesh, axis) > 1).map((axis) => [axis, coordinate(mesh, rank, axis)]),
    ),
    predicted: predicted(coordinate(mesh, rank, 'pipe')),
    measured: partsOf(
      spans.map(({ kind, exposedSeconds }) => [kind, exposedSeconds[rank] ?? 0] as const),
      step,
    ),
  }));
  return { schema: SCHEMA, ranks, spans, slowness };
}

export const writeRanks = (folder: string, document: RanksDocument): void => writeDocument(folder, FILE, document);

const parts = z.object({ kernels: z.number(), collectives: z.number(), host: z.number(), waits: z.number() });
const byRank = z.array(z.number().nullable());
const form = z.looseObject({
  ranks: z.array(
    z.looseObject({
      rank: z.number().int(),
      place: z.record(z.string(), z.number().int()),
      predicted: parts,
      measured: parts,
    }),
  ),
  spans: z.array(z.looseObject({ id: z.string(), kind: z.string(), medianSeconds: byRank, exposedSeconds: byRank })),
  slowness: z.array(
    z.object({
      firstStep: z.number().int(),
      lastStep: z.number().int(),
      byRank: z.array(z.number().positive().nullable()),
    }),
  ),
});

/** Nothing of a run that was before there were such files. @throws MeshwrightError RUN_INVALID */
export const readRanks = (folder: string): RanksDocument | undefined =>
  existsSync(join(folder, FILE)) ? (readDocument(folder, FILE, [SCHEMA], form) as unknown as RanksDocument) : undefined;
