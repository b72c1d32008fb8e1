import { statSync } from 'node:fs';
import { MeshwrightError } from '../../errors.js';
import type { Job } from '../../job/index.js';
import { isPipeline } from '../../job/index.js';
import type { Op, Program } from '../../program/index.js';
import { print, printOp, regionOps } from '../../program/index.js';
import type { Faults, UnfoldRequest } from '../../../sim/index.js';
import { formatMesh } from '../../mesh/index.js';
import { nearest } from '../../text.js';
import { bytes, formatBytes, formatPercent } from '../../units.js';
import { MOST_RUNS, pipelineTrace, stepTrace } from '../../../sim/index.js';
import type { Assessment, PipelineAssessment } from '../assess.js';
import { Assessor, lowerFor, stackOf } from '../assess.js';
import type { CollectiveFlag } from '../collective-flag.js';
import { collectivesOf, requireTaken } from '../collective-flag.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { writeTrace } from '../run-folder.js';
import type { ReportFlags, SimulationReport } from '../simulation-report.js';
import { reportOn, reportOnPipeline } from '../simulation-report.js';
import { scheduleLines, slotTable, stageLines } from '../pipeline-view.js';
import { simulationLines } from '../simulation-view.js';
import { pipelinePrograms } from '../pipeline-programs.js';

export interface SimulateFlags extends Omit<JobFlags, 'schedule'>, ReportFlags, CollectiveFlag {
  readonly trace?: string;
  /** Draws the schedule, or names that of the plan. */
  readonly schedule?: true | JobFlags['schedule'];
  readonly program?: boolean;
  readonly programOp?: string;
  readonly fault?: Faults;
  readonly unfold?: boolean;
  readonly jitter?: number;
  readonly seed?: number;
}

/** `meshwright simulate`: predicts one plan. */
export function simulate(file: string | undefined, flags: SimulateFlags): void {
  const assessor = new Assessor({ faults: flags.fault, collectives: flags.collective });
  const { schedule, ...others } = flags;
  const drawn = schedule === true;
  const job = assessor.resolve(jobInput(file, { ...others, ...(drawn || schedule === undefined ? {} : { schedule }) }));
  if (flags.program || flags.programOp !== undefined) {
    if (drawn) throw onlyOne(flags.program ? '--program' : '--program-op');
    printProgram(assessor, job, flags.programOp);
    return;
  }
  const unfold = unfoldRequest(flags);
  if (isPipeline(job.plan)) {
    refuseUnfolding(unfold);
    showPipeline(assessor, assessor.assessPipeline(job, stackOf(job)), flags, drawn);
    return;
  }
  if (drawn) throw noStages(job);
  const assessment = assessor.assess(job, stackOf(job), unfold);
  if (flags.collective !== undefined)
    requireTaken(flags.collective, collectivesOf(assessment.execution.plan.collectives));
  const report = reportOn(assessor, assessment, flags, unfold);
  if (flags.trace !== undefined) writeStepTrace(flags.trace, assessment, report.runs);
  if (flags.json) printJson(report);
  else {
    simulationLines(report, process.stdout.columns ?? 80).forEach(printLine);
    if (flags.links) printLinks(report);
    if (flags.trace !== undefined) printTrace(flags.trace, report.runs);
  }
}

function showPipeline(assessor: Assessor, assessment: PipelineAssessment, flags: SimulateFlags, drawn: boolean): void {
  const { execution, machine, simulation } = assessment;
  const width = process.stdout.columns ?? 80;
  if (flags.collective !== undefined)
    requireTaken(flags.collective, collectivesOf(execution.runs.all.flatMap(({ plan }) => plan.collectives)));
  if (flags.trace !== undefined) writeTrace(flags.trace, [pipelineTrace(execution, machine)]);
  const report = reportOnPipeline(assessor, assessment, flags);
  if (flags.json) {
    printJson(drawn ? { ...report, slots: slotTable(execution) } : report);
    return;
  }
  simulationLines(report, width).forEach(printLine);
  printLine();
  stageLines(simulation.pipeline, width).forEach(printLine);
  if (drawn) {
    printLine();
    scheduleLines(execution, width).forEach(printLine);
  }
  if (flags.links) printLinks(report);
  if (flags.trace !== undefined) {
    printLine();
    printLine(`${flags.trace}: ${writtenBytes(flags.trace)}; opens in https://ui.perfetto.dev`);
  }
}

