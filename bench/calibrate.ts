/**
 * `npm run bench:calibrate`: measures this machine's devices and 24 jobs on them in interleaved blocks beside a reference,
 * calibrates on 8 of the jobs and predicts the other 16. `-- --json` prints a document, `--blocks N` measures so many
 * blocks, `--measurements DIR` is where they are kept, and gone on with, `--profile-seconds N` is what measuring a family's
 * devices may take, `--no-measuring` judges what is there.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median, quantile } from 'simple-statistics';
import { calibrated, profilesAlong, quantilesOf, resolveProfile } from '../src/calibrate/index.js';
import type { Misfit, ProfileDocuments, ResolvedProfile } from '../src/calibrate/index.js';
import { saveProfile } from '../src/cli/experiment.js';
import { formatPlan } from '../src/job/index.js';
import type { FamilyName } from '../src/runtime/index.js';
import { Checks } from './checks.js';
import { chooseFitted } from './calibrate/choose.js';
import type { Measured } from './calibrate/evaluate.js';
import { measuredJob, paceOf } from './calibrate/evaluate.js';
import type { BenchJob } from './calibrate/jobs.js';
import { BENCH_JOBS, resolved } from './calibrate/jobs.js';
import { Measurements } from './calibrate/measurements.js';
import { knownProfile, measuredProfile, shippedDocuments } from './calibrate/profiles.js';
import { pairedRatio, plannedFirst } from './calibrate/race.js';

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean' },
    blocks: { type: 'string', default: '8' },
    measurements: { type: 'string', default: join('runs', 'bench-calibrate') },
    'profile-seconds': { type: 'string', default: '110' },
    'no-measuring': { type: 'boolean' },
    verbose: { type: 'boolean' },
  },
});
const FITTED = 8;
const LEAST_BLOCKS = 7;
const blocks = Number(given.blocks);
const folder = given.measurements;
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const families: readonly FamilyName[] = ['onnx', 'tfjs-wasm'];

const measurements = new Measurements(folder);
const profiles = new Map<FamilyName, { documents: ProfileDocuments; path: string }>();
for (const family of families) {
  const jobs = BENCH_JOBS.filter((job) => job.family === family);
  profiles.set(
    family,
    given['no-measuring'] === true
      ? knownProfile(family, jobs, folder)
      : await measuredProfile(family, jobs, folder, Number(given['profile-seconds']), say),
  );
}
if (given['no-measuring'] !== true) await measurements.complete(BENCH_JOBS, blocks, say);

const pace = paceOf(measurements.all);
const measured = (job: BenchJob): Measured =>
  measuredJob(job, measurements.of(job), pace, profiles.get(job.family)!.path);
const all = BENCH_JOBS.filter((job) => measurements.of(job).length > 0).map(measured);

const repeats = ({ repeatability: own }: Measured): number => own;
const repeatability = median(all.map(repeats));

interface Judged extends Measured {
  readonly fitted: boolean;
  readonly shipped: number;
  readonly profiled: number;
  readonly calibrated: number;
  readonly interval: readonly [p10: number, p90: number];
}

const chosen = new Set(chooseFitted(BENCH_JOBS, FITTED).map(({ name }) => name));
const judged: Judged[] = [];
/** Of the families that are fitted so far, as `calibrate` finds them in its store. */
const others: Misfit[] = [];
for (const family of families) {
  const own = all.filter(({ job }) => job.family === family);
  const fit = own.filter(({ job }) => chosen.has(job.name)).map(({ subject }) => subject);
  const check = own.filter(({ job }) => !chosen.has(job.name));
  say(`calibrating ${family} on ${fit.length} jobs`);
  const { documents } = profiles.get(family)!;
  // What is left over on the fitted jobs alone says how far off it is: the others are there to see whether that is so.
  const source = `bench:calibrate, ${fit.length} jobs`;
  const found = calibrated(documents, { fit, check: [] }, { source, repeatability, others });
  const uncertainty = found.uncertainty!;
  others.push({ square: uncertainty.misfit!, runs: uncertainty.runs });
  profiles.set(family, {
    documents: found.documents,
    path: saveProfile(found.documents, join(folder, `calibrated-${family}`)),
  });
  if (given.verbose === true) {
    say(`  off by √${uncertainty.misfit} of what is expected, ${uncertainty.p10} – ${uncertainty.p90}`);
    for (const { term, before, factor, interval, samples } of found.corrections)
      say(
        `  ${term.padEnd(55)} ${before.padEnd(14)} × ${factor.toFixed(2)} (${interval.map((one) => one.toFixed(2)).join(' – ')}) ${samples}`,
      );
  }
  const stepOn =
    (profile: ResolvedProfile) =>
    ({ subject }: Measured): number =>
      subject.predict(profile).at(-1)!;
  const predict = (of: ProfileDocuments) => stepOn(resolveProfile(of));
  const [shipped, profiled, recalibrated] = [shippedDocuments(family), documents, found.documents].map(predict) as [
    (of: Measured) => number,
    (of: Measured) => number,
    (of: Measured) => number,
  ];
  const along = profilesAlong(found.documents);
  for (const one of [...own.filter(({ job }) => chosen.has(job.name)), ...check]) {
    const step = recalibrated(one);
    const moved = along.map(({ profile }) => stepOn(profile)(one) / step);
    const { p10, p90 } = quantilesOf(uncertainty, along, moved);
    const fitted = chosen.has(one.job.name);
    judged.push({
      ...one,
      fitted,
      shipped: shipped(one),
      profiled: profiled(one),
      calibrated: step,
      interval: [p10 * step, p90 * step],
    });
  }
}

