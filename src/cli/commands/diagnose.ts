import { MeshwrightError } from '../../errors.js';
import { formatPlan } from '../../job/index.js';
import type { Diagnosis, Explanation } from '../../planner/index.js';
import { diagnose } from '../../planner/index.js';
import { wrapped } from '../../text.js';
import type { Seconds } from '../../units.js';
import { formatPercent, formatSeconds, seconds } from '../../units.js';
import { Assessor, stackOf } from '../assess.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';
import { createProgress } from '../progress.js';
import { createAssess } from '../what-if.js';

export interface DiagnoseFlags extends JobFlags {
  readonly measuredStepTime?: Seconds;
  readonly measuredMfu?: number;
  readonly top: number;
}

/** A prediction that is off by less says nothing of the run (docs/accuracy.md: published runs are predicted to 4 %). */
const AS_PREDICTED = 0.04;

/** `meshwright diagnose`: why a measured step is slower than the prediction of its job. */
export function diagnoseJob(file: string | undefined, flags: DiagnoseFlags): void {
  const { measuredStepTime, measuredMfu } = flags;
  if (measuredStepTime === undefined && measuredMfu === undefined) {
    throw new MeshwrightError('USAGE', {
      place: 'command line',
      expected: '--measured-step-time, such as 12s, or --measured-mfu, such as 0.31',
      got: 'neither',
    });
  }
  const job = new Assessor().resolve(jobInput(file, flags));
  const stack = stackOf(job);
  const simulate = createAssess();
  const progress = createProgress('what-ifs simulated', flags.json === true);
  const assess: typeof simulate = (one, options) => {
    progress.advance();
    return simulate(one, options);
  };
  const base = simulate(job);
  const measured = measuredStepTime ?? seconds((base.stepTimeSeconds * base.mfu) / measuredMfu!);
  const found = diagnose(job, stack, measured, assess);
  progress.end();
  if (flags.json) {
    printJson({ schema: 'meshwright/diagnosis@1', job: describe(), ...found });
    return;
  }
  const { model, chips, hardware, batch, plan } = { ...job, model: job.model.name, hardware: job.hardware.name };
  printLine(`${model} on ${chips} × ${hardware}, batch ${batch}: ${formatPlan(plan)}`);
  diagnosisLines(found, flags.top, process.stdout.columns ?? 80).forEach((line) => printLine(line));
  printCauses(found.explanations.slice(0, flags.top));

  function describe(): object {
    return {
      model: job.model.name,
      hardware: job.hardware.name,
      stack: stack.name,
      chips: job.chips,
      batch: job.batch,
      plan: formatPlan(job.plan),
    };
  }
}

function diagnosisLines(found: Diagnosis, top: number, columns: number): string[] {
  const { predictedStepTimeSeconds, measuredStepTimeSeconds, predictedMfu, measuredMfu, gap, explanations } = found;
  const time = (value: number): string => formatSeconds(seconds(value));
  const width = Math.max(60, Math.min(columns, 120));
  const head = `measured ${time(measuredStepTimeSeconds)} (MFU ${formatPercent(measuredMfu)}), predicted ${time(predictedStepTimeSeconds)} (MFU ${formatPercent(predictedMfu)})`;
  const verdict =
    gap < 0
      ? `The run is ${formatPercent(-gap)} faster than predicted: its job file says something else than what ran, or the profile's rates are too low for this machine (\`meshwright calibrate\`).`
      : gap < AS_PREDICTED
        ? `That is ${formatPercent(gap)} slower than predicted, which is no more than predictions are off by; what follows may explain it, or nothing does.`
        : `That is ${formatPercent(gap)} slower than predicted. Each cause below was simulated by itself; likeliest first, of ${explanations.length} the first ${Math.min(top, explanations.length)}.`;
  return [head, '', ...wrapped(verdict, width)];
}

const severity = ({ slower }: Explanation): string => (slower === undefined ? '' : `${slower.toPrecision(2)}×`);

function printCauses(explanations: readonly Explanation[]): void {
  if (explanations.length === 0) return;
  printLine();
  printTable(
    ['', 'cause', 'by', 'explains', 'step'],
    explanations.map((one, index) => [
      String(index + 1),
      one.cause,
      severity(one),
      formatPercent(one.explains, 0),
      formatSeconds(seconds(one.stepTimeSeconds)),
    ]),
    [0, 2, 3, 4],
  );
  printLine();
  printLine('To check');
  explanations.forEach(({ check }, index) => printLine(`${String(index + 1).padStart(3)}  ${check}`));
}
