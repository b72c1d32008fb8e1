import { dirname, join } from 'node:path';
import { DEFAULT_PLAN, checkPlan, formatPlan, numbers, resolveTask } from '../../job/index.js';
import type { JobInput, ListedOption, Space } from '../../job/index.js';
import { createMesh } from '../../mesh/index.js';
import { DIMENSIONS } from '../../planner/index.js';
import { relativeError } from '../../trace/index.js';
import { generateDataset } from '../../train/index.js';
import { formatPercent } from '../../units.js';
import { Assessor } from '../assess.js';
import { comparePlan, writeRunFiles } from '../comparison.js';
import { printComparison, printKinds } from '../comparison-view.js';
import { fitTrials, runInTurns, runJob, saveProfile, writeProfile } from '../experiment.js';
import { interruptible } from '../interrupt.js';
import { printJson, printLine, tableWidth } from '../output.js';
import { createProgress } from '../progress.js';
import { LEAST_AHEAD, requireRoom } from '../room.js';
import { createFreeRunFolder, createRunFolder, requireFree } from '../run-folder.js';
import type { Hold } from '../run-lock.js';
import { holdingRuns } from '../run-lock.js';
import type { Trial } from '../trial.js';
import { predictedPlan, whyOf } from '../plan-report.js';
import { searchPlans } from '../plan-search.js';
import { plansTable } from '../plans-table.js';
import {
  DRAWN_IMAGES,
  UNTIMED_STEPS,
  fitClasses,
  summarizeEvaluation,
  summarizeLoss,
  trainReporter,
  writeJob,
} from './train.js';

export interface DemoFlags {
  readonly run?: string;
  readonly epochs: number;
  readonly json?: boolean;
}

/** The first of its name that is free. */
const RUN = join('runs', 'demo');
const CHIPS = 2;
const BATCH = 32;
const MICROBATCHES = [1, 2];
/** Meshes and microbatches alone. */
const SPACE: Space = {
  mesh: { pipe: numbers(1) },
  microbatches: numbers(...MICROBATCHES),
  options: Object.fromEntries((Object.keys(DIMENSIONS) as ListedOption[]).map((name) => [name, [DEFAULT_PLAN[name]]])),
};
const TURNS = 12;
const STEPS_PER_TURN = 5;

/** `meshwright demo`: plan, train, compare and calibrate on this machine, end to end. */
export const demo = (flags: DemoFlags): Promise<void> => holdingRuns((hold) => demoHolding(flags, hold));

