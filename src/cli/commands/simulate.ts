import { print } from '../../program/index.js';
import { formatBytes, formatPercent, formatSeconds, bytes, seconds } from '../../units.js';
import type { JobSimulation } from '../assess.js';
import { Assessor } from '../assess.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { writeTrace } from '../run-folder.js';

export interface SimulateFlags extends JobFlags {
  readonly trace?: string;
  readonly printProgram?: boolean;
}

/** `meshwright simulate`: predicts one plan. */
export function simulate(file: string | undefined, flags: SimulateFlags): void {
  const assessor = new Assessor();
  const job = assessor.resolve(jobInput(file, flags));
  const { simulation, execution, program } = assessor.assess(job);
  if (flags.trace !== undefined) writeTrace(flags.trace, [{ name: 'simulated', spans: execution.trace.spans }]);
  if (flags.printProgram) printLine(print(program));
  else if (flags.json) printJson(simulation);
  else printSimulation(simulation);
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
