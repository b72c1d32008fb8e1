#!/usr/bin/env node
/** `meshwright`: the command line as a process. */
import { runCommandLine } from './command-line.js';

/** Whoever reads the output may have seen enough (`| head`): that is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2));
