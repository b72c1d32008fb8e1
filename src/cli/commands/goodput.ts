import { formatPlan } from '../../job/index.js';
import type { Goodput, Interruptions, TrainingRuns } from '../../planner/index.js';
import {
  costOf,
  dalyInterval,
  expectedGoodput,
  meanTimeBetween,
  runTrainings,
  youngInterval,
} from '../../planner/index.js';
import type { Seconds } from '../../units.js';
import { formatDollars, formatDuration, formatJoules, formatPercent, formatSeconds, seconds } from '../../units.js';
import { Assessor } from '../assess.js';
import type { JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine, printTable } from '../output.js';

export interface GoodputFlags extends JobFlags {
  readonly chipHoursBetween: number;
  readonly checkpointTime: Seconds;
  readonly restartTime: Seconds;
  readonly checkpointEvery?: Seconds;
  readonly tokens?: number;
  readonly steps?: number;
  readonly draws: number;
  readonly seed: number;
}

/** As long as there is no other: a month. */
const USUAL_WORK = seconds(30 * 86400);

/** `meshwright goodput`: what interruptions and checkpoints leave of a plan's steps. */
export function goodput(file: string | undefined, flags: GoodputFlags): void {
  const assessor = new Assessor();
  const job = assessor.resolve(jobInput(file, flags));
  const { stepTimeSeconds, tokensPerSecond } = assessor.simulate(job);
  const interruptions: Interruptions = {
    meanTimeBetween: meanTimeBetween(flags.chipHoursBetween, job.chips),
    checkpoint: flags.checkpointTime,
    restart: flags.restartTime,
  };
  const best = dalyInterval(interruptions);
  const interval = flags.checkpointEvery ?? best;
  const expected = expectedGoodput(interruptions, interval);
  const { tokens, steps } = flags;
  const given =
    tokens !== undefined ? tokens / tokensPerSecond : steps === undefined ? undefined : steps * stepTimeSeconds;
  const work = given === undefined ? USUAL_WORK : seconds(given);
  const runs = runTrainings(interruptions, interval, work, flags);
  const cost = costOf(job.hardware, job.chips, runs.meanTime);
  if (flags.json) {
    printJson({
      schema: 'meshwright/goodput@1',
      plan: formatPlan(job.plan),
      chips: job.chips,
      stepTimeSeconds,
      interruptions,
      intervals: { used: interval, young: youngInterval(interruptions), daly: best },
      expected,
      tokensPerSecond: tokensPerSecond * expected.useful,
      work,
      runs,
      cost,
    });
    return;
  }
  printLine(`${job.model.name} on ${job.chips} × ${job.hardware.name}, batch ${job.batch}: ${formatPlan(job.plan)}`);
  printLine(
    `An interruption every ${formatDuration(interruptions.meanTimeBetween)}: one in ${flags.chipHoursBetween} hours of a chip`,
  );
  printLine(
    `A checkpoint after every ${formatDuration(interval)}${flags.checkpointEvery === undefined ? ', which is best (Daly 2006)' : `; best would be ${formatDuration(best)} (Daly 2006)`}`,
  );
  printLine();
  printShares(expected);
  printLine();
  printLine(
    `Goodput ${formatPercent(expected.useful)}: a step of ${formatSeconds(seconds(stepTimeSeconds))} takes ${formatSeconds(seconds(stepTimeSeconds / expected.useful))} on the average`,
  );
  printRuns(work, runs);
  const { dollars, energy, chipHours } = cost;
  const billed = [
    `${Number(chipHours.toPrecision(3))} chip-hours`,
    ...(dollars === null ? [] : [formatDollars(dollars)]),
    ...(energy === null ? [] : [formatJoules(energy)]),
  ];
  printLine(`That is ${billed.join(', ')}`);
}

function printShares(expected: Goodput): void {
  const words: Readonly<Record<keyof Goodput, string>> = {
    useful: 'steps that stay',
    checkpoints: 'checkpoints',
    rework: 'steps done again',
    restarts: 'restarts',
  };
  printTable(
    ['time goes to', 'share'],
    (Object.keys(words) as (keyof Goodput)[]).map((part) => [words[part], formatPercent(expected[part], 2)]),
    [1],
  );
}

function printRuns(
  work: Seconds,
  { draws, seed, meanTime, fastTime, slowTime, meanInterruptions, useful }: TrainingRuns,
): void {
  printLine(
    `${formatDuration(work)} of steps take ${formatDuration(meanTime)}, nine in ten runs ${formatDuration(fastTime)} to ${formatDuration(slowTime)}, with ${Number(meanInterruptions.toPrecision(3))} interruptions (${draws} runs event by event, seed ${seed}; goodput ${formatPercent(useful)})`,
  );
}
