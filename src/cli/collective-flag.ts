/** `--collective all_reduce=ring`, or `--collective ring` for all that it applies to; may be given several times. */
import type { Command } from 'commander';
import type { CollectiveChoice } from '../../sim/index.js';
import { MeshwrightError } from '../errors.js';
import type { AlgorithmName } from '../hardware/index.js';
import { ALGORITHMS } from '../hardware/index.js';
import type { CollectiveName } from '../program/index.js';
import { COLLECTIVES } from '../program/index.js';
import { nearest } from '../text.js';

export interface CollectiveFlag {
  readonly collective?: CollectiveChoice;
}

const NAMES = Object.keys(COLLECTIVES) as CollectiveName[];
const PLACE = '--collective';
const NO_COLLECTIVES = 'nothing, since the step has no collectives';

/** @throws MeshwrightError USAGE */
export function readCollective(text: string, before: CollectiveChoice = {}): CollectiveChoice {
  const [first = '', second] = text.split('=');
  const algorithm = ALGORITHMS.find((name) => name === (second ?? first));
  if (algorithm === undefined) return fail(`an algorithm (${ALGORITHMS.join(', ')})`, second ?? first, ALGORITHMS);
  if (second === undefined) {
    if (before.preferred !== undefined)
      return fail('one algorithm for all collectives', `${before.preferred} and ${algorithm}`);
    return { ...before, preferred: algorithm };
  }
  const collective = NAMES.find((name) => name === first);
  if (collective === undefined) return fail(`a collective (${NAMES.join(', ')}), as in all_reduce=ring`, first, NAMES);
  if (before.algorithms?.[collective] !== undefined) return fail('each collective once', `${collective} twice`);
  const algorithms: Partial<Record<CollectiveName, AlgorithmName>> = { ...before.algorithms, [collective]: algorithm };
  return { ...before, algorithms };
}

export interface TakenCollective {
  readonly name: CollectiveName;
  readonly schedule: { readonly algorithm: AlgorithmName };
}

/** Of a step's transfers, those over axes of the mesh. */
export const collectivesOf = (
  transfers: readonly { readonly name: string; readonly schedule: TakenCollective['schedule'] }[],
): TakenCollective[] =>
  transfers.flatMap(({ name, schedule }) => {
    const collective = NAMES.find((one) => one === name);
    return collective === undefined ? [] : [{ name: collective, schedule }];
  });

/**
 * Whether each algorithm that was asked for was taken for any collective of a step.
 *
 * @throws MeshwrightError USAGE
 */
export function requireTaken(
  { algorithms = {}, preferred }: CollectiveChoice,
  taken: readonly TakenCollective[],
): void {
  const names = [...new Set(taken.map(({ name }) => name))];
  for (const name of Object.keys(algorithms) as CollectiveName[]) {
    if (names.includes(name)) continue;
    fail(names.length > 0 ? `a collective that the step has (${names.join(', ')})` : NO_COLLECTIVES, name);
  }
  if (preferred === undefined || taken.some(({ schedule }) => schedule.algorithm === preferred)) return;
  fail(
    names.length > 0 ? `an algorithm that applies to ${names.join(' or ')} on this machine` : NO_COLLECTIVES,
    preferred,
  );
}

/** @param known among which what was meant may be */
function fail(expected: string, got: string, known: readonly string[] = []): never {
  const hint = got === '' || known.length === 0 ? {} : { hint: `did you mean ${nearest(got, known)}?` };
  throw new MeshwrightError('USAGE', { place: PLACE, expected, got: JSON.stringify(got), ...hint });
}

export const addCollectiveFlag = (command: Command): Command =>
  command.option(
    '--collective <name=algorithm>',
    `the algorithm of a collective, or, without NAME=, of all that it applies to (${ALGORITHMS.join(', ')}; default: the fastest)`,
    readCollective,
  );
