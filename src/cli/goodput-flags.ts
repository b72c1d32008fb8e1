/** The flags that say how often a run is interrupted, and what that takes. */
import type { Command } from 'commander';
import { duration, positive } from './options.js';
import { seconds } from '../units.js';

/** Llama 3 405B: 419 unexpected interruptions in 54 days of 16,384 H100 (Grattafiori et al. 2024, §3.3.4). */
const CHIP_HOURS_BETWEEN = Math.round((16384 * 54 * 24) / 419);

export const addGoodputFlags = (command: Command): Command =>
  command
    .option(
      '--chip-hours-between <hours>',
      'hours that one chip runs between interruptions that it causes; the default is that of Llama 3 405B on 16,384 H100',
      positive('--chip-hours-between'),
      CHIP_HOURS_BETWEEN,
    )
    .option(
      '--checkpoint-time <time>',
      'for which writing a checkpoint keeps the run from computing; measure it',
      duration('--checkpoint-time'),
      seconds(60),
    )
    .option(
      '--restart-time <time>',
      'from an interruption until the run computes again; measure it',
      duration('--restart-time'),
      seconds(600),
    );
