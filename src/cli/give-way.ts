/** Threads that compute for long give way to the one that a person waits for. */
import { setPriority } from 'node:os';

const NICENESS = 5;

/**
 * Lowers the priority of the thread that calls it, and of those that it starts. On Linux alone, where threads have one of
 * their own; elsewhere it would be that of the whole process, the UI's with it.
 */
export function giveWay(): void {
  if (process.platform === 'linux') setPriority(NICENESS);
}
