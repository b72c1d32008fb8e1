/** One case, measured in this process: prints its figures and the process' peak resident memory as JSON. */
import { CASES } from './cases.js';

const work = CASES[process.argv[2] ?? ''];
if (work === undefined) throw new Error(`no such case: ${process.argv[2]}; one of ${Object.keys(CASES).join(', ')}`);
const figures = work();
// Kilobytes, as Linux counts.
const megabytes = (process.resourceUsage().maxRSS * 1024) / 1e6;
process.stdout.write(JSON.stringify({ ...figures, megabytes }));
