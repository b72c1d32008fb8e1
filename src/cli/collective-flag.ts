/** `--collective all_reduce=ring`, or `--collective ring` for all that it applies to; may be given several times. */
import type { Command } from 'commander';
import type { CollectiveChoice } from '../../sim/index.js';
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
  if (second === undefined) return { ...before, preferred: algorithm };
  const collective = NAMES.find((name) => name === first);
  if (collective === undefined) return fail(`a collective (${NAMES.join(', ')}), as in all_reduce=ring`, first);
  const algorithms: Partial<Record<CollectiveName, AlgorithmName>> = { ...before.algorithms, [collective]: algorithm };
  return { ...before, algorithms };
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