async function demoHolding(flags: DemoFlags, hold: Hold): Promise<void> {
  const say = (line = ''): void => {
    if (!flags.json) printLine(line);
  };
  if (flags.run !== undefined) requireFree(flags.run, '--run');
  let stage = 0;
  const section = (title: string): void => say(`\n${++stage}. ${title}`);

  section('Draw a small labelled set of images');
  const imageFolder = join(dirname(flags.run ?? RUN), 'drawn-images');
  const { classes } = await generateDataset(imageFolder, DRAWN_IMAGES);
  say(
    `   ${classes.length} classes, ${classes.length * DRAWN_IMAGES.trainImagesPerClass} images to train on, ${classes.length * DRAWN_IMAGES.heldOutImagesPerClass} held out: ${imageFolder}`,
  );

  const folder = flags.run ?? createFreeRunFolder(RUN).folder;
  if (flags.run !== undefined) createRunFolder(folder, '--run');
  hold(folder);
  const input: JobInput = await fitClasses({
    model: 'vit-tiny',
    hardware: 'local',
    chips: CHIPS,
    batch: BATCH,
    optimizer: { learningRate: 1e-3, warmupSteps: 20, cooldownSteps: 40 },
    training: { images: imageFolder, epochs: flags.epochs },
  });
  const shipped = resolveTask(input);
  const meshes = [{ data: CHIPS }, { model: CHIPS }].map(createMesh);
  const candidates = meshes.flatMap((mesh) =>
    MICROBATCHES.map((microbatches) => checkPlan(shipped, { ...DEFAULT_PLAN, mesh, microbatches })),
  );

  requireRoom(folder, candidates[0]!, LEAST_AHEAD);

  const { report, interrupted } = await interruptible(
    async (signal) => {
      section("Measure this machine's devices at the shapes of the candidate plans");
      const hardware = await writeProfile(candidates, folder, () => undefined, signal);
      const task = resolveTask({ ...input, hardware });
      const peak = task.hardware.chip.matmul[candidates[0]!.precision.compute as 'f32']!.peak;
      say(
        `   MFU is relative to ${(peak / 1e9).toFixed(0)} GFLOP/s a rank, the best matmul rate when this machine was first measured`,
      );

      section(`Rank ${candidates.length} plans for ${CHIPS} devices by simulation`);
      const { best: ranked } = await searchPlans(task, SPACE, { top: candidates.length, signal, threads: 1 });
      const assessor = new Assessor();
      if (!flags.json)
        plansTable(
          ranked.map((found, index) => ({
            ...predictedPlan(assessor, found),
            rank: index + 1,
            plan: formatPlan(found.job.plan),
          })),
          tableWidth(),
        ).forEach(printLine);
      say(`   ${whyOf(ranked[0]!, ranked[1])}`);

      section(`Run each for ${TURNS * STEPS_PER_TURN} steps, a few at a time in turns`);
      const progress = createProgress('turns', flags.json === true, TURNS);
      const settings = { turns: TURNS, stepsPerTurn: STEPS_PER_TURN };
      const predicted = ranked.map(({ job }) => assessor.assessAny(job));
      const timings = await runInTurns(predicted, settings, () => progress.advance(), signal).finally(() =>
        progress.end(),
      );
      const bestTiming = timings[0]!;
      const trials = predicted.map((one, index): Trial => ({ predicted: one, ...timings[index]! }));
      const fitted = fitTrials(trials);
      const rows = trials.map((trial, index) => comparePlan(trial, fitted.repredicted[index]));
      if (!flags.json) printComparison(rows);
      say('   "recalibrated": predicted by a profile calibrated on the other three plans only');
      const [best, bestTrial] = [rows[0]!, trials[0]!];
      const heldOutError = relativeError(best.repredicted!.stepTimeSeconds, best.measured.stepTimeSeconds);
      say(`   best plan, ${best.plan}: ${formatPercent(Math.abs(heldOutError))} off after calibration on the others`);
      say();
      if (!flags.json) printKinds(best);

      section(`Train the best plan, ${best.plan}, for ${flags.epochs} epochs`);
      writeJob(folder, bestTrial.predicted.job);
      const reporter = trainReporter(flags.json === true);
      const training = { untimedSteps: UNTIMED_STEPS, evaluate: true, runFolder: folder };
      const trained = await runJob(bestTrial.predicted, training, reporter.onEvent, signal).finally(reporter.end);
      say(`   ${summarizeLoss(trained)}`);
      const { evaluation } = trained;
      if (evaluation) say(`   ${summarizeEvaluation(evaluation)}`);

      writeRunFiles(folder, bestTrial, rows, trained, bestTiming);
      saveProfile(fitted.profile, join(folder, 'calibrated'));
      if (flags.json) {
        printJson({
          schema: 'meshwright/demo@1',
          runFolder: folder,
          plans: rows,
          heldOutError,
          firstLoss: trained.made.first[0]!.loss,
          lastLoss: trained.made.last.at(-1)!.loss,
          evaluation: evaluation ?? null,
        });
      }
      return trained;
    },
    () => undefined,
  );
  if (interrupted !== undefined) throw interrupted;
  say();
  say(
    `Everything is in ${folder} (${report.made.count} steps in metrics.jsonl; trace.json opens in https://ui.perfetto.dev).`,
  );
  say(
    `Next: meshwright compare ${folder} · meshwright plan --model vit-22b --hardware tpu-v4 --chips 1024 --batch 65536`,
  );
}
