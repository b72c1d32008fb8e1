/**
 * A step from what one microbatch was measured to take on a stage, with what is not measured from the simulation: where
 * stages lie, and what a stage does before its first slot and after its last.
 */
import type { MeasuredPipeline } from '../program/schedules/index.js';
import { predictStep, splitsBackward } from '../program/schedules/index.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import { ticks, toSeconds } from '../../sim/index.js';
import type { PipelineAssessment } from './assess.js';

/** How many stages share a node, and what a hop between two of them takes; nothing where all or none share one. */
function nodesOf({ machine, execution, simulation }: PipelineAssessment): Pick<MeasuredPipeline, 'nodes'> {
  const { topology } = machine.hardware;
  if (topology.kind !== 'switch' && topology.kind !== 'fully-connected') return {};
  const stagesPerNode = Math.floor((topology.chipsPerNode * simulation.pipeline.stages) / machine.chips);
  if (stagesPerNode < 2 || machine.chips <= topology.chipsPerNode) return {};
  return { nodes: { stagesPerNode, within: toSeconds(execution.transfers.between(0, 1).duration) } };
}

/**
 * Software whose stages know of each other's gradients before their update begins its next step together. Zero-bubble
 * schedules come with an update that is validated afterwards, so that each stage goes on by itself (Qi et al. 2023, §4).
 */
export function measuredStepSeconds(measured: MeasuredPipeline, assessment: PipelineAssessment): Seconds {
  const { stepSeconds, aloneSeconds } = predictStep({ ...measured, ...nodesOf(assessment) });
  const { begins, finishes } = assessment.execution.times;
  // Copies of parameters before the slots, reductions and the update after them; no wait for gradients of other stages,
  // which hangs on when those end.
  const around = finishes.map(
    ({ start, end, exchanging, agreeing }, stage) =>
      begins[stage]! + end - start - exchanging.waiting - agreeing.waiting,
  );
  const slots = splitsBackward(measured.name) ? stepSeconds : aloneSeconds;
  return seconds(slots + toSeconds(ticks(Math.max(...around))));
}
