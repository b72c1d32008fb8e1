/** What people ask of `plan` instead of the best plans of one task. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { MeshwrightError } from '../errors.js';
import type { Seconds } from '../units.js';
import { amount, duration, share, whole } from './options.js';

export interface QuestionFlags {
  readonly finishIn?: Seconds;
  readonly tokens?: number;
  readonly goodput?: number;
  readonly on?: readonly string[];
  readonly largest?: 'batch' | 'model';
}

/** About the plans that were found. */
export interface WhatIfFlags {
  readonly whatIf?: boolean;
  readonly robustness?: number;
  readonly seed?: number;
}

const names = (text: string): string[] => {
  const found = text.split(',').map((name) => name.trim());
  if (found.every((name) => name !== '') && new Set(found).size === found.length) return found;
  const expected = 'profiles, each once, with commas between, as in tpu-v5p,tpu-v4';
  throw new MeshwrightError('USAGE', { place: '--on', expected, got: JSON.stringify(text) });
};

export const addQuestionFlags = (command: Command): Command =>
  command
    .addOption(
      new Option('--finish-in <time>', 'the fewest chips that train --tokens in this time, e.g. 30d')
        .argParser(duration('--finish-in'))
        .conflicts(['chips', 'largest']),
    )
    .option(
      '--tokens <count>',
      'how many tokens the training has, e.g. 4e12, to say what it takes and costs',
      amount('--tokens'),
    )
    .option(
      '--goodput <share>',
      'of the time, the share that steps get; `meshwright goodput` says what interruptions leave (default: 1)',
      share('--goodput'),
    )
    .addOption(
      new Option('--on <profiles>', 'what --tokens take and cost on each of these, e.g. tpu-v5p,tpu-v4')
        .argParser(names)
        .conflicts(['largest']),
    )
    .addOption(
      new Option(
        '--largest <what>',
        'the largest batch whose activations fit at once, or the largest model of these proportions',
      ).choices(['batch', 'model']),
    )
    .option('--what-if', 'what the best plan would gain from faster parts, another batch, one option flipped')
    .option(
      '--robustness <draws>',
      'in how many of so many draws of the profile’s uncertain rates each plan shown is first',
      whole('--robustness'),
    )
    .option('--seed <number>', 'of these draws (default: 0)', whole('--seed', 0));

/** Whether it takes several searches. */
export const isQuestion = ({ finishIn, on, largest }: QuestionFlags): boolean =>
  finishIn !== undefined || on !== undefined || largest !== undefined;

/** @throws MeshwrightError USAGE of a flag without that which it is about */
export function checkQuestion(question: QuestionFlags, { whatIf, robustness, seed }: WhatIfFlags): void {
  const { finishIn, tokens, goodput, on } = question;
  const alone = (place: string, expected: string): MeshwrightError =>
    new MeshwrightError('USAGE', { place, expected, got: 'nothing of it' });
  if (finishIn !== undefined && tokens === undefined) throw alone('--finish-in', '--tokens beside it, such as 4e12');
  if (on !== undefined && tokens === undefined) throw alone('--on', '--tokens beside it, such as 4e12');
  if (goodput !== undefined && tokens === undefined) throw alone('--goodput', '--tokens beside it, such as 4e12');
  if (tokens !== undefined && finishIn === undefined && on === undefined)
    throw alone('--tokens', '--finish-in 30d or --on tpu-v5p,tpu-v4 beside it');
  if (seed !== undefined && robustness === undefined) throw alone('--seed', '--robustness beside it, such as 100');
  if (isQuestion(question) && (whatIf || robustness !== undefined)) {
    throw new MeshwrightError('USAGE', {
      place: whatIf ? '--what-if' : '--robustness',
      expected: 'no --finish-in, --on or --largest beside it: it is about the plans of one task',
      got: 'both',
    });
  }
}
