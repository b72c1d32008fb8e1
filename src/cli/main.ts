#!/usr/bin/env node
/** `meshwright`: the command line as a process. */

/**
 * Whoever reads the output may have seen enough (`| head`), which is no failure, or a terminal may be gone. A run then
 * ends as when it is told to hang up, so that nothing of it is lost.
 */
function outputEnded({ code }: NodeJS.ErrnoException): void {
  if (!process.emit('SIGHUP')) process.exit(code === 'EPIPE' ? 0 : 1);
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