type Stage = 'shipped' | 'profiled' | 'calibrated';
const error = (one: Judged, stage: Stage): number => one[stage] / one.stepSeconds - 1;
const checked = judged.filter(({ fitted }) => !fitted);
const percent = (share: number): number => 100 * share;
const errors = (stage: Stage): number[] => checked.map((one) => Math.abs(error(one, stage)));
const beside = (of: (stage: Stage) => number): string =>
  `${of('profiled').toFixed(1)} measured, ${of('shipped').toFixed(1)} shipped`;

const checks = new Checks();
checks.add('jobs measured', all.length, 'runs', [24, Infinity]);
checks.add('interleaved blocks', Math.min(...all.map(({ blocks: of }) => of.length)), 'runs', [LEAST_BLOCKS, Infinity]);
checks.add('repeatability of a block', percent(repeatability), '%');
checks.add('  of what slows the reference, steps feel', percent(pace.share), '%');
const middle = (stage: Stage): number => percent(median(errors(stage)));
const most = (stage: Stage): number => percent(quantile(errors(stage), 0.9));
const most6 = Math.max(6, 1.5 * percent(repeatability));
checks.add('step time, median error of those not fitted', middle('calibrated'), '%', [0, most6], beside(middle));
checks.add('  90th percentile', most('calibrated'), '%', [0, 15], beside(most));

/** Of pairs of one model and number of ranks that differ by more than twice the noise, those in the right order. */
function ordered(stage: Stage): { right: number; count: number } {
  let [right, count] = [0, 0];
  checked.forEach((a, index) =>
    checked.slice(index + 1).forEach((b) => {
      if (a.job.model !== b.job.model || a.job.ranks !== b.job.ranks) return;
      const apart = Math.abs(Math.log(a.stepSeconds / b.stepSeconds));
      if (apart <= 2 * Math.hypot(repeats(a), repeats(b))) return;
      count++;
      if (a[stage] > b[stage] === a.stepSeconds > b.stepSeconds) right++;
    }),
  );
  return { right, count };
}
const { right, count } = ordered('calibrated');
const share = (stage: Stage): number => percent(ordered(stage).right / ordered(stage).count);
checks.add(
  `pairs in the right order (${right} of ${count})`,
  percent(right / count),
  '%',
  [90, Infinity],
  beside(share),
);
const held = checked.filter(({ interval: [p10, p90], stepSeconds }) => stepSeconds >= p10 && stepSeconds <= p90);
checks.add(`runs within p10–p90, of ${checked.length}`, held.length, 'runs', [11, 16]);
const width = median(checked.map(({ interval: [p10, p90], calibrated }) => (p90 - p10) / calibrated));
checks.add('  median width', percent(width), '%', 25);

if (given['no-measuring'] !== true) {
  for (const model of new Set(BENCH_JOBS.map((job) => job.model))) {
    const rivals = all.filter(({ job }) => job.model === model && job.family === 'onnx' && job.ranks === 2);
    const fastest = rivals.reduce((best, one) => (one.stepSeconds < best.stepSeconds ? one : best));
    const first = plannedFirst(fastest.job, profiles.get('onnx')!.path, folder);
    const name = `${model}: the plan put first over the fastest measured, at least`;
    if (first.plan === formatPlan(resolved(fastest.job, profiles.get('onnx')!.path).plan)) {
      checks.add(name, 1, '×', [0, 1], `the same: ${first.plan}`);
      continue;
    }
    // Both anew: what was measured at another time, among other jobs, is no match.
    const pair = [first, { ...fastest.job, name: `${fastest.job.name} (again)` }];
    await measurements.complete(pair, blocks, say);
    const [planned, known] = pair.map(measured) as [Measured, Measured];
    const { ratio, p5, p95 } = pairedRatio(planned, known);
    checks.add(name, p5, '×', [0, 1], `${ratio.toFixed(2)} (${p5.toFixed(2)} – ${p95.toFixed(2)}): ${first.plan}`);
  }
}

for (const one of judged) {
  const { job, stepSeconds, fitted, interval } = one;
  const at = (stage: Stage): string => `${percent(error(one, stage)).toFixed(1)} %`.padStart(8);
  checks.note(
    [
      fitted ? 'fitted ' : 'checked',
      job.name.padEnd(72),
      `${(1e3 * stepSeconds).toFixed(0)} ms`.padStart(8),
      `±${percent(repeats(one)).toFixed(0)} %`.padStart(6),
      `shipped ${at('shipped')}  measured ${at('profiled')}  calibrated ${at('calibrated')}`,
      `${interval.map((bound) => (1e3 * bound).toFixed(0)).join(' – ')} ms`,
    ].join('  '),
  );
}
checks.print('calibration', 'before calibration');
