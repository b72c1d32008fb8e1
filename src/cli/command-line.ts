/** The command line. Commands are loaded when they run, so that `--help` and the UI start at once. */
import { Command, CommanderError, Option } from 'commander';
import { readFault } from './faults.js';
import { MeshwrightError } from '../errors.js';
import { packageVersion } from '../package-root.js';
import { FAMILY_NAMES } from '../runtime/kernels/families.js';
import { nearest } from '../text.js';
import { addCollectiveFlag } from './collective-flag.js';
import {
  addJobFlags,
  addLearningRate,
  amount,
  checkpointInterval,
  counts,
  duration,
  jitter,
  minutes,
  share,
  whole,
} from './options.js';
import { addGoodputFlags } from './goodput-flags.js';
import { addQuestionFlags } from './question-flags.js';
import type { CalibrateFlags } from './commands/calibrate.js';
import type { DiagnoseFlags } from './commands/diagnose.js';
import type { GoodputFlags } from './commands/goodput.js';
import type { DemoFlags } from './commands/demo.js';
import type { HardwareFlags } from './commands/hardware.js';
import type { ImagesFlags } from './commands/images.js';
import type { TextFlags } from './commands/text.js';
import type { TrainFlags } from './commands/train.js';
import type { ProfileFlags } from './commands/profile.js';
import type { SimulateFlags } from './commands/simulate.js';
import type { ReportFlags } from './commands/report.js';
import type { ValidateFlags } from './commands/validate.js';
import type { PlanFlags } from './commands/plan.js';
import { Interrupted } from './interrupt.js';
import { FRAMEWORK_NAMES } from '../planner/index.js';
import { addSearchFlags } from './search-flags.js';
import { reportError } from './output.js';

/** Of `simulate`: what is of no use where a program is printed and nothing is simulated. */
const SIMULATION_FLAGS = [
  ...['json', 'trace', 'links', 'steps', 'tokens'],
  ...['unfold', 'jitter', 'seed', 'fault', 'collective'],
];

/** Each says more. */
const REPEATABLE = ['--model-option', '--fault', '--collective'];

/** Of a flag with one value that is given twice, one value would be ignored. */
function refuseRepeated(command: Command): void {
  for (const option of command.options) {
    const isSingle = (option.required || option.optional) && !option.variadic;
    if (!isSingle || REPEATABLE.includes(option.long ?? '')) continue;
    let isGiven = false;
    command.on(`option:${option.name()}`, () => {
      if (isGiven)
        throw new MeshwrightError('USAGE', {
          place: option.long!,
          expected: 'one value',
          got: 'several, one after the other',
        });
      isGiven = true;
    });
  }
}

