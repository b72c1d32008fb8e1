/**
 * `npm run bench:lower`: what it takes to lower `palm-540b` (118 layers) onto 6,144 TPU v4 chips, how long the programs
 * are, and what the analyses of them take. `-- --json` prints a document instead of the table.
 *
 * Simulations are of 3,072 chips: a slice of TPU v4 has at most 4,096.
 */
import { Assessor } from '../src/cli/assess.js';
import type { Job } from '../src/job/index.js';
import { lowerJob, parsePlanInput, resolveJob } from '../src/job/index.js';
import type { Op, Program } from '../src/program/index.js';
import { memoryUse, print, printOp } from '../src/program/index.js';
import { Checks, milliseconds } from './checks.js';

const PLANS = {
  plain: 'microbatches=1',
  ring: 'microbatches=1 linears=ring shard=parameters rematerialize=full',
  bidirectional: 'microbatches=4 linears=bidirectional shard=parameters',
};

const WARM_UP = 10;
const RUNS = 30;
const ANALYSES = 5;

const MOST_LOWERING_MILLISECONDS = 50;
const MOST_RESIDENT_MEGABYTES = 300;
/** Two screens. */
const MOST_LAYER_LINES = 120;

const checks = new Checks();

const jobOf = (chips: number, mesh: string, plan: string): Job =>
  resolveJob(
    {
      model: 'palm-540b',
      hardware: 'tpu-v4',
      chips,
      batch: 2048,
      plan: parsePlanInput(`${mesh} ${plan}`, 'plan'),
    },
    () => true,
  );

const lineCount = (text: string): number => text.split('\n').length - 1;

/** The lines of a layer, forward or backward, of the last microbatch where that is apart. */
function layerLines(program: Program, id: string): number {
  const inside = (ops: readonly Op[]): Op[] => ops.flatMap((op) => [op, ...inside(op.region?.ops ?? [])]);
  const layer = inside(program.ops).find((op) => op.id === id || op.id === `last/${id}`);
  if (layer === undefined) throw new Error(`no layer ${id} in the program`);
  return lineCount(printOp(program, layer));
}

const jobs = Object.entries(PLANS).map(([name, plan]) => ({
  name,
  job: jobOf(6144, 'data=512,model=12', plan),
  slice: jobOf(3072, 'data=256,model=12', plan),
}));

for (const { name, job } of jobs) {
  milliseconds(WARM_UP, () => lowerJob(job));
  checks.add(
    `lower, ${name}`,
    milliseconds(RUNS, () => lowerJob(job)),
    'ms',
    MOST_LOWERING_MILLISECONDS,
  );
}
// Kilobytes. Before anything else has been done: printing and simulating need memory of their own.
checks.add('peak resident memory', (process.resourceUsage().maxRSS * 1024) / 1e6, 'MB', MOST_RESIDENT_MEGABYTES);

for (const { name, job, slice } of jobs) {
  const program = lowerJob(job);
  checks.add(`program, ${name}`, lineCount(print(program)), 'lines');
  checks.add(`forward layer, ${name}`, layerLines(program, 'decoder'), 'lines', MOST_LAYER_LINES);
  checks.add(`backward layer, ${name}`, layerLines(program, 'decoder#backward'), 'lines');
  checks.add(
    `memory use, ${name}`,
    milliseconds(ANALYSES, () => memoryUse(program)),
    'ms',
  );
  const assessor = new Assessor();
  // Lowers it and measures its memory, so that the simulation is timed alone.
  assessor.memory(slice);
  checks.add(
    `simulation, ${name}`,
    milliseconds(ANALYSES, () => assessor.assess(slice)),
    'ms',
  );
}

checks.print('palm-540b on 6,144 TPU v4');
