/** What a run says of the profile it was predicted by. */
import type { Evidence, EvidenceSpan } from '../calibrate/index.js';
import { messagesOf } from '../calibrate/index.js';
import { axisSize } from '../mesh/index.js';
import type { Attributes, CollectiveName, Program } from '../program/index.js';
import { forEachOp, isCollective } from '../program/index.js';
import { isOfPipeline } from './assess.js';
import { knownOf, opOf, times } from './kernel-costs.js';
import type { Trial } from './trial.js';
import { joinTrial } from './trial.js';

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
      const opId = opOf(id);
      if (kind !== 'collective') return [{ exposedSeconds, cost: times(kernels.get(opId)!, runs) }];
      const collective = collectives.get(opId);
      if (collective === undefined) return [];
      const { messages, ...transfer } = collective;
      return [{ exposedSeconds, transfer: { ...transfer, bytes: runs * sentBytes, messages: runs * messages } }];
    },
  );
  return { spans, stepSeconds: trial.stepSeconds, waitsForStages: isOfPipeline(trial.predicted) };
}