function createProgram(): Command {
  const program = new Command('meshwright')
    .description(
      'Simulate, plan, train and calibrate sharded training of large models. Alone in a terminal it opens its UI.',
    )
    .version(packageVersion())
    .exitOverride()
    // `runCommandLine` reports what is wrong with the command line as it does all else.
    .configureOutput({ outputError: () => undefined });

  const json = (command: Command): Command => command.option('--json', 'print one JSON document');

  json(
    program.command('models').description('list the models of every family with their shapes and parameters'),
  ).action(async (flags: { json?: boolean }) => (await import('./commands/models.js')).models(flags));
  json(
    program
      .command('hardware')
      .description('list the hardware profiles, the numbers of one with their sources, or the devices of this machine'),
  )
    .argument('[name]', 'a profile')
    .option('--local', 'list what this machine can train on: cores, memory, and the kernel families that can be had')
    .action(async (name: string | undefined, flags: HardwareFlags) =>
      (await import('./commands/hardware.js')).hardware(name, flags),
    );
  json(
    addCollectiveFlag(
      addJobFlags(program.command('simulate').description('predict step time, MFU and memory of one plan'), {
        schedule: "draw the plan's as a grid",
      }),
    ),
  )
    .option('--trace <file>', 'write the simulated step for Perfetto')
    .option(
      '--fault <fault>',
      'a slow or dead link, or a slow chip: link=0+x:dead, link=0+x:0.5, chip=17:1.3; may be given several times',
      readFault,
    )
    .option('--unfold', 'run every chip and link instead of one chip that stands for all')
    .option(
      '--jitter <fraction>',
      'how much the time of a kernel varies: standard deviation over mean, at most 1; unfolds',
      jitter,
    )
    .option('--seed <number>', 'of the jitter (default: 0)', whole('--seed', 0))
    .option('--links', 'list what goes over each link')
    .option('--steps <count>', 'how many steps a training has, to say how long it takes', whole('--steps'))
    .addOption(
      new Option('--tokens <count>', 'or how many tokens, e.g. 300e9').argParser(amount('--tokens')).conflicts('steps'),
    )
    .addOption(
      new Option('--program', 'print the program that each chip runs instead').conflicts([...SIMULATION_FLAGS]),
    )
    .addOption(
      new Option(
        '--program-op <id>',
        'print one op of it with what is in it, e.g. a layer: encoder or decoder',
      ).conflicts([...SIMULATION_FLAGS, 'program']),
    )
    .action(async (file: string | undefined, flags: SimulateFlags) =>
      (await import('./commands/simulate.js')).simulate(file, flags),
    );
  json(
    addQuestionFlags(
      addCollectiveFlag(
        addLearningRate(
          addSearchFlags(
            program.command('plan').description('find the best plans of a task by simulation, and say why they are'),
          ),
        ),
      ),
    ),
  )
    .option('--top <count>', 'how many plans to show', whole('--top'), 10)
    .option('--output <file>', 'write the first plan as a job file')
    .addOption(
      new Option(
        '--settings <framework...>',
        "the first plan as other frameworks' settings, and what they have no setting for",
      ).choices(FRAMEWORK_NAMES),
    )
    .action(async (file: string | undefined, flags: PlanFlags) =>
      (await (await import('./bundled-planning.js')).loadPlanning()).plan(file, flags),
    );
  json(
    addJobFlags(
      program
        .command('diagnose')
        .description('why a measured step is slower than predicted: likely causes, each simulated'),
    ),
  )
    .option('--measured-step-time <time>', 'what a step takes, e.g. 12s or 350ms', duration('--measured-step-time'))
    .addOption(
      new Option('--measured-mfu <share>', 'or its model FLOPs utilization, e.g. 0.31 or 31%')
        .argParser(share('--measured-mfu'))
        .conflicts('measuredStepTime'),
    )
    .option('--top <count>', 'how many causes to show', whole('--top'), 8)
    .action(async (file: string | undefined, flags: DiagnoseFlags) =>
      (await import('./commands/diagnose.js')).diagnoseJob(file, flags),
    );
  json(
    addGoodputFlags(
      addJobFlags(
        program
          .command('goodput')
          .description('what interruptions and checkpoints leave of a plan: expected, and run event by event'),
      ),
    ),
  )
    .option('--checkpoint-every <time>', 'time between checkpoints (default: the best)', duration('--checkpoint-every'))
    .option('--steps <count>', 'how many steps the training has (default: a month of them)', whole('--steps'))
    .addOption(
      new Option('--tokens <count>', 'or how many tokens, e.g. 300e9').argParser(amount('--tokens')).conflicts('steps'),
    )
    .option('--draws <count>', 'how many trainings are run event by event', whole('--draws'), 200)
    .option('--seed <number>', 'of their interruptions', whole('--seed', 0), 0)
    .action(async (file: string | undefined, flags: GoodputFlags) =>
      (await import('./commands/goodput.js')).goodput(file, flags),
    );
  json(
    addLearningRate(
      addJobFlags(
        program.command('train').description('train a job on this machine and compare it with its prediction'),
      ),
    ),
  )
    .option(
      '--images <folder>',
      'for vision transformers: class folders with images, in train/ and held-out/ or directly',
    )
    .option('--text <path>', 'for decoders: a text file, or a folder of them; tokens are its bytes')
    .option('--epochs <count>', 'passes over the data', whole('--epochs'))
    .option('--steps <count>', 'steps, instead of epochs', whole('--steps'))
    .option('--seed <number>', 'initial parameters, and what each batch holds', whole('--seed', 0))
    .addOption(new Option('--family <name>', 'kernel family').choices(FAMILY_NAMES))
    .option(
      '--monitor <steps>',
      "every so many steps, measure the gradients' norm and the largest attention logit; 0 is never (default: 10)",
      whole('--monitor', 0),
    )
    .option('--run <folder>', 'run folder, must not exist (default: runs/MODEL)')
    .option(
      '--checkpoint-every <interval>',
      'how often to write a checkpoint into the run folder, besides at the end: steps, as in 500, or seconds, as in 60s (default: 300s)',
      checkpointInterval,
    )
    .option('--keep-checkpoints <count>', 'how many stay, 0 for none (default: 2)', whole('--keep-checkpoints', 0))
    .option(
      '--resume <path>',
      "go on from a run folder's newest checkpoint, or from a checkpoint: with --steps, --epochs or nothing else in its folder, with other flags (a mesh, a learning rate) in a new one",
    )
    .action(async (file: string | undefined, flags: TrainFlags) =>
      (await import('./commands/train.js')).train(file, flags),
    );
  json(program.command('profile').description('measure the devices of this machine and write a profile of them'))
    .addOption(new Option('--family <name>', 'kernel family (default: onnx)').choices(FAMILY_NAMES))
    .option(
      '--ranks <counts>',
      'numbers of ranks to measure with, as in 1,2,4 (default: up to twice the cores)',
      counts('--ranks'),
    )
    .option('--threads <count>', 'threads that each rank computes on', whole('--threads'), 1)
    .option('--job <file...>', 'job files: the shapes of their kernels are measured, beside the grid that always is')
    .option('--model <name...>', 'the same of models, on one rank')
    .option('--minutes <minutes>', 'how long it may take', minutes('--minutes'), 2)
    .option('--output <folder>', 'where the profile goes; must not exist (default: a new version in the store)')
    .option('--resume', 'go on with the blocks of a measurement that was cut short')
    .action(async (flags: ProfileFlags) => (await import('./commands/profile.js')).profile(flags));
  json(
    program.command('compare').description('predicted against measured of runs, and where the difference comes from'),
  )
    .argument('<run...>', 'run folders')
    .action(async (folders: string[], flags: { json?: boolean }) =>
      (await import('./commands/compare.js')).compare(folders, flags),
    );
  json(
    program
      .command('report')
      .description(
        'write a page with all that is known of jobs and runs: opens in any browser, also without a network',
      ),
  )
    .argument('<what...>', 'job files, which say the whole plan, run folders, or files of what plan --json printed')
    .option('-o, --output <file>', 'the page, must not exist', 'report.html')
    .option(
      '--search',
      'also search what plans the model, chips and batch of each job could have, and draw those that no other beats',
    )
    .action(async (what: string[], flags: ReportFlags) => (await import('./commands/report.js')).report(what, flags));
  json(program.command('validate').description('predict measured runs, and say by how much predictions are off'))
    .requiredOption('--runs <file>', 'measured runs, one JSON object a line (docs/validation.md)')
    .option('--set <name...>', 'only the runs of these sets')
    .addOption(
      new Option(
        '--without <mechanism...>',
        'predict as if nothing were computed again, all chips lay on one switch, or nothing were exchanged beside kernels',
      ).choices(['recompute', 'topology', 'overlap']),
    )
    .option('--html <file>', 'write a page with the figures and a chart')
    .addOption(new Option('--split', 'also the errors of each half of a set, no model in both').conflicts('json'))
    .action(async (flags: ValidateFlags) => (await import('./commands/validate.js')).validate(flags));
  json(program.command('calibrate').description('correct a profile by what runs measured'))
    .option(
      '--runs <paths...>',
      'run folders, or measurements of other tools: nccl-tests, PyTorch and JAX profilers, a table of runs (default: the runs that train has kept)',
    )
    .option('--hardware <name>', 'the profile to correct (default: that of the runs, or local)')
    .option('--check <folders...>', 'runs to check the fit on instead of one plan in three of --runs')
    .option('--output <folder>', 'where the new profile goes, must not exist (default: a new version of its name)')
    .action(async (flags: CalibrateFlags) => (await import('./commands/calibrate.js')).calibrate(flags));
  json(program.command('images').description('draw a small labelled set of images to train on'))
    .argument('<folder>', 'where to')
    .option('--classes <count>', 'shapes × textures × colours, up to 144', whole('--classes'), 12)
    .option('--per-class <count>', 'images to train on', whole('--per-class'), 64)
    .option('--held-out <count>', 'images a class to evaluate on', whole('--held-out'), 16)
    .option('--size <pixels>', 'width and height', whole('--size'), 64)
    .option('--seed <number>', 'decides the drawing', whole('--seed', 0), 0)
    .action(async (folder: string, flags: ImagesFlags) => (await import('./commands/images.js')).images(folder, flags));
  json(program.command('text').description('write a small text to train on'))
    .argument('<file>', 'where to')
    .option('--bytes <count>', 'its length', whole('--bytes'), 2 ** 17)
    .option('--seed <number>', 'decides the text', whole('--seed', 0), 0)
    .action(async (file: string, flags: TextFlags) => (await import('./commands/text.js')).text(file, flags));
  json(program.command('demo').description('plan, train, compare and calibrate on this machine, end to end'))
    .option('--run <folder>', 'run folder, must not exist (default: runs/demo)')
    .option('--epochs <count>', 'passes over the images', whole('--epochs'), 12)
    .action(async (flags: DemoFlags) => (await import('./commands/demo.js')).demo(flags));
  program.commands.forEach(refuseRepeated);
  // Only here, since commands take these from the program: so that `openUi` sees what is no command.
  return program.allowExcessArguments().allowUnknownOption().action(openUi);
}

