/**
 * `npm run bench:collectives`: the collectives' part of `npm run bench:train` alone. `-- --json` prints a document,
 * `--family NAME` takes another family, `--steps N` watches memory for so many steps.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { FamilyName } from '../src/runtime/index.js';
import { Checks } from './checks.js';
import { addCollectiveChecks } from './train/collectives.js';

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean' },
    family: { type: 'string', default: 'onnx' },
    steps: { type: 'string', default: '1000' },
  },
});
const checks = new Checks();
const before = loadavg()[0]!;
await addCollectiveChecks(checks, given.family as FamilyName, Number(given.steps));
checks.note(`${given.family}, 2 ranks; load average ${before.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after.`);
checks.print('collectives', 'beside');
