/** What the UI's search is to choose among: dimensions as a person fixes and frees them one by one, and the space they make. */
import type { Dimension, SearchWish, TaskChoice } from '../tui/services.js';
import type { ListedOption, NumberSet, PlanOptionName, Space, Task } from '../job/index.js';
import {
  DEFAULT_PLAN,
  describeDefault,
  formatNumberSet,
  mergeSpaces,
  parseMeshSpace,
  parseNumberSet,
  planOptionText,
  planWord,
  readChoices,
  resolveTask,
  spaceOfInput,
  spaceOfPlan,
} from '../job/index.js';
import { omit } from '../omit.js';
import type { AxisName } from '../mesh/index.js';
import { MESH_AXES, createMesh } from '../mesh/index.js';
import { DIMENSIONS, divisors } from '../planner/index.js';
import { toJobInput } from './task-choice.js';

/** Microbatches divide the batch, of which there are many ways. */
const MOST_VALUES = 40;

/** Sizes that only show which values an option takes: with stages, and without. */
const STAGED = createMesh({ pipe: 2, data: 2, model: 2 });
const FLAT = createMesh({ data: 2, model: 2 });
const OF_STAGES: readonly ListedOption[] = ['schedule', 'virtualStages'];

type Known = keyof typeof DIMENSIONS;
const KNOWN = Object.keys(DIMENSIONS) as Known[];
const isAxis = (name: string): name is AxisName => (MESH_AXES as readonly string[]).includes(name);

function optionValues(name: ListedOption, task: Task, breadth: SearchWish['breadth']): string[] {
  if (name === 'compute')
    return breadth === 'full' ? Object.keys(task.hardware.chip.matmul) : [task.hardware.defaultDtype];
  const dimension = DIMENSIONS[name];
  if (dimension === undefined) return [];
  const plan = {
    ...DEFAULT_PLAN,
    mesh: OF_STAGES.includes(name) ? STAGED : FLAT,
    microbatches: 1,
    ...(name === 'virtualStages' ? { schedule: 'interleaved-1f1b' as const } : {}),
  };
  const { values, usual = values } = dimension;
  return (breadth === 'usual' ? usual : values)({ task, plan }).map((value) => planOptionText(name, value));
}

/** Values between bars where one of them has commas, as `readChoices` takes them. */
function choicesText(name: ListedOption, values: readonly unknown[] | 'all'): string {
  if (values === 'all') return 'all';
  const texts = values.map((value) => planOptionText(name, value));
  return texts.join(texts.some((text) => text.includes(',')) ? '|' : ',');
}

const ALL = 'all that divide';
const SEARCHED_AXES: Readonly<Record<AxisName, Readonly<Record<SearchWish['breadth'], string>>>> = {
  pipe: { usual: '1 alone', full: ALL },
  replica: { usual: '1 alone', full: '1 alone' },
  data: { usual: ALL, full: ALL },
  sequence: { usual: '1 alone', full: '1 alone' },
  model: { usual: ALL, full: ALL },
};

/** What a space says of each dimension that it says anything of, by the words of plans. */
function settingsOf({ mesh = {}, microbatches, options = {} }: Space): Map<string, string> {
  const set = (name: string, numbers: NumberSet | undefined): [string, string][] =>
    numbers === undefined ? [] : [[name, formatNumberSet(numbers)]];
  return new Map([
    ...MESH_AXES.flatMap((axis) => set(axis, mesh[axis])),
    ...set('microbatches', microbatches),
    ...Object.entries(options).map(([name, values]): [string, string] => [
      planWord(name as PlanOptionName),
      choicesText(name as ListedOption, values as readonly unknown[] | 'all'),
    ]),
  ]);
}

/** @throws MeshwrightError of a text that is no value of the dimension */
function spaceOf(settings: ReadonlyMap<string, string>, names: ReadonlyMap<string, ListedOption>): Space {
  const mesh: Partial<Record<AxisName, NumberSet>> = {};
  const options: Partial<Record<ListedOption, unknown>> = {};
  let microbatches: NumberSet | undefined;
  for (const [name, text] of settings) {
    if (isAxis(name)) Object.assign(mesh, parseMeshSpace(`${name}=${text}`, name));
    else if (name === 'microbatches') microbatches = parseNumberSet(text, name);
    else options[names.get(name)!] = readChoices(names.get(name)!, text, name);
  }
  return {
    ...(Object.keys(mesh).length === 0 ? {} : { mesh }),
    ...(microbatches === undefined ? {} : { microbatches }),
    ...(Object.keys(options).length === 0 ? {} : { options: options as NonNullable<Space['options']> }),
  };
}

export interface UiSearch {
  readonly task: Task;
  readonly space: Space;
  readonly dimensions: readonly Dimension[];
}

/**
 * What a search of the UI is over: what its job file says, if it is of one, and over that what is fixed or freed by hand.
 *
 * @throws MeshwrightError of a file that can't be read, a name that nothing has, or a setting that is none
 */
export function searchOf(choice: TaskChoice, { breadth, settings }: SearchWish): UiSearch {
  const { search = {}, plan = {}, ...input } = toJobInput(choice);
  const task = resolveTask(input);
  const given = omit(mergeSpaces(spaceOfPlan(plan), spaceOfInput(search)), 'chips', 'batch');
  const fixed = settingsOf(given);
  const ofFile = Object.keys(given.options ?? {}) as ListedOption[];
  const options = [...new Set<ListedOption>([...KNOWN, 'compute', ...ofFile])];
  const byWord = new Map(options.map((name) => [planWord(name), name]));
  for (const [name, text] of Object.entries(settings)) {
    if (text === null) fixed.delete(name);
    else fixed.set(name, text);
  }
  const setting = (name: string) => {
    const text = fixed.get(name);
    return text === undefined ? {} : { setting: text };
  };
  const hasStages = breadth === 'full' || ['pipe', ...OF_STAGES.map(planWord)].some((name) => fixed.has(name));
  const dimensions: Dimension[] = [
    ...MESH_AXES.map((name) => ({
      name,
      values: divisors(task.chips).map(String),
      unnamed: '1',
      searched: name === 'pipe' && hasStages ? ALL : SEARCHED_AXES[name][breadth],
      ...setting(name),
    })),
    {
      name: 'microbatches',
      values: divisors(task.batch).slice(0, MOST_VALUES).map(String),
      unnamed: '1',
      searched: ALL,
      ...setting('microbatches'),
    },
    ...options.map((name) => {
      const word = planWord(name);
      const searched = optionValues(name, task, name === 'compute' ? 'usual' : breadth).join(', ');
      return {
        name: word,
        values: optionValues(name, task, 'full'),
        unnamed: name === 'compute' ? task.hardware.defaultDtype : describeDefault(name),
        searched:
          OF_STAGES.includes(name) && !hasStages
            ? 'nothing without pipe'
            : searched === ''
              ? describeDefault(name)
              : searched,
        ...setting(word),
      };
    }),
  ];
  const headroom = given.headroom === undefined ? {} : { headroom: given.headroom };
  return { task, dimensions, space: { ...spaceOf(fixed, byWord), ...headroom, breadth } };
}
