import { statSync } from 'node:fs';
import { MeshwrightError } from '../../errors.js';
import type { Op, Program } from '../../program/index.js';
import { print, printOp, regionOps } from '../../program/index.js';
import type { Faults, UnfoldRequest } from '../../../sim/index.js';
import { nearest } from '../../text.js';
import { bytes, formatBytes, formatPercent } from '../../units.js';
import { MOST_RUNS, stepTrace } from '../../../sim/index.js';
import type { Assessment } from '../assess.js';
import { Assessor, lowerFor, stackOf } from '../assess.js';
import type { CollectiveFlag } from '../collective-flag.js';
import { requireTaken } from '../collective-flag.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { writeTrace } from '../run-folder.js';
import type { ReportFlags, SimulationReport } from '../simulation-report.js';
import { reportOn } from '../simulation-report.js';
import { simulationLines } from '../simulation-view.js';

export interface SimulateFlags extends JobFlags, ReportFlags, CollectiveFlag {
  readonly trace?: string;
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
  const job = assessor.resolve(jobInput(file, flags));
  const stack = stackOf(job);
  if (flags.program) {
    process.stdout.write(print(lowerFor(job, stack)));
    return;
  }
  if (flags.programOp !== undefined) {
    const program = lowerFor(job, stack);
    process.stdout.write(printOp(program, findOp(program, flags.programOp)));
    return;
  }
  const unfold = unfoldRequest(flags);
  const assessment = assessor.assess(job, stack, unfold);
  if (flags.collective !== undefined) requireTaken(flags.collective, assessment.execution.plan.collectives);
  const report = reportOn(assessor, assessment, flags, unfold);
  if (flags.trace !== undefined) writeStepTrace(flags.trace, assessment, report.runs);
  if (flags.json) printJson(report);
  else {
    simulationLines(report, process.stdout.columns ?? 80).forEach(printLine);
    if (flags.links) printLinks(report);
    if (flags.trace !== undefined) printTrace(flags.trace, report.runs);
  }
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

function printTrace(path: string, runs: number): void {
  const written = formatBytes(bytes(statSync(path).size));
  printLine();
  printLine(`${path}: ${runs} kernels and collectives, ${written}; opens in https://ui.perfetto.dev`);
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
function findOp(program: Program, id: string): Op {
  const found = new Map<string, Op>();
  const visit = (op: Op): void => {
    if (op.region !== undefined) regionOps(op.region).forEach(visit);
    found.set(op.id, op);
  };
  program.ops.forEach(visit);
  const op = found.get(id);
  if (op !== undefined) return op;
  throw new MeshwrightError('USAGE', {
    place: '--program-op',
    expected: 'the id of an op of the program, as --program prints it',
    got: JSON.stringify(id),
    hint: `did you mean ${nearest(id, [...found.keys()])}?`,
  });
}
