/** One case in a process of its own, for its memory: `all-reduce`, or `step` with the data axis' length and the jitter. */
import { allReduceOnTorus, trainingStep } from './cases.js';

const [, , name, data = '128', jitter] = process.argv;
const start = performance.now();
const figures =
  name === 'all-reduce'
    ? allReduceOnTorus(16, 2 ** 30)
    : trainingStep(Number(data), jitter === undefined ? undefined : Number(jitter));
const milliseconds = performance.now() - start;
const cpuMilliseconds = process.cpuUsage().user / 1000;
const megabytes = process.resourceUsage().maxRSS / 1024;
process.stdout.write(
  `${JSON.stringify({ milliseconds, processMilliseconds: performance.now(), cpuMilliseconds, megabytes, figures })}\n`,
);
