/** Answers to questions that take several searches, as people and programs read them. */
import { loadHardware } from '../hardware/index.js';
import type { Task } from '../job/index.js';
import { formatPlan, modelFlops } from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import type { BestPlan, FewestChips, FindBest, Largest, TrainingEstimate } from '../planner/index.js';
import { compareHardware, fewestChips, largestBatch, largestModel, trainingEstimate } from '../planner/index.js';
import {
  bytes,
  formatBytes,
  formatDollars,
  formatDuration,
  formatJoules,
  formatPercent,
  formatSeconds,
  seconds,
} from '../units.js';
import type { JobSimulation } from './assess.js';
import { Assessor } from './assess.js';
import { printJson, printLine, printTable } from './output.js';
import { predictedPlan } from './plan-report.js';
import type { QuestionFlags } from './question-flags.js';

type Best = BestPlan<JobSimulation>;

/** One machine's part of an answer; without a plan where none is found. */
interface Row {
  readonly hardware: string;
  readonly chips: number;
  readonly batch: number;
  readonly best?: Best;
  readonly training?: TrainingEstimate;
}

const HEAD = ['hardware', 'chips', 'time', 'cost', 'energy', 'chip-hours', 'step', 'MFU', 'plan'];
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

const cells = ({ hardware, chips, best, training }: Row): string[] => {
  const money = training?.dollars ?? null;
  const energy = training?.energy ?? null;
  return [
    hardware,
    String(chips),
    training === undefined ? 'nothing fits' : formatDuration(training.time),
    money === null ? '' : formatDollars(money),
    energy === null ? '' : formatJoules(energy),
    training === undefined ? '' : short.format(training.chipHours),
    best === undefined ? '' : formatSeconds(seconds(best.figures.stepTimeSeconds)),
    best === undefined ? '' : formatPercent(best.figures.mfu),
    best === undefined ? '' : formatPlan(best.job.plan),
  ];
};

const documentOf = ({ hardware, chips, batch, best, training }: Row): object => ({
  hardware,
  chips,
  batch,
  plan: best === undefined ? null : formatPlan(best.job.plan),
  training: training ?? null,
  simulation: best === undefined ? null : predictedPlan(new Assessor(), best).figures,
});

/** Where prices come from, since nobody pays list prices. */
function priceLines(tasks: readonly Task[]): string[] {
  const known = tasks.flatMap(({ hardware: { name, price } }) =>
    price === undefined ? [] : [`${name} ${price.perChipHour} USD an hour (${price.region}, ${price.date})`],
  );
  return known.length === 0 ? [] : [`At list prices on demand: ${known.join(', ')}; energy is that of the chips alone`];
}

const trainingOf = (task: Task, tokens: number): string =>
  `${short.format(tokens)} tokens of ${task.model.name}, batch ${task.batch}`;

export interface Question extends QuestionFlags {
  readonly json?: boolean;
}

/**
 * @param find searches what the task's other flags leave open
 * @param findAtOnce the same with one microbatch
 * @returns what prints the answer
 */
export async function answer(
  task: Task,
  question: Question,
  find: FindBest<JobSimulation>,
  findAtOnce: FindBest<JobSimulation>,
): Promise<() => void> {
  const { finishIn, on, largest, tokens } = question;
  if (largest !== undefined) {
    const found = await (largest === 'batch' ? largestBatch(task, findAtOnce) : largestModel(task, find));
    return () => showLargest(largest, found, question);
  }
  const tasks = (on ?? [task.hardwareName]).map((name) => ({
    ...task,
    hardware: loadHardware(name),
    hardwareName: name,
  }));
  if (finishIn !== undefined) return fewest(tasks, { ...question, finishIn, tokens: tokens! }, find);
  const found = await compareHardware(tasks, tokens!, find);
  const slowdown = 1 / (question.goodput ?? 1);
  const rows = found.map(({ hardware, chips, best }): Row => {
    const training = best && trainingEstimate(best, tokens!, slowdown);
    return {
      hardware: hardware.name,
      chips,
      batch: task.batch,
      ...(best === undefined ? {} : { best }),
      ...(training === undefined ? {} : { training }),
    };
  });
  return () => showComparison(tasks, tokens!, rows, question);
}

