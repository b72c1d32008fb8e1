#!/usr/bin/env node
/** `meshwright`: the command line as a process. */
import { reasonOf } from '../reason.js';

let hasEnded = false;

/**
 * Whoever reads the output may have seen enough (`| head`), which is no failure, a terminal may be gone, or a file can't
 * grow. A run then ends as when it is told to hang up, so that nothing of it is lost.
 */
function outputEnded(error: NodeJS.ErrnoException): void {
  if (hasEnded) return;
  hasEnded = true;
  if (error.code !== 'EPIPE' && error.code !== 'EIO')
    process.stderr.write(
      `meshwright: WRITE_FAILED at the output: expected all of it to be written, got ${reasonOf(error)}\n`,
    );
  if (!process.emit('SIGHUP', 'SIGHUP')) process.exit(error.code === 'EPIPE' ? 0 : 1);
}
process.stdout.on('error', outputEnded);
process.stderr.on('error', outputEnded);

/** Alone in a terminal the UI opens, before anything is loaded that only commands need. */
async function run(args: readonly string[]): Promise<number> {
  if (args.length > 0 || !process.stdin.isTTY || !process.stdout.isTTY)
    return (await import('./command-line.js')).runCommandLine(args);
  try {
    await (await import('./bundled-ui.js')).openUi();
    return 0;
  } catch (error) {
    return (await import('./output.js')).reportError(error, false);
  }
}

process.exitCode = await run(process.argv.slice(2));
