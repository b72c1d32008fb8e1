/** Flags of `simulate` that ask for something of the step: honoured, or refused with the reason. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Assessor, stackOf } from '../../src/cli/assess.js';
import { readCollective } from '../../src/cli/collective-flag.js';
import { readFault } from '../../src/cli/faults.js';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import type { CollectiveSchedule, Execution } from '../../sim/index.js';
import type { Case } from './refusals.js';
import { describeRefusals } from './refusals.js';
import { createFolder, removeFolder } from './support.js';
import { json } from './in-process.js';

const JOB = 'simulate --model vit-tiny --hardware tpu-v4 --chips 64 --batch 256 --mesh data=16,model=4';
const NODE = 'simulate --model vit-tiny --hardware h100-80gb-sxm --chips 8 --batch 64';

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

/** The job above, without what the command looks at besides. */
function execute({ collective, unfold }: { collective?: string; unfold?: boolean } = {}): Execution {
  const assessor = new Assessor(collective === undefined ? {} : { collectives: readCollective(collective) });
  const job = assessor.resolve({
    model: 'vit-tiny',
    hardware: 'tpu-v4',
    chips: 64,
    batch: 256,
    plan: { mesh: { data: 16, model: 4 } },
  });
  return assessor.assess(job, stackOf(job), unfold ? {} : undefined).execution;
}
const algorithms = ({ plan }: Execution, op?: string): CollectiveSchedule['algorithm'][] => [
  ...new Set(
    plan.collectives.filter(({ name }) => op === undefined || name === op).map((one) => one.schedule.algorithm),
  ),
];

describe('--collective', () => {
  it('takes an algorithm for all that it applies to, which is no faster than the fastest', () => {
    const [base, rings] = [execute(), execute({ collective: 'ring' })];
    expect(algorithms(base)).not.toEqual(['ring']);
    expect(algorithms(rings)).toEqual(['ring']);
    expect(rings.duration).toBeGreaterThan(base.duration);
    expect(rings.computeTicks.matmul).toBe(base.computeTicks.matmul);
  });

  it('takes one for one collective, the others as they were, folded as unfolded', () => {
    const collective = 'all_gather=halving-doubling';
    const [base, folded, unfolded] = [execute(), execute({ collective }), execute({ collective, unfold: true })];
    expect(algorithms(folded, 'all_gather')).toEqual(['halving-doubling']);
    expect(algorithms(folded, 'all_reduce')).toEqual(algorithms(base, 'all_reduce'));
    expect(folded.folded).toBe(true);
    expect(unfolded.duration).toBe(folded.duration);
  });
});

it('an algorithm, a fault and a list of links are in the document, which has nothing on a dead link', async () => {
  const flags = '--collective ring --fault link=0+z:dead --links';
  const { faults, details, folded, unfolded, links } = await json<SimulationReport>(`${JOB} ${flags}`, folder);
  expect(faults).toEqual(['link=0+z:dead']);
  expect([...new Set(details!.collectives.map(({ algorithm }) => algorithm))]).toEqual(['ring']);
  expect(folded).toBe(false);
  expect(unfolded).not.toBeNull();
  const sent = (name: string): number => links.all!.find((link) => link.name === name)!.bytes;
  expect(sent('chip 0 +z')).toBe(0);
  expect(sent('chip 1 +z')).toBeGreaterThan(0);
});

it('faults add up in the order given', () => {
  const faults = readFault('chip=17:1.3', readFault('link=0+x:0.5'));
  expect(faults).toEqual({ links: [{ link: '0+x', left: 0.5 }], chips: [{ chip: 17, slowdown: 1.3 }] });
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

describeRefusals(
  'of jitter',
  ['1e9', '1.01', '-0.1', 'x'].map((amount) => [
    amount,
    `${JOB} --jitter ${amount}`,
    'USAGE',
    '--jitter',
    ['a number from 0 to 1', `got "${amount}"`, 'times are log-normal'],
  ]),
);

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
