/** `--collective all_reduce=ring`, or `--collective ring` for all that it applies to; may be given several times. */
import type { Command } from 'commander';
import type { CollectiveChoice, Execution } from '../../sim/index.js';
import { MeshwrightError } from '../errors.js';
import type { AlgorithmName } from '../hardware/index.js';
import { ALGORITHMS } from '../hardware/index.js';
import type { CollectiveName } from '../program/index.js';
import { COLLECTIVES } from '../program/index.js';

export interface CollectiveFlag {
  readonly collective?: CollectiveChoice;
}

const NAMES = Object.keys(COLLECTIVES) as CollectiveName[];
const PLACE = '--collective';

/** @throws MeshwrightError USAGE */
export function readCollective(text: string, before: CollectiveChoice = {}): CollectiveChoice {
  const [first = '', second] = text.split('=');
  const algorithm = ALGORITHMS.find((name) => name === (second ?? first));
  if (algorithm === undefined) return fail(`an algorithm (${ALGORITHMS.join(', ')})`, second ?? first);
  if (second === undefined) {
    if (before.preferred !== undefined)
      return fail(`one algorithm without a collective, not ${before.preferred} too`, text);
    return { ...before, preferred: algorithm };
  }
  const collective = NAMES.find((name) => name === first);
  if (collective === undefined) return fail(`a collective (${NAMES.join(', ')}), as in all_reduce=ring`, first);
  const given = before.algorithms?.[collective];
  if (given !== undefined) return fail(`one algorithm for ${collective}, not ${given} too`, text);
  const algorithms: Partial<Record<CollectiveName, AlgorithmName>> = { ...before.algorithms, [collective]: algorithm };
  return { ...before, algorithms };
}

/** Of each collective the algorithms that steps have for it. */
export type TakenAlgorithms = Map<CollectiveName, Set<AlgorithmName>>;

export function addTaken({ plan }: Execution, taken: TakenAlgorithms = new Map()): TakenAlgorithms {
  for (const { name, schedule } of plan.collectives)
    taken.set(name, (taken.get(name) ?? new Set<AlgorithmName>()).add(schedule.algorithm));
  return taken;
}

/** @throws MeshwrightError USAGE of what was asked for and no collective takes */
export function checkTaken({ preferred, algorithms = {} }: CollectiveChoice, taken: TakenAlgorithms): void {
  const list = [...taken].map(([name, ones]) => `${name} (${[...ones].join(', ')})`).join(', ');
  const unused = (got: string): never =>
    fail(`what a collective of the step can take; it has ${list === '' ? 'none' : list}`, got);
  for (const name of Object.keys(algorithms) as CollectiveName[])
    if (!taken.has(name)) unused(`${name}=${algorithms[name]}`);
  if (preferred !== undefined && ![...taken.values()].some((ones) => ones.has(preferred))) unused(preferred);
}

function fail(expected: string, got: string): never {
  throw new MeshwrightError('USAGE', { place: PLACE, expected, got: JSON.stringify(got) });
}

export const addCollectiveFlag = (command: Command): Command =>
  command.option(
    '--collective <name=algorithm>',
    `the algorithm of a collective, or, without NAME=, of all that it applies to (${ALGORITHMS.join(', ')}; default: the fastest)`,
    readCollective,
  );
