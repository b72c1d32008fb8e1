/** What a run says of the profile it was predicted by. */
import type { Evidence, EvidenceSpan } from '../calibrate/index.js';
import { messagesOf } from '../calibrate/index.js';
import { axisSize } from '../mesh/index.js';
import type { Attributes, CollectiveName, Program } from '../program/index.js';
import { forEachOp, isCollective } from '../program/index.js';
import { seconds } from '../units.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';
import type { Trial } from './trial.js';
import { joinTrial } from './trial.js';

type Cost = NonNullable<EvidenceSpan['cost']>;

const FEATURES = ['matmulSeconds', 'memorySeconds', 'vectorSeconds', 'overheadSeconds'] as const;
const mapCost = (value: (of: (typeof FEATURES)[number]) => number): Cost =>
  Object.fromEntries(FEATURES.map((of) => [of, seconds(value(of))])) as unknown as Cost;
const times = (cost: Cost, by: number): Cost => mapCost((of) => by * cost[of]);
const plus = (a: Cost, b: Cost): Cost => mapCost((of) => a[of] + b[of]);

interface Known {
  readonly programs: readonly Program[];
  /** By op id: what one run of a kernel costs; of stages where it costs different things, the mean over runs. */
  readonly kernels: ReadonlyMap<string, Cost>;
}

function knownOf(predicted: AnyAssessment): Known {
  if (!isOfPipeline(predicted)) return { programs: [predicted.program], kernels: predicted.execution.kernels };
  const { runs, stages } = predicted.execution;
  const found = new Map<string, { cost: Cost; count: number }>();
  for (const { run, count } of stages.flatMap(({ uses }) => uses)) {
    for (const { op, cost, times: inProgram } of run.plan.kernels) {
      const of = count * inProgram;
      const known = found.get(op.id);
      const sum = times(cost, of);
      found.set(op.id, known ? { cost: plus(known.cost, sum), count: known.count + of } : { cost: sum, count: of });
    }
  }
  return {
    programs: runs.all.map(({ program }) => program),
    kernels: new Map([...found].map(([id, { cost, count }]) => [id, times(cost, 1 / count)])),
  };
}

/** How often a rank waits for its neighbour in each collective, and whether it goes on meanwhile, by op id. */
function collectivesOf(programs: readonly Program[]) {
  const found = new Map<string, { name: CollectiveName; messages: number; asynchronous: boolean }>();
  for (const { mesh, ops } of programs) {
    forEachOp(ops, ({ id, name, attributes, asynchronous = false }) => {
      if (!isCollective(name)) return;
      const { axis } = attributes as Attributes[CollectiveName];
      found.set(id, { name, messages: messagesOf(name, axisSize(mesh, axis)), asynchronous });
    });
  }
  return found;
}

/**
 * Of a pipeline, kernels and collectives within stages. What a message to another stage takes from its start to its end
 * hangs on when that stage looks, and what lies between spans is waiting for other stages; neither is about the machine.
 */
export function evidenceOf(trial: Trial): Evidence {
  const { programs, kernels } = knownOf(trial.predicted);
  const collectives = collectivesOf(programs);
  const spans = joinTrial(trial).flatMap(
    ({ id, kind, measuredExposedSeconds: exposedSeconds, sentBytes = 0, runs = 1 }): EvidenceSpan[] => {
      const opId = id.split('@')[0]!;
      if (kind !== 'collective') return [{ exposedSeconds, cost: times(kernels.get(opId)!, runs) }];
      const collective = collectives.get(opId);
      if (collective === undefined) return [];
      const { messages, ...transfer } = collective;
      return [{ exposedSeconds, transfer: { ...transfer, bytes: runs * sentBytes, messages: runs * messages } }];
    },
  );
  return { spans, stepSeconds: trial.stepSeconds, waitsForStages: isOfPipeline(trial.predicted) };
}
