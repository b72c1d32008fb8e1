import { dirname } from 'node:path';
import { formatJob, formatPlan, optionsOf, resolveTask } from '../../job/index.js';
import { AXIS_NAMES, axisSize } from '../../mesh/index.js';
import type { RankedPlan, SearchSpace } from '../../planner/index.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../../units.js';
import type { JobSimulation } from '../assess.js';
import { Assessor } from '../assess.js';
import type { CollectiveFlag } from '../collective-flag.js';
import { requireTaken } from '../collective-flag.js';
import type { JobFlags } from '../options.js';
import { formatInterval } from '../intervals.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { createProgress } from '../progress.js';
import { writeNew } from '../run-folder.js';
import { describeDrift, driftOf } from '../feedback.js';
import { byName, describeHardware, hardwareVersion } from '../stored-hardware.js';

export interface PlanFlags extends JobFlags, CollectiveFlag {
  readonly top: number;
  readonly output?: string;
}

/** `meshwright plan`: ranks the plans of a task and says why. Axes, counts and options that are given are kept. */
export function plan(file: string | undefined, flags: PlanFlags): void {
  const input = jobInput(file, flags);
  const task = resolveTask(input);
  const { pipe, replica, data, sequence, model } = input.plan?.mesh ?? {};
  const { microbatches, ...given } = optionsOf(input.plan ?? {});
  const space: SearchSpace = {
    ...(pipe === undefined ? {} : { pipe }),
    ...(replica === undefined ? {} : { replica }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(data === undefined ? {} : { data: [data] }),
    ...(model === undefined ? {} : { model: [model] }),
    ...(microbatches === undefined ? {} : { microbatches: [microbatches] }),
    options: given,
  };
  const progress = createProgress('plans simulated', flags.json === true);
  const assessor = new Assessor({ collectives: flags.collective });
  const { ranked, rejected, candidates } = assessor.rank(task, space, () => progress.advance());
  progress.end();
  if (flags.collective !== undefined) requireTaken(flags.collective, assessor.taken);
  const top = ranked.slice(0, flags.top);
  if (flags.output !== undefined) writeNew(flags.output, formatJob(byName(ranked[0]!.job), dirname(flags.output)));
  const drift = driftOf(task);
  if (flags.json) {
    printJson({
      schema: 'meshwright/plans@1',
      model: task.model.name,
      hardware: task.hardware.name,
      hardwareVersion: hardwareVersion(task),
      drift,
      chips: task.chips,
      batch: task.batch,
      candidates,
      rejected: rejected.map(({ plan: candidate, reason, detail }) => ({
        plan: formatPlan(candidate),
        reason,
        detail,
      })),
      plans: top.map(({ rank, job, figures, why }) => ({
        rank,
        plan: formatPlan(job.plan),
        mesh: Object.fromEntries(AXIS_NAMES.map((name) => [name, axisSize(job.plan.mesh, name)])),
        why,
        simulation: figures,
      })),
    });
    return;
  }
  printLine(`${task.model.name} on ${task.chips} × ${describeHardware(task)}, batch ${task.batch}`);
  if (drift !== null) printLine(describeDrift(drift, describeHardware(task)));
  const counted = (reason: string) => rejected.filter((one) => one.reason === reason).length;
  printLine(
    `${candidates} candidates: ${ranked.length} simulated, ${counted('does-not-fit')} do not fit, ${counted('does-not-divide')} do not divide`,
  );
  printLine();
  printPlans(top);
  printLine();
  printLine(`1. ${formatPlan(top[0]!.job.plan)}: ${top[0]!.why}`);
  if (flags.output !== undefined) printLine(`\nThe first is in ${flags.output}: meshwright simulate ${flags.output}`);
}

export function printPlans(plans: readonly RankedPlan<JobSimulation>[]): void {
  printTable(
    ['', 'plan', 'step', '8 of 10 runs', 'MFU', 'compute', 'exposed', 'overhead', 'memory'],
    plans.map(({ rank, job, figures }) => [
      String(rank),
      formatPlan(job.plan),
      formatSeconds(seconds(figures.stepTimeSeconds)),
      formatInterval(figures.stepTimeInterval),
      formatPercent(figures.mfu),
      formatSeconds(seconds(figures.computeSeconds)),
      formatSeconds(seconds(figures.exposedCommunicationSeconds)),
      formatSeconds(seconds(figures.overheadSeconds)),
      formatBytes(bytes(figures.peakMemoryBytesPerChip)),
    ]),
    [0, 2, 3, 4, 5, 6, 7, 8],
  );
}
