import { MeshwrightError } from '../../errors.js';
import { lowerJob } from '../../job/index.js';
import type { Op, Program } from '../../program/index.js';
import { print, printOp, regionOps } from '../../program/index.js';
import type { Faults } from '../../../sim/index.js';
import { nearest } from '../../text.js';
import { formatBytes, formatPercent, formatSeconds, bytes, seconds } from '../../units.js';
import type { JobSimulation } from '../assess.js';
import { Assessor } from '../assess.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { writeTrace } from '../run-folder.js';

export interface SimulateFlags extends JobFlags {
  readonly trace?: string;
  readonly program?: boolean;
  readonly programOp?: string;
  readonly fault?: Faults;
}

/** `meshwright simulate`: predicts one plan. */
export function simulate(file: string | undefined, flags: SimulateFlags): void {
  const assessor = new Assessor(flags.fault);
  const job = assessor.resolve(jobInput(file, flags));
  if (flags.program) {
    process.stdout.write(print(lowerJob(job)));
    return;
  }
  if (flags.programOp !== undefined) {
    const program = lowerJob(job);
    process.stdout.write(printOp(program, findOp(program, flags.programOp)));
    return;
  }
  const { simulation, execution } = assessor.assess(job);
  if (flags.trace !== undefined) writeTrace(flags.trace, [{ name: 'simulated', spans: execution.trace.spans }]);
  if (flags.json) printJson(simulation);
  else printSimulation(simulation);
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

const share = (value: number, whole: number): string =>
  `${formatSeconds(seconds(value))} (${formatPercent(value / whole)})`;

export function printSimulation(result: JobSimulation): void {
  const { stepTimeSeconds: step } = result;
  const byAxis = Object.entries(result.exposedCommunicationByAxisSeconds)
    .map(([axis, value]) => `${axis} ${formatSeconds(seconds(value ?? 0))}`)
    .join(', ');
  const hidden =
    result.overlapFraction === null
      ? 'none: nothing is sent'
      : `${formatSeconds(seconds(result.hiddenCommunicationSeconds))} (${formatPercent(result.overlapFraction)} of all communication)`;
  const roles = Object.entries(result.memoryBytesByRole)
    .filter(([, value]) => (value ?? 0) > 0)
    .map(([role, value]) => `${role} ${formatBytes(bytes(value ?? 0))}`)
    .join(', ');
  printLine(`${result.model} on ${result.chips} × ${result.hardware}, batch ${result.batch}`);
  printLine(`plan ${result.plan}`);
  printLine();
  printTable(
    ['', ''],
    [
      ...(result.slice ? [['torus slice', result.slice.join(' × ')]] : []),
      ...(result.faults.length > 0 ? [['faults', result.faults.join(' ')]] : []),
      ['step time', formatSeconds(seconds(step))],
      ['MFU', `${formatPercent(result.mfu)} (by 6·N + 12·L·H·Q·T: ${formatPercent(result.mfuByFormula)})`],
      ['HFU', formatPercent(result.hfu)],
      ['tokens/s per chip', result.tokensPerSecondPerChip.toFixed(1)],
      ['compute', share(result.computeSeconds, step)],
      ['exposed communication', `${share(result.exposedCommunicationSeconds, step)}${byAxis ? `: ${byAxis}` : ''}`],
      ['hidden communication', hidden],
      ['overhead', share(result.overheadSeconds, step)],
      [
        'peak memory per chip',
        `${formatBytes(bytes(result.peakMemoryBytesPerChip))} of ${formatBytes(bytes(result.memoryCapacityBytesPerChip))}${result.fits ? '' : ' — DOES NOT FIT'}`,
      ],
      ['  by role', roles],
      ['  reached at', result.peakMemoryOpId],
      [
        'busiest link',
        result.links.busiest
          ? `${result.links.busiest.name}, ${formatPercent(result.links.busiest.utilization)} used`
          : 'none',
      ],
    ],
  );
}