const onlyOne = (place: string): MeshwrightError =>
  new MeshwrightError('USAGE', { place, expected: 'no --schedule beside it, which draws', got: 'both' });

const noStages = ({ plan }: Job): MeshwrightError =>
  new MeshwrightError('USAGE', {
    place: '--schedule',
    expected: 'a plan with stages, as in --plan "data=2,pipe=4 microbatches=12"',
    got: formatMesh(plan.mesh),
  });

/** @throws MeshwrightError USAGE */
function refuseUnfolding(unfold: UnfoldRequest | undefined): void {
  if (unfold === undefined) return;
  throw new MeshwrightError('USAGE', {
    place: unfold.jitter === undefined ? '--unfold' : '--jitter',
    expected: 'a plan without pipe: of a pipeline one chip of each stage is run, and the schedule puts slots in time',
    got: 'a pipeline',
  });
}

function printProgram(assessor: Assessor, job: Job, opId: string | undefined): void {
  const programs = isPipeline(job.plan)
    ? pipelinePrograms(assessor.pipeline(job), job.plan)
    : [{ title: undefined, program: lowerFor(job, stackOf(job)) }];
  if (opId !== undefined) {
    const { program, op } = findOp(programs, opId);
    process.stdout.write(printOp(program, op));
    return;
  }
  for (const { title, program } of programs)
    process.stdout.write(`${title === undefined ? '' : `# ${title}\n`}${print(program)}`);
}

/** @throws MeshwrightError USAGE for a step that is too long for a file that anything opens */
function writeStepTrace(path: string, { program, execution }: Assessment, runs: number): void {
  if (runs > MOST_RUNS) {
    throw new MeshwrightError('USAGE', {
      place: '--trace',
      expected: `a step of at most ${MOST_RUNS} kernels and collectives`,
      got: String(runs),
      hint: 'microbatches are alike: simulate with fewer',
    });
  }
  writeTrace(path, [stepTrace(execution, program)]);
}

const writtenBytes = (path: string): string => formatBytes(bytes(statSync(path).size));

function printTrace(path: string, runs: number): void {
  printLine();
  printLine(`${path}: ${runs} kernels and collectives, ${writtenBytes(path)}; opens in https://ui.perfetto.dev`);
}

function printLinks({ links }: SimulationReport): void {
  printLine();
  printTable(
    ['link', 'sent', 'used'],
    (links.all ?? []).map((link) => [link.name, formatBytes(bytes(link.bytes)), formatPercent(link.utilization)]),
    [1, 2],
  );
}

/** @throws MeshwrightError USAGE for a seed of nothing */
function unfoldRequest({ unfold, jitter, seed }: SimulateFlags): UnfoldRequest | undefined {
  if (jitter !== undefined) return { jitter: { coefficientOfVariation: jitter, seed: seed ?? 0 } };
  if (seed === undefined) return unfold ? {} : undefined;
  const expected = '--jitter beside it, such as --jitter 0.05';
  throw new MeshwrightError('USAGE', { place: '--seed', expected, got: 'no jitter that it could be the seed of' });
}

/** @throws MeshwrightError USAGE naming the nearest op */
function findOp(programs: readonly { readonly program: Program }[], id: string): { program: Program; op: Op } {
  const found = new Map<string, { program: Program; op: Op }>();
  for (const { program } of programs) {
    const visit = (op: Op): void => {
      if (op.region !== undefined) regionOps(op.region).forEach(visit);
      found.set(op.id, { program, op });
    };
    program.ops.forEach(visit);
  }
  const known = found.get(id);
  if (known !== undefined) return known;
  throw new MeshwrightError('USAGE', {
    place: '--program-op',
    expected: 'the id of an op of the program, as --program prints it',
    got: JSON.stringify(id),
    hint: `did you mean ${nearest(id, [...found.keys()])}?`,
  });
}
