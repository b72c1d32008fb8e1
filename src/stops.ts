/** Ctrl-Z: the terminal is given back while the program is stopped, and taken again when the shell lets it go on. */
import process from 'node:process';

export interface StopGuard {
  /** What Ctrl-Z does where the terminal does not: stops the shell's whole job. */
  readonly stop: () => void;
  /** Takes the handlers away. */
  readonly release: () => void;
}

/** How long a stop may take to come about. */
const STOP_MILLISECONDS = 100;

/**
 * Calls `leave` before this process is stopped by SIGTSTP, whoever sends it, and `enter` when it goes on. Where nothing
 * can stop it, since there is no shell that could let it go on, it goes on at once. Windows has no such signal.
 */
export function guardStops(leave: () => void, enter: () => void): StopGuard {
  let isAway = false;
  let timer: NodeJS.Timeout | undefined;
  const back = (): void => {
    if (!isAway) return;
    isAway = false;
    clearTimeout(timer);
    process.on('SIGTSTP', onStop);
    enter();
    // The terminal may have another size by now, which Node looks at when it is told of a change.
    process.kill(process.pid, 'SIGWINCH');
  };
  const goAway = (): void => {
    isAway = true;
    leave();
    // Without a handler the signal stops the process, within this call.
    process.off('SIGTSTP', onStop);
  };
  const waitForBack = (): void => {
    timer = setTimeout(back, STOP_MILLISECONDS);
  };
  const onStop = (): void => {
    goAway();
    process.kill(process.pid, 'SIGTSTP');
    waitForBack();
  };
  if (process.platform === 'win32') return { stop: () => undefined, release: () => undefined };
  process.on('SIGTSTP', onStop);
  process.on('SIGCONT', back);
  return {
    stop: () => {
      goAway();
      // All processes of the job, as the terminal itself would: devices' too, and whatever started this one.
      process.kill(0, 'SIGTSTP');
      waitForBack();
    },
    release: () => {
      isAway = false;
      clearTimeout(timer);
      process.off('SIGTSTP', onStop);
      process.off('SIGCONT', back);
    },
  };
}
