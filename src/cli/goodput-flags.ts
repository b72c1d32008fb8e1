/** The flags that say how often a run is interrupted, and what that takes. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { seconds } from '../units.js';
import { duration, positive } from './options.js';

/** Llama 3 405B: 419 unexpected interruptions in 54 days of 16,384 H100 (Grattafiori et al. 2024, §3.3.4). */
const CHIP_HOURS_BETWEEN = Math.round((16384 * 54 * 24) / 419);

export const addGoodputFlags = (command: Command): Command =>
  command
    .addOption(
      new Option('--chip-hours-between <hours>', 'hours of one chip between interruptions that it causes')
        .argParser(positive('--chip-hours-between'))
        .default(CHIP_HOURS_BETWEEN, `${CHIP_HOURS_BETWEEN}, that of Llama 3 405B on 16,384 H100`),
    )
    .addOption(
      new Option('--checkpoint-time <time>', 'for which a checkpoint keeps the run from computing: measure it')
        .argParser(duration('--checkpoint-time'))
        .default(seconds(60), '60s'),
    )
    .addOption(
      new Option('--restart-time <time>', 'from an interruption until the run computes again: measure it')
        .argParser(duration('--restart-time'))
        .default(seconds(600), '10m'),
    );
