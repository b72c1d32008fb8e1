import { MeshwrightError } from '../../errors.js';
import { lowerJob } from '../../job/index.js';
import type { Op, Program } from '../../program/index.js';
import { print, printOp, regionOps } from '../../program/index.js';
import type { Faults, SpreadSeconds, UnfoldRequest } from '../../../sim/index.js';
import { nearest } from '../../text.js';
import { formatBytes, formatPercent, formatSeconds, bytes, seconds } from '../../units.js';
import type { JobSimulation } from '../assess.js';
import { Assessor, stackOf } from '../assess.js';
import type { CollectiveFlag } from '../collective-flag.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { writeTrace } from '../run-folder.js';

export interface SimulateFlags extends JobFlags, CollectiveFlag {
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
  if (flags.program) {
    process.stdout.write(print(lowerJob(job)));
    return;
  }
  if (flags.programOp !== undefined) {
    const program = lowerJob(job);
    process.stdout.write(printOp(program, findOp(program, flags.programOp)));
    return;
  }
  const { simulation, execution } = assessor.assess(job, stackOf(job), unfoldRequest(flags));
  if (flags.trace !== undefined) writeTrace(flags.trace, [{ name: 'simulated', spans: execution.trace.spans }]);
  if (flags.json) printJson(simulation);
  else printSimulation(simulation);
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

const share = (value: number, whole: number): string =>
  `${formatSeconds(seconds(value))} (${formatPercent(value / whole)})`;

function unfoldedRows({ unfolded }: JobSimulation): string[][] {
  if (unfolded === null) return [];
  const { events, flows, jitter, lastChip, chips } = unfolded;
  const range = ({ min, mean, max }: SpreadSeconds): string =>
    [min, mean, max].map((value) => formatSeconds(seconds(value))).join(' … ');
  return [
    ['  unfolded', `${events} events, ${flows} flows; what follows is of chip ${lastChip}, the last to end`],
    ...(jitter === null ? [] : [['  jitter', `${formatPercent(jitter.coefficientOfVariation)}, seed ${jitter.seed}`]]),
    ['  chips end at', `${range(chips.endSeconds)} (least, mean, most)`],
    ['  chips idle', range(chips.idleSeconds)],
  ];
}

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
      ...unfoldedRows(result),
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
