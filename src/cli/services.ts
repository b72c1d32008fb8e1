/** What the terminal UI asks for, done by the same pieces as the commands. */
import { join } from 'node:path';
import { unreachable } from '../errors.js';
import { listHardware, loadHardware } from '../hardware/index.js';
import { checkPlan, parsePlan, resolveTask } from '../job/index.js';
import type { Job, JobInput } from '../job/index.js';
import type { ModelConfig } from '../models/index.js';
import { PRESETS, tokensPerExample } from '../models/index.js';
import { generateDataset, generateText } from '../train/index.js';
import type { Comparison, HardwareChoice, Services, TaskChoice, TrainEvent as UiEvent } from '../tui/services.js';
import { Assessor } from './assess.js';
import { comparePlan, writeRunFiles } from './comparison.js';
import {
  describeEvaluation,
  DRAWN_IMAGES,
  fitClasses,
  requireFits,
  requireLocal,
  UNTIMED_STEPS,
  WRITTEN_TEXT,
  writeJob,
} from './commands/train.js';
import { runJob, writeProfile } from './experiment.js';
import { keepTrial } from './feedback.js';
import { createPlanServices } from './plan-services.js';
import { stragglersOf } from './run-report.js';
import { LEAST_AHEAD, requireRoom } from './room.js';
import { createRunFolder, freeRunFolder } from './run-folder.js';
import { hardwareVersion, storedHardware } from './stored-hardware.js';
import type { Trial } from './trial.js';
import { predictedStepSeconds } from './trial.js';
import { formatSeconds, seconds } from '../units.js';
import { toJobInput } from './task-choice.js';

const EPOCHS = 6;

/** Makes data for a model to train on. */
async function makeData(
  { family }: ModelConfig,
  onText: (text: string) => void,
): Promise<{ readonly images: string } | { readonly text: string }> {
  switch (family) {
    case 'vit': {
      onText('drawing a small set of images');
      const images = join('runs', 'drawn-images');
      await generateDataset(images, DRAWN_IMAGES);
      return { images };
    }
    case 'decoder': {
      onText('writing a small text');
      const text = join('runs', 'written-text.txt');
      await generateText(text, WRITTEN_TEXT);
      return { text };
    }
    default:
      return unreachable(family);
  }
}

/** The plan of a search that has this label, on a profile. */
const planNamed = (input: JobInput, hardware: string, label: string): Job =>
  checkPlan(resolveTask({ ...input, hardware }), parsePlan(label));

async function train(
  task: TaskChoice,
  label: string,
  onEvent: (event: UiEvent) => void,
  signal: AbortSignal,
): Promise<Comparison> {
  const asked = toJobInput(task);
  const { model } = resolveTask(asked);
  // A job file may name data of its own.
  const hasData = asked.training?.images !== undefined || asked.training?.text !== undefined;
  const data = hasData ? {} : await makeData(model, (text) => onEvent({ kind: 'phase', text }));
  const training = { epochs: EPOCHS, ...asked.training, ...data };
  const optimizer = { warmupSteps: 20, cooldownSteps: 20, ...asked.optimizer };
  const input = await fitClasses({ ...asked, training, optimizer });
  const shipped = planNamed(input, input.hardware!, label);
  requireLocal(shipped);
  requireFits(new Assessor().assessAny(shipped));
  const folder = freeRunFolder(join('runs', model.name));
  requireRoom(folder, shipped, LEAST_AHEAD);
  createRunFolder(folder, '--run');
  onEvent({ kind: 'phase', text: 'measuring this machine' });
  const hardware = await writeProfile([shipped], folder, () => undefined, signal);
  const job = planNamed(input, hardware, label);
  writeJob(folder, job);
  const predicted = new Assessor().assessAny(job);
  const anew = formatSeconds(seconds(predictedStepSeconds(predicted)));
  let skipped = 0;
  const settings = { untimedSteps: UNTIMED_STEPS, evaluate: true, runFolder: folder };
  const report = await runJob(
    predicted,
    settings,
    (event) => {
      if (event.kind === 'step') onEvent({ kind: 'step', steps: event.steps, ...event.metrics });
      else if (event.kind === 'evaluated') onEvent({ kind: 'evaluated', ...describeEvaluation(event.evaluation) });
      else if (event.kind === 'skipped') onEvent({ kind: 'phase', text: `training; ${++skipped} images skipped` });
      else if (event.kind === 'checkpoint')
        onEvent({ kind: 'phase', text: `training; ${event.checkpoint.path} written` });
      else if (event.text === 'training')
        onEvent({ kind: 'phase', text: `training; with this machine measured, ${anew} a step are predicted` });
      else onEvent(event);
    },
    signal,
  );
  const trial: Trial = { predicted, spans: report.spans, stepSeconds: report.stepSeconds };
  const row = comparePlan(trial);
  keepTrial(trial, folder, stragglersOf(writeRunFiles(folder, trial, [row], report).ranks));
  return {
    runFolder: folder,
    rows: [
      {
        label: row.plan,
        predictedStepTimeSeconds: row.predicted.stepTimeSeconds,
        measuredStepTimeSeconds: row.measured.stepTimeSeconds,
        predictedMfu: row.predicted.mfu,
        measuredMfu: row.measured.mfu,
      },
    ],
    byKind: row.byKind,
  };
}

/** A profile to pick, as its newest version has it. */
function hardwareChoice(name: string): HardwareChoice {
  const hardwareName = storedHardware(name);
  const { title, chip, topology, defaultDtype } = loadHardware(hardwareName);
  const version = hardwareVersion({ hardwareName });
  const peak = chip.matmul[defaultDtype]?.peak;
  return {
    name,
    about: version === null ? title : `${title} (version ${version.version})`,
    memoryBytesPerChip: chip.memoryCapacity,
    ...(peak === undefined ? {} : { peakFlopsPerSecondPerChip: peak }),
    ...('chipsPerNode' in topology ? { chipsPerNode: topology.chipsPerNode } : {}),
  };
}

export function createServices(): Services {
  return {
    models: PRESETS.map(({ config, about }) => ({
      name: config.name,
      about,
      tokensPerExample: tokensPerExample(config),
    })),
    hardware: listHardware().map(hardwareChoice),
    ...createPlanServices(),
    train,
  };
}
