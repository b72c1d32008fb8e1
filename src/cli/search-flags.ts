/** The flags that say what a search may choose among; each overrides what the job file says of its dimension. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { MeshwrightError } from '../errors.js';
import { omit } from '../omit.js';
import type { JobInput, ListedOption, NumberSet, PlanInput, Space, Task } from '../job/index.js';
import {
  LISTED_OPTIONS,
  PLAN_OPTIONS,
  choicesAbout,
  chipsOfMesh,
  mergeSpaces,
  numbersOf,
  parseMeshSpace,
  parseNumberSet,
  parsePlanInput,
  planWord,
  readChoices,
  readHeadroom,
  resolveTask,
  spaceOfInput,
  spaceOfPlan,
} from '../job/index.js';
import { DIMENSIONS } from '../planner/index.js';
import type { JobFlags } from './options.js';
import { asFlags, jobInput, modelFlags } from './options.js';

type ChosenOptions = { readonly [K in ListedOption]?: readonly unknown[] | 'all' };

export interface SearchFlags
  extends Pick<JobFlags, 'model' | 'modelOption' | 'hardware' | 'optimizer' | 'learningRate' | 'json'>, ChosenOptions {
  readonly chips?: NumberSet;
  readonly batch?: NumberSet;
  readonly mesh?: Space['mesh'];
  readonly microbatches?: NumberSet;
  readonly headroom?: number;
  readonly plan?: PlanInput;
  /** Every dimension over its whole range. */
  readonly full?: boolean;
  /** What Megatron-LM and MaxText's papers call `rematerialize`. */
  readonly recompute?: readonly unknown[] | 'all';
}

/** Adds the job file, the model's and the hardware's flags, and one flag for each dimension. */
export function addSearchFlags(command: Command): Command {
  modelFlags(command)
    .option('--chips <numbers>', 'how many chips: 1024, or 256,512, or 256..1024, which doubles', (text) =>
      parseNumberSet(text, '--chips', true),
    )
    .option('--batch <numbers>', 'images, or sequences of tokens, a step, over all chips: as for --chips', (text) =>
      parseNumberSet(text, '--batch', true),
    )
    .option(
      '--full',
      'search pipelines, every slice and all values of every option, which takes minutes on large meshes, instead of those that most often win',
    )
    .option('--headroom <share>', 'the share of memory that plans leave free, as in 10% (default: 0)', (text) =>
      readHeadroom(text, '--headroom'),
    )
    .option(
      '--plan <text>',
      'options that all plans are to have, in the short form, e.g. "linears=ring microbatches=8"',
      (text) => parsePlanInput(text, '--plan'),
    )
    .option(
      '--mesh <sizes>',
      `sizes that axes may have, as in model=1..16,pipe=1,2,4 (default: every size of data and model that divides, with --full of pipe too; 1 of the others); ${PLAN_OPTIONS.mesh.about}`,
      (text) => parseMeshSpace(text, '--mesh'),
    )
    .option(
      '--microbatches <numbers>',
      `counts that may be taken, as in 8 or 1..64 (default: all that divide; in a pipeline those that fill it): ${PLAN_OPTIONS.microbatches.about}`,
      (text) => parseNumberSet(text, '--microbatches'),
    );
  for (const name of LISTED_OPTIONS) command.addOption(choicesFlag(name, `--${planWord(name)}`));
  return command.addOption(choicesFlag('rematerialize', '--recompute').hideHelp().conflicts('rematerialize'));
}

/** Of options that say where a mesh lies. */
const WHERE_SEARCHED: Readonly<Partial<Record<ListedOption, string>>> = {
  slice: "the plan's default, with --full all",
  axisOrder: "the mesh's own, with --full each axis innermost",
};

function choicesFlag(name: ListedOption, flag: string): Option {
  const { about } = PLAN_OPTIONS[name];
  const usual = DIMENSIONS[name]?.about ?? WHERE_SEARCHED[name] ?? "the plan's default alone";
  return new Option(`${flag} <values>`, asFlags(`${about} (${choicesAbout(name)}; searched: ${usual})`)).argParser(
    (text: string) => readChoices(name, text, flag),
  );
}

export interface SearchRequest {
  readonly input: JobInput;
  /** With the first of the counts of chips and of batches. */
  readonly task: Task;
  readonly space: Space;
}

/**
 * What a job file and flags ask to search: flags before the block `search:`, that before the block `plan:`.
 *
 * @throws MeshwrightError JOB_INVALID, and as `resolveTask`
 */
export function searchRequest(file: string | undefined, flags: SearchFlags): SearchRequest {
  const { model, modelOption, hardware, optimizer, learningRate } = flags;
  const given = Object.fromEntries(
    Object.entries({ model, modelOption, hardware, optimizer, learningRate }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const { search = {}, ...input } = jobInput(file, given as JobFlags);
  const fromPlan = spaceOfPlan(flags.plan ?? input.plan ?? {});
  const space = mergeSpaces(mergeSpaces(fromPlan, spaceOfInput(search)), spaceOfFlags(flags));
  const first = (set: NumberSet | undefined): number | undefined => (set === undefined ? undefined : numbersOf(set)[0]);
  const chips = first(space.chips) ?? input.chips ?? chipsOfMesh(space.mesh);
  const batch = first(space.batch) ?? input.batch;
  if (chips === undefined && space.mesh !== undefined) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'chips',
      expected: 'how many chips, where sizes of the mesh are left open',
      got: 'nothing',
      hint: 'give --chips COUNT',
    });
  }
  const rest = omit(input, 'plan');
  const task = resolveTask({
    ...rest,
    ...(chips === undefined ? {} : { chips }),
    ...(batch === undefined ? {} : { batch }),
  });
  return { input, task, space };
}

function spaceOfFlags(flags: SearchFlags): Space {
  const { chips, batch, mesh, microbatches, headroom, recompute, full } = flags;
  const options = Object.fromEntries([
    ...LISTED_OPTIONS.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]] as const])),
    ...(recompute === undefined ? [] : [['rematerialize', recompute] as const]),
  ]) as NonNullable<Space['options']>;
  return {
    breadth: full === true ? 'full' : 'usual',
    ...(chips === undefined ? {} : { chips }),
    ...(batch === undefined ? {} : { batch }),
    ...(mesh === undefined ? {} : { mesh }),
    ...(microbatches === undefined ? {} : { microbatches }),
    ...(headroom === undefined ? {} : { headroom }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}
