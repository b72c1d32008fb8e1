/** `npm run bench:calibrate`. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BENCH_JOBS } from './calibrate/jobs.js';
import { Measurements } from './calibrate/measurements.js';

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean' },
    blocks: { type: 'string', default: '9' },
    jobs: { type: 'string' },
    measurements: { type: 'string', default: join('runs', 'bench-calibrate') },
  },
});

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const jobs = BENCH_JOBS.filter(({ name }) => given.jobs === undefined || name.includes(given.jobs));
const measurements = new Measurements(given.measurements);
await measurements.complete(jobs, Number(given.blocks), say);
