#!/usr/bin/env node
/** The command line. Commands are loaded when they run, so that `--help` and the UI start at once. */
import { Command, CommanderError } from 'commander';
import { addJobFlags, whole } from './options.js';
import type { SimulateFlags } from './commands/simulate.js';
import type { PlanFlags } from './commands/plan.js';
import { reportError } from './output.js';

function createProgram(): Command {
  const program = new Command('meshwright')
    .description(
      'Simulate, plan, train and calibrate sharded training of large models. Alone in a terminal it opens its UI.',
    )
    .exitOverride()
    .showHelpAfterError('(meshwright --help)');

  const json = (command: Command): Command => command.option('--json', 'print one JSON document');

  json(program.command('models').description('list the models, with body, pooling and classifier parameters')).action(
    async (flags: { json?: boolean }) => (await import('./commands/models.js')).models(flags),
  );
  json(program.command('hardware').description('list the hardware profiles, or the numbers of one with their sources'))
    .argument('[name]', 'a profile')
    .action(async (name: string | undefined, flags: { json?: boolean }) =>
      (await import('./commands/hardware.js')).hardware(name, flags),
    );
  json(addJobFlags(program.command('simulate').description('predict step time, MFU and memory of one plan')))
    .option('--trace <file>', 'write the simulated step for Perfetto')
    .option('--print-program', 'print the program instead')
    .action(async (file: string | undefined, flags: SimulateFlags) =>
      (await import('./commands/simulate.js')).simulate(file, flags),
    );
  json(addJobFlags(program.command('plan').description('rank the plans of a task by simulation and say why')))
    .option('--top <count>', 'how many plans to show', whole('--top'), 10)
    .option('--output <file>', 'write the first plan as a job file')
    .action(async (file: string | undefined, flags: PlanFlags) =>
      (await import('./commands/plan.js')).plan(file, flags),
    );
  return program;
}

async function main(): Promise<number> {
  const json = process.argv.includes('--json');
  try {
    await createProgram().parseAsync();
    return 0;
  } catch (error) {
    // Commander has printed its own message by then; help asked for is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportError(error, json);
  }
}

process.exitCode = await main();
