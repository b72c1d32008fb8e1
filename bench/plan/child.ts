/** One race, named on the command line; prints its figures. */
import { RACES } from './races.js';

const figures = await RACES[process.argv[2]!]!();
process.stdout.write(JSON.stringify(figures));
