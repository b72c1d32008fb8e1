import { dirname } from 'node:path';
import type { Job, Task } from '../../job/index.js';
import { formatJob, formatPlan } from '../../job/index.js';
import { MESH_AXES, axisSize } from '../../mesh/index.js';
import type { FrameworkName } from '../../planner/index.js';
import { formatPercent, formatSeconds, seconds } from '../../units.js';
import { Assessor } from '../assess.js';
import { ask } from '../ask.js';
import type { CollectiveFlag } from '../collective-flag.js';
import { untilInterrupted } from '../interrupt.js';
import { printJson, printLine, tableWidth } from '../output.js';
import { planCost } from '../plan-cost.js';
import type { PlanReport, WinnerWords } from '../plan-report.js';
import { predictedPlan, reportPlan, winnerWords } from '../plan-report.js';
import type { PlanSearch } from '../plan-search.js';
import { searchPlans } from '../plan-search.js';
import { plansTable } from '../plans-table.js';
import { countsLine, reasonLines, refusedLines, settingsLines, spread, winnerLines } from '../plan-view.js';
import { createProgress } from '../progress.js';
import { nothingFound } from '../remedies.js';
import type { QuestionFlags, WhatIfFlags } from '../question-flags.js';
import { checkQuestion, isQuestion } from '../question-flags.js';
import { writeNew } from '../run-folder.js';
import { describeDrift, driftOf } from '../feedback.js';
import { byName, describeHardware, hardwareVersion } from '../stored-hardware.js';
import type { SearchFlags } from '../search-flags.js';
import { searchRequest } from '../search-flags.js';
import type { WhatIfs } from '../what-if-view.js';
import { whatIfLines, whatIfs } from '../what-if-view.js';

export interface PlanFlags extends SearchFlags, CollectiveFlag, QuestionFlags, WhatIfFlags {
  readonly top: number;
  readonly output?: string;
  /** Frameworks whose settings are printed for the winner. */
  readonly settings?: readonly FrameworkName[];
}

/** `meshwright plan`: finds the best plans of a task and says why they are. */
export async function plan(file: string | undefined, flags: PlanFlags): Promise<void> {
  checkQuestion(flags, flags);
  const { task, space } = searchRequest(file, flags);
  if (isQuestion(flags)) return ask({ task, space }, flags, flags.collective);
  const progress = createProgress('plans simulated', flags.json === true);
  const { result, interrupted } = await untilInterrupted(
    'giving the best so far',
    (signal) =>
      searchPlans(task, space, {
        // One more, for why the last that is shown beats it.
        top: flags.top + 1,
        collectives: flags.collective,
        signal,
        onProgress: ([best], { simulated }) => {
          if (best === undefined) return;
          const { job, figures } = best;
          progress.set(
            simulated,
            `best ${formatSeconds(seconds(figures.stepTimeSeconds))}, MFU ${formatPercent(figures.mfu)}: ${formatPlan(job.plan)}`,
          );
        },
      }),
    () => progress.end(),
  );
  const assessor = new Assessor({ collectives: flags.collective });
  if (result.best.length === 0) {
    if (interrupted !== undefined) throw interrupted;
    throw nothingFound(result, assessor, task, space);
  }
  const top = result.best
    .slice(0, flags.top)
    .map((found, index) => reportPlan(assessor, found, index + 1, result.best[index + 1]));
  const words = winnerWords(top[0]!, flags.settings ?? []);
  if (flags.output !== undefined) writeNew(flags.output, formatJob(byName(top[0]!.job), dirname(flags.output)));
  const changed = whatIfs(
    top.map(({ job }) => job),
    flags,
  );
  if (flags.json) printJson({ ...documentOf(task, result, top, words), ...changed });
  else printAnswer(task, result, assessor, top, words, changed, flags);
  if (interrupted !== undefined) throw interrupted;
}

const meshOf = ({ plan }: Job): Readonly<Record<string, number>> =>
  Object.fromEntries(MESH_AXES.map((name) => [name, axisSize(plan.mesh, name)]));

function documentOf(task: Task, search: PlanSearch, top: readonly PlanReport[], { parts, settings }: WinnerWords) {
  const { counts, refused, front, isComplete } = search;
  return {
    schema: 'meshwright/plans@2',
    model: task.model.name,
    hardware: task.hardware.name,
    hardwareVersion: hardwareVersion(task),
    drift: driftOf(task),
    chips: task.chips,
    batch: task.batch,
    ...counts,
    refused: [...refused].map(([reason, combinations]) => ({ reason, combinations })),
    isComplete,
    plans: top.map(({ job, figures, ...report }) => ({
      ...report,
      chips: job.chips,
      batch: job.batch,
      mesh: meshOf(job),
      cost: planCost({ job, figures }),
      simulation: figures,
    })),
    front: front.map(({ job, figures }) => ({
      plan: formatPlan(job.plan),
      chips: job.chips,
      batch: job.batch,
      stepTimeSeconds: figures.stepTimeSeconds,
      peakMemoryBytesPerChip: figures.peakMemoryBytesPerChip,
      mfu: figures.mfu,
      cost: planCost({ job, figures }),
    })),
    explanation: parts,
    settings,
  };
}

const conjunction = new Intl.ListFormat('en-GB', { type: 'conjunction' });
const LEAST_WIDTH = 60;
const MOST_OF_FRONT = 8;

function printAnswer(
  task: Task,
  search: PlanSearch,
  assessor: Assessor,
  top: readonly PlanReport[],
  words: WinnerWords,
  changed: WhatIfs,
  { output }: PlanFlags,
): void {
  const width = Math.max(LEAST_WIDTH, Math.min(process.stdout.columns ?? 80, 120));
  const winner = top[0]!;
  const print = (lines: readonly string[]): void => lines.forEach(printLine);
  printLine(`${task.model.name} on ${winner.job.chips} × ${describeHardware(task)}, batch ${winner.job.batch}`);
  const drift = driftOf(task);
  if (drift !== null) printLine(describeDrift(drift, describeHardware(task)));
  printLine(countsLine(search));
  print(refusedLines(search));
  printLine();
  print(plansTable(top, tableWidth()));
  if (search.front.length > 1) {
    printLine();
    const { price, power } = task.hardware;
    const spent = [...(price === undefined ? [] : ['cost']), ...(power === undefined ? [] : ['energy'])];
    const objectives = ['step time', 'memory', 'chips', ...spent];
    const unit = planCost(search.front[0]!).unit;
    const of = spent.length === 0 ? '' : ` (${conjunction.format(spent)} of a ${unit})`;
    printLine(`No other plan is better than these in ${conjunction.format(objectives)} at once${of}:`);
    const shown = spread(search.front, MOST_OF_FRONT);
    print(
      plansTable(
        shown.map((found) => ({ ...predictedPlan(assessor, found), plan: formatPlan(found.job.plan) })),
        tableWidth(),
        true,
      ),
    );
    const left = search.front.length - shown.length;
    if (left > 0) printLine(`${left} more between them are in --json`);
  }
  printLine();
  print(winnerLines(winner, words, width));
  if (top.length > 1) {
    printLine();
    print(reasonLines(top.slice(1), width));
  }
  for (const settings of Object.values(words.settings)) {
    printLine();
    print(settingsLines(settings, width));
  }
  print(whatIfLines(changed));
  if (output !== undefined) printLine(`\nThe first is in ${output}: meshwright simulate ${output}`);
}
