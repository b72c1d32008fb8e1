/** The stages of a pipeline and their schedule. */
import { formatMesh } from '../../mesh/index.js';
import { leastMemory, refusedChunks, splitsBackward } from '../../program/schedules/index.js';
import { DEFAULT_PLAN, planOptionText } from '../plan.js';
import { chunkCount, isPipeline, layersOfEvenModules, stageCount } from '../stages.js';
import type { Refusal, Rule } from './rule.js';
import { isDefault, without } from './rule.js';

const PIPELINE_OPTIONS = ['schedule', 'virtualStages', 'stageLayers', 'scheduleMemory', 'overlapTransfers'] as const;

const pipelineOptionsNeedStages: Rule = ({ plan }) => {
  if (isPipeline(plan)) return undefined;
  const option = PIPELINE_OPTIONS.find((one) => !isDefault(plan, one));
  return option === undefined
    ? undefined
    : {
        option,
        expected: `${planOptionText(option, DEFAULT_PLAN[option])} on ${formatMesh(plan.mesh)}, which has no stages`,
        hint: 'give the mesh an axis pipe, or leave it out',
        without: without(...PIPELINE_OPTIONS),
      };
};

const chunksAsScheduled: Rule = ({ plan }) => {
  const expected = refusedChunks(plan.schedule, chunkCount(plan));
  return expected === undefined ? undefined : { option: 'virtualStages', expected, without: without('virtualStages') };
};

const memoryNeedsChoice: Rule = ({ plan }) => {
  const { schedule, scheduleMemory, microbatches } = plan;
  if (scheduleMemory === 'usual') return undefined;
  const least = leastMemory(schedule, stageCount(plan), microbatches);
  if (least === undefined) {
    return {
      option: 'scheduleMemory',
      expected: `usual with schedule=${schedule}, whose order leaves no choice of what is kept`,
      hint: 'use schedule=zb-1p, zb-2p or zb-v, or leave it out',
      without: without('scheduleMemory'),
    };
  }
  return scheduleMemory >= least
    ? undefined
    : {
        option: 'scheduleMemory',
        expected: `at least ${least}, which ${schedule} keeps of ${stageCount(plan)} stages and ${microbatches} microbatches`,
        hint: 'use schedule=zb-1p to keep fewer, or leave it out',
      };
};

const splitBackwardGoesOn: Rule = ({ plan }) =>
  plan.overlapTransfers || !splitsBackward(plan.schedule)
    ? undefined
    : {
        option: 'overlapTransfers',
        expected: `true with schedule=${plan.schedule}, whose weight gradients are there to fill the time of transfers`,
        hint: 'leave it out',
        without: without('overlapTransfers'),
      };

const stagesHaveLayers: Rule = ({ plan, depth }) => {
  const count = stageCount(plan) * chunkCount(plan);
  const { stageLayers } = plan;
  if (!isPipeline(plan)) return undefined;
  const refusal = (expected: string): Refusal => ({ option: 'stageLayers', expected });
  if (depth < count - 2) {
    return {
      option: 'mesh',
      expected: `at most ${depth + 2} virtual stages for ${depth} layer${depth === 1 ? '' : 's'}, the first and the last of which may have none`,
      got: `${count}, with schedule=${plan.schedule}`,
    };
  }
  if (stageLayers === 'balanced') return undefined;
  if (stageLayers === 'even')
    return depth % count === 0
      ? undefined
      : refusal(`balanced, since ${count} virtual stages don't divide ${depth} layers`);
  if (stageLayers === 'first-and-last-fewer') {
    const fits = (depth + 2) % count === 0;
    return fits ? undefined : refusal(`balanced, since ${count} virtual stages don't divide ${depth} + 2 layers`);
  }
  if (stageLayers === 'even-modules') {
    const fits = layersOfEvenModules(depth, count).every(
      (layers, index) => layers >= (index % (count - 1) === 0 ? 0 : 1),
    );
    return fits
      ? undefined
      : refusal(`balanced, since ${count} virtual stages of as many modules leave one without a layer`);
  }
  const total = stageLayers.reduce((sum, layers) => sum + layers, 0);
  if (stageLayers.length !== count || total !== depth)
    return refusal(`${count} counts, one a virtual stage, that add up to the ${depth} layers of the model`);
  if (stageLayers.slice(1, -1).includes(0))
    return refusal('a layer at least on each virtual stage but the first and the last');
  return undefined;
};

export const PIPELINE_RULES: readonly Rule[] = [
  pipelineOptionsNeedStages,
  chunksAsScheduled,
  stagesHaveLayers,
  memoryNeedsChoice,
  splitBackwardGoesOn,
];