/** Without a command: the UI in a terminal, help elsewhere. */
async function openUi(_flags: object, program: Command): Promise<void> {
  const [unknown] = program.args;
  if (unknown !== undefined) {
    const commands = program.commands.map((command) => command.name());
    throw new MeshwrightError('USAGE', {
      place: 'command line',
      expected: `one of ${commands.join(', ')}`,
      got: JSON.stringify(unknown),
      hint: `did you mean ${nearest(unknown, commands)}?`,
    });
  }
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    program.outputHelp();
    return;
  }
  await (await import('./bundled-ui.js')).openUi();
}

/** Commands that take an option which another does not know: who sees it in an example may have taken it for everybody's. */
function whoTakes(option: string, program: Command): string | undefined {
  const names = program.commands
    .filter(({ options }) => options.some(({ long, short }) => option === long || option === short))
    .map((command) => command.name());
  if (names.length === 0) return undefined;
  return `${option} is an option of ${names.join(', ')}; what they take of a job a job file can say too, as plan --output writes it`;
}

/** From what commander says of a command line: `error: unknown option '--modle'\n(Did you mean --model?)`. */
function usageError({ message, code }: CommanderError, program: Command): MeshwrightError {
  const [, got = message, suggestion] = /^error: (.*)(?:\n\(Did (.*)\))?$/.exec(message) ?? [];
  const [, option] = /unknown option '(\S+)'/.exec(got) ?? [];
  const others = option === undefined ? undefined : whoTakes(option, program);
  const hint = suggestion === undefined ? others : `did ${suggestion}`;
  return new MeshwrightError('USAGE', {
    place: 'command line',
    expected:
      code === 'commander.conflictingOption'
        ? 'only one of two that ask for different things, so that none is ignored'
        : 'arguments as --help lists them',
    got,
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * Runs one command, its output on stdout and stderr.
 *
 * @param args without the program's own path
 * @returns the exit status
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const program = createProgram();
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return error.exitStatus;
    if (!(error instanceof CommanderError)) return reportError(error, json);
    // Help that was asked for is no error.
    return error.exitCode === 0 ? 0 : reportError(usageError(error, program), json);
  }
}
