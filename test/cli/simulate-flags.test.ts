/** Flags of `simulate` that ask for something of the step: honoured, or refused with the reason. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import type { Case } from './refusals.js';
import { describeRefusals } from './refusals.js';
import { createFolder, json, removeFolder } from './support.js';

const JOB = 'simulate --model vit-tiny --hardware tpu-v4 --chips 64 --batch 256 --mesh data=16,model=4';
const NODE = 'simulate --model vit-tiny --hardware h100-80gb-sxm --chips 8 --batch 64';

let folder: string;
let base: SimulationReport;
beforeAll(async () => {
  folder = createFolder();
  base = await simulate('');
});
afterAll(() => removeFolder(folder));

const simulate = (flags: string): Promise<SimulationReport> => json<SimulationReport>(`${JOB} ${flags}`.trim(), folder);
const algorithms = ({ details }: SimulationReport, op?: string): string[] => [
  ...new Set(details!.collectives.filter(({ name }) => op === undefined || name === op).map((one) => one.algorithm)),
];

describe('--collective', () => {
  it('takes an algorithm for all that it applies to, which is no faster than the fastest', async () => {
    const rings = await simulate('--collective ring');
    expect(algorithms(base)).not.toEqual(['ring']);
    expect(algorithms(rings)).toEqual(['ring']);
    expect(rings.stepTimeSeconds).toBeGreaterThan(base.stepTimeSeconds);
    expect(rings.timeByCategorySeconds.matmul).toBe(base.timeByCategorySeconds.matmul);
  });

  it('takes one for one collective, the others as they were, folded as unfolded', async () => {
    const [folded, unfolded] = await Promise.all([
      simulate('--collective all_gather=halving-doubling'),
      simulate('--collective all_gather=halving-doubling --unfold'),
    ]);
    expect(algorithms(folded, 'all_gather')).toEqual(['halving-doubling']);
    expect(algorithms(folded, 'all_reduce')).toEqual(algorithms(base, 'all_reduce'));
    if (folded.folded) expect(unfolded.stepTimeSeconds).toBe(folded.stepTimeSeconds);
    expect(unfolded.details!.collectives.map(({ algorithm }) => algorithm)).toEqual(
      folded.details!.collectives.map(({ algorithm }) => algorithm),
    );
  });
});

it('a dead link is gone round in a longer step, with every chip and link too', async () => {
  const [folded, unfolded] = await Promise.all([
    simulate('--fault link=0+z:dead'),
    simulate('--fault link=0+z:dead --unfold --links'),
  ]);
  for (const faulty of [folded, unfolded]) {
    expect(faulty.faults).toEqual(['link=0+z:dead']);
    expect(faulty.stepTimeSeconds).toBeGreaterThan(base.stepTimeSeconds);
  }
  expect(folded.folded).toBe(false);
  const sent = (name: string): number => unfolded.links.all!.find((link) => link.name === name)!.bytes;
  expect(sent('chip 0 +z')).toBe(0);
  expect(sent('chip 1 +z')).toBeGreaterThan(0);
});

describeRefusals('of faults', [
  [
    'a chip that dead links cut off, every chip and link run',
    `${NODE} --fault link=3-to-node:dead --unfold`,
    'JOB_INVALID',
    'fault',
    ['a way from chip 3 to chip', 'these links are dead: chip 3 to node', 'leave one of them alive'],
  ],
]);

const PROGRAM_WITH = ['--unfold', '--jitter 0.1', '--seed 1', '--fault chip=1:2', '--collective ring'];
const printing = [
  ...PROGRAM_WITH.map((other) => ['--program', other] as const),
  ['--program-op encoder', '--unfold'] as const,
].map(([program, other]): Case => [
  `${program} with ${other}`,
  `${JOB} ${program} ${other}`,
  'USAGE',
  'command line',
  ['so that none is ignored', program.split(' ')[0]!, other.split(' ')[0]!],
]);
describeRefusals('of flags beside a printed program', printing);

describeRefusals('of flags that would have no effect', [
  [
    'a seed without jitter',
    `${JOB} --unfold --seed 7`,
    'USAGE',
    '--seed',
    ['--jitter beside it', 'no jitter that it could be the seed of'],
  ],
  [
    'an algorithm that applies to none of its collectives',
    `${JOB} --collective in-switch`,
    'USAGE',
    '--collective',
    ['an algorithm that applies to all_reduce or', 'got "in-switch"'],
  ],
  [
    'an algorithm of a collective that the step lacks',
    `${JOB} --collective all_to_all=direct`,
    'USAGE',
    '--collective',
    ['a collective that the step has (all_reduce', 'got "all_to_all"'],
  ],
  [
    'an algorithm that does not apply to its axis',
    `${JOB} --collective all_gather=in-switch`,
    'PLAN_INVALID',
    'collective all_gather',
    ['an algorithm that applies to the', 'got in-switch'],
  ],
  [
    'an algorithm where one chip has no collectives',
    'simulate --model vit-tiny --hardware tpu-v4 --chips 1 --batch 8 --collective ring',
    'USAGE',
    '--collective',
    ['the step has no collectives'],
  ],
]);
