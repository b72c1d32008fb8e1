/** A plan of a search looked at closely, for the UI: what goes on over its step, what bounds it, what its words do. */
import type { Job } from '../job/index.js';
import { describePlan } from '../planner/index.js';
import type { PlanLook, TimeWindow, Timeline } from '../tui/services.js';
import { flops } from '../units.js';
import { boundsOf, pipelineBounds, pipelineSpans, runsOf, toSeconds } from '../../sim/index.js';
import type { AnyAssessment, Assessor, PipelineAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';
import { slotTable } from './pipeline-view.js';
import { boundedBy } from './simulation-view.js';
import { chipLanes, slotLanes, stageLanes } from './step-lanes.js';

/** Parts of the time: more than the columns of a screen. */
const PARTS = 240;

/** A step of more kernels and collectives takes seconds to follow. */
const MOST_FOLLOWED = 400_000;

function pipelineTimeline({ execution, machine }: PipelineAssessment, window: TimeWindow): Timeline {
  const step = toSeconds(execution.times.alone);
  const part = { from: window.from * step, to: window.to * step, parts: PARTS };
  const runs = execution.stages
    .flatMap(({ uses }) => uses)
    .reduce((total, { run, count }) => total + count * runsOf(run), 0);
  const lanes =
    runs <= MOST_FOLLOWED ? stageLanes(pipelineSpans(execution, machine), part) : slotLanes(slotTable(execution), part);
  return { fromSeconds: part.from, toSeconds: part.to, lanes };
}

/** @returns null where there is too much of it */
export function timelineOf(assessment: AnyAssessment, window: TimeWindow): Timeline | null {
  if (isOfPipeline(assessment)) return pipelineTimeline(assessment, window);
  const { execution } = assessment;
  if (runsOf(execution) > MOST_FOLLOWED) return null;
  const step = toSeconds(execution.duration);
  const part = { from: window.from * step, to: window.to * step, parts: PARTS };
  const rank = execution.unfolded?.lastRank ?? 0;
  const lanes = chipLanes(
    execution.trace.spans.filter((span) => span.rank === rank),
    part,
  );
  return { fromSeconds: part.from, toSeconds: part.to, lanes };
}

function aboutOf(assessment: AnyAssessment): Omit<PlanLook, 'timeline'> {
  const { simulation, machine, job } = assessment;
  const modelFlops = flops(simulation.modelFlops);
  const bounds = isOfPipeline(assessment)
    ? pipelineBounds(assessment.execution, machine, modelFlops)
    : boundsOf(assessment.program, machine, modelFlops);
  return {
    bound: {
      seconds: bounds.seconds,
      mfu: (simulation.mfu * simulation.stepTimeSeconds) / bounds.seconds,
      by: boundedBy(bounds),
    },
    parts: describePlan(job, simulation),
  };
}

/** Looks at plans one after the other, and keeps the last, which one may zoom into. */
export class PlanLooker {
  readonly #assessor: Assessor;
  #last:
    | { readonly key: string; readonly assessment: AnyAssessment; readonly about: Omit<PlanLook, 'timeline'> }
    | undefined;

  constructor(assessor: Assessor) {
    this.#assessor = assessor;
  }

  /** @param key tells jobs apart */
  look(key: string, jobOf: () => Job, window: TimeWindow): PlanLook {
    if (this.#last?.key !== key) {
      const assessment = this.#assessor.assessAny(jobOf());
      this.#last = { key, assessment, about: aboutOf(assessment) };
    }
    const { assessment, about } = this.#last;
    return { timeline: timelineOf(assessment, window), ...about };
  }
}