function showComparison(tasks: readonly Task[], tokens: number, rows: readonly Row[], { json }: Question): void {
  const [first] = tasks;
  if (json) {
    printJson({ schema: 'meshwright/comparison@1', model: first!.model.name, tokens, rows: rows.map(documentOf) });
    return;
  }
  printLine(`${trainingOf(first!, tokens)}:`);
  printLine();
  printTable(HEAD, rows.map(cells), [1, 2, 3, 4, 5, 6, 7]);
  printLine();
  priceLines(tasks).forEach(printLine);
}

type FewestQuestion = Question & Required<Pick<QuestionFlags, 'finishIn' | 'tokens'>>;

async function fewest(
  tasks: readonly Task[],
  question: FewestQuestion,
  find: FindBest<JobSimulation>,
): Promise<() => void> {
  const { finishIn: within, tokens, goodput = 1 } = question;
  const found: FewestChips<JobSimulation>[] = [];
  for (const task of tasks) {
    const flops = modelFlops(task.model, task.batch);
    found.push(await fewestChips(task, { tokens, within, slowdown: 1 / goodput, modelFlops: flops }, find));
  }
  return () => showFewest(tasks, found, question);
}

function showFewest(
  tasks: readonly Task[],
  found: readonly FewestChips<JobSimulation>[],
  { finishIn: within, tokens, goodput = 1, json }: FewestQuestion,
): void {
  const rows = found.map(({ best, training }): Row => ({
    hardware: best.job.hardware.name,
    chips: best.job.chips,
    batch: best.job.batch,
    best,
    training,
  }));
  const [first] = tasks;
  if (json) {
    printJson({
      schema: 'meshwright/fewest-chips@1',
      model: first!.model.name,
      tokens,
      withinSeconds: within,
      goodput,
      rows: rows.map((row, index) => ({
        ...documentOf(row),
        tooFew: found[index]!.tooFew.map(({ task, best }) => ({
          chips: task.chips,
          time: best === undefined ? null : trainingEstimate(best, tokens, 1 / goodput).time,
        })),
      })),
    });
    return;
  }
  printLine(`${trainingOf(first!, tokens)} in ${formatDuration(within)}: the fewest chips`);
  printLine();
  printTable(HEAD, rows.map(cells), [1, 2, 3, 4, 5, 6, 7]);
  printLine();
  for (const { tooFew, best } of found) {
    const last = tooFew.at(-1);
    if (last === undefined) continue;
    const time = last.best && trainingEstimate(last.best, tokens, 1 / goodput).time;
    const why = time === undefined ? 'have no plan that fits and divides' : `take ${formatDuration(time)}`;
    printLine(`${last.task.chips} × ${best.job.hardware.name} ${why}`);
  }
  priceLines(tasks).forEach(printLine);
}

function showLargest(what: 'batch' | 'model', { best, tooLarge }: Largest<JobSimulation>, { json }: Question): void {
  const { job, figures } = best;
  const { model } = job;
  const sizes = (of: Task['model']): string => `${of.depth} layers of ${of.width}, ${of.heads} heads`;
  if (json) {
    printJson({
      schema: 'meshwright/largest@1',
      largest: what,
      hardware: job.hardware.name,
      chips: job.chips,
      batch: job.batch,
      model,
      plan: formatPlan(job.plan),
      tooLarge: { batch: tooLarge.batch, model: tooLarge.model },
      simulation: predictedPlan(new Assessor(), best).figures,
    });
    return;
  }
  const usable = figures.memoryCapacityBytesPerChip - figures.reservedMemoryBytesPerChip;
  printLine(
    what === 'batch'
      ? `${model.name} on ${job.chips} × ${job.hardware.name}: at most ${job.batch} examples (${short.format(job.batch * tokensPerExample(model))} tokens) fit at once, ${tooLarge.batch} don't; with more microbatches a batch may be as large as you like`
      : `On ${job.chips} × ${job.hardware.name} at most ${sizes(model)} fit (${short.format(figures.formulaParameters)} parameters); ${sizes(tooLarge.model)} don't`,
  );
  printLine();
  printTable(
    ['plan', 'step', 'MFU', 'memory', 'of'],
    [
      [
        formatPlan(job.plan),
        formatSeconds(seconds(figures.stepTimeSeconds)),
        formatPercent(figures.mfu),
        formatBytes(bytes(figures.peakMemoryBytesPerChip)),
        formatBytes(bytes(usable)),
      ],
    ],
    [1, 2, 3, 4],
  );
}
