#!/usr/bin/env node
/** `meshwright`: the command line as a process. */
import { runCommandLine } from './command-line.js';

/**
 * Whoever reads the output may have seen enough (`| head`), which is no failure, or a terminal may be gone. A run then
 * ends as when it is told to hang up, so that nothing of it is lost.
 */
function outputEnded({ code }: NodeJS.ErrnoException): void {
  if (!process.emit('SIGHUP')) process.exit(code === 'EPIPE' ? 0 : 1);
}
process.stdout.on('error', outputEnded);
process.stderr.on('error', outputEnded);

process.exitCode = await runCommandLine(process.argv.slice(2));
